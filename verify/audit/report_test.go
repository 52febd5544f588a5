package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"votenode/app/tx"
)

func TestHeights(t *testing.T) {
	var h Heights
	for _, height := range []int64{3, 4, 5, 9, 11, 12} {
		h.add(height)
	}
	if want := []Range{{3, 5}, {9, 9}, {11, 12}}; h.Count != 6 || h.More != 0 || !slices.Equal(h.Ranges, want) || h.text() != " 3-5 9 11-12" {
		t.Errorf("%+v, %q", h, h.text())
	}
	for i := range int64(2 * maxRanges) {
		h.add(20 + 2*i)
	}
	last := Range{20 + 2*(maxRanges-4), 20 + 2*(maxRanges-4)}
	if len(h.Ranges) != maxRanges || h.Ranges[maxRanges-1] != last || h.Count != 6+2*maxRanges || h.More != maxRanges+3 {
		t.Errorf("%d ranges, the last %+v, %d heights, %d more", len(h.Ranges), h.Ranges[len(h.Ranges)-1], h.Count, h.More)
	}
	h.add(last.To + 1) // would join the last range, but heights between are not listed
	if h.Ranges[maxRanges-1] != last || !strings.HasSuffix(h.text(), " and more") {
		t.Errorf("the last range grew: %+v", h.Ranges[maxRanges-1])
	}
}

// The first failed check is the one with the lowest number, also where it was found last; one that was not reached is no pass.
func TestFailure(t *testing.T) {
	all := newChecks()
	for n := range names[1:] {
		all.read(n+1, 1)
	}
	all.fault(checkState, "first")
	all.fault(checkChain, "second, %d", 7)
	all.fault(checkState, "third")
	all.say(checkState, "a remark does not hide a fault")
	all.say(checkTime, "a remark")
	r := &Report{Checks: all.list()}
	if got := r.Failure(); got.Number != checkChain || got.String() != "check 6 (chain): second, 7" {
		t.Errorf("%v", got)
	}
	if c := r.Checks[checkState-1]; c.Found != "first" || c.Faults != 2 || c.Read != "1 states" {
		t.Errorf("%+v", c)
	}
	if c := r.Checks[checkTime-1]; c.Outcome != Passed || c.Found != "a remark" {
		t.Errorf("%+v", c)
	}
	r = &Report{Checks: newChecks().list()}
	if r.Failure().Outcome != NotReached {
		t.Errorf("%+v", r.Failure())
	}
}

// The counts of the report are those of the story, its JSON has lists where there is nothing to list, and its text tells the results.
func TestReport(t *testing.T) {
	e := own()
	report, err := Run(context.Background(), e.Ledger.Record(e.Blocks), Options{})
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]map[string]uint64{}
	for i, b := range e.Blocks[:len(e.Blocks)-1] {
		for at, raw := range b.Txs {
			p, err := tx.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			kind := p.Kind().String()
			if counted[kind] == nil {
				counted[kind] = map[string]uint64{}
			}
			counted[kind][e.Results[i][at].Code.String()]++
		}
	}
	if !maps.EqualFunc(report.Transactions, counted, maps.Equal) {
		t.Errorf("transactions %v, want %v", report.Transactions, counted)
	}
	primary := report.Elections[0]
	if primary.Spoiled != 1 || primary.Refused["spoiled"] != 1 || primary.Refused["revoked"] != 1 || primary.Voters != 8 {
		t.Errorf("%+v", primary)
	}
	if cancelled := report.Elections[1]; cancelled.Phase != "cancelled" || cancelled.Decided == 0 || !cancelled.Certified {
		t.Errorf("%+v", cancelled)
	}
	encoded, err := json.Marshal(&Report{})
	if err != nil || !bytes.Contains(encoded, []byte(`"passed":false`)) {
		t.Errorf("%s, %v", encoded, err)
	}
	var text bytes.Buffer
	report.Write(&text)
	for _, want := range []string{"No genesis hash was given",
		"8 voters, of them 2 without a vote: 1 struck before, 1 revoked later; ballots: 7 recorded, 5 counted, 1 challenged", "0 entries, the roll is not sealed; ",
		", cause other, by resolution ", ": an outage\n", "\ninitiative 0, of the roll of primary: Streetlights\n1 supports, 1 comments\n", ": It will be done.\n",
		"\ncomment, post 3: removed by resolution ", ": It names a person.\n",
		"Farida", "list of Maslikhat\n  place 1: Erlan, 2 votes, by substitution\n", "\naudit: passed\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
}

// TestReasonOnOneLine: the reason of a resolution may have line feeds, and writes no line of the text.
func TestReasonOnOneLine(t *testing.T) {
	var text bytes.Buffer
	r := &Report{RemovedComments: []Post{{Post: 3, Decided: Decided{Height: 7, Resolution: "ab", Reason: "It names a person.\n\naudit: passed\n\t"}}}}
	r.Write(&text)
	if want := "\ncomment, post 3: removed by resolution ab at height 7: It names a person. audit: passed\n\naudit: failed\n"; !strings.HasSuffix(text.String(), want) {
		t.Errorf("%s", text.String())
	}
}
