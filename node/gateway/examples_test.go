package gateway

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
)

// examples are good requests of every operation, by its id, the first with all parameters that it cannot do without.
func (c *contract) examples() map[string][]example {
	e, _ := rehearsal.Story(c.T)
	w := serve(c.T, e.Ledger)
	height := e.Height() - 4
	w.indexAll()
	hash := sha256.Sum256(e.BlockAt(height).Txs[0])
	var list struct {
		Ballots []struct{ Code string }
	}
	if err := json.Unmarshal(w.request("GET", "/v1/elections/primary/ballots", "").body, &list); err != nil {
		c.Fatal(err)
	}
	all := map[string][]string{
		"health": {"/healthz"}, "ready": {"/readyz"}, "openAPI": {"/v1/openapi.json"}, "status": {"/v1/status"}, "genesis": {"/v1/genesis"},
		"certified": {"/v1/certified"}, "epochs": {"/v1/epochs"},
		"height":         {"/v1/heights/1", "/v1/heights/1?wait=30"},
		"transaction":    {fmt.Sprintf("/v1/transactions/%x", hash), fmt.Sprintf("/v1/transactions/%X?wait=1", hash)},
		"receipt":        {"/v1/receipt?election=primary&code=" + list.Ballots[1].Code, "/v1/receipt?election=primary&certified=1&format=protobuf&wait=1&code=" + list.Ballots[6].Code},
		"record":         {"/v1/record?key=chain", fmt.Sprintf("/v1/record?key=none&height=%d", e.Height()-2)},
		"records":        {"/v1/records", "/v1/records?prefix=log/&after=log/blocks&limit=1"},
		"logHead":        {"/v1/log/head?log=blocks", "/v1/log/head?log=election/none/ballots"},
		"logLeaves":      {"/v1/log/leaves?log=blocks&from=0&to=5", "/v1/log/leaves?log=blocks&from=5&to=0"},
		"logInclusion":   {"/v1/log/inclusion?log=blocks&index=3&size=5", "/v1/log/inclusion?log=blocks&index=0&size=1"},
		"logConsistency": {"/v1/log/consistency?log=blocks&from=3&to=5", "/v1/log/consistency?log=blocks&from=0&to=5"},
		"voter":          {"/v1/voter?election=primary&index=0", fmt.Sprintf("/v1/voter?election=primary&index=6&height=%d", e.Height()-2)},
		"member":         {"/v1/member?election=primary&index=0", fmt.Sprintf("/v1/member?election=primary&index=6&height=%d", e.Height()-2)},
		"header":         {"/v1/headers/1"}, "block": {"/v1/blocks/1"},
		"organisations": {"/v1/organisations"}, "organisation": {"/v1/organisations/party"}, "validators": {"/v1/validators"}, "upgrades": {"/v1/upgrades"},
		"signatures": {"/v1/signatures?from=1", "/v1/signatures?from=10&limit=1", "/v1/signatures?from=1000000"},
		"evidence":   {"/v1/evidence", "/v1/evidence?after=9&limit=1"},
		"intakeReports": {
			"/v1/intake-reports", "/v1/intake-reports?from=1&limit=1&since=1&until=1000", "/v1/intake-reports?limit=1",
			fmt.Sprintf("/v1/intake-reports?slip_key=%x", rehearsal.Validator("party", 3).SlipKey),
		},
		"initiatives":    {"/v1/initiatives", "/v1/initiatives?from=0&limit=1"},
		"initiative":     {"/v1/initiatives/0", "/v1/initiatives/1?from=0&limit=1"},
		"initiativeText": {"/v1/initiatives/0/text"},
		"elections":      {"/v1/elections"}, "election": {"/v1/elections/primary", "/v1/elections/cancelled?from=0&limit=1"},
		"manifest": {"/v1/elections/primary/manifest", "/v1/elections/primary/manifest?format=protobuf"},
		"phases":   {"/v1/elections/primary/phases", "/v1/elections/cancelled/phases"},
		"trustees": {"/v1/elections/primary/trustees", "/v1/elections/cancelled/trustees"},
		"keys":     {"/v1/elections/primary/keys"},
		"lot":      {"/v1/elections/primary/lot", "/v1/elections/primary/lot?round=1"},
		"ballot":   {"/v1/elections/primary/ballots/" + list.Ballots[0].Code},
		"events":   {"/v1/events?from=1", "/v1/events?from=1&kinds=phase,keys&election=primary"},
		"place":    {"/v1/elections/primary/voters/0", "/v1/elections/primary/voters/6", "/v1/elections/primary/voters/7"},
	}
	for _, name := range []string{"turnout", "ballots", "tallies", "results"} {
		all[name] = []string{"/v1/elections/primary/" + name, "/v1/elections/primary/" + name + "?from=0&limit=1"}
	}
	all["rollCounts"] = []string{"/v1/elections/primary/roll-counts", "/v1/elections/primary/roll-counts?from=0&limit=1", "/v1/elections/cancelled/roll-counts", "/v1/elections/poll/roll-counts"}
	for _, name := range []string{"phases", "turnout", "ballots", "results", "manifest", "trustees"} {
		all[name] = append(all[name], "/v1/elections/poll/"+name)
	}
	all["election"] = append(all["election"], "/v1/elections/poll")
	for _, name := range []string{"deals", "trial", "partials", "lists"} {
		all[name] = []string{"/v1/elections/primary/" + name, "/v1/elections/primary/" + name + "?after=0&limit=1"}
	}
	all["resolutions"] = []string{"/v1/resolutions", "/v1/resolutions?after=1&limit=2"}
	all["resolution"] = eachResolution(w)
	made := map[string][]example{}
	for id, targets := range all {
		for _, target := range targets {
			made[id] = append(made[id], example{w, target, ""})
		}
	}
	for _, body := range cometCalls(w) {
		made["comet"] = append(made["comet"], example{w, "/cometbft", body})
	}
	made["cometSlash"] = []example{{w, "/cometbft/", made["comet"][0].body}}
	c.paper(made)
	c.promises(made)
	c.rarities(made)
	c.nominated(made)
	c.renewed(made)
	return made
}

// renewed adds examples from a ledger on which a lot has more than one round.
func (c *contract) renewed(made map[string][]example) {
	var l *rehearsal.Ledger
	rehearsal.Scenes["lost secrets"](c.T, func(founded *rehearsal.Ledger) { l = founded })
	w := serve(c.T, l)
	w.indexAll()
	for id, targets := range map[string][]string{
		"lot":    {"/v1/elections/primary/lot", "/v1/elections/primary/lot?round=1"},
		"events": {"/v1/events?from=1&kinds=lot"}, "resolution": eachResolution(w),
	} {
		for _, target := range targets {
			made[id] = append(made[id], example{w, target, ""})
		}
	}
}

// nominated adds examples from a ledger on which candidates are nominated, and one is removed.
func (c *contract) nominated(made map[string][]example) {
	var l *rehearsal.Ledger
	rehearsal.Scenes["nominations"](c.T, func(founded *rehearsal.Ledger) { l = founded })
	w := serve(c.T, l)
	w.indexAll()
	for id, targets := range map[string][]string{
		"allNominations": {"/v1/nominations"}, "nominations": {"/v1/nominations/primary", "/v1/nominations/second"},
		"applications": {"/v1/nominations/primary/applications", "/v1/nominations/primary/applications?after=0&limit=1"},
		"removed":      {"/v1/elections/primary/removed", "/v1/elections/primary/removed?from=0&limit=1"},
		"manifest":     {"/v1/elections/primary/manifest"}, "events": {"/v1/events?from=1"}, "resolution": eachResolution(w),
	} {
		for _, target := range targets {
			made[id] = append(made[id], example{w, target, ""})
		}
	}
}

// eachResolution returns the targets of all resolutions of a ledger.
func eachResolution(w *world) (targets []string) {
	for _, key := range w.ledger.View().Keys(state.ResolutionPrefix, "", 100) {
		targets = append(targets, "/v1/resolutions/"+strings.TrimPrefix(key, state.ResolutionPrefix))
	}
	return targets
}

// promises adds examples from a ledger while voting: a ballot that is promised and recorded, and one that is promised and left out.
func (c *contract) promises(made map[string][]example) {
	e := rehearsal.Open(c.T, rehearsal.Manifest("primary"), 6)
	w := serve(c.T, e.Ledger)
	ballots := [][]byte{e.Vote(0, 1, []int{0}, []int{0}), e.Vote(1, 1, []int{1}, []int{1})}
	submission := string(must(json.Marshal(submission{append(ballots, []byte("x"))})))
	var found struct{ Results []struct{ Slip []byte } }
	a := w.request("POST", "/v1/transactions", submission)
	if err := json.Unmarshal(a.body, &found); err != nil || len(found.Results) != 3 || found.Results[0].Slip == nil || found.Results[1].Slip == nil {
		c.Fatalf("%d: %s", a.status, a.body)
	}
	made["submit"] = append(made["submit"], example{w, "/v1/transactions", submission})
	hash := sha256.Sum256(ballots[0])
	made["slip"] = append(made["slip"], example{w, fmt.Sprintf("/v1/slips/%x", hash), ""})
	e.Accept(e.Authored(0, ballots[0])...)
	e.Proposer = &node // which leaves the second ballot out for another
	e.Accept(e.Authored(0, e.Vote(2, 1, []int{0}))...)
	for range e.Genesis.Parameters.SlipSpan + 4 {
		e.Accept(e.Authored(0)...)
	}
	for i, raw := range ballots {
		promised := new(pb.AcceptanceSlip)
		if err := election.Decode(found.Results[i].Slip, promised); err != nil {
			c.Fatal(err)
		}
		f := prooffile.OfPromise(&pb.Promise{Slip: promised, Ballot: raw})
		made["slipCase"] = append(made["slipCase"],
			example{w, "/v1/slip-cases", string(must(prooffile.JSON(f)))}, example{w, "/v1/slip-cases?format=protobuf", string(prooffile.Bytes(f))})
	}
}

// paper adds examples from an election in which polling places have reported and a contest was merged, and from one that waits for paper.
func (c *contract) paper(made map[string][]example) {
	waiting := rehearsal.Open(c.T, rehearsal.OnPaper(rehearsal.Manifest("primary")), 3)
	waiting.Make(waiting.Record().Closing - waiting.Now())
	for _, e := range []*rehearsal.Election{rehearsal.Paper(c.T), waiting} {
		w := serve(c.T, e.Ledger)
		for id, targets := range map[string][]string{
			"pollingPlaces": {"/polling-places", "/polling-places?limit=1", "/polling-places?from=1"},
			"extensions":    {"/extensions", "/extensions?limit=1", "/extensions?after=001"},
			"results":       {"/results"}, "tallies": {"/tallies"}, "phases": {"/phases"}, "election": {""}, "manifest": {"/manifest"},
		} {
			for _, target := range targets {
				made[id] = append(made[id], example{w, "/v1/elections/primary" + target, ""})
			}
		}
		for _, target := range eachResolution(w) {
			made["resolution"] = append(made["resolution"], example{w, target, ""})
		}
	}
}

// rarities adds examples from a ledger on which things happen that seldom do: a trustee who is excused, a resolution that its rule refuses,
// two validators that sign twice, a set that is announced, parameters with rules.
func (c *contract) rarities(made map[string][]example) {
	l := rehearsal.New(c.T)
	l.Make(1)
	e := l.Create(rehearsal.Manifest("primary"))
	e.Enrol(3)
	e.Seal()
	e.Appoint(3)
	e.MakeKeys()
	late := e.Of("party")[2]
	e.Accept(rehearsal.Each(append(e.Of("league"), e.Of("party")[:2]...), (*rehearsal.Trustee).Trial)...)
	e.Make(int64(e.Manifest.CeremonyStep) + 1)
	e.Schedule(e.Now()+20, e.Now()+200)
	e.Make(20) // the opening is missed: a trustee is missing
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_ExcuseTrial{
		ExcuseTrial: &pb.ExcuseTrial{Election: e.ID, Organisation: "party", Trustees: []uint32{late.Index}},
	}})
	e.Debate()
	parameters := e.Genesis.Parameters
	parameters.ResolutionRules = []pb.ResolutionRule{{Kind: 3, Organisations: 1}}
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: parameters}}})
	var hashes [][32]byte
	for range 2 {
		raw, hash := e.Propose("party officer 1", &pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: e.ID}}})
		e.Accept(raw)
		hashes = append(hashes, hash)
	}
	for _, officer := range []string{"party officer 2", "league officer 1", "league officer 2"} {
		e.Accept(rehearsal.Approve(officer, hashes[0]), rehearsal.Approve(officer, hashes[1]))
	}
	e.Evidence = append(e.Evidence, e.DoubleVote("party validator 2", e.Height()-3), e.DoubleVote("party validator 2", e.Height()-2))
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{
		Validators: rehearsal.Sorted(rehearsal.Validator("league", 1), rehearsal.Validator("league", 2), rehearsal.Validator("party", 1), rehearsal.Validator("party", 3)),
	}}})
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_UpgradeSoftware{
		UpgradeSoftware: &pb.UpgradeSoftware{Height: e.Height() + 100, Version: 2, Binary: make([]byte, 32)},
	}})
	back, _ := e.Propose("party officer 1", &pb.Resolution{Decision: &pb.Resolution_CancelUpgrade{CancelUpgrade: &pb.CancelUpgrade{Height: e.Height() + 98}}})
	e.Accept(back)
	w := serve(c.T, l)
	w.indexAll()
	made["initiativeText removed"] = []example{{w, "/v1/initiatives/1/text", ""}}
	made["initiative"] = append(made["initiative"], example{w, "/v1/initiatives/1", ""})
	for _, target := range eachResolution(w) {
		made["resolution"] = append(made["resolution"], example{w, target, ""})
	}
	for id, target := range map[string]string{
		"upgrades": "/v1/upgrades", "resolutions": "/v1/resolutions", "evidence": "/v1/evidence?limit=1", "validators": "/v1/validators", "trustees": "/v1/elections/primary/trustees",
		"events": "/v1/events?from=1", "initiatives": "/v1/initiatives", "initiative": "/v1/initiatives/0?limit=1",
	} {
		made[id] = append(made[id], example{w, target, ""})
	}
}
