package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"testing"

	"votenode/app/state"
	"votenode/verify/cells"
	"votenode/verify/record"
)

// memory returns a backend over a space of its own.
func memory(t *testing.T, source Source) *backend {
	t.Helper()
	space, err := cells.NewSpace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := space.Close(); err != nil {
			t.Error(err)
		}
	})
	return newBackend(space, source)
}

// kept is a source of one file of blocks.
type kept struct {
	Source
	file []byte
}

func (k kept) ReadAt(number int, offset int64, b []byte) error {
	copy(b, k.file[offset:])
	return nil
}

// Ballots of two elections in one block, in another order than that of the logs: each log gives its own again.
func TestBallotsOfTwoElections(t *testing.T) {
	raw := []byte("....first of b....first of a....second of b....second of a....")
	m := memory(t, kept{file: slices.Concat(make([]byte, 100), raw)})
	m.block = &block{at: &record.Block{Raw: raw, File: 3, Offset: 100}}
	want := map[string][]string{"election/a/ballots": {"first of a", "second of a"}, "election/b/ballots": {"first of b", "second of b"}}
	draftOf := func(b state.Backend) *state.Draft {
		l, err := state.Open(b)
		if err != nil {
			t.Fatal(err)
		}
		return l.NewGenesis()
	}
	d := draftOf(m)
	for log, leaves := range want {
		for _, leaf := range leaves {
			d.Append(log, []byte(leaf))
		}
	}
	finished, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Commit(0, finished.Changes()); err != nil {
		t.Fatal(err)
	}
	for log, leaves := range want {
		for i, leaf := range leaves {
			if got, err := m.leaf(log, uint64(i)); err != nil || string(got) != leaf {
				t.Errorf("leaf %d of %s: %q, %v", i, log, got, err)
			}
		}
		if _, err := m.leaf(log, 2); !errors.Is(err, state.ErrNotFound) {
			t.Errorf("leaf 2 of %s: %v", log, err)
		}
	}
	if _, err := m.leaf("election/c/ballots", 0); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("a log that does not exist: %v", err)
	}
}

// What the backend does not keep is an error, never "absent": the replay would go another way than the validators.
func TestNotKept(t *testing.T) {
	m := memory(t, nil)
	changes := func(c ...state.Change) {
		t.Helper()
		if err := m.Commit(m.height+1, c); err != nil {
			t.Fatal(err)
		}
	}
	get := func(key []byte) ([]byte, error) {
		t.Helper()
		r, err := m.At(m.height)
		if err != nil {
			t.Fatal(err)
		}
		return r.Get(key)
	}
	voter := bytes.Repeat([]byte{7}, 32)
	index := append([]byte{kindIndex}, state.RollIndexKey("e", voter)...)
	changes(
		state.Change{Key: append([]byte{kindLeaf}, []byte("election/e/roll\x00\x00\x00\x00\x00\x00\x00\x00\x00")...), Value: append([]byte{0x0a, 32}, voter...)},
		state.Change{Key: index, Value: make([]byte, 8)},
		state.Change{Key: append([]byte{kindIndex}, state.CodeIndexKey("e", voter)...), Value: make([]byte, 8)},
	)
	if place, err := get(index); err != nil || !bytes.Equal(place, make([]byte, 8)) {
		t.Errorf("a key of the roll: %x, %v", place, err)
	}
	other := append([]byte{kindIndex}, state.RollIndexKey("e", bytes.Repeat([]byte{8}, 32))...)
	if place, err := get(other); err != nil || place != nil {
		t.Errorf("a key that is not in the roll: %x, %v", place, err)
	}
	if place, err := get(append([]byte{kindIndex}, state.RollIndexKey("f", voter)...)); err != nil || place != nil {
		t.Errorf("a roll that is empty: %x, %v", place, err)
	}
	old, err := m.At(m.height)
	if err != nil {
		t.Fatal(err)
	}
	changes(state.Change{Key: append([]byte{kindRecord}, state.VotersKey("e")...), Value: []byte("head")})
	for name, key := range map[string][]byte{
		"the index of a sealed roll": index,
		"the index of codes":         append([]byte{kindIndex}, state.CodeIndexKey("e", voter)...),
		"a tile":                     {3, 'x'},
		"the root":                   {6},
		"the blocks log":             append([]byte{kindLeaf}, []byte("blocks\x00\x00\x00\x00\x00\x00\x00\x00\x00")...),
	} {
		if _, err := get(key); !errors.Is(err, errNotKept) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := m.Commit(m.height+1, []state.Change{{Key: index, Value: make([]byte, 8)}}); !errors.Is(err, errNotKept) {
		t.Errorf("a further key of a sealed roll: %v", err)
	}
	if leaf, err := m.leaf(state.LogRoll("e"), 1); leaf != nil || !errors.Is(err, state.ErrNotFound) {
		t.Errorf("an entry behind the last: %x, %v", leaf, err)
	}
	if _, err := old.Get(index); !errors.Is(err, state.ErrPruned) {
		t.Errorf("an older height: %v", err)
	}
	if _, err := m.At(m.height - 1); !errors.Is(err, state.ErrPruned) {
		t.Errorf("an older height: %v", err)
	}
	if err := old.Iterate(nil, nil); !errors.Is(err, errNotKept) {
		t.Errorf("all keys: %v", err)
	}
	long := state.Change{Key: append([]byte{kindVoter}, []byte("e\x00\x00\x00\x00\x00\x00\x00\x00\x00")...), Value: make([]byte, voterCell)}
	if m.Commit(m.height+1, []state.Change{long}) == nil {
		t.Error("a leaf that no cell holds")
	}
	m.block = &block{at: &record.Block{Raw: []byte("the bytes of a block")}}
	elsewhere := state.Change{Key: append([]byte{kindLeaf}, []byte("election/e/ballots\x00\x00\x00\x00\x00\x00\x00\x00\x00")...), Value: []byte("a ballot")}
	if m.Commit(m.height+1, []state.Change{elsewhere}) == nil {
		t.Error("a ballot that its block lacks")
	}
}

// An election may have any id: the record of one named voters seals no other roll.
func TestElectionNamedVoters(t *testing.T) {
	m, key := memory(t, nil), bytes.Repeat([]byte{7}, 32)
	index := append([]byte{kindIndex}, state.RollIndexKey("election", key)...)
	if err := m.Commit(1, []state.Change{
		{Key: append([]byte{kindLeaf}, []byte("election/election/roll\x00\x00\x00\x00\x00\x00\x00\x00\x00")...), Value: append([]byte{0x0a, 32}, key...)},
		{Key: index, Value: make([]byte, 8)},
	}); err != nil {
		t.Fatal(err)
	}
	if err := m.Commit(2, []state.Change{{Key: append([]byte{kindRecord}, state.ElectionKey("voters")...), Value: []byte("record")}}); err != nil {
		t.Fatal(err)
	}
	r, err := m.At(2)
	if err != nil {
		t.Fatal(err)
	}
	if place, err := r.Get(index); err != nil || !bytes.Equal(place, make([]byte, 8)) {
		t.Errorf("%x, %v", place, err)
	}
}

// A disk that fails is an error at whatever moment, and no fault of the record.
func TestFailingDisk(t *testing.T) {
	e := own()
	for _, after := range []int{1, 5, 20, 60, 100, 200} {
		a := newAuditor(Options{})
		opened, err := record.Open(e.Ledger.Record(e.Blocks))
		if err != nil {
			t.Fatal(err)
		}
		a.folder = &folder{opened, opened.Blocks()}
		a.source = a.folder
		stages := 0
		a.Stage = func(Stage) {
			if stages++; stages == after {
				_ = a.space.Close()
			}
		}
		var system *fs.PathError
		if report, err := a.end(a.all(context.Background())); report != nil || !errors.As(err, &system) {
			t.Errorf("after %d stages: %v", after, err)
		}
	}

	// It fails when all blocks are through, and the report is written.
	a := newAuditor(Options{})
	opened, err := record.Open(e.Ledger.Record(e.Blocks))
	if err != nil {
		t.Fatal(err)
	}
	a.folder = &folder{opened, opened.Blocks()}
	a.source = a.folder
	if err := a.all(context.Background()); err != nil {
		t.Fatal(err)
	}
	_ = a.space.Close()
	var system *fs.PathError
	if err := a.finish(); !errors.As(err, &system) || a.checks.faulty() {
		t.Errorf("at the report: %v", err)
	}
}

// What an entry takes of the memory once its voter has cast a ballot is two hashes, and further ballots take nothing.
func TestMemoryOfTheReplay(t *testing.T) {
	const voters, each = 100_000, 2_000
	m := memory(t, nil)
	ledger, err := state.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	commit := func(d *state.Draft) {
		t.Helper()
		b, err := d.Finish()
		if err == nil {
			err = ledger.Commit(b)
		}
		if err != nil {
			t.Fatal(err)
		}
		ledger.KeepNewest()
	}
	genesis := ledger.NewGenesis()
	genesis.CreateVoters("primary", voters)
	commit(genesis)
	held := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	vote := func(round int) {
		for from := 0; from < voters; from += each {
			d, raw := ledger.NewDraft(), make([]byte, 0, each*16)
			for i := from; i < from+each; i++ {
				at := len(raw)
				raw = fmt.Appendf(raw, "%08d%08d", round, i)
				d.Append(state.LogBallots("primary"), raw[at:])
				d.SetVoter("primary", uint64(i*7919%voters), fmt.Appendf(nil, "a voter's leaf of the usual length, %020d %010d", round, i))
				d.SetIndex(state.CodeIndexKey("primary", raw[at:]), make([]byte, 8))
			}
			m.block = &block{at: &record.Block{Raw: raw, File: 1}}
			commit(d)
		}
		m.block = nil
	}
	empty := held()
	vote(1)
	voted := held()
	for round := range 3 {
		vote(2 + round)
	}
	again := held()
	if entry := float64(voted-empty) / voters; entry > 72 {
		t.Errorf("an entry takes %.1f bytes", entry)
	} else {
		t.Logf("an entry takes %.1f bytes", entry)
	}
	if ballot := float64(again-voted) / (3 * voters); ballot > 1 {
		t.Errorf("a further ballot takes %.2f bytes", ballot)
	}
	runtime.KeepAlive(ledger)
}
