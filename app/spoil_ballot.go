package app

import (
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// SpoilBallot: a voter bars a number and a C_0 for ever, because the ballot is going to be opened to check the device that
// made it. A ballot that is recorded cannot be spoiled. Spec 9.31.
func checkSpoilBallot(r *reading, _ *tx.Parsed, m *pb.SpoilBallot) error {
	e, _, err := r.voting(m.Election, false)
	if err != nil {
		return err
	}
	voter, err := r.voter(m.Election, e, m.RollIndex)
	if err != nil {
		return err
	}
	if m.Sequence <= voter.Sequence {
		return tx.Refuse(tx.CodeRecorded, "the last recorded ballot of voter %d has number %d", m.RollIndex, voter.Sequence)
	}
	spoiled, err := state.Load[pb.Spoiled](r, state.SpoiledKey(m.Election, m.RollIndex))
	if err != nil || spoiled == nil {
		return err
	}
	for i := range spoiled.Ballots {
		s := &spoiled.Ballots[i]
		if s.Sequence == m.Sequence && string(s.NoncePoint) == string(m.NoncePoint) {
			return tx.Refuse(tx.CodeAlreadyDone, "voter %d has spoiled number %d", m.RollIndex, m.Sequence)
		}
	}
	params, err := state.MustLoad[pb.Parameters](r, state.KeyParameters)
	if err != nil {
		return err
	}
	if len(spoiled.Ballots) >= int(params.Limits.SpoilsPerVoter) {
		return tx.Refuse(tx.CodeSpoilLimit, "voter %d has spoiled %d ballots", m.RollIndex, len(spoiled.Ballots))
	}
	return nil
}

func applySpoilBallot(w *writing, _ *tx.Verified, m *pb.SpoilBallot) error {
	key := state.SpoiledKey(m.Election, m.RollIndex)
	spoiled, err := state.Load[pb.Spoiled](w, key)
	if err != nil {
		return err
	}
	if spoiled == nil {
		spoiled = new(pb.Spoiled)
	}
	spoiled.Ballots = append(spoiled.Ballots, pb.SpoiledBallot{Sequence: m.Sequence, NoncePoint: m.NoncePoint})
	w.save(key, spoiled)
	return nil
}
