package recount

import (
	"encoding/binary"
	"runtime"
	"testing"

	pb "votenode/proto/votenode/v1"
	"votenode/verify/cells"
)

// Of a sealed roll nothing stays in memory but a table of positions, whoever has voted; before, an index of the keys does.
func TestMemoryOfARoll(t *testing.T) {
	space, err := cells.NewSpace()
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	held := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	const n = 100_000
	entry := func(i uint64) rollEntry {
		e := rollEntry{style: uint32(i % 7)}
		binary.BigEndian.PutUint64(e.key[:], i)
		return e
	}
	before := held()
	r := newRoll(space)
	for i := range uint64(n) {
		e := entry(i)
		if _, found, err := r.keys.Find(e.key[:]); found || err != nil {
			t.Fatal(i, err)
		}
		if err := r.add(e); err != nil {
			t.Fatal(err)
		}
	}
	if each := float64(held()-before) / n; each > 23 {
		t.Errorf("an entry takes %.1f bytes before the roll is sealed", each)
	}
	known := entry(77)
	if place, found, err := r.keys.Find(known.key[:]); place != 77 || !found || err != nil {
		t.Error(place, found, err)
	}
	r.keys = nil
	voted := voter{status: pb.VOTER_COUNTS, sequence: 1 << 63, index: 1 << 40, time: 1 << 50, code: [32]byte{31: 9}}
	for i := range uint64(n) {
		voted.index = i
		if err := r.setVoter(i, voted); err != nil {
			t.Fatal(err)
		}
	}
	if each := float64(held()-before) / n; each > 1 {
		t.Errorf("an entry takes %.1f bytes once the roll is sealed", each)
	}
	seen := uint64(0)
	if err := r.eachVoter(func(i uint64, v voter) error {
		voted.index = i
		if v != voted || i != seen {
			t.Fatalf("voter %d: %+v", i, v)
		}
		seen++
		return nil
	}); err != nil || seen != n {
		t.Error(seen, err)
	}
	if e, err := r.entry(n - 1); err != nil || e != entry(n-1) {
		t.Error(e, err)
	}
}
