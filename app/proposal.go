package app

import (
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// How far a proposal may be from a node's own clock, unix nanoseconds. Spec 7.3.
const (
	// MaxAhead is how far block time may be ahead of the local clock.
	MaxAhead = 5 * second
	// MaxLate is how long after closing, by the local clock, a block may still bring ballots.
	MaxLate = 60 * second
)

// ProposalFault says what refuses a proposal, nil for nothing: a transaction with a fault of form, signature or proof, or more
// verification units than a block may hold. What depends on the rest of the block gets its code later. It is a pure function
// of the transactions and the committed state. The error is the store's. Spec 7.2.
func (a *App) ProposalFault(v state.View, txs []*tx.Parsed, verdicts []tx.Verdict) (*tx.Refusal, error) {
	params, err := state.MustLoad[pb.Parameters](v, state.KeyParameters)
	if err != nil {
		return nil, err
	}
	units := uint64(0)
	for i, p := range txs {
		if fault, _ := refusalOf(p.CheckSize(&params.Limits)); fault != nil {
			return fault, nil
		}
		if fault := verdicts[i].Refusal; fault != nil && fault.Code.RefusesBlock() {
			return fault, nil
		}
		units += p.Units()
	}
	if units > params.Limits.BlockUnits {
		return tx.Refuse(tx.CodeTooLarge, "the block takes %d verification units, the limit is %d", units, params.Limits.BlockUnits), nil
	}
	return nil, nil
}

// AheadOfClock says whether block time is further ahead of a local clock than MaxAhead. Both in unix nanoseconds.
func AheadOfClock(blockTime, local int64) bool { return blockTime-local > MaxAhead }

// LateBallot says whether some transactions bring a ballot of an election whose closing the given local time passed by more than
// MaxLate. local is the clock at which the node committed the block before, so that the verdict is the same in every round
// of a height. Spec 7.3.
func (a *App) LateBallot(v state.View, txs []*tx.Parsed, local int64) (bool, error) {
	asked := map[string]bool{}
	for _, p := range txs {
		c := p.Cast()
		if c == nil || asked[c.Election] {
			continue
		}
		asked[c.Election] = true
		e, err := state.LoadElection(v, c.Election)
		if err != nil {
			return false, err
		}
		if e != nil && e.Closing != 0 && local-e.Closing*second > MaxLate {
			return true, nil
		}
	}
	return false, nil
}
