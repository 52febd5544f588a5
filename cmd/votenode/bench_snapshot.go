package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"votenode/internal/bench"
)

func newBenchSnapshotCommand() *cobra.Command {
	var plan bench.SnapshotPlan
	c := &cobra.Command{
		Use:   "snapshot",
		Short: "Measure the making and the restoring of a snapshot on this machine",
		Long: `snapshot holds a whole election with so many ballots in memory, makes the snapshot of its last state, and restores it into a store as a
node does that begins with it: every chunk verified, then everything read once more. The transfer between nodes comes on top.`,
		Example: `  votenode bench snapshot --ballots 100000`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			for _, f := range []struct {
				name     string
				n, limit int
			}{
				{"--ballots", plan.Ballots, bench.MaxAuditBallots},
				{"--options", plan.Options, bench.MaxOptions},
			} {
				if f.n < 1 || f.n > f.limit {
					return usagef("%s: %d is not from 1 to %d", f.name, f.n, f.limit)
				}
			}
			making := newMeter(c, "ballots")
			plan.Making = making.set
			report, err := bench.MeasureSnapshot(c.Context(), plan)
			making.end()
			if err != nil {
				return err
			}
			var shown error
			err = show(c, report, func(w io.Writer) { shown = report.Write(w) })
			return errors.Join(err, shown)
		},
	}
	c.Flags().IntVar(&plan.Ballots, "ballots", 5_000, "ballots, each of a voter of its own")
	c.Flags().IntVar(&plan.Options, "options", 10, "options of the one contest, of which a voter selects one")
	return c
}
