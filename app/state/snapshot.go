package state

import (
	"crypto/sha256"
	"fmt"
	"sort"

	"github.com/transparency-dev/merkle/proof"

	pb "votenode/proto/votenode/v1"
)

// Snapshot is the state after the block of one height, with all trees. It is immutable and implements View; it can in
// addition prove what it says. Records and voters' leaves are checked against their trees whenever they are read from the backend, so
// that bytes that rotted on the disk are ErrCorrupted and never part of a transition.
type Snapshot struct {
	height  int64
	reader  Reader // the bytes at height; nil until committed
	records *recordMap
	logs    map[string]*logTree
	voters  map[string]tree
	read    memo // owned by Record
}

var _ View = (*Snapshot)(nil)

// newSnapshot returns the state of a height in which there is nothing.
func newSnapshot(height int64, reader Reader) *Snapshot {
	return &Snapshot{
		height: height, reader: reader,
		records: new(recordMap), logs: map[string]*logTree{}, voters: map[string]tree{},
	}
}

// Height implements View.
func (s *Snapshot) Height() int64 { return s.height }

// AppHash returns the root of the record map: what CometBFT puts into the header of the next height.
func (s *Snapshot) AppHash() Hash { return s.records.tree.root() }

// Record implements View.
func (s *Snapshot) Record(key string) ([]byte, error) {
	at, present := s.records.find(key)
	if !present {
		return nil, nil
	}
	if value, known := s.read.get(key); known {
		return value, nil
	}
	value, err := s.must(recordKey(key))
	if err == nil && hashRecord(key, sha256.Sum256(value)) != s.records.tree.at(0, uint64(at)) {
		err = fmt.Errorf("%w: record %s of height %d is not what was written", ErrCorrupted, key, s.height)
	}
	if err == nil {
		s.read.put(key, value)
	}
	return value, err
}

// Records implements View.
func (s *Snapshot) Records(prefix string, fn func(key string, value []byte) error) error {
	for _, key := range s.records.withPrefix(prefix) {
		value, err := s.Record(key)
		if err != nil {
			return err
		}
		if err := fn(key, value); err != nil {
			return err
		}
	}
	return nil
}

// Keys returns up to limit keys of records that start with prefix and lie behind after, ascending. They must not be changed.
func (s *Snapshot) Keys(prefix, after string, limit int) []string {
	keys := s.records.withPrefix(prefix)
	from := sort.Search(len(keys), func(i int) bool { return keys[i] > after })
	return keys[from:min(from+max(limit, 0), len(keys))]
}

// Head implements View.
func (s *Snapshot) Head(log string) (Head, error) {
	if t := s.logs[log]; t != nil {
		return t.head(), nil
	}
	return Head{0, emptyRoot}, nil
}

// size returns the size of a log.
func (s *Snapshot) size(log string) uint64 {
	if t := s.logs[log]; t != nil {
		return t.size
	}
	return 0
}

// Leaf implements View.
func (s *Snapshot) Leaf(log string, index uint64) ([]byte, error) {
	if size := s.size(log); index >= size {
		return nil, fmt.Errorf("%w: leaf %d of log %s, which has %d", ErrNotFound, index, log, size)
	}
	return s.must(numbered(keyLeaf, log, index))
}

// Leaves implements View.
func (s *Snapshot) Leaves(log string, from, to uint64, fn func(index uint64, leaf []byte) error) error {
	return eachLeaf(s, log, from, to, fn)
}

// eachLeaf implements Leaves by Leaf.
func eachLeaf(v View, log string, from, to uint64, fn func(index uint64, leaf []byte) error) error {
	for i := from; i < to; i++ {
		leaf, err := v.Leaf(log, i)
		if err != nil {
			return err
		}
		if err := fn(i, leaf); err != nil {
			return err
		}
	}
	return nil
}

// Voters implements View.
func (s *Snapshot) Voters(tree string) uint64 { return s.voters[tree].size }

// Voter implements View.
func (s *Snapshot) Voter(tree string, index uint64) ([]byte, error) {
	if size := s.Voters(tree); index >= size {
		return nil, fmt.Errorf("%w: leaf %d of tree %s, which has %d", ErrNotFound, index, tree, size)
	}
	hash := s.voters[tree].at(0, index)
	if hash == emptyLeaf {
		return nil, nil
	}
	leaf, err := s.reader.Get(numbered(keyVoter, tree, index))
	if err == nil && hashLeaf(leaf) != hash {
		err = fmt.Errorf("%w: leaf %d of tree %s is not what was written", ErrCorrupted, index, tree)
	}
	return leaf, err
}

// Index implements View.
func (s *Snapshot) Index(key []byte) ([]byte, error) { return s.reader.Get(indexKey(key)) }

// must reads a key that the trees say is there.
func (s *Snapshot) must(key []byte) ([]byte, error) {
	value, err := s.reader.Get(key)
	if err == nil && value == nil {
		err = fmt.Errorf("%w: nothing stored at key %q of height %d", ErrCorrupted, key, s.height)
	}
	return value, err
}

// ProveRecord returns the proof of a record's value, or of its absence, under the AppHash. See VerifyRecord and
// VerifyAbsence.
func (s *Snapshot) ProveRecord(key string) (*pb.RecordProof, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return s.records.prove(key, s.Record)
}

// Place returns the place of a record among all, by key, and their number: what other proofs of the same tree go by. It fails with
// ErrNotFound.
func (s *Snapshot) Place(key string) (index, total uint64, err error) {
	at, present := s.records.find(key)
	if !present {
		return 0, 0, fmt.Errorf("%w: record %q", ErrNotFound, key)
	}
	return uint64(at), s.records.tree.size, nil
}

// ProveInclusion returns the proof that a leaf of a log is among its first size leaves: sibling hashes from the leaf up, as
// VerifyInclusion takes them. It fails with ErrNotFound unless index < size <= the size of the log.
func (s *Snapshot) ProveInclusion(log string, index, size uint64) ([][]byte, error) {
	if have := s.size(log); index >= size || size > have {
		return nil, fmt.Errorf("%w: leaf %d of the first %d of log %s, which has %d", ErrNotFound, index, size, log, have)
	}
	plan, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, err
	}
	return s.logs[log].prove(plan, s.tiles(log))
}

// ProveConsistency returns the proof that the first m leaves of a log are the first of its first n, as VerifyConsistency
// takes it. It fails with ErrNotFound unless m <= n <= the size of the log.
func (s *Snapshot) ProveConsistency(log string, m, n uint64) ([][]byte, error) {
	if have := s.size(log); m > n || n > have {
		return nil, fmt.Errorf("%w: sizes %d and %d of log %s, which has %d", ErrNotFound, m, n, log, have)
	}
	plan, err := proof.Consistency(m, n)
	if err != nil {
		return nil, err
	}
	return s.logs[log].prove(plan, s.tiles(log))
}

// ProveVoter returns the proof of a leaf of a voters' or members' tree: sibling hashes from the leaf up, as VerifyInclusion
// takes them with the head from the record VotersKey. It fails with ErrNotFound.
func (s *Snapshot) ProveVoter(tree string, index uint64) ([][]byte, error) {
	t := s.voters[tree]
	if index >= t.size {
		return nil, fmt.Errorf("%w: leaf %d of tree %s, which has %d", ErrNotFound, index, tree, t.size)
	}
	return t.path(index), nil
}

// tiles reads the full tiles of a log.
func (s *Snapshot) tiles(log string) tileReader {
	return func(level int, number uint64) ([]Hash, error) {
		b, err := s.must(tileKey(log, level, number))
		if err != nil {
			return nil, err
		}
		return parseTile(b)
	}
}

// tileKey returns the key of a full tile; level and number share the eight bytes of the number.
func tileKey(log string, level int, number uint64) []byte {
	return numbered(keyTile, log, uint64(level)<<56|number)
}
