package app

import (
	"fmt"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// CheckInvariants recounts from the logs what the records say, for every election whose ballots can be read: sums and
// numbers of ballots, the voters' tree against the ballot log, the supports of open initiatives, and the caps of the validator sets. It costs as much as the
// whole ledger and is for tests and for the operator who suspects a store. Spec 9.7.
func CheckInvariants(a *App, v state.View) error {
	if err := checkCaps(v); err != nil {
		return err
	}
	list, err := state.MustLoad[pb.ElectionList](v, state.KeyElections)
	if err != nil {
		return err
	}
	if err := checkSupports(v, list.Ids); err != nil {
		return err
	}
	for _, id := range list.Ids {
		e, err := state.MustLoad[pb.Election](v, state.ElectionKey(id))
		if err != nil {
			return err
		}
		if e.Phase < pb.PHASE_VOTING || e.Phase == pb.PHASE_CANCELLED {
			continue
		}
		if err := a.checkSums(v, id, e); err != nil {
			return fmt.Errorf("election %q: %w", id, err)
		}
	}
	return nil
}

func checkCaps(v state.View) error {
	params, err := state.MustLoad[pb.Parameters](v, state.KeyParameters)
	if err != nil {
		return err
	}
	epochs, err := state.MustLoad[pb.ValidatorEpochs](v, state.KeyValidators)
	if err != nil {
		return err
	}
	for _, e := range []pb.ValidatorEpoch{epochs.Present, epochs.Next} {
		if e.Number == 0 {
			continue
		}
		if err := organisation.CapFault(params, e.Validators); err != nil {
			return fmt.Errorf("epoch %d: %w", e.Number, err)
		}
	}
	return nil
}

// checkSupports counts the supports of each initiative that is open from the members' trees.
func checkSupports(v state.View, elections []string) error {
	supports := map[uint64]uint64{}
	for _, id := range elections {
		for index := range v.Voters(state.MembersTree(id)) {
			a, err := state.LoadMember(v, id, index)
			if err != nil {
				return err
			}
			for _, number := range a.Supported {
				supports[number]++
			}
		}
	}
	r := &reading{View: v}
	return v.Records(state.InitiativePrefix, func(key string, value []byte) error {
		var number uint64
		if _, err := fmt.Sscanf(key, state.InitiativePrefix+"%d", &number); err != nil {
			return fmt.Errorf("record %q: %w", key, err)
		}
		i, err := r.initiative(number)
		if err != nil {
			return err
		}
		closed, err := r.closed(number, i)
		if err != nil || closed {
			return err
		}
		if i.Supports != supports[number] {
			return fmt.Errorf("initiative %d has %d supports, and %d members support it", number, i.Supports, supports[number])
		}
		return nil
	})
}

// checkSums adds up what the voters' tree calls counted.
func (a *App) checkSums(v state.View, id string, e *pb.Election) error {
	m, err := a.manifest(v, e.Manifest)
	if err != nil {
		return err
	}
	if m.OpenChoices {
		return a.checkCounts(v, id, e, m)
	}
	shared, err := a.ballotElection(v, id, e)
	if err != nil {
		return err
	}
	sums := make([]*ballot.EncryptedTally, len(m.Contests))
	for c := range sums {
		sums[c] = ballot.NewEncryptedTally(len(m.Contests[c].Options))
	}
	err = eachCounted(v, id, e, func(cast *tx.Cast) error {
		c, err := shared.ParseCiphertext(cast.Style, cast.Ballot.Ciphertext)
		if err != nil {
			return err
		}
		for i, contest := range m.Styles[cast.Style].Contests {
			if err := sums[contest].Add(c, i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for c := range sums {
		recorded, err := v.Record(state.SumKey(id, uint32(c)))
		if err != nil {
			return err
		}
		if string(recorded) != string(sums[c].Bytes()) {
			return fmt.Errorf("the sum of contest %d is not that of the counted ballots", c)
		}
	}
	return nil
}

// checkCounts is checkSums for open choices.
func (a *App) checkCounts(v state.View, id string, e *pb.Election, m *pb.Manifest) error {
	results := make([]pb.Result, len(m.Contests))
	for c := range results {
		results[c] = pb.Result{Status: pb.RESULT_COUNTED, Votes: make([]uint64, len(m.Contests[c].Options))}
	}
	err := eachCounted(v, id, e, func(cast *tx.Cast) error {
		for i, contest := range m.Styles[cast.Style].Contests {
			if err := count(&results[contest], cast.Choice.Choices[i].Options, 1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for c := range results {
		recorded, err := v.Record(state.ResultKey(id, uint32(c)))
		if err != nil {
			return err
		}
		if string(recorded) != string(election.Encode(&results[c])) {
			return fmt.Errorf("the result of contest %d is not that of the counted choices", c)
		}
	}
	return nil
}

// eachCounted calls fn for everything that the voters' tree calls counted.
func eachCounted(v state.View, id string, e *pb.Election, fn func(cast *tx.Cast) error) error {
	for index := range e.RollSize {
		voter, err := state.LoadVoter(v, id, index)
		if err != nil {
			return err
		}
		if voter.Status != pb.VOTER_COUNTS {
			continue
		}
		leaf, err := v.Leaf(state.LogBallots(id), voter.LogIndex)
		if err != nil {
			return err
		}
		cast, err := recordedCast(leaf)
		if err != nil {
			return err
		}
		if cast.RollIndex != index || cast.Sequence != voter.Sequence {
			return fmt.Errorf("the tree says that ballot %d counts for voter %d, but it is that of voter %d", voter.LogIndex, index, cast.RollIndex)
		}
		if err := fn(cast); err != nil {
			return err
		}
	}
	return nil
}
