package threshold

import (
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"pgregory.net/rapid"
)

func TestLogTable(t *testing.T) {
	for _, max := range []uint64{0, 1, 255, 256, 257, 10_000} {
		table := NewLogTable(max)
		for _, want := range []uint64{0, 1, 63, 64, 65, 255, 256, 257, 9_999, 10_000, 10_001} {
			got, ok := table.Solve(times(want), 10_000)
			if ok != (want <= 10_000) || ok && got != want {
				t.Errorf("table for %d: %d solved to %d, %v", max, want, got, ok)
			}
			if _, ok := table.Solve(times(want), want); !ok {
				t.Errorf("table for %d: %d not found at its bound", max, want)
			}
			if want > 0 {
				if _, ok := table.Solve(times(want), want-1); ok {
					t.Errorf("table for %d: %d found above its bound", max, want)
				}
			}
		}
		if _, ok := table.Solve(curve.NewRistrettoPoint().Neg(times(1)), 10_000); ok {
			t.Error("a negative count was found")
		}
	}
}

func TestLogTableProperty(t *testing.T) {
	table, small := NewLogTable(1_000_000), NewLogTable(5_000)
	rapid.Check(t, func(t *rapid.T) {
		max := rapid.Uint64Range(0, 20_000).Draw(t, "max")
		want := rapid.Uint64Range(0, 20_000).Draw(t, "count")
		got, ok := table.Solve(times(want), max)
		again, okAgain := small.Solve(times(want), max)
		if ok != (want <= max) || ok && got != want || ok != okAgain || got != again {
			t.Fatalf("%d up to %d: %d, %v and %d, %v", want, max, got, ok, again, okAgain)
		}
	})
}

func TestLogTableMillions(t *testing.T) {
	table := NewLogTable(5_000_000)
	for _, want := range []uint64{0, 790_000, 662_687, 4_999_999, 5_000_000} {
		if got, ok := table.Solve(times(want), 5_000_000); !ok || got != want {
			t.Errorf("%d solved to %d, %v", want, got, ok)
		}
	}
	if _, ok := table.Solve(times(5_000_001), 5_000_000); ok {
		t.Error("found above the bound")
	}
}
