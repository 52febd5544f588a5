package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/merkle"

	"votenode/app/election"
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
		"phases": askForPhases, "ceremony": askForCeremony, "ballots": askForBallots, "absence": askForAbsence, "logs": askForLogs,
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.T = t
			ask(&w, e)
		})
	}
	t.Run("results", func(t *testing.T) {
		w := *w
		w.T = t
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
	if party.OfficerQuorum != 2 || len(party.Officers) != 4 || len(party.Registrars) != 1 || !slices.Equal(party.Officers, all.Organisations[1].Officers) {
		w.Errorf("%+v", party)
	}
	acts := 0
	for _, o := range party.Officers {
		if o.Name == "party officer 1" {
			acts = o.Documents
		}
	}
	if acts != 2 {
		w.Errorf("the officer who published two manifests has begun %d documents", acts)
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
		if r.Status != "effective" || r.Decided != record.Decided || r.Decided < r.Proposed || len(r.Approvals) != len(record.Approvals) || r.Approvals[0].Officer != digest(record.Approvals[0].Officer) {
			w.Errorf("%+v", r)
		}
		decisions[r.Decision]++
		withdrawn += len(r.Withdrawn)
	}
	if decisions["create_election"] != 2 || decisions["cancel_election"] != 1 || decisions["change_validators"] != 1 || withdrawn != 1 {
		w.Errorf("%v, %d withdrawn", decisions, withdrawn)
	}
	w.refused(http.StatusNotFound, "/v1/resolutions/"+strings.Repeat("0", 64))
	w.refused(http.StatusBadRequest, "/v1/resolutions/xyz")
	w.refused(http.StatusBadRequest, "/v1/resolutions?limit=0")
}

// askForManifest: as JSON under its hash, and as the bytes that have this hash.
func askForManifest(w *world, e *rehearsal.Election) {
	var m struct {
		Hash     string
		Manifest *pb.Manifest
	}
	w.get("/v1/elections/primary/manifest", &m)
	if m.Hash != digest(e.Record().Manifest) || !bytes.Equal(election.Encode(m.Manifest), election.Encode(e.Manifest)) {
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

// askForCeremony: the trustee who dealt a bad share is named, its place is taken, and everything that was posted is shown as it is.
func askForCeremony(w *world, e *rehearsal.Election) {
	var t struct {
		Height     int64
		KeyDigest  string `json:"key_digest"`
		Ceremonies []struct {
			Organisation, Step string
			Quorum, Attempt    int
			Deadline           int64
			Trustees           []struct {
				Index              uint32
				Name, Key, Ejected string
			}
		}
		Trial struct {
			Deadline                 int64
			Passed                   bool
			Posted, Excused, Missing []seat
		}
	}
	w.get("/v1/elections/primary/trustees", &t)
	if len(t.Ceremonies) != 2 || t.KeyDigest != digest(e.Record().KeyDigest) || !t.Trial.Passed || len(t.Trial.Posted) != 6 {
		w.Fatalf("%+v", t)
	}
	league := t.Ceremonies[0]
	if league.Organisation != "league" || league.Step != "done" || league.Attempt != 3 || len(league.Trustees) != 4 || league.Trustees[2].Ejected != "bad share" || league.Trustees[3].Ejected != "" {
		w.Errorf("%+v", league)
	}
	type dealt struct {
		Organisation     string
		Trustee, Attempt uint32
		DealHash         string `json:"deal_hash"`
		ReceiverKeys     []struct {
			Dealer uint32
			Key    string
		} `json:"receiver_keys"`
		Commitments []byte
		Shares      []struct {
			Receiver   uint32
			Ciphertext []byte
		}
		Confirmed bool
	}
	deals := 0
	for after := ""; ; deals++ {
		var page struct {
			Height int64
			Deals  []dealt
			Next   string
		}
		w.get("/v1/elections/primary/deals?limit=1&after="+after, &page)
		d := page.Deals[0]
		record := must(state.MustLoad[pb.Deal](e.View(), state.DealKey("primary", d.Organisation, d.Attempt, d.Trustee)))
		if d.DealHash != digest(record.DealHash) || !bytes.Equal(d.Commitments, record.Commitments) || len(d.Shares) != len(record.Shares) || d.Confirmed != record.Confirmed || len(d.ReceiverKeys) != len(record.ReceiverKeys) {
			w.Errorf("%+v", d)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if want := len(e.View().Keys("election/primary/deal/", "", 100)); deals+1 != want {
		w.Errorf("%d deals of %d", deals+1, want)
	}
	var keys struct {
		Height        int64
		KeyDigest     string `json:"key_digest"`
		Keys          []byte
		Organisations []struct {
			Organisation string
			Quorum       int
			Keys         []byte
			Trustees     []struct {
				Index uint32
				Keys  []byte
			}
		}
	}
	w.get("/v1/elections/primary/keys", &keys)
	if len(keys.Keys) != 32*5 || len(keys.Organisations) != 2 || len(keys.Organisations[0].Trustees) != 3 || keys.Organisations[0].Trustees[2].Index != 4 {
		w.Errorf("%+v", keys)
	}
	var shares struct {
		Height int64
		Next   string
		Shares []struct {
			Organisation  string
			Trustee       uint32
			Shares, Proof []byte
		}
	}
	w.get("/v1/elections/primary/trial?limit=5", &shares)
	if len(shares.Shares) != 5 || shares.Next != "party/00002" || len(shares.Shares[0].Shares) != 32*5 {
		w.Errorf("%+v", shares)
	}
	w.get("/v1/elections/primary/trial?after="+shares.Next, &shares)
	if len(shares.Shares) != 1 || shares.Shares[0].Organisation != "party" || shares.Shares[0].Trustee != 3 {
		w.Errorf("%+v", shares)
	}
	w.refused(http.StatusNotFound, "/v1/elections/cancelled/keys")
	for _, kind := range []string{"trustees", "deals", "keys", "trial", "partials"} {
		w.refused(http.StatusNotFound, "/v1/elections/none/"+kind)
		w.refused(http.StatusBadRequest, "/v1/elections/primary/"+kind+"?from=1")
	}
}

type shownBallot struct {
	LogIndex  uint64 `json:"log_index"`
	Code      string
	RollIndex uint64 `json:"roll_index"`
	Sequence  uint64
	Style     uint32
	Height    int64
}

// askForBallots: the same ballots come in pages of any size, by code and by place, each with the height whose block holds it.
func askForBallots(w *world, e *rehearsal.Election) {
	type page struct {
		Height  int64
		Size    uint64
		Ballots []shownBallot
		Next    *uint64
	}
	var whole page
	w.get("/v1/elections/primary/ballots", &whole)
	if whole.Size != 7 || len(whole.Ballots) != 7 || whole.Next != nil {
		w.Fatalf("%+v", whole)
	}
	for _, limit := range []int{1, 2, 3, 7, 8} {
		var all []shownBallot
		for from := uint64(0); ; {
			var p page
			w.get(fmt.Sprintf("/v1/elections/primary/ballots?from=%d&limit=%d", from, limit), &p)
			all = append(all, p.Ballots...)
			if p.Next == nil {
				break
			}
			from = *p.Next
		}
		if !slices.Equal(all, whole.Ballots) {
			w.Errorf("pages of %d: %+v", limit, all)
		}
	}
	last := map[uint64]shownBallot{}
	for i, b := range whole.Ballots {
		leaf := must(e.View().Leaf(state.LogBallots("primary"), uint64(i)))
		if b.LogIndex != uint64(i) || !slices.ContainsFunc(e.BlockAt(b.Height).Txs.ToSliceOfBytes(), func(raw []byte) bool { return bytes.Equal(raw, leaf) }) {
			w.Errorf("%+v does not stand in its block", b)
		}
		var one struct {
			Height int64
			Ballot shownBallot
		}
		w.get("/v1/elections/primary/ballots/"+b.Code, &one)
		if one.Ballot != b {
			w.Errorf("by code: %+v instead of %+v", one, b)
		}
		last[b.RollIndex] = b
	}
	for voter, want := range map[uint64]string{0: "counts", 1: "revoked", 2: "counts", 6: "none", 7: "revoked"} {
		var place struct {
			Height    int64
			RollIndex uint64 `json:"roll_index"`
			Status    string
			Ballot    *shownBallot
		}
		w.get(fmt.Sprintf("/v1/elections/primary/voters/%d", voter), &place)
		b, voted := last[voter]
		if place.Status != want || place.RollIndex != voter || voted != (place.Ballot != nil) || voted && *place.Ballot != b {
			w.Errorf("voter %d: %+v", voter, place)
		}
	}
	var none page
	w.get("/v1/elections/primary/ballots?from=9223372036854775807&limit=9223372036854775807", &none)
	if none.Ballots == nil || len(none.Ballots) != 0 {
		w.Errorf("%+v", none)
	}
	w.get("/v1/elections/cancelled/ballots", &none)
	if none.Size != 0 || len(none.Ballots) != 0 {
		w.Errorf("%+v", none)
	}
	w.refused(http.StatusNotFound, "/v1/elections/none/ballots")
	w.refused(http.StatusNotFound, "/v1/elections/primary/voters/8")
	w.refused(http.StatusNotFound, "/v1/elections/cancelled/voters/0")
	w.refused(http.StatusNotFound, "/v1/elections/cancelled/ballots/"+whole.Ballots[0].Code)
	w.refused(http.StatusBadRequest, "/v1/elections/primary/voters/-1")
	w.refused(http.StatusBadRequest, "/v1/elections/primary/voters/9999999999999999999")
	w.refused(http.StatusBadRequest, "/v1/elections/primary/ballots/00")
	w.refused(http.StatusBadRequest, "/v1/elections/primary/ballots?from=x")
	w.refused(http.StatusBadRequest, "/v1/elections/primary/ballots?code="+whole.Ballots[0].Code)
}

// askForAbsence: that a record does not exist and that a voter has no ballot is proven under the AppHash of the next header.
func askForAbsence(w *world, e *rehearsal.Election) {
	var r struct {
		Height int64
		Proof  []byte
	}
	prove := func(key string) (state.Hash, *pb.RecordProof) {
		w.get("/v1/record?key="+key, &r)
		p := new(pb.RecordProof)
		if err := election.Decode(r.Proof, p); err != nil {
			w.Fatal(err)
		}
		return state.Hash(e.BlockAt(r.Height + 1).AppHash), p
	}
	for _, key := range []string{"election/none", "!", "~", "election/primary/spoiled/0000000000", "resolution/" + strings.Repeat("0", 64)} {
		hash, p := prove(key)
		if err := state.VerifyAbsence(hash, key, p); err != nil {
			w.Errorf("%s: %v", key, err)
		}
	}
	var v struct {
		Height int64
		Leaf   []byte
		Size   uint64
		Path   [][]byte
	}
	w.get("/v1/voter?election=primary&index=6", &v)
	hash, p := prove(state.VotersKey("primary"))
	head, err := state.ParseHead(must(state.VerifyRecord(hash, state.VotersKey("primary"), p)))
	if err != nil || v.Height != r.Height || head.Size != v.Size || len(v.Leaf) != 0 {
		w.Fatal(err, v)
	}
	if err := state.VerifyInclusion(head, 6, v.Leaf, v.Path); err != nil {
		w.Error(err)
	}
}

// askForLogs: inclusion and consistency hold between any two sizes.
func askForLogs(w *world, e *rehearsal.Election) {
	for _, log := range []string{state.LogBlocks, state.LogBallots("primary")} {
		var all struct {
			From, Size uint64
			Leaves     [][]byte
		}
		w.get("/v1/log/leaves?log="+log+"&from=0&to=1000000", &all)
		head := func(size uint64) state.Head {
			return state.Head{Size: size, Root: state.Hash(merkle.HashFromByteSlices(all.Leaves[:size]))}
		}
		sizes := []uint64{0, 1, 2, 3, 4, 5, 6, 7}
		if all.Size > 8 {
			sizes = append(sizes, 31, 32, all.Size-1, all.Size)
		}
		for _, n := range sizes {
			for _, m := range sizes {
				if m > n {
					w.refused(http.StatusNotFound, fmt.Sprintf("/v1/log/consistency?log=%s&from=%d&to=%d", log, m, n))
					w.refused(http.StatusNotFound, fmt.Sprintf("/v1/log/inclusion?log=%s&index=%d&size=%d", log, m, n))
					continue
				}
				var p struct{ Path [][]byte }
				w.get(fmt.Sprintf("/v1/log/consistency?log=%s&from=%d&to=%d", log, m, n), &p)
				if err := state.VerifyConsistency(head(m), head(n), p.Path); err != nil {
					w.Errorf("%s: %d to %d: %v", log, m, n, err)
				}
				if m == n {
					continue
				}
				w.get(fmt.Sprintf("/v1/log/inclusion?log=%s&index=%d&size=%d", log, m, n), &p)
				if err := state.VerifyInclusion(head(n), m, all.Leaves[m], p.Path); err != nil {
					w.Errorf("%s: leaf %d of %d: %v", log, m, n, err)
				}
			}
		}
		w.refused(http.StatusNotFound, fmt.Sprintf("/v1/log/consistency?log=%s&from=0&to=%d", log, all.Size+1))
	}
	var p struct{ Path [][]byte }
	w.get("/v1/log/consistency?log=none&from=0&to=0", &p)
	w.refused(http.StatusNotFound, "/v1/log/consistency?log=none&from=0&to=1")
	w.refused(http.StatusBadRequest, "/v1/log/head")
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
		Ballots uint64
	}
	type sums struct {
		Contest uint32
		Title   string
		Ballots uint64
		Nonces  []byte
		Options [][]byte
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
	for _, kind := range []string{"turnout", "results", "tallies"} {
		w.refused(http.StatusNotFound, "/v1/elections/none/"+kind)
		w.refused(http.StatusBadRequest, "/v1/elections/primary/"+kind+"?limit=0")
		w.refused(http.StatusBadRequest, "/v1/elections/primary/"+kind+"?after=x")
	}
}

// TestWhileVoting: turnout is shown in steps, and the sums not at all, until the election closes; what is announced is shown.
func TestWhileVoting(t *testing.T) {
	e := rehearsal.Open(t, rehearsal.Manifest("primary"), 6)
	e.Accept(e.Vote(0, 1, []int{0}, []int{0}), e.Vote(1, 1, []int{0}, []int{0}), e.Vote(2, 1, []int{0}))
	raw, hash := e.Propose("party officer 1", &pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{
		Validators: rehearsal.Sorted(rehearsal.Validator("league", 1), rehearsal.Validator("league", 2), rehearsal.Validator("party", 1), rehearsal.Validator("party", 3)),
	}}})
	e.Accept(raw)
	w := serve(t, e.Ledger)
	var turnout struct {
		Step     uint64
		Contests []struct{ Ballots uint64 }
	}
	if err := json.Unmarshal(w.request("GET", "/v1/elections/primary/turnout", "").body, &turnout); err != nil || turnout.Step != 2 || turnout.Contests[1].Ballots != 2 || turnout.Contests[0].Ballots != 2 {
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
