package rehearsal

import (
	"crypto/rand"
	"crypto/sha256"

	"votenode/app"
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

// Authored returns transactions for the next block with the one in front by which its proposer says that it made it, so many
// nanoseconds after the newest block.
func (l *Ledger) Authored(after int64, raw ...[]byte) [][]byte {
	proposer := l.proposer()
	hashes := make([][32]byte, len(raw))
	for i := range raw {
		hashes[i] = sha256.Sum256(raw[i])
	}
	content := app.BlockContent(hashes)
	body := &pb.AuthorBlock{Height: l.Height() + 1, Proposer: proposer, Time: l.now.UnixNano() + after, Content: content[:]}
	epochs := must(state.MustLoad[pb.ValidatorEpochs](l.View(), state.KeyValidators))
	author := app.ValidatorAt(epochs, body.Height, proposer)
	return append([][]byte{Sign(author.Name+" slip", body)}, raw...)
}

// Report returns a validator's report of what it took in, as it is due in the next block: of a start of its node, and with so many
// ballots that clients brought.
func (l *Ledger) Report(validator string, start, taken uint64) []byte {
	return Sign(validator+" slip", &pb.ReportIntake{
		Start: start, Height: app.IntakeDue(l.Height()), Taken: taken, FromPeers: 3 * taken, Verified: taken + 1, Slips: taken,
		Refused: []pb.RefusalCount{{Code: uint32(tx.CodeSequence), Count: 1 + taken}, {Code: uint32(tx.CodeRetryLater), Count: 2}},
	})
}
