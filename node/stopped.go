package node

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	sm "github.com/cometbft/cometbft/state"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/node/signing"
	pb "votenode/proto/votenode/v1"
)

// Stopped is the home of a node that does not run, opened to be looked at and put right. Its methods are for one goroutine. While it is open
// the node cannot start, for each store has one user.
type Stopped struct {
	node   *Node
	states sm.Store
	moved  error // signing.ErrMoved where the node was moved from here
}

// OpenStopped opens the stores of a home. It fails where the node runs, and with signing.ErrMoving where it is still to be moved to. What lies in
// the stores is not looked at yet.
func OpenStopped(home string) (_ *Stopped, err error) {
	s := &Stopped{node: &Node{home: Home(home), log: slog.New(slog.NewTextHandler(io.Discard, nil))}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.node.lock, err = signing.Lock(home); err != nil {
		return nil, err
	}
	if s.moved = signing.CheckMoved(home); s.moved != nil && !errors.Is(s.moved, signing.ErrMoved) {
		return nil, s.moved
	}
	if err := s.node.readHome(); err != nil {
		return nil, err
	}
	if err := s.node.openStores(); err != nil {
		return nil, err
	}
	if err := s.node.checkCometGenesis(); err != nil {
		return nil, err
	}
	states, err := s.node.dbs.get("state")
	if err != nil {
		return nil, err
	}
	s.states = sm.NewStore(states, sm.StoreOptions{DiscardABCIResponses: true})
	return s, nil
}

// Close closes the stores.
func (s *Stopped) Close() error { return s.node.Close() }

// Document returns the genesis document of the home.
func (s *Stopped) Document() *pb.Genesis { return s.node.doc }

// guarded calls fn, and makes an error of a panic: CometBFT's stores panic where what they hold cannot be read.
func guarded(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}()
	return fn()
}

// block returns a stored block with its meta data. It fails with ErrDamaged where there is none that is whole.
func (s *Stopped) block(height int64) (block *cmttypes.Block, meta *cmttypes.BlockMeta, err error) {
	err = guarded(func() error {
		block, meta = s.node.blocks.LoadBlock(height), s.node.blocks.LoadBlockMeta(height)
		if block == nil || meta == nil {
			return fmt.Errorf("%w: block %d is not there", ErrDamaged, height)
		}
		return nil
	})
	return block, meta, err
}
