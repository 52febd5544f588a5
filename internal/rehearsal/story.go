package rehearsal

import (
	"crypto/rand"
	"testing"

	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// Outcome is what a Story must come to.
type Outcome struct {
	// Recorded and Counted are the ballots of the election "primary", Votes its votes by contest and option.
	Recorded, Counted uint64
	Votes             [][]uint64
}

// Story is a whole election in which much goes wrong and ends as the rules say: a dealer with a bad share and the one who takes its
// place, a voter who changes her mind, one who challenges a ballot, one who is revoked after voting, ballots that are refused, a
// validator that is away and one that signs twice and is replaced, officers and parameters that change, a second election that is
// cancelled, members who publish initiatives, a trustee of each organisation who stays away at the end, an organisation
// that reveals its part in the lot last, validators that report what they took in, an upgrade that one organisation proposes,
// and an open poll of the north beside it.
//
// It calls watch, if given, with the founded ledger.
func Story(t testing.TB, watch ...func(*Ledger)) (*Election, Outcome) {
	t.Helper()
	l := New(t)
	for _, f := range watch {
		f(l)
	}
	l.Make(1)
	e := l.Create(Listed(Manifest("primary")))
	l.Create(Manifest("cancelled"))
	l.Resolve(&pb.Resolution{Reason: "not needed", Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: "cancelled"}}})
	e.prepare()
	outcome := e.vote()
	e.finish()
	e.discuss()
	return e, outcome
}

// prepare brings an election to the phase of voting.
func (e *Election) prepare() {
	e.t.Helper()
	e.Enrol(5)
	e.Enrol(3)
	stranger := must(ballot.GenerateKey(rand.Reader)).Public().Bytes()
	e.Refuse(tx.CodeNotAuthorised, Enrol("party officer 1", &pb.AddRollEntries{Election: e.ID, First: 8, Entries: []pb.RollEntry{{Key: stranger}}}))
	e.hesitate()
	e.Appoint(3)
	e.disturbedCeremony()
	e.Accept(append(Each(e.Everybody(), (*Trustee).Trial), e.CommitLot("league"), e.CommitLot("party"))...)
	e.Expect(pb.PHASE_READY)
	e.Schedule(e.Now()+20, e.Now()+200)
	e.Make(20)
	e.Expect(pb.PHASE_VOTING)
	e.Fix()
}

// hesitate seals the roll, where voter 7 is struck for a ballot paper, with an approval that is taken back and one that takes its place.
func (e *Election) hesitate() {
	e.t.Helper()
	head := must(e.View().Head("election/" + e.ID + "/roll"))
	raw, hash := e.Propose("league officer 1", &pb.Resolution{Decision: &pb.Resolution_SealRoll{
		SealRoll: &pb.SealRoll{Election: e.ID, Size_: head.Size, Root: head.Root[:], Struck: []pb.StruckVoter{{Voter: 7, Cause: pb.REVOCATION_PAPER}}},
	}})
	e.Accept(raw)
	e.Accept(Approve("party officer 1", hash), Approve("party officer 3", hash))
	e.Accept(Sign("party officer 3", &pb.WithdrawApproval{Resolution: hash[:]}))
	e.Refuse(tx.CodeAlreadyDone, Approve("party officer 1", hash))
	e.Accept(Approve("league officer 3", hash))
	e.Refuse(tx.CodeWithdrawn, Approve("party officer 3", hash))
	e.Accept(Approve("party officer 2", hash))
	if !e.Record().RollSealed {
		e.t.Fatal("the roll is not sealed")
	}
}

// disturbedCeremony makes the keys at the second attempt of the league: one of its dealers gives a bad share, is found guilty and
// replaced.
func (e *Election) disturbedCeremony() {
	e.t.Helper()
	league, party := e.Of("league"), e.Of("party")
	e.Accept(Each(append(league, party...), (*Trustee).Announce)...)
	bad := league[2].Deal()
	bad.Shares[0].Ciphertext[40] ^= 1
	e.Accept(append(Each(party, (*Trustee).Publish), league[0].Publish(), league[1].Publish(), Sign(league[2].Name, bad))...)
	e.Accept(append(Each(party, (*Trustee).Confirm), league[1].Confirm(), league[0].Complain(league[2].Index))...)
	e.Replace("league", 1)
	league = e.Of("league")
	e.Accept(Each(league, (*Trustee).Announce)...)
	e.Accept(Each(league, (*Trustee).Publish)...)
	e.Accept(Each(league, (*Trustee).Confirm)...)
	if len(e.Record().KeyDigest) != 32 {
		e.t.Fatal("the ceremony gave no keys")
	}
}

// vote goes through the time of voting.
func (e *Election) vote() Outcome {
	e.t.Helper()
	first := e.Vote(0, 1, []int{0, 2}, []int{0})
	authored := e.Authored(0, first, e.Vote(1, 7, []int{1}, []int{1}), e.Vote(2, 1, []int{0}), e.Vote(3, 1, []int{}, []int{1}))
	e.Accept(authored...)
	e.Refuse(tx.CodeAuthorship, authored[0])
	e.Refuse(tx.CodeSequence, first)
	e.Refuse(tx.CodeTooSoon, e.Vote(0, 2, []int{0}, []int{1}))
	e.Absent["party validator 2"] = true
	e.Make(1)
	e.Make(1)
	e.Absent["party validator 2"] = false
	challenged := e.Draft(4, 3, []int{0}, []int{0})
	e.Accept(e.Spoil(challenged, 4, 3))
	e.Refuse(tx.CodeSpoiled, e.Cast(challenged, 4, 3))
	e.Accept(e.Vote(4, 4, []int{2}, []int{0}))
	e.Make(5)
	e.Accept(e.Vote(0, 2, []int{2}, []int{1}), e.Vote(5, 1, []int{1}))
	e.Resolve(&pb.Resolution{Reason: "left the party", Decision: &pb.Resolution_RevokeVoters{
		RevokeVoters: &pb.RevokeVoters{Election: e.ID, Voters: []uint64{1, 7}},
	}})
	e.Refuse(tx.CodeRevoked, e.Vote(1, 8, []int{1}, []int{1}))
	poll := e.poll()
	e.changes()
	e.Make(poll.Record().Closing - e.Now())
	poll.Expect(pb.PHASE_FINAL)
	e.Resolve(&pb.Resolution{Reason: "an outage", Decision: &pb.Resolution_ExtendElection{
		ExtendElection: &pb.ExtendElection{Election: e.ID, Cause: pb.EXTENSION_OTHER, Closing: e.Record().Closing + 60},
	}})
	// North: 0 (Dana; Farida), 3 (nobody; Farida), 4 (Dana; Erlan). South: 2 (Erlan), 5 (Farida). Voter 1 is revoked, and 7 was before.
	return Outcome{Recorded: 7, Counted: 5, Votes: [][]uint64{{0, 0, 2}, {2, 3}}}
}

// changes exchanges a validator, an officer and a parameter.
func (e *Election) changes() {
	e.t.Helper()
	e.Evidence = append(e.Evidence, e.DoubleVote("party validator 2", e.Height()-2))
	e.Make(1)
	next := Sorted(Validator("league", 1), Validator("league", 2), Validator("party", 1), Validator("party", 3))
	e.Resolve(&pb.Resolution{Reason: "it signed twice", Decision: &pb.Resolution_ChangeValidators{
		ChangeValidators: &pb.ChangeValidators{Validators: next},
	}})
	for range e.Genesis.Parameters.Handover + 2 {
		e.Make(1)
	}
	party := pb.Organisation{
		Id: "party", Title: "party", Term: 1, OfficerQuorum: 2, Officers: members("officer", "party", 4), Registrars: members("registrar", "party", 1),
	}
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_ChangeOfficers{ChangeOfficers: &pb.ChangeOfficers{Organisation: party}}})
	parameters := *genesis.DefaultParameters(2)
	parameters.Handover, parameters.Limits.BlockBytes, parameters.Initiatives = e.Genesis.Parameters.Handover, 5<<20, rules
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: parameters}}})
}

// finish closes the election and decrypts it.
func (e *Election) finish() {
	e.t.Helper()
	e.Make(e.Record().Closing - e.Now())
	e.Expect(pb.PHASE_CLOSED)
	e.Make(int64(e.Manifest.ObjectionWindow))
	e.Expect(pb.PHASE_DECRYPTING)
	league, party := e.Of("league"), e.Of("party")
	wrong := league[0].Partial(0)
	wrong.Contest = 1
	wrong.Shares = wrong.Shares[:64]
	e.Refuse(tx.CodeDecryptionProof, Sign(league[0].Name, &pb.PostPartials{Election: e.ID, Organisation: "league", Partials: []pb.PartialDecryption{wrong}}))
	e.Accept(league[0].Open(0, 1), party[2].Open(0), e.RevealLot("league"))
	e.Accept(league[2].Open(0, 1), party[2].Open(1))
	e.Accept(party[0].Open(0, 1))
	e.Expect(pb.PHASE_DECRYPTING) // Aigul and Bolat have the same votes
	e.Accept(e.RevealLot("party"))
	e.Expect(pb.PHASE_FINAL)
	first := e.Report("league validator 1", 1, 9)
	upgrade, _ := e.Propose("league officer 1", &pb.Resolution{Reason: "votes by telephone", Decision: &pb.Resolution_UpgradeSoftware{
		UpgradeSoftware: &pb.UpgradeSoftware{Height: e.Height() + 1_000, Version: 2, Binary: make([]byte, 32)},
	}})
	e.Accept(first, e.Report("party validator 3", 2, 0), upgrade)
	e.Refuse(tx.CodeAlreadyDone, first)
	e.Make(1)
}
