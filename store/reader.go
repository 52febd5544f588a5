package store

import (
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
	if err := r.check(); err != nil {
		return nil, err
	}
	return r.s.get(key, version(r.height))
}

func (s *Store) get(key []byte, version uint64) ([]byte, error) {
	txn := s.db.NewTransactionAt(version, false)
	defer txn.Discard()
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, unreadable(err)
	}
	value, err := item.ValueCopy([]byte{})
	return value, unreadable(err)
}

// Iterate implements state.Reader.
func (r *reader) Iterate(prefix []byte, fn func(key, value []byte) error) error {
	if err := r.check(); err != nil {
		return err
	}
	txn := r.s.db.NewTransactionAt(version(r.height), false)
	defer txn.Discard()
	o := badger.DefaultIteratorOptions
	o.Prefix = prefix
	it := txn.NewIterator(o)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		if len(item.Key()) == 1 && item.Key()[0] == markerKey[0] {
			continue
		}
		var stop error
		err := item.Value(func(value []byte) error {
			stop = fn(item.Key(), value)
			return nil
		})
		if err != nil {
			return unreadable(err)
		}
		if stop != nil {
			return stop
		}
	}
	return nil
}

// unreadable marks an error of reading as state.ErrCorrupted, unless it says that the store is closed.
func unreadable(err error) error {
	if err == nil || errors.Is(err, badger.ErrDBClosed) {
		return err
	}
	return fmt.Errorf("%w: %w", state.ErrCorrupted, err)
}
