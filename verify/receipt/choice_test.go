package receipt_test

import (
	"slices"
	"testing"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/receipt"
)

// TestChoices: the receipts of the open poll of a story, at every height. Its log holds, in order: 0 of voter 0, 1 of voter 3, 2 of voter 4,
// 3 of voter 0 again.
func TestChoices(t *testing.T) {
	e, _ := rehearsal.Story(t)
	poll := &rehearsal.Election{Ledger: e.Ledger, ID: "poll", Voters: e.Voters}
	for index, voter := range []uint64{0, 3, 4, 0} {
		var seen []receipt.Standing
		for height := int64(1); height < e.Height()-1; height++ {
			s := must(e.StateAt(height))
			if must(s.Head(state.LogBallots(poll.ID))).Size <= uint64(index) {
				continue
			}
			r := of(poll, uint64(index), height)
			f, err := verify(e, voter, r)
			if err != nil {
				t.Fatalf("choice %d at height %d: %v", index, height, err)
			}
			if code := must(tx.Parse(r.Ballot)).Cast().Code(rehearsal.Chain); f.Code != code || f.Election != poll.ID || f.LogIndex != uint64(index) {
				t.Errorf("choice %d: %+v", index, f)
			}
			if !slices.Contains(seen, f.Standing) {
				seen = append(seen, f.Standing)
			}
		}
		want := []receipt.Standing{receipt.Counts, receipt.Counted}
		if index == 0 {
			want = []receipt.Standing{receipt.Counts, receipt.Superseded}
		}
		if !slices.Equal(seen, want) {
			t.Errorf("choice %d: %v, want %v", index, seen, want)
		}
	}
}

// TestChangedChoice: a receipt of another choice than the recorded one is none.
func TestChangedChoice(t *testing.T) {
	e, _ := rehearsal.Story(t)
	poll := &rehearsal.Election{Ledger: e.Ledger, ID: "poll", Voters: e.Voters}
	for name, change := range map[string]func(r *pb.Receipt){
		"another choice": func(r *pb.Receipt) { r.Ballot = poll.Choose(4, 1, 2) },
		"a ballot":       func(r *pb.Receipt) { r.Ballot = of(e, 4, e.Height()-2).Ballot },
		"another poll":   func(r *pb.Receipt) { r.Election = e.ID },
	} {
		r := of(poll, 2, e.Height()-2)
		if _, err := verify(e, 4, r); err != nil {
			t.Fatal(err)
		}
		change(r)
		if _, err := verify(e, 4, r); err == nil {
			t.Errorf("%s: it verifies", name)
		}
	}
}
