package app

import (
	"bytes"
	"slices"

	"votenode/app/organisation"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// beginEpoch makes the announced validator set the present one at its first height, and retires the keys that left.
func (x *execution) beginEpoch() error {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](x.View, state.KeyValidators)
	if err != nil || epochs.Next.Number == 0 || x.height != epochs.Next.FirstHeight {
		return err
	}
	for _, v := range epochs.Present.Validators {
		if findValidator(epochs.Next.Validators, v.Key) != nil {
			continue
		}
		x.save(state.ValidatorKey(v.Key), &pb.ValidatorKey{Organisation: v.Organisation, Retired: true})
	}
	x.save(state.KeyValidators, &pb.ValidatorEpochs{Present: epochs.Next})
	return nil
}

// endEpoch hands the announced set to consensus two heights before it signs. Spec 9.4.
func (x *execution) endEpoch() error {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](x.View, state.KeyValidators)
	if err != nil || epochs.Next.Number == 0 || x.height != epochs.Next.FirstHeight-2 {
		return err
	}
	x.outcome.ValidatorUpdates = validatorUpdates(epochs.Present.Validators, epochs.Next.Validators)
	return nil
}

// validatorUpdates is the difference of two sets, sorted by key.
func validatorUpdates(from, to []pb.Validator) []ValidatorUpdate {
	var updates []ValidatorUpdate
	for _, v := range from {
		if findValidator(to, v.Key) == nil {
			updates = append(updates, ValidatorUpdate{Key: [32]byte(v.Key)})
		}
	}
	for _, v := range to {
		if old := findValidator(from, v.Key); old == nil || old.Power != v.Power {
			updates = append(updates, ValidatorUpdate{Key: [32]byte(v.Key), Power: v.Power})
		}
	}
	slices.SortFunc(updates, func(a, b ValidatorUpdate) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return updates
}

// findValidator returns the validator with a key in a list sorted by key, nil where there is none.
func findValidator(list []pb.Validator, key []byte) *pb.Validator {
	i, ok := slices.BinarySearchFunc(list, key, func(v pb.Validator, k []byte) int { return bytes.Compare(v.Key, k) })
	if !ok {
		return nil
	}
	return &list[i]
}

// lastCommitCertifies says whether more than `certify` of the power of every organisation signed the block before. It is false
// while that block was signed by the set of an earlier epoch.
func (x *execution) lastCommitCertifies() (bool, error) {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](x.View, state.KeyValidators)
	if err != nil || x.height <= epochs.Present.FirstHeight {
		return false, err
	}
	signed := make(map[[20]byte]bool, len(x.block.LastCommit))
	for _, v := range x.block.LastCommit {
		signed[v.Address] = v.Signed
	}
	total, present := map[string]int64{}, map[string]int64{}
	for _, v := range epochs.Present.Validators {
		total[v.Organisation] += v.Power
		if signed[organisation.ConsensusAddress(v.Key)] {
			present[v.Organisation] += v.Power
		}
	}
	for id, power := range total { // every organisation must pass: the order does not matter
		if !organisation.Exceeds(present[id], power, x.parameters.Certify) {
			return false, nil
		}
	}
	return true, nil
}

// recordMisbehaviour keeps the evidence that the block carries.
func (x *execution) recordMisbehaviour() {
	for _, m := range x.block.Misbehaviour {
		record := &pb.Misbehaviour{Type: m.Type, Time: m.Time, Reported: x.height}
		x.save(state.MisbehaviourKey(m.Height, m.Address[:]), record)
	}
}
