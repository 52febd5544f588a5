package main

import (
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"votenode/internal/bench"
	"votenode/internal/scribe"
)

func newBenchTallyCommand() *cobra.Command {
	var plan bench.TallyPlan
	var roundTrip int
	c := &cobra.Command{
		Use:   "tally",
		Short: "Measure the opening of an election's sums on this machine",
		Long: `tally holds an election of many contests without a network and without voters: the sums of so many ballots are encrypted directly under
the election's keys and planted into the state, every total near the number of ballots, which takes the longest search. It closes; the programs of all
trustees post their parts at the same time; blocks are filled within the default limits, until the last result stands. Keys, proofs,
opening and search are the real ones.

Of each block it tells what a validator takes that has seen none of its transactions (check, execute, hash), and what executing it takes one that has.`,
		Example: `  votenode bench tally
  votenode bench tally --contests 1 --options 10 --ballots 1000000 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			for _, f := range []struct {
				name            string
				n, least, limit int
			}{
				{"--contests", plan.Contests, 1, scribe.MaxTallyContests},
				{"--options", plan.Options, 1, scribe.MaxTallyOptions},
				{"--ballots", int(min(plan.Ballots, 1<<62)), 1, scribe.MaxTallyBallots},
				{"--round-trip-ms", roundTrip, 0, 10_000},
			} {
				if f.n < f.least || f.n > f.limit {
					return usagef("%s: %d is not from %d to %d", f.name, f.n, f.least, f.limit)
				}
			}
			plan.RoundTrip = time.Duration(roundTrip) * time.Millisecond
			bar := newMeter(c, "contests")
			plan.Progress = bar.set
			report, err := bench.MeasureTally(c.Context(), plan)
			bar.end()
			if err != nil {
				return err
			}
			var shown error
			return errors.Join(show(c, report, func(w io.Writer) { shown = report.Write(w) }), shown)
		},
	}
	c.Flags().IntVar(&plan.Contests, "contests", 1_100, "contests, each in a district of its own")
	c.Flags().IntVar(&plan.Options, "options", 10, "options of each contest")
	c.Flags().Uint64Var(&plan.Ballots, "ballots", 1_000_000, "ballots that count in each contest")
	c.Flags().IntVar(&roundTrip, "round-trip-ms", 0, "how long a trustee's program waits for each record that it reads, milliseconds")
	return c
}
