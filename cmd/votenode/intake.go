package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"votenode/client/readable"
)

func newIntakeCommand() *cobra.Command {
	var ledger ledgerFlags
	var all bool
	var from, to int64
	c := &cobra.Command{
		Use:   "intake",
		Short: "Show what validators report that they were asked to take in, and refused",
		Long: `Show each present validator's newest report of its intake: counters since a start of its node, which it signs every 60 heights.
With --all every report on the ledger, or those due at the heights --from to --to: a validator that reported nothing then is missing, and
a greater number of the start says that its node was started anew. The numbers are a validator's own word; what is proven is that it gave it.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if !all && (c.Flags().Changed("from") || c.Flags().Changed("to")) {
				return usagef("--from and --to go with --all")
			}
			v, err := ledger.view(c)
			if err != nil {
				return err
			}
			var list []readable.Intake
			if all {
				list, err = readable.AllIntake(c.Context(), v, from, to)
			} else {
				list, err = readable.NewestIntake(c.Context(), v)
			}
			if err != nil {
				return err
			}
			return show(c, list, func(w io.Writer) { writeIntake(w, list) })
		},
	}
	ledger.add(c)
	c.Flags().BoolVar(&all, "all", false, "all reports, not only the newest of each validator")
	c.Flags().Int64Var(&from, "from", 0, "with --all: least height at which a report was due")
	c.Flags().Int64Var(&to, "to", math.MaxInt64, "with --all: greatest height at which a report was due")
	return c
}

func writeIntake(w io.Writer, list []readable.Intake) {
	for _, i := range list {
		name := i.SlipKey
		if i.Validator != "" {
			name = i.Organisation + "/" + i.Validator
		}
		if i.Start == 0 {
			fmt.Fprintf(w, "%s has reported nothing\n", name)
			continue
		}
		fmt.Fprintf(w, "%s at height %d, start %d: taken %d, from peers %d, verified %d, slips %d", name, i.Height, i.Start, i.Taken, i.FromPeers, i.Verified, i.Slips)
		for _, code := range slices.Sorted(maps.Keys(i.Refused)) {
			fmt.Fprintf(w, ", %s %d", code, i.Refused[code])
		}
		fmt.Fprintln(w)
	}
}
