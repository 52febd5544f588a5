package certified

import (
	"errors"
	"fmt"
	"strings"

	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

// ErrNoConflict says that two states do not contradict each other, or cannot be compared: they are of different ledgers,
// heights or validator sets. The text says which.
var ErrNoConflict = errors.New("the states show no conflict")

// ErrSets says that two states contradict each other and are signed by different validator sets: nobody need have signed both, so
// nobody can be named. It is an ErrNoConflict. Spec 6.7.
var ErrSets = fmt.Errorf("%w that names anybody: they are signed by different validator sets", ErrNoConflict)

// Fork tells who signed two states of one ledger that cannot both be honest. Spec 6.7. It is not changed after it was made,
// and must not be.
type Fork struct {
	// A and B are the two sides, in the order in which they were given. Each says for itself whether it is Certified or
	// Committed, and which power Signed it. A side that nobody signed is anybody's invention.
	A, B *State
	// Fields names the attested fields of spec 6.1 in which the two differ, at least one, in the order of the header.
	Fields []string
	// Organisations tells the power that signed both sides, by organisation, sorted by id.
	Organisations []SignedBoth
	// Bound is 2*certify - 1: the part of an organisation's power of which more must have signed both sides where both are certified.
	Bound pb.Fraction
	// Both are the validators that signed both sides, with organisation, name, key and power, sorted by key: none of them is
	// honest, whatever else is signed. It is empty where nobody signed both.
	Both []pb.Validator
}

// SignedBoth is the part of one organisation in a fork.
type SignedBoth struct {
	Organisation string
	// Power is that of the validators that signed both sides; Total that of all of the organisation in the set.
	Power, Total int64
	// Enough says that Power is more than Bound of Total: a third for a certify of 2/3. It holds for every organisation where both
	// sides are certified.
	Enough bool
}

// FindFork compares two states of the same height, verified or inspected with the trust in one genesis document, and names the
// validators that signed both. An honest validator signs children of one block only, with the one state after it; so the named
// ones are not honest, and where both sides are certified they hold more than 2*certify - 1 of the power of every organisation.
// It fails with ErrNoConflict, and with ErrSets among these. Spec 6.7.
func FindFork(a, b *State) (*Fork, error) {
	if a.Height != b.Height {
		return nil, fmt.Errorf("%w: they are of the heights %d and %d", ErrNoConflict, a.Height, b.Height)
	}
	return newFork(a, b, differences(a.Child, b.Child))
}

// FindForkBelow does what FindFork does for a state and a later one of the same validator set: the proof and the header show, under the
// later state, the block after the earlier state's own, and the header attests otherwise than the earlier state. It fails with
// the errors of EarlierHeader, with ErrMismatch where another block is shown, or with ErrNoConflict, ErrSets among these. Spec 6.7.
func FindForkBelow(earlier, later *State, p *pb.BlockProof, header []byte) (*Fork, error) {
	shown, err := later.EarlierHeader(p, header)
	if err != nil {
		return nil, err
	}
	if shown.Height != earlier.Height+1 {
		return nil, fmt.Errorf("%w: block %d is shown, not %d", ErrMismatch, shown.Height, earlier.Height+1)
	}
	return newFork(earlier, later, differences(earlier.Child, shown))
}

// newFork intersects the signers of two states of one set.
func newFork(a, b *State, fields []string) (*Fork, error) {
	switch {
	case a.trust.genesisHash != b.trust.genesisHash:
		return nil, fmt.Errorf("%w: they are of different ledgers", ErrNoConflict)
	case len(fields) == 0:
		return nil, fmt.Errorf("%w: they attest the same", ErrNoConflict)
	case !a.set.same(b.set):
		return nil, fmt.Errorf("%w, of the epochs %d and %d, and differ in %s; compare states of one set", ErrSets, a.Epoch, b.Epoch, strings.Join(fields, ", "))
	}
	certify := a.trust.certify
	f := &Fork{
		A: a, B: b, Fields: fields,
		Bound: pb.Fraction{Numerator: 2*certify.Numerator - certify.Denominator, Denominator: certify.Denominator},
	}
	power := map[string]int64{}
	for i, v := range a.set.epoch.Validators {
		if a.signers[i] && b.signers[i] {
			f.Both = append(f.Both, v)
			power[v.Organisation] += v.Power
		}
	}
	for _, part := range a.Signed {
		both := SignedBoth{Organisation: part.Organisation, Power: power[part.Organisation], Total: part.Total}
		both.Enough = organisation.Exceeds(both.Power, both.Total, f.Bound)
		f.Organisations = append(f.Organisations, both)
	}
	return f, nil
}
