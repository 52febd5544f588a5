package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"votenode/client"
	"votenode/genesis/examples"
	"votenode/internal/demo"
	"votenode/internal/figures"
	"votenode/internal/talk"
)

func newDemoCommand() *cobra.Command {
	var (
		results, expect, record string
		elsewhere               string
		nodes                   []string
		limit                   int
		keep                    bool
	)
	c := &cobra.Command{
		Use:   "demo",
		Short: "Hold a whole election on four validators on this machine",
		Long: `Found a ledger of two organisations, run four validators and six trustees as processes of their own, and hold
an election on it from the key ceremony to the audited result: official figures of a held election are dealt out as
ballots, so that the result must be these figures. Bad ballots are sent, and a validator is killed in between.

--results replays any file of figures: CSV with the columns county, town, ballots, office, vote_for, candidate, votes,
the lines of a town together. With --limit only as many towns from the beginning as have that many ballots.

--network holds the election on a network that runs already, such as the one of scripts/compose.sh, and kills nothing: the folder
has its genesis document and, in people, the keys of its officers and registrars, NAME.key, without passphrases; --node names the
gateways of all its validators and of what other nodes must have the same state at the end.

The exported record is kept. Exit code 3: the results differ from the figures, or the audit failed.`,
		Example: `  votenode demo
  votenode demo --results figures.csv --limit 5000 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if limit < 0 {
				return usagef("--limit: %d is below 0", limit)
			}
			if (elsewhere == "") != (len(nodes) == 0) {
				return usagef("--network and --node go together")
			}
			if elsewhere != "" && keep {
				return usagef("--keep: a network that runs already is left as it is anyway")
			}
			options, err := demoFigures(results, expect, limit)
			if err != nil {
				return err
			}
			if options.Binary, err = os.Executable(); err != nil {
				return err
			}
			if record != "" {
				if options.Record, err = filepath.Abs(record); err != nil {
					return err
				}
			}
			options.Keep, options.Elsewhere, options.Nodes = keep, elsewhere, nodes
			options.Talk = &talk.Talk{To: c.ErrOrStderr(), Terminal: isTerminal(c.ErrOrStderr())}
			report, err := demo.Run(c.Context(), options)
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
	c.Flags().StringVar(&results, "results", "", "file of figures to replay, instead of four towns' of New Hampshire in 2014")
	c.Flags().IntVar(&limit, "limit", 0, "replay whole towns, in the order of the file, until they have this many ballots; 0 means all")
	c.Flags().StringVar(&expect, "expect", "", "file of figures that must come out, instead of those that are replayed: a difference must be found")
	c.Flags().StringVar(&record, "record", "", "new folder for the exported record, instead of a temporary one")
	c.Flags().BoolVar(&keep, "keep", false, "leave the network up, and say how to talk to it")
	c.Flags().StringVar(&elsewhere, "network", "", "folder of a network that runs already, instead of a new one")
	c.Flags().StringSliceVar(&nodes, "node", nil, "address of a gateway of that network, separated by commas or with the flag repeated")
	return c
}

// demoFigures reads what is to be replayed and what must come out.
func demoFigures(results, expect string, limit int) (demo.Options, error) {
	o := demo.Options{Source: "New Hampshire, 4 towns, 2014"}
	file, err := examples.FourTowns, error(nil)
	if results != "" {
		o.Source = filepath.Base(results)
		if file, err = os.ReadFile(results); err != nil {
			return o, err
		}
	}
	towns, err := figures.Read(bytes.NewReader(file))
	if err != nil {
		return o, fmt.Errorf("%s: %w", o.Source, err)
	}
	o.Towns, o.Expect = figures.Choose(towns, limit), towns
	if expect == "" {
		return o, nil
	}
	if file, err = os.ReadFile(expect); err != nil {
		return o, err
	}
	if o.Expect, err = figures.Read(bytes.NewReader(file)); err != nil {
		return o, fmt.Errorf("%s: %w", expect, err)
	}
	o.Source += ", compared with " + filepath.Base(expect)
	return o, nil
}

// isTerminal says whether a person watches what is written.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
