package app_test

import (
	"crypto/rand"
	"testing"

	"votenode/app/election"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// altered casts a ballot and changes it before it is wrapped, the voter's signature kept.
func altered(d *ballot.Draft, voter int, sequence uint64, change func(m *pb.CastBallot, signature []byte)) []byte {
	ciphertext, proof, signature, err := d.Cast()
	if err != nil {
		panic(err)
	}
	m := &pb.CastBallot{Election: id, Style: style(voter), RollIndex: uint64(voter), Sequence: sequence, Ciphertext: ciphertext, Proof: proof}
	change(m, signature)
	return tx.Ballot(m, signature)
}

func TestCastBallotRefusals(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(6)
	shared := l.shared()
	good := func(voter int, sequence uint64) *ballot.Draft {
		if style(voter) == 1 {
			return draft(shared, voter, voters[voter], sequence, []int{0})
		}
		return draft(shared, voter, voters[voter], sequence, []int{0}, []int{0})
	}
	first := cast(good(0, 5), 0, 5)
	l.accept(first)
	stranger := must(ballot.GenerateKey(rand.Reader))

	cases := []struct {
		name string
		want tx.Code
		raw  []byte
	}{
		{"replayed", tx.CodeSequence, first},
		{"equal number", tx.CodeSequence, cast(good(0, 5), 0, 5)},
		{"lower number", tx.CodeSequence, cast(good(0, 4), 0, 4)},
		{"too soon", tx.CodeTooSoon, cast(good(0, 6), 0, 6)},
		{"unknown voter", tx.CodeUnknownVoter, altered(good(1, 1), 1, 1, func(m *pb.CastBallot, _ []byte) { m.RollIndex = 6 })},
		{"far unknown voter", tx.CodeUnknownVoter, altered(good(1, 1), 1, 1, func(m *pb.CastBallot, _ []byte) { m.RollIndex = 1<<64 - 1 })},
		{"unknown election", tx.CodeUnknownElection, altered(good(1, 1), 1, 1, func(m *pb.CastBallot, _ []byte) { m.Election = "other" })},
		{"path as election", tx.CodeUnknownElection, altered(good(1, 1), 1, 1, func(m *pb.CastBallot, _ []byte) { m.Election = id + "/keys" })},
		{"moved to another voter", tx.CodeBadSignature, altered(good(1, 1), 1, 1, func(m *pb.CastBallot, _ []byte) { m.RollIndex = 3 })},
		{"moved to another number", tx.CodeBadSignature, altered(good(1, 1), 1, 1, func(m *pb.CastBallot, _ []byte) { m.Sequence = 9 })},
		{"signed by a stranger", tx.CodeBadSignature, strangers(shared, 1, stranger)},
		{"proof exchanged", tx.CodeBadSignature, altered(good(1, 1), 1, 1, func(m *pb.CastBallot, _ []byte) {
			_, m.Proof, _, _ = good(1, 1).Cast()
		})},
		{"wrong style", tx.CodeWrongStyle, wrongStyle(shared, 1, voters[1])},
		{"style out of range", tx.CodeBadProof, altered(good(1, 1), 1, 1, func(m *pb.CastBallot, _ []byte) { m.Style = 7 })},
		{"truncated ciphertext", tx.CodeBadProof, altered(good(1, 1), 1, 1, func(m *pb.CastBallot, _ []byte) { m.Ciphertext = m.Ciphertext[:len(m.Ciphertext)-32] })},
		{"truncated by a byte", tx.CodeInvalidField, altered(good(1, 1), 1, 1, func(m *pb.CastBallot, _ []byte) { m.Proof = m.Proof[:len(m.Proof)-1] })},
		{"identity as C_0", tx.CodeBadProof, altered(good(1, 1), 1, 1, func(m *pb.CastBallot, _ []byte) { clear(m.Ciphertext[:32]) })},
		{"non-canonical point", tx.CodeBadProof, altered(good(1, 1), 1, 1, func(m *pb.CastBallot, _ []byte) { m.Ciphertext[31] |= 0x80 })},
		{"signature flipped", tx.CodeBadSignature, altered(good(1, 1), 1, 1, func(_ *pb.CastBallot, s []byte) { s[40] ^= 1 })},
		{"trailing byte", tx.CodeMalformed, append(cast(good(1, 1), 1, 1), 0)},
		{"cut short", tx.CodeMalformed, cast(good(1, 1), 1, 1)[:200]},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			l.refuse(c.want, c.raw)
		})
	}
	l.t = t
	l.block(5)
	l.accept(cast(good(0, 6), 0, 6), cast(good(1, 1), 1, 1))
}

func strangers(shared *ballot.Election, voter int, key *ballot.SecretKey) []byte {
	return cast(draft(shared, voter, key, 1, []int{0}, []int{0}), voter, 1)
}

func wrongStyle(shared *ballot.Election, voter int, key *ballot.SecretKey) []byte {
	st := ballot.Statement{Style: 1, RollIndex: uint64(voter), Voter: key.Public(), Sequence: 1}
	d := must(shared.Encrypt(st, [][]int{{0}}, key, rand.Reader))
	return altered(d, voter, 1, func(m *pb.CastBallot, _ []byte) { m.Style = 1 })
}

// TestTwoInOneBlock: block time does not move within a block, so the second ballot of a voter is too soon.
func TestTwoInOneBlock(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(3)
	shared := l.shared()
	results := l.block(1,
		cast(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1),
		cast(draft(shared, 0, voters[0], 2, nil, []int{1}), 0, 2))
	if results[0].Code != tx.CodeOK || results[1].Code != tx.CodeTooSoon {
		t.Fatalf("codes %v and %v", results[0].Code, results[1].Code)
	}
}

func TestBallotPhases(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(3)
	shared := l.shared()
	late := cast(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1)
	unspoiled := spoil(draft(shared, 1, voters[1], 1, nil, []int{0}), 1, 1, voters[1])
	l.block(l.election().Closing - l.now)
	l.expectPhase(pb.PHASE_CLOSED)
	l.refuse(tx.CodeWrongPhase, late)
	l.refuse(tx.CodeWrongPhase, unspoiled)
	l.block(window)
	if got := l.result(0); got.Status != pb.RESULT_WITHHELD || got.Ballots != 0 || len(got.Votes) != 0 {
		t.Errorf("a contest without ballots: %v", got)
	}
	l.expectPhase(pb.PHASE_FINAL)
}

// TestClosingBlock: a block at closing, to the second, records no ballot; one before it does.
func TestClosingBlock(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(3)
	shared := l.shared()
	closing := l.election().Closing
	if r := l.block(closing-1-l.now, cast(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1)); r[0].Code != tx.CodeOK {
		t.Fatalf("a second before closing: %v", r[0].Code)
	}
	if r := l.block(1, cast(draft(shared, 1, voters[1], 1, nil, []int{0}), 1, 1)); r[0].Code != tx.CodeWrongPhase {
		t.Fatalf("at closing: %v", r[0].Code)
	}
}

func TestSpoilBallotRefusals(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(3)
	shared := l.shared()
	d := draft(shared, 0, voters[0], 3, nil, []int{0})
	raw := spoil(d, 0, 3, voters[0])
	l.accept(raw)
	l.refuse(tx.CodeAlreadyDone, raw)
	l.refuse(tx.CodeBadSignature, spoilAs(d, 1, 3, voters[0]))

	// The same C_0 under a higher number, proof and signature made anew: only the device that knows r could do it.
	l.refuse(tx.CodeBadSignature, altered(draft(shared, 0, voters[0], 9, nil, []int{0}), 0, 9, func(m *pb.CastBallot, _ []byte) {
		copy(m.Ciphertext, d.Ciphertext())
	}))
	l.accept(spoil(draft(shared, 0, voters[0], 4, nil, []int{0}), 0, 4, voters[0]))
	l.refuse(tx.CodeSpoilLimit, spoil(draft(shared, 0, voters[0], 5, nil, []int{0}), 0, 5, voters[0]))

	recorded := draft(shared, 1, voters[1], 5, nil, []int{0})
	late := spoil(recorded, 1, 5, voters[1])
	l.accept(cast(recorded, 1, 5))
	l.refuse(tx.CodeRecorded, late)
}

func spoilAs(d *ballot.Draft, voter int, sequence uint64, key *ballot.SecretKey) []byte {
	s := d.Spoil()
	return tx.Ballot(&pb.SpoilBallot{Election: id, RollIndex: uint64(voter), Sequence: sequence, Code: s.Code[:], NoncePoint: s.C0[:]},
		must(ballot.SignSpoil(s, key, rand.Reader)))
}

// TestSpoiledNoncePoint: the state machine bars a spoiled C_0 whatever the number and the proof.
func TestSpoiledNoncePoint(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(3)
	shared := l.shared()
	later := draft(shared, 0, voters[0], 9, nil, []int{0})
	s := later.Spoil()
	s.Sequence = 2
	l.accept(tx.Ballot(&pb.SpoilBallot{Election: id, RollIndex: 0, Sequence: 2, Code: s.Code[:], NoncePoint: s.C0[:]},
		must(ballot.SignSpoil(s, voters[0], rand.Reader))))
	l.refuse(tx.CodeSpoiled, cast(later, 0, 9))
}

func TestRevokedVoter(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(4)
	shared := l.shared()
	l.accept(cast(draft(shared, 0, voters[0], 1, []int{0}, []int{0}), 0, 1), cast(draft(shared, 1, voters[1], 1, []int{0}, []int{1}), 1, 1))
	l.resolve(pb.Resolution{Reason: "left the party", Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: id, Voters: []uint64{0, 3}}}})
	l.refuse(tx.CodeRevoked, cast(draft(shared, 0, voters[0], 2, nil, []int{0}), 0, 2))
	l.refuse(tx.CodeRevoked, spoil(draft(shared, 3, voters[3], 2, nil, []int{0}), 3, 2, voters[3]))
	l.block(l.election().Closing - l.now)
	l.block(window)
	if got := l.result(0); got.Ballots != 1 || got.Status != pb.RESULT_WITHHELD {
		t.Errorf("%v after the revocation, want one ballot, which is below open_min", got)
	}
}

// TestOversizedBallot holds the limit of the parameters, which is below what the encoding could carry.
func TestOversizedBallot(t *testing.T) {
	l := newLedger(t)
	l.voting(3)
	m := &pb.CastBallot{Election: id, RollIndex: 0, Sequence: 1, Ciphertext: make([]byte, 32*600), Proof: make([]byte, 32)}
	p := must(tx.Parse(tx.Ballot(m, make([]byte, 64))))
	refusal, ok := l.app.Check(l.view(), l.now*1e9, p).(*tx.Refusal)
	if !ok || refusal.Code != tx.CodeTooLarge {
		t.Fatalf("%v", refusal)
	}
	fault, err := l.app.ProposalFault(l.view(), []*tx.Parsed{p}, []tx.Verdict{{}})
	if err != nil || fault == nil || fault.Code != tx.CodeTooLarge {
		t.Fatalf("the proposal passes: %v, %v", fault, err)
	}
}

// TestUnknownFieldRefused: what a newer client might add is refused, not ignored.
func TestUnknownFieldRefused(t *testing.T) {
	body := append(election.Encode(&pb.ConfirmDeals{Election: id}), 0x78, 1)
	raw := election.Encode(&pb.Envelope{Kind: uint32(tx.KindConfirmDeals), Body: body, Signer: make([]byte, 32), Signature: make([]byte, 64)})
	_, err := tx.Parse(raw)
	if r, ok := err.(*tx.Refusal); !ok || r.Code != tx.CodeMalformed {
		t.Fatalf("%v", err)
	}
}
