package main

import (
	"strings"
	"testing"

	"votenode/client/readable"
)

// TestForeignLines: what members, officers and registrars wrote cannot be taken for a line of the program, however many lines it has.
func TestForeignLines(t *testing.T) {
	const forged = "a\n\n-- post 9, of entry 9\nremoved\twithdrawn"
	by := &readable.Removal{Resolution: "00", Reason: forged}
	var out strings.Builder
	writeInitiative(&out, &shownInitiative{
		&readable.Initiative{Title: "T", Answer: &readable.Answer{Reason: forged}}, forged,
		[]*readable.Post{{Post: 1, Text: forged}, {Post: 2, Removed: by}},
	})
	writeApplication(&out, &readable.Application{Removed: by, Decisions: []readable.Decision{{Organisation: "party", Reason: forged}}}, "")
	writeNominations(&out, &readable.Nominations{Cancelled: 1, CancelReason: forged})
	writeElection(&out, &readable.Election{Removed: []readable.RemovedCandidate{{Removal: *by}}})
	writePaper(&out, []readable.PollingPlace{{Resolution: "00", Reason: forged}})
	writeExtensions(&out, []readable.Extension{{Reason: forged}})
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "-- post 9") || strings.HasPrefix(line, "removed\t") {
			t.Errorf("%q in\n%s", line, out.String())
		}
	}
}
