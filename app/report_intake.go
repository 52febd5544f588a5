package app

import (
	"bytes"
	"cmp"
	"slices"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// ReportIntake: a validator says what its node was asked to take in, once every tx.IntakeInterval heights. The report is a leaf of the
// log `intake`, and the validator's newest one a record. Spec 9.36.
func checkReportIntake(r *reading, p *tx.Parsed, m *pb.ReportIntake) error {
	reporter, err := r.reporter(p.Signer())
	if err != nil {
		return err
	}
	if due := IntakeDue(r.height - 1); m.Height != due {
		return tx.Refuse(tx.CodeReportHeight, "it is of height %d, due in block %d is that of %d", m.Height, r.height, due)
	}
	last, err := state.Load[pb.LastIntake](r, state.IntakeKey(reporter.Key))
	if err != nil || last == nil {
		return err
	}
	if m.Height <= last.Report.Height {
		return tx.Refuse(tx.CodeAlreadyDone, "%q has reported at height %d", reporter.Name, last.Report.Height)
	}
	if IntakeShrinks(&last.Report, m) {
		return tx.Refuse(tx.CodeReportShrunk, "%q counted more at height %d, in start %d", reporter.Name, last.Report.Height, last.Report.Start)
	}
	return nil
}

func applyReportIntake(w *writing, v *tx.Verified, m *pb.ReportIntake) error {
	reporter, err := w.reporter(v.Parsed().Signer())
	if err != nil {
		return err
	}
	index := w.Append(state.LogIntake, v.Parsed().Raw())
	w.save(state.IntakeKey(reporter.Key), &pb.LastIntake{Report: *m, Index: index})
	return nil
}

// IntakeDue returns the height of the report that is due while height is the newest: the greatest multiple of tx.IntakeInterval up to
// it, 0 where none is due yet.
func IntakeDue(height int64) int64 { return height - height%tx.IntakeInterval }

// IntakeShrinks says whether a report contradicts an earlier one of the same validator: it is of an earlier start, or of the same and a
// counter is smaller.
func IntakeShrinks(last, next *pb.ReportIntake) bool {
	if last.Start != next.Start {
		return next.Start < last.Start
	}
	if next.Taken < last.Taken || next.FromPeers < last.FromPeers || next.Verified < last.Verified || next.Slips < last.Slips {
		return true
	}
	for _, old := range last.Refused {
		at, found := slices.BinarySearchFunc(next.Refused, old.Code, func(r pb.RefusalCount, code uint32) int { return cmp.Compare(r.Code, code) })
		if !found || next.Refused[at].Count < old.Count {
			return true
		}
	}
	return false
}

// reporter returns the validator of the present set that holds a slip key, or a refusal. No two have the same (spec 1.4).
func (r *reading) reporter(slipKey []byte) (*pb.Validator, error) {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](r, state.KeyValidators)
	if err != nil {
		return nil, err
	}
	set := validatorsAt(epochs, r.height)
	for i := range set {
		if bytes.Equal(set[i].SlipKey, slipKey) {
			return &set[i], nil
		}
	}
	return nil, tx.Refuse(tx.CodeNotAuthorised, "%x is no slip key of a validator of height %d", slipKey, r.height)
}
