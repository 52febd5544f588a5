package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"votenode/app/text"
	"votenode/client/readable"
)

func newElectionPaperCommand() *cobra.Command {
	var ledger ledgerFlags
	var form string
	c := &cobra.Command{
		Use:   "paper ID",
		Short: "Show what the polling places of an election have reported",
		Long: `Show which polling places have reported, which are excused, and which are missing: decryption waits for these.
With --form PLACE print the totals of a polling place, to be filled in and proposed with 'votenode resolution propose paper-totals'.
Where a resolution about the place stands already, the form names it: what is proposed then corrects it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := viewAt(c, &ledger, args[0], "")
			if err != nil {
				return err
			}
			if form == "" {
				places, err := readable.ShowPaper(c.Context(), v, args[0])
				if err != nil {
					return err
				}
				return show(c, places, func(w io.Writer) { writePaper(w, places) })
			}
			totals, manifest, err := readable.PaperForm(c.Context(), v, args[0], form)
			if err != nil {
				return err
			}
			for _, contest := range totals.Contests {
				say(c, "contest %d, %s; votes in this order: %s", contest.Contest, manifest.Contests[contest.Contest].Title, strings.Join(manifest.Contests[contest.Contest].Options, ", "))
			}
			_, err = c.OutOrStdout().Write(readable.FormatMessage(totals))
			return err
		},
	}
	ledger.add(c)
	c.Flags().StringVar(&form, "form", "", "print the totals of this polling place, to be filled in")
	return c
}

func writePaper(w io.Writer, places []readable.PollingPlace) {
	for _, p := range places {
		fmt.Fprintf(w, "%-20s  %-8s  %s\n", p.ID, p.Status, p.Title)
		if p.Resolution != "" {
			fmt.Fprintf(w, "    resolution %s: %s\n", p.Resolution, text.OneLine(p.Reason))
		}
		if t := p.Totals; t != nil {
			fmt.Fprintf(w, "    %d entitled, %d ballots issued: %d spoiled, %d cast, %d not returned\n", t.Entitled, t.Issued, t.Spoiled, t.Cast, t.NotReturned)
			for _, contest := range t.Contests {
				fmt.Fprintf(w, "    contest %d: %d valid, %d invalid, votes %v\n", contest.Contest, contest.Valid, contest.Invalid, contest.Votes)
			}
		}
	}
}

func newElectionExtensionsCommand() *cobra.Command {
	var ledger ledgerFlags
	c := &cobra.Command{
		Use:   "extensions ID",
		Short: "Show why an election was extended, and what the ledger knows of that time",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := viewAt(c, &ledger, args[0], "")
			if err != nil {
				return err
			}
			list, err := readable.ShowExtensions(c.Context(), v, args[0])
			if err != nil {
				return err
			}
			return show(c, list, func(w io.Writer) { writeExtensions(w, list) })
		},
	}
	ledger.add(c)
	return c
}

func writeExtensions(w io.Writer, list []readable.Extension) {
	for _, x := range list {
		old, closing := time.Unix(x.OldClosing, 0).UTC(), time.Unix(x.Closing, 0).UTC()
		fmt.Fprintf(w, "extension %d, %s: %s\n    closing %s instead of %s, resolution %s at height %d\n",
			x.Number, x.Cause, text.OneLine(x.Reason), momentText(&closing), momentText(&old), x.Resolution, x.Height)
		if x.From == 0 {
			continue
		}
		fmt.Fprintf(w, "    heights %d to %d; the longest time without a block was %v, before height %d\n", x.From, x.To, time.Duration(x.LongestGap), x.GapHeight)
		for _, v := range x.Validators {
			fmt.Fprintf(w, "    %.16s has not signed %d of %d", v.Key, v.Missed, x.To-x.From+1)
			switch {
			case v.Intake != nil:
				fmt.Fprintf(w, "; between its reports of heights %d and %d: taken %d, from peers %d, verified %d, slips %d",
					v.Before.Height, v.After.Height, v.Intake.Taken, v.Intake.FromPeers, v.Intake.Verified, v.Intake.Slips)
				for _, code := range slices.Sorted(maps.Keys(v.Intake.Refused)) {
					fmt.Fprintf(w, ", %s %d", code, v.Intake.Refused[code])
				}
			case v.Before != nil && v.After != nil:
				fmt.Fprint(w, "; its node was started anew")
			default:
				fmt.Fprint(w, "; no reports around it")
			}
			fmt.Fprintln(w)
		}
	}
}
