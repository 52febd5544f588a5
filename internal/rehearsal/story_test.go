package rehearsal

import (
	"slices"
	"testing"

	pb "votenode/proto/votenode/v1"
)

func TestStory(t *testing.T) {
	e, want := Story(t)
	for contest, votes := range want.Votes {
		if got := e.Result(uint32(contest)).Votes; !slices.Equal(got, votes) {
			t.Errorf("contest %d: %v, want %v", contest, got, votes)
		}
	}
	// Dana is on the list by votes; Bolat, who is young, by the lot or by the quota. Erlan is there for Farida.
	if list := e.List(0); len(list.Places) != 2 || list.Places[0].Option != 2 || list.Places[1].Option != 1 || len(list.Ties) != 1 {
		t.Errorf("list %v", list)
	}
	substitution := []pb.Substitution{{Out: 1, In: 0, Reason: pb.SUBSTITUTION_YOUNG, Place: 1}}
	if list := e.List(1); !slices.Equal(list.Substitutions, substitution) {
		t.Errorf("list %v", list)
	}
}
