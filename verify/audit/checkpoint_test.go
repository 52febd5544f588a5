package audit_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/audit"
)

// counted is a random source that counts: every proof that is verified takes weights.
type counted struct{ bytes atomic.Int64 }

func (c *counted) Read(p []byte) (int, error) {
	c.bytes.Add(int64(len(p)))
	return rand.Read(p)
}

// noted audits with checkpoints, and returns the last one and how many bytes of randomness the proofs took.
func noted(t *testing.T, ctx context.Context, files fstest.MapFS, o audit.Options) (report *audit.Report, last *audit.Checkpoint, weights int64, err error) {
	t.Helper()
	random := new(counted)
	o.Rand, o.Program = random, "this"
	o.Checkpoint = func(c *audit.Checkpoint) error { last = c; return nil }
	report, err = audit.Run(ctx, files, o)
	return report, last, random.bytes.Load(), err
}

// continuation returns the check of the blocks that were audited before, and takes it and the mark out of the report.
func continuation(t *testing.T, r *audit.Report) audit.Check {
	t.Helper()
	last := r.Checks[len(r.Checks)-1]
	if last.Name != "continuation" {
		t.Fatalf("the last check is %q", last.Name)
	}
	r.Checks, r.Since = r.Checks[:len(r.Checks)-1], 0
	return last
}

// An audit that goes on from any height finds what a full one finds, and verifies no old proof again.
func TestGoesOn(t *testing.T) {
	e, _ := story()
	hash := genesis.Hash(e.Genesis)
	whole := e.Ledger.Record(e.Blocks)
	full, end, all, err := noted(t, t.Context(), whole, audit.Options{GenesisHash: &hash})
	if err != nil || !full.Passed || end.Height != int64(len(e.Blocks)-1) || all == 0 {
		t.Fatal(full, end, all, err)
	}
	for _, height := range []int{2, len(e.Blocks) / 3, len(e.Blocks) / 2, len(e.Blocks) - 30, len(e.Blocks)} {
		_, old, before, err := noted(t, t.Context(), e.Ledger.Record(e.Blocks[:height]), audit.Options{GenesisHash: &hash})
		if err != nil || old == nil || old.Height != int64(height-1) {
			t.Fatal(height, old, err)
		}
		report, last, after, err := noted(t, t.Context(), whole, audit.Options{GenesisHash: &hash, Since: old})
		twice := int64(80 * len(e.Blocks[height-1].Txs)) // the earlier audit looked ahead into its last block, for which it does not vouch
		if err != nil || before+after < all || before+after > all+twice {
			t.Errorf("from height %d: weights of %d bytes, then of %d, instead of %d in all; %v", height, before, after, all, err)
		}
		if height < len(e.Blocks) && !reflect.DeepEqual(last, end) {
			t.Errorf("from height %d: the last checkpoint is %+v, want %+v", height, last, end)
		}
		if c := continuation(t, report); c.Outcome != audit.Passed {
			t.Errorf("from height %d: %+v", height, c)
		}
		if !reflect.DeepEqual(report, full) {
			t.Errorf("from height %d: another report:\n%+v\n%+v", height, report, full)
		}
	}
}

// An audit that is broken off anywhere leaves a checkpoint, and goes on from there to the same report.
func TestBrokenOff(t *testing.T) {
	e, _ := story()
	whole := e.Ledger.Record(e.Blocks)
	full, _, _, err := noted(t, t.Context(), whole, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []int64{55, 70, 95} {
		ctx, cancel := context.WithCancel(t.Context())
		_, left, _, err := noted(t, ctx, whole, audit.Options{Progress: func(done, all int64) {
			if done > all*part/100 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) || left == nil {
			t.Fatalf("broken off at %d%%: %v, %v", part, left, err)
		}
		report, _, _, err := noted(t, t.Context(), whole, audit.Options{Since: left})
		if err != nil || report.Since != left.Height {
			t.Fatal(report, err)
		}
		if continuation(t, report); !reflect.DeepEqual(report, full) {
			t.Errorf("broken off at height %d: another report", left.Height)
		}
	}
}

// Two histories of one ledger: each passes alone, and whoever has audited the one does not take the other for its continuation.
func TestAnotherHistory(t *testing.T) {
	one := rehearsal.New(t)
	for range 4 {
		one.Make(1)
	}
	other := one.Fork(t)
	for range 8 {
		one.Make(1)
		other.Make(2)
	}
	_, old, _, err := noted(t, t.Context(), one.Record(one.Blocks[:8]), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	report, last, _, err := noted(t, t.Context(), other.Record(other.Blocks), audit.Options{Since: old})
	if err != nil || last != nil {
		t.Fatalf("a checkpoint of a record that fails: %v, %v", last, err)
	}
	if failed := report.Failure(); failed == nil || failed.Name != "continuation" || !strings.Contains(failed.Found, "1 to 7 of the earlier audit") || report.Since != 0 {
		t.Errorf("another history: %v, vouched for up to %d", failed, report.Since)
	}
	report, _, _, _ = noted(t, t.Context(), one.Record(one.Blocks[:7]), audit.Options{Since: old})
	if failed := report.Failure(); failed == nil || failed.Name != "continuation" || !strings.Contains(failed.Found, "it is an older one") {
		t.Errorf("an older record: %v", failed)
	}

	// The files change behind the auditor's back, once they are hashed.
	files, swapped := one.Record(one.Blocks), other.Record(other.Blocks)
	report, _, _, err = noted(t, t.Context(), files, audit.Options{Since: old, Stage: func(s audit.Stage) {
		if s == audit.StageRead {
			files["blocks-000001"].Data = swapped["blocks-000001"].Data
		}
	}})
	if err != nil || report.Passed || continuation(t, report).Outcome == audit.Passed {
		t.Errorf("files that change: %v, %v", report, err)
	}
}

// A ballot that was changed after the audit is found by the digest, and then everything is verified.
func TestChangedOldBallot(t *testing.T) {
	e, _ := story()
	_, old, all, err := noted(t, t.Context(), e.Ledger.Record(e.Blocks), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	height, _ := find(t, 11)
	files := e.Ledger.Record(e.Blocks)
	content := files["blocks-000001"].Data
	at := bytes.Index(content, e.Blocks[height-1].Txs[len(e.Blocks[height-1].Txs)-1])
	content[at+len(e.Blocks[height-1].Txs[len(e.Blocks[height-1].Txs)-1])-1] ^= 1
	report, _, weights, err := noted(t, t.Context(), reindexed(t, files), audit.Options{Since: old})
	if err != nil || report.Passed || weights == 0 || weights > all {
		t.Errorf("passed %v, weights of %d bytes, %v", report.Passed, weights, err)
	}
	if c := continuation(t, report); c.Outcome != audit.Failed {
		t.Errorf("%+v", c)
	}
}

// No checkpoint vouches for blocks behind a fault.
func TestNoCheckpointBehindAFault(t *testing.T) {
	e, _ := story()
	files := e.Ledger.Record(e.Blocks)
	files["approvals.pb"].Data = nil
	report, last, _, err := noted(t, t.Context(), files, audit.Options{})
	if err != nil || report.Passed || last != nil {
		t.Errorf("%v, %v, %v", report.Passed, last, err)
	}
}

// What is no checkpoint of this ledger and this program is refused.
func TestForeignCheckpoint(t *testing.T) {
	l := rehearsal.New(t)
	other := rehearsal.New(t, func(g *pb.Genesis) { g.Time++ })
	for range 5 {
		l.Make(1)
		other.Make(1)
	}
	_, old, _, err := noted(t, t.Context(), l.Record(l.Blocks), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := noted(t, t.Context(), other.Record(other.Blocks), audit.Options{Since: old}); !errors.Is(err, audit.ErrCheckpoint) || !strings.Contains(err.Error(), "it is of ledger") {
		t.Errorf("another ledger: %v", err)
	}
	another := *old
	another.Program = "that"
	if _, _, _, err := noted(t, t.Context(), l.Record(l.Blocks), audit.Options{Since: &another}); !errors.Is(err, audit.ErrCheckpoint) || !strings.Contains(err.Error(), "votenode that") {
		t.Errorf("another program: %v", err)
	}
	another = *old
	another.AppHash = another.Block
	if _, _, _, err := noted(t, t.Context(), l.Record(l.Blocks), audit.Options{Since: &another}); !errors.Is(err, audit.ErrCheckpoint) {
		t.Errorf("another state: %v", err)
	}
}

func TestCheckpointEncoding(t *testing.T) {
	c := audit.Checkpoint{Format: audit.CheckpointFormat, Program: "this", Chain: "sample-1", GenesisHash: "ab", Height: 7, Block: "cd", AppHash: "ef", Bytes: 9, SHA256: "01"}
	good := c.Encode()
	again, err := audit.ParseCheckpoint(good)
	if err != nil || !bytes.Equal(again.Encode(), good) {
		t.Fatal(again, err)
	}
	future := c
	future.Format = "votenode/v2/checkpoint"
	bad := [][]byte{nil, []byte("{}"), good[:len(good)-1], append(slices.Clone(good), '\n'), bytes.Repeat([]byte(" "), 1<<20), future.Encode(),
		bytes.Replace(good, []byte(`"height": 7`), []byte(`"height": 8`), 1), bytes.Replace(good, []byte("{"), []byte("{\n  \"more\": 1,"), 1)}
	for i := range good {
		flipped := slices.Clone(good)
		flipped[i] ^= 1
		bad = append(bad, flipped)
	}
	for _, b := range bad {
		if _, err := audit.ParseCheckpoint(b); !errors.Is(err, audit.ErrCheckpoint) {
			t.Errorf("%.80q: %v", b, err)
		}
	}
}

// A checkpoint replaces the one before it whole, never anything that is no file, and leaves nothing beside it.
func TestCheckpointFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "checkpoint")
	c := &audit.Checkpoint{Format: audit.CheckpointFormat, Height: 1, Bytes: 1}
	for range 3 {
		c.Height++
		if err := c.Save(path); err != nil {
			t.Fatal(err)
		}
		if again, err := audit.LoadCheckpoint(path); err != nil || again.Height != c.Height {
			t.Errorf("%+v, %v", again, err)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	link := filepath.Join(folder, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{link, folder, filepath.Join(folder, "none", "checkpoint")} {
		if c.Save(p) == nil {
			t.Errorf("%s was written", p)
		}
	}
	if err := os.Truncate(path, 1<<32); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.LoadCheckpoint(path); !errors.Is(err, audit.ErrCheckpoint) {
		t.Errorf("gigabytes: %v", err)
	}
}
