package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/node"
)

// onStopped opens the home of a node that does not run, and closes it after fn.
func onStopped(home string, fn func(*node.Stopped) error) error {
	s, err := node.OpenStopped(home)
	if err != nil {
		return err
	}
	return errors.Join(fn(s), s.Close())
}

func newNodeInspectCommand() *cobra.Command {
	var home string
	c := &cobra.Command{
		Use:   "inspect",
		Short: "Tell what lies in the folder of a node that does not run",
		Long: `inspect tells which blocks and which state a stopped node has, what its key has signed last, and what the node will do when it is
started. It changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			return onStopped(home, func(s *node.Stopped) error {
				i, err := s.Inspect()
				if err != nil {
					return err
				}
				return show(c, i, func(w io.Writer) { writeInspection(w, i) })
			})
		},
	}
	homeFlag(c, &home)
	return c
}

func writeInspection(w io.Writer, i *node.Inspection) {
	blocks, signed := "none", "nothing yet"
	if i.LastBlock > 0 {
		blocks = fmt.Sprintf("%d to %d", i.FirstBlock, i.LastBlock)
	}
	if i.Signed > 0 {
		signed = fmt.Sprintf("height %d, round %d", i.Signed, i.Round)
	}
	fmt.Fprintf(w, "chain      %s, genesis hash %s\nblocks     %s\nconsensus  height %d\nledger     height %d, states from %d on, app hash %s\n",
		i.Chain, i.GenesisHash, blocks, i.Consensus, i.Ledger, i.OldestLedger, i.AppHash)
	if i.Expected != "" && i.Expected != i.AppHash {
		fmt.Fprintf(w, "MISMATCH   CometBFT has stored the app hash %s for this height\n", i.Expected)
	}
	fmt.Fprintf(w, "signed     %s\n", signed)
	if i.Decided > 0 {
		fmt.Fprintf(w, "decided    height %d %s\n", i.Decided, i.DecidedHash)
	}
	if i.Retired != "" {
		fmt.Fprintf(w, "retired    %s\n", i.Retired)
	}
	for _, name := range []string{"ledger", "comet"} {
		fmt.Fprintf(w, "%-10s %.1f MiB\n", name, float64(i.Bytes[name])/(1<<20))
	}
	fmt.Fprintf(w, "next       %s\n", i.Next)
}

func newNodeRollbackCommand() *cobra.Command {
	var home string
	c := &cobra.Command{
		Use:   "rollback",
		Short: "Have a stopped node execute its newest block again",
		Long: `rollback takes the state of a stopped node back to the height before its newest block. The block stays, and so does all that the node
has signed: the next start executes the block again. It is for a node whose program was wrong, and has been replaced; a node that is
damaged is set up again or restored.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			return onStopped(home, func(s *node.Stopped) error {
				height, err := s.Rollback()
				if err != nil {
					return err
				}
				data := struct {
					Height int64 `json:"height"`
				}{height}
				return show(c, data, func(w io.Writer) {
					fmt.Fprintf(w, "the state is that of height %d; the next start executes block %d again\n", height, height+1)
				})
			})
		},
	}
	homeFlag(c, &home)
	return c
}

func newNodeVerifyStoreCommand() *cobra.Command {
	var home string
	c := &cobra.Command{
		Use:   "verify-store",
		Short: "Read all that a stopped node has stored, and name what is damaged",
		Long: `verify-store reads every block, record, leaf and entry that a stopped node has, and holds them against their hashes and checksums. A node
whose store is damaged is set up again with a fresh folder, or restored; its sign state is kept.

Exit code 3: something is damaged; each fault is a line.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			return onStopped(home, func(s *node.Stopped) error {
				meter := newMeter(c, "blocks and leaves")
				faults, err := s.Verify(c.Context(), meter.set)
				meter.end()
				if err != nil {
					return err
				}
				data := struct {
					Sound  bool     `json:"sound"`
					Faults []string `json:"faults"`
				}{len(faults) == 0, []string{}}
				for _, f := range faults {
					data.Faults = append(data.Faults, f.Error())
				}
				if err := show(c, data, func(w io.Writer) {
					for _, f := range data.Faults {
						fmt.Fprintln(w, f)
					}
					if data.Sound {
						fmt.Fprintln(w, "all that is stored is whole")
					}
				}); err != nil {
					return err
				}
				if !data.Sound {
					return fmt.Errorf("%w: %s is damaged in %d places", client.ErrVerification, home, len(faults))
				}
				return nil
			})
		},
	}
	homeFlag(c, &home)
	return c
}

func newNodeListStateCommand() *cobra.Command {
	var home string
	var height int64
	c := &cobra.Command{
		Use:   "list-state",
		Short: "List the records of a stopped node with their hashes, to be compared with another node's",
		Long: `list-state writes a line of JSON for each record of a height, with the hash of its value, behind a line that names ledger, height and app
hash. The list holds no secret: give it to the operator whose node disagrees, who compares it with: votenode node compare-state.`,
		Example: `  votenode node list-state --home node --height 4711 > records.jsonl`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			return onStopped(home, func(s *node.Stopped) error {
				r, err := s.Records(height)
				if err != nil {
					return err
				}
				return r.Write(c.OutOrStdout())
			})
		},
	}
	homeFlag(c, &home)
	c.Flags().Int64Var(&height, "height", 0, "height of the state; 0 is the newest")
	return c
}

func newNodeCompareStateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "compare-state ONE OTHER",
		Short: "Find the first record in which two nodes differ",
		Long: `compare-state takes two folders of stopped nodes, or a folder and a list from: votenode node list-state, or two lists. Of two folders it
finds the first height at which the states differ, and the first record there, in order of the keys, with both values. A list is of one height.

Exit code 3: they differ.`,
		Example: `  votenode node compare-state node other-node
  votenode node compare-state node records.jsonl`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			height, d, err := compareStates(args[0], args[1])
			if err != nil {
				return err
			}
			data := struct {
				Height     int64            `json:"height"`
				Same       bool             `json:"same"`
				Difference *node.Difference `json:"difference,omitempty"`
			}{height, d == nil, d}
			if err := show(c, data, func(w io.Writer) { writeDifference(w, height, d, args) }); err != nil {
				return err
			}
			if d != nil {
				return fmt.Errorf("%w: the states of height %d differ in the record %q", client.ErrVerification, d.Height, d.Key)
			}
			return nil
		},
	}
	return c
}

// compareStates compares what two arguments name, folders or files.
func compareStates(one, other string) (height int64, d *node.Difference, err error) {
	var homes [2]*node.Stopped
	var files [2]*os.File
	defer func() {
		for i := range homes {
			if homes[i] != nil {
				err = errors.Join(err, homes[i].Close())
			}
			if files[i] != nil {
				files[i].Close()
			}
		}
	}()
	for i, name := range []string{one, other} {
		info, err := os.Stat(name)
		if err == nil && info.IsDir() {
			homes[i], err = node.OpenStopped(name)
		} else if err == nil {
			files[i], err = os.Open(name)
		}
		if err != nil {
			return 0, nil, err
		}
	}
	if homes[0] != nil && homes[1] != nil {
		d, height, err := node.Compare(homes[0], homes[1])
		return height, d, err
	}
	var lists [2]*node.Records
	for i, name := range []string{one, other} {
		if files[i] == nil {
			continue
		}
		if lists[i], err = node.ReadRecords(files[i]); err != nil {
			return 0, nil, fmt.Errorf("%s: %w", name, err)
		}
		height = lists[i].Height
	}
	for i, s := range homes {
		if s == nil {
			continue
		}
		if lists[i], err = s.Records(height); err != nil {
			return 0, nil, err
		}
	}
	d, err = node.FirstDifference(lists[0], lists[1])
	return height, d, err
}

func writeDifference(w io.Writer, height int64, d *node.Difference, names []string) {
	if d == nil {
		fmt.Fprintf(w, "the states of height %d are the same\n", height)
		return
	}
	fmt.Fprintf(w, "first height    %d\nfirst record    %s\n", d.Height, d.Key)
	for i, name := range names {
		what := "none"
		switch {
		case d.Values != nil && d.Values[i] != "":
			what = d.Values[i]
		case d.Hashes[i] != "":
			what = "SHA-256 " + d.Hashes[i]
		}
		fmt.Fprintf(w, "%s: %s\n", name, what)
	}
	if d.Leaf != nil {
		fmt.Fprintf(w, "first leaf      %d\n", *d.Leaf)
	}
}
