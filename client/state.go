package client

import (
	"context"
	"fmt"
	"slices"

	"votenode/app/organisation"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// State returns what shows, from the genesis hash alone, the state after a height (docs/spec section 6.10), verified, with what it
// attests: certified, or committed only. Every byte of it comes from one node, the first one that can show it, so that two nodes can be
// held against each other. It fails with ErrVerification where too few have signed, or with ErrUnknown where the ledger has not got that
// far: the block after the next one must be there.
func (l *Ledger) State(ctx context.Context, height int64) (*pb.LedgerState, *certified.State, error) {
	trust, err := l.genesisTrust()
	if err != nil {
		return nil, nil, err
	}
	var shown *pb.LedgerState
	var state *certified.State
	err = l.ask(ctx, func(ctx context.Context, n *Node) (err error) {
		if shown, err = n.ledgerState(ctx, trust, height); err != nil {
			return err
		}
		_, state, err = certified.FromLedgerStateOf(l.genesisHash, shown, l.protocol)
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

// Attested is what one signed header shows of the state before it, whoever signed it.
type Attested struct {
	// State says whether it is certified, committed or neither.
	State *certified.State

	ledger   *Ledger
	evidence *pb.CertifiedState
}

// Attested returns what the header after a height shows of the state after that height, as a node has it. It takes one request where the
// validator sets up to there are known. It fails with ErrUnknown where the ledger has not got that far, and with ErrVerification.
func (l *Ledger) Attested(ctx context.Context, height int64) (*Attested, error) {
	a := &Attested{ledger: l}
	err := l.ask(ctx, func(ctx context.Context, n *Node) error {
		child, err := n.SignedHeader(ctx, height+1)
		if err != nil {
			return err
		}
		l.mu.Lock()
		trust := l.trust
		l.mu.Unlock()
		a.evidence = &pb.CertifiedState{Children: []*pb.SignedHeader{child}}
		if a.State, err = trust.Inspect(a.evidence); err != nil {
			if trust, err = l.learn(ctx, n); err != nil {
				return err
			}
			if a.State, err = trust.Inspect(a.evidence); err != nil {
				return verified(err)
			}
		}
		if a.State.Height != height {
			return fmt.Errorf("%w: it shows the state of height %d instead of %d", ErrVerification, a.State.Height, height)
		}
		return nil
	})
	return a, err
}

// Evidence returns what shows the state from the genesis hash alone.
func (a *Attested) Evidence() *pb.LedgerState { return a.ledger.shows(a.State, a.evidence) }

// State returns what the view rests on.
func (v *View) State() *certified.State { return v.proven }

// Evidence returns what shows the state of the view from the genesis hash alone.
func (v *View) Evidence() *pb.LedgerState { return v.ledger.shows(v.proven, v.evidence) }

func (l *Ledger) shows(s *certified.State, evidence *pb.CertifiedState) *pb.LedgerState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &pb.LedgerState{Genesis: genesis.Bytes(l.document), Epochs: slices.Clone(l.epochs[:s.Epoch-organisation.FirstEpochNumber]), State: evidence}
}

// Resume returns the view of a certified state that was kept, and takes the validator sets on the way to it. It does not make it the
// newest: whether the nodes still have it is for Continues to say. It fails with ErrVerification.
func (l *Ledger) Resume(s *pb.LedgerState) (*View, error) {
	trust, proven, err := certified.FromLedgerStateOf(l.genesisHash, s, l.protocol)
	if err == nil && !proven.Certified {
		err = certified.ErrNotCertified
	}
	if err != nil {
		return nil, verified(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(s.Epochs) > len(l.epochs) {
		l.trust, l.epochs = trust, s.Epochs
	}
	return &View{ledger: l, height: proven.Height, time: proven.Child.Time, appHash: proven.AppHash, proven: proven, evidence: s.State}, nil
}
