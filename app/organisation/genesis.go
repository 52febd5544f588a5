package organisation

import (
	"bytes"
	"fmt"
	"slices"

	"votenode/app/text"
	pb "votenode/proto/votenode/v1"
)

// MaxTime bounds the genesis time, unix seconds (the year 2106), so that nanoseconds fit 64 bits for centuries of blocks.
const MaxTime = 1 << 32

// FirstEpochNumber and FirstHeight are those of the epoch that the genesis document opens. Spec 6.4.
const (
	FirstEpochNumber = 1
	FirstHeight      = 1
)

// CheckGenesis checks every rule that a genesis document has to keep, the power cap included. Spec 1.7.
func CheckGenesis(doc *pb.Genesis) error {
	if err := text.CheckID(doc.ChainId, MaxChainID); err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	if doc.Time < 1 || doc.Time >= MaxTime {
		return fmt.Errorf("time is %d; give unix seconds from 1 to %d", doc.Time, MaxTime-1)
	}
	organisations := Organisations(doc)
	if err := CheckOrganisations(organisations); err != nil {
		return err
	}
	if err := CheckParameters(&doc.Parameters, len(organisations)); err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	ids := make([]string, len(organisations))
	for i, g := range doc.Organisations {
		ids[i] = g.Organisation.Id
		if g.Organisation.Term != 0 {
			return fmt.Errorf("organisation %s: term is %d; a ledger begins with 0", ids[i], g.Organisation.Term)
		}
		for j, v := range g.Validators {
			if v.Organisation != ids[i] {
				return fmt.Errorf("organisation %s lists a validator of %q; move it", ids[i], v.Organisation)
			}
			if j > 0 && bytes.Compare(g.Validators[j-1].Key, v.Key) >= 0 {
				return fmt.Errorf("organisation %s: validators are not strictly ascending by key; sort them", ids[i])
			}
		}
	}
	validators := FirstEpoch(doc).Validators
	if err := CheckValidators(validators, ids); err != nil {
		return err
	}
	if err := CheckKeysOnce(organisations, validators); err != nil {
		return err
	}
	return CapFault(&doc.Parameters, validators)
}

// Organisations returns the organisations of a document in its order, without their validators.
func Organisations(doc *pb.Genesis) []pb.Organisation {
	list := make([]pb.Organisation, len(doc.Organisations))
	for i, g := range doc.Organisations {
		list[i] = g.Organisation
	}
	return list
}

// FirstEpoch returns the first epoch of the record `validators`: all validators of the document, sorted by key.
func FirstEpoch(doc *pb.Genesis) *pb.ValidatorEpoch {
	epoch := &pb.ValidatorEpoch{Number: FirstEpochNumber, FirstHeight: FirstHeight}
	for _, g := range doc.Organisations {
		epoch.Validators = append(epoch.Validators, g.Validators...)
	}
	slices.SortFunc(epoch.Validators, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
	return epoch
}
