package gateway

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// TestLongPages: a page ends where it would be too long, goes on where it ended, and has at least one entry, however long that is.
func TestLongPages(t *testing.T) {
	l := must(state.Open(new(state.Memory)))
	draft := l.NewGenesis()
	const deals = 14
	for i := range uint32(deals) {
		state.Save(draft, state.DealKey("primary", "party", 1, i), &pb.Deal{Commitments: make([]byte, 700_000)})
	}
	if err := l.Commit(must(draft.Finish())); err != nil {
		t.Fatal(err)
	}
	var all []string
	for after, pages := "", 1; ; pages++ {
		shown, next, err := recordPage(l.Newest(), "election/primary/deal/", after, maxRecords, func(rest string, d *pb.Deal) (string, int, error) { return rest, 0, nil })
		if err != nil || len(shown) == 0 || len(shown)*700_000 > maxAnswer {
			t.Fatal(len(shown), err)
		}
		all = append(all, shown...)
		if after = next; after == "" {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	for i, rest := range all {
		if rest != fmt.Sprintf("party/00001/%05d", i) {
			t.Errorf("%d: %s", i, rest)
		}
	}
	if len(all) != deals {
		t.Errorf("%d of %d", len(all), deals)
	}
	beside := maxAnswer / escaped / 4 // bytes of text that are not in the record
	few, next, err := recordPage(l.Newest(), "election/primary/deal/", "", maxRecords, func(rest string, d *pb.Deal) (string, int, error) { return rest, beside, nil })
	if err != nil || len(few) != 2 || next != few[1] {
		t.Errorf("%d with long texts, then %q: %v", len(few), next, err)
	}
	draft = l.NewDraft()
	state.Save(draft, state.DealKey("primary", "party", 1, deals), &pb.Voter{Sequence: 1})
	if err := l.Commit(must(draft.Finish())); err != nil {
		t.Fatal(err)
	}
	if _, _, err := recordPage(l.Newest(), "election/primary/deal/", all[deals-1], 1, func(string, *pb.Deal) (int, int, error) { return 0, 0, nil }); err == nil {
		t.Error("a record that is something else is shown")
	}
}

// TestLongContests: the same of contests.
func TestLongContests(t *testing.T) {
	const size = 20
	e := &shownElection{manifest: &pb.Manifest{Contests: make([]pb.Contest, size)}}
	pages, from := 0, uint64(0)
	for want := uint32(0); ; pages++ {
		page, err := contestPage(e, httptest.NewRequest("GET", fmt.Sprintf("/?from=%d", from), nil), func(i uint32) (uint32, int, error) { return i, maxAnswer / 4, nil })
		if err != nil || len(page.Contests) == 0 || len(page.Contests) > 5 {
			t.Fatal(page, err)
		}
		for _, i := range page.Contests {
			if i != want {
				t.Fatalf("%d instead of %d", i, want)
			}
			want++
		}
		if page.Next == nil {
			if want != size {
				t.Errorf("%d of %d", want, size)
			}
			break
		}
		from = *page.Next
	}
	if pages != 3 {
		t.Errorf("%d pages before the last", pages)
	}
}
