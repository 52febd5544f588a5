package app

import (
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// ConfirmDeals: a trustee says that every share it got opened and matched. Spec 9.17.
func checkConfirmDeals(r *reading, p *tx.Parsed, m *pb.ConfirmDeals) error {
	_, err := r.dealing(m.Election, m.Organisation, m.Attempt, p.Signer(), pb.CEREMONY_CONFIRM)
	return err
}

func applyConfirmDeals(w *writing, v *tx.Verified, m *pb.ConfirmDeals) error {
	_, index, err := w.trustee(m.Election, m.Organisation, v.Parsed().Signer())
	if err != nil {
		return err
	}
	key := state.DealKey(m.Election, m.Organisation, m.Attempt, index)
	deal, err := state.MustLoad[pb.Deal](w, key)
	if err != nil {
		return err
	}
	deal.Confirmed = true
	w.save(key, deal)
	return nil
}
