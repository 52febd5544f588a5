package rehearsal

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"

	"votenode/app/election"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// PollManifest returns the rules of a poll of the north of another election, with one contest and open choices.
func PollManifest(id, of string) *pb.Manifest {
	return &pb.Manifest{
		Election: id, Title: "Where shall the congress be?",
		Contests: []pb.Contest{{Title: "Place", Options: []string{"Almaty", "Astana", "Shymkent"}, MinSelections: 1, MaxSelections: 2}},
		Styles:   []pb.BallotStyle{{District: "North", Contests: []uint32{0}}}, RevoteInterval: 3, ObjectionWindow: 10, CeremonyStep: 60, OpenMin: 1,
		OpenChoices: true, RollOf: of,
	}
}

// Poll creates an election that votes by the roll of this one.
func (e *Election) Poll(m *pb.Manifest) *Election {
	e.t.Helper()
	p := e.Create(m)
	p.Voters = e.Voters
	return p
}

// Choose returns the transaction of a voter's open choice in an election with one contest.
func (e *Election) Choose(voter int, sequence uint64, options ...uint32) []byte {
	return sign(e.Voters[voter], &pb.CastChoice{Election: e.ID, RollIndex: uint64(voter), Sequence: sequence, Choices: []pb.Choice{{Options: options}}})
}

// sign returns the transaction of a choice that a voter signs.
func sign(key *ballot.SecretKey, m *pb.CastChoice) []byte {
	s := ballot.Signed{
		Chain: Chain, Election: m.Election, RollIndex: m.RollIndex, Voter: key.Public(), Kind: uint32(tx.KindCastChoice), Body: election.Encode(m),
	}
	return tx.Ballot(m, must(s.Sign(key, rand.Reader)))
}

// Revoke revokes voters from the roll.
func (e *Election) Revoke(voters ...uint64) {
	e.t.Helper()
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: e.ID, Voters: voters, Cause: pb.REVOCATION_LEFT}}})
}

// expectVotes fails unless an open poll has come to some votes of so many voters.
func (e *Election) expectVotes(ballots uint64, votes ...uint64) {
	e.t.Helper()
	if r := e.Result(0); r.Status != pb.RESULT_COUNTED || r.Ballots != ballots || !slices.Equal(r.Votes, votes) {
		e.t.Fatalf("height %d: %q has %v, want %d ballots and %v", e.Height(), e.ID, r, ballots, votes)
	}
}

// poll holds a poll beside an election in which the voter with the index 1 is revoked and 7 was struck: choices that count, that replace others, that are
// refused. It is over after 90 seconds.
func (e *Election) poll() *Election {
	e.t.Helper()
	p := e.Poll(PollManifest("poll", e.ID))
	p.Expect(pb.PHASE_READY)
	p.Schedule(e.Now()+10, e.Now()+90)
	e.Make(10)
	p.Expect(pb.PHASE_VOTING)
	e.Accept(p.Choose(0, 1, 0), p.Choose(3, 4, 1, 2), p.Choose(4, 1, 1))
	e.Make(3)
	e.Accept(p.Choose(0, 2, 1))
	e.Refuse(tx.CodeSequence, p.Choose(3, 4, 0))
	e.Refuse(tx.CodeRevoked, p.Choose(1, 1, 0))
	e.Refuse(tx.CodeRevoked, p.Choose(7, 1, 0))
	e.Refuse(tx.CodeNotInPart, p.Choose(2, 1, 0))
	e.Refuse(tx.CodeChoice, p.Choose(4, 2))
	p.expectVotes(3, 0, 3, 1)
	return p
}

// manyPolls: how many members are revoked at once depends on how many elections go by their roll.
func manyPolls(t testing.TB, watch func(*Ledger)) {
	e := stage(t, watch, Manifest("primary"), 1_000, 3)
	var voters []uint64
	for i := range 801 {
		voters = append(voters, uint64(i))
	}
	for i := range 4 {
		e.Poll(PollManifest(fmt.Sprint("poll-", i), e.ID))
	}
	raw, _ := e.Propose("party officer 1", &pb.Resolution{Decision: &pb.Resolution_RevokeVoters{
		RevokeVoters: &pb.RevokeVoters{Election: e.ID, Voters: voters, Cause: pb.REVOCATION_LEFT},
	}})
	e.Refuse(tx.CodeTooLarge, raw)
	e.Revoke(voters[:800]...)
}

// polls: a secret and two open polls by one roll, one of them begun after the election itself is over, with members who are revoked before,
// between and after, also from what members send; and open choices by a roll of their own.
func polls(t testing.TB, watch func(*Ledger)) {
	e := stage(t, watch, Manifest("primary"), 6, 3)
	e.MakeKeys()
	open := e.Poll(PollManifest("open", e.ID))
	rules := PollManifest("secret", e.ID)
	rules.OpenChoices, rules.Styles[0].District = false, "South"
	secret := e.Poll(rules)
	secret.Appoint(3)
	secret.MakeKeys()
	open.Schedule(e.Now()+60, e.Now()+2_000)
	e.Revoke(0)
	secret.Begin()
	e.Make(60)
	cast := func(voter int) []byte {
		key := e.Voters[voter]
		st := ballot.Statement{RollIndex: uint64(voter), Voter: key.Public(), Sequence: 1}
		ciphertext, proof, signature, err := must(secret.Ballots.Encrypt(st, [][]int{{0}}, key, rand.Reader)).Cast()
		if err != nil {
			t.Fatal(err)
		}
		return tx.Ballot(&pb.CastBallot{Election: "secret", RollIndex: uint64(voter), Sequence: 1, Ciphertext: ciphertext, Proof: proof}, signature)
	}
	e.Accept(cast(2), cast(5), open.Choose(1, 1, 2), open.Choose(3, 1, 0))
	e.Refuse(tx.CodeNotInPart, cast(1))
	e.Refuse(tx.CodeRevoked, open.Choose(0, 1, 2))
	e.Refuse(tx.CodeOpenChoices, secret.Choose(2, 2, 0))
	e.Revoke(1, 5)
	open.expectVotes(1, 1, 0, 0)
	secret.end()
	secret.Accept(Each(secret.Everybody(), func(t *Trustee) []byte { return t.Open(0) })...)
	secret.Expect(pb.PHASE_FINAL)

	e.Begin()
	e.Make(e.Record().Closing - e.Now())
	e.Make(int64(e.Manifest.ObjectionWindow))
	e.Expect(pb.PHASE_FINAL) // nobody voted
	later := e.Poll(PollManifest("later", e.ID))
	later.Schedule(e.Now()+20, e.Now()+100)
	e.Make(20)
	e.Accept(later.Choose(3, 1, 1), later.Choose(4, 1, 1))
	e.Revoke(3)
	e.Revoke(3, 4)
	later.expectVotes(0, 0, 0, 0)
	e.Refuse(tx.CodeRevoked, later.Choose(3, 2, 1))
	e.Make(100)
	later.Expect(pb.PHASE_FINAL)
	e.Make(2_000)
	open.Expect(pb.PHASE_FINAL)

	onInitiatives := func(id string) *pb.Resolution {
		return &pb.Resolution{Decision: &pb.Resolution_OpenInitiatives{OpenInitiatives: &pb.OpenInitiatives{Election: id}}}
	}
	raw, _ := e.Propose("party officer 1", onInitiatives("open"))
	e.Refuse(tx.CodeRollElsewhere, raw)
	e.Resolve(onInitiatives(e.ID))
	e.Refuse(tx.CodeRevoked, e.Initiative(3, 1, "by one who was revoked after voting"))
	e.Accept(e.Initiative(2, 1, "by a member"))
	e.Revoke(2) // nothing votes by the roll any more, but members send by it
	e.Refuse(tx.CodeRevoked, e.Initiative(2, 2, "by a former member"))

	rules = PollManifest("own", "")
	own := e.Create(rules)
	own.Enrol(2)
	own.Seal()
	own.Expect(pb.PHASE_READY)
	own.Schedule(e.Now()+20, e.Now()+100)
	e.Make(20)
	e.Accept(own.Choose(0, 1, 0, 1))
	e.Make(100)
	own.expectVotes(1, 1, 1, 0)
}
