package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"votenode/app/state"
)

// image copies the files of a store, open or closed, as a crash would leave them.
func image(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(e.Name()) == ".mem" || filepath.Ext(e.Name()) == ".vlog" { // preallocated
			b = bytes.TrimRight(b, "\x00")
		}
		files[e.Name()] = b
	}
	return files
}

// readAll opens a store from its files and reads all that is authenticated. It returns the height, -1 where there is none.
func readAll(t *testing.T, files map[string][]byte) (height int64, appHash state.Hash, err error) {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return 0, appHash, err
	}
	defer s.Close()
	l, err := state.Open(s)
	if err != nil || l.Newest() == nil {
		return -1, appHash, err
	}
	v := l.Newest()
	for i := range v.Voters("primary") {
		if _, err := v.Voter("primary", i); err != nil {
			return 0, appHash, err
		}
	}
	if err := v.Records("", func(string, []byte) error { return nil }); err != nil {
		return 0, appHash, err
	}
	head, err := v.Head("blocks")
	if err != nil {
		return 0, appHash, err
	}
	err = v.Leaves("blocks", 0, head.Size, func(i uint64, leaf []byte) error {
		if string(leaf) != fmt.Sprintf("block %d", i) {
			t.Errorf("leaf %d is read as %q", i, leaf)
		}
		return nil
	})
	return v.Height(), v.AppHash(), err
}

// One flipped bit anywhere in the files of a store, closed or crashed: it is noticed, or does no harm, or has cut off the
// newest heights like a crash. It never shows something else than what was written.
func TestFlippedBits(t *testing.T) {
	want := reference(t, 12)
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	l := openLedger(t, s)
	for range 12 {
		mustNext(t, l)
	}
	images := map[string]map[string][]byte{"crashed": image(t, dir)}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	images["closed"] = image(t, dir)

	draw := rand.New(rand.NewPCG(1, 3))
	outcomes := map[string]int{}
	for state, files := range images {
		if h, appHash, err := readAll(t, files); err != nil || h != 11 || appHash != want[11] {
			t.Fatalf("%s: height %d, %v", state, h, err)
		}
		for name, b := range files {
			flips := 3
			switch filepath.Ext(name) {
			case ".sst", ".mem":
				flips = 25
			}
			if len(b) == 0 || name == "LOCK" {
				continue
			}
			for range flips {
				at, bit := draw.IntN(min(len(b), 1<<20)), byte(1)<<draw.IntN(8)
				b[at] ^= bit
				outcomes[flipped(t, fmt.Sprintf("%s, byte %d of %s", state, at, name), files, want)]++
				b[at] ^= bit
			}
		}
	}
	t.Log(outcomes)
	if outcomes["noticed"] == 0 || outcomes["cut off"] == 0 {
		t.Error("the flipped bits do nothing")
	}
}

func flipped(t *testing.T, where string, files map[string][]byte, want []state.Hash) (outcome string) {
	t.Helper()
	h, appHash, err := readAll(t, files)
	switch {
	case errors.Is(err, state.ErrCorrupted):
		return "noticed"
	case err != nil:
		t.Errorf("%s: %v", where, err)
	case h >= 0 && appHash != want[h]:
		t.Errorf("%s: height %d with AppHash %x", where, h, appHash)
	case h < 11:
		return "cut off"
	}
	return "harmless"
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	l := openLedger(t, s)
	for range 12 {
		mustNext(t, l)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Dir: dir})
	if err := s.Verify(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	b, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	copy(b[100:], "not what was written")
	if err := os.WriteFile(tables[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, Options{Dir: dir}).Verify(); !errors.Is(err, state.ErrCorrupted) {
		t.Fatalf("an overwritten table: %v", err)
	}
}
