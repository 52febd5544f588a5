package state

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// tileMap is a Reader of nothing but the tiles of a log.
type tileMap map[string][]byte

func (m tileMap) Get(key []byte) ([]byte, error)                      { return m[string(key)], nil }
func (m tileMap) Iterate([]byte, func(key, value []byte) error) error { return nil }

// grownLog returns a snapshot with a log of n leaves under the id "log".
func grownLog(t *testing.T, n int) *Snapshot {
	tiles := tileMap{}
	s := newSnapshot(0, tiles)
	log := new(logTree)
	s.logs["log"] = log
	for i := range n {
		log.append(hashLeaf(fmt.Appendf(nil, "leaf %d", i)), func(level int, number uint64, hashes []Hash) {
			key := string(tileKey("log", level, number))
			if tiles[key] != nil || len(hashes) != tileWidth {
				t.Fatalf("tile %q written twice, or with %d hashes", key, len(hashes))
			}
			tiles[key] = tileBytes(hashes)
		})
	}
	return s
}

// sizesOfInterest are those around the borders of tiles, and some small ones.
var sizesOfInterest = []int{1, 2, 3, 7, 8, 9, 100, 255, 256, 257, 511, 512, 513, 700, 768, 1023, 1024, 1025, 1100}

func TestLogProofsOfEverySize(t *testing.T) {
	leaves := numberedLeaves(1100)
	s := grownLog(t, len(leaves))
	roots := map[int]Hash{}
	for n := 1; n <= len(leaves); n++ {
		if n > 140 && !slices.Contains(sizesOfInterest, n) {
			continue
		}
		roots[n] = mth(leaves[:n])
		for i := range n {
			path, err := s.ProveInclusion("log", uint64(i), uint64(n))
			if err != nil {
				t.Fatal(err)
			}
			if n <= 70 && !slices.EqualFunc(path, naivePath(i, leaves[:n]), bytes.Equal) {
				t.Fatalf("path of leaf %d of %d is not PATH of RFC 6962", i, n)
			}
			if err := VerifyInclusion(Head{uint64(n), roots[n]}, uint64(i), leaves[i], path); err != nil {
				t.Fatalf("leaf %d of %d: %v", i, n, err)
			}
		}
	}
	for m := range roots {
		for n := range roots {
			path, err := s.ProveConsistency("log", uint64(m), uint64(n))
			if m > n {
				if !errors.Is(err, ErrNotFound) {
					t.Fatalf("consistency of %d with %d: %v", m, n, err)
				}
				continue
			}
			if m < n && n <= 70 && !slices.EqualFunc(path, naiveProof(m, leaves[:n], true), bytes.Equal) {
				t.Fatalf("consistency of %d with %d is not PROOF of RFC 6962", m, n)
			}
			if err := VerifyConsistency(Head{uint64(m), roots[m]}, Head{uint64(n), roots[n]}, path); err != nil {
				t.Fatalf("consistency of %d with %d: %v", m, n, err)
			}
		}
	}
}

// Three levels of tiles, compared with the fold of the library's compact range by way of the proofs alone.
func TestLogOfThreeTileLevels(t *testing.T) {
	const n = 1<<16 + 300
	s := grownLog(t, n)
	head := s.logs["log"].head()
	for _, i := range []uint64{0, 1, 255, 256, 65535, 65536, 65537, n - 1} {
		path, err := s.ProveInclusion("log", i, n)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyInclusion(head, i, fmt.Appendf(nil, "leaf %d", i), path); err != nil {
			t.Fatalf("leaf %d: %v", i, err)
		}
	}
	for _, m := range []int{1, 255, 256, 257, 40000, 65535, 65536, 65537, n} {
		path, err := s.ProveConsistency("log", uint64(m), n)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyConsistency(grownLog(t, m).logs["log"].head(), head, path); err != nil {
			t.Fatalf("consistency of %d: %v", m, err)
		}
	}
}

func TestLogHeads(t *testing.T) {
	leaves := numberedLeaves(600)
	log := new(logTree)
	for n := range leaves {
		if got := log.head(); got != (Head{uint64(n), mth(leaves[:n])}) {
			t.Fatalf("head of %d leaves: %x", n, got)
		}
		log.append(hashLeaf(leaves[n]), func(int, uint64, []Hash) {})
	}
}

func TestProofsOutsideTheLog(t *testing.T) {
	s := grownLog(t, 10)
	for _, c := range [][2]uint64{{0, 0}, {5, 5}, {6, 5}, {0, 11}, {10, 11}} {
		if _, err := s.ProveInclusion("log", c[0], c[1]); !errors.Is(err, ErrNotFound) {
			t.Errorf("leaf %d of %d: %v", c[0], c[1], err)
		}
	}
	for _, c := range [][2]uint64{{1, 11}, {11, 11}, {3, 2}} {
		if _, err := s.ProveConsistency("log", c[0], c[1]); !errors.Is(err, ErrNotFound) {
			t.Errorf("sizes %d and %d: %v", c[0], c[1], err)
		}
	}
	if _, err := s.ProveInclusion("other", 0, 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("a log that does not exist: %v", err)
	}
	if path, err := s.ProveConsistency("other", 0, 0); err != nil || len(path) != 0 {
		t.Errorf("two empty logs: %v", err)
	}
}

func TestHeadEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := Head{rapid.Uint64Min(1).Draw(t, "size"), Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "root"))}
		if got, err := ParseHead(h.Bytes()); err != nil || got != h {
			t.Fatalf("%x: %x, %v", h, got, err)
		}
	})
	valid := Head{7, Hash{1}}.Bytes()
	for _, b := range [][]byte{nil, valid[:39], append(valid, 0), Head{0, Hash{1}}.Bytes()} {
		if _, err := ParseHead(b); !errors.Is(err, ErrProof) {
			t.Errorf("head %x: %v", b, err)
		}
	}
}
