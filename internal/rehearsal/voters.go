package rehearsal

import (
	"crypto/rand"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// Fix derives what all ballots share, once roll and keys are fixed.
func (e *Election) Fix() { e.Ballots = must(ballot.NewElection(e.parameters())) }

func (e *Election) parameters() ballot.Parameters {
	record := e.Record()
	keys := must(state.MustLoad[pb.ElectionKeys](e.View(), state.KeysKey(e.ID)))
	return ballot.Parameters{
		Chain: Chain, Election: e.ID,
		Manifest: [32]byte(record.Manifest), RollRoot: [32]byte(record.RollRoot), KeyDigest: [32]byte(record.KeyDigest),
		Keys: must(threshold.ParsePoints(keys.Keys, e.slots())), Styles: election.BallotStyles(e.Manifest),
	}
}

// Draft encrypts a voter's selections by contest of its style.
func (e *Election) Draft(voter int, sequence uint64, selections ...[]int) *ballot.Draft {
	key := e.Voters[voter]
	st := ballot.Statement{Style: Style(voter), RollIndex: uint64(voter), Voter: key.Public(), Sequence: sequence}
	return must(e.Ballots.Encrypt(st, selections, key, rand.Reader))
}

// Cast returns the transaction that casts a draft.
func (e *Election) Cast(d *ballot.Draft, voter int, sequence uint64) []byte {
	ciphertext, proof, signature, err := d.Cast()
	if err != nil {
		panic(err)
	}
	return tx.Ballot(&pb.CastBallot{
		Election: e.ID, Style: Style(voter), RollIndex: uint64(voter), Sequence: sequence, Ciphertext: ciphertext, Proof: proof,
	}, signature)
}

// Vote returns the transaction of a ballot.
func (e *Election) Vote(voter int, sequence uint64, selections ...[]int) []byte {
	return e.Cast(e.Draft(voter, sequence, selections...), voter, sequence)
}

// Spoil returns the transaction that bars a draft for ever.
func (e *Election) Spoil(d *ballot.Draft, voter int, sequence uint64) []byte {
	s := d.Spoil()
	signature := must(ballot.SignSpoil(s, e.Voters[voter], rand.Reader))
	return tx.Ballot(&pb.SpoilBallot{
		Election: e.ID, RollIndex: uint64(voter), Sequence: sequence, Code: s.Code[:], NoncePoint: s.C0[:],
	}, signature)
}

// Result returns the result of a contest.
func (e *Election) Result(contest uint32) *pb.Result {
	return must(state.MustLoad[pb.Result](e.View(), state.ResultKey(e.ID, contest)))
}
