package app

import (
	"fmt"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// ComplainDeal: a trustee gives out the single-use key to which a dealer encrypted. The state machine opens the share itself, and
// exactly one of the two is proven guilty and leaves. Spec 9.18.
func checkComplainDeal(r *reading, p *tx.Parsed, m *pb.ComplainDeal) error {
	_, err := r.judge(p.Signer(), m)
	return err
}

func applyComplainDeal(w *writing, v *tx.Verified, m *pb.ComplainDeal) error {
	guilty, err := w.judge(v.Parsed().Signer(), m)
	if err != nil {
		return err
	}
	w.eject(m.Election, m.Organisation, guilty.record, guilty.manifest, []uint32{guilty.trustee}, guilty.why)
	return nil
}

// judged is the outcome of a complaint.
type judged struct {
	record   *pb.Ceremony
	manifest *pb.Manifest
	trustee  uint32
	why      pb.Ejection
}

// judge opens the share in question and says who is guilty, or refuses the complaint.
func (r *reading) judge(complainer []byte, m *pb.ComplainDeal) (*judged, error) {
	d, err := r.dealing(m.Election, m.Organisation, m.Attempt, complainer, pb.CEREMONY_CONFIRM)
	if err != nil {
		return nil, err
	}
	public, ok := receiverKey(d.deal, m.Dealer)
	if !ok {
		return nil, tx.Refuse(tx.CodeComplaintKey, "trustee %d published no key for dealer %d", d.trustee, m.Dealer)
	}
	dealt, err := state.MustLoad[pb.Deal](r, state.DealKey(m.Election, m.Organisation, m.Attempt, m.Dealer))
	if err != nil {
		return nil, err
	}
	context := r.ceremony(m.Election, m.Organisation, d.record, d.manifest)
	commitments, err := context.ParseCommitments(dealt.Commitments)
	if err != nil {
		return nil, fmt.Errorf("%w: commitments of dealer %d: %w", state.ErrCorrupted, m.Dealer, err)
	}
	ciphertext := encryptedShare(dealt, d.trustee)
	dealerGuilty, err := context.JudgeComplaint(m.Dealer, d.trustee, commitments, public, m.PrivateKey, ciphertext)
	if err != nil {
		return nil, tx.Refuse(tx.CodeComplaintKey, "%v", err)
	}
	j := &judged{record: d.record, manifest: d.manifest, trustee: d.trustee, why: pb.EJECTION_FALSE_COMPLAINT}
	if dealerGuilty {
		j.trustee, j.why = m.Dealer, pb.EJECTION_BAD_SHARE
	}
	return j, nil
}

// receiverKey returns the key that a trustee published for a dealer.
func receiverKey(d *pb.Deal, dealer uint32) ([]byte, bool) {
	for i := range d.ReceiverKeys {
		if d.ReceiverKeys[i].Dealer == dealer {
			return d.ReceiverKeys[i].Key, true
		}
	}
	return nil, false
}

// encryptedShare returns what a dealer encrypted to a receiver.
func encryptedShare(d *pb.Deal, receiver uint32) []byte {
	for i := range d.Shares {
		if d.Shares[i].Receiver == receiver {
			return d.Shares[i].Ciphertext
		}
	}
	return nil
}
