package main

import (
	"github.com/spf13/cobra"

	"votenode/internal/bench"
)

func newBenchJoinCommand() *cobra.Command {
	j := bench.Join{Network: bench.Network{Stage: bench.Stage{Contests: 1, Rounds: 1}}}
	flags := stageFlags{Stage: &j.Stage}
	c := &cobra.Command{
		Use:   "join",
		Short: "See how soon a fresh node takes part in a ledger with many ballots",
		Long: `Prepare an election with ballots that no node has seen, kept on disk for the next time. Run the network, each node a process, and have it record
all ballots; wait for a certified snapshot with all of them; then start a node that has nothing, and take the time until it has begun with the
snapshot, and until it is healthy and at the height of the others. Its newest block must be theirs. It shares the cores of this machine with the
validators, who go on. Two snapshots are kept: let --interval take more than ten seconds.`,
		Example: `  votenode bench join --ballots 100000 --options 3`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if j.Clients < 1 || j.Interval < 10 || j.Interval > 1_000_000 || j.Behind < 0 || j.Behind >= j.Interval {
				return usagef("--clients is at least 1, --interval is 10 to 1000000, --behind is 0 or more and less than --interval")
			}
			if err := flags.check(c); err != nil {
				return err
			}
			j.Batch, j.Window = 16, 8_000
			return showReport(c, j.Run)
		},
	}
	flags.define(c, 200)
	flags.prepared(c)
	f := c.Flags()
	f.IntVar(&j.Clients, "clients", 64, "clients, in turn at all nodes, each with one request of 16 ballots at a time")
	f.Int64Var(&j.Interval, "interval", 100, "heights from one snapshot to the next")
	f.Int64Var(&j.Behind, "behind", 0, "heights that follow the snapshot before the node starts")
	return c
}
