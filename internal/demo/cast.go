package demo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/internal/network"
	"votenode/internal/spool"
	"votenode/internal/talk"
)

const (
	// batchSize is how many ballots go into one request.
	batchSize = 100
	// window is how many ballots may be on their way at most; it bounds memory.
	window = 6_000
	// patienceHeights is after how many heights a ballot that is not in the log is sent to another validator: the pool of one that
	// was killed is lost.
	patienceHeights = 12
	// logPage is how many leaves of the log are asked for at once.
	logPage = 2_000
)

// caster sends ballots to all validators that are up, and follows the ballot log of one of them until all are there. What it
// believes of that node is checked at the end: by proofs, and by the result.
type caster struct {
	election   string
	validators []*network.Validator
	down       []atomic.Bool // by validator
	// since is the height that a validator must have before it is sent anything: its block time decides whether a second ballot
	// comes too soon.
	since    atomic.Int64
	progress *talk.Bar
	promised *promised

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when waiting shrinks
	waiting map[[32]byte]*onItsWay
	height  int64 // as far as the log was read
	leaves  uint64
	own     int // ballots of this caster in the log
}

type onItsWay struct {
	raw    []byte
	height int64 // when it was sent last
	to     int
}

// newCaster begins behind the leaves that the log has already.
func newCaster(election string, validators []*network.Validator, leaves uint64, progress *talk.Bar, p *promised) *caster {
	return &caster{
		election: election, promised: p, validators: validators, down: make([]atomic.Bool, len(validators)), progress: progress,
		changed: make(chan struct{}), waiting: map[[32]byte]*onItsWay{}, leaves: leaves,
	}
}

// send takes up to n ballots from a spool and sends them, one sender per validator.
func (c *caster) send(ctx context.Context, s *spool.File, n int) error {
	var taking sync.Mutex
	take := func() ([][]byte, error) {
		taking.Lock()
		defer taking.Unlock()
		batch, err := s.Take(min(batchSize, n))
		n -= len(batch)
		return batch, err
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range c.validators {
		g.Go(func() error {
			for {
				if err := c.room(ctx, window); err != nil {
					return err
				}
				batch, err := take()
				if err != nil || len(batch) == 0 {
					return err
				}
				if err := c.submit(ctx, i, batch, false); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// submit hands a batch to a validator, or to the next one where that is down. A ballot that is sent again may be recorded meanwhile, and so may one
// that had to wait: it is given to another validator then.
func (c *caster) submit(ctx context.Context, to int, batch [][]byte, again bool) error {
	for tries := 0; ; tries, to = tries+1, (to+1)%len(c.validators) {
		if c.down[to].Load() {
			continue
		}
		c.note(batch, to)
		_, err := c.validators[to].Node.WaitHeight(ctx, max(c.since.Load(), 1))
		var answers []client.Admission
		if err == nil {
			answers, err = c.validators[to].Node.Submit(ctx, batch...)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && (c.down[to].Load() || tries < 3*len(c.validators)):
			continue // killed meanwhile, or about to be known as such
		case err != nil:
			return err
		}
		for _, answer := range answers {
			if answer.Code != tx.CodeOK && answer.Code != tx.CodeAlreadyDone && !again && tries == 0 {
				return fmt.Errorf("%s refuses an honest ballot: %d %s: %s", c.validators[to].Name, answer.Code, answer.Name, answer.Message)
			}
		}
		return c.promised.take(batch, answers)
	}
}

// note remembers that ballots are on their way.
func (c *caster) note(batch [][]byte, to int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, raw := range batch {
		c.waiting[sha256.Sum256(raw)] = &onItsWay{raw: raw, height: c.height, to: to}
	}
}

// room waits until fewer than n ballots are on their way.
func (c *caster) room(ctx context.Context, n int) error {
	for {
		c.mu.Lock()
		waiting, changed := len(c.waiting), c.changed
		c.mu.Unlock()
		if waiting < n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// recorded waits until all ballots that were sent are in the log.
func (c *caster) recorded(ctx context.Context) error { return c.room(ctx, 1) }

// follow reads the ballot log height by height until ctx ends, which is no error, and sends again what does not arrive.
func (c *caster) follow(ctx context.Context) error {
	from := c.validators[0].Node
	for {
		status, err := from.WaitHeight(ctx, c.height+1)
		if err == nil {
			err = c.read(ctx, from, status.Height)
		}
		if err == nil {
			err = c.sendAgain(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// read takes the new leaves of the log.
func (c *caster) read(ctx context.Context, from *client.Node, height int64) error {
	for {
		leaves, err := from.LogLeaves(ctx, state.LogBallots(c.election), c.leaves, c.leaves+logPage)
		if err != nil && !errors.Is(err, client.ErrUnknown) {
			return err
		}
		c.mu.Lock()
		c.height = height
		c.leaves += uint64(len(leaves))
		for _, leaf := range leaves {
			hash := sha256.Sum256(leaf)
			if c.waiting[hash] != nil {
				delete(c.waiting, hash)
				c.own++
			}
		}
		if len(leaves) > 0 {
			close(c.changed)
			c.changed = make(chan struct{})
		}
		own := c.own
		c.mu.Unlock()
		c.progress.Set(own)
		if len(leaves) == 0 {
			return nil
		}
	}
}

// sendAgain gives one batch of ballots that have waited too long to another validator.
func (c *caster) sendAgain(ctx context.Context) error {
	var batch [][]byte
	to := 0
	c.mu.Lock()
	for _, w := range c.waiting {
		if c.down[w.to].Load() || w.height+patienceHeights <= c.height {
			batch, to = append(batch, w.raw), w.to+1
		}
		if len(batch) == batchSize {
			break
		}
	}
	c.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	return c.submit(ctx, to%len(c.validators), batch, true)
}

// disk is what the home of a validator occupies, bytes; 0 where that is elsewhere.
func (r *run) disk() (int64, error) {
	if home := r.network.Validators[0].Home; home != "" {
		return network.Allocated(home)
	}
	return 0, nil
}

// vote sends all ballots: the early ones; half of the rest, upon which a validator is killed, where it is a process here; the other half;
// and the second ballots of those who vote twice.
func (r *run) vote(ctx context.Context) error {
	progress := r.Talk.Bar("ballots recorded", r.report.Proven)
	defer progress.Clear()
	before, err := r.disk()
	if err != nil {
		return err
	}
	c := newCaster(r.election, r.network.Validators, 1, progress, r.promised)
	following, stop := context.WithCancel(ctx)
	defer stop()
	g, following := errgroup.WithContext(following)
	g.Go(func() error { return c.follow(following) })
	g.Go(func() error {
		defer stop()
		return r.whileOpen(following, func(ctx context.Context) error { return r.castAll(ctx, c) })
	})
	if err := g.Wait(); err != nil {
		return err
	}
	after, err := r.disk()
	if err != nil {
		return err
	}
	r.report.Recorded = r.report.Proven + 1 // and the challenger's
	r.report.LedgerBytesPerBallot = float64(after-before) / float64(r.report.Proven)
	r.say("all ballots are recorded: %.0f a second", r.report.BallotsPerSecond)
	return nil
}

func (r *run) castAll(ctx context.Context, c *caster) error {
	start := time.Now()
	if err := c.send(ctx, r.early, r.early.Size()); err != nil {
		return err
	}
	if err := c.send(ctx, r.main, r.main.Size()/2); err != nil {
		return err
	}
	var killed *outage
	if victim := r.network.Validators[1]; victim.Process != nil {
		var err error
		if killed, err = r.kill(ctx, c, victim); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	if killed != nil {
		g.Go(func() error { return killed.end(ctx) })
	}
	g.Go(func() error {
		if err := c.send(ctx, r.main, r.main.Size()); err != nil {
			return err
		}
		if err := c.recorded(ctx); err != nil {
			return err
		}
		if err := r.awaitInterval(ctx, c); err != nil {
			return err
		}
		if err := c.send(ctx, r.late, r.late.Size()); err != nil {
			return err
		}
		if err := c.recorded(ctx); err != nil {
			return err
		}
		r.report.VotingSeconds = time.Since(start).Seconds()
		r.report.BallotsPerSecond = float64(r.report.Proven) / r.report.VotingSeconds
		return nil
	})
	return g.Wait()
}

// awaitInterval waits until block time has moved by more than the least interval between two ballots of one voter.
func (r *run) awaitInterval(ctx context.Context, c *caster) error {
	n := r.network.Validators[0].Node
	first, err := n.Status(ctx)
	for s := first; err == nil; s, err = n.WaitHeight(ctx, s.Height+1) {
		if s.Time.Sub(first.Time) > time.Duration(r.manifest.RevoteInterval)*time.Second {
			c.since.Store(s.Height)
			return nil
		}
	}
	return err
}

// whileOpen does something that takes the time that it takes, while the officers extend the voting whenever its end comes near.
func (r *run) whileOpen(ctx context.Context, do func(ctx context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	busy, done := context.WithCancel(ctx)
	g.Go(func() error { return r.keepOpen(ctx, busy) })
	g.Go(func() error {
		defer done()
		return do(ctx)
	})
	return g.Wait()
}

// keepOpen extends the voting whenever its end comes near, as long as busy lives. An extension that was begun is brought to its end.
func (r *run) keepOpen(ctx, busy context.Context) error {
	n := r.network.Validators[0].Node
	s, err := n.Status(busy)
	for ; err == nil; s, err = n.WaitHeight(busy, s.Height+1) {
		if s.Time.Add(time.Duration(r.extension())*time.Second/2+2*r.officials.Deciding).Unix() > r.closing {
			if err := r.extend(ctx, "ballots are still on their way"); err != nil {
				return err
			}
		}
	}
	if busy.Err() != nil {
		return nil
	}
	return err
}
