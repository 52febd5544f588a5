package app

import (
	"bytes"
	"fmt"
	"slices"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// endBlock does what a block does after its transactions, in this order: resolutions take effect, ceremonies, trials and
// decryptions go on, what has become ready is, the announced validator set is handed over, sums are encoded, and the
// blocks log gets its leaf. Spec 9.1.
func (x *execution) endBlock() error {
	if err := x.decideResolutions(); err != nil {
		return err
	}
	err := x.eachElection(func(id string, e *pb.Election) error {
		for _, advance := range []func(string, *pb.Election) error{
			x.advanceCeremonies, x.advanceTrial, x.moveWhenReady, x.advanceDecryption,
		} {
			if err := advance(id, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := x.endEpoch(); err != nil {
		return err
	}
	x.sums.write(x.Writer)
	return x.appendBlock()
}

// decideResolutions lets completely approved resolutions take effect in the order in which they were completed. One that its
// rule refuses now is closed with the code; a change of validators waits for a block whose last commit certifies. Spec 9.3.
func (x *execution) decideResolutions() error {
	pending, err := state.MustLoad[pb.PendingResolutions](x, state.KeyPending)
	if err != nil || len(pending.Hashes) == 0 {
		return err
	}
	for _, hash := range pending.Hashes {
		if err := x.decideResolution(hash); err != nil {
			return err
		}
	}
	return nil
}

func (x *execution) decideResolution(hash []byte) error {
	record, err := x.openResolution(hash)
	refusal, err := refusalOf(err)
	if err != nil {
		return err
	}
	if refusal != nil { // expired while it waited
		return x.dropPending(hash)
	}
	// An officer may have lost the office since: approvals count as they stand now.
	complete, err := x.approved(record)
	if err != nil || !complete {
		return err
	}
	d, _, err := decisionOf(&record.Resolution)
	if err != nil {
		return fmt.Errorf("%w: resolution %x: %v", state.ErrCorrupted, hash, err)
	}
	if _, ok := d.(changeValidators); ok {
		if certified, err := x.lastCommitCertifies(); err != nil || !certified {
			return err
		}
	}
	refusal, err = refusalOf(d.check(&x.reading))
	if err != nil {
		return err
	}
	record.Decided, record.Status = x.height, pb.RESOLUTION_EFFECTIVE
	if refusal != nil {
		record.Status, record.Code = pb.RESOLUTION_REFUSED, uint32(refusal.Code)
	} else if err := d.apply(&x.writing); err != nil {
		return fmt.Errorf("resolution %x: %w", hash, err)
	}
	if p, ok := d.(changeParameters); ok && refusal == nil {
		x.parameters = &p.Parameters
		x.outcome.Parameters = &p.Parameters
	}
	x.save(state.ResolutionKey(hash), record)
	x.emit("resolution", "hash", fmt.Sprintf("%x", hash), "code", tx.Code(record.Code).String())
	return x.dropPending(hash)
}

func (x *execution) dropPending(hash []byte) error {
	pending, err := state.MustLoad[pb.PendingResolutions](x, state.KeyPending)
	if err != nil {
		return err
	}
	pending.Hashes = slices.DeleteFunc(pending.Hashes, func(h []byte) bool { return bytes.Equal(h, hash) })
	x.save(state.KeyPending, pending)
	return nil
}

// appendBlock appends the leaf of this block to the blocks log: with it, one certified state proves every earlier block.
// Spec 9.6.
func (x *execution) appendBlock() error {
	leaf := &pb.BlockLeaf{Height: x.height, Time: x.now, HeaderHash: x.block.Hash[:]}
	list, err := state.MustLoad[pb.ElectionList](x, state.KeyElections)
	if err != nil {
		return err
	}
	for _, id := range list.Ids {
		for _, log := range []string{state.LogBallots(id), state.LogRoll(id)} {
			head, err := x.Head(log)
			if err != nil {
				return err
			}
			leaf.Logs = append(leaf.Logs, pb.LogSize{Log: log, Size_: head.Size})
		}
	}
	slices.SortFunc(leaf.Logs, func(a, b pb.LogSize) int { return bytes.Compare([]byte(a.Log), []byte(b.Log)) })
	x.Append(state.LogBlocks, election.Encode(leaf))
	return nil
}
