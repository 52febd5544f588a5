package app

import (
	"slices"

	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// WithdrawApproval: an officer takes an approval back, for good, while the resolution is open. Spec 9.13.
func checkWithdrawApproval(r *reading, p *tx.Parsed, m *pb.WithdrawApproval) error {
	if _, err := r.officer(p.Signer()); err != nil {
		return err
	}
	record, err := r.openResolution(m.Resolution)
	if err != nil {
		return err
	}
	if approvalOf(record, p.Signer()) < 0 {
		return tx.Refuse(tx.CodeNotApproved, "this officer has not approved resolution %x", m.Resolution)
	}
	return nil
}

func applyWithdrawApproval(w *writing, v *tx.Verified, m *pb.WithdrawApproval) error {
	record, err := w.openResolution(m.Resolution)
	if err != nil {
		return err
	}
	at := approvalOf(record, v.Parsed().Signer())
	record.Approvals = slices.Delete(record.Approvals, at, at+1)
	record.Withdrawn = append(record.Withdrawn, v.Parsed().Signer())
	return w.saveResolution(m.Resolution, record)
}
