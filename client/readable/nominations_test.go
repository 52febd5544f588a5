package readable

import (
	"context"
	"encoding/hex"
	"reflect"
	"testing"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// records are those of one height.
type records map[string]election.Message

func (records) Chain() string { return "c" }
func (records) Height() int64 { return 9 }
func (r records) Record(_ context.Context, key string) ([]byte, error) {
	if m, ok := r[key]; ok {
		return election.Encode(m), nil
	}
	return nil, nil
}

func TestRemovedCandidates(t *testing.T) {
	m := &pb.Manifest{Contests: []pb.Contest{{Title: "Mazhilis", Options: []string{"Aigul", "Bolat"}, Candidates: []pb.Candidate{{Application: key(1)}, {Application: key(2)}}}}}
	r := records{
		state.RemovedKey("e"):       &pb.RemovedCandidates{Removed: []pb.RemovedCandidate{{Option: 1, Height: 7, Resolution: key(3)}}},
		state.ResolutionKey(key(3)): &pb.ResolutionRecord{Resolution: pb.Resolution{Reason: "a court says so"}},
	}
	removed, err := RemovedCandidates(t.Context(), r, "e", m)
	want := []RemovedCandidate{{"Mazhilis", "Bolat", hex.EncodeToString(key(2)), Removal{7, hex.EncodeToString(key(3)), "a court says so"}}}
	if err != nil || !reflect.DeepEqual(removed, want) {
		t.Fatalf("%+v, %v", removed, err)
	}
	if none, err := RemovedFrom(t.Context(), records{}, "e"); none != nil || err != nil {
		t.Errorf("%+v, %v: nobody is removed", none, err)
	}
	r[state.RemovedKey("e")] = &pb.RemovedCandidates{Removed: []pb.RemovedCandidate{{Option: 2, Resolution: key(3)}}}
	if _, err := RemovedCandidates(t.Context(), r, "e", m); err == nil {
		t.Error("a candidate whom the manifest does not have")
	}

	// Both organisations have registered Bolat; only the party has decided on Aigul.
	g := &pb.Genesis{Organisations: []pb.GenesisOrganisation{{Organisation: pb.Organisation{Id: "league"}}, {Organisation: pb.Organisation{Id: "party"}}}}
	application := func(hash byte, organisations ...string) *client.Application {
		a := &client.Application{Hash: [32]byte(key(hash))}
		for _, o := range organisations {
			a.Decisions = append(a.Decisions, pb.DecidedApplication{Organisation: o})
		}
		return a
	}
	if a := ShowApplication(g, application(2, "league", "party"), nil); a.Status != "stands" || a.Removed != nil || a.Undecided != nil {
		t.Errorf("%+v", a)
	}
	if a := ShowApplication(g, application(2, "league", "party"), removed); a.Status != "removed" || a.Removed.Reason != "a court says so" {
		t.Errorf("%+v", a)
	}
	if a := ShowApplication(g, application(1, "party"), removed); a.Status != "undecided" || !reflect.DeepEqual(a.Undecided, []string{"league"}) {
		t.Errorf("%+v", a)
	}
}
