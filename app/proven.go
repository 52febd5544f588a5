package app

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// maxProven is how many partial decryptions are remembered as proven: those of eighty trustees for more than 1,600 contests.
const maxProven = 1 << 17

// provenParts remembers which partial decryptions were found to be right, so that what was checked when it came in is not checked again
// when a block is made and when it is executed. A name binds all that the check depends on, so it never has to be forgotten. It is safe
// for concurrent use.
type provenParts struct {
	mu    sync.Mutex
	names map[[32]byte]struct{}
}

func (p *provenParts) has(name [32]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.names[name]
	return ok
}

func (p *provenParts) add(name [32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.names == nil || len(p.names) >= maxProven {
		p.names = make(map[[32]byte]struct{})
	}
	p.names[name] = struct{}{}
}

// nameOf hashes byte strings with their lengths.
func nameOf(items ...[]byte) (name [32]byte) {
	h := sha256.New()
	for _, item := range items {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(item))))
		h.Write(item)
	}
	h.Sum(name[:0])
	return name
}
