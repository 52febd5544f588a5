package main

import (
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
	return group("bench", "Measure what a network can carry, on this machine", newBenchNetworkCommand(), newBenchColdCommand(), newBenchRollCommand(), newBenchCryptoCommand(), newBenchAuditCommand())
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

func newBenchNetworkCommand() *cobra.Command {
	n := bench.Network{}
	var commit, seconds int
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
		RunE: func(c *cobra.Command, args []string) (err error) {
			switch {
			case n.Validators < 2:
				return usagef("--validators: a ledger has at least two organisations, each with a validator")
			case n.Options < 2 || n.Contests < 1 || n.Voters < 1 || n.Rounds < 1:
				return usagef("--options is at least 2; --contests, --ballots and --rounds are at least 1")
			case n.Clients < 1 || n.Batch < 1 || n.Batch > 2000 || n.Window < 0 || n.Rate < 0 || commit < 1:
				return usagef("--clients and --commit-ms are at least 1, --batch is 1 to 2000, --window and --rate are not below 0")
			case n.Rate > 0 && seconds < 1:
				return usagef("--rate needs --seconds")
			case submit != "gateway" && submit != "direct":
				return usagef("--submit is gateway or direct")
			case submit == "direct" && !n.InProcess:
				return usagef("--submit direct needs --in-process")
			}
			n.Direct, n.Lasting = submit == "direct", time.Duration(seconds)*time.Second
			n.Commit = time.Duration(commit) * time.Millisecond
			n.Talk = talkOf(c)
			if n.Binary, err = os.Executable(); err != nil {
				return err
			}
			if prepare {
				return n.Prepare(c.Context())
			}
			report, err := n.Run(c.Context())
			if err != nil {
				return err
			}
			var shown error
			err = show(c, report, func(w io.Writer) { shown = report.Write(w) })
			return errors.Join(err, shown)
		},
	}
	f := c.Flags()
	f.BoolVar(&prepare, "prepare", false, "only prepare the election and the ballots, and measure nothing")
	f.IntVar(&n.Validators, "validators", 4, "validators of both organisations together")
	f.IntVar(&n.Options, "options", 10, "options of a ballot")
	f.IntVar(&n.Contests, "contests", 1, "contests, each in a district of its own")
	f.IntVar(&n.Voters, "ballots", 20_000, "voters, each with one ballot in a round")
	f.IntVar(&n.Rounds, "rounds", 1, "how often every voter votes")
	f.BoolVar(&n.InProcess, "in-process", false, "run all nodes in this process instead of one process each")
	f.StringVar(&submit, "submit", "gateway", "how ballots reach a node: gateway, or direct, which needs --in-process")
	f.IntVar(&n.Clients, "clients", 64, "clients, in turn at all nodes, each with one request at a time")
	f.IntVar(&n.Batch, "batch", 16, "ballots of a request")
	f.IntVar(&n.Window, "window", 8_000, "how many accepted ballots may wait for a block; 0 means no bound")
	f.IntVar(&n.Rate, "rate", 0, "offer so many ballots a second, whatever becomes of them; 0 offers as fast as they are taken")
	f.IntVar(&seconds, "seconds", 0, "for how long, with --rate")
	f.IntVar(&commit, "commit-ms", 200, "the commit timeout of the network, milliseconds")
	f.BoolVar(&n.NoCeiling, "no-ceiling", false, "leave out what CometBFT alone carries")
	f.StringVar(&n.Profile, "profile", "", "file for a CPU profile of this process, of use with --in-process")
	f.StringVar(&n.Cache, "cache", cacheFolder(), "folder in which prepared elections are kept")
	return c
}

func newBenchRollCommand() *cobra.Command {
	r := bench.Roll{}
	var commit int
	c := &cobra.Command{
		Use:     "roll",
		Short:   "Import a roll into a network on this machine and seal it",
		Example: `  votenode bench roll --entries 1000000`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) (err error) {
			switch {
			case r.Validators < 2:
				return usagef("--validators: a ledger has at least two organisations, each with a validator")
			case r.Voters < 1 || commit < 1:
				return usagef("--entries and --commit-ms are at least 1")
			}
			r.Options, r.Contests = 2, 1
			r.Commit = time.Duration(commit) * time.Millisecond
			r.Talk = talkOf(c)
			if r.Binary, err = os.Executable(); err != nil {
				return err
			}
			report, err := r.Run(c.Context())
			if err != nil {
				return err
			}
			var shown error
			err = show(c, report, func(w io.Writer) { shown = report.Write(w) })
			return errors.Join(err, shown)
		},
	}
	f := c.Flags()
	f.IntVar(&r.Validators, "validators", 4, "validators of both organisations together")
	f.IntVar(&r.Voters, "entries", 100_000, "entries of the roll")
	f.IntVar(&commit, "commit-ms", 1000, "the commit timeout of the network, milliseconds")
	return c
}

func newBenchColdCommand() *cobra.Command {
	b := bench.Cold{}
	var commit int
	c := &cobra.Command{
		Use:   "cold",
		Short: "See whether validators judge full blocks in time of which they have seen nothing before",
		Long: `Give all ballots to one validator while the others are down, then start them: what it proposes is new to them, and
they have to verify whole blocks within the propose timeout. The limit block_units of the parameters sees to it.`,
		Example: `  votenode bench cold --options 30`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) (err error) {
			switch {
			case b.Validators < 2:
				return usagef("--validators: a ledger has at least two organisations, each with a validator")
			case b.Options < 2 || b.Voters < 1 || commit < 1:
				return usagef("--options is at least 2; --ballots and --commit-ms are at least 1")
			}
			b.Contests, b.Rounds = 1, 1
			b.Commit = time.Duration(commit) * time.Millisecond
			b.Talk = talkOf(c)
			if b.Binary, err = os.Executable(); err != nil {
				return err
			}
			report, err := b.Run(c.Context())
			if err != nil {
				return err
			}
			var shown error
			err = show(c, report, func(w io.Writer) { shown = report.Write(w) })
			return errors.Join(err, shown)
		},
	}
	f := c.Flags()
	f.IntVar(&b.Validators, "validators", 4, "validators of both organisations together")
	f.IntVar(&b.Options, "options", 10, "options of a ballot")
	f.IntVar(&b.Voters, "ballots", 20_000, "ballots")
	f.IntVar(&commit, "commit-ms", 200, "the commit timeout of the network, milliseconds")
	f.StringVar(&b.Cache, "cache", cacheFolder(), "folder in which prepared elections are kept")
	return c
}
