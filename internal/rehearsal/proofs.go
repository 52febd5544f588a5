package rehearsal

import (
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// StateAt returns the state after a height, from 0 to that of the newest block.
func (l *Ledger) StateAt(height int64) (*state.Snapshot, error) {
	if height < 0 || height >= int64(len(l.states)) {
		return nil, state.ErrPruned
	}
	return l.states[height], nil
}

// BlockAt returns the block of a height, nil where there is none.
func (l *Ledger) BlockAt(height int64) *cmttypes.Block {
	if height < 1 || height > l.Height() {
		return nil
	}
	return l.Blocks[height-1]
}

// ValidatorsAt returns the validator set that signs the block of a height.
func (l *Ledger) ValidatorsAt(height int64) (*cmttypes.ValidatorSet, error) {
	if height < 1 || height > l.Height() {
		return nil, state.ErrNotFound
	}
	return l.sets[height-1], nil
}

// Shown returns the evidence for the state after a height: the precommits of its child that the block after that carries.
func (l *Ledger) Shown(height int64) *pb.CertifiedState {
	l.t.Helper()
	for l.Height() < height+2 {
		l.Make(1)
	}
	child := must(certified.FromCommit(&l.BlockAt(height+1).Header, l.BlockAt(height+2).LastCommit))
	return &pb.CertifiedState{Children: []*pb.SignedHeader{child}}
}

// LedgerState returns the state after a height with all that proves it from the genesis hash.
func (l *Ledger) LedgerState(height int64) *pb.LedgerState {
	l.t.Helper()
	s := &pb.LedgerState{Genesis: genesis.Bytes(l.Genesis), State: l.Shown(height)}
	for at := int64(1); at <= height; at++ {
		epochs := must(state.MustLoad[pb.ValidatorEpochs](l.states[at], state.KeyValidators))
		if epochs.Next.Number != uint64(len(s.Epochs))+organisation.FirstEpochNumber+1 || epochs.Next.FirstHeight > height+1 {
			continue
		}
		shown := l.Shown(at)
		if trust := must(certified.FromGenesisOf(l.Genesis, certified.AnyProtocol)); must(must(trust.Follow(s.Epochs)).Inspect(shown)).Certified {
			s.Epochs = append(s.Epochs, &pb.EpochProof{State: shown, Validators: must(l.states[at].ProveRecord(state.KeyValidators))})
		}
	}
	return s
}

// State returns the ledger's states, for what reads them as a node does.
func (l *Ledger) State() *state.Ledger { return l.ledger }
