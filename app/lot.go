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

// CommitLot: an officer binds the organisation to its part in a round of the lot, once and for ever. Spec 9.45.
func checkCommitLot(r *reading, p *tx.Parsed, m *pb.CommitLot) error {
	o, err := r.officer(p.Signer())
	if err != nil {
		return err
	}
	e, err := r.election(m.Election, pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY, pb.PHASE_DECRYPTING)
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
	switch {
	case m.Round != lot.Round:
		return tx.Refuse(tx.CodeLotRound, "the round of the lot of %q is %d", m.Election, lot.Round)
	case part == nil || len(part.Commitment) == 0:
		return nil
	case bytes.Equal(part.Commitment, m.Commitment):
		return tx.Refuse(tx.CodeAlreadyDone, "%q has committed so", o.Id)
	}
	return tx.Refuse(tx.CodeLotCommitted, "%q has committed to %x", o.Id, part.Commitment)
}

func applyCommitLot(w *writing, v *tx.Verified, m *pb.CommitLot) error {
	o, err := w.officer(v.Parsed().Signer())
	if err != nil {
		return err
	}
	organisations, err := state.Organisations(w)
	if err != nil {
		return err
	}
	lot, err := w.lot(m.Election)
	if err != nil {
		return err
	}
	if part := partOf(lot, o.Id); part != nil {
		part.Commitment = m.Commitment
	} else {
		lot.Parts = append(lot.Parts, pb.LotPart{Organisation: o.Id, Commitment: m.Commitment})
		slices.SortFunc(lot.Parts, func(a, b pb.LotPart) int { return strings.Compare(a.Organisation, b.Organisation) })
	}
	open := func(p pb.LotPart) bool { return len(p.Commitment) == 0 }
	if len(lot.Parts) == len(organisations) && !slices.ContainsFunc(lot.Parts, open) {
		lot.Committed = w.height
	}
	w.save(state.LotKey(m.Election), lot)
	w.emit("lot", "election", m.Election, "step", "committed", "organisation", o.Id)
	return nil
}

// RevealLot: an officer brings the organisation's secret, not before the lot block is fixed, and where it has kept fewer than others not before
// theirs. Spec 9.46.
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
	if election.LotCommitment(r.chain, m.Election, o.Id, lot.Round, m.Secret) != [32]byte(part.Commitment) {
		return tx.Refuse(tx.CodeLotSecret, "%q has committed to another secret", o.Id)
	}
	if len(part.Secret) > 0 {
		return tx.Refuse(tx.CodeAlreadyDone, "%q has revealed its secret", o.Id)
	}
	if !election.LotTurn(lot, part) {
		return tx.Refuse(tx.CodeLotTurn, "others have kept more secrets than %q, and have not revealed", o.Id)
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
		seed := election.LotSeed(w.chain, m.Election, lot.Round, lot.HeaderHash, secrets)
		lot.Seed = seed[:]
		w.emit("lot", "election", m.Election, "step", "drawn")
	}
	w.save(state.LotKey(m.Election), lot)
	return nil
}

// RenewLot: the round of the lot ends without the secrets that are missing, and another one begins. Only a list that waits is a cause, and only for
// those whom the resolution names: who approves knows which secrets the others know. Spec 9.49.
func (d renewLot) check(r *reading) error {
	if _, err := r.election(d.Election, pb.PHASE_DECRYPTING); err != nil {
		return err
	}
	lot, err := r.lot(d.Election)
	if err != nil {
		return err
	}
	if len(lot.Parts) == 0 {
		return tx.Refuse(tx.CodeNoList, "no contest of %q has a list", d.Election)
	}
	if d.Round != lot.Round {
		return tx.Refuse(tx.CodeLotRound, "the round of the lot of %q is %d", d.Election, lot.Round)
	}
	if !lot.Fixed || !r.reached(lot.Deadline) {
		return tx.Refuse(tx.CodeLotNotDue, "secrets for the lot of %q may be revealed and are not late", d.Election)
	}
	if missing := election.LotMissing(lot); len(missing) == 0 || !slices.Equal(d.Missing, missing) {
		return tx.Refuse(tx.CodeLotMissing, "the secrets of %q are missing", missing)
	}
	queue, err := state.Load[pb.ListQueue](r, state.ListQueueKey(d.Election))
	if err != nil {
		return err
	}
	if queue == nil || len(queue.Tied) == 0 {
		return tx.Refuse(tx.CodeLotNotDue, "no list of %q waits for the lot", d.Election)
	}
	return nil
}

func (d renewLot) apply(w *writing) error {
	ended, err := w.lot(d.Election)
	if err != nil {
		return err
	}
	next := &pb.Lot{Round: ended.Round + 1}
	for i := range ended.Parts {
		part := &ended.Parts[i]
		kept := part.Kept
		if len(part.Secret) == 0 && election.LotTurn(ended, part) {
			kept++
		}
		next.Parts = append(next.Parts, pb.LotPart{Organisation: part.Organisation, Kept: kept})
	}
	ended.Renewed = w.resolution
	w.save(state.LotRoundKey(d.Election, ended.Round), ended)
	w.save(state.LotKey(d.Election), next)
	w.emit("lot", "election", d.Election, "step", "renewed")
	return nil
}

// lot returns the present round of the lot of an election, an empty first one before anybody has committed.
func (r *reading) lot(id string) (*pb.Lot, error) {
	lot, err := state.Load[pb.Lot](r, state.LotKey(id))
	if lot == nil {
		lot = &pb.Lot{Round: 1}
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
	lot, err := r.lot(id)
	return err == nil && lot.Committed > 0, err
}

// fixLot fixes the lot block: the first one from closing on, behind that of the last commitment, that more than certify of every organisation have
// signed, as the last commit of the block behind it shows. Until there is one it remembers this block. Spec 17.3.
func (x *execution) fixLot(id string, e *pb.Election, lot *pb.Lot) error {
	if lot.Fixed || lot.Committed == 0 || lot.Committed == x.height {
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
		m, err := x.manifest(x, e.Manifest)
		if err != nil {
			return err
		}
		lot.Deadline = x.deadline(m.CeremonyStep)
		x.emit("lot", "election", id, "step", "fixed")
	} else {
		lot.Height, lot.HeaderHash = x.height, x.block.Hash[:]
	}
	x.save(state.LotKey(id), lot)
	return nil
}
