package recount

import (
	"cmp"
	"fmt"
	"slices"

	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// register remembers whose the keys of validators are. Spec 6.4.
func (r *Recount) register(list []pb.Validator) {
	for i := range list {
		r.keys[string(list[i].Key)] = &pb.ValidatorKey{Organisation: list[i].Organisation}
	}
}

// beginEpoch makes the announced validators the present ones at their first height, and retires the keys that left. Spec 9.1, step 2.
func (r *Recount) beginEpoch() {
	if r.next.Number == 0 || r.height != r.next.FirstHeight {
		return
	}
	for i := range r.present.Validators {
		r.keys[string(r.present.Validators[i].Key)].Retired = true
	}
	for i := range r.next.Validators {
		r.keys[string(r.next.Validators[i].Key)].Retired = false
	}
	r.present, r.next = r.next, pb.ValidatorEpoch{}
}

// announce lets a change of validators take effect. Spec 9.4.
func (r *Recount) announce(list []pb.Validator) {
	r.next = pb.ValidatorEpoch{Number: r.present.Number + 1, FirstHeight: r.height + int64(r.parameters.Handover), Validators: list}
	r.register(list)
}

// mayChangeValidators: spec 9.26.
func (r *Recount) mayChangeValidators(d *pb.ChangeValidators) error {
	switch {
	case r.next.Number != 0:
		return refuse(codeChangePending, "epoch %d is announced", r.next.Number)
	case rules.Deserted(d.Validators, r.organisations):
		return refuse(codeEmptyOrganisation, "an organisation has no validator")
	}
	if err := cmp.Or(rules.Validators(d.Validators, r.organisations), rules.OneUse(r.organisations, d.Validators)); err != nil {
		return refuse(codeInvalidValidators, "%v", err)
	}
	if err := rules.Cap(&r.parameters, d.Validators, r.organisations); err != nil {
		return refuse(codePowerCap, "%v", err)
	}
	if slices.EqualFunc(d.Validators, r.present.Validators, same) {
		return refuse(codeAlreadyDone, "these are the validators")
	}
	for i := range d.Validators {
		v := &d.Validators[i]
		if known := r.keys[string(v.Key)]; known != nil && (known.Retired || known.Organisation != v.Organisation) {
			return refuse(codeKeyReused, "the key of %q was used before", v.Name)
		}
	}
	return nil
}

func same(a, b pb.Validator) bool { return string(rules.Encode(&a)) == string(rules.Encode(&b)) }

// attested says whether more than certify of the power of every organisation in the present epoch has signed the block before, and it
// was a block of this epoch. Spec 9.3.
func (r *Recount) attested(signers map[[20]byte]bool) bool {
	return r.height > r.present.FirstHeight && rules.Signed(r.parameters.Certify, r.present.Validators, r.organisations, signers)
}

// changed names the organisations of validators that do not stand in both lists alike. Spec 9.3.
func changed(from, to []pb.Validator) []string {
	var ids []string
	for _, lists := range [][2][]pb.Validator{{from, to}, {to, from}} {
		for _, v := range lists[0] {
			if !slices.ContainsFunc(lists[1], func(w pb.Validator) bool { return same(v, w) }) {
				ids = append(ids, v.Organisation)
			}
		}
	}
	return ids
}

// with returns the organisations, one of them changed.
func (r *Recount) with(o *pb.Organisation) []pb.Organisation {
	list := slices.Clone(r.organisations)
	for i := range list {
		if list[i].Id == o.Id {
			list[i] = *o
		}
	}
	return list
}

// mayChangeOfficers: spec 9.33.
func (r *Recount) mayChangeOfficers(o *pb.Organisation) error {
	successor := slices.ContainsFunc(r.organisations, func(old pb.Organisation) bool { return old.Id == o.Id && old.Term+1 == o.Term })
	if !successor {
		return refuse(codeInvalidOrganisation, "there is no organisation %q whose next term is %d", o.Id, o.Term)
	}
	if err := rules.Organisation(o); err != nil {
		return refuse(codeInvalidOrganisation, "%v", err)
	}
	for _, epoch := range r.epochs() {
		if err := rules.OneUse(r.with(o), epoch.Validators); err != nil {
			return refuse(codeInvalidOrganisation, "%v", err)
		}
	}
	return nil
}

// mayChangeParameters: spec 9.34.
func (r *Recount) mayChangeParameters(p *pb.Parameters) error {
	if err := rules.Parameters(p, len(r.organisations)); err != nil {
		return refuse(codeInvalidParameters, "%v", err)
	}
	if p.Handover != r.parameters.Handover || p.Certify != r.parameters.Certify {
		return refuse(codeInvalidParameters, "handover and certify never change")
	}
	for _, epoch := range r.epochs() {
		if err := rules.Cap(p, epoch.Validators, r.organisations); err != nil {
			return refuse(codePowerCap, "%v", err)
		}
	}
	return nil
}

// ahead says whether the last upgrade is not in force at this height.
func (r *Recount) ahead() bool {
	n := len(r.upgrades)
	return n > 0 && r.upgrades[n-1].Height >= r.height
}

// mayUpgrade: spec 9.37. Every upgrade raises the version by one, from 1.
func (r *Recount) mayUpgrade(d *pb.UpgradeSoftware) error {
	switch {
	case r.ahead():
		return refuse(codeUpgradePending, "an upgrade is ahead")
	case d.Version != uint64(len(r.upgrades))+2:
		return refuse(codeInvalidUpgrade, "version %d is not the next", d.Version)
	case d.Height <= r.height:
		return refuse(codeInvalidUpgrade, "height %d is not ahead", d.Height)
	}
	return nil
}

// mayCancelUpgrade: spec 9.38.
func (r *Recount) mayCancelUpgrade(d *pb.CancelUpgrade) error {
	if !r.ahead() || d.Height <= r.height || d.Height != r.upgrades[len(r.upgrades)-1].Height {
		return refuse(codeNoUpgrade, "no upgrade at height %d is ahead", d.Height)
	}
	return nil
}

// epochs returns the present epoch and, where there is one, the announced one.
func (r *Recount) epochs() []pb.ValidatorEpoch {
	if r.next.Number == 0 {
		return []pb.ValidatorEpoch{r.present}
	}
	return []pb.ValidatorEpoch{r.present, r.next}
}

// partyRecords tells the records about organisations, validators and parameters. Spec 5.2.
func (r *Recount) partyRecords(emit Emit) {
	emit(Ledger, "chain", rules.Encode(&pb.Chain{Id: r.chain, GenesisHash: r.genesis[:]}))
	emit(Ledger, "parameters", rules.Encode(&r.parameters))
	for i := range r.organisations {
		emit(Ledger, "organisation/"+r.organisations[i].Id, rules.Encode(&r.organisations[i]))
	}
	emit(Ledger, "validators", rules.Encode(&pb.ValidatorEpochs{Present: r.present, Next: r.next}))
	for key, owner := range r.keys {
		emit(Ledger, fmt.Sprintf("validator-key/%x", key), rules.Encode(owner))
	}
	if len(r.upgrades) > 0 {
		emit(Ledger, "upgrades", rules.Encode(&pb.Upgrades{Upgrades: r.upgrades}))
	}
	for key, m := range r.misbehaviour {
		emit(Ledger, key, rules.Encode(m))
	}
}

// authorBlock: spec 9.35.
func (r *Recount) authorBlock(signer []byte, m *pb.AuthorBlock) error {
	known := slices.ContainsFunc(r.present.Validators, func(v pb.Validator) bool {
		return string(v.SlipKey) == string(signer) && rules.Address(v.Key) == [20]byte(m.Proposer)
	})
	if m.Height != r.height || !known {
		return refuse(codeAuthorship, "%x did not make block %d", m.Proposer, r.height)
	}
	return nil
}
