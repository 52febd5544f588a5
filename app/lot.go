package app

import (
	"bytes"
	"slices"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// CommitLot: an officer binds the organisation to its part in the lot, once and for ever. Spec 9.45.
func checkCommitLot(r *reading, p *tx.Parsed, m *pb.CommitLot) error {
	o, err := r.officer(p.Signer())
	if err != nil {
		return err
	}
	e, err := r.election(m.Election, pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY)
	if err != nil {
		return err
	}
	manifest, err := r.manifest(r, e.Manifest)
	if err != nil {
		return err
	}
	if !election.HasList(manifest) {
		return tx.Refuse(tx.CodeNoList, "no contest of %q has a list", m.Election)
	}
	lot, err := r.lot(m.Election)
	if err != nil {
		return err
	}
	part := partOf(lot, o.Id)
	if part == nil {
		return nil
	}
	if bytes.Equal(part.Commitment, m.Commitment) {
		return tx.Refuse(tx.CodeAlreadyDone, "%q has committed so", o.Id)
	}
	return tx.Refuse(tx.CodeLotCommitted, "%q has committed to %x", o.Id, part.Commitment)
}

func applyCommitLot(w *writing, v *tx.Verified, m *pb.CommitLot) error {
	o, err := w.officer(v.Parsed().Signer())
	if err != nil {
		return err
	}
	lot, err := w.lot(m.Election)
	if err != nil {
		return err
	}
	lot.Parts = append(lot.Parts, pb.LotPart{Organisation: o.Id, Commitment: m.Commitment})
	slices.SortFunc(lot.Parts, func(a, b pb.LotPart) int { return strings.Compare(a.Organisation, b.Organisation) })
	w.save(state.LotKey(m.Election), lot)
	w.emit("lot", "election", m.Election, "step", "committed", "organisation", o.Id)
	return nil
}

// RevealLot: an officer brings the organisation's secret, not before the lot block is fixed. Spec 9.46.
func checkRevealLot(r *reading, p *tx.Parsed, m *pb.RevealLot) error {
	o, err := r.officer(p.Signer())
	if err != nil {
		return err
	}
	if _, err := r.election(m.Election, pb.PHASE_CLOSED, pb.PHASE_DECRYPTING, pb.PHASE_FINAL); err != nil {
		return err
	}
	lot, err := r.lot(m.Election)
	if err != nil {
		return err
	}
	part := partOf(lot, o.Id)
	if part == nil {
		return tx.Refuse(tx.CodeNoList, "no contest of %q has a list", m.Election)
	}
	if !lot.Fixed {
		return tx.Refuse(tx.CodeLotEarly, "the lot block of %q is not fixed", m.Election)
	}
	if election.LotCommitment(r.chain, m.Election, o.Id, m.Secret) != [32]byte(part.Commitment) {
		return tx.Refuse(tx.CodeLotSecret, "%q has committed to another secret", o.Id)
	}
	if len(part.Secret) > 0 {
		return tx.Refuse(tx.CodeAlreadyDone, "%q has revealed its secret", o.Id)
	}
	return nil
}

func applyRevealLot(w *writing, v *tx.Verified, m *pb.RevealLot) error {
	o, err := w.officer(v.Parsed().Signer())
	if err != nil {
		return err
	}
	lot, err := w.lot(m.Election)
	if err != nil {
		return err
	}
	partOf(lot, o.Id).Secret = m.Secret
	var secrets [][]byte
	for i := range lot.Parts {
		if secret := lot.Parts[i].Secret; len(secret) > 0 {
			secrets = append(secrets, secret)
		}
	}
	w.emit("lot", "election", m.Election, "step", "revealed", "organisation", o.Id)
	if len(secrets) == len(lot.Parts) {
		seed := election.LotSeed(w.chain, m.Election, lot.HeaderHash, secrets)
		lot.Seed = seed[:]
		w.emit("lot", "election", m.Election, "step", "drawn")
	}
	w.save(state.LotKey(m.Election), lot)
	return nil
}

// lot returns the lot of an election, an empty one before anybody has committed.
func (r *reading) lot(id string) (*pb.Lot, error) {
	lot, err := state.Load[pb.Lot](r, state.LotKey(id))
	if lot == nil {
		lot = new(pb.Lot)
	}
	return lot, err
}

// partOf returns an organisation's part in a lot, nil before it has committed.
func partOf(lot *pb.Lot, organisation string) *pb.LotPart {
	for i := range lot.Parts {
		if lot.Parts[i].Organisation == organisation {
			return &lot.Parts[i]
		}
	}
	return nil
}

// lotCommitted says whether every organisation has committed.
func (r *reading) lotCommitted(id string) (bool, error) {
	organisations, err := state.Organisations(r)
	if err != nil {
		return false, err
	}
	lot, err := r.lot(id)
	return err == nil && len(lot.Parts) == len(organisations), err
}

// fixLot fixes the lot block: the first one at or after closing that more than certify of every organisation have signed, as the last
// commit of the block behind it shows. Until there is one it remembers this block. Spec 17.3.
func (x *execution) fixLot(id string, lot *pb.Lot) error {
	if lot.Fixed {
		return nil
	}
	if lot.Height > 0 {
		certified, err := x.lastCommitCertifies()
		if err != nil {
			return err
		}
		lot.Fixed = certified
	}
	if lot.Fixed {
		x.emit("lot", "election", id, "step", "fixed")
	} else {
		lot.Height, lot.HeaderHash = x.height, x.block.Hash[:]
	}
	x.save(state.LotKey(id), lot)
	return nil
}
