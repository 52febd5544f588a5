package scribe

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"votenode/verify/audit"
)

// TestRecord: the auditor finds nothing amiss, and the votes that were cast, however the ballots are spread.
func TestRecord(t *testing.T) {
	for name, o := range map[string]Options{
		"few":    {Voters: 7, Options: 3},
		"spread": {Voters: 5, Options: 2, Blocks: 3},
		"sparse": {Voters: 1, Options: 1, Blocks: 4},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "record")
			written, err := Write(context.Background(), folder, o)
			if err != nil {
				t.Fatal(err)
			}
			if written.VotingBlocks != max(o.Blocks, 1) {
				t.Errorf("%d blocks for the ballots", written.VotingBlocks)
			}
			report, err := audit.Run(context.Background(), os.DirFS(folder), audit.Options{GenesisHash: &written.GenesisHash})
			if err != nil {
				t.Fatal(err)
			}
			if failed := report.Failure(); failed != nil {
				t.Fatal(failed)
			}
			var votes []uint64
			e := report.Elections[0]
			for _, option := range e.Contests[0].Options {
				votes = append(votes, option.Votes)
			}
			if report.Height != written.Height || e.Counted != uint64(o.Voters) || !e.Certified || !slices.Equal(votes, written.Votes) {
				t.Errorf("height %d, %+v; want %+v", report.Height, e, written)
			}
		})
	}
}

// TestFullBlock: as many ballots as fit are taken, and one more makes a block more.
func TestFullBlock(t *testing.T) {
	l, err := found(filepath.Join(t.TempDir(), "record"))
	if err != nil {
		t.Fatal(err)
	}
	l.doc.Parameters.Limits.BlockUnits = 10 + 3*26 // a ballot with three options takes 26
	p := &poll{ledger: l, manifest: rules(3)}
	for _, step := range []func() error{p.create, func() error { return p.enrol(4) }, p.appoint, p.ceremony, func() error { return p.open(100) }} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := p.fit(4); n != 3 || err != nil {
		t.Errorf("%d ballots fit, %v", n, err)
	}
	w := &Written{Votes: make([]uint64, 3)}
	if err := p.voting(context.Background(), Options{Voters: 4, Options: 3}, w); err != nil || w.VotingBlocks != 2 {
		t.Errorf("%d blocks, %v", w.VotingBlocks, err)
	}
}

// TestNoHalfRecord: what fails leaves no folder, and no folder is written into.
func TestNoHalfRecord(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "record")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Write(ctx, folder, Options{Voters: 1, Options: 1}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a folder is left", err)
	}
	if _, err := Write(context.Background(), t.TempDir(), Options{Voters: 1, Options: 1}); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if _, err := Write(context.Background(), folder, Options{Options: 1}); err == nil {
		t.Error("an election of nobody")
	}
}

// TestTally: all sums are opened, a block holds no more than the limits allow, and the accounts of what was posted add up.
func TestTally(t *testing.T) {
	for name, plan := range map[string]TallyPlan{
		"one":  {Contests: 1, Options: 3, Ballots: 1_000_000},
		"many": {Contests: 5, Options: 2, Ballots: 1},
	} {
		t.Run(name, func(t *testing.T) {
			plan.Folder = t.TempDir()
			tally, err := HoldTally(context.Background(), plan)
			if err != nil {
				t.Fatal(err)
			}
			last := tally.Blocks[len(tally.Blocks)-1]
			if last.Decided != plan.Contests || tally.Completed == 0 || len(tally.Trustees) != 6 {
				t.Errorf("%+v", tally)
			}
			parts := 0
			for _, b := range tally.Blocks {
				parts += b.Parts
				if b.Units > tally.Limits.BlockUnits || b.Bytes > int(tally.Limits.BlockBytes) {
					t.Errorf("a block of %d units and %d bytes", b.Units, b.Bytes)
				}
			}
			if want := 6 * plan.Contests; parts != want {
				t.Errorf("%d parts, want %d", parts, want)
			}
		})
	}
}

// TestTallyOutOfRange: what no ledger holds is refused.
func TestTallyOutOfRange(t *testing.T) {
	for _, plan := range []TallyPlan{{0, 1, 1, "", 0, nil}, {1, MaxTallyOptions + 1, 1, "", 0, nil}, {1, 1, 0, "", 0, nil}} {
		if _, err := HoldTally(context.Background(), plan); err == nil {
			t.Errorf("%+v", plan)
		}
	}
}
