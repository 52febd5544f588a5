package app

import (
	"bytes"
	"slices"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// ChangeValidators: the whole list of the next epoch, announced `handover` heights ahead and unchangeable from then on. Caps hold
// in it, no organisation is emptied, and no key comes back or changes its organisation. Spec 9.26.
func (d changeValidators) check(r *reading) error {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](r, state.KeyValidators)
	if err != nil {
		return err
	}
	if epochs.Next.Number != 0 {
		return tx.Refuse(tx.CodeChangePending, "epoch %d is announced for height %d", epochs.Next.Number, epochs.Next.FirstHeight)
	}
	organisations, err := state.Organisations(r)
	if err != nil {
		return err
	}
	var ids []string
	for i := range organisations {
		id := organisations[i].Id
		ids = append(ids, id)
		if !slices.ContainsFunc(d.Validators, func(v pb.Validator) bool { return v.Organisation == id }) {
			return tx.Refuse(tx.CodeEmptyOrganisation, "%q would have no validator", id)
		}
	}
	if err := organisation.CheckValidators(d.Validators, ids); err != nil {
		return tx.Refuse(tx.CodeInvalidValidators, "%v", err)
	}
	if err := organisation.CheckKeysOnce(organisations, d.Validators); err != nil {
		return tx.Refuse(tx.CodeInvalidValidators, "%v", err)
	}
	params, err := state.MustLoad[pb.Parameters](r, state.KeyParameters)
	if err != nil {
		return err
	}
	if err := organisation.CapFault(params, d.Validators); err != nil {
		return tx.Refuse(tx.CodePowerCap, "%v", err)
	}
	if len(changed(epochs.Present.Validators, d.Validators)) == 0 {
		return tx.Refuse(tx.CodeAlreadyDone, "these validators are in force")
	}
	return d.checkKeys(r)
}

func (d changeValidators) checkKeys(r *reading) error {
	for i := range d.Validators {
		v := &d.Validators[i]
		known, err := state.Load[pb.ValidatorKey](r, state.ValidatorKey(v.Key))
		if err != nil {
			return err
		}
		if known != nil && (known.Retired || known.Organisation != v.Organisation) {
			return tx.Refuse(tx.CodeKeyReused, "the key %x was a validator of %q", v.Key, known.Organisation)
		}
	}
	return nil
}

func (d changeValidators) apply(w *writing) error {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](w, state.KeyValidators)
	if err != nil {
		return err
	}
	params, err := state.MustLoad[pb.Parameters](w, state.KeyParameters)
	if err != nil {
		return err
	}
	epochs.Next = pb.ValidatorEpoch{
		Number: epochs.Present.Number + 1, FirstHeight: w.height + int64(params.Handover), Validators: d.Validators,
	}
	w.save(state.KeyValidators, epochs)
	for i := range d.Validators {
		v := &d.Validators[i]
		w.save(state.ValidatorKey(v.Key), &pb.ValidatorKey{Organisation: v.Organisation})
	}
	return nil
}

// touches names the organisations whose validators differ between the present set and the next.
func (d changeValidators) touches(r *reading) ([]string, error) {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](r, state.KeyValidators)
	if err != nil {
		return nil, err
	}
	return changed(epochs.Present.Validators, d.Validators), nil
}

// changed names, with repetition, the organisations of validators that differ between two lists in anything: key, power, slip key,
// node id, address or name.
func changed(from, to []pb.Validator) []string {
	var organisations []string
	for _, lists := range [][2][]pb.Validator{{from, to}, {to, from}} {
		for i := range lists[0] {
			v := &lists[0][i]
			if o := findValidator(lists[1], v.Key); o == nil || !bytes.Equal(election.Encode(o), election.Encode(v)) {
				organisations = append(organisations, v.Organisation)
			}
		}
	}
	return organisations
}

// ChangeOfficers: another list of officers and registrars for one organisation. Spec 9.33.
func (d changeOfficers) check(r *reading) error {
	organisations, err := state.Organisations(r)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(organisations, func(o pb.Organisation) bool { return o.Id == d.Organisation.Id })
	if at < 0 {
		return tx.Refuse(tx.CodeInvalidOrganisation, "there is no organisation %q", d.Organisation.Id)
	}
	if next := organisations[at].Term + 1; d.Organisation.Term != next {
		return tx.Refuse(tx.CodeInvalidOrganisation, "the term of %s would be %d, and its next is %d: its officers have changed since this was made", d.Organisation.Id, d.Organisation.Term, next)
	}
	organisations[at] = d.Organisation
	if err := organisation.CheckOrganisation(&d.Organisation); err != nil {
		return tx.Refuse(tx.CodeInvalidOrganisation, "%v", err)
	}
	epochs, err := state.MustLoad[pb.ValidatorEpochs](r, state.KeyValidators)
	if err != nil {
		return err
	}
	for _, e := range []pb.ValidatorEpoch{epochs.Present, epochs.Next} {
		if err := organisation.CheckKeysOnce(organisations, e.Validators); err != nil {
			return tx.Refuse(tx.CodeInvalidOrganisation, "%v", err)
		}
	}
	return nil
}

func (d changeOfficers) apply(w *writing) error {
	w.save(state.OrganisationKey(d.Organisation.Id), &d.Organisation)
	return nil
}

func (d changeOfficers) touches(*reading) ([]string, error) { return []string{d.Organisation.Id}, nil }

// ChangeParameters: other consensus rules, under which the present validators and those announced keep the caps. Spec 9.34.
func (d changeParameters) check(r *reading) error {
	old, err := state.MustLoad[pb.Parameters](r, state.KeyParameters)
	if err != nil {
		return err
	}
	organisations, err := state.Organisations(r)
	if err != nil {
		return err
	}
	if err := organisation.CheckParameterChange(old, &d.Parameters, len(organisations)); err != nil {
		return tx.Refuse(tx.CodeInvalidParameters, "%v", err)
	}
	epochs, err := state.MustLoad[pb.ValidatorEpochs](r, state.KeyValidators)
	if err != nil {
		return err
	}
	for _, e := range []pb.ValidatorEpoch{epochs.Present, epochs.Next} {
		if e.Number == 0 {
			continue
		}
		if err := organisation.CapFault(&d.Parameters, e.Validators); err != nil {
			return tx.Refuse(tx.CodePowerCap, "%v", err)
		}
	}
	return nil
}

func (d changeParameters) apply(w *writing) error {
	w.save(state.KeyParameters, &d.Parameters)
	return nil
}
