package demo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
	if n, differ := compare(towns, r, results); n != 10 || len(differ) != 0 {
		t.Fatalf("%d compared, differences %v", n, differ)
	}
	for _, c := range []struct {
		old, new string
		want     []Difference
	}{
		{"Gus,5", "Gus,4", []Difference{{"Judge", "Gus", 4, 5}}},
		{"Bob,1", "Bob,0", []Difference{{"Mayor", "Bob", 0, 1}}},
		{"Eve,0", "Eve,1", []Difference{{"Council", "Eve", 1, 0}}},
		{"Eve,0", "Eva,0", nil}, // nobody voted for either
		{"Fay,4", "Fae,4", []Difference{{"Judge", "Fae", 4, 0}, {"Judge", "Fay", 0, 4}}},
		{"Elm,9", "Elm,10", []Difference{{"Judge", "", 10, 9}}},
		{"Elm,9", "Oak,9", []Difference{{"Judge", "", 0, 9}, {"Judge", "Fay", 0, 4}, {"Judge", "Gus", 0, 5}}},
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

func TestSpool(t *testing.T) {
	s, err := newSpool(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for i := range 10 {
		if err := s.put(bytes.Repeat([]byte{byte(i)}, i*1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.rewind(); err != nil {
		t.Fatal(err)
	}
	next := 0
	for {
		got, err := s.take(3)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			break
		}
		for _, b := range got {
			if !bytes.Equal(b, bytes.Repeat([]byte{byte(next)}, next*1000)) {
				t.Fatalf("ballot %d has %d bytes", next, len(b))
			}
			next++
		}
	}
	if next != 10 {
		t.Fatalf("%d ballots of 10", next)
	}
}

func TestProcesses(t *testing.T) {
	ctx, fail := context.WithCancelCause(t.Context())
	ps := &processes{binary: "/bin/sh", logs: t.TempDir(), fail: fail}
	asked, err := ps.start("asked", "-c", "echo ready; exec cat /dev/zero >/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	killed, err := ps.start("killed", "-c", "trap '' TERM; while :; do :; done")
	if err != nil {
		t.Fatal(err)
	}
	if peakMemory(asked.pid()) == 0 && fileExists("/proc/self/status") {
		t.Error("no peak memory")
	}
	if err := killed.kill(); err != nil {
		t.Fatal(err)
	}
	if err := ps.endAll(); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatal("an end that was asked for counts as a failure:", context.Cause(ctx))
	}
	if _, err := ps.start("faulty", "-c", "echo the reason >&2; exit 7"); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if cause := context.Cause(ctx).Error(); !strings.Contains(cause, "faulty ended by itself: exit status 7") || !strings.Contains(cause, "the reason") {
		t.Fatal(cause)
	}
	if out, err := ps.run(t.Context(), "-c", "echo out; echo talk >&2; exit 3"); string(out) != "out\n" || err == nil || !strings.HasSuffix(err.Error(), "exit 3: talk") {
		t.Fatal(string(out), err)
	}
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// A file with a hole occupies what was written.
func TestAllocated(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(folder, "sub", "hole"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(1 << 30); err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(make([]byte, 1<<20), 1<<29); err != nil {
		t.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		t.Fatal(err)
	}
	if n, err := allocated(folder); err != nil || n < 1<<20 || n > 1<<28 {
		t.Fatalf("%d bytes, %v", n, err)
	}
}

func TestBarInPlainLines(t *testing.T) {
	var out strings.Builder
	talk := &Talk{To: &out, begin: time.Now()}
	b := talk.bar("ballots", 10)
	for i := range 11 {
		b.set(i)
	}
	b.set(3)
	b.clear()
	got := 0
	for line := range strings.Lines(out.String()) {
		var seconds float64
		var done int
		if _, err := fmt.Sscanf(line, "%f s ballots: %d of 10", &seconds, &done); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got++
	}
	if got != 3 {
		t.Fatalf("%d lines:\n%s", got, &out)
	}
}
