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
// decryptions go on, what has become ready is, lists are formed, the announced validator set and protocol version are handed over, sums are encoded, and the
// blocks log gets its leaf. Spec 9.1.
func (x *execution) endBlock() error {
	if err := x.decideResolutions(); err != nil {
		return err
	}
	err := x.eachElection(func(id string, e *pb.Election) error {
		for _, advance := range []func(string, *pb.Election) error{
			x.advanceCeremonies, x.advanceTrial, x.moveWhenReady, x.advanceDecryption, x.advanceLists,
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
	if err := x.endUpgrade(); err != nil {
		return err
	}
	x.sums.write(x.Writer)
	return x.appendBlock()
}

// pendingResolutions are the completely approved resolutions of a block, in the order in which they were completed.
type pendingResolutions struct {
	hashes [][]byte
	known  map[string]bool
}

func loadPending(v state.View) (*pendingResolutions, error) {
	record, err := state.MustLoad[pb.PendingResolutions](v, state.KeyPending)
	if err != nil {
		return nil, err
	}
	p := &pendingResolutions{known: make(map[string]bool)}
	for _, hash := range record.Hashes {
		p.set(hash, true)
	}
	return p, nil
}

// set puts a resolution onto the list, or takes it off.
func (p *pendingResolutions) set(hash []byte, complete bool) {
	switch known := p.known[string(hash)]; {
	case complete && !known:
		p.known[string(hash)] = true
		p.hashes = append(p.hashes, hash)
	case !complete && known:
		delete(p.known, string(hash))
		p.hashes = slices.DeleteFunc(p.hashes, func(h []byte) bool { return bytes.Equal(h, hash) })
	}
}

// decideResolutions lets completely approved resolutions take effect in the order in which they were completed. At most one stays
// on the list, a change of validators that waits for a block whose last commit certifies. Spec 9.3.
func (x *execution) decideResolutions() error {
	waiting := new(pb.PendingResolutions)
	for _, hash := range x.pending.hashes {
		waits, err := x.decideResolution(hash, len(waiting.Hashes) > 0)
		if err != nil {
			return err
		}
		if waits {
			waiting.Hashes = append(waiting.Hashes, hash)
		}
	}
	x.save(state.KeyPending, waiting)
	return nil
}

// decideResolution closes a resolution with its effect or with the code of its rule, unless it has expired, is no longer approved,
// or waits. busy says that a change of validators waits already.
func (x *execution) decideResolution(hash []byte, busy bool) (waits bool, err error) {
	record, err := x.openResolution(hash)
	expired, err := refusalOf(err)
	if expired != nil || err != nil {
		return false, err
	}
	// An officer may have lost the office since: approvals count as they stand now. The next approval asks again.
	complete, err := x.approved(record)
	if err != nil || !complete {
		return false, err
	}
	d, _, err := decisionOf(&record.Resolution)
	if err != nil {
		return false, fmt.Errorf("%w: resolution %x: %v", state.ErrCorrupted, hash, err)
	}
	waits, refusal, err := x.verdict(d, busy)
	if waits || err != nil {
		return waits, err
	}
	record.Decided, record.Status, x.resolution = x.height, pb.RESOLUTION_EFFECTIVE, hash
	if refusal != nil {
		record.Status, record.Code = pb.RESOLUTION_REFUSED, uint32(refusal.Code)
	} else if err := d.apply(&x.writing); err != nil {
		return false, fmt.Errorf("resolution %x: %w", hash, err)
	}
	if p, ok := d.(changeParameters); ok && refusal == nil {
		x.parameters = &p.Parameters
		x.outcome.Parameters = &p.Parameters
	}
	x.save(state.ResolutionKey(hash), record)
	x.emit("resolution", "hash", fmt.Sprintf("%x", hash), "code", tx.Code(record.Code).String())
	return false, nil
}

// verdict asks the rule of a resolution again. A change of validators waits until a last commit certifies; one behind it cannot
// follow before the first is in force, and is refused.
func (x *execution) verdict(d decision, busy bool) (waits bool, refusal *tx.Refusal, err error) {
	if _, ok := d.(changeValidators); ok {
		certified, err := x.lastCommitCertifies()
		switch {
		case err != nil:
			return false, nil, err
		case !certified && busy:
			return false, tx.Refuse(tx.CodeChangePending, "another change of validators waits"), nil
		case !certified:
			return true, nil, nil
		}
	}
	refusal, err = refusalOf(d.check(&x.reading))
	return false, refusal, err
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
	for _, log := range []string{state.LogIntake, state.LogInitiatives} {
		head, err := x.Head(log)
		if err != nil {
			return err
		}
		if head.Size > 0 {
			leaf.Logs = append(leaf.Logs, pb.LogSize{Log: log, Size_: head.Size})
		}
	}
	slices.SortFunc(leaf.Logs, func(a, b pb.LogSize) int { return bytes.Compare([]byte(a.Log), []byte(b.Log)) })
	x.Append(state.LogBlocks, election.Encode(leaf))
	return nil
}
