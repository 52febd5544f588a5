package app

import (
	"fmt"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

const millisecond = 1_000_000

// mayCast: a voter of the sealed roll casts in its style with a number above that of what it cast last, no sooner than the revote
// interval allows. At most one of a voter stands in a block, for block time does not move within it. It returns the manifest. Spec 9.30,
// 9.50.
func (r *reading) mayCast(c *tx.Cast) (*pb.Manifest, error) {
	e, m, err := r.voting(c.Election, c.Choice != nil)
	if err != nil {
		return nil, err
	}
	voter, err := r.voter(c.Election, e, c.RollIndex)
	if err != nil {
		return nil, err
	}
	entry, err := r.rollEntry(r, c.Election, e, c.RollIndex)
	if err != nil {
		return nil, err
	}
	style, err := r.styleOf(r, c.Election, e, entry)
	if err != nil {
		return nil, err
	}
	if style != c.Style {
		return nil, tx.Refuse(tx.CodeWrongStyle, "the roll gives voter %d style %d, not %d", c.RollIndex, style, c.Style)
	}
	if c.Sequence <= voter.Sequence {
		return nil, tx.Refuse(tx.CodeSequence, "number %d is not above %d", c.Sequence, voter.Sequence)
	}
	if voter.Status == pb.VOTER_COUNTS && r.now/millisecond-voter.Time < int64(m.RevoteInterval)*1000 {
		return nil, tx.Refuse(tx.CodeTooSoon, "ballots of one voter are %d seconds apart", m.RevoteInterval)
	}
	return m, nil
}

// voting returns an election whose voting is open, with its manifest, or a refusal: also where its choices are open and shall not be, or
// the other way round.
func (r *reading) voting(id string, open bool) (*pb.Election, *pb.Manifest, error) {
	e, err := r.election(id, pb.PHASE_VOTING)
	if err != nil {
		return nil, nil, err
	}
	m, err := r.manifest(r, e.Manifest)
	if err != nil {
		return nil, nil, err
	}
	if m.OpenChoices != open {
		return nil, nil, tx.Refuse(tx.CodeOpenChoices, "open_choices is %t in %q", m.OpenChoices, id)
	}
	return e, m, nil
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
	revoked := voter.Status == pb.VOTER_REVOKED
	if !revoked && e.RollOf != "" {
		if revoked, err = r.barred(e.RollOf, index); err != nil {
			return nil, err
		}
	}
	if revoked {
		return nil, tx.Refuse(tx.CodeRevoked, "entry %d of the roll of %q was revoked", index, id)
	}
	return voter, nil
}

// record counts what was cast, in place of what the voter cast before, and appends it to the ballot log. Spec 9.30, 9.50.
func (w *writing) record(v *tx.Verified) error {
	c := v.Parsed().Cast()
	e, err := state.MustLoad[pb.Election](w, state.ElectionKey(c.Election))
	if err != nil {
		return err
	}
	voter, err := state.LoadVoter(w, c.Election, c.RollIndex)
	if err != nil {
		return err
	}
	if voter.Status == pb.VOTER_COUNTS {
		if err := w.subtractRecorded(c.Election, e, voter.LogIndex); err != nil {
			return err
		}
	}
	if err := w.add(e, v, c); err != nil {
		return err
	}
	code := v.Code(w.chain)
	index := w.Append(state.LogBallots(c.Election), v.Parsed().Raw())
	w.SetIndex(state.CodeIndexKey(c.Election, code[:]), transcript.Uint64(index))
	w.SetVoter(c.Election, c.RollIndex, election.Encode(&pb.Voter{
		Status: pb.VOTER_COUNTS, Sequence: c.Sequence, LogIndex: index, Code: code[:], Time: w.now / millisecond,
	}))
	return nil
}

// recordedCast decodes a leaf of the ballot log.
func recordedCast(leaf []byte) (*tx.Cast, error) {
	p, err := tx.Parse(leaf)
	if err != nil {
		return nil, fmt.Errorf("%w: leaf of a ballot log: %v", state.ErrCorrupted, err)
	}
	c := p.Cast()
	if c == nil {
		return nil, fmt.Errorf("%w: leaf of a ballot log is a %v", state.ErrCorrupted, p.Kind())
	}
	return c, nil
}
