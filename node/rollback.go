package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	sm "github.com/cometbft/cometbft/state"

	"votenode/abci"
	"votenode/app/state"
	"votenode/store"
)

var (
	// ErrNothingToRollBack says that the newest block has not been executed, which the next start does anyway, or that there is none.
	ErrNothingToRollBack = errors.New("there is nothing to roll back")
	// ErrCannotRollBack says that the state before the newest block cannot be put in its place.
	ErrCannotRollBack = errors.New("this node cannot be rolled back")
)

// rollbackBatch is about how many bytes of the state are copied at once.
const rollbackBatch = 8 << 20

// Rollback takes the ledger and CometBFT's state back to the height before the newest block, and returns that height. The block stays, and so do
// sign state and all that was signed on: the next start executes the block again, and decides nothing anew. The states of earlier heights
// are kept no more, and snapshots above the height neither. It fails with ErrNothingToRollBack; with ErrCannotRollBack for an archive, which
// would be none afterwards, and where the newest block is the first that is there; and with signing.ErrMoved. Then all is as before.
//
// Crash points. The new ledger is whole before anything else changes, and takes the place of the old one last; until then Rollback can be
// called again. What is left between the renames is finished by whoever opens the stores next (finishRollback).
func (s *Stopped) Rollback() (height int64, err error) {
	n := s.node
	if s.moved != nil {
		return 0, s.moved
	}
	if n.config.Store.Archive {
		return 0, fmt.Errorf("%w: store.archive keeps the state of every height, of which one would be left; let it begin with block 1 again, as docs/runbook/app-hash-mismatch.md says",
			ErrCannotRollBack)
	}
	comet, err := s.states.Load()
	if err != nil {
		return 0, fmt.Errorf("CometBFT's state: %w", err)
	}
	newest, _ := n.disk.Height()
	last := n.blocks.Height()
	switch {
	case last == 0:
		return 0, fmt.Errorf("%w: it has no block yet", ErrNothingToRollBack)
	case newest < last && comet.LastBlockHeight < last:
		return 0, fmt.Errorf("%w: block %d is executed at the next start", ErrNothingToRollBack, last)
	case newest != last:
		return 0, fmt.Errorf("%w: the ledger is at height %d, CometBFT's state at %d, the newest block is %d", ErrDamaged, newest, comet.LastBlockHeight, last)
	}
	height = last - 1
	if height < n.blocks.Base() {
		return 0, fmt.Errorf("%w: block %d is the first that it has; let it begin again, as docs/runbook/app-hash-mismatch.md says", ErrCannotRollBack, last)
	}
	reader, err := n.disk.At(height)
	if err != nil {
		return 0, fmt.Errorf("the state before block %d: %w", last, err)
	}
	fresh := n.home.rolledBack()
	if err := os.RemoveAll(fresh); err != nil {
		return 0, err
	}
	if err := copyState(fresh, height, reader); err != nil {
		return 0, err
	}
	if err := dropSnapshots(n.home, height); err != nil {
		return 0, err
	}
	if _, _, err := sm.Rollback(n.blocks, s.states, false); err != nil {
		return 0, fmt.Errorf("CometBFT's state: %w", err)
	}
	if err := n.disk.Close(); err != nil {
		return 0, err
	}
	n.disk = nil
	if err := os.Rename(n.home.ledger(), n.home.abandoned()); err != nil {
		return 0, err
	}
	return height, finishRollback(n.home)
}

// dropSnapshots removes the snapshots above a height: what was executed wrongly is in them.
func dropSnapshots(h Home, above int64) error {
	kept, err := abci.OpenSnapshots(h.snapshots())
	if err != nil {
		return err
	}
	heights, err := kept.Heights(false)
	for _, height := range heights {
		if height > above {
			err = errors.Join(err, kept.Drop(height))
		}
	}
	return err
}

// copyState writes the state of a height into a new store.
func copyState(dir string, height int64, from state.Reader) (err error) {
	to, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	load, err := to.NewLoad(height)
	if err != nil {
		return err
	}
	var batch []state.Change
	size := 0
	err = from.Iterate(nil, func(key, value []byte) error {
		batch = append(batch, state.Change{Key: append([]byte{}, key...), Value: append([]byte{}, value...)})
		if size += len(key) + len(value); size < rollbackBatch {
			return nil
		}
		err := load.Put(batch)
		batch, size = batch[:0], 0
		return err
	})
	if err == nil {
		err = load.Put(batch)
	}
	if err == nil {
		err = load.Finish()
	}
	return err
}

// finishRollback puts a ledger that was rolled back in the place of the one that was taken away, and removes that. Until one is taken away a copy in
// the making means nothing.
func finishRollback(h Home) error {
	if _, err := os.Lstat(h.abandoned()); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if _, err := os.Lstat(h.ledger()); errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(h.rolledBack(), h.ledger()); err != nil {
			return err
		}
	}
	return errors.Join(abci.SyncDir(filepath.Dir(h.ledger())), os.RemoveAll(h.abandoned()))
}
