package audit

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"votenode/internal/rehearsal"
	"votenode/verify/record"
)

// often audits the story with a checkpoint every few blocks.
func often(t *testing.T, e *rehearsal.Election, o Options) (*Report, error) {
	t.Helper()
	a := newAuditor(o)
	a.vouched.everyBlocks = 7
	opened, err := record.Open(e.Ledger.Record(e.Blocks))
	if err != nil {
		t.Fatal(err)
	}
	a.folder = &folder{opened, opened.Blocks()}
	a.source = a.folder
	if err := a.files(context.Background()); err != nil {
		t.Fatal(err)
	}
	return a.end(a.all(context.Background()))
}

// Whichever checkpoint an audit was killed behind, it goes on to the same report, and notes the same checkpoints from there.
func TestKilled(t *testing.T) {
	e := own()
	var noted []Checkpoint
	full, err := often(t, e, Options{Checkpoint: func(c *Checkpoint) error { noted = append(noted, *c); return nil }})
	if err != nil || !full.Passed || len(noted) != (len(e.Blocks)-1+6)/7 {
		t.Fatal(full, len(noted), err)
	}
	for i, c := range noted {
		if want := int64(min(7*(i+1), len(e.Blocks)-1)); c.Height != want {
			t.Errorf("checkpoint %d is of height %d, not %d", i, c.Height, want)
		}
		if i%3 != 0 {
			continue
		}
		var later []Checkpoint
		report, err := often(t, e, Options{Since: &c, Checkpoint: func(c *Checkpoint) error { later = append(later, *c); return nil }})
		if err != nil || !reflect.DeepEqual(later, noted[i+1:]) && len(noted[i+1:]) > 0 {
			t.Errorf("from height %d: %d checkpoints instead of %d, %v", c.Height, len(later), len(noted)-i-1, err)
		}
		report.Checks, report.Since = report.Checks[:len(report.Checks)-1], 0
		if !reflect.DeepEqual(report, full) {
			t.Errorf("from height %d: another report", c.Height)
		}
	}
}

// unmeasured is a source that knows its height once it has returned the last block, as nodes do.
type unmeasured struct {
	*folder
	returned int64
}

func (u *unmeasured) Next(ctx context.Context) (*record.Block, error) {
	u.returned++
	return u.folder.Next(ctx)
}

func (u *unmeasured) Height() int64 {
	if last := u.folder.Height(); u.returned >= last {
		return last
	}
	return 0
}

// Nodes that end before the checkpoint does are told from those that have nothing to say of it.
func TestNodesEndEarly(t *testing.T) {
	e := own()
	var noted *Checkpoint
	source := func(end int) Source {
		opened, err := record.Open(e.Ledger.Record(e.Blocks[:end]))
		if err != nil {
			t.Fatal(err)
		}
		return &unmeasured{folder: &folder{opened, opened.Blocks()}}
	}
	keep := func(c *Checkpoint) error { noted = c; return nil }
	if report, err := RunSource(context.Background(), source(20), Options{Checkpoint: keep}); err != nil || noted.Height != 19 {
		t.Fatal(report, noted, err)
	}
	old := noted
	for end, want := range map[int]Outcome{12: Failed, 19: Failed, 20: Passed, 21: Passed} {
		noted = nil
		report, err := RunSource(context.Background(), source(end), Options{Since: old, Checkpoint: keep})
		if err != nil || report.Since != 19 {
			t.Fatal(report, err)
		}
		last := report.Checks[len(report.Checks)-1]
		if last.Outcome != want || (want == Failed) != strings.Contains(last.Found, "it is an older one") || (noted != nil) != (end == 21) {
			t.Errorf("up to height %d: %+v, %+v", end, last, noted)
		}
	}
}

// A checkpoint that cannot be written ends the audit.
func TestCheckpointFails(t *testing.T) {
	broken := errors.New("the disk is full")
	if report, err := often(t, own(), Options{Checkpoint: func(*Checkpoint) error { return broken }}); report != nil || !errors.Is(err, broken) {
		t.Errorf("%v, %v", report, err)
	}
}
