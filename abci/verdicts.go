package abci

import (
	"container/list"
	"sync"

	"votenode/app/tx"
)

const (
	// verdictBytes bounds the raw bytes of the transactions whose verification is remembered, some blocks' worth. A remembered
	// transaction takes about four times its raw bytes.
	verdictBytes = 32 << 20
	// verdictOverhead is counted for each besides its raw bytes.
	verdictOverhead = 512
)

// verdicts remembers, by hash, transactions that were verified and do not wait in the pool: with the pool, it sees to it that a
// node verifies each transaction once, at admission or in the proposal that first brings it. Refusals are not remembered: a peer could fill it with them, and they may depend on state.
// The oldest go first. Its methods are safe for concurrent use.
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
	for c.bytes += verdictCost(v); c.bytes > c.limit; {
		oldest := c.order.Remove(c.order.Front()).(*tx.Verified)
		delete(c.byHash, oldest.Parsed().Hash())
		c.bytes -= verdictCost(oldest)
	}
}

func verdictCost(v *tx.Verified) int { return len(v.Parsed().Raw()) + verdictOverhead }
