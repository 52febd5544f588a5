package app

import (
	"bytes"
	"slices"

	"votenode/app/organisation"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

const (
	// signingWindow is the number of heights of one Signing, one bit each.
	signingWindow = 64
	// signingWindows is how many windows the ledger keeps: those of 131,072 heights.
	signingWindows = 2_048
)

func windowOf(height int64) int64 { return height / signingWindow }

// oldestWindow is the first window that the ledger keeps after this block, which tells who signed the height before it.
func (r *reading) oldestWindow() int64 { return max(0, windowOf(r.height-1)-signingWindows+1) }

// recordSigning notes who did not sign the block before, and how long this one took to come. Validators that sign cost nothing. It comes
// before a new epoch begins: the present set is that of the block before. Spec 18.5.
func (x *execution) recordSigning() error {
	window := windowOf(x.height - 1)
	record, err := state.Load[pb.Signing](x.View, state.SigningKey(window))
	if err != nil {
		return err
	}
	before := record
	if record == nil {
		record = new(pb.Signing)
		if before, err = state.Load[pb.Signing](x.View, state.SigningKey(window-1)); err != nil {
			return err
		}
		if kept := x.oldestWindow(); kept > 0 {
			x.DeleteRecord(state.SigningKey(kept - 1))
		}
	}
	if before != nil { // not the first block
		if gap := x.now - before.Time; gap > record.LongestGap {
			record.LongestGap, record.GapHeight = gap, x.height
		}
		if err := x.noteMissed(record); err != nil {
			return err
		}
	}
	record.Time = x.now
	x.save(state.SigningKey(window), record)
	return nil
}

// noteMissed marks the validators whose precommits are missing in the last commit.
func (x *execution) noteMissed(record *pb.Signing) error {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](x.View, state.KeyValidators)
	if err != nil {
		return err
	}
	signed := make(map[[20]byte]bool, len(x.block.LastCommit))
	for _, v := range x.block.LastCommit {
		signed[v.Address] = v.Signed
	}
	bit := uint64(1) << ((x.height - 1) % signingWindow)
	for i := range epochs.Present.Validators {
		key := epochs.Present.Validators[i].Key
		if signed[organisation.ConsensusAddress(key)] {
			continue
		}
		at, found := slices.BinarySearchFunc(record.Missed, key, func(m pb.MissedHeights, key []byte) int { return bytes.Compare(m.Key, key) })
		if !found {
			record.Missed = slices.Insert(record.Missed, at, pb.MissedHeights{Key: key})
		}
		record.Missed[at].Heights |= bit
	}
	return nil
}
