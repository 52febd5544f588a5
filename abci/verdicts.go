package abci

import (
	"container/list"
	"sync"

	"votenode/app/tx"
)

const (
	// verdictBytes bounds the memory of the transactions whose verification is remembered: some blocks' worth, 32,000 ballots of three
	// options.
	verdictBytes = 160 << 20
	// ballotMemory and transactionMemory are how many times its raw bytes a verified transaction takes: it is kept as bytes, as decoded
	// messages, and of a ballot as points, which take five times their encoding. memoryOverhead comes besides for each.
	ballotMemory      = 7
	transactionMemory = 3
	memoryOverhead    = 1024
)

// verdicts remembers, by hash, transactions that were verified and do not wait in the pool: with the pool, it sees to it that a
// node verifies each transaction once, at admission or in the proposal that first brings it. Refusals are not remembered: a peer could
// fill it with them, and they may depend on state. The oldest go first. Its methods are safe for concurrent use.
//
// The hash of the bytes is enough of a key, because on one chain nothing else that was right can become wrong. What a verdict is about
// (spec 2.4, 3.5) is in the bytes, or fixed before they can be found right, once and for all:
//
//   - the chain id is that of the application, whose cache this is;
//   - an officer's, registrar's, trustee's or proposer's key stands in the envelope, and whether it is authorised is no part of a verdict;
//   - a ballot names its election, whose id is used once on a ledger. Until the record of the election has a sealed roll and a key digest
//     there is no verdict but a refusal. Manifest hash, sealed roll, its root and the key digest are each written once and never changed,
//     in whatever phase, nor are the documents under these hashes: manifest, so styles, slots and generators, and the keys P_j;
//   - the voter's key is a leaf of the sealed roll, which is an append-only log. A revocation changes the voters' tree, no leaf.
//
// The state never goes back while a process runs, and no process hands the cache on.
type verdicts struct {
	mu     sync.Mutex
	limit  int
	bytes  int
	order  *list.List // of *tx.Verified, oldest first
	byHash map[[32]byte]*list.Element
}

func newVerdicts(limit int) *verdicts {
	return &verdicts{limit: limit, order: list.New(), byHash: map[[32]byte]*list.Element{}}
}

// get returns the verified transaction of this hash, nil where it is not remembered.
func (c *verdicts) get(hash [32]byte) *tx.Verified {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byHash[hash]; e != nil {
		return e.Value.(*tx.Verified)
	}
	return nil
}

// add remembers a verified transaction.
func (c *verdicts) add(v *tx.Verified) {
	hash := v.Parsed().Hash()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byHash[hash] != nil {
		return
	}
	c.byHash[hash] = c.order.PushBack(v)
	for c.bytes += memoryOf(v); c.bytes > c.limit; {
		oldest := c.order.Remove(c.order.Front()).(*tx.Verified)
		delete(c.byHash, oldest.Parsed().Hash())
		c.bytes -= memoryOf(oldest)
	}
}

// memoryOf is the memory that a verified transaction takes where it waits or is remembered, bytes.
func memoryOf(v *tx.Verified) int {
	if v.Ballot() != nil {
		return ballotMemory*len(v.Parsed().Raw()) + memoryOverhead
	}
	return transactionMemory*len(v.Parsed().Raw()) + memoryOverhead
}
