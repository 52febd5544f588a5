package app

import (
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// AnnounceDeal: a trustee fixes the hash of its commitments and publishes a single-use key for each other dealer. Spec 9.15.
func checkAnnounceDeal(r *reading, p *tx.Parsed, m *pb.AnnounceDeal) error {
	d, err := r.dealing(m.Election, m.Organisation, m.Attempt, p.Signer(), pb.CEREMONY_ANNOUNCE)
	if err != nil {
		return err
	}
	if !others(d.record, d.trustee, len(m.ReceiverKeys), func(i int) uint32 { return m.ReceiverKeys[i].Dealer }) {
		return tx.Refuse(tx.CodeReceiverKeys, "the keys do not name every other active trustee once")
	}
	for i := range m.ReceiverKeys {
		if err := threshold.CheckReceiverKey(m.ReceiverKeys[i].Key); err != nil {
			return tx.Refuse(tx.CodeReceiverKeys, "key for dealer %d: %v", m.ReceiverKeys[i].Dealer, err)
		}
	}
	return nil
}

func applyAnnounceDeal(w *writing, v *tx.Verified, m *pb.AnnounceDeal) error {
	_, index, err := w.trustee(m.Election, m.Organisation, v.Parsed().Signer())
	if err != nil {
		return err
	}
	w.save(state.DealKey(m.Election, m.Organisation, m.Attempt, index),
		&pb.Deal{DealHash: m.DealHash, ReceiverKeys: m.ReceiverKeys})
	return nil
}
