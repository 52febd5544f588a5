package cells

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
)

func space(t *testing.T) *Space {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	s, err := NewSpace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	return s
}

// Lists in one space, written in any order, hold what a map holds.
func TestCells(t *testing.T) {
	s := space(t)
	r := rand.New(rand.NewPCG(1, 2))
	lists, want := []*Cells{}, []map[uint64][]byte{}
	for _, size := range []int{1, 16, 57, 1_024} {
		lists, want = append(lists, s.Cells(size)), append(want, map[uint64][]byte{})
	}
	for range 3_000 {
		at := r.IntN(len(lists))
		i := r.Uint64N(10_000)
		b := make([]byte, lists[at].size)
		for k := range b {
			b[k] = byte(r.Uint32())
		}
		if err := lists[at].Set(i, b); err != nil {
			t.Fatal(err)
		}
		want[at][i] = b
	}
	for at, c := range lists {
		seen := uint64(0)
		err := c.Each(12_000, func(i uint64, cell []byte) error {
			expected, got := want[at][i], make([]byte, c.size)
			if expected == nil {
				expected = make([]byte, c.size)
			}
			if err := c.Get(i, got); err != nil || i != seen || !bytes.Equal(cell, expected) || !bytes.Equal(got, expected) {
				t.Fatalf("cell %d of %d bytes: %x, %x, want %x; %v", i, c.size, cell, got, expected, err)
			}
			seen++
			return nil
		})
		if err != nil || seen != 12_000 {
			t.Error(seen, err)
		}
	}
	stop := errors.New("stop")
	if err := lists[0].Each(5, func(uint64, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

// Lists that grow at once take nothing from each other.
func TestGrowAtOnce(t *testing.T) {
	s := space(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			c, b := s.Cells(1_024), make([]byte, 1_024)
			for i := range uint64(200) {
				b[0] = byte(i + 1)
				if err := c.Set(64*i, b); err != nil {
					t.Error(err)
				}
			}
			for i := range uint64(200) {
				if err := c.Get(64*i, b); err != nil || b[0] != byte(i+1) {
					t.Errorf("cell %d begins with %d, %v", 64*i, b[0], err)
					return
				}
			}
		})
	}
	all.Wait()
}

// A file that fails is an error, never zeros.
func TestFailure(t *testing.T) {
	s := space(t)
	c := s.Cells(8)
	if err := c.Set(0, make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if err := s.file.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if c.Get(0, make([]byte, 8)) == nil || c.Each(1, func(uint64, []byte) error { return nil }) == nil {
		t.Error("what is gone was read")
	}
	t.Setenv("TMPDIR", "/nonexistent")
	if _, err := NewSpace(); err == nil {
		t.Error("a space where there is no room for it")
	}
}

func TestIndex(t *testing.T) {
	var keys [][]byte
	x := NewIndex(func(place uint64) ([]byte, error) { return keys[place], nil })
	key := func(i int) []byte { return binary.BigEndian.AppendUint64(make([]byte, 24, 32), uint64(i)) }
	for i := range 20_000 {
		if _, found, err := x.Find(key(i)); found || err != nil {
			t.Fatalf("key %d is there before it was added, %v", i, err)
		}
		keys = append(keys, key(i))
		if err := x.Add(key(i), uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20_000 {
		if place, found, err := x.Find(key(i)); !found || err != nil || place != uint64(i) {
			t.Fatalf("key %d: %d, %v, %v", i, place, found, err)
		}
	}
	if perKey := 8 * len(x.table) / x.count; perKey > 22 {
		t.Errorf("%d bytes a key", perKey)
	}
	if x.Add(key(1), maxPlaces) == nil {
		t.Error("a place that no roll has")
	}
	broken := errors.New("broken")
	x.key = func(uint64) ([]byte, error) { return nil, broken }
	if _, _, err := x.Find(key(7)); !errors.Is(err, broken) {
		t.Error(err)
	}
}
