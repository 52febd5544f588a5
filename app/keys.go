package app

import (
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// organisationKeys returns the keys of an election as the mathematics wants them, sorted by organisation.
func (r *reading) organisationKeys(id string) ([]*threshold.OrganisationKey, error) {
	record, err := state.MustLoad[pb.ElectionKeys](r, state.KeysKey(id))
	if err != nil {
		return nil, err
	}
	var keys []*threshold.OrganisationKey
	for i := range record.Organisations {
		key, err := parseOrganisationKey(&record.Organisations[i])
		if err != nil {
			return nil, fmt.Errorf("%w: keys of %q: %w", state.ErrCorrupted, id, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parseOrganisationKey(o *pb.OrganisationKeys) (*threshold.OrganisationKey, error) {
	slots := len(o.Keys) / 32
	points, err := threshold.ParsePoints(o.Keys, slots)
	if err != nil {
		return nil, err
	}
	key := &threshold.OrganisationKey{Organisation: o.Organisation, Quorum: int(o.Quorum), Keys: points}
	for i := range o.Trustees {
		t := &o.Trustees[i]
		points, err := threshold.ParsePoints(t.Keys, slots)
		if err != nil {
			return nil, err
		}
		key.Trustees = append(key.Trustees, threshold.TrusteeKeys{Index: t.Index, Keys: points})
	}
	return key, nil
}

// trusteeKeys returns P_{o,i,j} of one trustee for some slots, or a refusal where it has no share of the key.
func (r *reading) trusteeKeys(id, organisation string, index uint32, first, count, slots int) ([]*curve.RistrettoPoint, error) {
	record, err := state.MustLoad[pb.ElectionKeys](r, state.KeysKey(id))
	if err != nil {
		return nil, err
	}
	for i := range record.Organisations {
		o := &record.Organisations[i]
		for j := range o.Trustees {
			t := &o.Trustees[j]
			if o.Organisation != organisation || t.Index != index {
				continue
			}
			if len(t.Keys) != 32*slots {
				return nil, fmt.Errorf("%w: keys of trustee %d of %q", state.ErrCorrupted, index, organisation)
			}
			points, err := threshold.ParsePoints(t.Keys[32*first:32*(first+count)], count)
			if err != nil {
				return nil, fmt.Errorf("%w: keys of trustee %d of %q: %w", state.ErrCorrupted, index, organisation, err)
			}
			return points, nil
		}
	}
	return nil, tx.Refuse(tx.CodeTrusteeEjected, "trustee %d of %q has no share of this key", index, organisation)
}
