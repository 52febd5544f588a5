package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client/readable"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// askForManifest: as JSON under its hash, and as the bytes that have this hash.
func askForManifest(w *world, e *rehearsal.Election) {
	var m struct {
		Hash     string
		Manifest json.RawMessage
	}
	w.get("/v1/elections/primary/manifest", &m)
	manifest := new(pb.Manifest)
	if err := readable.ParseMessage(m.Manifest, manifest); err != nil {
		w.Fatal(err)
	}
	if m.Hash != digest(e.Record().Manifest) || !bytes.Equal(election.Encode(manifest), election.Encode(e.Manifest)) {
		w.Errorf("%+v", m)
	}
	a := w.request("GET", "/v1/elections/primary/manifest?format=protobuf", "")
	if hash := sha256.Sum256(a.body); digest(hash[:]) != m.Hash {
		w.Error("the bytes have another hash")
	}
	w.refused(http.StatusBadRequest, "/v1/elections/primary/manifest?format=xml")
	w.refused(http.StatusNotFound, "/v1/elections/none/manifest")
}

type shownPhases struct {
	Height                       int64
	Phase                        string
	Opening, Closing, Decrypting int64
	RollSealed                   bool   `json:"roll_sealed"`
	RollSize                     uint64 `json:"roll_size"`
	RollRoot                     string `json:"roll_root"`
	KeyDigest                    string `json:"key_digest"`
	TrialPassed                  bool   `json:"trial_passed"`
	ContestsOpen                 int    `json:"contests_open"`
	PlacesOpen                   int    `json:"places_open"`
	Phases                       []struct {
		Phase  string
		Height int64
		Time   time.Time
	}
}

// askForPhases: what begins by time began with the first block of that time.
func askForPhases(w *world, e *rehearsal.Election) {
	var p shownPhases
	w.get("/v1/elections/primary/phases", &p)
	if p.Phase != "final" || !p.RollSealed || p.RollSize != 8 || !p.TrialPassed || p.ContestsOpen != 0 || p.Decrypting != p.Closing+int64(e.Manifest.ObjectionWindow) || len(p.Phases) != 7 {
		w.Fatalf("%+v", p)
	}
	begins := map[string]int64{"voting": p.Opening, "closed": p.Closing, "decrypting": p.Decrypting}
	for i, name := range []string{"setup", "key ceremony", "ready", "voting", "closed", "decrypting", "final"} {
		each := p.Phases[i]
		moment, timed := begins[name]
		if each.Phase != name || timed != (each.Height > 0) {
			w.Errorf("%d: %+v", i, each)
		}
		if timed && (!each.Time.Equal(e.BlockAt(each.Height).Time) || each.Time.Unix() < moment || e.BlockAt(each.Height-1).Time.Unix() >= moment) {
			w.Errorf("%+v did not begin at %d", each, moment)
		}
		if timed {
			at := must(state.LoadElection(must(e.StateAt(each.Height)), "primary"))
			before := must(state.LoadElection(must(e.StateAt(each.Height-1)), "primary"))
			if election.PhaseName(at.Phase) != name || election.PhaseName(before.Phase) == name {
				w.Errorf("%+v: the state says %v", each, at.Phase)
			}
		}
	}
	w.get("/v1/elections/cancelled/phases", &p)
	if len(p.Phases) != 2 || p.Phases[0].Phase != "setup" || p.Phases[1].Phase != "cancelled" || p.Decrypting != 0 {
		w.Errorf("%+v", p.Phases)
	}
	w.refused(http.StatusNotFound, "/v1/elections/none/phases")
	w.refused(http.StatusNotFound, "/v1/elections/%2e%2e%2fprimary/phases")
}

// TestCancelled: of a cancelled election the phases are shown that its records prove.
func TestCancelled(t *testing.T) {
	for last, advance := range map[string]func(*rehearsal.Election){
		"key ceremony": func(*rehearsal.Election) {},
		"ready":        func(e *rehearsal.Election) { e.Accept(rehearsal.Each(e.Everybody(), (*rehearsal.Trustee).Trial)...) },
		"voting":       (*rehearsal.Election).Begin,
		"decrypting": func(e *rehearsal.Election) {
			e.Begin()
			e.Accept(e.Vote(0, 1, []int{0}, []int{0}), e.Vote(1, 1, []int{0}, []int{0}))
			e.Make(e.Record().Closing - e.Now())
			e.Make(int64(e.Manifest.ObjectionWindow))
		},
	} {
		t.Run(last, func(t *testing.T) {
			l := rehearsal.New(t)
			l.Make(1)
			e := l.Create(rehearsal.Manifest("primary"))
			e.Enrol(3)
			e.Seal()
			e.Appoint(3)
			e.MakeKeys()
			advance(e)
			if got := election.PhaseName(e.Record().Phase); got != last {
				t.Fatal(got)
			}
			e.Resolve(&pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: e.ID}}})
			var p shownPhases
			serve(t, l).get("/v1/elections/primary/phases", &p)
			if n := len(p.Phases); n < 3 || p.Phases[n-1].Phase != "cancelled" || p.Phases[n-2].Phase != last {
				t.Errorf("%+v", p.Phases)
			}
		})
	}
}

type contestsPage[T any] struct {
	Height           int64
	Phase            string
	Voters, Recorded uint64
	Step             uint64
	Contests         []T
	Next             *uint64
}

// askForResults: turnout, sums, partial decryptions and results, contest by contest.
func askForResults(w *world, outcome rehearsal.Outcome) {
	type turnout struct {
		Contest uint32
		Title   string
		Ballots uint64
	}
	var t contestsPage[turnout]
	w.get("/v1/elections/primary/turnout", &t)
	// Five count, of whom three see the first contest.
	if t.Voters != 8 || t.Recorded != outcome.Recorded || t.Step != 1 || len(t.Contests) != 2 || t.Contests[0].Ballots != 3 || t.Contests[1].Ballots != outcome.Counted {
		w.Errorf("%+v", t)
	}
	type result struct {
		Contest uint32
		Title   string
		Options []string
		Status  string
		Votes   []uint64
		Sum     []uint64
		Ballots uint64
	}
	type sums struct {
		Contest uint32
		Title   string
		Ballots uint64
		Nonces  []byte
		Options [][]byte
	}
	var whole struct {
		contestsPage[result]
		ID, Title        string
		Opening, Closing int64
	}
	w.get("/v1/elections/primary", &whole)
	if whole.ID != "primary" || whole.Phase != "final" || len(whole.Contests) != 2 || whole.Next != nil || whole.Recorded != outcome.Recorded || whole.Contests[1].Contest != 1 {
		w.Errorf("%+v", whole)
	}
	for i, votes := range outcome.Votes {
		var r contestsPage[result]
		w.get(fmt.Sprintf("/v1/elections/primary/results?from=%d&limit=1", i), &r)
		if r.Phase != "final" || len(r.Contests) != 1 || r.Contests[0].Contest != uint32(i) || r.Contests[0].Status != "opened" || !slices.Equal(r.Contests[0].Votes, votes) || (r.Next == nil) != (i == len(outcome.Votes)-1) {
			w.Errorf("%d: %+v", i, r)
		}
		var s contestsPage[sums]
		w.get(fmt.Sprintf("/v1/elections/primary/tallies?from=%d&limit=1", i), &s)
		if len(s.Contests) != 1 || len(s.Contests[0].Options) != len(votes) || s.Contests[0].Ballots != r.Contests[0].Ballots || len(s.Contests[0].Nonces) != 32 {
			w.Errorf("%d: %+v", i, s)
		}
	}
	var parts struct {
		Height   int64
		Next     string
		Partials []struct {
			Contest       uint32
			Organisation  string
			Trustee       uint32
			Shares, Proof []byte
		}
	}
	total := 0
	for after := ""; ; {
		w.get("/v1/elections/primary/partials?limit=3&after="+after, &parts)
		for _, p := range parts.Partials {
			record := must(state.MustLoad[pb.Partial](w.ledger.View(), state.PartialKey("primary", p.Contest, p.Organisation, p.Trustee)))
			if !bytes.Equal(record.Shares, p.Shares) || !bytes.Equal(record.Proof, p.Proof) {
				w.Errorf("%+v", p)
			}
		}
		total += len(parts.Partials)
		if after = parts.Next; after == "" {
			break
		}
		parts.Next = ""
	}
	if total != 8 {
		w.Errorf("%d partial decryptions", total)
	}
	var none contestsPage[result]
	w.get("/v1/elections/primary/results?from=2", &none)
	w.get("/v1/elections/primary/results?from=9223372036854775807", &none)
	if len(none.Contests) != 0 {
		w.Errorf("%+v", none)
	}
	w.refused(http.StatusNotFound, "/v1/elections/cancelled/tallies")
	var counts struct {
		Height    int64
		Sealed    bool `json:"roll_sealed"`
		Districts []districtCount
		Next      *uint64
	}
	w.get("/v1/elections/primary/roll-counts", &counts)
	if len(counts.Districts) != 2 || !counts.Sealed || counts.Districts[0] != (districtCount{0, "North", 6, 2}) || counts.Districts[1] != (districtCount{1, "South", 2, 0}) {
		w.Errorf("%+v", counts)
	}
	w.get("/v1/elections/primary/roll-counts?from=1&limit=1", &counts)
	if len(counts.Districts) != 1 || counts.Districts[0].District != "South" {
		w.Errorf("%+v", counts)
	}
	for _, kind := range []string{"turnout", "results", "tallies", "roll-counts"} {
		w.refused(http.StatusNotFound, "/v1/elections/none/"+kind)
		w.refused(http.StatusBadRequest, "/v1/elections/primary/"+kind+"?limit=0")
		w.refused(http.StatusBadRequest, "/v1/elections/primary/"+kind+"?after=x")
	}
}
