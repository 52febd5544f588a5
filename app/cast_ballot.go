package app

import (
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// CastBallot: a voter of the sealed roll casts a ballot of its style with a number above that of its last recorded ballot, no
// sooner than the revote interval allows. At most one ballot of a voter stands in a block, for block time does not move
// within it. Spec 9.30.
func checkCastBallot(r *reading, _ *tx.Parsed, m *pb.CastBallot) error {
	e, err := r.election(m.Election, pb.PHASE_VOTING)
	if err != nil {
		return err
	}
	voter, err := r.voter(m.Election, e, m.RollIndex)
	if err != nil {
		return err
	}
	entry, err := r.rollEntry(r, m.Election, e, m.RollIndex)
	if err != nil {
		return err
	}
	if entry.Style != m.Style {
		return tx.Refuse(tx.CodeWrongStyle, "the roll gives voter %d style %d, not %d", m.RollIndex, entry.Style, m.Style)
	}
	if m.Sequence <= voter.Sequence {
		return tx.Refuse(tx.CodeSequence, "number %d is not above %d", m.Sequence, voter.Sequence)
	}
	manifest, err := r.manifest(r, e.Manifest)
	if err != nil {
		return err
	}
	if voter.Status == pb.VOTER_COUNTS && r.now/millisecond-voter.Time < int64(manifest.RevoteInterval)*1000 {
		return tx.Refuse(tx.CodeTooSoon, "ballots of one voter are %d seconds apart", manifest.RevoteInterval)
	}
	return r.notSpoiled(m.Election, m.RollIndex, m.Sequence, m.Ciphertext[:32])
}

const millisecond = 1_000_000

func applyCastBallot(w *writing, v *tx.Verified, m *pb.CastBallot) error {
	e, err := state.MustLoad[pb.Election](w, state.ElectionKey(m.Election))
	if err != nil {
		return err
	}
	manifest, err := w.manifest(w, e.Manifest)
	if err != nil {
		return err
	}
	voter, err := state.LoadVoter(w, m.Election, m.RollIndex)
	if err != nil {
		return err
	}
	if voter.Status == pb.VOTER_COUNTS {
		if err := w.subtractRecorded(m.Election, e, voter.LogIndex); err != nil {
			return err
		}
	}
	b := v.Ballot()
	if err := w.fold(m.Election, manifest, m.Style, b.Ciphertext(), (*ballot.EncryptedTally).Add); err != nil {
		return err
	}
	code := b.Code()
	index := w.Append(state.LogBallots(m.Election), v.Parsed().Raw())
	w.SetIndex(state.CodeIndexKey(m.Election, code[:]), transcript.Uint64(index))
	w.SetVoter(m.Election, m.RollIndex, election.Encode(&pb.Voter{
		Status: pb.VOTER_COUNTS, Sequence: m.Sequence, LogIndex: index, Code: code[:], Time: w.now / millisecond,
	}))
	return nil
}

// voter returns the leaf of a voter of a sealed roll who is not revoked, or a refusal.
func (r *reading) voter(id string, e *pb.Election, index uint64) (*pb.Voter, error) {
	if index >= e.RollSize {
		return nil, tx.Refuse(tx.CodeUnknownVoter, "the roll of %q has no entry %d", id, index)
	}
	voter, err := state.LoadVoter(r, id, index)
	if err != nil {
		return nil, err
	}
	if voter.Status == pb.VOTER_REVOKED {
		return nil, tx.Refuse(tx.CodeRevoked, "entry %d of the roll of %q was revoked", index, id)
	}
	return voter, nil
}

// notSpoiled refuses a number or a C_0 that this voter has spoiled.
func (r *reading) notSpoiled(id string, voter, sequence uint64, noncePoint []byte) error {
	spoiled, err := state.Load[pb.Spoiled](r, state.SpoiledKey(id, voter))
	if err != nil || spoiled == nil {
		return err
	}
	for i := range spoiled.Ballots {
		s := &spoiled.Ballots[i]
		if s.Sequence == sequence || string(s.NoncePoint) == string(noncePoint) {
			return tx.Refuse(tx.CodeSpoiled, "voter %d spoiled this number or this C_0", voter)
		}
	}
	return nil
}
