package rehearsal

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// Sign returns a transaction signed by the key of a name.
func Sign(name string, body election.Message) []byte { return tx.Sign(Chain, body, Key(name)) }

// Enrol returns a part of a roll that the registrars of both organisations have signed.
func Enrol(sender string, m *pb.AddRollEntries) []byte {
	m.Signatures = nil
	for _, registrar := range []string{"league registrar 1", "party registrar 1"} {
		m.Signatures = append(m.Signatures, tx.SignRoll(Chain, m, Key(registrar)))
	}
	return Sign(sender, m)
}

// Publish publishes a manifest and returns its hash.
func (l *Ledger) Publish(m *pb.Manifest) []byte {
	l.t.Helper()
	return l.PublishDocument(election.Encode(m))
}

// PublishDocument publishes a document and returns its hash.
func (l *Ledger) PublishDocument(b []byte) []byte {
	l.t.Helper()
	hash := sha256.Sum256(b)
	for at := 0; at < len(b); at += tx.ChunkSize {
		chunk := b[at:min(at+tx.ChunkSize, len(b))]
		l.Accept(Sign("party officer 1", &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(b)), Offset: uint64(at), Chunk: chunk}))
	}
	return hash[:]
}

// Propose returns the proposal of a resolution, which gets a nonce of its own, and its hash.
func (l *Ledger) Propose(officer string, r *pb.Resolution) (raw []byte, hash [32]byte) {
	l.nonce++
	r.Nonce = l.nonce
	return Sign(officer, &pb.ProposeResolution{Resolution: *r}), app.ResolutionHash(Chain, r)
}

// Approve returns an officer's approval.
func Approve(officer string, hash [32]byte) []byte {
	return Sign(officer, &pb.ApproveResolution{Resolution: hash[:]})
}

// Resolve has both organisations decide something, and waits until it takes effect.
func (l *Ledger) Resolve(r *pb.Resolution) {
	l.t.Helper()
	raw, hash := l.Propose("party officer 1", r)
	l.Accept(raw)
	l.Accept(Approve("party officer 2", hash), Approve("league officer 1", hash), Approve("league officer 2", hash))
	if got := l.Resolution(hash); got.Status != pb.RESOLUTION_EFFECTIVE {
		l.t.Fatalf("height %d: resolution is %v with code %v", l.Height(), got.Status, tx.Code(got.Code))
	}
}

// Resolution returns the record of a resolution.
func (l *Ledger) Resolution(hash [32]byte) *pb.ResolutionRecord {
	return must(state.MustLoad[pb.ResolutionRecord](l.View(), state.ResolutionKey(hash[:])))
}

// Election is an election of a ledger with everything its people know.
type Election struct {
	*Ledger
	ID       string
	Manifest *pb.Manifest
	Voters   []*ballot.SecretKey
	Trustees []*Trustee
	// Ballots is what all ballots share, once the election is ready.
	Ballots *ballot.Election
}

// Manifest returns the rules of a small election with two contests and two districts: the north sees both, the south the second.
func Manifest(id string) *pb.Manifest {
	return &pb.Manifest{
		Election: id, Title: "Primary",
		Contests: []pb.Contest{
			{Title: "Mazhilis", FirstSlot: 0, Options: []string{"Aigul", "Bolat", "Dana"}, MinSelections: 0, MaxSelections: 2},
			{Title: "Maslikhat", FirstSlot: 3, Options: []string{"Erlan", "Farida"}, MinSelections: 1, MaxSelections: 1},
		},
		Styles:         []pb.BallotStyle{{District: "North", Contests: []uint32{0, 1}}, {District: "South", Contests: []uint32{1}}},
		RevoteInterval: 5, ObjectionWindow: 10, CeremonyStep: 60, OpenMin: 2,
	}
}

// Create creates an election by resolution.
func (l *Ledger) Create(m *pb.Manifest) *Election {
	l.t.Helper()
	hash := l.Publish(m)
	l.Resolve(&pb.Resolution{Reason: "the primary", Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: hash}}})
	return &Election{Ledger: l, ID: m.Election, Manifest: m}
}

// Record returns the record of the election.
func (e *Election) Record() *pb.Election {
	return must(state.MustLoad[pb.Election](e.View(), state.ElectionKey(e.ID)))
}

// slots returns the number of slots.
func (e *Election) slots() int { return election.Slots(e.Manifest) }

// Expect fails unless the election is in a phase.
func (e *Election) Expect(phase pb.Phase) {
	e.t.Helper()
	if got := e.Record().Phase; got != phase {
		e.t.Fatalf("height %d: phase %v, want %v", e.Height(), got, phase)
	}
}

// Style returns the style of a voter: every third votes in the south.
func Style(voter int) uint32 {
	if voter%3 == 2 {
		return 1
	}
	return 0
}

// Enrol adds so many voters to the roll.
func (e *Election) Enrol(n int) {
	e.t.Helper()
	part := &pb.AddRollEntries{Election: e.ID, First: uint64(len(e.Voters))}
	for range n {
		key := must(ballot.GenerateKey(rand.Reader))
		part.Entries = append(part.Entries, pb.RollEntry{Key: key.Public().Bytes(), Style: Style(len(e.Voters))})
		e.Voters = append(e.Voters, key)
	}
	e.Accept(Enrol("party registrar 1", part))
}

// Seal seals the roll as it is.
func (e *Election) Seal() {
	e.t.Helper()
	head := must(e.View().Head(state.LogRoll(e.ID)))
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: e.ID, Size_: head.Size, Root: head.Root[:]}}})
}

// Schedule sets opening and closing, unix seconds.
func (e *Election) Schedule(opening, closing int64) {
	e.t.Helper()
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_ScheduleElection{
		ScheduleElection: &pb.ScheduleElection{Election: e.ID, Opening: opening, Closing: closing},
	}})
}

// trusteeNames lists n trustees of an organisation, from the first-th.
func trusteeNames(organisation string, first, n int) []pb.Member {
	var list []pb.Member
	for i := first; i < first+n; i++ {
		name := fmt.Sprintf("%s trustee %d", organisation, i)
		list = append(list, pb.Member{Name: name, Key: public(name)})
	}
	return list
}

// Change has the validators changed, and waits until the new ones sign.
func (l *Ledger) Change(list ...pb.Validator) {
	l.t.Helper()
	l.Resolve(&pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{Validators: Sorted(list...)}}})
	for range l.Genesis.Parameters.Handover + 2 {
		l.Make(1)
	}
}
