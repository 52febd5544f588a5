package demo

import (
	"bytes"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"votenode/internal/figures"
	pb "votenode/proto/votenode/v1"
)

func read(t *testing.T, file string) []figures.Town {
	t.Helper()
	towns, err := figures.Read(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return towns
}

// A changed figure is found in either direction, whichever side changed.
func TestCompare(t *testing.T) {
	b, err := os.ReadFile("testdata/small.csv")
	if err != nil {
		t.Fatal(err)
	}
	file := string(b)
	towns := read(t, file)
	r := figures.NewReplay(towns)
	results := make([]pb.Result, len(r.Contests))
	for i := range results {
		for _, town := range towns {
			for _, office := range town.Offices {
				if office.Name == r.Offices[i] {
					results[i].Ballots += uint64(town.Ballots)
				}
			}
		}
		results[i].Votes = slices.Clone(r.Votes[i])
	}
	if n, differ := compare(towns, r, results); len(n) != 10 || len(differ) != 0 {
		t.Fatalf("compared %v, differences %v", n, differ)
	}
	for _, c := range []struct {
		old, new string
		want     []Figure
	}{
		{"Gus,5", "Gus,4", []Figure{{"Judge", "Gus", 4, 5}}},
		{"Bob,1", "Bob,0", []Figure{{"Mayor", "Bob", 0, 1}}},
		{"Eve,0", "Eve,1", []Figure{{"Council", "Eve", 1, 0}}},
		{"Eve,0", "Eva,0", nil}, // nobody voted for either
		{"Fay,4", "Fae,4", []Figure{{"Judge", "Fae", 4, 0}, {"Judge", "Fay", 0, 4}}},
		{"Elm,9", "Elm,10", []Figure{{"Judge", "", 10, 9}}},
		{"Elm,9", "Oak,9", []Figure{{"Judge", "", 0, 9}, {"Judge", "Fay", 0, 4}, {"Judge", "Gus", 0, 5}}},
	} {
		_, differ := compare(read(t, strings.ReplaceAll(file, c.old, c.new)), r, results)
		if !slices.Equal(differ, c.want) {
			t.Errorf("%s to %s: %v, want %v", c.old, c.new, differ, c.want)
		}
	}
	for c := range results {
		for o := range results[c].Votes {
			for _, change := range []uint64{1, ^uint64(0)} {
				results[c].Votes[o] += change
				if _, differ := compare(towns, r, results); len(differ) != 1 {
					t.Errorf("contest %d, option %d: %v", c, o, differ)
				}
				results[c].Votes[o] -= change
			}
		}
	}
	results[0] = pb.Result{Status: pb.RESULT_WITHHELD}
	if _, differ := compare(towns, r, results); len(differ) != 3 {
		t.Errorf("a withheld contest: %v", differ)
	}
}

func TestRanges(t *testing.T) {
	for want, heights := range map[string][]int64{"": nil, "7": {7}, "7-8": {7, 8}, "3, 5-7, 9": {3, 5, 6, 7, 9}} {
		if got := ranges(heights); got != want {
			t.Errorf("%v: %s, want %s", heights, got, want)
		}
	}
}

// A damaged copy differs from the record in one bit of its largest file, and the record stays as it is.
func TestDamagedCopy(t *testing.T) {
	record, damaged := filepath.Join(t.TempDir(), "record"), filepath.Join(t.TempDir(), "damaged")
	large := bytes.Repeat([]byte("ballot"), 1000)
	for name, content := range map[string][]byte{"genesis": []byte("small"), "blocks/1": large, "blocks/2": []byte("less")} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(record, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(record, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	name, err := copyRecord(record, damaged)
	if err != nil || name != filepath.Join(damaged, "blocks", "1") {
		t.Fatal(name, err)
	}
	if err := flip(name); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, name := range []string{"genesis", "blocks/1", "blocks/2"} {
		before, err := os.ReadFile(filepath.Join(record, name))
		if err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(filepath.Join(damaged, name))
		if err != nil {
			t.Fatal(err)
		}
		for i := range before {
			changed += bits.OnesCount8(before[i] ^ after[i])
		}
	}
	if changed != 1 {
		t.Errorf("%d bits changed", changed)
	}
	if b, err := os.ReadFile(filepath.Join(record, "blocks/1")); err != nil || !bytes.Equal(b, large) {
		t.Error("the record itself changed", err)
	}
}
