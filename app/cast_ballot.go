package app

import (
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// CastBallot: a voter casts an encrypted ballot, which it has not spoiled. Spec 9.30.
func checkCastBallot(r *reading, p *tx.Parsed, m *pb.CastBallot) error {
	if _, err := r.mayCast(p.Cast()); err != nil {
		return err
	}
	return r.notSpoiled(m.Election, m.RollIndex, m.Sequence, m.Ciphertext[:32])
}

func applyCastBallot(w *writing, v *tx.Verified, _ *pb.CastBallot) error { return w.record(v) }

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
