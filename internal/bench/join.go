package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"sync"
	"text/tabwriter"
	"time"

	"votenode/internal/network"
	"votenode/internal/spool"
	"votenode/node"
)

// Join says how to measure how soon a fresh node takes part in a ledger with history.
type Join struct {
	// Network says what runs, each node a process. All its ballots are recorded before the fresh node starts.
	Network
	// Interval is that of the snapshots, heights. The fresh node starts Behind heights after the snapshot was shown, fewer than the interval.
	Interval, Behind int64
}

// JoinReport is what came of it.
type JoinReport struct {
	Validators int `json:"validators"`
	Options    int `json:"options"`
	Ballots    int `json:"ballots"`
	Cores      int `json:"cores"`

	// Height is that of the others when the node was with them, Snapshot that of the snapshot with which it began.
	Height   int64 `json:"height"`
	Snapshot int64 `json:"snapshot_height"`
	// BeganSeconds is from the start of its process until it had the snapshot in place and its gateway answered, HealthySeconds until it was
	// healthy at the height of the others, too.
	BeganSeconds   float64 `json:"began_seconds"`
	HealthySeconds float64 `json:"healthy_seconds"`
	// SnapshotBytes are those of the snapshot with its proof, BlockBytes those of the blocks after it.
	SnapshotBytes int64 `json:"snapshot_bytes"`
	BlockBytes    int64 `json:"block_bytes"`
	// RSSBytes is the greatest resident memory of the node until then, 0 where the system does not tell it.
	RSSBytes int64 `json:"rss_bytes"`
}

// Run prepares what is not on disk yet and measures. It fails where the accounts of the ballots do not add up, where the node begins before the
// last ballot, or comes to another ledger than the others have.
func (j *Join) Run(ctx context.Context) (*JoinReport, error) {
	if err := j.Prepare(ctx); err != nil {
		return nil, err
	}
	r := &JoinReport{Validators: j.Validators, Options: j.Options, Cores: runtime.GOMAXPROCS(0)}
	return r, once(ctx, func(ctx context.Context, folder string, fail context.CancelCauseFunc) error {
		var fresh *network.Observer
		j.adjust = func(copied *network.Network) (err error) {
			for _, v := range copied.Validators {
				if err := network.Configure(v.Home, func(c *node.Config) { c.Store.SnapshotInterval = j.Interval }); err != nil {
					return err
				}
			}
			fresh, err = copied.AddObserver("fresh")
			return err
		}
		return j.run(ctx, folder, fail, func(running nodes, copied *network.Network) (nodes, error) {
			last, err := j.history(ctx, running, r)
			if err == nil {
				err = j.measure(ctx, copied, fresh, last, r)
			}
			return running, err
		})
	})
}

// history has all ballots recorded, and returns the height of the last one.
func (j *Join) history(ctx context.Context, running nodes, r *JoinReport) (int64, error) {
	height, err := j.ready(ctx, running)
	if err != nil {
		return 0, err
	}
	file, err := spool.Open(j.ballots(1))
	if err != nil {
		return 0, err
	}
	var mu sync.Mutex
	next := func(k int) ([][]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		return file.Take(k)
	}
	l, err := j.offerAll(ctx, running, next, file.Size(), "ballots recorded", height, unwatched)
	if err = errors.Join(err, file.Close()); err != nil {
		return 0, err
	}
	accounts := l.close()
	if err := accounts.Fault(); err != nil {
		return 0, fmt.Errorf("the accounts do not add up: %w", err)
	}
	r.Ballots = int(accounts.Recorded)
	return height + int64(len(l.blocks)), nil
}

// measure waits for a snapshot with all ballots, starts the fresh node and waits until it is with the others.
func (j *Join) measure(ctx context.Context, copied *network.Network, fresh *network.Observer, last int64, r *JoinReport) error {
	const shown = 5 // heights after which a snapshot is shown to others, with time to spare
	first := (last + j.Interval - 1) / j.Interval * j.Interval
	j.Talk.Say("waiting for the snapshot of height %d", first)
	other := copied.Validators[0]
	if _, err := other.Node.WaitHeight(ctx, first+shown+j.Behind); err != nil {
		return err
	}
	start := time.Now()
	if err := copied.StartObserver(fresh); err != nil {
		return err
	}
	if _, err := fresh.Node.AwaitHeight(ctx, 1); err != nil {
		return err
	}
	r.BeganSeconds = time.Since(start).Seconds()
	for {
		theirs, err := other.Node.Status(ctx)
		if err != nil {
			return err
		}
		if _, err := fresh.Node.WaitHeight(ctx, max(theirs.Height, r.Height+1)); err != nil {
			return err
		}
		health, err := fresh.Node.Health(ctx)
		if err != nil {
			return err
		}
		if r.Height = theirs.Height; health.Healthy {
			break
		}
	}
	r.HealthySeconds = time.Since(start).Seconds()
	r.RSSBytes = network.PeakMemory(fresh.Process.PID())
	return r.compare(ctx, other, fresh, first)
}

// compare holds the newest block of the fresh node against that of another one, ends it and counts what it has fetched.
func (r *JoinReport) compare(ctx context.Context, other *network.Validator, fresh *network.Observer, first int64) error {
	mine, err := fresh.Node.Block(ctx, r.Height)
	if err != nil {
		return err
	}
	if err := fresh.Process.End(); err != nil {
		return err
	}
	stopped, err := node.OpenStopped(fresh.Home)
	if err != nil {
		return err
	}
	found, err := stopped.Inspect()
	if err = errors.Join(err, stopped.Close()); err != nil {
		return err
	}
	if r.Snapshot = found.FirstBlock - 1; r.Snapshot < first {
		return fmt.Errorf("the node began with height %d, and the last ballot is behind it", r.Snapshot)
	}
	if r.SnapshotBytes, err = folderBytes(filepath.Join(other.Home, "data", "snapshots", fmt.Sprintf("%012d", r.Snapshot))); err != nil {
		return fmt.Errorf("the snapshot with which it began is gone: choose a greater interval: %w", err)
	}
	for h := r.Snapshot + 1; h <= r.Height; h++ {
		block, err := other.Node.Block(ctx, h)
		if err != nil {
			return err
		}
		if r.BlockBytes += int64(len(block)); h == r.Height && !bytes.Equal(block, mine) {
			return fmt.Errorf("the node has another block %d than the others", h)
		}
	}
	return nil
}

// Write writes the report as a table.
func (r *JoinReport) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("network", "%d validators, processes, %d cores; the fresh node is one more", r.Validators, r.Cores)
	row("history", "%d ballots of %d options, height %d", r.Ballots, r.Options, r.Height)
	row("began with", "the snapshot of height %d after %.1f s, %.1f MB with its proof", r.Snapshot, r.BeganSeconds, float64(r.SnapshotBytes)/1e6)
	row("healthy", "at the height of the others after %.1f s, with %d blocks more, %.1f MB", r.HealthySeconds, r.Height-r.Snapshot, float64(r.BlockBytes)/1e6)
	row("memory", "%.0f MiB at most", float64(r.RSSBytes)/(1<<20))
	return t.Flush()
}
