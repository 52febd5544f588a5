package app

import (
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// PublishDeal: a trustee reveals the commitments that it announced, proves that it knows what is behind them, and brings an
// encrypted share for each other trustee. Whether a share is right only its receiver can say. Spec 9.16.
func checkPublishDeal(r *reading, p *tx.Parsed, m *pb.PublishDeal) error {
	d, err := r.dealing(m.Election, m.Organisation, m.Attempt, p.Signer(), pb.CEREMONY_DEAL)
	if err != nil {
		return err
	}
	if !others(d.record, d.trustee, len(m.Shares), func(i int) uint32 { return m.Shares[i].Receiver }) {
		return tx.Refuse(tx.CodeShareList, "the shares do not name every other active trustee once")
	}
	for i := range m.Shares {
		if len(m.Shares[i].Ciphertext) != threshold.EncryptedShareSize(election.Slots(d.manifest)) {
			return tx.Refuse(tx.CodeShareList, "the share for trustee %d has a wrong length", m.Shares[i].Receiver)
		}
	}
	context := r.ceremony(m.Election, m.Organisation, d.record, d.manifest)
	commitments, err := context.ParseCommitments(m.Commitments)
	if err != nil {
		return tx.Refuse(tx.CodeCommitments, "%v", err)
	}
	if context.DealHash(d.trustee, m.Commitments) != [32]byte(d.deal.DealHash) {
		return tx.Refuse(tx.CodeDealHash, "the commitments are not those announced")
	}
	if err := context.VerifyPossession(d.trustee, commitments, threshold.Proof(m.Possession)); err != nil {
		return tx.Refuse(tx.CodePossession, "%v", err)
	}
	return nil
}

func applyPublishDeal(w *writing, v *tx.Verified, m *pb.PublishDeal) error {
	_, index, err := w.trustee(m.Election, m.Organisation, v.Parsed().Signer())
	if err != nil {
		return err
	}
	key := state.DealKey(m.Election, m.Organisation, m.Attempt, index)
	deal, err := state.MustLoad[pb.Deal](w, key)
	if err != nil {
		return err
	}
	deal.Commitments, deal.Shares = m.Commitments, m.Shares
	w.save(key, deal)
	return nil
}
