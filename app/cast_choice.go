package app

import (
	"fmt"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// CastChoice: a voter casts an open choice, which selects in every contest of its style as many options as the contest allows. Spec 9.50.
func checkCastChoice(r *reading, p *tx.Parsed, m *pb.CastChoice) error {
	manifest, err := r.mayCast(p.Cast())
	if err != nil {
		return err
	}
	contests := manifest.Styles[m.Style].Contests
	if len(m.Choices) != len(contests) {
		return tx.Refuse(tx.CodeChoice, "it chooses in %d contests, style %d has %d", len(m.Choices), m.Style, len(contests))
	}
	for i, contest := range contests {
		if err := election.CheckSelections(&manifest.Contests[contest], m.Choices[i].Options); err != nil {
			return tx.Refuse(tx.CodeChoice, "contest %d: %v", contest, err)
		}
	}
	return nil
}

func applyCastChoice(w *writing, v *tx.Verified, _ *pb.CastChoice) error { return w.record(v) }

// createCounts writes an empty result for every contest of an election with open choices.
func (x *execution) createCounts(id string, m *pb.Manifest) {
	for c := range m.Contests {
		x.save(state.ResultKey(id, uint32(c)), &pb.Result{Status: pb.RESULT_COUNTED, Votes: make([]uint64, len(m.Contests[c].Options))})
	}
}

// countChoice adds a choice to the results of all contests of its style, or subtracts it where by is -1.
func (w *writing) countChoice(m *pb.Manifest, c *pb.CastChoice, by int64) error {
	for i, contest := range m.Styles[c.Style].Contests {
		key := state.ResultKey(c.Election, contest)
		result, err := state.MustLoad[pb.Result](w, key)
		if err != nil {
			return err
		}
		if err := count(result, c.Choices[i].Options, by); err != nil {
			return fmt.Errorf("record %q: %w", key, err)
		}
		w.save(key, result)
	}
	return nil
}

// count adds what was chosen in a contest to its result, or subtracts it where by is -1.
func count(result *pb.Result, options []uint32, by int64) error {
	result.Ballots += uint64(by)
	for _, option := range options {
		if uint64(option) >= uint64(len(result.Votes)) {
			return fmt.Errorf("%w: %d options, and option %d was chosen", state.ErrCorrupted, len(result.Votes), option)
		}
		result.Votes[option] += uint64(by)
	}
	return nil
}
