package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"text/tabwriter"
	"time"

	"votenode/abci"
	"votenode/app"
	"votenode/app/state"
	"votenode/internal/scribe"
	"votenode/store"
)

// SnapshotPlan says what MeasureSnapshot measures: Ballots, 1 to MaxAuditBallots, of as many voters in one contest with Options options.
type SnapshotPlan struct {
	Ballots, Options int
	// Making is told how many ballots of how many are made; it may be nil.
	Making func(done, all int64)
}

// SnapshotReport is what came of it.
type SnapshotReport struct {
	Cores   int    `json:"cores"`
	Go      string `json:"go"`
	Ballots int    `json:"ballots"`
	Options int    `json:"options"`

	Chunks        int     `json:"chunks"`
	SnapshotBytes int64   `json:"snapshot_bytes"`
	MakingSeconds float64 `json:"making_seconds"`

	// TakeSeconds is the making of the first snapshot, AgainSeconds that of one that has all but the last chunks of the logs in common with it.
	TakeSeconds  float64 `json:"take_seconds"`
	AgainSeconds float64 `json:"again_seconds"`
	// RestoreSeconds is the verifying and storing of all chunks, OpenSeconds the reading of all that a node reads at its start.
	RestoreSeconds float64 `json:"restore_seconds"`
	OpenSeconds    float64 `json:"open_seconds"`
}

// MeasureSnapshot holds a whole election in memory, makes the snapshot of its last state, and restores it into a store.
func MeasureSnapshot(ctx context.Context, plan SnapshotPlan) (*SnapshotReport, error) {
	r := &SnapshotReport{Cores: runtime.GOMAXPROCS(0), Go: runtime.Version(), Ballots: plan.Ballots, Options: plan.Options}
	dir, err := os.MkdirTemp("", "votenode-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	start := time.Now()
	_, err = scribe.Write(ctx, filepath.Join(dir, "record"), scribe.Options{
		Voters: plan.Ballots, Options: plan.Options, Progress: plan.Making,
		State: func(chain string, s *state.Snapshot) error {
			r.MakingSeconds = time.Since(start).Seconds()
			return r.measure(dir, chain, s)
		},
	})
	return r, err
}

func (r *SnapshotReport) measure(dir, chain string, s *state.Snapshot) error {
	kept, err := abci.OpenSnapshots(filepath.Join(dir, "snapshots"))
	if err != nil {
		return err
	}
	for _, took := range []*float64{&r.TakeSeconds, &r.AgainSeconds} {
		start := time.Now()
		if err := kept.Take(s); err != nil {
			return err
		}
		*took = time.Since(start).Seconds()
		if took == &r.TakeSeconds { // as if it were of an earlier height
			if err := os.Rename(kept.Folder(s.Height()), kept.Folder(s.Height()-1)); err != nil {
				return err
			}
		}
	}
	folder := kept.Folder(s.Height())
	if r.SnapshotBytes, err = folderBytes(folder); err != nil {
		return err
	}
	disk, err := store.Open(store.Options{Dir: filepath.Join(dir, "ledger")})
	if err != nil {
		return err
	}
	defer disk.Close()
	start := time.Now()
	restorer := abci.NewRestorer(app.New(chain), func(height int64) (abci.Sink, error) { return disk.NewLoad(height) }, slog.New(slog.DiscardHandler))
	manifest, err := os.ReadFile(filepath.Join(folder, abci.ManifestFile))
	if err == nil {
		err = restorer.Begin(manifest, s.Height(), s.AppHash())
	}
	for r.Chunks = 0; err == nil && !restorer.Restored(); r.Chunks++ {
		var chunk []byte
		if chunk, err = os.ReadFile(filepath.Join(folder, abci.ChunkName(r.Chunks))); err == nil {
			err = restorer.Take(chunk)
		}
	}
	if err != nil {
		return err
	}
	r.RestoreSeconds = time.Since(start).Seconds()
	start = time.Now()
	restored, err := state.Open(disk)
	if err != nil {
		return err
	}
	r.OpenSeconds = time.Since(start).Seconds()
	if restored.Newest().AppHash() != s.AppHash() {
		return fmt.Errorf("%w: another state was restored", state.ErrCorrupted)
	}
	return nil
}

// Write writes the report for people.
func (r *SnapshotReport) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%d ballots of %d options\t%d chunks, %.1f MB\n", r.Ballots, r.Options, r.Chunks, float64(r.SnapshotBytes)/1e6)
	fmt.Fprintf(t, "taking the first snapshot\t%.2f s\ntaking the next one\t%.2f s\n", r.TakeSeconds, r.AgainSeconds)
	fmt.Fprintf(t, "restoring it, verified\t%.2f s\nopening the restored state\t%.2f s\n", r.RestoreSeconds, r.OpenSeconds)
	fmt.Fprintf(t, "\t%d cores, %s\n", r.Cores, r.Go)
	return t.Flush()
}
