package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"votenode/app/state"
)

// commitNumbers commits heights, up to one, that write the height under one key, and each tenth under another.
func commitNumbers(t *testing.T, s *Store, to int64) {
	t.Helper()
	from, ok := s.Height()
	if ok {
		from++
	}
	for h := from; h <= to; h++ {
		changes := []state.Change{{Key: []byte{1, 'k'}, Value: fmt.Append(nil, h)}}
		if h%10 == 0 {
			changes = append(changes, state.Change{Key: []byte{1, 'm'}, Value: fmt.Append(nil, h)})
		} else if h%10 == 5 {
			changes = append(changes, state.Change{Key: []byte{1, 'm'}})
		}
		if err := s.Commit(h, changes); err != nil {
			t.Fatal(err)
		}
	}
}

// checkNumbers reads what commitNumbers wrote at every height: right, or ErrPruned below oldest.
func checkNumbers(t *testing.T, s *Store, oldest, newest int64) {
	t.Helper()
	for h := int64(-1); h <= newest+1; h++ {
		r, err := s.At(h)
		if kept := h >= oldest && h <= newest; kept != (err == nil) || !kept && !errors.Is(err, state.ErrPruned) {
			t.Fatalf("height %d of %d to %d: %v", h, oldest, newest, err)
		} else if !kept {
			continue
		}
		if got, err := r.Get([]byte{1, 'k'}); err != nil || string(got) != fmt.Sprint(h) {
			t.Fatalf("height %d: %q, %v", h, got, err)
		}
		want := fmt.Sprint(h / 10 * 10)
		if h%10 >= 5 {
			want = ""
		}
		if got, err := r.Get([]byte{1, 'm'}); err != nil || string(got) != want {
			t.Fatalf("height %d: %q, want %q, %v", h, got, want, err)
		}
		keys := ""
		err = r.Iterate([]byte{1}, func(key, value []byte) error {
			keys += fmt.Sprintf("%s=%s ", key[1:], value)
			return nil
		})
		if both := fmt.Sprintf("k=%d m=%s ", h, want); err != nil || keys != strings.TrimSuffix(both, "m= ") {
			t.Fatalf("height %d: %q, %v", h, keys, err)
		}
	}
}

// Heights within the window stay readable through compactions, older ones are refused, and a store that becomes an archive
// does not pretend to have what was dropped before.
func TestWindow(t *testing.T) {
	dir := t.TempDir()
	newest := int64(0)
	session := func(o Options, to, oldest int64) {
		o.Dir = dir
		s := open(t, o)
		commitNumbers(t, s, to)
		checkNumbers(t, s, oldest, to)
		if err := s.db.Flatten(1); err != nil { // drops the versions that are not wanted any more
			t.Fatal(err)
		}
		checkNumbers(t, s, oldest, to)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, o)
		if err := s.db.Flatten(1); err != nil {
			t.Fatal(err)
		}
		checkNumbers(t, s, oldest, to)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		newest = to
	}
	for to := range int64(7) { // so many tables that Badger begins to compact them
		s := open(t, Options{Dir: dir, Window: 1000})
		commitNumbers(t, s, 3*to)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	session(Options{Window: 1000}, 35, 0)
	session(Options{Window: 1000}, 40, 0)
	session(Options{Window: 20}, 60, 40)
	session(Options{Window: 20}, 73, 53)
	session(Options{Archive: true}, 100, 53)
	session(Options{Archive: true}, 150, 53)
	session(Options{Window: 30}, 151, 121)

	versions := 0
	s := open(t, Options{Dir: dir, Window: 30})
	txn := s.db.NewTransactionAt(version(newest), false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{AllVersions: true, Prefix: []byte{1, 'k'}})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		versions++
	}
	if versions > 60 {
		t.Errorf("%d versions of a key in a window of 30 heights", versions)
	}
}

func TestPrunedUnderReader(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), Window: 5})
	commitNumbers(t, s, 3)
	r, err := s.At(3)
	if err != nil {
		t.Fatal(err)
	}
	commitNumbers(t, s, 8)
	if got, err := r.Get([]byte{1, 'k'}); err != nil || string(got) != "3" {
		t.Fatalf("%q, %v", got, err)
	}
	commitNumbers(t, s, 9)
	if _, err := r.Get([]byte{1, 'k'}); !errors.Is(err, state.ErrPruned) {
		t.Fatalf("reading a height that left the window: %v", err)
	}
	if err := r.Iterate(nil, nil); !errors.Is(err, state.ErrPruned) {
		t.Fatalf("reading a height that left the window: %v", err)
	}
}

func TestOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	if other, err := Open(Options{Dir: dir}); err == nil || errors.Is(err, state.ErrCorrupted) {
		other.Close()
		t.Fatalf("a store opened twice: %v", err)
	}
	commitNumbers(t, s, 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// What a killed process leaves.
	if err := os.WriteFile(filepath.Join(dir, "LOCK"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	checkNumbers(t, open(t, Options{Dir: dir}), 0, 3)
}

func TestClosed(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	commitNumbers(t, s, 30)
	r, err := s.At(30)
	if err != nil {
		t.Fatal(err)
	}
	closed, first := make(chan error), true
	err = r.Iterate(nil, func(_, _ []byte) error {
		if !first {
			return nil
		}
		first = false
		go func() { closed <- s.Close() }()
		for { // Close waits for this iteration, and lets nobody else in
			if _, err := r.Get([]byte{1, 'k'}); err != nil {
				if !errors.Is(err, ErrClosed) {
					t.Errorf("reading a store that is being closed: %v", err)
				}
				return nil
			}
		}
	})
	if err != nil {
		t.Errorf("an iteration under way: %v", err)
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"Commit":  s.Commit(31, nil),
		"Iterate": r.Iterate(nil, nil),
		"Verify":  s.Verify(),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s of a closed store: %v", name, err)
		}
	}
}
