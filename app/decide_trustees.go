package app

import (
	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// AppointTrustees: a board for every organisation, large enough that quorum - 1 dishonest trustees can neither open nor block.
// Spec 9.21.
func (d appointTrustees) check(r *reading) error {
	e, err := r.election(d.Election, pb.PHASE_SETUP)
	if err != nil {
		return err
	}
	m, err := r.manifest(r, e.Manifest)
	if err != nil {
		return err
	}
	if m.OpenChoices {
		return tx.Refuse(tx.CodeOpenChoices, "nothing is encrypted in %q", d.Election)
	}
	organisations, err := state.Organisations(r)
	if err != nil {
		return err
	}
	if len(d.Boards) != len(organisations) {
		return tx.Refuse(tx.CodeInvalidBoard, "there are %d boards for %d organisations", len(d.Boards), len(organisations))
	}
	seen := make(map[string]bool)
	for i := range d.Boards {
		b := &d.Boards[i]
		if b.Organisation != organisations[i].Id {
			return tx.Refuse(tx.CodeInvalidBoard, "board %d is that of %q instead of %q", i, b.Organisation, organisations[i].Id)
		}
		if len(b.Trustees) > tx.MaxTrustees {
			return tx.Refuse(tx.CodeInvalidBoard, "%q names %d trustees; at most %d are allowed", b.Organisation, len(b.Trustees), tx.MaxTrustees)
		}
		if err := threshold.CheckQuorum(int(b.Quorum), len(b.Trustees)); err != nil {
			return tx.Refuse(tx.CodeInvalidBoard, "%q: %v", b.Organisation, err)
		}
		if err := r.checkTrustees(b.Trustees, seen); err != nil {
			return err
		}
		if err := r.checkDealSize(e, int(b.Quorum), len(b.Trustees)); err != nil {
			return err
		}
	}
	return nil
}

// checkDealSize refuses a board whose deals would not fit a transaction, or whose part of the keys would take more than its share
// of one record.
func (r *reading) checkDealSize(e *pb.Election, quorum, trustees int) error {
	m, err := r.manifest(r, e.Manifest)
	if err != nil {
		return err
	}
	params, err := state.MustLoad[pb.Parameters](r, state.KeyParameters)
	if err != nil {
		return err
	}
	organisations, err := state.Organisations(r)
	if err != nil {
		return err
	}
	const overhead = 512 // of an envelope, and of each list element, generously
	slots := election.Slots(m)
	deal := overhead + 32*slots*quorum + trustees*(threshold.EncryptedShareSize(slots)+16)
	if uint64(deal) > params.Limits.TransactionBytes {
		return tx.Refuse(tx.CodeInvalidBoard, "a deal of %d trustees for %d slots takes %d bytes, a transaction has at most %d",
			trustees, slots, deal, params.Limits.TransactionBytes)
	}
	keys := overhead + (trustees+2)*(32*slots+16)
	if keys*len(organisations) > state.MaxRecordValue {
		return tx.Refuse(tx.CodeInvalidBoard, "the keys of %d trustees for %d slots take %d bytes, an organisation may take %d",
			trustees, slots, keys, state.MaxRecordValue/len(organisations))
	}
	return nil
}

// checkTrustees refuses malformed trustees, keys that stand twice, and keys that validators use.
func (r *reading) checkTrustees(trustees []pb.Member, seen map[string]bool) error {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](r, state.KeyValidators)
	if err != nil {
		return err
	}
	for _, list := range [][]pb.Validator{epochs.Present.Validators, epochs.Next.Validators} {
		for i := range list {
			seen[string(list[i].Key)], seen[string(list[i].SlipKey)] = true, true
		}
	}
	for i := range trustees {
		if err := organisation.CheckMember(&trustees[i]); err != nil {
			return tx.Refuse(tx.CodeInvalidBoard, "%v", err)
		}
		if key := string(trustees[i].Key); seen[key] {
			return tx.Refuse(tx.CodeInvalidBoard, "the key of trustee %q stands twice, or is a validator's", trustees[i].Name)
		} else {
			seen[key] = true
		}
	}
	return nil
}

func (d appointTrustees) apply(w *writing) error {
	e, err := state.MustLoad[pb.Election](w, state.ElectionKey(d.Election))
	if err != nil {
		return err
	}
	m, err := w.manifest(w, e.Manifest)
	if err != nil {
		return err
	}
	for i := range d.Boards {
		b := &d.Boards[i]
		c := &pb.Ceremony{Quorum: b.Quorum, Attempt: 1}
		for _, t := range b.Trustees {
			c.Trustees = append(c.Trustees, pb.TrusteeState{Trustee: t})
		}
		w.saveCeremony(d.Election, b.Organisation, c, m)
	}
	w.move(d.Election, e, election.TrusteesAppointed)
	return nil
}

// touches names every organisation: each has its board.
func (d appointTrustees) touches(*reading) ([]string, error) {
	var ids []string
	for i := range d.Boards {
		ids = append(ids, d.Boards[i].Organisation)
	}
	return ids, nil
}

// ReplaceTrustees: fresh trustees for a ceremony that waits because too few are left. Spec 9.29.
func (d replaceTrustees) check(r *reading) error {
	e, err := r.election(d.Election, pb.PHASE_KEY_CEREMONY)
	if err != nil {
		return err
	}
	c, err := state.LoadCeremony(r, d.Election, d.Organisation)
	if err != nil {
		return err
	}
	if c == nil || c.Step != pb.CEREMONY_WAITING {
		return tx.Refuse(tx.CodeWrongStep, "the ceremony of %q does not wait for trustees", d.Organisation)
	}
	if len(c.Trustees)+len(d.Trustees) > tx.MaxTrustees {
		return tx.Refuse(tx.CodeInvalidBoard, "%q would name more than %d trustees", d.Organisation, tx.MaxTrustees)
	}
	if err := threshold.CheckQuorum(int(c.Quorum), len(active(c))+len(d.Trustees)); err != nil {
		return tx.Refuse(tx.CodeInvalidBoard, "%q: %v", d.Organisation, err)
	}
	if err := r.checkDealSize(e, int(c.Quorum), len(active(c))+len(d.Trustees)); err != nil {
		return err
	}
	_, records, err := r.ceremonies(d.Election)
	if err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, record := range records {
		for i := range record.Trustees {
			seen[string(record.Trustees[i].Trustee.Key)] = true
		}
	}
	return r.checkTrustees(d.Trustees, seen)
}

func (d replaceTrustees) apply(w *writing) error {
	e, err := state.MustLoad[pb.Election](w, state.ElectionKey(d.Election))
	if err != nil {
		return err
	}
	m, err := w.manifest(w, e.Manifest)
	if err != nil {
		return err
	}
	c, err := state.MustLoad[pb.Ceremony](w, state.CeremonyKey(d.Election, d.Organisation))
	if err != nil {
		return err
	}
	for _, t := range d.Trustees {
		c.Trustees = append(c.Trustees, pb.TrusteeState{Trustee: t})
	}
	w.restart(d.Election, d.Organisation, c, m)
	return nil
}

func (d replaceTrustees) touches(*reading) ([]string, error) { return []string{d.Organisation}, nil }

// ExcuseTrial: trustees who were named missing at the deadline no longer hold the election up, as long as a quorum of their
// organisation has posted. Spec 9.27.
func (d excuseTrial) check(r *reading) error {
	e, err := r.election(d.Election, pb.PHASE_KEY_CEREMONY)
	if err != nil {
		return err
	}
	if len(e.KeyDigest) == 0 || e.TrialPassed {
		return tx.Refuse(tx.CodeWrongStep, "no trial decryption of %q is under way", d.Election)
	}
	trial, err := state.MustLoad[pb.Trial](r, state.TrialKey(d.Election))
	if err != nil {
		return err
	}
	c, err := state.LoadCeremony(r, d.Election, d.Organisation)
	if err != nil {
		return err
	}
	if c == nil || len(d.Trustees) == 0 {
		return tx.Refuse(tx.CodeNotMissing, "no trustee of %q is named", d.Organisation)
	}
	for i, index := range d.Trustees {
		named := hasTrustee(trial.Missing, d.Organisation, index) && !hasTrustee(trial.Posted, d.Organisation, index)
		if !named || i > 0 && index <= d.Trustees[i-1] {
			return tx.Refuse(tx.CodeNotMissing, "trustee %d of %q was not named missing", index, d.Organisation)
		}
	}
	posted := 0
	for i := range trial.Posted {
		if trial.Posted[i].Organisation == d.Organisation {
			posted++
		}
	}
	if posted < int(c.Quorum) {
		return tx.Refuse(tx.CodeNotMissing, "only %d trustees of %q have posted, %d are needed", posted, d.Organisation, c.Quorum)
	}
	return nil
}

func (d excuseTrial) apply(w *writing) error {
	trial, err := state.MustLoad[pb.Trial](w, state.TrialKey(d.Election))
	if err != nil {
		return err
	}
	for _, index := range d.Trustees {
		trial.Excused = addTrustee(trial.Excused, d.Organisation, index)
	}
	w.save(state.TrialKey(d.Election), trial)
	return nil
}

func (d excuseTrial) touches(*reading) ([]string, error) { return []string{d.Organisation}, nil }
