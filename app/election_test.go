package app_test

import (
	"reflect"
	"testing"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

func (l *ledger) result(contest uint32) *pb.Result {
	l.t.Helper()
	r := must(state.Load[pb.Result](l.view(), state.ResultKey(l.id, contest)))
	if r == nil {
		l.t.Fatalf("contest %d has no result", contest)
	}
	return r
}

// TestWholeElection runs from the founding to the result, with a re-vote, a spoiled ballot and one trustee of each
// organisation gone at the end.
func TestWholeElection(t *testing.T) {
	l := newLedger(t)
	voters, trustees := l.voting(6)
	shared := l.shared()
	l.accept(
		cast(draft(shared, 0, voters[0], 1, []int{0, 2}, []int{0}), 0, 1),
		cast(draft(shared, 1, voters[1], 1, []int{1}, []int{1}), 1, 1),
		cast(draft(shared, 2, voters[2], 1, []int{1}), 2, 1),
	)
	l.block(5)
	l.accept(cast(draft(shared, 0, voters[0], 2, []int{1}, []int{1}), 0, 2), cast(draft(shared, 3, voters[3], 7, nil, []int{0}), 3, 7))

	challenged := draft(shared, 4, voters[4], 1, []int{2}, []int{0})
	l.accept(spoil(challenged, 4, 1, voters[4]))
	l.refuse(tx.CodeSpoiled, cast(challenged, 4, 1))
	l.refuse(tx.CodeSpoiled, cast(draft(shared, 4, voters[4], 1, []int{2}, []int{0}), 4, 1))
	l.accept(cast(draft(shared, 4, voters[4], 2, []int{2}, []int{0}), 4, 2))

	l.close()
	l.accept(l.partial(trustees[0], 0, 1), l.partial(trustees[1], 0, 1), l.partial(trustees[3], 1))
	l.expectPhase(pb.PHASE_DECRYPTING)
	l.accept(l.partial(trustees[5], 0, 1), l.partial(trustees[3], 0))
	l.expectPhase(pb.PHASE_FINAL)
	for contest, want := range []*pb.Result{
		{Status: pb.RESULT_OPENED, Ballots: 4, Votes: []uint64{0, 2, 1}},
		{Status: pb.RESULT_OPENED, Ballots: 5, Votes: []uint64{2, 3}},
	} {
		if got := l.result(uint32(contest)); !reflect.DeepEqual(got, want) {
			t.Errorf("contest %d: %v, want %v", contest, got, want)
		}
	}
}
