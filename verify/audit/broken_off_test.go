package audit

import (
	"context"
	"errors"
	"reflect"
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

// A checkpoint that cannot be written ends the audit.
func TestCheckpointFails(t *testing.T) {
	broken := errors.New("the disk is full")
	if report, err := often(t, own(), Options{Checkpoint: func(*Checkpoint) error { return broken }}); report != nil || !errors.Is(err, broken) {
		t.Errorf("%v, %v", report, err)
	}
}
