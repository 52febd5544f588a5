package certified

import (
	"bytes"
	"errors"
	"fmt"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// ErrEpoch says that a state does not announce a next validator set, or one that breaks a rule.
var ErrEpoch = errors.New("no valid next epoch")

// Advance verifies that a certified state of the newest known epoch announces the next one, and returns the trust that
// knows it too. It fails with the errors of Verify, with state.ErrProof where the record is not shown under the AppHash, and
// with ErrEpoch. Spec 6.5.
func (t *Trust) Advance(p *pb.EpochProof) (*Trust, error) {
	certified, err := t.Verify(p.GetState())
	if err != nil {
		return nil, err
	}
	present := t.Newest()
	if certified.set != present {
		return nil, fmt.Errorf("%w: block %d is of epoch %d, the newest known one is %d", ErrEpoch, certified.Height, certified.Epoch, present.Epoch())
	}
	value, err := state.VerifyRecord(certified.AppHash, state.KeyValidators, p.Validators)
	if err != nil {
		return nil, err
	}
	var record pb.ValidatorEpochs
	if err := election.Decode(value, &record); err != nil {
		return nil, fmt.Errorf("%w: the record of validators: %w", ErrEpoch, err)
	}
	if !bytes.Equal(election.Encode(&record.Present), present.bytes()) {
		return nil, fmt.Errorf("%w: the record of block %d has another present epoch than the known %d", ErrEpoch, certified.Height, present.Epoch())
	}
	if err := t.checkNext(present, &record.Next, certified.Height); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEpoch, err)
	}
	return t.with(newSet(&record.Next)), nil
}

// checkNext checks an announced epoch. Its first height lies behind the child that attests the announcement, and further
// behind the first height of the present epoch than the handover: no announcement is made before an epoch has begun.
func (t *Trust) checkNext(present *Set, next *pb.ValidatorEpoch, height int64) error {
	switch {
	case next.Number == 0:
		return fmt.Errorf("block %d announces none", height)
	case next.Number != present.Epoch()+1:
		return fmt.Errorf("epoch %d is announced after %d", next.Number, present.Epoch())
	case next.FirstHeight <= height+1:
		return fmt.Errorf("epoch %d begins at height %d, before the block after the announcement's, %d, was signed", next.Number, next.FirstHeight, height+1)
	case next.FirstHeight-present.FirstHeight() <= int64(t.handover):
		return fmt.Errorf("epoch %d begins at height %d, within the handover of %d heights", next.Number, next.FirstHeight, t.handover)
	}
	if err := organisation.CheckValidators(next.Validators, t.organisations); err != nil {
		return err
	}
	for _, v := range next.Validators {
		owner, seen := t.owner[string(v.Key)]
		if seen && owner != v.Organisation {
			return fmt.Errorf("key %x goes from %s to %s", v.Key, owner, v.Organisation)
		}
		if _, stays := present.position[organisation.ConsensusAddress(v.Key)]; seen && !stays {
			return fmt.Errorf("key %x of %s comes back after it was retired", v.Key, v.Organisation)
		}
	}
	for _, id := range t.organisations {
		if own, all := organisation.Power(next.Validators, id); 3*own >= 2*all {
			return fmt.Errorf("%s would hold %d of %d of the power, two thirds or more", id, own, all)
		}
	}
	return nil
}

// Follow advances through the proofs of all epochs after the first, in order, as a node hands them out; those of epochs
// that are known already are passed over unread. It fails as Advance does, and names the epoch.
func (t *Trust) Follow(proofs []*pb.EpochProof) (*Trust, error) {
	for i, p := range proofs {
		number := organisation.FirstEpochNumber + 1 + uint64(i)
		if number <= t.Newest().Epoch() {
			continue
		}
		next, err := t.Advance(p)
		if err != nil {
			return nil, fmt.Errorf("epoch %d: %w", number, err)
		}
		t = next
	}
	return t, nil
}
