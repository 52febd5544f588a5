package client

import (
	"context"
	"errors"
	"fmt"

	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// ErrFork says that two states that contradict each other are certified: within one validator set, in every organisation more validators
// have signed on two branches than its certify parameter forgives, and they are named. Across a change of the set less may suffice, and
// nobody is named: docs/spec sections 6.7 and 6.8. Nothing on this ledger can be believed until its organisations have spoken.
var ErrFork = fmt.Errorf("%w: the ledger is forked", ErrVerification)

// Fork is an ErrFork with its two sides.
type Fork struct {
	Older, Newer *View // of one height, or Older of the lower one
	cause        error
}

// Error says who signed both sides, as far as that can be told.
func (f *Fork) Error() string { return f.cause.Error() }

// Unwrap returns an ErrFork.
func (f *Fork) Unwrap() error { return f.cause }

// Continues fails with an ErrFork, a *Fork, where a view contradicts an older one, or one of the same height. The block after the older one's own,
// proven under the view, tells: its header names block and state before it.
func (v *View) Continues(ctx context.Context, old *View) error {
	var fork *certified.Fork
	var err error
	if v.height == old.height {
		fork, err = certified.FindFork(old.proven, v.proven)
	} else {
		asked := v.ledger.ask(ctx, func(ctx context.Context, n *Node) error {
			proof, header, failure := n.blockProof(ctx, v.height, old.height+1)
			if failure != nil {
				return failure
			}
			fork, err = certified.FindForkBelow(old.proven, v.proven, proof, header)
			if errors.Is(err, certified.ErrNoConflict) {
				return nil
			}
			return verified(err)
		})
		if asked != nil {
			return asked
		}
	}
	switch {
	case errors.Is(err, certified.ErrSets):
		return &Fork{old, v, fmt.Errorf("%w: heights %d and %d are certified on two branches: %w", ErrFork, old.height, v.height, err)}
	case errors.Is(err, certified.ErrNoConflict):
		return nil
	}
	var names []string
	for _, s := range fork.Both {
		names = append(names, s.Organisation+" "+s.Name)
	}
	return &Fork{old, v, fmt.Errorf("%w: heights %d and %d are certified on two branches, signed on both by %q", ErrFork, old.height, v.height, names)}
}

// blockProof returns what shows a block and its header under the state of a height. Unproven.
func (n *Node) blockProof(ctx context.Context, height, block int64) (*pb.BlockProof, []byte, error) {
	_, head, err := n.Record(ctx, state.LogKey(state.LogBlocks), height)
	if err != nil {
		return nil, nil, err
	}
	index := uint64(block - 1)
	leaves, err := n.LogLeaves(ctx, state.LogBlocks, index, index+1)
	if err != nil {
		return nil, nil, err
	}
	if len(leaves) != 1 {
		return nil, nil, fmt.Errorf("%w: %d leaves for one", ErrVerification, len(leaves))
	}
	path, err := n.LogInclusion(ctx, state.LogBlocks, index, uint64(height))
	if err != nil {
		return nil, nil, err
	}
	signed, err := n.SignedHeader(ctx, block)
	if err != nil {
		return nil, nil, err
	}
	return &pb.BlockProof{Head: head, Leaf: leaves[0], Path: path}, signed.Header, nil
}
