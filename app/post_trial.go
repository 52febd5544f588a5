package app

import (
	"cmp"
	"fmt"
	"slices"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// PostTrial: a trustee shows, on a point that nobody encrypted anything to, that its share works. Spec 9.19.
func checkPostTrial(r *reading, p *tx.Parsed, m *pb.PostTrial) error {
	e, err := r.election(m.Election, pb.PHASE_KEY_CEREMONY)
	if err != nil {
		return err
	}
	_, index, err := r.trustee(m.Election, m.Organisation, p.Signer())
	if err != nil {
		return err
	}
	if len(e.KeyDigest) == 0 {
		return tx.Refuse(tx.CodeWrongStep, "the keys of %q are not made yet", m.Election)
	}
	trial, err := state.MustLoad[pb.Trial](r, state.TrialKey(m.Election))
	if err != nil {
		return err
	}
	if hasTrustee(trial.Posted, m.Organisation, index) {
		return tx.Refuse(tx.CodeAlreadyDone, "trustee %d of %q has posted", index, m.Organisation)
	}
	manifest, err := r.manifest(r, e.Manifest)
	if err != nil {
		return err
	}
	slots := election.Slots(manifest)
	pd, err := threshold.ParsePartialDecryption(m.Shares, m.Proof, slots)
	if err != nil {
		return tx.Refuse(tx.CodeTrialProof, "%v", err)
	}
	row, err := r.keyRow(m.Election, m.Organisation, index, 32*slots)
	if err != nil {
		return err
	}
	keys, err := threshold.ParsePoints(row, slots)
	if err != nil {
		return fmt.Errorf("%w: keys of trustee %d of %q: %w", state.ErrCorrupted, index, m.Organisation, err)
	}
	st := &threshold.TrialStatement{
		Chain: r.chain, Election: m.Election, KeyDigest: [32]byte(e.KeyDigest),
		Organisation: m.Organisation, Trustee: index, Keys: keys,
	}
	if err := threshold.VerifyTrial(st, pd); err != nil {
		return tx.Refuse(tx.CodeTrialProof, "%v", err)
	}
	return nil
}

func applyPostTrial(w *writing, v *tx.Verified, m *pb.PostTrial) error {
	_, index, err := w.trustee(m.Election, m.Organisation, v.Parsed().Signer())
	if err != nil {
		return err
	}
	trial, err := state.MustLoad[pb.Trial](w, state.TrialKey(m.Election))
	if err != nil {
		return err
	}
	trial.Posted = addTrustee(trial.Posted, m.Organisation, index)
	w.save(state.TrialKey(m.Election), trial)
	w.save(state.TrialSharesKey(m.Election, m.Organisation, index), &pb.TrialShares{Shares: m.Shares, Proof: m.Proof})
	return nil
}

func compareTrustee(a, b pb.TrusteeRef) int {
	return cmp.Or(cmp.Compare(a.Organisation, b.Organisation), cmp.Compare(a.Index, b.Index))
}

func hasTrustee(list []pb.TrusteeRef, organisation string, index uint32) bool {
	_, ok := slices.BinarySearchFunc(list, pb.TrusteeRef{Organisation: organisation, Index: index}, compareTrustee)
	return ok
}

func addTrustee(list []pb.TrusteeRef, organisation string, index uint32) []pb.TrusteeRef {
	ref := pb.TrusteeRef{Organisation: organisation, Index: index}
	at, ok := slices.BinarySearchFunc(list, ref, compareTrustee)
	if ok {
		return list
	}
	return slices.Insert(list, at, ref)
}

// advanceTrial ends the trial once every trustee has posted or is excused: the shares of each organisation are combined in two
// ways. At the deadline those who are missing are named, and may still post. Spec 8.7.
func (x *execution) advanceTrial(id string, e *pb.Election) error {
	if e.Phase != pb.PHASE_KEY_CEREMONY || len(e.KeyDigest) == 0 || e.TrialPassed {
		return nil
	}
	trial, err := state.MustLoad[pb.Trial](x, state.TrialKey(id))
	if err != nil {
		return err
	}
	missing, err := x.missing(id, trial)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		if x.reached(trial.Deadline) && !slices.Equal(missing, trial.Missing) {
			trial.Missing = missing
			x.save(state.TrialKey(id), trial)
		}
		return nil
	}
	keys, err := x.organisationKeys(id)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := x.checkTrial(id, k, trial); err != nil {
			return err
		}
	}
	e.TrialPassed = true
	x.save(state.ElectionKey(id), e)
	x.emit("trial-passed", "election", id)
	return nil
}

// missing lists the trustees of the key who have not posted and are not excused. They are those of the finished ceremonies: no key is
// read, for this is asked in every block.
func (r *reading) missing(id string, trial *pb.Trial) ([]pb.TrusteeRef, error) {
	organisations, records, err := r.ceremonies(id)
	if err != nil {
		return nil, err
	}
	var missing []pb.TrusteeRef
	for i, c := range records {
		for _, index := range active(c) {
			if !hasTrustee(trial.Posted, organisations[i], index) && !hasTrustee(trial.Excused, organisations[i], index) {
				missing = append(missing, pb.TrusteeRef{Organisation: organisations[i], Index: index})
			}
		}
	}
	return missing, nil
}

// checkTrial combines an organisation's shares. Each was proven when it was posted, so a failure is no trustee's.
func (x *execution) checkTrial(id string, k *threshold.OrganisationKey, trial *pb.Trial) error {
	var shares []threshold.TrusteeShares
	for _, t := range k.Trustees {
		if !hasTrustee(trial.Posted, k.Organisation, t.Index) {
			continue
		}
		posted, err := state.MustLoad[pb.TrialShares](x, state.TrialSharesKey(id, k.Organisation, t.Index))
		if err != nil {
			return err
		}
		pd, err := threshold.ParsePartialDecryption(posted.Shares, posted.Proof, len(k.Keys))
		if err != nil {
			return fmt.Errorf("%w: trial shares of %q: %w", state.ErrCorrupted, k.Organisation, err)
		}
		shares = append(shares, threshold.TrusteeShares{Index: t.Index, Shares: pd.Shares})
	}
	if err := k.CheckTrial(shares); err != nil {
		return fmt.Errorf("%w: trial of %q: %w", state.ErrCorrupted, k.Organisation, err)
	}
	return nil
}
