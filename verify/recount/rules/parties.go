package rules

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	pb "votenode/proto/votenode/v1"
)

// Member checks name and key of an officer, registrar or trustee. Spec 1.2 and 1.3.
func Member(m *pb.Member) error {
	if !IsText(m.Name, 80) || !isKey(m.Key) {
		return fmt.Errorf("member %q: name or key", m.Name)
	}
	return nil
}

// Candidacy says whether key, name and who puts the candidate forward are as spec 16.2 has them.
func Candidacy(a *pb.Application) bool {
	return isKey(a.Key) && IsText(a.Name, 200) && (a.PutForwardBy == "" || IsText(a.PutForwardBy, 200))
}

// Organisation checks an organisation by itself. Spec 1.3.
func Organisation(o *pb.Organisation) error {
	switch {
	case !isID(o.Id, 32) || !IsText(o.Title, 200):
		return fmt.Errorf("organisation %q: id or title", o.Id)
	case len(o.Officers) < 1 || len(o.Officers) > 64 || len(o.Registrars) > 64:
		return fmt.Errorf("organisation %q: %d officers, %d registrars", o.Id, len(o.Officers), len(o.Registrars))
	case o.OfficerQuorum < 1 || uint64(o.OfficerQuorum) > uint64(len(o.Officers)):
		return fmt.Errorf("organisation %q: quorum %d", o.Id, o.OfficerQuorum)
	}
	for _, list := range [][]pb.Member{o.Officers, o.Registrars} {
		for i := range list {
			if err := Member(&list[i]); err != nil {
				return err
			}
			if i > 0 && bytes.Compare(list[i-1].Key, list[i].Key) >= 0 {
				return fmt.Errorf("organisation %q: members are out of order", o.Id)
			}
		}
	}
	return nil
}

// Validators checks a validator set of a ledger with these organisations. Spec 1.4.
func Validators(list []pb.Validator, organisations []pb.Organisation) error {
	if len(list) < 1 || len(list) > 200 {
		return fmt.Errorf("%d validators", len(list))
	}
	seen := map[string]bool{}
	for i := range list {
		v := &list[i]
		if err := validator(v, organisations); err != nil {
			return fmt.Errorf("validator %q: %w", v.Name, err)
		}
		if i > 0 && bytes.Compare(list[i-1].Key, v.Key) >= 0 {
			return fmt.Errorf("validator %q is out of order", v.Name)
		}
		for _, id := range [][]byte{v.Key, v.SlipKey, v.NodeId} { // node ids have another length, so one map serves
			if seen[string(id)] {
				return fmt.Errorf("validator %q: %x stands twice", v.Name, id)
			}
			seen[string(id)] = true
		}
	}
	if Deserted(list, organisations) {
		return fmt.Errorf("an organisation has no validator")
	}
	return nil
}

func validator(v *pb.Validator, organisations []pb.Organisation) error {
	switch {
	case !slices.ContainsFunc(organisations, func(o pb.Organisation) bool { return o.Id == v.Organisation }):
		return fmt.Errorf("there is no organisation %q", v.Organisation)
	case !IsText(v.Name, 80):
		return fmt.Errorf("name")
	case !isKey(v.Key) || !isKey(v.SlipKey):
		return fmt.Errorf("keys")
	case v.Power < 1 || v.Power > 1_000_000:
		return fmt.Errorf("power %d", v.Power)
	case len(v.NodeId) != 20 || !isAddress(v.Address):
		return fmt.Errorf("node id or address")
	}
	return nil
}

// Deserted says whether some organisation has no validator in a list.
func Deserted(list []pb.Validator, organisations []pb.Organisation) bool {
	return slices.ContainsFunc(organisations, func(o pb.Organisation) bool {
		return !slices.ContainsFunc(list, func(v pb.Validator) bool { return v.Organisation == o.Id })
	})
}

// OneUse says whether the keys of officers, registrars and validators are pairwise different. Spec 1.2.
func OneUse(organisations []pb.Organisation, validators []pb.Validator) error {
	seen := map[string]bool{}
	take := func(key []byte) error {
		if seen[string(key)] {
			return fmt.Errorf("the key %x has two uses", key)
		}
		seen[string(key)] = true
		return nil
	}
	for i := range organisations {
		for _, m := range slices.Concat(organisations[i].Officers, organisations[i].Registrars) {
			if err := take(m.Key); err != nil {
				return err
			}
		}
	}
	for i := range validators {
		for _, key := range [][]byte{validators[i].Key, validators[i].SlipKey} {
			if err := take(key); err != nil {
				return err
			}
		}
	}
	return nil
}

// Cap checks that no organisation holds more than power_cap: p d <= P n, or < where the cap is exclusive. Spec 1.6.
func Cap(p *pb.Parameters, list []pb.Validator, organisations []pb.Organisation) error {
	for i := range organisations {
		own, all := int64(0), int64(0)
		for at := range list {
			all += list[at].Power
			if list[at].Organisation == organisations[i].Id {
				own += list[at].Power
			}
		}
		left, right := own*int64(p.PowerCap.Denominator), all*int64(p.PowerCap.Numerator)
		if left > right || p.PowerCapExclusive && left == right {
			return fmt.Errorf("organisation %q has %d of %d", organisations[i].Id, own, all)
		}
	}
	return nil
}

// Signed says whether the signers, by address, hold more than certify of the power of every organisation in a list:
// p d > P n. Spec 6.1 and 9.3.
func Signed(certify pb.Fraction, list []pb.Validator, organisations []pb.Organisation, signers map[[20]byte]bool) bool {
	for i := range organisations {
		own, all := int64(0), int64(0)
		for at := range list {
			if list[at].Organisation != organisations[i].Id {
				continue
			}
			all += list[at].Power
			if signers[Address(list[at].Key)] {
				own += list[at].Power
			}
		}
		if own*int64(certify.Denominator) <= all*int64(certify.Numerator) {
			return false
		}
	}
	return true
}

// Address returns the address of a consensus key: the first 20 bytes of its SHA-256. Spec 1.4.
func Address(key []byte) [20]byte {
	hash := sha256.Sum256(key)
	return [20]byte(hash[:20])
}
