package state

import (
	"fmt"
	"slices"
)

// AppHashAt returns the AppHash of a height as it was stored, without a look at the records. It fails with ErrPruned.
func AppHashAt(b Backend, height int64) (Hash, error) {
	reader, err := b.At(height)
	if err != nil {
		return Hash{}, err
	}
	root, err := newSnapshot(height, reader).must([]byte{keyRoot})
	if err == nil && len(root) != HashSize {
		err = fmt.Errorf("%w: an AppHash of %d bytes", ErrCorrupted, len(root))
	}
	if err != nil {
		return Hash{}, err
	}
	return Hash(root), nil
}

// Verify reads every leaf of a log and holds them against its head and against every stored tile. Opening a snapshot has verified the rest:
// all records, all voters' trees, and the newest leaves of each log. read, which may be nil, is told of each leaf. It fails with ErrCorrupted.
func (s *Snapshot) Verify(log string, read func(index uint64, leaf []byte) error) error {
	head, err := s.Head(log)
	if err != nil {
		return err
	}
	var wrong error
	tile := s.tiles(log)
	full := func(level int, number uint64, hashes []Hash) {
		stored, err := tile(level, number)
		if err == nil && !slices.Equal(stored, hashes) {
			err = fmt.Errorf("%w: tile %d of level %d of log %s is not that of its leaves", ErrCorrupted, number, level, log)
		}
		if wrong == nil {
			wrong = err
		}
	}
	t := &logTree{}
	err = s.Leaves(log, 0, head.Size, func(index uint64, leaf []byte) error {
		if t.append(hashLeaf(leaf), full); wrong != nil {
			return wrong
		}
		if read == nil {
			return nil
		}
		return read(index, leaf)
	})
	if err == nil && t.head() != head {
		err = fmt.Errorf("%w: the leaves of log %s do not hash to the root on record", ErrCorrupted, log)
	}
	return err
}

// Logs returns the ids of all logs that have leaves, sorted.
func (s *Snapshot) Logs() []string {
	var ids []string
	for id := range s.logs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// EachRecord calls fn for the records of a height in order of their keys. The value is fn's to read while it runs.
func EachRecord(r Reader, fn func(key string, value []byte) error) error {
	return r.Iterate([]byte{keyRecord}, func(key, value []byte) error { return fn(string(key[1:]), value) })
}

// RecordsRoot computes the AppHash of records that come in the order of their keys, from the hashes of their values.
type RecordsRoot struct {
	tree logTree // both are RFC 6962 trees
	last string
}

// Add takes the next record. It fails with ErrMisuse where the key is none, or not behind the one before.
func (r *RecordsRoot) Add(key string, valueHash Hash) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if key <= r.last {
		return fmt.Errorf("%w: the key %q after %q", ErrMisuse, key, r.last)
	}
	r.last = key
	r.tree.append(hashRecord(key, valueHash), func(int, uint64, []Hash) {})
	return nil
}

// Sum returns the AppHash of what was added.
func (r *RecordsRoot) Sum() Hash { return r.tree.head().Root }
