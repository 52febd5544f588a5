package gateway

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"votenode/app/state"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// digest is how hashes and keys are shown.
func digest(b []byte) string { return hex.EncodeToString(b) }

// TestLedgerForPeople asks of a ledger on which a whole election was held what is served for people.
func TestLedgerForPeople(t *testing.T) {
	e, outcome := rehearsal.Story(t)
	w := serve(t, e.Ledger)
	for name, ask := range map[string]func(*world, *rehearsal.Election){
		"parties": askForParties, "signatures": askForSignatures, "resolutions": askForResolutions, "manifest": askForManifest,
		"phases": askForPhases, "ceremony": askForCeremony, "ballots": askForBallots, "poll": askForPoll, "absence": askForAbsence, "logs": askForLogs,
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.TB = t
			ask(&w, e)
		})
	}
	t.Run("results", func(t *testing.T) {
		w := *w
		w.TB = t
		askForResults(&w, outcome)
	})
}

func askForParties(w *world, e *rehearsal.Election) {
	type people []struct {
		Name, Key              string
		Documents, Resolutions int
	}
	type organisation struct {
		Height        int64
		ID, Title     string
		OfficerQuorum int `json:"officer_quorum"`
		Officers      people
		Registrars    people
		Term          uint64
	}
	var all struct {
		Height        int64
		Organisations []organisation
	}
	w.get("/v1/organisations", &all)
	if all.Height != e.Height() || len(all.Organisations) != 2 || all.Organisations[0].ID != "league" || all.Organisations[1].ID != "party" {
		w.Fatalf("%+v", all)
	}
	var party organisation
	w.get("/v1/organisations/party", &party)
	// The story gives the party a fourth officer.
	if party.OfficerQuorum != 2 || len(party.Officers) != 4 || len(party.Registrars) != 1 || party.Term != 1 || !slices.Equal(party.Officers, all.Organisations[1].Officers) {
		w.Errorf("%+v", party)
	}
	acts := 0
	for _, o := range party.Officers {
		if o.Name == "party officer 1" {
			acts = o.Documents
		}
	}
	if acts != 3 {
		w.Errorf("the officer who published three manifests has begun %d documents", acts)
	}
	w.refused(http.StatusNotFound, "/v1/organisations/nobody")
	w.refused(http.StatusNotFound, "/v1/organisations/NOBODY")
	w.refused(http.StatusBadRequest, "/v1/organisations?x=1")

	var sets struct {
		Height             int64
		Present, Announced *shownEpoch
	}
	w.get("/v1/validators", &sets)
	var names []string
	for _, v := range sets.Present.Validators {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	if sets.Present.Number != 2 || sets.Announced != nil || fmt.Sprint(names) != "[league validator 1 league validator 2 party validator 1 party validator 3]" {
		w.Errorf("%+v", sets)
	}
}

// shownEpoch is a validator set as it is read from JSON.
type shownEpoch struct {
	Number      uint64
	FirstHeight int64 `json:"first_height"`
	Validators  []struct {
		Organisation, Name, Key, Address, P2P string
		Power                                 int64
		SlipKey                               string `json:"slip_key"`
		NodeID                                string `json:"node_id"`
	}
}

type signedHeights struct {
	Height  int64
	Next    int64
	Heights []struct {
		Height          int64
		Time            time.Time
		Block, Proposer string
		Round           int
		Signatures      []struct {
			Address, Organisation, Validator, Vote string
			Power                                  int64
			Time                                   *time.Time
		}
	}
}

// askForSignatures: page by page every height up to the last but one, each with the votes that its commit holds, under names that were in
// force then; and the evidence against the validator that signed twice.
func askForSignatures(w *world, e *rehearsal.Election) {
	absent, next := map[string]int{}, int64(1)
	seen := int64(0)
	for next != 0 {
		var page signedHeights
		w.get(fmt.Sprintf("/v1/signatures?from=%d&limit=7", next), &page)
		for _, h := range page.Heights {
			if seen++; h.Height != seen || h.Block != digest(e.BlockAt(seen).Hash()) || !h.Time.Equal(e.BlockAt(seen).Time) || len(h.Signatures) != 4 {
				w.Fatalf("height %d: %+v", seen, h)
			}
			for _, s := range h.Signatures {
				if (s.Vote == "absent") != (s.Time == nil) {
					w.Errorf("%+v", s)
				}
				if s.Vote == "absent" {
					absent[s.Validator]++
				}
			}
		}
		next = page.Next
	}
	if seen != e.Height()-1 {
		w.Errorf("%d heights of %d", seen, e.Height())
	}
	if len(absent) != 1 || absent["party validator 2"] == 0 {
		w.Errorf("absent: %v", absent)
	}
	last := must(state.MustLoad[pb.ValidatorEpochs](e.View(), state.KeyValidators)).Present.FirstHeight
	for h, want := range map[int64]string{last - 1: "party validator 2", last: "party validator 3"} {
		var page signedHeights
		w.get(fmt.Sprintf("/v1/signatures?from=%d&limit=1", h), &page)
		found := false
		for _, s := range page.Heights[0].Signatures {
			found = found || s.Validator == want && s.Vote == "block"
		}
		if !found {
			w.Errorf("height %d: %s did not sign: %+v", h, want, page)
		}
	}
	var none signedHeights
	w.get(fmt.Sprintf("/v1/signatures?from=%d", e.Height()), &none)
	if none.Heights == nil || len(none.Heights) != 0 || none.Next != 0 {
		w.Errorf("%+v", none)
	}
	w.get("/v1/signatures?from=9223372036854775807&limit=9223372036854775807", &none)
	for _, q := range []string{"", "?from=0", "?from=-1", "?from=1&limit=0", "?from=1&limit=x", "?from=1&limit=%zz", "?from=1;limit=1"} {
		w.refused(http.StatusBadRequest, "/v1/signatures"+q)
	}

	var evidence struct {
		Height   int64
		Next     string
		Evidence []struct {
			Height, Reported                       int64
			Time                                   time.Time
			Type, Address, Organisation, Validator string
		}
	}
	w.get("/v1/evidence", &evidence)
	if len(evidence.Evidence) != 1 || evidence.Next != "" || evidence.Evidence[0].Type != "duplicate vote" || evidence.Evidence[0].Validator != "party validator 2" ||
		evidence.Evidence[0].Reported <= evidence.Evidence[0].Height {
		w.Errorf("%+v", evidence)
	}
	w.get("/v1/evidence?after=999999999999/", &evidence)
	if len(evidence.Evidence) != 0 {
		w.Errorf("%+v", evidence)
	}
}

type shownResolution struct {
	Height                         int64
	Hash, Decision, Reason, Status string
	Code                           string
	Proposed, Expires, Decided     int64
	Approvals                      []struct{ Organisation, Officer string }
	Withdrawn                      []string
	Resolution                     json.RawMessage
}

// askForResolutions: all of them in pages of one and in one page, and each by its hash with what it proposes.
func askForResolutions(w *world, e *rehearsal.Election) {
	type page struct {
		Height      int64
		Resolutions []shownResolution
		Next        string
	}
	var whole page
	w.get("/v1/resolutions", &whole)
	var single []shownResolution
	for after := ""; ; {
		var one page
		w.get("/v1/resolutions?limit=1&after="+after, &one)
		single = append(single, one.Resolutions...)
		if after = one.Next; after == "" {
			break
		}
	}
	if whole.Next != "" || len(single) < 8 || fmt.Sprint(single) != fmt.Sprint(whole.Resolutions) {
		w.Fatalf("%d resolutions one by one, %d at once", len(single), len(whole.Resolutions))
	}
	decisions, withdrawn := map[string]int{}, 0
	for _, listed := range single {
		var r shownResolution
		w.get("/v1/resolutions/"+listed.Hash, &r)
		record := must(state.MustLoad[pb.ResolutionRecord](e.View(), state.ResolutionPrefix+listed.Hash))
		var body map[string]any
		if err := json.Unmarshal(r.Resolution, &body); err != nil || body[r.Decision] == nil || len(body) != 3 || body["reason"] != r.Reason {
			w.Errorf("%s: %v", r.Resolution, err)
		}
		if r.Decision == "upgrade_software" { // proposed by one organisation alone
			if r.Status != "open" || r.Decided != 0 {
				w.Errorf("%+v", r)
			}
			continue
		}
		if r.Status != "effective" || r.Decided != record.Decided || r.Decided < r.Proposed || len(r.Approvals) != len(record.Approvals) || r.Approvals[0].Officer != digest(record.Approvals[0].Officer) {
			w.Errorf("%+v", r)
		}
		decisions[r.Decision]++
		withdrawn += len(r.Withdrawn)
	}
	if decisions["create_election"] != 3 || decisions["cancel_election"] != 1 || decisions["change_validators"] != 1 || withdrawn != 1 {
		w.Errorf("%v, %d withdrawn", decisions, withdrawn)
	}
	w.refused(http.StatusNotFound, "/v1/resolutions/"+strings.Repeat("0", 64))
	w.refused(http.StatusBadRequest, "/v1/resolutions/xyz")
	w.refused(http.StatusBadRequest, "/v1/resolutions?limit=0")
}

// TestWhileVoting: turnout is shown in steps, and the sums not at all, until the election closes; what is announced is shown.
func TestWhileVoting(t *testing.T) {
	e := rehearsal.Open(t, rehearsal.Manifest("primary"), 12)
	for i := range 12 { // 12 in the second contest, 8 of them in the first, too
		e.Accept(e.Vote(i, 1, [][]int{{0}, {0}}[rehearsal.Style(i):]...))
	}
	raw, hash := e.Propose("party officer 1", &pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{
		Validators: rehearsal.Sorted(rehearsal.Validator("league", 1), rehearsal.Validator("league", 2), rehearsal.Validator("party", 1), rehearsal.Validator("party", 3)),
	}}})
	e.Accept(raw)
	w := serve(t, e.Ledger)
	var turnout struct {
		Step     uint64
		Contests []struct{ Ballots uint64 }
	}
	if err := json.Unmarshal(w.request("GET", "/v1/elections/primary/turnout", "").body, &turnout); err != nil || turnout.Step != 10 || turnout.Contests[1].Ballots != 10 || turnout.Contests[0].Ballots != 0 {
		t.Errorf("%+v, %v", turnout, err)
	}
	w.refused(http.StatusNotFound, "/v1/elections/primary/tallies")
	var r shownResolution
	w.get("/v1/resolutions/"+digest(hash[:]), &r)
	if r.Status != "open" || r.Decided != 0 || len(r.Approvals) != 1 {
		t.Errorf("%+v", r)
	}
	e.Accept(rehearsal.Approve("party officer 2", hash), rehearsal.Approve("league officer 1", hash))
	e.Absent["league validator 1"], e.Absent["league validator 2"] = true, false
	e.Accept(rehearsal.Approve("league officer 2", hash))
	w.get("/v1/resolutions/"+digest(hash[:]), &r)
	if r.Status != "waiting" {
		t.Errorf("%+v", r)
	}
	e.Absent["league validator 1"] = false
	e.Make(1)
	w.get("/v1/resolutions/"+digest(hash[:]), &r)
	var sets struct {
		Height             int64
		Present, Announced *shownEpoch
	}
	w.get("/v1/validators", &sets)
	if r.Status != "effective" || sets.Announced == nil || sets.Announced.Number != 2 || sets.Announced.FirstHeight != e.Height()+int64(e.Genesis.Parameters.Handover) || sets.Present.Number != 1 {
		t.Errorf("%+v, %+v", r.Status, sets)
	}
}

// TestUnknownEpoch: a node that lacks a validator set names nobody in its place.
func TestUnknownEpoch(t *testing.T) {
	l := rehearsal.New(t)
	l.Make(1)
	l.Change(rehearsal.Validator("league", 1), rehearsal.Validator("league", 2), rehearsal.Validator("party", 1), rehearsal.Validator("party", 3))
	second := must(state.MustLoad[pb.ValidatorEpochs](l.View(), state.KeyValidators)).Present.FirstHeight
	l.Change(rehearsal.Validator("league", 1), rehearsal.Validator("league", 2), rehearsal.Validator("party", 1), rehearsal.Validator("party", 4))
	third := must(state.MustLoad[pb.ValidatorEpochs](l.View(), state.KeyValidators)).Present.FirstHeight
	w := serve(t, l, func(_ *Config, s *Source) {
		s.Epochs = func() ([]*pb.EpochProof, error) { return nil, errors.New("no proof") }
	})
	w.refused(http.StatusNotFound, fmt.Sprintf("/v1/signatures?from=%d&limit=1", second))
	w.refused(http.StatusNotFound, "/v1/signatures?from=1&limit=1")
	w.refused(http.StatusOK, fmt.Sprintf("/v1/signatures?from=%d&limit=1", third))
}
