package store

import (
	"errors"
	"testing"

	"votenode/app/state"
)

// changesOf returns everything that a store holds.
func changesOf(t *testing.T, s *Store) (all []state.Change) {
	t.Helper()
	height, _ := s.Height()
	r, err := s.At(height)
	if err == nil {
		err = r.Iterate(nil, func(key, value []byte) error {
			all = append(all, state.Change{Key: append([]byte(nil), key...), Value: append([]byte{}, value...)})
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLoad: a store that was filled goes on like the one whose state it holds, shows no earlier height, archive or not, and nothing before it is
// finished.
func TestLoad(t *testing.T) {
	source := open(t, Options{Dir: t.TempDir()})
	l := openLedger(t, source)
	for range 12 {
		mustNext(t, l)
	}
	all := changesOf(t, source)
	for _, archive := range []bool{false, true} {
		dir := t.TempDir()
		s := open(t, Options{Dir: dir, Archive: archive})
		load, err := s.NewLoad(11)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range [][]state.Change{all[len(all)/2:], all[:len(all)/2]} {
			if err := load.Put(part); err != nil {
				t.Fatal(err)
			}
		}
		if _, ok := s.Height(); ok {
			t.Fatal("there is a height before it is finished")
		}
		if _, err := s.NewLoad(11); !errors.Is(err, ErrNotEmpty) {
			t.Fatalf("a second load into what a first one left: %v", err)
		}
		if err := load.Finish(); err != nil {
			t.Fatal(err)
		}
		if h, ok := s.Height(); !ok || h != 11 {
			t.Fatalf("height %d after it is finished", h)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, Options{Dir: dir, Archive: archive})
		if _, err := s.NewLoad(11); !errors.Is(err, ErrNotEmpty) {
			t.Fatalf("a load into a store with a state: %v", err)
		}
		loaded := openLedger(t, s)
		if loaded.Newest().AppHash() != l.Newest().AppHash() {
			t.Fatal("another state")
		}
		if _, err := s.At(10); !errors.Is(err, state.ErrPruned) {
			t.Fatalf("a height before the loaded one: %v", err)
		}
		first := loaded.Newest().AppHash()
		want := reference(t, 14)
		for h := 12; h < 14; h++ {
			if got := mustNext(t, loaded); got != want[h] {
				t.Fatalf("height %d: AppHash %x, want %x", h, got, want[h])
			}
		}
		// What was loaded stays readable as any other height does: in the window, and on an archive for ever.
		if old, err := state.OpenAt(s, 11); err != nil || old.AppHash() != first {
			t.Fatalf("the loaded height after others: %v", err)
		}
	}
}
