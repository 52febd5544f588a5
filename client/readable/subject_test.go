package readable

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// published are documents on the ledger, by the publisher 1.
type published map[string][]byte

func (published) Chain() string                                          { return "c" }
func (published) Height() int64                                          { return 9 }
func (p published) Record(_ context.Context, key string) ([]byte, error) { return p[key], nil }

func (p published) publish(document []byte) []byte {
	hash := sha256.Sum256(document)
	p[state.DocumentKey(hash[:])] = election.Encode(&pb.Document{Size_: uint64(len(document)), Publisher: key(1)})
	p[state.ChunkKey(hash[:], key(1), 0)] = document
	return hash[:]
}

func TestSubject(t *testing.T) {
	m := manifest()
	m.Title, m.RevoteInterval, m.ObjectionWindow, m.CeremonyStep, m.OpenMin = "Primary", 1, 1, 60, 1
	if err := election.CheckManifest(m); err != nil {
		t.Fatal(err)
	}
	p := published{}
	rules, answer := p.publish(election.Encode(m)), p.publish([]byte("Yes."))
	for name, c := range map[string]struct {
		decision pb.Resolution
		want     Subject
	}{
		"manifest":    {pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: rules}}}, Subject{"create_election", "primary", rules}},
		"no document": {pb.Resolution{Decision: &pb.Resolution_OpenNominations{OpenNominations: &pb.OpenNominations{Nominations: key(7)}}}, Subject{"open_nominations", "", key(7)}},
		"answer":      {pb.Resolution{Decision: &pb.Resolution_AnswerInitiative{AnswerInitiative: &pb.AnswerInitiative{Document: answer}}}, Subject{"answer_initiative", "", answer}},
		"cancel":      {pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: "e"}}}, Subject{"cancel_election", "e", nil}},
		"nominations": {pb.Resolution{Decision: &pb.Resolution_CancelNominations{CancelNominations: &pb.CancelNominations{Nominations: "n"}}}, Subject{"cancel_nominations", "n", nil}},
		"no election": {pb.Resolution{Decision: &pb.Resolution_RemovePost{RemovePost: &pb.RemovePost{}}}, Subject{"remove_post", "", nil}},
	} {
		got, err := SubjectOf(t.Context(), p, &c.decision)
		if err != nil || got.Decision != c.want.Decision || got.Election != c.want.Election || !bytes.Equal(got.Document, c.want.Document) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if d, err := LoadDocument(t.Context(), p, rules); err != nil || d.Words != `the manifest of election "primary", Primary: 2 contests, 2 ballot styles` || !strings.Contains(string(d.Text), `"title": "Primary"`) {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := LoadDocument(t.Context(), p, answer); err != nil || string(d.Text) != "Yes." {
		t.Errorf("%+v, %v", d, err)
	}
	p[state.ChunkKey(answer, key(1), 0)] = []byte("No!!")
	if _, err := LoadDocument(t.Context(), p, answer); !errors.Is(err, client.ErrVerification) {
		t.Errorf("%v: another document was read for %s", err, hex.EncodeToString(answer))
	}
}
