// Package parallel makes many things on all cores and hands them on in order.
package parallel

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// chunk is how many things are made before they are handed on.
const chunk = 256

// InOrder calls produce for 0 to n-1 on all cores, and take with what came of each, in order, by one goroutine; it holds a few
// hundred at most. It returns the first error, or ctx's.
func InOrder[T any](ctx context.Context, n int, produce func(i int) (T, error), take func(i int, made T) error) error {
	var made [chunk]T
	for first := 0; first < n; first += chunk {
		count := min(chunk, n-first)
		var g errgroup.Group
		g.SetLimit(runtime.GOMAXPROCS(0))
		for i := range count {
			g.Go(func() (err error) {
				made[i], err = produce(first + i)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i := range count {
			if err := take(first+i, made[i]); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}
