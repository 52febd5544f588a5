package client_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// records are those of one height.
type records map[string][]byte

func (records) Chain() string                                          { return "c" }
func (records) Height() int64                                          { return 7 }
func (r records) Record(_ context.Context, key string) ([]byte, error) { return r[key], nil }

// TestLoadList: a list that does not follow from votes, removals and lot is a failed verification.
func TestLoadList(t *testing.T) {
	c := pb.Contest{
		Options: []string{"Aigul", "Bolat", "Dana"}, Candidates: []pb.Candidate{{}, {Young: true}, {}},
		List: &pb.ListRule{Seats: 2, YoungPercent: 50},
	}
	m := &pb.Manifest{Contests: []pb.Contest{{}, c}}
	seed, result := bytes.Repeat([]byte{3}, 32), &pb.Result{Status: pb.RESULT_OPENED, Votes: []uint64{4, 1, 4}}
	put := func(r records, key string, m election.Message) { r[key] = election.Encode(m) }
	good := func() records {
		r := records{}
		put(r, state.ResultKey("e", 1), result)
		put(r, state.LotKey("e"), &pb.Lot{Fixed: true, Seed: seed})
		put(r, state.ListKey("e", 1), election.FormList(&c, result.Votes, nil, election.Lot{Seed: seed, Contest: 1}))
		return r
	}
	list, err := client.LoadList(t.Context(), good(), "e", m, 1)
	if err != nil || len(list.Places) != 2 || len(list.Ties) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if list, err := client.LoadList(t.Context(), records{}, "e", m, 1); list != nil || err != nil {
		t.Errorf("%v, %v: there is none yet", list, err)
	}
	withheld := good()
	put(withheld, state.ResultKey("e", 1), &pb.Result{Status: pb.RESULT_WITHHELD})
	put(withheld, state.ListKey("e", 1), &pb.List{Status: pb.LIST_WITHHELD, Seats: 2})
	if list, err := client.LoadList(t.Context(), withheld, "e", m, 1); err != nil || list.Status != pb.LIST_WITHHELD {
		t.Errorf("%v, %v", list, err)
	}
	for name, change := range map[string]func(r records){
		"a vote": func(r records) {
			put(r, state.ResultKey("e", 1), &pb.Result{Status: pb.RESULT_OPENED, Votes: []uint64{4, 1, 5}})
		},
		"too few votes": func(r records) {
			put(r, state.ResultKey("e", 1), &pb.Result{Status: pb.RESULT_OPENED, Votes: []uint64{4, 1}})
		},
		"withheld": func(r records) { put(r, state.ResultKey("e", 1), &pb.Result{Status: pb.RESULT_WITHHELD}) },
		"no lot":   func(r records) { put(r, state.LotKey("e"), &pb.Lot{Fixed: true}) },
		"removed": func(r records) {
			put(r, state.RemovedKey("e"), &pb.RemovedCandidates{Removed: []pb.RemovedCandidate{{Contest: 1, Option: 2}}})
		},
		"places": func(r records) {
			other := *list
			other.Places = []pb.ListPlace{list.Places[1], list.Places[0]}
			put(r, state.ListKey("e", 1), &other)
		},
	} {
		r := good()
		change(r)
		if _, err := client.LoadList(t.Context(), r, "e", m, 1); !errors.Is(err, client.ErrVerification) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := good()
	put(other, state.RemovedKey("e"), &pb.RemovedCandidates{Removed: []pb.RemovedCandidate{{Contest: 0, Option: 2}}})
	if _, err := client.LoadList(t.Context(), other, "e", m, 1); err != nil {
		t.Errorf("who was removed from another contest: %v", err)
	}
}
