package readable

import (
	"reflect"
	"strings"
	"testing"

	pb "votenode/proto/votenode/v1"
)

func TestLotWords(t *testing.T) {
	both := []string{"league", "party"}
	parts := func(secrets ...[]byte) []pb.LotPart {
		list := make([]pb.LotPart, len(secrets))
		for i := range secrets {
			list[i] = pb.LotPart{Organisation: both[i], Commitment: key(1), Secret: secrets[i]}
		}
		return list
	}
	open := []pb.LotPart{{Organisation: "league", Kept: 1}, {Organisation: "party"}}
	for want, record := range map[string]*pb.Lot{
		"waits for the commitment of league, party; the election is not ready before":           nil,
		"waits for the commitment of party; the election is not ready before":                   {Round: 1, Parts: parts(nil)},
		"committed by all organisations; its block is fixed after the closing":                  {Parts: parts(nil, nil), Height: 7, HeaderHash: key(2)},
		"waits for the secret of party":                                                         {Parts: parts(key(3), nil), Height: 7, HeaderHash: key(2), Fixed: true},
		"round 2, waits for the commitment of league, party":                                    {Round: 2, Parts: open},
		"round 2, waits for the commitment of league":                                           {Round: 2, Parts: []pb.LotPart{open[0], parts(nil, nil)[1]}},
		"round 2, committed by all organisations; its block is fixed next":                      {Round: 2, Parts: parts(nil, nil)},
		"round 2, waits for the secret of league, party":                                        {Round: 2, Parts: parts(nil, nil), Height: 7, HeaderHash: key(2), Fixed: true},
		"round 2, drawn, seed 0404040404040404040404040404040404040404040404040404040404040404": {Round: 2, Parts: parts(key(3), key(3)), Height: 7, HeaderHash: key(2), Fixed: true, Seed: key(4)},
		"drawn, seed 0404040404040404040404040404040404040404040404040404040404040404":          {Parts: parts(key(3), key(3)), Height: 7, HeaderHash: key(2), Fixed: true, Seed: key(4)},
	} {
		if got := ShowLot(both, record).Words(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if shown := ShowLot(both, &pb.Lot{Parts: parts(nil, nil), Height: 7, HeaderHash: key(2)}); shown.Height != 0 || shown.HeaderHash != "" {
		t.Errorf("a block that is not fixed is shown: %+v", shown)
	}
	ended := ShowLot(both, &pb.Lot{Round: 2, Parts: open, Deadline: 5, Renewed: key(6)})
	if ended.Renewed != strings.Repeat("06", 32) || ended.Deadline != 5 || ended.Parts[0].Kept != 1 || ended.Parts[1].Kept != 0 {
		t.Errorf("%+v", ended)
	}
}

func TestShowList(t *testing.T) {
	c := &pb.Contest{Title: "Maslikhat", Options: []string{"Aigul", "Bolat", "Dana"}, List: &pb.ListRule{Seats: 3, Outside: 1}}
	none := &List{Contest: 4, Title: "Maslikhat", Status: "none", Seats: 3, Outside: 1, Places: []ListPlace{}, Substitutions: []Substitution{}, Ties: []Tie{}}
	if got := ShowList(4, c, nil); !reflect.DeepEqual(got, none) {
		t.Errorf("%+v", got)
	}
	want := &List{
		Contest: 4, Title: "Maslikhat", Status: "formed", Seats: 3, Outside: 1, Empty: 1, Young: ListQuota{1, 0}, Women: ListQuota{2, 1},
		Places:        []ListPlace{{1, "Dana", 7, true}},
		Substitutions: []Substitution{{"Dana", "Bolat", 1, "both"}},
		Ties:          []Tie{{7, []string{"Dana", "Aigul"}}},
	}
	if got := ShowList(4, c, &pb.List{
		Status: pb.LIST_FORMED, Seats: 3, Outside: 1, Empty: 1, YoungRequired: 1, WomanRequired: 2, WomanMissing: 1,
		Places:        []pb.ListPlace{{Option: 2, Votes: 7, Substituted: true}},
		Substitutions: []pb.Substitution{{Out: 1, In: 2, Place: 1, Reason: pb.SUBSTITUTION_BOTH}},
		Ties:          []pb.Tie{{Votes: 7, Options: []uint32{2, 0}}},
	}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}
