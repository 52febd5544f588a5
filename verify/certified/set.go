package certified

import (
	"bytes"
	"slices"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

const signatureSize = ed25519.SignatureSize

// Set is the validator set of one epoch, with organisations. It is immutable.
type Set struct {
	epoch    *pb.ValidatorEpoch
	position map[[organisation.AddressSize]byte]int // by address, in epoch.Validators
	power    map[string]int64                       // by organisation
	total    int64
	hash     []byte // ValidatorsHash of the headers of the epoch
}

// Epoch returns the number of the epoch: 1 is that of the genesis document.
func (s *Set) Epoch() uint64 { return s.epoch.Number }

// FirstHeight returns the height of the first block whose precommits are the set's.
func (s *Set) FirstHeight() int64 { return s.epoch.FirstHeight }

// Validators returns the validators, sorted by key. The list must not be changed.
func (s *Set) Validators() []pb.Validator { return s.epoch.Validators }

// newSet takes an epoch whose list has been checked.
func newSet(epoch *pb.ValidatorEpoch) *Set {
	s := &Set{epoch: epoch, position: map[[organisation.AddressSize]byte]int{}, power: map[string]int64{}}
	list := make([]*cmttypes.Validator, len(epoch.Validators))
	for i, v := range epoch.Validators {
		s.position[organisation.ConsensusAddress(v.Key)] = i
		s.power[v.Organisation] += v.Power
		s.total += v.Power
		list[i] = cmttypes.NewValidator(ed25519.PubKey(v.Key), v.Power)
	}
	s.hash = cmttypes.NewValidatorSet(list).Hash()
	return s
}

// same says whether two sets have the same keys with the same powers in the same organisations. The argument of spec 6.7 needs
// no more: the sets may begin at other heights, as they do where two branches announced them at different ones.
func (s *Set) same(other *Set) bool {
	return slices.EqualFunc(s.epoch.Validators, other.epoch.Validators, func(a, b pb.Validator) bool {
		return bytes.Equal(a.Key, b.Key) && a.Power == b.Power && a.Organisation == b.Organisation
	})
}

// bytes returns the canonical encoding of the epoch, for comparison with the record.
func (s *Set) bytes() []byte { return election.Encode(s.epoch) }
