package state

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Draft is the next height in the making: a Writer over the newest snapshot. It belongs to one goroutine, and is dropped
// without a trace unless it is finished and committed.
type Draft struct {
	base    *Snapshot
	height  int64
	records map[string][]byte // nil: deleted
	keys    []string          // of records, ascending, so that Records does not look at all of them
	logs    map[string]*logDraft
	voters  map[string]*votersDraft
	index   map[string][]byte // nil: deleted
	misuse  error             // the first
}

var _ Writer = (*Draft)(nil)

// logDraft is a log that grows in a draft.
type logDraft struct {
	tree   *logTree
	first  uint64   // index of leaves[0]
	leaves [][]byte // new in this draft
	tiles  []Change // filled in this draft
}

// votersDraft is a voters' tree of which some leaves change in a draft.
type votersDraft struct {
	base   tree
	leaves map[uint64][]byte
}

func newDraft(base *Snapshot, height int64) *Draft {
	return &Draft{
		base: base, height: height,
		records: map[string][]byte{},
		logs:    map[string]*logDraft{},
		voters:  map[string]*votersDraft{},
		index:   map[string][]byte{},
	}
}

// Height implements View: the height that is being drafted.
func (d *Draft) Height() int64 { return d.height }

// Record implements View. The records that Finish writes (LogKey, VotersKey) are here still those of the height before.
func (d *Draft) Record(key string) ([]byte, error) {
	if value, written := d.records[key]; written {
		return value, nil
	}
	return d.base.Record(key)
}

// Records implements View.
func (d *Draft) Records(prefix string, fn func(key string, value []byte) error) error {
	from, _ := slices.BinarySearch(d.keys, prefix)
	written := d.keys[from:]
	if n := slices.IndexFunc(written, func(key string) bool { return !strings.HasPrefix(key, prefix) }); n >= 0 {
		written = written[:n]
	}
	emit := func(key string) error {
		if value := d.records[key]; value != nil {
			return fn(key, value)
		}
		return nil
	}
	err := d.base.Records(prefix, func(key string, value []byte) error {
		for ; len(written) > 0 && written[0] < key; written = written[1:] {
			if err := emit(written[0]); err != nil {
				return err
			}
		}
		if len(written) > 0 && written[0] == key {
			written = written[1:]
			return emit(key)
		}
		return fn(key, value)
	})
	for ; err == nil && len(written) > 0; written = written[1:] {
		err = emit(written[0])
	}
	return err
}

// Head implements View.
func (d *Draft) Head(log string) (Head, error) {
	if l := d.logs[log]; l != nil {
		return l.tree.head(), nil
	}
	return d.base.Head(log)
}

// Leaf implements View.
func (d *Draft) Leaf(log string, index uint64) ([]byte, error) {
	if l := d.logs[log]; l != nil && index >= l.first {
		if index >= l.tree.size {
			return nil, fmt.Errorf("%w: leaf %d of log %s, which has %d", ErrNotFound, index, log, l.tree.size)
		}
		return l.leaves[index-l.first], nil
	}
	return d.base.Leaf(log, index)
}

// Leaves implements View.
func (d *Draft) Leaves(log string, from, to uint64, fn func(index uint64, leaf []byte) error) error {
	return eachLeaf(d, log, from, to, fn)
}

// Voters implements View.
func (d *Draft) Voters(tree string) uint64 {
	if v := d.voters[tree]; v != nil {
		return v.base.size
	}
	return d.base.Voters(tree)
}

// Voter implements View.
func (d *Draft) Voter(tree string, index uint64) ([]byte, error) {
	if v := d.voters[tree]; v != nil {
		if leaf, written := v.leaves[index]; written {
			return leaf, nil
		}
		if d.base.Voters(tree) == 0 && index < v.base.size {
			return nil, nil
		}
	}
	return d.base.Voter(tree, index)
}

// Index implements View.
func (d *Draft) Index(key []byte) ([]byte, error) {
	if value, written := d.index[string(key)]; written {
		return value, nil
	}
	return d.base.Index(key)
}

// SetRecord implements Writer.
func (d *Draft) SetRecord(key string, value []byte) {
	if len(value) > MaxRecordValue {
		d.fail(fmt.Errorf("%w: record %q of %d bytes", ErrMisuse, key, len(value)))
		return
	}
	if value == nil {
		value = []byte{}
	}
	d.writeRecord(key, value)
}

// DeleteRecord implements Writer.
func (d *Draft) DeleteRecord(key string) { d.writeRecord(key, nil) }

func (d *Draft) writeRecord(key string, value []byte) {
	if err := checkRecordKey(key); err != nil {
		d.fail(err)
		return
	}
	if _, written := d.records[key]; !written {
		at, _ := slices.BinarySearch(d.keys, key)
		d.keys = slices.Insert(d.keys, at, key)
	}
	d.records[key] = value
}

// Append implements Writer.
func (d *Draft) Append(log string, leaf []byte) uint64 {
	l := d.logs[log]
	if l == nil {
		if err := checkKey(LogKey(log)); err != nil {
			d.fail(err)
			return 0
		}
		l = &logDraft{tree: new(logTree)}
		if t := d.base.logs[log]; t != nil {
			l.tree, l.first = t.clone(), t.size
		}
		d.logs[log] = l
	}
	if leaf == nil {
		leaf = []byte{}
	}
	l.leaves = append(l.leaves, leaf)
	l.tree.append(hashLeaf(leaf), func(level int, number uint64, hashes []Hash) {
		l.tiles = append(l.tiles, Change{tileKey(log, level, number), tileBytes(hashes)})
	})
	return l.tree.size - 1
}

// CreateVoters implements Writer.
func (d *Draft) CreateVoters(id string, size uint64) {
	known, ok := votersTree(VotersKey(id))
	if err := checkKey(VotersKey(id)); err != nil || !ok || known != id || size == 0 || size > MaxVoters || d.Voters(id) != 0 {
		d.fail(fmt.Errorf("%w: %d places for tree %q, which has %d", ErrMisuse, size, id, d.Voters(id)))
		return
	}
	d.voters[id] = &votersDraft{
		base:   tree{}.resized(0, size, func(uint64) Hash { return emptyLeaf }),
		leaves: map[uint64][]byte{},
	}
}

// SetVoter implements Writer.
func (d *Draft) SetVoter(tree string, index uint64, leaf []byte) {
	if size := d.Voters(tree); index >= size {
		d.fail(fmt.Errorf("%w: leaf %d of tree %q, which has %d", ErrMisuse, index, tree, size))
		return
	}
	v := d.voters[tree]
	if v == nil {
		v = &votersDraft{base: d.base.voters[tree], leaves: map[uint64][]byte{}}
		d.voters[tree] = v
	}
	if len(leaf) == 0 {
		leaf = nil
	}
	v.leaves[index] = leaf
}

// SetIndex implements Writer.
func (d *Draft) SetIndex(key, value []byte) {
	if len(key) == 0 || len(key) > MaxRecordKey {
		d.fail(fmt.Errorf("%w: an index key of %d bytes", ErrMisuse, len(key)))
		return
	}
	d.index[string(key)] = value
}

func (d *Draft) fail(err error) {
	if d.misuse == nil {
		d.misuse = err
	}
}

// Block is a finished draft: the state after the block of one height, and the changes that lead to it.
type Block struct {
	after   *Snapshot
	base    *Snapshot
	changes []Change
}

// Height returns the height of the block.
func (b *Block) Height() int64 { return b.after.height }

// AppHash returns the root of the record map after the block.
func (b *Block) AppHash() Hash { return b.after.AppHash() }

// Changes returns what the block writes, sorted by key. They must not be changed.
func (b *Block) Changes() []Change { return b.changes }

// Finish hashes what was written: heads of logs, roots of voters' trees, the record map. The draft must not be written to
// afterwards. The outcome depends on nothing but the base and the last value of each thing written. It fails with
// ErrMisuse where any write did.
func (d *Draft) Finish() (*Block, error) {
	if d.misuse != nil {
		return nil, d.misuse
	}
	after := &Snapshot{height: d.height, logs: maps.Clone(d.base.logs), voters: maps.Clone(d.base.voters)}
	changes := make([]Change, 0, 4*len(d.records)+len(d.index))
	for id, l := range d.logs {
		for i, leaf := range l.leaves {
			changes = append(changes, Change{numbered(keyLeaf, id, l.first+uint64(i)), leaf})
		}
		changes = append(changes, l.tiles...)
		after.logs[id] = l.tree
		d.records[LogKey(id)] = l.tree.head().Bytes()
	}
	for id, v := range d.voters {
		t := v.base.with(v.hashes())
		for index, leaf := range v.leaves {
			changes = append(changes, Change{numbered(keyVoter, id, index), leaf})
		}
		after.voters[id] = t
		d.records[VotersKey(id)] = Head{t.size, t.root()}.Bytes()
	}
	for key, value := range d.index {
		changes = append(changes, Change{indexKey([]byte(key)), value})
	}
	changed := d.changedRecords()
	for _, c := range changed {
		changes = append(changes, Change{recordKey(c.key), d.records[c.key]})
	}
	after.records = d.base.records.with(changed)
	root := after.AppHash()
	changes = append(changes, Change{[]byte{keyRoot}, root[:]})
	slices.SortFunc(changes, func(a, b Change) int { return bytes.Compare(a.Key, b.Key) })
	return &Block{after: after, base: d.base, changes: changes}, nil
}

// hashes returns the changed leaves by index.
func (v *votersDraft) hashes() []node {
	changed := make([]node, 0, len(v.leaves))
	for _, index := range slices.Sorted(maps.Keys(v.leaves)) {
		changed = append(changed, node{index, hashLeaf(v.leaves[index])})
	}
	return changed
}

// changedRecords returns the records whose value differs from that of the base, by key.
func (d *Draft) changedRecords() []recordChange {
	var changed []recordChange
	for _, key := range slices.Sorted(maps.Keys(d.records)) {
		value, c := d.records[key], recordChange{key: key}
		at, present := d.base.records.find(key)
		if value == nil {
			c.deleted = true
		} else {
			c.hash = hashRecord(key, sha256.Sum256(value))
		}
		if c.deleted == present || present && !c.deleted && c.hash != d.base.records.tree.at(0, uint64(at)) {
			changed = append(changed, c)
		}
	}
	return changed
}
