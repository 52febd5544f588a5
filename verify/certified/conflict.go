package certified

import (
	"bytes"
	"errors"

	pb "votenode/proto/votenode/v1"
)

// ErrNoConflict says that two certificates do not contradict each other, or are of different heights or sets.
var ErrNoConflict = errors.New("the certificates do not contradict each other")

// Conflict names the validators that signed both of two certificates of one height that attest different blocks or different
// states, sorted by key. An honest validator signs children of one block only, and where both are certified the named ones
// hold more than 2*certify - 1 of the power of every organisation. It fails with ErrNoConflict. Spec 6.7.
func Conflict(a, b *State) ([]pb.Validator, error) {
	if a.chainID != b.chainID || !bytes.Equal(a.set.bytes(), b.set.bytes()) || a.Height != b.Height || difference(a.Child, b.Child) == "" {
		return nil, ErrNoConflict
	}
	var both []pb.Validator
	for i, v := range a.set.epoch.Validators {
		if a.signers[i] && b.signers[i] {
			both = append(both, v)
		}
	}
	return both, nil
}
