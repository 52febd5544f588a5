package abci

import (
	"errors"

	cmttypes "github.com/cometbft/cometbft/types"
)

// This file is the part of the pool that knows what this node has promised. Spec 12.2.

// room bounds what may be promised and not be settled at one time.
type room struct {
	bytes int
	units uint64
}

var (
	// errStale says that blocks went on since a ballot was checked: it must be checked again.
	errStale = errors.New("it was checked against an old state")
	// The reasons for which a ballot that waits is not promised.
	errGone   = errors.New("it waits no more")
	errHigher = errors.New("a ballot of this voter with a higher number waits already")
	errRoom   = errors.New("this node has promised as much as its turns can carry; send it again in a moment")
)

// promise puts a waiting ballot among those promised, and returns the height of issue: no proposal of a greater height has begun without
// it. The ballot was checked against the state after the height checked, which is at most one before the height of issue.
// A ballot that is promised already fails with errGone.
func (p *pool) promise(hash [32]byte, checked int64, r room) (issued int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.byHash[hash]
	if w == nil || !w.ballot || w.promise != nil {
		return 0, errGone
	}
	if issued = max(checked, p.proposed); issued > checked+1 {
		return 0, errStale
	}
	for _, other := range p.owners[w.owner] {
		if other.ballot && other.sequence > w.sequence {
			return 0, errHigher
		}
	}
	if p.promisedBytes+w.framed() > r.bytes || p.promisedUnits+w.units() > r.units {
		return 0, errRoom
	}
	p.enlist(w)
	return issued, nil
}

// resume puts a ballot among those promised that was so before the node was started.
func (p *pool) resume(hash [32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.byHash[hash]; w != nil && w.promise == nil {
		p.enlist(w)
	}
}

// fallsDue records by which height a ballot is promised.
func (p *pool) fallsDue(hash [32]byte, due int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.byHash[hash]; w != nil {
		w.due = due
	}
}

// overdue returns how many promises are not settled though the height by which they were given is at most this one, which is committed.
func (p *pool) overdue(height int64) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for e := p.promised.Front(); e != nil; e = e.Next() {
		if due := e.Value.(*waiting).due; due != 0 && due <= height {
			n++
		}
	}
	return n
}

// framed is what a transaction takes in a block, bytes.
func (w *waiting) framed() int {
	return int(cmttypes.ComputeProtoSizeForTxs([]cmttypes.Tx{w.verified.Parsed().Raw()}))
}

func (p *pool) enlist(w *waiting) {
	w.promise = p.promised.PushBack(w)
	p.promisedBytes += w.framed()
	p.promisedUnits += w.units()
}

// settle takes a transaction off the promises.
func (p *pool) settle(w *waiting) {
	if w.promise != nil {
		p.promised.Remove(w.promise)
		w.promise = nil
		p.promisedBytes -= w.framed()
		p.promisedUnits -= w.units()
	}
}

// forget takes transactions off the promises whose slips never left this node.
func (p *pool) forget(hashes ...[32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range hashes {
		if w := p.byHash[h]; w != nil {
			p.settle(w)
		}
	}
}

// settled returns which transactions are not among those promised.
func (p *pool) settled(hashes [][32]byte) (list [][32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range hashes {
		if w := p.byHash[h]; w == nil || w.promise == nil {
			list = append(list, h)
		}
	}
	return list
}

// recordedAll settles all that was promised to voters of whom a ballot is recorded, and returns the hashes.
func (p *pool) recordedAll(owners []string) (settled [][32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, owner := range owners {
		for _, w := range p.owners[owner] {
			if w.promise != nil {
				settled = append(settled, w.verified.Parsed().Hash())
				p.settle(w)
			}
		}
	}
	return settled
}

// open returns how many promises are not settled.
func (p *pool) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.promised.Len()
}
