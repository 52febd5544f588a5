package gateway

import (
	"fmt"
	"slices"
	"testing"

	"votenode/internal/rehearsal"
)

type shownReport struct {
	LogIndex                      uint64 `json:"log_index"`
	Recorded, Height              int64
	Organisation, Validator       string
	SlipKey                       string `json:"slip_key"`
	Start, Taken, Verified, Slips uint64
	FromPeers                     uint64 `json:"from_peers"`
	Refused                       map[string]uint64
}

// TestIntakeReports: the reports of the log come in pages of any size, by the blocks that brought them and by validator.
func TestIntakeReports(t *testing.T) {
	l := rehearsal.New(t)
	names := []string{"league validator 1", "party validator 2", "league validator 2"}
	var blocks []int64 // of the reports, by index
	for round := range uint64(3) {
		for l.Height() < int64(60*(round+1)) {
			l.Make(1)
		}
		for i, name := range names {
			if i == 2 {
				l.Make(1)
			}
			l.Accept(l.Report(name, 1, 10*round))
			blocks = append(blocks, l.Height())
		}
	}
	l.Make(1)
	w := serve(t, l)
	list := func(query string) (all []shownReport) {
		t.Helper()
		for next := uint64(0); ; {
			var page struct {
				Height  int64
				Size    uint64
				Reports []shownReport
				Next    *uint64
			}
			w.get(fmt.Sprintf("/v1/intake-reports?from=%d&%s", next, query), &page)
			if page.Size != 9 {
				t.Fatalf("%+v", page)
			}
			if all = append(all, page.Reports...); page.Next == nil {
				return all
			}
			next = *page.Next
		}
	}
	whole := list("limit=100")
	for i, r := range whole {
		if r.LogIndex != uint64(i) || r.Recorded != blocks[i] || r.Height != int64(60*(i/3+1)) || r.Validator != names[i%3] || r.Taken != uint64(10*(i/3)) ||
			r.Start != 1 || r.Slips != r.Taken || r.FromPeers != 3*r.Taken || r.Verified != r.Taken+1 || r.Refused["sequence"] != r.Taken+1 || r.Refused["retry_later"] != 2 {
			t.Errorf("%d: %+v", i, r)
		}
	}
	indices := func(list []shownReport) (all []uint64) {
		for _, r := range list {
			all = append(all, r.LogIndex)
		}
		return all
	}
	for query, want := range map[string][]uint64{
		"limit=1": {0, 1, 2, 3, 4, 5, 6, 7, 8}, "limit=2": {0, 1, 2, 3, 4, 5, 6, 7, 8},
		fmt.Sprintf("since=%d", blocks[3]):                             {3, 4, 5, 6, 7, 8},
		fmt.Sprintf("since=%d", blocks[3]+1):                           {4, 5, 6, 7, 8},
		fmt.Sprintf("until=%d", blocks[3]):                             {0, 1, 2, 3},
		fmt.Sprintf("until=%d", blocks[3]-1):                           {0, 1, 2},
		fmt.Sprintf("since=%d&until=%d&limit=1", blocks[2], blocks[4]): {2, 3, 4},
		"since=0": {0, 1, 2, 3, 4, 5, 6, 7, 8}, "until=0": nil, "since=1000": nil, "until=59": nil,
		fmt.Sprintf("limit=1&slip_key=%s", whole[1].SlipKey): {1, 4, 7},
		fmt.Sprintf("slip_key=%064x", 1):                     nil,
	} {
		if got := indices(list(query)); !slices.Equal(got, want) {
			t.Errorf("%s: %v instead of %v", query, got, want)
		}
	}
}
