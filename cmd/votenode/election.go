package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"votenode/app/text"
	"votenode/client"
	"votenode/client/readable"
)

func newElectionCommand() *cobra.Command {
	return group("election", "Look at elections and results", newElectionListCommand(), newElectionShowCommand(), newElectionResultCommand(),
		newElectionPaperCommand(), newElectionExtensionsCommand())
}

func newElectionListCommand() *cobra.Command {
	var ledger ledgerFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List all elections",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			v, err := ledger.view(c)
			if err != nil {
				return err
			}
			ids, err := client.Elections(c.Context(), v)
			if err != nil {
				return err
			}
			list := []*readable.Election{}
			for _, id := range ids {
				e, err := readable.ShowElection(c.Context(), v, id)
				if err != nil {
					return err
				}
				list = append(list, e)
			}
			return show(c, list, func(w io.Writer) {
				for _, e := range list {
					fmt.Fprintf(w, "%-40s  %-12s  %s\n", e.ID, e.Phase, e.Title)
				}
			})
		},
	}
	ledger.add(c)
	return c
}

// untilFlag lets a command wait for a phase.
func untilFlag(c *cobra.Command) *string {
	return c.Flags().String("until", "", "wait until the election has reached this phase: setup, key ceremony, ready, voting, closed, decrypting, final")
}

// viewAt returns the newest certified state, or the first in which the election has reached a phase.
func viewAt(c *cobra.Command, ledger *ledgerFlags, id, phase string) (*client.View, error) {
	if phase == "" {
		l, err := ledger.open(c)
		if err != nil {
			return nil, err
		}
		return l.Certified(c.Context())
	}
	wanted, err := readable.ParsePhase(phase)
	if err != nil {
		return nil, usagef("--until: %w", err)
	}
	l, err := ledger.open(c)
	if err != nil {
		return nil, err
	}
	return readable.UntilPhase(c.Context(), l, id, wanted)
}

func newElectionShowCommand() *cobra.Command {
	var ledger ledgerFlags
	var until *string
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show an election: phase, times, roll, keys and ceremonies",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := viewAt(c, &ledger, args[0], *until)
			if err != nil {
				return err
			}
			e, err := readable.ShowElection(c.Context(), v, args[0])
			if err != nil {
				return err
			}
			return show(c, e, func(w io.Writer) { writeElection(w, e) })
		},
	}
	ledger.add(c)
	until = untilFlag(c)
	return c
}

func writeElection(w io.Writer, e *readable.Election) {
	fmt.Fprintf(w, "election   %s\ntitle      %s\nphase      %s at certified height %d\nopening    %s\nclosing    %s\n",
		e.ID, e.Title, e.Phase, e.Height, momentText(e.Opening), momentText(e.Closing))
	sealed := "not sealed"
	if e.RollSealed {
		sealed = "sealed"
	}
	fmt.Fprintf(w, "roll       %d entries, %s, root %s\nballots    %d recorded\n", e.RollSize, sealed, e.RollRoot, e.Recorded)
	if e.RollOf != "" {
		fmt.Fprintf(w, "roll of    %s\n", e.RollOf)
	}
	for _, r := range e.Removed {
		fmt.Fprintf(w, "removed    %s of %s, at height %d by resolution %s: %s; %s\n", r.Candidate, r.Contest, r.Height, r.Resolution, text.OneLine(r.Reason), readable.RemovedVotes)
	}
	if e.OpenChoices {
		fmt.Fprintln(w, "choices    open: signed, not encrypted, and counted at once")
		return
	}
	fmt.Fprintf(w, "keys       %s\ntrial      passed: %t\n", e.KeyDigest, e.TrialPassed)
	for _, place := range e.PlacesMissing {
		fmt.Fprintf(w, "paper      polling place %s has neither reported nor is excused; decryption waits for it\n", place)
	}
	if e.Lot != nil {
		fmt.Fprintf(w, "lot        %s\n", e.Lot.Words())
	}
	for _, o := range e.Ceremonies {
		fmt.Fprintf(w, "ceremony   %s: %d of %d, attempt %d, %s\n", o.Organisation, o.Quorum, len(o.Trustees), o.Attempt, o.Step)
		for _, t := range o.Trustees {
			if t.Ejected != "" {
				fmt.Fprintf(w, "           trustee %d, %s, is out: %s\n", t.Index, t.Name, t.Ejected)
			}
		}
	}
}

func momentText(t *time.Time) string {
	if t == nil {
		return "not set"
	}
	return t.Format("2006-01-02 15:04:05 MST")
}

func newElectionResultCommand() *cobra.Command {
	var ledger ledgerFlags
	var until *string
	c := &cobra.Command{
		Use:   "result ID",
		Short: "Show the result of an election",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := viewAt(c, &ledger, args[0], *until)
			if err != nil {
				return err
			}
			contests, err := readable.ShowResult(c.Context(), v, args[0])
			if err != nil {
				return err
			}
			return show(c, contests, func(w io.Writer) { writeResult(w, contests) })
		},
	}
	ledger.add(c)
	until = untilFlag(c)
	return c
}

func writeResult(w io.Writer, contests []readable.Contest) {
	for _, c := range contests {
		paper := c.PaperBallots > 0 || c.PaperInvalid > 0
		switch {
		case c.Status == "opened" || c.Status == "counted":
			fmt.Fprintf(w, "%s: %d ballots", c.Title, c.Ballots)
		case c.Status == "merged" && int(*c.MergedInto) < len(contests):
			fmt.Fprintf(w, "%s: merged into %s", c.Title, contests[*c.MergedInto].Title)
		default:
			fmt.Fprintf(w, "%s: %s", c.Title, c.Status)
		}
		if paper {
			fmt.Fprintf(w, ", %d on paper and %d invalid", c.PaperBallots, c.PaperInvalid)
		}
		fmt.Fprintln(w)
		for _, o := range c.Options {
			name := o.Option
			if o.Removed {
				name += " (removed)"
			}
			switch {
			case c.Status != "opened" && c.Status != "counted":
				fmt.Fprintf(w, "%12s  %s, %d on paper\n", "", name, o.Paper)
			case paper:
				fmt.Fprintf(w, "%12d  %s, %d electronic and %d on paper\n", o.Sum, name, o.Votes, o.Paper)
			default:
				fmt.Fprintf(w, "%12d  %s\n", o.Votes, name)
			}
		}
	}
}
