package app_test

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"testing"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

func approve(officer string, r *pb.Resolution) []byte {
	hash := app.ResolutionHash(chain, r)
	return sign(officer, &pb.ApproveResolution{Resolution: hash[:]})
}

func withdraw(officer string, r *pb.Resolution) []byte {
	hash := app.ResolutionHash(chain, r)
	return sign(officer, &pb.WithdrawApproval{Resolution: hash[:]})
}

// TestResolutionNeedsBoth: a resolution takes effect only with a quorum of each organisation, however many of one approve.
func TestResolutionNeedsBoth(t *testing.T) {
	l := newLedger(t)
	r := createElectionOf(l.publish(manifest()))
	l.accept(l.propose("party officer 1", &r)...)
	hash := app.ResolutionHash(chain, &r)
	l.accept(approve("party officer 2", &r), approve("party officer 3", &r), approve("league officer 1", &r))
	if got := l.resolution(hash); got.Status != pb.RESOLUTION_OPEN {
		t.Fatalf("%v with one officer of the league", got.Status)
	}
	l.refuse(tx.CodeAlreadyDone, approve("party officer 2", &r))
	l.refuse(tx.CodeAlreadyDone, sign("league officer 3", &pb.ProposeResolution{Resolution: r}))
	l.refuse(tx.CodeNotAuthorised, approve("party registrar 1", &r))
	l.refuse(tx.CodeNotAuthorised, approve("nobody", &r))
	l.refuse(tx.CodeNotApproved, withdraw("league officer 2", &r))
	l.refuse(tx.CodeUnknownResolution, sign("party officer 1", &pb.ApproveResolution{Resolution: make([]byte, 32)}))

	l.accept(withdraw("league officer 1", &r))
	l.accept(approve("league officer 2", &r))
	if got := l.resolution(hash); got.Status != pb.RESOLUTION_OPEN {
		t.Fatalf("%v although an approval was withdrawn", got.Status)
	}
	l.refuse(tx.CodeWithdrawn, approve("league officer 1", &r))
	l.accept(approve("league officer 3", &r))
	if got := l.resolution(hash); got.Status != pb.RESOLUTION_EFFECTIVE || got.Decided != l.view().Height() {
		t.Fatalf("%v at %d", got.Status, got.Decided)
	}
	l.refuse(tx.CodeResolutionClosed, approve("party officer 1", &r))
	l.refuse(tx.CodeResolutionClosed, withdraw("league officer 2", &r))
}

func TestResolutionExpires(t *testing.T) {
	l := newLedger(t)
	r := createElectionOf(l.publish(manifest()))
	l.accept(l.propose("party officer 1", &r)...)
	for range parameters().ResolutionHeights {
		l.block(1)
	}
	l.refuse(tx.CodeResolutionClosed, approve("party officer 2", &r))
}

// TestLaterRuleRefuses: two resolutions create the same election; the second is closed with the code of its rule.
func TestLaterRuleRefuses(t *testing.T) {
	l := newLedger(t)
	hash := l.publish(manifest())
	first, second := createElectionOf(hash), createElectionOf(hash)
	l.accept(append(l.propose("party officer 1", &first), l.propose("party officer 1", &second)...)...)
	for _, officer := range []string{"party officer 2", "league officer 1", "league officer 2"} {
		l.accept(approve(officer, &first), approve(officer, &second))
	}
	got := l.resolution(app.ResolutionHash(chain, &second))
	if got.Status != pb.RESOLUTION_REFUSED || tx.Code(got.Code) != tx.CodeElectionExists {
		t.Fatalf("%v, %v", got.Status, tx.Code(got.Code))
	}
	l.refuse(tx.CodeElectionExists, l.propose("party officer 1", &first)[0])
}

func TestDocumentRefusals(t *testing.T) {
	l := newLedger(t)
	big := make([]byte, tx.ChunkSize+1000)
	if _, err := rand.Read(big); err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(big)
	chunk := func(offset int, b []byte) *pb.PublishDocument {
		return &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(big)), Offset: uint64(offset), Chunk: b}
	}
	first, last := chunk(0, big[:tx.ChunkSize]), chunk(tx.ChunkSize, big[tx.ChunkSize:])
	l.refuse(tx.CodeDocumentOrder, sign("party officer 1", last))
	l.refuse(tx.CodeNotAuthorised, sign("party registrar 1", first))
	l.refuse(tx.CodeTooLarge, sign("party officer 1", &pb.PublishDocument{Hash: hash[:], Size_: 5 << 20, Chunk: big[:tx.ChunkSize]}))
	l.accept(sign("party officer 1", first))
	spoiled := chunk(tx.ChunkSize, make([]byte, 1000))
	l.refuse(tx.CodeDocumentHash, sign("party officer 1", spoiled))
	l.refuse(tx.CodeDocumentOrder, sign("league officer 1", last))
	l.accept(sign("party officer 1", last))
	l.refuse(tx.CodeAlreadyDone, sign("party officer 1", first))
	if got := must(app.Document(l.view(), hash[:])); string(got) != string(big) {
		t.Fatal("the document is not what was published")
	}
}

func TestManifestRefusals(t *testing.T) {
	l := newLedger(t)
	unknown := createElectionOf(make([]byte, 32))
	l.refuse(tx.CodeDocumentUnknown, l.propose("party officer 1", &unknown)[0])
	for name, change := range map[string]func(m *pb.Manifest){
		"bad id":              func(m *pb.Manifest) { m.Election = "Primary!" },
		"no contest":          func(m *pb.Manifest) { m.Contests = nil },
		"max above options":   func(m *pb.Manifest) { m.Contests[1].MaxSelections = 3 },
		"min above max":       func(m *pb.Manifest) { m.Contests[1].MinSelections = 2 },
		"max of zero":         func(m *pb.Manifest) { m.Contests[0].MaxSelections = 0 },
		"option twice":        func(m *pb.Manifest) { m.Contests[0].Options[1] = "Aigul" },
		"shared slot":         func(m *pb.Manifest) { m.Contests[1].FirstSlot = 2 },
		"style unordered":     func(m *pb.Manifest) { m.Styles[0].Contests = []uint32{1, 0} },
		"contest twice":       func(m *pb.Manifest) { m.Styles[0].Contests = []uint32{1, 1} },
		"unknown contest":     func(m *pb.Manifest) { m.Styles[0].Contests = []uint32{0, 9} },
		"contest unused":      func(m *pb.Manifest) { m.Styles[0].Contests = []uint32{1} },
		"no interval":         func(m *pb.Manifest) { m.RevoteInterval = 0 },
		"no ceremony step":    func(m *pb.Manifest) { m.CeremonyStep = 0 },
		"no open_min":         func(m *pb.Manifest) { m.OpenMin = 0 },
		"closing only":        func(m *pb.Manifest) { m.Closing = start + 100 },
		"closing before":      func(m *pb.Manifest) { m.Opening, m.Closing = start+100, start+50 },
		"too many positions":  func(m *pb.Manifest) { manyOptions(&m.Contests[0], 199) },
		"district twice":      func(m *pb.Manifest) { m.Styles[1].District = "North" },
		"slot beyond the end": func(m *pb.Manifest) { m.Contests[0].FirstSlot = 4_000_000_000 },
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			m := manifest()
			change(m)
			r := createElectionOf(l.publish(m))
			l.refuse(tx.CodeInvalidManifest, l.propose("party officer 1", &r)[0])
		})
	}
	l.t = t
	m := manifest()
	m.Opening, m.Closing = start-10, start+10
	r := createElectionOf(l.publish(m))
	l.refuse(tx.CodeInvalidTimes, l.propose("party officer 1", &r)[0])
}

func manyOptions(c *pb.Contest, n int) {
	c.Options = nil
	for i := range n {
		c.Options = append(c.Options, string(rune('a'+i%26))+string(rune('a'+i/26)))
	}
	c.FirstSlot = 10
}

func TestRollRefusals(t *testing.T) {
	l := newLedger(t)
	l.resolve(createElectionOf(l.publish(manifest())))
	key := func() []byte { return must(ballot.GenerateKey(rand.Reader)).Public().Bytes() }
	part := func(first uint64, entries ...pb.RollEntry) []byte {
		return enrol("league registrar 1", &pb.AddRollEntries{Election: id, First: first, Entries: entries})
	}
	one, two := pb.RollEntry{Key: key()}, pb.RollEntry{Key: key(), Style: 1}
	l.refuse(tx.CodeRollGap, part(1, one))
	l.refuse(tx.CodeUnknownStyle, part(0, pb.RollEntry{Key: key(), Style: 2}))
	l.refuse(tx.CodeVoterKey, part(0, pb.RollEntry{Key: make([]byte, 32)}))
	l.refuse(tx.CodeVoterKeyTwice, part(0, one, one))
	l.refuse(tx.CodeNotAuthorised, enrol("party officer 1", &pb.AddRollEntries{Election: id, Entries: []pb.RollEntry{one}}))
	alone := &pb.AddRollEntries{Election: id, Entries: []pb.RollEntry{one, two}}
	league, party := tx.SignRoll(chain, alone, seeded("league registrar 1")), tx.SignRoll(chain, alone, seeded("party registrar 1"))
	for _, c := range []struct {
		signatures []pb.RollSignature
		want       tx.Code
	}{
		{[]pb.RollSignature{party}, tx.CodeNotCosigned},
		{[]pb.RollSignature{party, party}, tx.CodeNotCosigned},
		{[]pb.RollSignature{party, league}, tx.CodeNotCosigned},
		{[]pb.RollSignature{league, party, party}, tx.CodeNotCosigned},
		{[]pb.RollSignature{league, tx.SignRoll(chain, alone, seeded("party officer 1"))}, tx.CodeNotCosigned},
		{[]pb.RollSignature{league, tx.SignRoll("another chain", alone, seeded("party registrar 1"))}, tx.CodeBadSignature},
	} {
		alone.Signatures = c.signatures
		l.refuse(c.want, sign("party registrar 1", alone))
	}
	moved := enrolBody(&pb.AddRollEntries{Election: id, Entries: []pb.RollEntry{one, two}})
	moved.Entries[1].Style = 0 // a signature does not reach to another entry, place or election
	l.refuse(tx.CodeBadSignature, sign("party registrar 1", moved))
	moved = enrolBody(&pb.AddRollEntries{Election: id, Entries: []pb.RollEntry{one, two}})
	moved.First = 1
	l.refuse(tx.CodeBadSignature, sign("party registrar 1", moved))

	l.accept(part(0, one, two))
	l.refuse(tx.CodeAlreadyDone, part(0, one, two))
	l.refuse(tx.CodeRollGap, part(0, two, one))
	l.refuse(tx.CodeVoterKeyTwice, part(2, one))

	head := must(l.view().Head(state.LogRoll(id)))
	seal := func(size uint64, root []byte) pb.Resolution {
		return pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: id, Size_: size, Root: root}}}
	}
	wrong := seal(1, head.Root[:])
	l.refuse(tx.CodeRollMismatch, l.propose("party officer 1", &wrong)[0])
	wrong = seal(2, make([]byte, 32))
	l.refuse(tx.CodeRollMismatch, l.propose("party officer 1", &wrong)[0])

	// Entries that come between proposal and approval change the root: the resolution seals what both saw, or nothing.
	r := seal(2, head.Root[:])
	l.accept(l.propose("party officer 1", &r)...)
	l.accept(part(2, pb.RollEntry{Key: key()}))
	l.accept(approve("party officer 2", &r), approve("league officer 1", &r), approve("league officer 2", &r))
	got := l.resolution(app.ResolutionHash(chain, &r))
	if got.Status != pb.RESOLUTION_REFUSED || tx.Code(got.Code) != tx.CodeRollMismatch {
		t.Fatalf("%v, %v", got.Status, tx.Code(got.Code))
	}
	head = must(l.view().Head(state.LogRoll(id)))
	strike := func(voters ...uint64) pb.Resolution {
		r := seal(3, head.Root[:])
		for _, voter := range voters {
			r.GetSealRoll().Struck = append(r.GetSealRoll().Struck, pb.StruckVoter{Voter: voter, Cause: pb.REVOCATION_PAPER})
		}
		return r
	}
	wrong = strike(1, 3)
	l.refuse(tx.CodeUnknownVoter, l.propose("party officer 1", &wrong)[0])
	l.counts([]uint64{2, 1}, []uint64{0, 0})
	l.resolve(strike(1))
	l.counts([]uint64{2, 1}, []uint64{0, 1})
	for voter, want := range []pb.VoterStatus{pb.VOTER_NONE, pb.VOTER_REVOKED, pb.VOTER_NONE} {
		if leaf := must(state.LoadVoter(l.view(), id, uint64(voter))); leaf.Status != want {
			t.Errorf("voter %d: %v, want %v", voter, leaf.Status, want)
		}
	}
	l.resolve(pb.Resolution{Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: id, Voters: []uint64{0, 1}, Cause: pb.REVOCATION_LEFT}}})
	l.counts([]uint64{2, 1}, []uint64{1, 1}) // who is revoked already is not counted twice
	l.refuse(tx.CodeRollSealed, part(3, pb.RollEntry{Key: key()}))
}

func TestBoardRefusals(t *testing.T) {
	l := newLedger(t)
	l.resolve(createElectionOf(l.publish(manifest())))
	for name, change := range map[string]func(b []pb.TrusteeBoard) []pb.TrusteeBoard{
		"one organisation": func(b []pb.TrusteeBoard) []pb.TrusteeBoard { return b[:1] },
		"wrong order":      func(b []pb.TrusteeBoard) []pb.TrusteeBoard { b[0], b[1] = b[1], b[0]; return b },
		"quorum of one":    func(b []pb.TrusteeBoard) []pb.TrusteeBoard { b[0].Quorum = 1; return b },
		"quorum of all":    func(b []pb.TrusteeBoard) []pb.TrusteeBoard { b[0].Quorum = 3; return b },
		"key twice":        func(b []pb.TrusteeBoard) []pb.TrusteeBoard { b[0].Trustees[0] = b[1].Trustees[0]; return b },
		"a validator's key": func(b []pb.TrusteeBoard) []pb.TrusteeBoard {
			b[0].Trustees[0].Key = public("party validator 1")
			return b
		},
		"a key of few orders": func(b []pb.TrusteeBoard) []pb.TrusteeBoard { b[0].Trustees[0].Key = make([]byte, 32); return b },
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			r := pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: &pb.AppointTrustees{Election: id, Boards: change(boards(3, 2))}}}
			l.refuse(tx.CodeInvalidBoard, l.propose("party officer 1", &r)[0])
		})
	}
}

func change(validators ...pb.Validator) pb.Resolution {
	return pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{Validators: sortValidators(validators)}}}
}

func TestValidatorChangeRefusals(t *testing.T) {
	l := newLedger(t)
	p1, p2, l1, l2 := validator("party", 1), validator("party", 2), validator("league", 1), validator("league", 2)
	heavy := validator("party", 3)
	heavy.Power = 30
	moved, strong := l2, l1
	moved.Organisation, strong.Power = "party", 20
	unsorted := pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{Validators: sortValidators([]pb.Validator{p1, p2, l1, l2})}}}
	list := unsorted.GetChangeValidators().Validators
	list[0], list[1] = list[1], list[0]
	weak := p2
	weak.Key = make([]byte, 32)
	for _, c := range []struct {
		name string
		want tx.Code
		r    pb.Resolution
	}{
		{"above the cap", tx.CodePowerCap, change(p1, p2, heavy, l1, l2)},
		{"doubled", tx.CodeInvalidValidators, change(p1, p1, l1, l2)},
		{"emptying an organisation", tx.CodeEmptyOrganisation, change(p1, p2)},
		{"emptying the set", tx.CodeEmptyOrganisation, change()},
		{"the same set", tx.CodeAlreadyDone, change(p1, p2, l1, l2)},
		{"unsorted", tx.CodeInvalidValidators, unsorted},
		{"a key that moves", tx.CodeKeyReused, change(p1, strong, moved)},
		{"a weak key", tx.CodeInvalidValidators, change(p1, weak, l1, l2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			l.refuse(c.want, l.propose("party officer 1", &c.r)[0])
		})
	}
}

// TestValidatorChange follows a change from its announcement to the set in force, and on to a key that may not come back.
func TestValidatorChange(t *testing.T) {
	l := newLedger(t)
	p1, p3, l1, l2 := validator("party", 1), validator("party", 3), validator("league", 1), validator("league", 2)
	r := change(p1, p3, l1, l2)
	l.signed = func(key []byte) bool { return string(key) != string(l2.Key) }
	l.accept(l.propose("party officer 1", &r)...)
	l.accept(approve("party officer 2", &r), approve("league officer 1", &r), approve("league officer 2", &r))
	hash := app.ResolutionHash(chain, &r)
	if got := l.resolution(hash); got.Status != pb.RESOLUTION_OPEN {
		t.Fatalf("%v although half of the league did not sign the last commit", got.Status)
	}
	l.signed = func([]byte) bool { return true }
	l.block(1)
	announced := l.view().Height()
	if got := l.resolution(hash); got.Status != pb.RESOLUTION_EFFECTIVE || got.Decided != announced {
		t.Fatalf("%v at %d", got.Status, got.Decided)
	}
	epochs := must(state.MustLoad[pb.ValidatorEpochs](l.view(), state.KeyValidators))
	if epochs.Next.FirstHeight != announced+int64(parameters().Handover) || epochs.Next.Number != 2 {
		t.Fatalf("announced: %v", epochs.Next)
	}
	other := change(p1, validator("party", 4), l1, l2)
	l.refuse(tx.CodeChangePending, l.propose("party officer 1", &other)[0])
	for l.view().Height() < epochs.Next.FirstHeight-2 {
		if len(l.updates) != 0 {
			t.Fatalf("updates at height %d", l.view().Height())
		}
		l.block(1)
	}
	if len(l.updates) != 2 {
		t.Fatalf("%d updates two heights before, want one key out and one in", len(l.updates))
	}
	l.block(1)
	l.block(1)
	epochs = must(state.MustLoad[pb.ValidatorEpochs](l.view(), state.KeyValidators))
	if epochs.Present.Number != 2 || epochs.Next.Number != 0 || l.view().Height() != epochs.Present.FirstHeight {
		t.Fatalf("at %d: %v", l.view().Height(), epochs)
	}
	back := change(p1, validator("party", 2), l1, l2)
	l.refuse(tx.CodeKeyReused, l.propose("party officer 1", &back)[0])
}

// TestAddressChange: a validator may move to another address or slip key with the same consensus key and power.
func TestAddressChange(t *testing.T) {
	l := newLedger(t)
	moved := validator("party", 2)
	moved.Address, moved.SlipKey = "127.0.0.1:30000", public("another slip key")
	r := change(validator("party", 1), moved, validator("league", 1), validator("league", 2))
	l.resolve(r)
	for range parameters().Handover {
		if len(l.updates) != 0 {
			t.Fatalf("consensus is told of %d updates although no power changes", len(l.updates))
		}
		l.block(1)
	}
	epochs := must(state.MustLoad[pb.ValidatorEpochs](l.view(), state.KeyValidators))
	if epochs.Present.Number != 2 || !slices.ContainsFunc(epochs.Present.Validators, func(v pb.Validator) bool { return v.Address == moved.Address }) {
		t.Fatalf("in force: %v", epochs.Present)
	}
}

// TestOwnApproval: even where a rule lets one organisation decide, nobody changes another's validators or officers.
func TestOwnApproval(t *testing.T) {
	l := newLedger(t)
	p := parameters()
	p.ResolutionRules = []pb.ResolutionRule{{Kind: 9, Organisations: 1}, {Kind: 10, Organisations: 1}}
	l.resolve(pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: p}}})
	own := change(validator("party", 1), validator("party", 3), validator("league", 1), validator("league", 2))
	foreign := change(validator("party", 1), validator("party", 2), validator("league", 1), validator("league", 3))
	l.accept(append(l.propose("party officer 1", &foreign), l.propose("party officer 1", &own)...)...)
	l.accept(approve("party officer 2", &foreign), approve("party officer 2", &own))
	if got := l.resolution(app.ResolutionHash(chain, &foreign)); got.Status != pb.RESOLUTION_OPEN {
		t.Fatalf("the party alone changed the league's validators: %v", got.Status)
	}
	if got := l.resolution(app.ResolutionHash(chain, &own)); got.Status != pb.RESOLUTION_EFFECTIVE {
		t.Fatalf("the party could not change its own validators: %v", got.Status)
	}
	officers := pb.Organisation{Id: "league", Title: "league", Term: 1, OfficerQuorum: 1, Officers: members("officer", "usurper", 1)}
	coup := pb.Resolution{Decision: &pb.Resolution_ChangeOfficers{ChangeOfficers: &pb.ChangeOfficers{Organisation: officers}}}
	l.accept(l.propose("party officer 1", &coup)...)
	l.accept(approve("party officer 2", &coup), approve("party officer 3", &coup))
	if got := l.resolution(app.ResolutionHash(chain, &coup)); got.Status != pb.RESOLUTION_OPEN {
		t.Fatalf("the party alone changed the league's officers: %v", got.Status)
	}
}

// TestOfficerLeaves: approvals count as long as the officer holds the office.
func TestOfficerLeaves(t *testing.T) {
	l := newLedger(t)
	r := createElectionOf(l.publish(manifest()))
	l.accept(l.propose("party officer 1", &r)...)
	l.accept(approve("league officer 1", &r), approve("league officer 2", &r))
	party := pb.Organisation{Id: "party", Title: "party", Term: 1, OfficerQuorum: 1, Officers: members("officer", "new party", 2), Registrars: members("registrar", "party", 1)}
	l.resolve(pb.Resolution{Decision: &pb.Resolution_ChangeOfficers{ChangeOfficers: &pb.ChangeOfficers{Organisation: party}}})
	l.refuse(tx.CodeNotAuthorised, approve("party officer 2", &r))
	if got := l.resolution(app.ResolutionHash(chain, &r)); got.Status != pb.RESOLUTION_OPEN {
		t.Fatalf("%v by officers who are none", got.Status)
	}
	l.accept(approve("new party officer 1", &r))
	if got := l.resolution(app.ResolutionHash(chain, &r)); got.Status != pb.RESOLUTION_EFFECTIVE {
		t.Fatalf("%v", got.Status)
	}
}

// TestOfficersChangeInTurn: a change of officers that lay open while another took effect is refused, so that it brings back nobody whom the
// other removed.
func TestOfficersChangeInTurn(t *testing.T) {
	l := newLedger(t)
	change := func(term uint64, officers int) pb.Resolution {
		party := organisationOf("party", officers)
		party.Term = term
		return pb.Resolution{Decision: &pb.Resolution_ChangeOfficers{ChangeOfficers: &pb.ChangeOfficers{Organisation: party}}}
	}
	same, late := change(0, 3), change(2, 3)
	l.refuse(tx.CodeInvalidOrganisation, l.propose("party officer 1", &same)[0])
	l.refuse(tx.CodeInvalidOrganisation, l.propose("party officer 1", &late)[0])
	old := change(1, 3)
	l.accept(l.propose("party officer 1", &old)...)
	l.accept(approve("party officer 2", &old), approve("league officer 1", &old))
	l.resolve(change(1, 2))
	l.accept(approve("league officer 2", &old))
	if got := l.resolution(app.ResolutionHash(chain, &old)); got.Status != pb.RESOLUTION_REFUSED || got.Code != uint32(tx.CodeInvalidOrganisation) {
		t.Fatalf("%v with the code %d", got.Status, got.Code)
	}
	l.refuse(tx.CodeNotAuthorised, approve("party officer 3", &late))
	l.resolve(change(2, 4))
}

func TestParameterRefusals(t *testing.T) {
	l := newLedger(t)
	for name, change := range map[string]func(p *pb.Parameters){
		"certify":      func(p *pb.Parameters) { p.Certify = pb.Fraction{Numerator: 3, Denominator: 4} },
		"no handover":  func(p *pb.Parameters) { p.Handover = 0 },
		"certify half": func(p *pb.Parameters) { p.Certify = pb.Fraction{Numerator: 1, Denominator: 2} },
		"cap of all":   func(p *pb.Parameters) { p.PowerCap = pb.Fraction{Numerator: 1, Denominator: 1} },
		"no ballots":   func(p *pb.Parameters) { p.Limits.BallotBytes = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			p := parameters()
			change(&p)
			r := pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: p}}}
			l.refuse(tx.CodeInvalidParameters, l.propose("party officer 1", &r)[0])
		})
	}
}

func TestTimes(t *testing.T) {
	l := newLedger(t)
	l.resolve(createElectionOf(l.publish(manifest())))
	set := func(opening, closing int64) pb.Resolution {
		return pb.Resolution{Decision: &pb.Resolution_ScheduleElection{ScheduleElection: &pb.ScheduleElection{Election: id, Opening: opening, Closing: closing}}}
	}
	for _, r := range []pb.Resolution{set(l.now, l.now+10), set(l.now+10, l.now+10), set(0, 5), set(l.now+10, election.MaxTime+1)} {
		l.refuse(tx.CodeInvalidTimes, l.propose("party officer 1", &r)[0])
	}
	// What is not ready at its opening does not open, and waits for new times.
	l.schedule(l.now+20, l.now+100)
	l.block(20)
	l.expectPhase(pb.PHASE_SETUP)
	if e := l.election(); e.Opening != 0 || e.Closing != 0 {
		t.Fatalf("times %d, %d are still set", e.Opening, e.Closing)
	}
	extend := pb.Resolution{Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: id, Cause: pb.EXTENSION_OTHER, Closing: l.now + 100}}}
	l.refuse(tx.CodeWrongPhase, l.propose("party officer 1", &extend)[0])
}

func TestExtendAndCancel(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(3)
	closing := l.election().Closing
	extend := func(closing int64) pb.Resolution {
		return pb.Resolution{Reason: "power cut", Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: id, Cause: pb.EXTENSION_OTHER, Closing: closing}}}
	}
	earlier := extend(closing - 1)
	l.refuse(tx.CodeInvalidTimes, l.propose("party officer 1", &earlier)[0])
	l.resolve(extend(closing + 100))
	l.block(closing - l.now)
	l.expectPhase(pb.PHASE_VOTING)
	l.accept(cast(draft(l.shared(), 0, voters[0], 1, nil, []int{0}), 0, 1))
	cancel := func() pb.Resolution {
		return pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: id}}}
	}
	l.resolve(cancel())
	l.expectPhase(pb.PHASE_CANCELLED)
	again := cancel()
	l.refuse(tx.CodeWrongPhase, l.propose("party officer 1", &again)[0])
	l.block(1000)
	l.expectPhase(pb.PHASE_CANCELLED)
}
