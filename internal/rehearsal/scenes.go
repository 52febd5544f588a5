package rehearsal

import (
	cryptorand "crypto/rand"
	"fmt"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/crypto/group"
	"votenode/crypto/threshold"
	"votenode/internal/forge"
	pb "votenode/proto/votenode/v1"
)

// Scenes are short ledgers on which something rare happens, by name. They call watch with the founded ledger.
var Scenes = map[string]func(t testing.TB, watch func(*Ledger)){
	"degenerate keys":  degenerateKeys,
	"no encryption":    noEncryption,
	"many contests":    manyContests,
	"silence":          silence,
	"challenge":        challenge,
	"paper":            func(t testing.TB, watch func(*Ledger)) { Paper(t, watch) },
	"nominations":      nominate,
	"removed, merged":  removedAndMerged,
	"too few":          tooFew,
	"lost secrets":     lostSecrets,
	"many lists":       manyLists,
	"many initiatives": manyInitiatives,
	"polls":            polls,
	"many polls":       manyPolls,
	"one slip key":     oneSlipKey,
}

// stage founds a ledger with an election whose roll is sealed and whose trustees are appointed.
func stage(t testing.TB, watch func(*Ledger), m *pb.Manifest, voters, trustees int) *Election {
	t.Helper()
	l := New(t)
	watch(l)
	e := l.Create(m)
	e.Enrol(voters)
	e.Seal()
	e.Appoint(trustees)
	return e
}

// Begin opens an election whose keys are made.
func (e *Election) Begin() {
	e.t.Helper()
	e.Accept(Each(e.Everybody(), (*Trustee).Trial)...)
	e.Expect(pb.PHASE_READY)
	e.Schedule(e.Now()+20, e.Now()+200)
	e.Make(20)
	e.Fix()
}

// end closes an election and waits for the decryption.
func (e *Election) end() {
	e.t.Helper()
	e.Make(e.Record().Closing - e.Now())
	e.Make(int64(e.Manifest.ObjectionWindow))
	e.Expect(pb.PHASE_DECRYPTING)
}

// degenerateKeys: all trustees of an organisation agree on polynomials of which the values at 0 add up to nothing in one slot. Their
// part of the key is the identity, nobody is named, and all begin again.
func degenerateKeys(t testing.TB, watch func(*Ledger)) {
	e := stage(t, watch, Manifest("primary"), 3, 3)
	league, party := e.Of("league"), e.Of("party")
	raw := Each(append(league, party...), (*Trustee).Announce)
	sum := scalar.New()
	for _, other := range party[:2] {
		first := must(group.ParseScalar(other.deal.Bytes()[:32]))
		sum.Add(sum, first)
	}
	last := party[2]
	changed := append(group.ScalarBytes(scalar.New().Neg(sum)), last.deal.Bytes()[32:]...)
	last.deal = must(last.context().ParsePolynomials(changed))
	hash := last.context().DealHash(last.Index, last.deal.Commitments().Bytes())
	p := must(tx.Parse(raw[len(raw)-1])).Body().(*pb.AnnounceDeal)
	p.DealHash = hash[:]
	raw[len(raw)-1] = Sign(last.Name, p)
	e.Accept(raw...)
	e.Accept(Each(e.Everybody(), (*Trustee).Publish)...)
	e.Accept(Each(e.Everybody(), (*Trustee).Confirm)...)
	for _, o := range Organisations {
		if c := e.ceremony(o); c.Attempt != 2 || c.Step != pb.CEREMONY_ANNOUNCE {
			t.Fatalf("%s is at attempt %d, %v", o, c.Attempt, c.Step)
		}
	}
	e.MakeKeys()
}

// noEncryption: two voters of the north agree on randomness that adds up to nothing, so their contest is encrypted in nothing and
// read off without shares.
func noEncryption(t testing.TB, watch func(*Ledger)) {
	e := stage(t, watch, Manifest("primary"), 3, 3)
	e.MakeKeys()
	e.Begin()
	r := must(forge.Scalar(cryptorand.Reader))
	first := e.forged(0, 1, [][]uint64{{1, 0, 0}, {1, 0}}, r)
	second := e.forged(1, 1, [][]uint64{{1, 0, 1}, {0, 1}}, scalar.New().Neg(r))
	e.Accept(first, second, e.Vote(2, 1, []int{1}))
	e.end()
	if got := e.Result(0); got.Votes[0] != 2 || got.Votes[1] != 0 || got.Votes[2] != 1 {
		t.Fatalf("%v", got)
	}
	one := e.Of("party")[0]
	part := one.Partial(1)
	part.Contest = 0
	e.Refuse(tx.CodeContestDecided, Sign(one.Name, &pb.PostPartials{Election: e.ID, Organisation: "party", Partials: []pb.PartialDecryption{part}}))
	for _, trustee := range e.Everybody() {
		if e.Record().Phase == pb.PHASE_DECRYPTING {
			e.Accept(trustee.Open(1))
		}
	}
	e.Make(1)
	e.Expect(pb.PHASE_FINAL)
}

// forged returns an honest ballot under randomness of the voter's choice.
func (e *Election) forged(voter int, sequence uint64, values [][]uint64, r *scalar.Scalar) []byte {
	key := e.Voters[voter]
	st := ballot.Statement{Style: Style(voter), RollIndex: uint64(voter), Voter: key.Public(), Sequence: sequence}
	ciphertext, proof, signature, err := forge.Make(e.parameters(), forge.Ballot{Statement: st, Values: values, Randomness: r, Key: key}, cryptorand.Reader)
	e.must(err)
	return tx.Ballot(&pb.CastBallot{
		Election: e.ID, Style: st.Style, RollIndex: st.RollIndex, Sequence: sequence, Ciphertext: ciphertext, Proof: proof,
	}, signature)
}

// manyContests: twelve contests of 200 options, more than a block that brings parts combines at once. Nobody votes in the last one.
func manyContests(t testing.TB, watch func(*Ledger)) {
	m := Manifest("primary")
	m.Contests, m.Styles, m.OpenMin = nil, nil, 1
	for i := range uint32(12) {
		c := pb.Contest{Title: fmt.Sprint(i), MinSelections: 1, MaxSelections: 1}
		for j := range 200 {
			c.Options = append(c.Options, fmt.Sprint(j))
		}
		m.Contests = append(m.Contests, c)
		m.Styles = append(m.Styles, pb.BallotStyle{District: fmt.Sprint(i), Contests: []uint32{i}})
	}
	l := New(t)
	watch(l)
	e := l.Create(m)
	part := &pb.AddRollEntries{Election: e.ID}
	for i := range uint32(12) {
		key := must(ballot.GenerateKey(cryptorand.Reader))
		e.Voters = append(e.Voters, key)
		part.Entries = append(part.Entries, pb.RollEntry{Key: key.Public().Bytes(), Style: i})
	}
	e.Accept(Enrol("party registrar 1", part))
	e.Seal()
	e.Appoint(3)
	e.MakeKeys()
	e.Begin()
	for i := range 11 {
		st := ballot.Statement{Style: uint32(i), RollIndex: uint64(i), Voter: e.Voters[i].Public(), Sequence: 1}
		d := must(e.Ballots.Encrypt(st, [][]int{{10 * i}}, e.Voters[i], cryptorand.Reader))
		ciphertext, proof, signature, err := d.Cast()
		e.must(err)
		e.Accept(tx.Ballot(&pb.CastBallot{Election: e.ID, Style: st.Style, RollIndex: st.RollIndex, Sequence: 1, Ciphertext: ciphertext, Proof: proof}, signature))
	}
	e.end()
	var contests []uint32
	for i := range uint32(11) {
		contests = append(contests, i)
	}
	var raw [][]byte
	for _, o := range Organisations {
		for _, trustee := range e.Of(o)[1:] {
			raw = append(raw, trustee.Open(contests...))
		}
	}
	e.Accept(raw...)
	if open := e.Record().ContestsOpen; open != 6 {
		t.Fatalf("%d contests are left", open)
	}
	e.Make(1)
	e.Expect(pb.PHASE_FINAL)
}

// silence: a trustee never announces and is put out; another one deals and then never posts its trial shares, and is excused. A
// resolution is approved too late and expires.
func silence(t testing.TB, watch func(*Ledger)) {
	l := New(t, func(g *pb.Genesis) { g.Parameters.ResolutionHeights = 8 })
	watch(l)
	raw, late := l.Propose("party officer 1", &pb.Resolution{Decision: &pb.Resolution_ChangeParameters{
		ChangeParameters: &pb.ChangeParameters{Parameters: l.Genesis.Parameters},
	}})
	l.Accept(raw)
	e := l.Create(Manifest("primary"))
	e.Enrol(3)
	e.Seal()
	for l.Height() < 10 {
		l.Make(1)
	}
	l.Refuse(tx.CodeResolutionClosed, Approve("party officer 2", late))
	e.Appoint(4)
	all := e.Everybody()
	e.Accept(Each(all[1:], (*Trustee).Announce)...)
	e.Make(int64(e.Manifest.CeremonyStep))
	if c := e.ceremony("league"); c.Attempt != 2 || c.Trustees[0].Ejected != pb.EJECTION_SILENT {
		t.Fatalf("%v", c)
	}
	e.Refuse(tx.CodeTrusteeEjected, all[0].Announce())
	e.Accept(Each(e.Of("league"), (*Trustee).Announce)...)
	e.Accept(Each(e.Everybody(), (*Trustee).Publish)...)
	e.Accept(Each(e.Everybody(), (*Trustee).Confirm)...)
	present := e.Everybody()
	e.Accept(Each(present[1:], (*Trustee).Trial)...)
	e.Make(int64(e.Manifest.CeremonyStep))
	e.Resolve(&pb.Resolution{Reason: "fell ill", Decision: &pb.Resolution_ExcuseTrial{ExcuseTrial: &pb.ExcuseTrial{
		Election: e.ID, Organisation: "league", Trustees: []uint32{present[0].Index},
	}}})
	e.Expect(pb.PHASE_READY)
	if present[0].Index == 1 || threshold.CheckQuorum(2, len(e.Of("league"))) != nil {
		t.Fatal("the wrong one was excused")
	}
}

// challenge: a ballot that was challenged, and so opened, is cast all the same: under its number, with a new proof, with a new
// ciphertext, and with the same randomness under higher numbers.
func challenge(t testing.TB, watch func(*Ledger)) {
	e := stage(t, watch, Manifest("primary"), 3, 3)
	e.MakeKeys()
	e.Begin()
	r := must(forge.Scalar(cryptorand.Reader))
	again := func(sequence uint64) []byte { return e.forged(0, sequence, [][]uint64{{1, 0, 0}, {1, 0}}, r) }
	cast := must(tx.Parse(again(3))).Body().(*pb.CastBallot)
	s := ballot.Spoil{
		Chain: Chain, Election: e.ID, RollIndex: 0, Voter: e.Voters[0].Public(), Sequence: 3,
		Code: ballot.ConfirmationCode(Chain, e.ID, cast.Style, 0, 3, cast.Ciphertext), C0: [32]byte(cast.Ciphertext),
	}
	signature := must(ballot.SignSpoil(s, e.Voters[0], cryptorand.Reader))
	e.Accept(tx.Ballot(&pb.SpoilBallot{Election: e.ID, RollIndex: 0, Sequence: 3, Code: s.Code[:], NoncePoint: s.C0[:]}, signature))
	e.Refuse(tx.CodeSpoiled, again(3))
	e.Refuse(tx.CodeSpoiled, e.Vote(0, 3, []int{1}, []int{0}))
	e.Refuse(tx.CodeSpoiled, again(4))
	e.Refuse(tx.CodeSpoiled, again(1))
	e.Accept(e.Vote(0, 2, []int{1}, []int{0}))
}

// Voting founds a ledger with an open election of so many voters; change may alter the genesis document before.
func Voting(t testing.TB, voters int, change ...func(*pb.Genesis)) *Election {
	t.Helper()
	return Open(t, Manifest("primary"), voters, change...)
}

// Open founds a ledger with an open election by these rules, which have two styles as Manifest has.
func Open(t testing.TB, m *pb.Manifest, voters int, change ...func(*pb.Genesis)) *Election {
	t.Helper()
	l := New(t, change...)
	l.Make(1)
	e := l.Create(m)
	e.Enrol(voters)
	e.Seal()
	e.Appoint(3)
	e.MakeKeys()
	e.Begin()
	e.Expect(pb.PHASE_VOTING)
	return e
}
