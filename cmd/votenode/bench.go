package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"votenode/internal/bench"
	"votenode/internal/talk"
)

func newBenchCommand() *cobra.Command {
	return group("bench", "Measure what this machine and a network on it can do, to plan one",
		newBenchCryptoCommand(), newBenchNetworkCommand(), newBenchOverloadCommand(), newBenchColdCommand(), newBenchReceiptsCommand(), newBenchRollCommand(), newBenchTallyCommand(), newBenchAuditCommand(), newBenchSnapshotCommand(), newBenchJoinCommand())
}

// talkOf tells a person who calls a command how far it is.
func talkOf(c *cobra.Command) *talk.Talk {
	return &talk.Talk{To: c.ErrOrStderr(), Terminal: isTerminal(c.ErrOrStderr())}
}

// cacheFolder is where prepared elections lie when nobody says otherwise.
func cacheFolder() string {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	return filepath.Join(base, "votenode", "bench")
}

// stageFlags are the flags that all commands have which run a network.
type stageFlags struct {
	*bench.Stage
	commit int
}

func (s *stageFlags) define(c *cobra.Command, commit int) {
	f := c.Flags()
	f.IntVar(&s.Validators, "validators", 4, "validators of both organisations together")
	f.IntVar(&s.commit, "commit-ms", commit, "the commit timeout of the network, milliseconds")
}

// prepared defines the flags of a command that uses prepared ballots.
func (s *stageFlags) prepared(c *cobra.Command) {
	f := c.Flags()
	f.IntVar(&s.Options, "options", 10, "options of a ballot")
	f.IntVar(&s.Voters, "ballots", 20_000, "voters, each with one ballot in a round")
	f.StringVar(&s.Cache, "cache", cacheFolder(), "folder in which prepared elections are kept")
}

// check completes the stage, or says what is wrong with the flags.
func (s *stageFlags) check(c *cobra.Command) (err error) {
	switch {
	case s.Validators < 2:
		return usagef("--validators: a ledger has at least two organisations, each with a validator")
	case s.Options < 2 || s.Options > bench.MaxOptions || s.Contests < 1:
		return usagef("--options is 2 to %d, --contests at least 1", bench.MaxOptions)
	case s.Voters < 1 || s.Rounds < 1:
		return usagef("the numbers of voters and of rounds are at least 1")
	case s.commit < 1:
		return usagef("--commit-ms is at least 1")
	}
	s.Commit, s.Talk = time.Duration(s.commit)*time.Millisecond, talkOf(c)
	s.Binary, err = os.Executable()
	return err
}

// report is what a measurement comes to.
type report interface{ Write(w io.Writer) error }

// showReport measures and shows what came of it.
func showReport[R report](c *cobra.Command, measure func(context.Context) (R, error)) error {
	r, err := measure(c.Context())
	if err != nil {
		return err
	}
	var shown error
	err = show(c, r, func(w io.Writer) { shown = r.Write(w) })
	return errors.Join(err, shown)
}

func newBenchNetworkCommand() *cobra.Command {
	n := bench.Network{}
	flags := stageFlags{Stage: &n.Stage}
	var seconds int
	var submit string
	var prepare bool
	c := &cobra.Command{
		Use:   "network",
		Short: "Run a network on this machine and see how many ballots it records",
		Long: `Prepare an election with ballots that no node has seen, kept on disk for the next time; measure what CometBFT alone
carries of transactions of the same size, with the same settings and clients; then run the network and offer it all
ballots. Every ballot's delay to the slip, to the ledger and to a certified state is taken, and the accounts of what was
offered, refused, promised and recorded must add up.

All validators and clients share the cores of this machine. Compare the ratio to the ceiling, not figures of two machines.`,
		Example: `  votenode bench network --validators 4 --options 10
  votenode bench network --in-process --submit direct --ballots 50000 --json
  votenode bench network --rate 20000 --seconds 180`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case n.Clients < 1 || n.Batch < 1 || n.Batch > 2000 || n.Window < 0 || n.Rate < 0:
				return usagef("--clients is at least 1, --batch is 1 to 2000, --window and --rate are not below 0")
			case n.Rate > 0 && seconds < 1:
				return usagef("--rate needs --seconds")
			case submit != "gateway" && submit != "direct":
				return usagef("--submit is gateway or direct")
			case submit == "direct" && !n.InProcess:
				return usagef("--submit direct needs --in-process")
			}
			if err := flags.check(c); err != nil {
				return err
			}
			n.Direct, n.Lasting = submit == "direct", time.Duration(seconds)*time.Second
			if prepare {
				return n.Prepare(c.Context())
			}
			return showReport(c, n.Run)
		},
	}
	flags.define(c, 200)
	flags.prepared(c)
	f := c.Flags()
	f.IntVar(&n.Contests, "contests", 1, "contests, each in a district of its own")
	f.IntVar(&n.Rounds, "rounds", 1, "how often every voter votes")
	f.BoolVar(&n.InProcess, "in-process", false, "run all nodes in this process instead of one process each")
	f.StringVar(&submit, "submit", "gateway", "how ballots reach a node: gateway, or direct, which needs --in-process")
	f.IntVar(&n.Clients, "clients", 64, "clients, in turn at all nodes, each with one request at a time")
	f.IntVar(&n.Batch, "batch", 16, "ballots of a request")
	f.IntVar(&n.Window, "window", 8_000, "how many accepted ballots may wait for a block; 0 means no bound")
	f.IntVar(&n.Rate, "rate", 0, "offer so many ballots a second, whatever becomes of them; 0 offers as fast as they are taken")
	f.IntVar(&seconds, "seconds", 0, "for how long, with --rate")
	f.BoolVar(&n.NoCeiling, "no-ceiling", false, "leave out what CometBFT alone carries")
	f.BoolVar(&prepare, "prepare", false, "only prepare the election and the ballots, and measure nothing")
	f.StringVar(&n.Profile, "profile", "", "file for a CPU profile of this process, of use with --in-process")
	return c
}

func newBenchColdCommand() *cobra.Command {
	b := bench.Cold{Stage: bench.Stage{Contests: 1, Rounds: 1}}
	flags := stageFlags{Stage: &b.Stage}
	c := &cobra.Command{
		Use:   "cold",
		Short: "See whether validators judge full blocks in time of which they have seen nothing before",
		Long: `Give all ballots to one validator while the others are down, then start them: what it proposes is new to them, and
they have to verify whole blocks within the propose timeout. The limit block_units of the parameters sees to it.`,
		Example: `  votenode bench cold --options 30`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := flags.check(c); err != nil {
				return err
			}
			return showReport(c, b.Run)
		},
	}
	flags.define(c, 200)
	flags.prepared(c)
	return c
}

func newBenchRollCommand() *cobra.Command {
	r := bench.Roll{Stage: bench.Stage{Options: 2, Contests: 1, Rounds: 1}}
	flags := stageFlags{Stage: &r.Stage}
	c := &cobra.Command{
		Use:     "roll",
		Short:   "Import a roll into a network on this machine and seal it",
		Example: `  votenode bench roll --entries 1000000`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := flags.check(c); err != nil {
				return err
			}
			return showReport(c, r.Run)
		},
	}
	flags.define(c, 1000)
	c.Flags().IntVar(&r.Voters, "entries", 100_000, "entries of the roll")
	return c
}
