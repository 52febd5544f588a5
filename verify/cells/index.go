package cells

import (
	"bytes"
	"fmt"
	"hash/maphash"
)

// Index finds the places of keys that stand elsewhere, in 11 to 22 bytes of memory a key. What it finds does not depend on its hashes,
// which have a seed of their own, so that nobody can choose keys that collide.
type Index struct {
	seed  maphash.Seed
	key   func(place uint64) ([]byte, error)
	table []uint64 // upper half of a hash and place + 1; 0 is free
	count int
}

// maxPlaces bounds the places: rolls have at most 2^27 entries.
const maxPlaces = 1 << 27

// NewIndex returns an empty index; key gives the key that stands at a place.
func NewIndex(key func(place uint64) ([]byte, error)) *Index {
	return &Index{seed: maphash.MakeSeed(), key: key, table: make([]uint64, 64)}
}

// Find returns the place of a key.
func (x *Index) Find(key []byte) (place uint64, found bool, err error) {
	mask, hash := uint64(len(x.table)-1), x.hash(key)
	for at := hash & mask; x.table[at] != 0; at = (at + 1) & mask {
		if x.table[at]>>32 != hash {
			continue
		}
		place := x.table[at]&0xffffffff - 1
		if there, err := x.key(place); err != nil || bytes.Equal(there, key) {
			return place, err == nil, err
		}
	}
	return 0, false, nil
}

// Add adds a key that is not there yet.
func (x *Index) Add(key []byte, place uint64) error {
	if place >= maxPlaces {
		return fmt.Errorf("place %d is none that a roll has", place)
	}
	if 4*(x.count+1) > 3*len(x.table) {
		old := x.table
		x.table = make([]uint64, 2*len(old))
		for _, entry := range old {
			if entry != 0 {
				x.put(entry)
			}
		}
	}
	x.put(x.hash(key)<<32 | (place + 1))
	x.count++
	return nil
}

func (x *Index) hash(key []byte) uint64 { return maphash.Bytes(x.seed, key) >> 32 }

func (x *Index) put(entry uint64) {
	mask := uint64(len(x.table) - 1)
	at := entry >> 32 & mask
	for x.table[at] != 0 {
		at = (at + 1) & mask
	}
	x.table[at] = entry
}
