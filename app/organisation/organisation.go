package organisation

import (
	"bytes"
	"fmt"

	"votenode/app/text"
	pb "votenode/proto/votenode/v1"
)

// How many there may be. Spec 1.3 and 1.4.
const (
	MinOrganisations = 2
	MaxOrganisations = 32
	MaxMembers       = 64 // officers of an organisation, and registrars
	MaxValidators    = 200
)

// CheckOrganisation checks one organisation for itself: id, title, quorum, officers and registrars, each list sorted by key
// without repetition, no key in both. Spec 1.3.
func CheckOrganisation(o *pb.Organisation) error {
	if err := text.CheckID(o.Id, MaxOrganisationID); err != nil {
		return fmt.Errorf("organisation: %w", err)
	}
	if err := checkOrganisation(o); err != nil {
		return fmt.Errorf("organisation %s: %w", o.Id, err)
	}
	return nil
}

func checkOrganisation(o *pb.Organisation) error {
	if err := text.Check(o.Title, MaxTitle); err != nil {
		return fmt.Errorf("title: %w", err)
	}
	if len(o.Officers) == 0 {
		return fmt.Errorf("it has no officer; name at least one")
	}
	if o.OfficerQuorum == 0 || uint64(o.OfficerQuorum) > uint64(len(o.Officers)) {
		return fmt.Errorf("officer_quorum is %d; choose 1 to %d, its number of officers", o.OfficerQuorum, len(o.Officers))
	}
	if err := checkMembers(o.Officers); err != nil {
		return fmt.Errorf("officers: %w", err)
	}
	if err := checkMembers(o.Registrars); err != nil {
		return fmt.Errorf("registrars: %w", err)
	}
	return CheckKeysOnce([]pb.Organisation{*o}, nil)
}

func checkMembers(members []pb.Member) error {
	if len(members) > MaxMembers {
		return fmt.Errorf("%d are too many; name at most %d", len(members), MaxMembers)
	}
	var last []byte
	for i := range members {
		m := &members[i]
		if err := CheckMember(m); err != nil {
			return err
		}
		if last != nil && bytes.Compare(last, m.Key) >= 0 {
			return fmt.Errorf("%s: the list is not strictly ascending by key; sort it and leave out repetitions", m.Name)
		}
		last = m.Key
	}
	return nil
}

// CheckMember checks the name and the key of an officer or registrar. Spec 1.3.
func CheckMember(m *pb.Member) error {
	if err := text.Check(m.Name, MaxName); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	if err := CheckKey(m.Key); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	return nil
}

// CheckOrganisations checks all organisations of a ledger together: each for itself, at least two, strictly ascending by
// id, and no key twice. The state machine asks it with an organisation exchanged. Spec 1.3.
func CheckOrganisations(organisations []pb.Organisation) error {
	if n := len(organisations); n < MinOrganisations || n > MaxOrganisations {
		return fmt.Errorf("there are %d organisations; a ledger has %d to %d", n, MinOrganisations, MaxOrganisations)
	}
	for i := range organisations {
		o := &organisations[i]
		if err := CheckOrganisation(o); err != nil {
			return err
		}
		if i > 0 && organisations[i-1].Id >= o.Id {
			return fmt.Errorf("organisation %s: the list is not strictly ascending by id; sort it and leave out repetitions", o.Id)
		}
	}
	return CheckKeysOnce(organisations, nil)
}

// CheckKeysOnce says that one key has one use: officers, registrars, consensus keys and slip keys of all organisations are
// pairwise different. Spec 1.2.
func CheckKeysOnce(organisations []pb.Organisation, validators []pb.Validator) error {
	seen := map[string]string{}
	once := func(key []byte, use string) error {
		if before, twice := seen[string(key)]; twice {
			return fmt.Errorf("key %x is %s and %s; give each its own key", key, before, use)
		}
		seen[string(key)] = use
		return nil
	}
	for _, o := range organisations {
		for _, m := range o.Officers {
			if err := once(m.Key, "officer "+m.Name+" of "+o.Id); err != nil {
				return err
			}
		}
		for _, m := range o.Registrars {
			if err := once(m.Key, "registrar "+m.Name+" of "+o.Id); err != nil {
				return err
			}
		}
	}
	for _, v := range validators {
		if err := once(v.Key, "the consensus key of validator "+v.Name); err != nil {
			return err
		}
		if err := once(v.SlipKey, "the slip key of validator "+v.Name); err != nil {
			return err
		}
	}
	return nil
}
