package main

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"votenode/internal/bench"
)

func newBenchOverloadCommand() *cobra.Command {
	o := bench.Overload{}
	var commit, seconds, flood int
	var submit string
	c := &cobra.Command{
		Use:   "overload",
		Short: "Show that a network stays well when ten times its capacity arrives, and under floods",
		Long: `Prepare an election with ballots that no node has seen, kept on disk for the next time, as bench network does. Then, on one
running network:

  capacity  a part of the ballots, as fast as they are taken;
  overload  so many times that rate from many clients, each with a connection of its own, whatever the nodes answer. What they
            have no room for comes again, at once or, with --obedient, when the node says. The accounts of what was offered,
            refused, promised and recorded must add up. Where no ballot of this part is left that has no room yet, those that stand
            in blocks are offered again, as impatient people do, and refused as already done: so the rate is held to the end;
  floods    ballots of unknown voters, bad signatures, bad proofs that their voters signed, and clients that only ask for the
            status, each at the same rate beside honest voters, of whom some must come through.

All traffic stays on this machine. All clients of a gateway here count as one source; with --in-process --submit direct each is one
of its own, as clients elsewhere are. Validators and clients share the cores of this machine: see how much was really offered.`,
		Example: `  votenode bench overload --ballots 300000
  votenode bench overload --in-process --submit direct --seconds 60 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) (err error) {
			switch {
			case o.Validators < 2:
				return usagef("--validators: a ledger has at least two organisations, each with a validator")
			case o.Options < 2 || o.Voters < bench.MinOverloadBallots:
				return usagef("--options is at least 2, --ballots at least %d", bench.MinOverloadBallots)
			case o.Clients < 1 || o.Batch < 1 || o.Batch > 2000 || commit < 1:
				return usagef("--clients and --commit-ms are at least 1, --batch is 1 to 2000")
			case o.Times < 1 || o.Times > 1000:
				return usagef("--times: %d is not from 1 to 1000", o.Times)
			case seconds < 1 || seconds > maxLoadSeconds || flood < 0 || flood > maxLoadSeconds:
				return usagef("--seconds is 1 to %d, --flood-seconds 0 to %d", maxLoadSeconds, maxLoadSeconds)
			case submit != "gateway" && submit != "direct":
				return usagef("--submit is gateway or direct")
			case submit == "direct" && !o.InProcess:
				return usagef("--submit direct needs --in-process")
			}
			o.Contests, o.Rounds = 1, 1
			o.Direct, o.Span, o.Flood = submit == "direct", time.Duration(seconds)*time.Second, time.Duration(flood)*time.Second
			o.Commit = time.Duration(commit) * time.Millisecond
			o.Talk = talkOf(c)
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			report, err := o.Run(c.Context())
			if err != nil {
				return err
			}
			var shown error
			err = show(c, report, func(w io.Writer) { shown = report.Write(w) })
			return errors.Join(err, shown)
		},
	}
	f := c.Flags()
	f.IntVar(&o.Validators, "validators", 4, "validators of both organisations together")
	f.IntVar(&o.Options, "options", 10, "options of a ballot")
	f.IntVar(&o.Voters, "ballots", 100_000, "ballots of as many voters: a fifth to measure capacity, a half for the overload, the rest beside floods")
	f.IntVar(&seconds, "seconds", 180, "for how long the overload is offered")
	f.IntVar(&o.Clients, "clients", 1_000, "clients, in turn at all nodes, each with one request at a time")
	f.IntVar(&o.Batch, "batch", 16, "ballots of a request")
	f.IntVar(&o.Times, "times", 10, "how many times its capacity is offered")
	f.BoolVar(&o.Obedient, "obedient", false, "refused clients come again when the node says, and not at once")
	f.IntVar(&flood, "flood-seconds", 30, "how long each flood goes on; 0 leaves them out")
	f.BoolVar(&o.InProcess, "in-process", false, "run all nodes in this process instead of one process each")
	f.StringVar(&submit, "submit", "gateway", "how ballots reach a node: gateway, or direct, which needs --in-process")
	f.IntVar(&o.Window, "window", 8_000, "how many accepted ballots may wait for a block where capacity is measured; 0 means no bound")
	f.IntVar(&commit, "commit-ms", 200, "the commit timeout of the network, milliseconds")
	f.StringVar(&o.Profile, "profile", "", "file for a CPU profile of this process, of use with --in-process")
	f.StringVar(&o.Cache, "cache", cacheFolder(), "folder in which prepared elections are kept")
	return c
}

// maxLoadSeconds bounds an overload and a flood.
const maxLoadSeconds = 24 * 60 * 60
