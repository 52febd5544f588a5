package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"votenode/internal/talk"
)

// source hands out transactions, each once; none when there are no more. It is safe for concurrent use.
type source func(n int) ([][]byte, error)

// clients offer transactions to nodes, and bring again what a node had no room for.
type clients struct {
	// count of clients, each with one request at a time of up to batch transactions, in turn to all nodes.
	count, batch int
	// window is how many accepted transactions may wait for a block; 0 means no bound.
	window int
	// pause is after what time a client comes again whom a node has told so.
	pause  time.Duration
	ledger *ledger
	bar    *talk.Bar
}

// all offers everything that the source has, as fast as the nodes take it: each client offers the next when the last is answered.
func (c *clients) all(ctx context.Context, targets []target, next source) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range c.count {
		g.Go(func() error {
			name, to := fmt.Sprintf("client %d", i), targets[i%len(targets)]
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
	answers, err := to.offer(ctx, name, raws)
	if err != nil {
		return nil, err
	}
	return c.ledger.answered(raws, answers), nil
}

// at offers so many transactions a second for some time, whatever the nodes answer. What they had no room for is offered again, behind
// the others. A client whose request is not answered yet makes no other one: where all are waiting, less is offered.
func (c *clients) at(ctx context.Context, targets []target, next source, rate int, lasting time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	again := &queue{next: next}
	ticket := make(chan struct{}, c.count)
	g, ctx := errgroup.WithContext(ctx)
	for i := range c.count {
		g.Go(func() error {
			name, to := fmt.Sprintf("client %d", i), targets[i%len(targets)]
			for range ticket {
				raws, err := again.take(c.batch)
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
				again.put(later)
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

// queue is a source with what came back.
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
