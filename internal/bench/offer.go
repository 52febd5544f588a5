package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"votenode/app/tx"
)

// source hands out transactions, each once; none when there are no more. It is safe for concurrent use.
type source func(n int) ([][]byte, error)

// clients offer transactions to nodes, and bring again what a node had no room for.
type clients struct {
	// count of clients, each with one request at a time, in an open loop as many as impatience says, of up to batch transactions, in turn to
	// all nodes.
	count, impatience, batch int
	// window is how many accepted transactions may wait for a block; 0 means no bound.
	window int
	// pause is after what time a client comes again whom a node has told so.
	pause  time.Duration
	ledger book
	// name is what all their names begin with.
	name string
	// turned, where not nil, is told how long requests took in which everything was refused for want of room, and taken those in which
	// nothing was.
	turned, taken *spans
}

// book is told what is offered, and what came of it.
type book interface {
	offered(raws [][]byte)
	// answered returns the transactions that are to be offered again.
	answered(raws [][]byte, answers []answer) (later [][]byte)
	// room waits until fewer than n accepted transactions wait for a block.
	room(ctx context.Context, n int) error
}

// supply hands out transactions for an open loop and takes back what a node had no room for. It is safe for concurrent use.
type supply interface {
	take(n int) ([][]byte, error)
	put(later [][]byte)
}

// all offers everything that the source has, as fast as the nodes take it: each client offers the next when the last is answered.
func (c *clients) all(ctx context.Context, targets []target, next source) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range c.count {
		g.Go(func() error {
			name, to := fmt.Sprintf("%s %d", c.name, i), targets[i%len(targets)]
			for {
				if c.window > 0 {
					if err := c.ledger.room(ctx, c.window); err != nil {
						return err
					}
				}
				raws, err := next(c.batch)
				if err != nil || len(raws) == 0 {
					return err
				}
				if err := c.untilTaken(ctx, to, name, raws); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// untilTaken offers transactions until the node has taken all of them.
func (c *clients) untilTaken(ctx context.Context, to target, name string, raws [][]byte) error {
	for len(raws) > 0 {
		later, err := c.once(ctx, to, name, raws)
		if err != nil {
			return err
		}
		if raws = later; len(raws) > 0 {
			if err := wait(ctx, c.pause); err != nil {
				return err
			}
		}
	}
	return nil
}

// once offers transactions and returns those that the node had no room for.
func (c *clients) once(ctx context.Context, to target, name string, raws [][]byte) (later [][]byte, err error) {
	c.ledger.offered(raws)
	begin := time.Now()
	answers, err := to.offer(ctx, name, raws)
	if err != nil {
		return nil, err
	}
	c.note(time.Since(begin), answers)
	return c.ledger.answered(raws, answers), nil
}

// note keeps how long a request took of which all was answered alike.
func (c *clients) note(took time.Duration, answers []answer) {
	later := 0
	for _, a := range answers {
		if a.code == tx.CodeRetryLater {
			later++
		}
	}
	switch later {
	case len(answers):
		c.turned.add(took)
	case 0:
		c.taken.add(took)
	}
}

// at offers so many transactions a second for some time, whatever the nodes answer. What they had no room for goes back to
// where it came from. A client makes no more requests than impatience says before the first is answered: where all are waiting, less is
// offered.
func (c *clients) at(ctx context.Context, targets []target, from supply, rate int, lasting time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ticket := make(chan struct{}, c.count)
	g, ctx := errgroup.WithContext(ctx)
	for i := range c.count * max(1, c.impatience) {
		g.Go(func() error {
			name, to := fmt.Sprintf("%s %d", c.name, i%c.count), targets[i%c.count%len(targets)]
			for range ticket {
				raws, err := from.take(c.batch)
				if err != nil {
					return err
				}
				if len(raws) == 0 {
					continue
				}
				later, err := c.once(ctx, to, name, raws)
				if err != nil {
					return err
				}
				from.put(later)
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(ticket)
		return pace(ctx, time.Duration(c.batch)*time.Second/time.Duration(rate), lasting, func() {
			select {
			case ticket <- struct{}{}:
			default: // all clients wait for answers
			}
		})
	})
	return g.Wait()
}

// pace calls do at every interval for some time.
func pace(ctx context.Context, interval, lasting time.Duration, do func()) error {
	const least = 2 * time.Millisecond // what a timer can do
	begin, done := time.Now(), 0
	ticker := time.NewTicker(max(interval, least))
	defer ticker.Stop()
	for time.Since(begin) < lasting {
		for ; time.Duration(done)*interval <= time.Since(begin); done++ {
			do()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// queue is a source with what came back, which is handed out when nothing else is left.
type queue struct {
	next source

	mu    sync.Mutex
	again [][]byte
}

func (q *queue) take(n int) ([][]byte, error) {
	raws, err := q.next(n)
	if err != nil || len(raws) > 0 {
		return raws, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(q.again))
	raws = append([][]byte(nil), q.again[:n]...)
	q.again = q.again[n:]
	return raws, nil
}

func (q *queue) put(raws [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.again = append(q.again, raws...)
}

// wait waits for d.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
