package client

import (
	"context"
	"fmt"

	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// State returns what shows, from the genesis hash alone, the state after a height (docs/spec section 6.10), verified, with what it
// attests: certified, or committed only. Every byte of it comes from one node, the first one that can show it, so that two nodes can be
// held against each other. It fails with ErrVerification where too few have signed, or with ErrUnknown where the ledger has not got that
// far: the block after the next one must be there.
func (l *Ledger) State(ctx context.Context, height int64) (*pb.LedgerState, *certified.State, error) {
	trust, err := certified.FromGenesis(l.document)
	if err != nil {
		return nil, nil, err
	}
	var shown *pb.LedgerState
	var state *certified.State
	err = l.ask(ctx, func(ctx context.Context, n *Node) (err error) {
		if shown, err = n.ledgerState(ctx, trust, height); err != nil {
			return err
		}
		_, state, err = certified.FromLedgerState(l.genesisHash, shown)
		switch {
		case err != nil:
			return verified(err)
		case state.Height != height:
			return fmt.Errorf("%w: it shows the state of height %d instead of %d", ErrVerification, state.Height, height)
		case !state.Committed && !state.Certified:
			return fmt.Errorf("%w: too few have signed for height %d: %s", ErrVerification, height, state.Signers())
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("the state of height %d: %w", height, err)
	}
	return shown, state, nil
}

// ledgerState puts together what a node shows of a height, with the epochs up to that height's and none beyond. The trust is that in
// the genesis document.
func (n *Node) ledgerState(ctx context.Context, trust *certified.Trust, height int64) (*pb.LedgerState, error) {
	document, _, err := n.Genesis(ctx)
	if err != nil {
		return nil, err
	}
	child, err := n.SignedHeader(ctx, height+1)
	if err != nil {
		return nil, err
	}
	epochs, err := n.Epochs(ctx)
	if err != nil {
		return nil, err
	}
	s := &pb.LedgerState{Genesis: document, State: &pb.CertifiedState{Children: []*pb.SignedHeader{child}}}
	if trust, err = trust.Follow(epochs); err != nil {
		return nil, verified(err)
	}
	state, err := trust.Inspect(s.State)
	if err != nil {
		return nil, verified(err)
	}
	s.Epochs = epochs[:state.Epoch-organisation.FirstEpochNumber]
	return s, nil
}
