package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"votenode/app/state"
)

// reader reads one height, as long as the store keeps it.
type reader struct {
	s      *Store
	height int64
}

// check fails with state.ErrPruned where the height is not committed, or not kept any more.
func (r *reader) check() error {
	if m := r.s.marker.Load(); m == nil || r.height > m.newest || r.height < m.oldest {
		return fmt.Errorf("%w: %d", state.ErrPruned, r.height)
	}
	return nil
}

// Get implements state.Reader.
func (r *reader) Get(key []byte) ([]byte, error) {
	if err := r.s.enter(); err != nil {
		return nil, err
	}
	defer r.s.users.Done()
	value, err := r.s.get(key, version(r.height))
	if pruned := r.check(); pruned != nil { // after the read: then nothing was dropped before it
		return nil, pruned
	}
	return value, err
}

// get returns the value of a key at a version, nil where it is absent.
func (s *Store) get(key []byte, version uint64) ([]byte, error) {
	txn := s.db.NewTransactionAt(version, false)
	defer txn.Discard()
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	var value []byte
	if err == nil {
		value, err = item.ValueCopy([]byte{})
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", state.ErrCorrupted, err)
	}
	return value, nil
}

// Iterate implements state.Reader.
func (r *reader) Iterate(prefix []byte, fn func(key, value []byte) error) error {
	if err := r.s.enter(); err != nil {
		return err
	}
	defer r.s.users.Done()
	txn := r.s.db.NewTransactionAt(version(r.height), false)
	defer txn.Discard()
	o := badger.DefaultIteratorOptions
	o.Prefix = prefix
	it := txn.NewIterator(o)
	defer it.Close()
	if err := r.check(); err != nil { // the iterator holds on to the tables that there were
		return err
	}
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		if bytes.Equal(item.Key(), markerKey) {
			continue
		}
		var stop error
		err := item.Value(func(value []byte) error {
			stop = fn(item.Key(), value)
			return nil
		})
		if err != nil {
			return fmt.Errorf("%w: %w", state.ErrCorrupted, err)
		}
		if stop != nil {
			return stop
		}
	}
	return nil
}

// enter lets a reader in, who must call users.Done afterwards. It fails with ErrClosed.
func (s *Store) enter() error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return ErrClosed
	}
	s.users.Add(1)
	return nil
}
