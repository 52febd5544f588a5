package bench

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Delays are percentiles of many delays, milliseconds.
type Delays struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// String shows them to a person.
func (d Delays) String() string {
	return fmt.Sprintf("p50 %.1f ms, p95 %.1f ms, p99 %.1f ms", d.P50, d.P95, d.P99)
}

// delaysOf sorts the delays. Of none, all percentiles are 0.
func delaysOf(all []time.Duration) Delays {
	if len(all) == 0 {
		return Delays{}
	}
	slices.Sort(all)
	at := func(percent int) float64 { return milliseconds(all[(len(all)-1)*percent/100]) }
	return Delays{at(50), at(95), at(99), at(100)}
}

// spans collects delays. It is safe for concurrent use, and a nil one forgets them.
type spans struct {
	mu  sync.Mutex
	all []time.Duration
}

func (s *spans) add(d time.Duration) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, d)
}

// delays returns their percentiles.
func (s *spans) delays() Delays {
	s.mu.Lock()
	defer s.mu.Unlock()
	return delaysOf(s.all)
}
