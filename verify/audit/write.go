package audit

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"votenode/app/text"
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
	for _, n := range r.Nominations {
		fmt.Fprintf(w, "\nnominations %s: %d applications, %d refused, %d withdrawn, %d stand", n.ID, n.Submitted, n.Refused, n.Withdrawn, n.Standing)
		switch {
		case n.Manifest != "":
			fmt.Fprintf(w, "; manifest %s, formed at height %d", n.Manifest, n.Formed)
		case n.Formed != 0:
			fmt.Fprint(w, "; no manifest, for nobody stands")
		case n.Cancelled != nil:
			fmt.Fprintf(w, "; cancelled %s", n.Cancelled.words())
		}
		fmt.Fprintln(w)
	}
	for i := range r.Elections {
		r.Elections[i].write(w)
	}
	r.writeInitiatives(w)
	r.writeMissing(w)
	if r.Passed {
		fmt.Fprintln(w, "\naudit: passed")
	} else {
		fmt.Fprintln(w, "\naudit: failed")
	}
}

func (e *Election) write(w io.Writer) {
	fmt.Fprintf(w, "\nelection %s, %s: %s\n", e.ID, e.Title, e.Phase)
	voters := fmt.Sprintf("%d voters", e.Voters)
	switch {
	case !e.Sealed:
		voters = fmt.Sprintf("%d entries, the roll is not sealed", e.Voters)
	case e.Revoked > 0:
		voters += fmt.Sprintf(", of them %d without a vote: %d struck before, %d revoked later", e.Revoked, e.Struck, e.Revoked-e.Struck)
	}
	fmt.Fprintf(w, "%s; ballots: %d recorded, %d counted, %d challenged\n", voters, e.Recorded, e.Counted, e.Spoiled)
	for _, code := range slices.Sorted(maps.Keys(e.Refused)) {
		fmt.Fprintf(w, "%d ballots refused: %s\n", e.Refused[code], code)
	}
	if e.Decided != 0 && !e.Certified {
		fmt.Fprintln(w, "The end of this election is not certified in this record.")
	}
	for _, x := range e.Extensions {
		fmt.Fprintf(w, "extended from %s to %s, cause %s, %s\n", x.OldClosing.Format(time.RFC3339), x.Closing.Format(time.RFC3339), x.Cause, x.words())
	}
	for _, c := range e.Removed {
		fmt.Fprintf(w, "removed: %s of %s, %s\n", c.Name, c.Contest, c.words())
	}
	for _, l := range e.Rounds {
		fmt.Fprintf(w, "round %d of the lot: ended without the secrets of %s, %s\n", l.Round, strings.Join(l.Missing, ", "), l.words())
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

// words says by what it was decided, on one line: a reason may have line feeds, and must not write lines of the report.
func (d *Decided) words() string {
	return fmt.Sprintf("by resolution %s at height %d: %s", d.Resolution, d.Height, text.OneLine(d.Reason))
}

func (r *Report) writeInitiatives(w io.Writer) {
	for _, i := range r.Initiatives {
		fmt.Fprintf(w, "\ninitiative %d, of the roll of %s: %s\n%d supports, %d comments\n", i.Number, i.Election, i.Title, i.Supports, i.Comments)
		if i.Owed != 0 {
			fmt.Fprintf(w, "answer owed since height %d, due by height %d\n", i.Owed, i.Deadline)
		}
		if i.Answer != nil {
			fmt.Fprintf(w, "answered %s\n", i.Answer.words())
		}
		if i.Removed != nil {
			fmt.Fprintf(w, "removed %s\n", i.Removed.words())
		}
	}
	for _, p := range r.RemovedComments {
		fmt.Fprintf(w, "\ncomment, post %d: removed %s\n", p.Post, p.words())
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
