package main

import (
	"time"

	"github.com/spf13/cobra"

	"votenode/internal/bench"
)

func newBenchReceiptsCommand() *cobra.Command {
	r := bench.Receipts{Network: bench.Network{Stage: bench.Stage{Contests: 1, Rounds: 1}}}
	flags := stageFlags{Stage: &r.Stage}
	var seconds int
	c := &cobra.Command{
		Use:   "receipts",
		Short: "See how many receipts one validator hands out while it validates",
		Long: `Prepare an election with ballots that no node has seen, kept on disk for the next time. Run the network and offer it one half of the
ballots at a rate; then the other half at the same rate, while readers ask one validator for receipts of the first under a certified state, each
for one at a time. What voters had is told for both, so that it shows what readers cost. Let --ballots be at least twice --rate times --seconds:
readers go on where no ballots are left.`,
		Example: `  votenode bench receipts --rate 300 --seconds 30`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if r.Readers < 1 || r.Clients < 1 || r.Rate < 1 || seconds < 1 || seconds > maxLoadSeconds {
				return usagef("--readers, --clients and --rate are at least 1, --seconds is 1 to %d", maxLoadSeconds)
			}
			if err := flags.check(c); err != nil {
				return err
			}
			if r.Voters < 2 {
				return usagef("--ballots is at least 2")
			}
			r.Lasting = time.Duration(seconds) * time.Second
			return showReport(c, r.Run)
		},
	}
	flags.define(c, 200)
	flags.prepared(c)
	f := c.Flags()
	f.IntVar(&r.Readers, "readers", 32, "clients that ask for receipts")
	f.IntVar(&r.Clients, "clients", 64, "voters' clients, in turn at all nodes, each with one request at a time")
	f.IntVar(&r.Rate, "rate", 300, "ballots that voters bring a second")
	f.IntVar(&seconds, "seconds", 20, "for how long, with and without readers")
	f.BoolVar(&r.InProcess, "in-process", false, "run all nodes in this process instead of one process each")
	return c
}
