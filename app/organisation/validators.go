package organisation

import (
	"bytes"
	"fmt"
	"slices"

	"votenode/app/text"
	pb "votenode/proto/votenode/v1"
)

// MaxPower is the greatest voting power of one validator. With MaxValidators it keeps every product of the rules below 2^48.
const MaxPower = 1_000_000

// CheckValidators checks a whole validator set against the ids of the ledger's organisations: strictly ascending by key;
// keys and slip keys canonical, not of small order and all different; node ids all different; power 1 to MaxPower; every
// validator of a known organisation and every organisation with at least one. Spec 1.4.
func CheckValidators(validators []pb.Validator, organisations []string) error {
	if len(validators) > MaxValidators {
		return fmt.Errorf("%d validators are too many; name at most %d", len(validators), MaxValidators)
	}
	var last []byte
	has, nodes := map[string]bool{}, map[string]bool{}
	for i := range validators {
		v := &validators[i]
		if err := CheckValidator(v); err != nil {
			return err
		}
		if last != nil && bytes.Compare(last, v.Key) >= 0 {
			return fmt.Errorf("validator %s: the list is not strictly ascending by key; sort it and leave out repetitions", v.Name)
		}
		if nodes[string(v.NodeId)] {
			return fmt.Errorf("validator %s: node id %x stands twice; every node has its own p2p key", v.Name, v.NodeId)
		}
		if !slices.Contains(organisations, v.Organisation) {
			return fmt.Errorf("validator %s: there is no organisation %q; name one of the ledger", v.Name, v.Organisation)
		}
		last, nodes[string(v.NodeId)], has[v.Organisation] = v.Key, true, true
	}
	for _, id := range organisations {
		if !has[id] {
			return fmt.Errorf("organisation %s has no validator; leave it at least one", id)
		}
	}
	return CheckKeysOnce(nil, validators)
}

// CheckValidator checks one validator for itself. Spec 1.4.
func CheckValidator(v *pb.Validator) error {
	if err := text.Check(v.Name, MaxName); err != nil {
		return fmt.Errorf("validator: name: %w", err)
	}
	if err := text.CheckID(v.Organisation, MaxOrganisationID); err != nil {
		return fmt.Errorf("validator %s: organisation: %w", v.Name, err)
	}
	if err := CheckKey(v.Key); err != nil {
		return fmt.Errorf("validator %s: consensus key: %w", v.Name, err)
	}
	if err := CheckKey(v.SlipKey); err != nil {
		return fmt.Errorf("validator %s: slip key: %w", v.Name, err)
	}
	if bytes.Equal(v.Key, v.SlipKey) {
		return fmt.Errorf("validator %s: consensus key and slip key are the same; make a key for slips", v.Name)
	}
	if v.Power < 1 || v.Power > MaxPower {
		return fmt.Errorf("validator %s: power %d; choose 1 to %d", v.Name, v.Power, MaxPower)
	}
	if len(v.NodeId) != NodeIDSize {
		return fmt.Errorf("validator %s: the node id has %d bytes instead of %d", v.Name, len(v.NodeId), NodeIDSize)
	}
	if err := CheckAddress(v.Address); err != nil {
		return fmt.Errorf("validator %s: %w", v.Name, err)
	}
	return nil
}

// Power returns the voting power of one organisation in a checked set, and that of all.
func Power(validators []pb.Validator, organisation string) (own, all int64) {
	for _, v := range validators {
		all += v.Power
		if v.Organisation == organisation {
			own += v.Power
		}
	}
	return own, all
}

// CapFault says which organisation would hold more voting power than the parameters allow, nil if none does. Parameters and
// set must have been checked. The arithmetic is exact. Spec 1.6.
func CapFault(p *pb.Parameters, validators []pb.Validator) error {
	for _, v := range validators {
		own, all := Power(validators, v.Organisation)
		// fault: own/all > cap, or own/all >= cap where the cap is exclusive
		sign := own*int64(p.PowerCap.Denominator) - all*int64(p.PowerCap.Numerator)
		if sign > 0 || sign == 0 && p.PowerCapExclusive {
			bound := "at most"
			if p.PowerCapExclusive {
				bound = "less than"
			}
			return fmt.Errorf("organisation %s would hold %d of %d of the voting power; it may hold %s %d/%d: lower its powers or raise the others'",
				v.Organisation, own, all, bound, p.PowerCap.Numerator, p.PowerCap.Denominator)
		}
	}
	return nil
}

// Exceeds says whether part is more than the fraction f of whole: part/whole > f, without rounding. Part and whole are
// powers of a checked set, f a fraction of checked parameters.
func Exceeds(part, whole int64, f pb.Fraction) bool {
	return part*int64(f.Denominator) > whole*int64(f.Numerator)
}
