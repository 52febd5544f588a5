package app_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// plant writes records that a test cannot bring about in a reasonable time.
func (l *ledger) plant(write func(w state.Writer)) {
	l.t.Helper()
	d := l.state.NewDraft()
	write(d)
	l.commit(d)
}

func twoChunks(t *testing.T) (data []byte, hash [32]byte) {
	data = make([]byte, tx.ChunkSize+1000)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	return data, sha256.Sum256(data)
}

// TestOldChunkAgain: what an officer has published stands. Anybody can send its first chunk again, in every block, and the upload
// goes on all the same.
func TestOldChunkAgain(t *testing.T) {
	l := newLedger(t)
	data, hash := twoChunks(t)
	chunk := func(size, offset int, b []byte) []byte {
		return sign("party officer 1", &pb.PublishDocument{Hash: hash[:], Size_: uint64(size), Offset: uint64(offset), Chunk: b})
	}
	first := chunk(len(data), 0, data[:tx.ChunkSize])
	l.accept(first)
	l.refuse(tx.CodeAlreadyDone, first)
	l.refuse(tx.CodeDocumentOrder, chunk(len(data), 0, make([]byte, tx.ChunkSize)))
	l.refuse(tx.CodeDocumentOrder, chunk(100, 0, data[:100]))
	l.refuse(tx.CodeDocumentOrder, chunk(2*tx.ChunkSize, tx.ChunkSize, make([]byte, tx.ChunkSize)))
	if r := l.block(1, first, chunk(len(data), tx.ChunkSize, data[tx.ChunkSize:])); r[1].Code != tx.CodeOK {
		t.Fatalf("after the first chunk came again: %v", r[1].Code)
	}
	l.refuse(tx.CodeAlreadyDone, first)
}

// TestOfficerLimit: what one officer leaves on the ledger is bounded.
func TestOfficerLimit(t *testing.T) {
	l := newLedger(t)
	data, hash := twoChunks(t)
	first := &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(data)), Chunk: data[:tx.ChunkSize]}
	acts := func(documents, resolutions uint32) {
		l.plant(func(w state.Writer) {
			state.Save(w, state.OfficerKey(public("party officer 1")), &pb.OfficerActs{Documents: documents, Resolutions: resolutions})
		})
	}
	r := pb.Resolution{Decision: &pb.Resolution_ChangeOfficers{ChangeOfficers: &pb.ChangeOfficers{Organisation: organisationOf("party", 4)}}}
	acts(1_000, 10_000)
	l.refuse(tx.CodeOfficerLimit, sign("party officer 1", first))
	l.refuse(tx.CodeOfficerLimit, l.propose("party officer 1", &r)[0])
	l.accept(sign("party officer 2", first))
	acts(999, 9_999)
	l.accept(sign("party officer 1", first), l.propose("party officer 1", &r)[0])
	got := must(state.MustLoad[pb.OfficerActs](l.view(), state.OfficerKey(public("party officer 1"))))
	if got.Documents != 1_000 || got.Resolutions != 10_000 {
		t.Fatalf("counted: %v", got)
	}
	last := &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(data)), Offset: tx.ChunkSize, Chunk: data[tx.ChunkSize:]}
	l.accept(sign("party officer 1", last)) // what is begun may go on
}

func organisationOf(id string, officers int) pb.Organisation {
	return pb.Organisation{Id: id, Title: id, Term: 1, OfficerQuorum: 2, Officers: members("officer", id, officers), Registrars: members("registrar", id, 1)}
}

// TestSignatories: a resolution that thousands of officers have signed takes no more, so that its record stays below what a record may
// hold, with the longest resolution.
func TestSignatories(t *testing.T) {
	l := newLedger(t)
	r := createElectionOf(l.publish(manifest()))
	l.accept(l.propose("party officer 1", &r)...)
	hash := app.ResolutionHash(chain, &r)
	record := l.resolution(hash)
	for i := len(record.Approvals); i < 2_499; i++ {
		former := sha256.Sum256(fmt.Append(nil, i))
		record.Approvals = append(record.Approvals, pb.Approval{Organisation: "organisation-of-32-characters-32", Officer: former[:]})
	}
	save := func() {
		l.plant(func(w state.Writer) { state.Save(w, state.ResolutionKey(hash[:]), record) })
	}
	save()
	l.accept(approve("party officer 2", &r))
	l.refuse(tx.CodeResolutionClosed, approve("league officer 1", &r))
	l.accept(withdraw("party officer 2", &r))
	l.refuse(tx.CodeResolutionClosed, approve("league officer 1", &r))
	if size := len(election.Encode(l.resolution(hash))) + 512<<10; size > state.MaxRecordValue {
		t.Fatalf("a record of %d bytes", size)
	}
}

// ruled makes a ledger on which fewer than all organisations suffice for some kinds.
func ruled(t *testing.T, kinds ...uint32) *ledger {
	l := newLedger(t)
	p := parameters()
	for _, k := range kinds {
		p.ResolutionRules = append(p.ResolutionRules, pb.ResolutionRule{Kind: k, Organisations: 1})
	}
	l.resolve(pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: p}}})
	return l
}

// byParty proposes a resolution and approves it for the party alone.
func (l *ledger) byParty(r *pb.Resolution) *pb.ResolutionRecord {
	l.t.Helper()
	l.accept(l.propose("party officer 1", r)...)
	l.accept(approve("party officer 2", r))
	return l.resolution(app.ResolutionHash(chain, r))
}

func (l *ledger) pending() int {
	return len(must(state.MustLoad[pb.PendingResolutions](l.view(), state.KeyPending)).Hashes)
}

// TestWaitingChanges: an organisation that decides on its own validators, and does not sign, cannot pile up changes that wait.
func TestWaitingChanges(t *testing.T) {
	l := ruled(t, 9)
	l.signed = func(key []byte) bool { return !bytes.Equal(key, validator("party", 2).Key) }
	var waiting pb.Resolution
	for n := 3; n < 6; n++ {
		r := change(validator("party", 1), validator("party", n), validator("league", 1), validator("league", 2))
		switch got := l.byParty(&r); {
		case n == 3 && got.Status != pb.RESOLUTION_OPEN:
			t.Fatalf("the first change: %v", got.Status)
		case n > 3 && (got.Status != pb.RESOLUTION_REFUSED || tx.Code(got.Code) != tx.CodeChangePending):
			t.Fatalf("a change behind one that waits: %v, %v", got.Status, tx.Code(got.Code))
		case n == 3:
			waiting = r
		}
		if l.pending() != 1 {
			t.Fatalf("%d resolutions wait", l.pending())
		}
	}
	l.signed = func([]byte) bool { return true }
	l.block(1)
	if got := l.resolution(app.ResolutionHash(chain, &waiting)); got.Status != pb.RESOLUTION_EFFECTIVE || l.pending() != 0 {
		t.Fatalf("the change that waited: %v, %d wait", got.Status, l.pending())
	}
}

// TestWaitingExpires: a change of validators that waits beyond its time is dropped, and the next one gets its turn.
func TestWaitingExpires(t *testing.T) {
	l := ruled(t, 9)
	l.signed = func(key []byte) bool { return !bytes.Equal(key, validator("party", 2).Key) }
	r := change(validator("party", 1), validator("party", 3), validator("league", 1), validator("league", 2))
	expires := l.byParty(&r).Expires
	for l.view().Height() < expires {
		l.block(1)
	}
	if l.pending() != 1 {
		t.Fatal("dropped before its last height")
	}
	l.block(1)
	if got := l.resolution(app.ResolutionHash(chain, &r)); l.pending() != 0 || got.Status != pb.RESOLUTION_OPEN {
		t.Fatalf("%d wait, the expired one is %v", l.pending(), got.Status)
	}
	l.signed = func([]byte) bool { return true }
	l.block(1)
	if epochs := must(state.MustLoad[pb.ValidatorEpochs](l.view(), state.KeyValidators)); epochs.Next.Number != 0 {
		t.Fatal("an expired change took effect")
	}
}

// TestOfficersChangeFirst: a resolution that loses an approval to a change of officers in its own block is open again, and waits on no
// list; the next approval completes it.
func TestOfficersChangeFirst(t *testing.T) {
	l := newLedger(t)
	hash := l.publish(manifest())
	officers := pb.Resolution{Decision: &pb.Resolution_ChangeOfficers{ChangeOfficers: &pb.ChangeOfficers{Organisation: pb.Organisation{
		Id: "party", Title: "party", Term: 1, OfficerQuorum: 1, Officers: members("officer", "new party", 2), Registrars: members("registrar", "party", 1)}}}}
	create := createElectionOf(hash)
	l.accept(append(l.propose("party officer 1", &officers), l.propose("party officer 1", &create)...)...)
	l.accept(approve("party officer 2", &officers), approve("party officer 2", &create),
		approve("league officer 1", &officers), approve("league officer 1", &create))
	l.accept(approve("league officer 2", &officers), approve("league officer 2", &create))
	if got := l.resolution(app.ResolutionHash(chain, &create)); got.Status != pb.RESOLUTION_OPEN || l.pending() != 0 {
		t.Fatalf("%v, %d wait", got.Status, l.pending())
	}
	l.accept(approve("new party officer 1", &create))
	l.expectPhase(pb.PHASE_SETUP)
}

// TestBoardNeedsItsOrganisation: whatever the rules waive, no organisation appoints another's trustees or excuses them.
func TestBoardNeedsItsOrganisation(t *testing.T) {
	l := ruled(t, 3, 4, 14)
	create := createElectionOf(l.publish(manifest()))
	if got := l.byParty(&create); got.Status != pb.RESOLUTION_EFFECTIVE {
		t.Fatalf("the rule lets the party create elections: %v", got.Status)
	}
	usurp := pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: &pb.AppointTrustees{Election: id, Boards: boards(3, 2)}}}
	if got := l.byParty(&usurp); got.Status != pb.RESOLUTION_OPEN {
		t.Fatalf("the party alone appointed the league's trustees: %v", got.Status)
	}
	trustees := l.appoint(3, 2)
	l.keysOf(trustees)
	l.accept(l.each(trustees[1:], l.trial)...)
	l.block(step)
	excuse := pb.Resolution{Decision: &pb.Resolution_ExcuseTrial{ExcuseTrial: &pb.ExcuseTrial{Election: id, Organisation: "league", Trustees: []uint32{1}}}}
	if got := l.byParty(&excuse); got.Status != pb.RESOLUTION_OPEN {
		t.Fatalf("the party alone excused a trustee of the league: %v", got.Status)
	}
}

// TestForgedSignature: what may be dear is asked of nobody whose signature does not hold.
func TestForgedSignature(t *testing.T) {
	l, trustees := appointed(t)
	unknown := createElectionOf(make([]byte, 32))
	for name, raw := range map[string][]byte{
		"proposal": l.propose("party officer 1", &unknown)[0],
		"announce": l.announce(trustees[0]),
		"roll":     enrol("party registrar 1", &pb.AddRollEntries{Election: id, Entries: []pb.RollEntry{{Key: make([]byte, 32)}}}),
	} {
		raw[len(raw)-1] ^= 1
		refusal, ok := l.app.Check(l.view(), l.now*1e9, must(tx.Parse(raw))).(*tx.Refusal)
		if !ok || refusal.Code != tx.CodeBadSignature {
			t.Errorf("%s: %v", name, refusal)
		}
	}
}

// TestBallotsMustFit: an election whose ballots no transaction could carry is not created.
func TestBallotsMustFit(t *testing.T) {
	l := newLedger(t)
	p := parameters()
	p.Limits.BallotBytes = 1_024
	l.resolve(pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: p}}})
	m := manifest()
	manyOptions(&m.Contests[0], 20)
	r := createElectionOf(l.publish(m))
	l.refuse(tx.CodeInvalidManifest, l.propose("party officer 1", &r)[0])
	r = createElectionOf(l.publish(manifest()))
	l.accept(l.propose("party officer 1", &r)...)
}

// longRoll is a view in which the roll of the election has so many entries.
type longRoll struct {
	state.View
	size uint64
}

func (v longRoll) Head(log string) (state.Head, error) {
	return state.Head{Size: v.size}, nil
}

// TestRollLimit: a roll never grows beyond what a voters' tree can hold.
func TestRollLimit(t *testing.T) {
	l := newLedger(t)
	l.resolve(createElectionOf(l.publish(manifest())))
	entry := pb.RollEntry{Key: must(ballot.GenerateKey(rand.Reader)).Public().Bytes()}
	for size, want := range map[uint64]tx.Code{state.MaxVoters - 1: tx.CodeOK, state.MaxVoters: tx.CodeTooLarge} {
		p := must(tx.Parse(enrol("party registrar 1", &pb.AddRollEntries{Election: id, First: size, Entries: []pb.RollEntry{entry}})))
		got := tx.CodeOK
		if refusal, ok := l.app.Check(longRoll{l.view(), size}, l.now*1e9, p).(*tx.Refusal); ok {
			got = refusal.Code
		}
		if got != want {
			t.Errorf("behind %d entries: %v, want %v", size, got, want)
		}
	}
}

// TestKeysThatCancel: trustees of one organisation who all work together can make their part of a key the identity, with right proofs. The
// ledger goes on: every organisation begins its next attempt.
func TestKeysThatCancel(t *testing.T) {
	l, trustees := appointed(t)
	l.accept(l.each(trustees[:3], l.announce)...)
	party := trustees[3:]
	raw := l.each(party, l.announce)
	sum := make([]byte, 0, 5*2*32)
	for slot := range 5 {
		for power := range 2 {
			total := scalar.New()
			for _, t := range party[:2] {
				total.Add(total, scalarAt(t.deal, slot, power))
			}
			if power == 0 { // the third constant takes the other two away
				sum = append(sum, scalarBytes(scalar.New().Neg(total))...)
			} else {
				sum = append(sum, scalarBytes(scalarAt(party[2].deal, slot, power))...)
			}
		}
	}
	c := l.ceremony(party[2])
	party[2].deal = must(c.ParsePolynomials(sum))
	hash := c.DealHash(3, party[2].deal.Commitments().Bytes())
	m := must(tx.Parse(raw[2])).Body().(*pb.AnnounceDeal)
	m.DealHash = hash[:]
	raw[2] = sign(party[2].name, m)
	l.accept(raw...)
	l.accept(l.each(trustees, l.publishDeal)...)
	l.accept(l.each(trustees, l.confirm)...)
	l.expectCeremony("party", 2, pb.CEREMONY_ANNOUNCE, pb.EJECTION_NONE, pb.EJECTION_NONE, pb.EJECTION_NONE)
	l.expectCeremony("league", 2, pb.CEREMONY_ANNOUNCE)
	l.keysOf(trustees)
}

func scalarAt(p *threshold.Polynomials, slot, power int) *scalar.Scalar {
	b := p.Bytes()[32*(2*slot+power):][:32]
	return must(scalar.NewFromCanonicalBytes(b))
}

func scalarBytes(s *scalar.Scalar) []byte {
	return must(s.MarshalBinary())
}
