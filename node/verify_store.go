package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// ErrDamaged says that what a database holds cannot be read, or is not what was written.
var ErrDamaged = errors.New("damaged")

// Progress is told how many of how many heights and leaves have been read.
type Progress func(done, all int64)

// databaseNames are the goleveldb databases of a home.
var databaseNames = []string{"blockstore", "state", "evidence", "results", "slips"}

// Verify reads all that is stored: every block, of which each names the one before it by its hash; every record, leaf and tile of the ledger,
// against its AppHash and that of CometBFT; and every entry of every database, against its checksum. It returns what is wrong, each
// with the store and the place, nil where nothing is. The error says that it could not be done.
func (s *Stopped) Verify(ctx context.Context, progress Progress) (faults []error, err error) {
	v := &storeCheck{Stopped: s, ctx: ctx, progress: progress, all: s.node.blocks.Height()}
	if v.bare, err = s.node.bareSnapshot(s.states); err != nil {
		v.fault("blockstore", err)
	}
	var newest *state.Snapshot
	if height, begun := s.node.disk.Height(); begun {
		if newest, err = state.OpenAt(s.node.ledger, height); err != nil {
			v.fault("ledger", err)
		}
	}
	if newest != nil {
		for _, log := range newest.Logs() {
			head, err := newest.Head(log)
			if err != nil {
				return nil, err
			}
			v.all += int64(head.Size)
		}
	}
	for _, step := range []struct {
		store string
		check func() error
	}{
		{"ledger", s.node.disk.Verify},
		{"ledger", func() error { return v.ledger(newest) }},
		{"blockstore", v.blocks},
		{"state", func() error { return v.heights(newest) }},
		{"", v.databases},
	} {
		if err := guarded(step.check); err != nil {
			v.fault(step.store, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return v.faults, nil
}

// storeCheck is one pass over the stores of a home.
type storeCheck struct {
	*Stopped
	ctx       context.Context
	progress  Progress
	done, all int64
	bare      int64 // height of a snapshot after which there is no block yet, 0 where there are blocks
	faults    []error
}

func (v *storeCheck) fault(store string, err error) {
	if store != "" {
		err = fmt.Errorf("%s: %w", store, err)
	}
	v.faults = append(v.faults, err)
}

// read counts one thing that was read, and fails where the check is to end.
func (v *storeCheck) read() error {
	v.done++
	if v.progress != nil {
		v.progress(v.done, v.all)
	}
	return v.ctx.Err()
}

// ledger reads all leaves of all logs, and holds the blocks log against the stored blocks.
func (v *storeCheck) ledger(newest *state.Snapshot) error {
	if newest == nil {
		return nil
	}
	for _, log := range newest.Logs() {
		err := newest.Verify(log, func(_ uint64, leaf []byte) error {
			if log == state.LogBlocks {
				if err := v.blockLeaf(leaf); err != nil {
					return err
				}
			}
			return v.read()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// blockLeaf holds a leaf of the blocks log against the stored block.
func (v *storeCheck) blockLeaf(raw []byte) error {
	leaf := new(pb.BlockLeaf)
	if err := election.Decode(raw, leaf); err != nil {
		return fmt.Errorf("%w: a leaf of the blocks log: %w", ErrDamaged, err)
	}
	if leaf.Height < v.node.blocks.Base() || leaf.Height <= v.bare {
		return nil
	}
	meta := v.node.blocks.LoadBlockMeta(leaf.Height)
	if meta == nil || !bytes.Equal(meta.BlockID.Hash, leaf.HeaderHash) {
		return fmt.Errorf("%w: the blocks log has another block %d than the store of blocks", ErrDamaged, leaf.Height)
	}
	return nil
}

// blocks reads every block with the commit for it, from the oldest on.
func (v *storeCheck) blocks() error {
	var before *cmttypes.BlockMeta
	store := v.node.blocks
	for height := max(store.Base(), 1); height <= store.Height(); height++ {
		block, meta, err := v.block(height)
		if err != nil {
			return fmt.Errorf("block %d: %w", height, err)
		}
		if err := block.ValidateBasic(); err != nil {
			return fmt.Errorf("%w: block %d: %w", ErrDamaged, height, err)
		}
		parts, err := block.MakePartSet(cmttypes.BlockPartSizeBytes)
		if err != nil {
			return fmt.Errorf("block %d: %w", height, err)
		}
		id := cmttypes.BlockID{Hash: block.Hash(), PartSetHeader: parts.Header()}
		switch {
		case block.Height != height || meta.Header.Height != height || !meta.BlockID.Equals(id):
			return fmt.Errorf("%w: block %d has not the hash under which it is stored", ErrDamaged, height)
		case before != nil && !block.LastBlockID.Equals(before.BlockID):
			return fmt.Errorf("%w: block %d does not follow block %d", ErrDamaged, height, height-1)
		}
		if commit := store.LoadBlockCommit(height); height < store.Height() && (commit == nil || !commit.BlockID.Equals(meta.BlockID)) {
			return fmt.Errorf("%w: the commit for block %d is not there, or for another one", ErrDamaged, height)
		}
		if seen := store.LoadSeenCommit(height); height == store.Height() && (seen == nil || !seen.BlockID.Equals(meta.BlockID)) {
			return fmt.Errorf("%w: the commit for block %d is not there, or for another one", ErrDamaged, height)
		}
		before = meta
		if err := v.read(); err != nil {
			return err
		}
	}
	return nil
}

// heights holds the ledger against what CometBFT has stored of it, and against the next header.
func (v *storeCheck) heights(newest *state.Snapshot) error {
	comet, err := v.states.Load()
	if err != nil || newest == nil {
		return err
	}
	height, blocks := newest.Height(), max(v.node.blocks.Height(), v.bare)
	// A block is stored first, then comes the ledger, then CometBFT's state: a kill leaves them at most one height apart. The ledger alone may
	// be further behind, and is executed again.
	if height > blocks || height > comet.LastBlockHeight+1 || comet.LastBlockHeight > blocks || comet.LastBlockHeight < blocks-1 {
		return fmt.Errorf("%w: the ledger is at height %d, CometBFT's state at %d, the newest block is %d", ErrDamaged, height, comet.LastBlockHeight, blocks)
	}
	if appHash := newest.AppHash(); comet.LastBlockHeight == height && height > 0 && !bytes.Equal(comet.AppHash, appHash[:]) {
		return fmt.Errorf("%w: the ledger has the AppHash %x at height %d, CometBFT's state %x", ErrDamaged, appHash, height, []byte(comet.AppHash))
	}
	for ; height > 1; height-- {
		appHash, err := state.AppHashAt(v.node.ledger, height-1)
		if errors.Is(err, state.ErrPruned) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, meta, err := v.block(height); err == nil && !bytes.Equal(meta.Header.AppHash, appHash[:]) {
			return fmt.Errorf("%w: the ledger has the AppHash %x at height %d, and header %d has %x", ErrDamaged, appHash, height-1, height, []byte(meta.Header.AppHash))
		}
	}
	return nil
}

// databases reads every entry of every database. goleveldb holds each block of a file against its checksum.
func (v *storeCheck) databases() error {
	for _, name := range slices.Sorted(slices.Values(databaseNames)) {
		if err := guarded(func() error { return v.database(name) }); err != nil {
			v.fault(name, err)
		}
	}
	return nil
}

func (v *storeCheck) database(name string) error {
	db, err := v.node.dbs.get(name)
	if err != nil {
		return err
	}
	it, err := db.Iterator(nil, nil)
	if err != nil {
		return err
	}
	defer it.Close()
	for ; it.Valid(); it.Next() {
		it.Value()
		if err := v.ctx.Err(); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}
