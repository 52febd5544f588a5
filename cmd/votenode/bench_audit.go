package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/internal/bench"
)

func newBenchAuditCommand() *cobra.Command {
	var plan bench.AuditPlan
	c := &cobra.Command{
		Use:   "audit",
		Short: "Measure the audit of an election's record on this machine",
		Long: `audit makes the record of a whole election with so many ballots, from the founding of the ledger to the certified result, without a
network, and audits it: seconds by stage, ballots a second, bytes of the record, greatest memory.

Ballots stand in as few blocks as hold them. To see what blocks take, spread them with --blocks: a network makes one a second,
with ballots or without. --record keeps the record for: votenode audit.

Exit code 3: the audit failed, or its result is not that of the ballots.`,
		Example: `  votenode bench audit
  votenode bench audit --ballots 20000 --options 30 --blocks 3600 --record record --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			for _, f := range []struct {
				name            string
				n, least, limit int
			}{
				{"--ballots", plan.Ballots, 1, bench.MaxAuditBallots},
				{"--options", plan.Options, 1, bench.MaxOptions},
				{"--blocks", plan.Blocks, 0, bench.MaxAuditBlocks},
			} {
				if f.n < f.least || f.n > f.limit {
					return usagef("%s: %d is not from %d to %d", f.name, f.n, f.least, f.limit)
				}
			}
			if plan.Record != "" {
				var err error
				if plan.Record, err = filepath.Abs(plan.Record); err != nil {
					return err
				}
			}
			making, auditing := newMeter(c, "ballots"), newMeter(c, "bytes")
			plan.Making = func(done, all int64) {
				making.set(done, all)
				if done == all {
					making.end()
				}
			}
			plan.Auditing = auditing.set
			sparing()
			report, err := bench.MeasureAudit(c.Context(), plan)
			auditing.end()
			if err != nil {
				return err
			}
			var shown error
			if err := show(c, report, func(w io.Writer) { shown = report.Write(w) }); err != nil || shown != nil {
				return errors.Join(err, shown)
			}
			if err := report.Failure(); err != nil {
				return fmt.Errorf("%w: %w", client.ErrVerification, err)
			}
			return nil
		},
	}
	c.Flags().IntVar(&plan.Ballots, "ballots", 5_000, "ballots, each of a voter of its own")
	c.Flags().IntVar(&plan.Options, "options", 10, "options of the one contest, of which a voter selects one")
	c.Flags().IntVar(&plan.Blocks, "blocks", 0, "number of blocks over which the ballots are spread; 0 makes as few as hold them")
	c.Flags().StringVar(&plan.Record, "record", "", "new folder for the record, which is kept, instead of a temporary one")
	return c
}
