package store

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"votenode/app/state"
)

// ErrNotEmpty says that a store that is to be filled holds something.
var ErrNotEmpty = errors.New("the store is not empty")

// Load fills an empty store with the state of one height, in any order and any number of steps, as a snapshot brings it. It is for one
// goroutine. The store must not be read or committed to meanwhile.
//
// Crash points: as with Commit, the height exists from the marker on, which Finish writes last. What lies in the store before is not read;
// whoever loads begins again with a new folder.
type Load struct {
	store  *Store
	height int64
}

// NewLoad begins to load a height. It fails with ErrNotEmpty.
func (s *Store) NewLoad(height int64) (*Load, error) {
	if s.marker.Load() != nil || s.db.MaxVersion() > 0 {
		return nil, ErrNotEmpty
	}
	return &Load{s, height}, nil
}

// Put stores changes, none of which was put before.
func (l *Load) Put(changes []state.Change) error {
	batch := l.store.db.NewWriteBatchAt(version(l.height))
	defer batch.Cancel()
	for _, c := range changes {
		if err := batch.SetEntry(badger.NewEntry(c.Key, c.Value)); err != nil {
			return fmt.Errorf("loading height %d: %w", l.height, err)
		}
	}
	if err := batch.Flush(); err != nil {
		return fmt.Errorf("loading height %d: %w", l.height, err)
	}
	return nil
}

// Finish makes the height the newest and the oldest one of the store.
func (l *Load) Finish() error {
	m := &marker{newest: l.height, oldest: l.height}
	if err := l.store.write(m, nil); err != nil {
		return fmt.Errorf("loading height %d: %w", l.height, err)
	}
	l.store.marker.Store(m)
	l.store.db.SetDiscardTs(version(m.oldest))
	return nil
}
