package state

import (
	"errors"
	"fmt"
	"sync"
)

// Kept is the number of newest heights whose snapshots a Ledger keeps, so that proofs can be made under a header that
// exists already. They share what did not change.
const Kept = 16

// Ledger is the state of a chain: its newest snapshots, and the way to the next one. Heights are drafted, finished and
// committed one after the other by one goroutine; snapshots may be taken by any number meanwhile.
type Ledger struct {
	backend Backend

	mu   sync.RWMutex
	kept []*Snapshot // ascending by one; never longer than Kept
}

// Open loads the trees of the newest height of a backend, and of the one before it where that is kept: a proof needs the
// header of the next height. All trees are checked against their roots. A backend in which nothing was ever committed
// gives a ledger without a snapshot, see Newest. It fails with ErrCorrupted.
func Open(b Backend) (*Ledger, error) {
	l := &Ledger{backend: b}
	height, ok := b.Height()
	if !ok {
		return l, nil
	}
	newest, err := OpenAt(b, height)
	if err != nil {
		return nil, err
	}
	before, err := load(b, height-1, newest)
	switch {
	case err == nil:
		l.kept = []*Snapshot{before, newest}
	case errors.Is(err, ErrPruned):
		l.kept = []*Snapshot{newest}
	default:
		return nil, err
	}
	return l, nil
}

// Newest returns the newest snapshot, nil before genesis was committed.
func (l *Ledger) Newest() *Snapshot {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.kept) == 0 {
		return nil
	}
	return l.kept[len(l.kept)-1]
}

// At returns the snapshot of one of the newest heights, at most Kept, or ErrPruned. OpenAt rebuilds older ones.
func (l *Ledger) At(height int64) (*Snapshot, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.kept) > 0 {
		if i := height - l.kept[0].height; i >= 0 && i < int64(len(l.kept)) {
			return l.kept[i], nil
		}
	}
	return nil, fmt.Errorf("%w: %d", ErrPruned, height)
}

// NewGenesis starts the state of the genesis document, height 0, over nothing. It may be drafted and committed again as
// long as no block is: CometBFT asks for it until the first block is stored.
func (l *Ledger) NewGenesis() *Draft { return newDraft(newSnapshot(-1, nothing{}), 0) }

// NewDraft starts the height after the newest snapshot, which must exist.
func (l *Ledger) NewDraft() *Draft {
	newest := l.Newest()
	return newDraft(newest, newest.height+1)
}

// Commit stores a finished draft and makes it the newest snapshot. It must have been drafted on the newest snapshot
// (otherwise ErrMisuse), and genesis on nothing; committing the same genesis again changes nothing, another one fails with
// ErrMisuse. Any other error is the backend's: the ledger is then as before, and whether the height was stored is known
// only after the backend is opened again.
func (l *Ledger) Commit(b *Block) error {
	newest := l.Newest()
	switch {
	case newest == nil && b.base.height == -1:
	case newest != nil && newest.height == 0 && b.base.height == -1:
		if newest.AppHash() != b.AppHash() {
			return fmt.Errorf("%w: the store holds the state of another genesis document", ErrMisuse)
		}
		return nil
	case newest != b.base:
		return fmt.Errorf("%w: height %d was not drafted on the newest", ErrMisuse, b.Height())
	}
	if err := l.backend.Commit(b.Height(), b.changes); err != nil {
		return err
	}
	reader, err := l.backend.At(b.Height())
	if err != nil {
		return err
	}
	b.after.reader = reader
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, b.after)
	if n := len(l.kept); n > Kept {
		l.kept = append([]*Snapshot(nil), l.kept[n-Kept:]...)
	}
	return nil
}

// KeepNewest forgets all snapshots but the newest, for whoever asks for no other and has little memory.
func (l *Ledger) KeepNewest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.kept); n > 1 {
		l.kept = []*Snapshot{l.kept[n-1]}
	}
}

// nothing is the reader below genesis.
type nothing struct{}

func (nothing) Get([]byte) ([]byte, error)                          { return nil, nil }
func (nothing) Iterate([]byte, func(key, value []byte) error) error { return nil }
