package main

import (
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"votenode/internal/bench"
)

func newBenchCryptoCommand() *cobra.Command {
	var (
		plan    bench.CryptoPlan
		seconds float64
	)
	c := &cobra.Command{
		Use:   "crypto",
		Short: "Measure ballots, signatures and openings on this machine",
		Long: `crypto makes ballots of distinct voters and measures, by number of options, their bytes and what it takes to prove, decode, verify and
count them; verification by the size of the batch, on one core and on all. Further: the verification units of the ledger's rules and what a unit
takes, one Ed25519 signature, a trustee's part in opening a contest, the search of totals. Every outcome is checked.

Nothing else should run on the machine meanwhile. The default takes about a minute and a half on two cores.`,
		Example: `  votenode bench crypto
  votenode bench crypto --options 5 --batch 128 --seconds 5 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := benchNumbers("--options", plan.Options, bench.MaxOptions); err != nil {
				return err
			}
			if err := benchNumbers("--batch", plan.Batches, bench.MaxBatch); err != nil {
				return err
			}
			if !(seconds > 0 && seconds <= maxBenchSeconds) {
				return usagef("--seconds: %v is not above 0 and at most %d", seconds, maxBenchSeconds)
			}
			plan.Span = time.Duration(seconds * float64(time.Second))
			bar := newMeter(c, "measurements")
			plan.Progress = bar.set
			report, err := bench.MeasureCrypto(c.Context(), plan)
			bar.end()
			if err != nil {
				return err
			}
			var shown error
			return errors.Join(show(c, report, func(w io.Writer) { shown = report.Write(w) }), shown)
		},
	}
	c.Flags().IntSliceVar(&plan.Options, "options", []int{3, 10, 30}, "numbers of options of a ballot")
	c.Flags().IntSliceVar(&plan.Batches, "batch", []int{1, 16, 128, 1024}, "numbers of ballots that are verified at once")
	c.Flags().Float64Var(&seconds, "seconds", 1, "how long each measurement goes on")
	return c
}

// maxBenchSeconds bounds a single measurement.
const maxBenchSeconds = 600

// benchNumbers says that a list of numbers is not empty and each is from 1 to most.
func benchNumbers(flag string, list []int, most int) error {
	if len(list) == 0 {
		return usagef("%s: give at least one number", flag)
	}
	for _, n := range list {
		if n < 1 || n > most {
			return usagef("%s: %d is not from 1 to %d", flag, n, most)
		}
	}
	return nil
}
