package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	badgeroptions "github.com/dgraph-io/badger/v4/options"

	"votenode/app/state"
)

// DefaultWindow is the number of heights before the newest whose states a store keeps by default.
const DefaultWindow = 10_000

var (
	// ErrFailed says that an earlier commit failed. Whether that height was stored is known after the store is opened again.
	ErrFailed = errors.New("the store failed in an earlier commit and must be opened again")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("the store is closed")
)

// Options configure a store.
type Options struct {
	// Dir is the folder of the store, created where missing. One process uses it at a time.
	Dir string
	// Window is the number of heights before the newest that stay readable; 0 or less means DefaultWindow.
	Window int64
	// Archive keeps every height for ever, from the time it is set on.
	Archive bool
	// Logger gets Badger's warnings and errors, and its chatter at level Debug; nil is silent.
	Logger *slog.Logger
}

// markerKey holds, at the version of each committed height, the height and the oldest readable one, eight big-endian bytes
// each. No key of the state begins with a zero byte.
var markerKey = []byte{0}

// Store is an open store. Reads are safe for concurrent use, also during a commit; commits come one at a time.
type Store struct {
	db     *badger.DB
	window int64 // negative: archive

	begin func(version uint64) transaction // what Commit writes with; tests inject faults here

	mu     sync.Mutex // held by Commit
	failed bool       // by mu

	marker   atomic.Pointer[marker] // nil: nothing committed
	leftover bool                   // something lies above the marker; by mu

	gate   sync.RWMutex   // held only to look at closed and to come in
	closed bool           // by gate
	users  sync.WaitGroup // those who use db; Badger must not be closed under them
}

// marker is the committed state of the store: its newest and its oldest readable height.
type marker struct{ newest, oldest int64 }

var _ state.Backend = (*Store)(nil)

// transaction is what Commit uses of a Badger transaction.
type transaction interface {
	Set(key, value []byte) error
	Delete(key []byte) error
	CommitAt(version uint64, callback func(error)) error
	Discard()
}

// Open opens or creates a store. It fails with state.ErrCorrupted where Badger's files do not check out, and with Badger's
// error where another process holds the folder. A LOCK file left by a killed process does no harm: the lock is the
// kernel's.
func Open(o Options) (*Store, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	db, err := openBadger(badgerOptions(o))
	if err != nil {
		return nil, fmt.Errorf("opening the store in %s: %w", o.Dir, unopened(err))
	}
	s := &Store{db: db, window: o.Window}
	switch {
	case o.Archive:
		s.window = -1
	case o.Window <= 0:
		s.window = DefaultWindow
	}
	s.begin = func(version uint64) transaction { return db.NewTransactionAt(version, true) }
	if err := s.readMarker(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// begun is what Badger says of a log file that it had created and not written a byte to when it was killed. It has written the file's
// header when it says so, and opens it the next time.
const begun = "Create a new file"

// begunFiles bounds how many files a kill leaves so: Badger begins one log of each of two kinds at a time.
const begunFiles = 4

// openBadger opens the database, again where a kill has left files of no bytes, which hold nothing.
func openBadger(o badger.Options) (db *badger.DB, err error) {
	for range begunFiles {
		if db, err = badger.OpenManaged(o); err == nil || !strings.Contains(err.Error(), begun) {
			break
		}
	}
	return db, err
}

// badgerOptions are the settings, each with its reason.
func badgerOptions(o Options) badger.Options {
	b := badger.DefaultOptions(o.Dir)
	b.SyncWrites = true           // a returned commit survives a power cut
	b.DetectConflicts = false     // one writer; the detection would remember every key
	b.NumVersionsToKeep = 1       // of the versions at or below the discard timestamp; all above it stay
	b.ValueThreshold = 1 << 20    // values lie in the tables: no value log to collect
	b.ValueLogFileSize = 16 << 20 // the unused value log is mapped at twice this
	b.BlockCacheSize = 64 << 20
	b.ChecksumVerificationMode = badgeroptions.OnBlockRead // a flipped bit must not be read as data
	b.NumCompactors = 2                                    // the least Badger takes
	b.MetricsEnabled = false                               // they are process-wide variables
	b.Logger = quietLogger(o.Logger)
	return b
}

// unopened marks an error of opening as state.ErrCorrupted where Badger says so; it tells by words only.
func unopened(err error) error {
	for _, words := range []string{"checksum", "magic", "mismatch", "orrupt", "does not exist", "datakey", "decode", "unsupported version"} {
		if strings.Contains(err.Error(), words) {
			return fmt.Errorf("%w: %w", state.ErrCorrupted, err)
		}
	}
	return err
}

// version returns the Badger version of a height. Badger takes none below 1.
func version(height int64) uint64 { return uint64(height) + 1 }

// readMarker finds the newest committed height and what lies above it.
func (s *Store) readMarker() error {
	value, err := s.get(markerKey, math.MaxUint64)
	if err != nil {
		return err
	}
	committed := uint64(0)
	if value != nil {
		if len(value) != 16 {
			return fmt.Errorf("%w: a marker of %d bytes", state.ErrCorrupted, len(value))
		}
		m := &marker{int64(binary.BigEndian.Uint64(value)), int64(binary.BigEndian.Uint64(value[8:]))}
		if m.oldest < 0 || m.newest < m.oldest {
			return fmt.Errorf("%w: a marker of the heights %d to %d", state.ErrCorrupted, m.oldest, m.newest)
		}
		s.marker.Store(m)
		s.db.SetDiscardTs(version(m.oldest))
		committed = version(m.newest)
	}
	s.leftover = s.db.MaxVersion() > committed
	return nil
}

// Close waits for commits and reads under way, refuses further ones with ErrClosed, and closes the store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate.Lock()
	s.closed = true
	s.gate.Unlock()
	s.users.Wait()
	return s.db.Close()
}

// Height implements state.Backend.
func (s *Store) Height() (int64, bool) {
	if m := s.marker.Load(); m != nil {
		return m.newest, true
	}
	return 0, false
}

// At implements state.Backend.
func (s *Store) At(height int64) (state.Reader, error) {
	r := &reader{s, height}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

// Commit implements state.Backend. The changes are sorted by key, each key once. After an error the store takes no more
// commits (ErrFailed), because whether the height was stored is not known; opening it again tells.
//
// Crash points: before the transaction with the marker is durable, the height does not exist; from then on it does.
func (s *Store) Commit(height int64, changes []state.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enter(); err != nil {
		return err
	}
	defer s.users.Done()
	if s.failed {
		return ErrFailed
	}
	next := &marker{newest: height, oldest: height}
	if m := s.marker.Load(); m != nil {
		if height != m.newest+1 {
			return fmt.Errorf("%w: height %d after %d", state.ErrMisuse, height, m.newest)
		}
		next.oldest = m.oldest
		if s.window >= 0 {
			next.oldest = max(next.oldest, height-s.window)
		}
	}
	if s.leftover {
		if err := s.compareLeftover(version(height), changes); err != nil {
			return err
		}
	}
	if err := s.write(next, changes); err != nil {
		s.failed = true
		return fmt.Errorf("storing height %d: %w", height, err)
	}
	s.leftover = false
	s.marker.Store(next)
	s.db.SetDiscardTs(version(next.oldest))
	return nil
}

// write stores the changes and then the marker, in as few transactions as Badger allows.
func (s *Store) write(m *marker, changes []state.Change) error {
	v := version(m.newest)
	txn := s.begin(v)
	defer func() { txn.Discard() }()
	put := func(c state.Change) error {
		if c.Value == nil {
			return txn.Delete(c.Key)
		}
		return txn.Set(c.Key, c.Value)
	}
	value := binary.BigEndian.AppendUint64(nil, uint64(m.newest))
	value = binary.BigEndian.AppendUint64(value, uint64(m.oldest))
	for i := range len(changes) + 1 {
		c := state.Change{Key: markerKey, Value: value}
		if i < len(changes) {
			c = changes[i]
		}
		err := put(c)
		if errors.Is(err, badger.ErrTxnTooBig) {
			if err := txn.CommitAt(v, nil); err != nil {
				return err
			}
			txn = s.begin(v)
			err = put(c)
		}
		if err != nil {
			return err
		}
	}
	return txn.CommitAt(v, nil)
}

// compareLeftover checks that all a crash left above the marker is part of the height that is now committed again: the
// same keys with the same values. It fails with state.ErrCorrupted.
func (s *Store) compareLeftover(v uint64, changes []state.Change) error {
	committed := uint64(0)
	if m := s.marker.Load(); m != nil {
		committed = version(m.newest)
	}
	txn := s.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{AllVersions: true, SinceTs: committed})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		for len(changes) > 0 && bytes.Compare(changes[0].Key, item.Key()) < 0 {
			changes = changes[1:]
		}
		same := item.Version() == v && len(changes) > 0 && bytes.Equal(changes[0].Key, item.Key())
		if same {
			err := item.Value(func(value []byte) error {
				same = item.IsDeletedOrExpired() == (changes[0].Value == nil) && bytes.Equal(changes[0].Value, value)
				return nil
			})
			if err != nil {
				return fmt.Errorf("%w: %w", state.ErrCorrupted, err)
			}
		}
		if !same {
			return fmt.Errorf("%w: a crash left key %q of version %d, which the height committed now does not write",
				state.ErrCorrupted, item.Key(), item.Version())
		}
	}
	return nil
}

// Verify reads every table and checks its checksums: a pass over the whole store. It fails with state.ErrCorrupted.
func (s *Store) Verify() (err error) {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.users.Done()
	defer func() { // Badger dereferences nil where a block does not even decompress.
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", state.ErrCorrupted, r)
		}
	}()
	if err := s.db.VerifyChecksum(); err != nil {
		return fmt.Errorf("%w: %w", state.ErrCorrupted, err)
	}
	return nil
}

// Oldest returns the oldest height whose state is kept; 0 where nothing was committed.
func (s *Store) Oldest() int64 {
	if m := s.marker.Load(); m != nil {
		return m.oldest
	}
	return 0
}
