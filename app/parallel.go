package app

import (
	"runtime"

	"golang.org/x/sync/errgroup"
)

// inParallel calls fn for the numbers from 0 to n - 1 on all cores. Its error is that of the lowest number, so that the outcome is that of
// calling fn in order. fn must not touch a view, a draft, or what belongs to another number.
func inParallel(n int, fn func(i int) error) error {
	errs := make([]error, n)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		g.Go(func() error {
			errs[i] = fn(i)
			return nil
		})
	}
	g.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
