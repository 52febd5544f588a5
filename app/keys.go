package app

import (
	"fmt"

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

// keyRow returns the row of P_{o,i,j} of one trustee, of a known length, or a refusal where it has no share of the key.
func (r *reading) keyRow(id, organisation string, index uint32, length int) ([]byte, error) {
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
			if len(t.Keys) != length {
				return nil, fmt.Errorf("%w: keys of trustee %d of %q", state.ErrCorrupted, index, organisation)
			}
			return t.Keys, nil
		}
	}
	return nil, tx.Refuse(tx.CodeTrusteeEjected, "trustee %d of %q has no share of this key", index, organisation)
}
