package election_test

import (
	"slices"
	"testing"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

func TestListWords(t *testing.T) {
	c := &pb.Contest{
		Options:    []string{"Aigul", "Bolat", "Dana", "Erlan"},
		Candidates: []pb.Candidate{{}, {}, {}, {Young: true, Woman: true}},
		List:       &pb.ListRule{Seats: 4, Outside: 1, YoungPercent: 50, WomanPercent: 30},
	}
	got := election.ListWords(c, election.FormList(c, []uint64{5, 3, 3, 1}, nil, election.Lot{Seed: seed(0)}))
	want := []string{
		"place 1: Aigul, 5 votes", "place 2: Dana, 3 votes", "place 3: Erlan, 1 votes, by substitution",
		"the last 1 of 4 places are filled outside the primary",
		"substitution: Erlan for Bolat, who would have place 3; for both quotas",
		"quota: 2 young candidates are required, and 1 are missing", "quota: 1 women are required, and on the list",
		"lot: 3 votes each have, in the order of the lot, Dana; Bolat",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	c.List.Seats = 6
	if got := election.ListWords(c, election.FormList(c, []uint64{5, 4, 3, 1}, nil, election.Lot{})); got[4] != "1 places stay empty: there are 4 candidates for 5" {
		t.Errorf("%q", got)
	}
	if got := election.ListWords(c, &pb.List{Status: pb.LIST_WITHHELD}); len(got) != 1 {
		t.Errorf("%q", got)
	}
}
