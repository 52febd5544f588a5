package app

import (
	"bytes"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// WithdrawApplication: the candidate withdraws, for good. Spec 9.43.
func checkWithdrawApplication(r *reading, p *tx.Parsed, m *pb.WithdrawApplication) error {
	s, n, err := r.openedNominations(m.Nominations)
	if err != nil {
		return err
	}
	a, err := r.application(m.Nominations, m.Application)
	if err != nil {
		return err
	}
	if !bytes.Equal(a.Signed.Application.Key, p.Signer()) {
		return tx.Refuse(tx.CodeNotAuthorised, "%x is not the key of the candidate %q", p.Signer(), a.Signed.Application.Name)
	}
	if err := r.before(s, n.WithdrawalsUntil, "the time for withdrawals"); err != nil {
		return err
	}
	if a.Withdrawn != 0 {
		return tx.Refuse(tx.CodeAlreadyDone, "%q has withdrawn", a.Signed.Application.Name)
	}
	return nil
}

func applyWithdrawApplication(w *writing, _ *tx.Verified, m *pb.WithdrawApplication) error {
	organisations, err := state.Organisations(w)
	if err != nil {
		return err
	}
	s, err := state.MustLoad[pb.NominationsState](w, state.NominationsKey(m.Nominations))
	if err != nil {
		return err
	}
	a, err := w.application(m.Nominations, m.Application)
	if err != nil {
		return err
	}
	if stands(a, len(organisations)) {
		if err := w.countStanding(s, &a.Signed.Application, -1); err != nil {
			return err
		}
	}
	if !refused(a) {
		w.setFree(&a.Signed.Application)
	}
	a.Withdrawn = w.height
	s.Withdrawn++
	w.save(state.ApplicationKey(m.Nominations, m.Application), a)
	w.save(state.NominationsKey(m.Nominations), s)
	return nil
}
