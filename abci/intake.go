package abci

import (
	"errors"
	"maps"
	"sync"
	"time"

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
	// Verified ballots, proof and all, right or wrong, before they came into the pool; those that were promised before the start are
	// among them.
	Verified uint64
	// Slips that this node signed.
	Slips uint64
	// Verifying is for how long transactions were verified before they came into the pool, by the clock on the wall, nearly all of it for
	// ballots.
	Verifying time.Duration
	// ClientsWaiting and PeersWaiting are the transactions in line for the verifier, by who brought them.
	ClientsWaiting, PeersWaiting int
	// Overdue are promises among Promised whose height has come and passed.
	Overdue int
	// Prepare, Process and Finalize tell of the transactions in this node's own proposals, in proposals that it judged, and in decided
	// blocks, whether they were known.
	Prepare, Process, Finalize Lookups
}

// Lookups count transactions by how they were known to be right when they stood in a block.
type Lookups struct {
	// Pool counts those that waited in the pool, Remembered those whose verification was remembered.
	Pool, Remembered uint64
	// Unseen were verified in the call itself. The author's transaction is always among them in the first call that has it.
	Unseen uint64
}

// call is one of the consensus calls that ask for verdicts.
type call int

const (
	prepare call = iota
	process
	finalize
	consensusCalls // their number
)

// counts are what Intake counts as it happens. Its methods are safe for concurrent use.
type counts struct {
	mu        sync.Mutex
	taken     uint64
	fromPeers uint64
	refused   map[tx.Code]uint64
	verified  uint64
	slips     uint64
	verifying time.Duration
	calls     [consensusCalls]Lookups
}

func newCounts() *counts { return &counts{refused: map[tx.Code]uint64{}} }

// Intake returns the present counts.
func (a *Application) Intake() Intake {
	i := a.counts.now()
	i.Pending, i.PendingBytes = a.pool.size()
	i.Promised, i.Overdue = a.pool.open(), a.pool.overdue(a.height())
	i.ClientsWaiting, i.PeersWaiting = a.sources.sizes()
	return i
}

func (c *counts) now() Intake {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Intake{
		Taken: c.taken, FromPeers: c.fromPeers, Refused: maps.Clone(c.refused), Verified: c.verified, Verifying: c.verifying, Slips: c.slips,
		Prepare: c.calls[prepare], Process: c.calls[process], Finalize: c.calls[finalize],
	}
}

// verify counts the ballots among transactions that are verified before they come into the pool.
func (c *counts) verify(list []*tx.Parsed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range list {
		if p.Kind().Casts() {
			c.verified++
		}
	}
}

// promise counts slips.
func (c *counts) promise(slips int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slips += uint64(slips)
}

// spend adds to the time that verifying took.
func (c *counts) spend(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.verifying += d
}

// lookup adds what a consensus call found of the transactions of a block.
func (c *counts) lookup(in call, found Lookups) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := &c.calls[in]
	n.Pool, n.Remembered, n.Unseen = n.Pool+found.Pool, n.Remembered+found.Remembered, n.Unseen+found.Unseen
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
