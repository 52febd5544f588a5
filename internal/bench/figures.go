package bench

import (
	"slices"
	"time"
)

// Delays are percentiles of many delays, milliseconds.
type Delays struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// delaysOf sorts the delays. Of none, all percentiles are 0.
func delaysOf(all []time.Duration) Delays {
	if len(all) == 0 {
		return Delays{}
	}
	slices.Sort(all)
	at := func(percent int) float64 { return float64(all[(len(all)-1)*percent/100].Microseconds()) / 1000 }
	return Delays{at(50), at(95), at(99), at(100)}
}
