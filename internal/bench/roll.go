package bench

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"votenode/internal/network"
)

// Roll says what to measure of a roll: how long its import takes, on validators that are processes.
type Roll struct{ Stage }

// RollReport is what came of it.
type RollReport struct {
	Validators       int     `json:"validators"`
	Entries          int     `json:"entries"`
	ImportSeconds    float64 `json:"import_seconds"`
	EntriesPerSecond float64 `json:"entries_per_second"`
	// SealSeconds is how long the resolution took that sealed it.
	SealSeconds float64 `json:"seal_seconds"`
	// RestartSeconds is how long a validator took from its start to its next block.
	RestartSeconds float64 `json:"restart_seconds"`
	// RSSBytes is the greatest resident memory of a validator until it was sealed.
	RSSBytes          int64   `json:"rss_bytes"`
	DiskBytesPerEntry float64 `json:"disk_bytes_per_entry"`
}

// Run founds a network, imports a roll and seals it.
func (r *Roll) Run(ctx context.Context) (*RollReport, error) {
	report := &RollReport{Validators: r.Validators, Entries: r.Voters}
	return report, once(ctx, func(ctx context.Context, folder string, _ context.CancelCauseFunc) error {
		return r.with(ctx, filepath.Join(folder, "network"), func(ctx context.Context, o *network.Officials) error {
			return r.measure(ctx, o, report)
		})
	})
}

func (r *Roll) measure(ctx context.Context, o *network.Officials, report *RollReport) error {
	if err := o.CreateElection(ctx, r.manifest()); err != nil {
		return err
	}
	roll, err := r.roll(ctx)
	if err != nil {
		return err
	}
	one := o.Network.Validators[0]
	before, err := network.Allocated(one.Home)
	if err != nil {
		return err
	}
	bar := r.Talk.Bar("roll entries", len(roll))
	start := time.Now()
	head, err := o.ImportRoll(ctx, electionID, roll, bar.Set)
	bar.Clear()
	if err != nil {
		return err
	}
	report.ImportSeconds = time.Since(start).Seconds()
	report.EntriesPerSecond = float64(len(roll)) / report.ImportSeconds
	start = time.Now()
	if err := o.SealRoll(ctx, electionID, head); err != nil {
		return err
	}
	report.SealSeconds = time.Since(start).Seconds()
	after, err := network.Allocated(one.Home)
	if err != nil {
		return err
	}
	report.DiskBytesPerEntry = float64(after-before) / float64(len(roll))
	for _, v := range o.Network.Validators {
		report.RSSBytes = max(report.RSSBytes, network.PeakMemory(v.Process.PID()))
	}
	report.RestartSeconds, err = restart(ctx, o.Network, one)
	return err
}

// restart ends a validator, starts it again, and returns after how many seconds it had a new block.
func restart(ctx context.Context, n *network.Network, v *network.Validator) (float64, error) {
	status, err := v.Node.Status(ctx)
	if err != nil {
		return 0, err
	}
	if err := v.Process.End(); err != nil {
		return 0, err
	}
	start := time.Now()
	if err := n.StartValidator(v); err != nil {
		return 0, err
	}
	_, err = v.Node.AwaitHeight(ctx, status.Height+1)
	return time.Since(start).Seconds(), err
}

// Write writes the report as a table.
func (r *RollReport) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("network", "%d validators", r.Validators)
	row("imported", "%d entries in %.1f s, %.0f a second", r.Entries, r.ImportSeconds, r.EntriesPerSecond)
	row("sealed", "in %.1f s", r.SealSeconds)
	row("restart", "%.1f s to the next block", r.RestartSeconds)
	row("memory", "%d MiB", r.RSSBytes>>20)
	row("disk", "%.0f bytes an entry", r.DiskBytesPerEntry)
	return t.Flush()
}
