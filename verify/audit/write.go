package audit

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Write writes the report for people.
func (r *Report) Write(w io.Writer) {
	fmt.Fprintf(w, "ledger %s, genesis hash %s\n", r.Chain, r.GenesisHash)
	if r.Trusted {
		fmt.Fprintln(w, "No genesis hash was given: the folder's own genesis document was taken on trust.")
	}
	fmt.Fprintf(w, "blocks 1 to %d; certified: the state after height %d\n", r.Height, r.Certified)
	if r.Since != 0 {
		fmt.Fprintf(w, "signatures and proofs of ballots up to height %d: by the earlier audit whose checkpoint was given\n", r.Since)
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", c.Number, c.Name, c.Outcome, c.Read, c.Found)
	}
	table.Flush()
	for i := range r.Elections {
		r.Elections[i].write(w)
	}
	r.writeMissing(w)
	if r.Passed {
		fmt.Fprintln(w, "\naudit: passed")
	} else {
		fmt.Fprintln(w, "\naudit: failed")
	}
}

func (e *Election) write(w io.Writer) {
	fmt.Fprintf(w, "\nelection %s, %s: %s\n", e.ID, e.Title, e.Phase)
	fmt.Fprintf(w, "%d voters; ballots: %d recorded, %d counted, %d challenged\n", e.Voters, e.Recorded, e.Counted, e.Spoiled)
	for _, code := range slices.Sorted(maps.Keys(e.Refused)) {
		fmt.Fprintf(w, "%d ballots refused: %s\n", e.Refused[code], code)
	}
	if e.Decided != 0 && !e.Certified {
		fmt.Fprintln(w, "The end of this election is not certified in this record.")
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range e.Contests {
		status := c.Status
		if c.MergedInto != nil {
			status = fmt.Sprintf("merged into contest %d", *c.MergedInto)
		}
		paper := c.PaperBallots > 0 || c.PaperInvalid > 0
		if paper {
			status += fmt.Sprintf("; on paper %d, and %d invalid", c.PaperBallots, c.PaperInvalid)
		}
		fmt.Fprintf(table, "%s\t%d ballots\t%s\n", c.Title, c.Ballots, status)
		for _, o := range c.Options {
			switch {
			case c.Status == "opened" && paper:
				fmt.Fprintf(table, "  %s\t%d\tand %d on paper: %d\n", o.Name, o.Votes, o.Paper, o.Votes+o.Paper)
			case c.Status == "opened" || c.Status == "counted":
				fmt.Fprintf(table, "  %s\t%d\t\n", o.Name, o.Votes)
			case paper:
				fmt.Fprintf(table, "  %s\t\t%d on paper\n", o.Name, o.Paper)
			}
		}
	}
	table.Flush()
	for _, c := range e.Contests {
		if len(c.List) > 0 {
			fmt.Fprintf(w, "list of %s\n  %s\n", c.Title, strings.Join(c.List, "\n  "))
		}
	}
}

func (r *Report) writeMissing(w io.Writer) {
	for _, l := range r.Uncertified {
		fmt.Fprintf(w, "\n%s did not by itself certify %d states, after heights%s\n", l.Organisation, l.Count, l.text())
	}
	for _, a := range r.Missing {
		fmt.Fprintf(w, "\n%s %s did not sign %d blocks:%s\n", a.Organisation, a.Validator, a.Count, a.text())
	}
}

// shownRanges bounds the ranges in text.
const shownRanges = 20

func (h *Heights) text() string {
	var b strings.Builder
	for _, r := range h.Ranges[:min(len(h.Ranges), shownRanges)] {
		fmt.Fprintf(&b, " %d", r.From)
		if r.From != r.To {
			fmt.Fprintf(&b, "-%d", r.To)
		}
	}
	if len(h.Ranges) > shownRanges || h.More > 0 {
		b.WriteString(" and more")
	}
	return b.String()
}
