package abci

import (
	"errors"
	"maps"
	"sync"

	"votenode/app/tx"
)

// Intake counts, since the start, what this node was asked to take in.
type Intake struct {
	// Taken came in here and went into the pool.
	Taken uint64
	// FromPeers were brought by peers and went into the pool.
	FromPeers uint64
	// Refused transactions by code, wherever they came from; tx.CodeRetryLater counts those for which there was no room.
	Refused map[tx.Code]uint64
	// Pending transactions in the pool, and their bytes.
	Pending      int
	PendingBytes int
	// Promised ballots that are not settled.
	Promised int
}

// counts are what Intake counts as it happens. Its methods are safe for concurrent use.
type counts struct {
	mu        sync.Mutex
	taken     uint64
	fromPeers uint64
	refused   map[tx.Code]uint64
}

func newCounts() *counts { return &counts{refused: map[tx.Code]uint64{}} }

// Intake returns the present counts.
func (a *Application) Intake() Intake {
	i := a.counts.now()
	i.Pending, i.PendingBytes = a.pool.size()
	i.Promised = a.pool.open()
	return i
}

func (c *counts) now() Intake {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Intake{Taken: c.taken, FromPeers: c.fromPeers, Refused: maps.Clone(c.refused)}
}

// refuse counts a refusal.
func (c *counts) refuse(code tx.Code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[code]++
}

// outcome counts what the verifier decided. What is the node's own fault is not counted.
func (c *counts) outcome(s *submission) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var refusal *tx.Refusal
	switch {
	case errors.As(s.err, &refusal):
		c.refused[refusal.Code]++
	case s.err != nil:
	case s.local():
		c.taken++
	case !s.waits:
		c.fromPeers++
	}
}
