package gateway

import (
	"bytes"
	"fmt"
	"math/bits"
	"net/http"
	"slices"
	"testing"

	"votenode/app/state"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

type shownBallot struct {
	LogIndex  uint64 `json:"log_index"`
	Code      string
	RollIndex uint64 `json:"roll_index"`
	Sequence  uint64
	Style     uint32
	Height    int64
}

// askForBallots: the same ballots come in pages of any size, by code and by place, each with the height whose block holds it.
func askForBallots(w *world, e *rehearsal.Election) {
	type page struct {
		Height  int64
		Size    uint64
		Ballots []shownBallot
		Next    *uint64
	}
	var whole page
	w.get("/v1/elections/primary/ballots", &whole)
	if whole.Size != 7 || len(whole.Ballots) != 7 || whole.Next != nil {
		w.Fatalf("%+v", whole)
	}
	for _, limit := range []int{1, 2, 3, 7, 8} {
		var all []shownBallot
		for from := uint64(0); ; {
			var p page
			w.get(fmt.Sprintf("/v1/elections/primary/ballots?from=%d&limit=%d", from, limit), &p)
			all = append(all, p.Ballots...)
			if p.Next == nil {
				break
			}
			from = *p.Next
		}
		if !slices.Equal(all, whole.Ballots) {
			w.Errorf("pages of %d: %+v", limit, all)
		}
	}
	last := map[uint64]shownBallot{}
	for i, b := range whole.Ballots {
		leaf := must(e.View().Leaf(state.LogBallots("primary"), uint64(i)))
		if b.LogIndex != uint64(i) || !slices.ContainsFunc(e.BlockAt(b.Height).Txs.ToSliceOfBytes(), func(raw []byte) bool { return bytes.Equal(raw, leaf) }) {
			w.Errorf("%+v does not stand in its block", b)
		}
		var one struct {
			Height int64
			Ballot shownBallot
		}
		w.get("/v1/elections/primary/ballots/"+b.Code, &one)
		if one.Ballot != b {
			w.Errorf("by code: %+v instead of %+v", one, b)
		}
		last[b.RollIndex] = b
	}
	for voter, want := range map[uint64]string{0: "counts", 1: "revoked", 2: "counts", 6: "none", 7: "revoked"} {
		var place struct {
			Height    int64
			RollIndex uint64 `json:"roll_index"`
			Status    string
			Ballot    *shownBallot
		}
		w.get(fmt.Sprintf("/v1/elections/primary/voters/%d", voter), &place)
		b, voted := last[voter]
		if place.Status != want || place.RollIndex != voter || voted != (place.Ballot != nil) || voted && *place.Ballot != b {
			w.Errorf("voter %d: %+v", voter, place)
		}
	}
	var none page
	w.get("/v1/elections/primary/ballots?from=9223372036854775807&limit=9223372036854775807", &none)
	if none.Ballots == nil || len(none.Ballots) != 0 {
		w.Errorf("%+v", none)
	}
	w.get("/v1/elections/cancelled/ballots", &none)
	if none.Size != 0 || len(none.Ballots) != 0 {
		w.Errorf("%+v", none)
	}
	w.refused(http.StatusNotFound, "/v1/elections/none/ballots")
	w.refused(http.StatusNotFound, "/v1/elections/primary/voters/8")
	w.refused(http.StatusNotFound, "/v1/elections/cancelled/voters/0")
	w.refused(http.StatusNotFound, "/v1/elections/cancelled/ballots/"+whole.Ballots[0].Code)
	w.refused(http.StatusBadRequest, "/v1/elections/primary/voters/-1")
	w.refused(http.StatusBadRequest, "/v1/elections/primary/voters/9999999999999999999")
	w.refused(http.StatusBadRequest, "/v1/elections/primary/ballots/00")
	w.refused(http.StatusBadRequest, "/v1/elections/primary/ballots?from=x")
	w.refused(http.StatusBadRequest, "/v1/elections/primary/ballots?code="+whole.Ballots[0].Code)
}

// TestHeights: what is found is what looking at every leaf finds, from wherever one begins, and few leaves are looked at.
func TestHeights(t *testing.T) {
	l := rehearsal.New(t)
	const last = 100
	for range last {
		l.Make(1)
	}
	for low := int64(1); low <= last; low += 9 {
		for want := int64(1); want <= last+1; want++ {
			h, looked := heights{Snapshot: l.View()}, 0
			leaf, err := h.first(low, func(leaf *pb.BlockLeaf) bool { looked++; return leaf.Height >= want })
			if err != nil {
				t.Fatal(err)
			}
			if found := max(low, want); (leaf == nil) != (found > last) || leaf != nil && leaf.Height != found {
				t.Errorf("from %d: %v instead of %d", low, leaf, found)
			}
			if distance := max(want-low, 0); looked > 2+2*bits.Len64(uint64(distance)) {
				t.Errorf("from %d to %d: %d leaves", low, want, looked)
			}
		}
	}
	first := must((&heights{Snapshot: l.View()}).began(rehearsal.Start))
	if first == nil || first.Height != 1 {
		t.Errorf("the first block: %v", first)
	}
}
