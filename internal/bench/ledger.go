package bench

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"votenode/app/tx"
)

// ledger knows what became of every transaction of a measurement, and when. It is safe for concurrent use.
type ledger struct {
	begin time.Time

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced when something is recorded
	index     map[[32]byte]int
	entries   []entry
	accounts  Accounts
	pending   int // accepted, not yet recorded
	last      time.Duration
	uncertain []int // recorded, not yet certified
	blocks    []blockFact
	parts     []partFact // the first is the beginning
	part      uint64     // recorded transactions of a part
	usage     func() (cpu time.Duration, rss int64)

	keeping bool     // what is recorded is kept, to be offered again
	known   [][]byte // the same
	turn    int      // of known, which comes next
}

// entry is one transaction. Times are since the beginning, 0 for never.
type entry struct {
	first, answered, recorded, certified time.Duration
	height                               int64
	accepted, promised                   bool
	raw                                  []byte // where the ledger keeps it and it is not recorded
}

// blockFact is what is known of one block.
type blockFact struct {
	seen time.Duration
	size int // transactions of the measurement
}

// partFact is what is known at the end of a part of the transactions.
type partFact struct {
	recorded uint64
	at       time.Duration
	cpu      time.Duration
	rss      int64
}

// Accounts add up: Offered is Accepted, Again, RetryLater and OtherCodes together, and when all is over Recorded is Accepted. Every offer of
// the same transaction counts.
type Accounts struct {
	Offered uint64 `json:"offered"`
	// Accepted and Slipped are distinct transactions that were taken and promised; Again counts what was taken before.
	Accepted   uint64 `json:"accepted"`
	Again      uint64 `json:"again,omitempty"`
	Slipped    uint64 `json:"slipped"`
	RetryLater uint64 `json:"retry_later"`
	// OtherCodes are refusals with another code, by its name.
	OtherCodes map[string]uint64 `json:"other_codes"`
	// Recorded are distinct transactions that stand in blocks; Foreign those in blocks of which nothing is known here.
	Recorded uint64 `json:"recorded"`
	// Unaccepted were recorded without having been accepted.
	Unaccepted uint64 `json:"unaccepted"`
}

// Fault says where the accounts do not add up, nil where they do.
func (a *Accounts) Fault() error {
	others := uint64(0)
	for _, n := range a.OtherCodes {
		others += n
	}
	switch {
	case a.Offered != a.Accepted+a.Again+a.RetryLater+others:
		return fmt.Errorf("%d offered are not %d accepted, %d accepted before, %d told to come later and %d refused", a.Offered, a.Accepted, a.Again, a.RetryLater, others)
	case a.Recorded != a.Accepted:
		return fmt.Errorf("%d were accepted and %d recorded", a.Accepted, a.Recorded)
	case a.Slipped > a.Accepted:
		return fmt.Errorf("%d were accepted and %d promised", a.Accepted, a.Slipped)
	case a.Unaccepted > 0:
		return fmt.Errorf("%d were recorded that nobody has accepted", a.Unaccepted)
	}
	return nil
}

// newLedger begins a measurement of n transactions. usage is asked at the end of each part.
func newLedger(n int, usage func() (cpu time.Duration, rss int64)) *ledger {
	cpu, rss := usage()
	return &ledger{
		part: uint64(max(n/parts, 1)), usage: usage, parts: []partFact{{0, 0, cpu, rss}},
		begin: time.Now(), changed: make(chan struct{}), index: make(map[[32]byte]int, n), entries: make([]entry, 0, n),
		accounts: Accounts{OtherCodes: map[string]uint64{}},
	}
}

// offered notes that transactions are on their way to a node.
func (l *ledger) offered(raws [][]byte) {
	hashes := make([][32]byte, len(raws))
	for i, raw := range raws {
		hashes[i] = sha256.Sum256(raw)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.begin)
	l.accounts.Offered += uint64(len(raws))
	for i, hash := range hashes {
		if _, again := l.index[hash]; !again {
			l.index[hash] = len(l.entries)
			e := entry{first: now}
			if l.keeping {
				e.raw = raws[i]
			}
			l.entries = append(l.entries, e)
		}
	}
}

// answered notes the answers of a node, and returns the transactions that it had no room for; where recorded ones are kept without those,
// which come again anyway.
func (l *ledger) answered(raws [][]byte, answers []answer) (later [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.begin)
	for i, a := range answers {
		e := &l.entries[l.index[sha256.Sum256(raws[i])]]
		switch a.code {
		case tx.CodeOK:
			if e.accepted {
				l.accounts.Again++
			} else {
				l.accounts.Accepted++
				if e.height == 0 {
					l.pending++
				}
			}
			e.accepted = true
			if a.promised && !e.promised {
				l.accounts.Slipped++
				e.promised, e.answered = true, now
			}
		case tx.CodeRetryLater:
			l.accounts.RetryLater++
			if !l.keeping || e.height == 0 {
				later = append(later, raws[i])
			}
		default:
			l.accounts.OtherCodes[a.code.String()]++
		}
	}
	return later
}

// record follows a chain from a height while do offers, and until all that was accepted is recorded and certified.
func (l *ledger) record(ctx context.Context, from chain, height int64, do func(ctx context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.follow(ctx, from, height) })
	g.Go(func() error {
		defer stop()
		if err := do(ctx); err != nil {
			return err
		}
		return l.settled(ctx)
	})
	return g.Wait()
}

// follow reads blocks until ctx ends, which is no error.
func (l *ledger) follow(ctx context.Context, c chain, height int64) error {
	for {
		blocks, certified, err := c.blocksAfter(ctx, height)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		l.saw(height, blocks, certified)
		height += int64(len(blocks))
	}
}

func (l *ledger) saw(height int64, blocks [][][32]byte, certified int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.begin)
	for b, hashes := range blocks {
		fact := blockFact{seen: now}
		for _, hash := range hashes {
			i, known := l.index[hash]
			if !known || l.entries[i].height != 0 {
				continue
			}
			e := &l.entries[i]
			e.height, e.recorded = height+int64(b)+1, now
			l.uncertain = append(l.uncertain, i)
			l.accounts.Recorded++
			fact.size++
			if l.keeping {
				l.known, e.raw = append(l.known, e.raw), nil
			}
			if e.accepted {
				l.pending--
			}
			l.last = now
		}
		l.blocks = append(l.blocks, fact)
	}
	if l.accounts.Recorded >= l.parts[len(l.parts)-1].recorded+l.part {
		cpu, rss := l.usage()
		l.parts = append(l.parts, partFact{l.accounts.Recorded, now, cpu, rss})
	}
	rest := l.uncertain[:0]
	for _, i := range l.uncertain {
		if e := &l.entries[i]; e.height <= certified {
			e.certified = now
		} else {
			rest = append(rest, i)
		}
	}
	l.uncertain = rest
	close(l.changed)
	l.changed = make(chan struct{})
}

// repeat returns n of the recorded transactions that are kept, in turn; fewer where there are fewer.
func (l *ledger) repeat(n int) [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = min(n, len(l.known))
	raws := make([][]byte, n)
	for i := range raws {
		l.turn = (l.turn + 1) % len(l.known)
		raws[i] = l.known[l.turn]
	}
	return raws
}

// longestPause between two blocks, 0 where there are not two.
func (l *ledger) longestPause() (longest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := 1; i < len(l.blocks); i++ {
		longest = max(longest, l.blocks[i].seen-l.blocks[i-1].seen)
	}
	return longest
}

// until waits for a block after which a condition holds.
func (l *ledger) until(ctx context.Context, holds func() bool) error {
	for {
		l.mu.Lock()
		ok, changed := holds(), l.changed
		l.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// room waits until fewer than n accepted transactions wait for a block.
func (l *ledger) room(ctx context.Context, n int) error {
	return l.until(ctx, func() bool { return l.pending < n })
}

// settled waits until all that was accepted is recorded and certified.
func (l *ledger) settled(ctx context.Context) error {
	patient, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	err := l.until(patient, func() bool { return l.pending == 0 && len(l.uncertain) == 0 })
	if err == nil || ctx.Err() != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Errorf("%v after the last offer %d accepted transactions are not recorded, %d not certified", settling, l.pending, len(l.uncertain))
}

// settling bounds how long the network has for what it accepted.
const settling = 10 * time.Minute

// close returns the accounts, which are final now.
func (l *ledger) close() Accounts {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.entries {
		if e := &l.entries[i]; e.height != 0 && !e.accepted {
			l.accounts.Unaccepted++
		}
	}
	return l.accounts
}

// delays returns the percentiles of what a function tells of an entry; negative is nothing.
func (l *ledger) delays(of func(e *entry) time.Duration) Delays {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]time.Duration, 0, len(l.entries))
	for i := range l.entries {
		if d := of(&l.entries[i]); d >= 0 {
			all = append(all, d)
		}
	}
	return delaysOf(all)
}

func slipDelay(e *entry) time.Duration {
	if !e.promised {
		return -1
	}
	return e.answered - e.first
}

func recordDelay(e *entry) time.Duration {
	if e.height == 0 {
		return -1
	}
	return e.recorded - e.first
}

func certifiedDelay(e *entry) time.Duration {
	if e.certified == 0 {
		return -1
	}
	return e.certified - e.first
}
