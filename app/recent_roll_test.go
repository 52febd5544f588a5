package app

import (
	"testing"

	pb "votenode/proto/votenode/v1"
)

// TestRecentRoll: the newest entries are remembered, old ones go, and entries of two rolls are never taken for each other.
func TestRecentRoll(t *testing.T) {
	var r recentRoll
	const n = 5 * recentEntries / 2
	for i := range uint64(n) {
		r.put(rollPlace{index: i}, &pb.RollEntry{Style: uint32(i)})
	}
	if len(r.young)+len(r.old) > 2*recentEntries {
		t.Errorf("%d entries are kept", len(r.young)+len(r.old))
	}
	for i := uint64(n - recentEntries); i < n; i++ {
		if e := r.get(rollPlace{index: i}); e == nil || e.Style != uint32(i) {
			t.Fatalf("entry %d is %v", i, e)
		}
	}
	if r.get(rollPlace{index: 0}) != nil {
		t.Error("the oldest is kept")
	}
	if r.get(rollPlace{root: [32]byte{1}, index: n - 1}) != nil {
		t.Error("an entry of another roll")
	}
}
