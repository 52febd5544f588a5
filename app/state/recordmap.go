package state

import (
	"crypto/sha256"
	"encoding/binary"
	"sort"
	"strings"

	pb "votenode/proto/votenode/v1"
)

// recordMap is the sorted Merkle map of all records at one height (docs/spec section 5.3). It holds keys and hashes; the
// values are read from the backend. Immutable.
type recordMap struct {
	keys []string // ascending
	tree tree     // leaf i belongs to keys[i]
}

// hashRecord returns the leaf hash of a record, CometBFT's "simple:v":
//
//	SHA-256(0x00 || uvarint(len key) || key || uvarint(32) || SHA-256(value))
func hashRecord(key string, valueHash Hash) Hash {
	b := make([]byte, 0, MaxRecordKey+40)
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	b = binary.AppendUvarint(b, HashSize)
	b = append(b, valueHash[:]...)
	return hashLeaf(b)
}

// recordChange is one changed record: a leaf hash, or gone.
type recordChange struct {
	key     string
	hash    Hash
	deleted bool
}

// find returns the place of a key, and whether it is there.
func (m *recordMap) find(key string) (int, bool) {
	i := sort.SearchStrings(m.keys, key)
	return i, i < len(m.keys) && m.keys[i] == key
}

// withPrefix returns the keys that start with prefix, ascending.
func (m *recordMap) withPrefix(prefix string) []string {
	from := sort.SearchStrings(m.keys, prefix)
	n := sort.Search(len(m.keys)-from, func(i int) bool { return !strings.HasPrefix(m.keys[from+i], prefix) })
	return m.keys[from : from+n]
}

// with returns the map after some changes, which are sorted by key, each key once. Changed values cost O(log n) each; a new
// or deleted key costs a pass from there to the right.
func (m *recordMap) with(changes []recordChange) *recordMap {
	var set []node
	for i, c := range changes {
		at, present := m.find(c.key)
		switch {
		case present && !c.deleted:
			set = append(set, node{uint64(at), c.hash})
		case present || !c.deleted:
			left := &recordMap{keys: m.keys, tree: m.tree.with(set)}
			return left.merged(at, changes[i:])
		}
	}
	return &recordMap{keys: m.keys, tree: m.tree.with(set)}
}

// merged returns the map whose keys below place from stay, and whose others are merged with changes.
func (m *recordMap) merged(from int, changes []recordChange) *recordMap {
	keys := append(make([]string, 0, len(m.keys)+len(changes)), m.keys[:from]...)
	var hashes []Hash
	for i := from; i < len(m.keys) || len(changes) > 0; {
		if len(changes) == 0 || i < len(m.keys) && m.keys[i] < changes[0].key {
			keys, hashes = append(keys, m.keys[i]), append(hashes, m.tree.at(0, uint64(i)))
			i++
			continue
		}
		c := changes[0]
		changes = changes[1:]
		if i < len(m.keys) && m.keys[i] == c.key {
			i++
		}
		if !c.deleted {
			keys, hashes = append(keys, c.key), append(hashes, c.hash)
		}
	}
	leaf := func(index uint64) Hash { return hashes[index-uint64(from)] }
	return &recordMap{keys: keys, tree: m.tree.resized(uint64(from), uint64(len(keys)), leaf)}
}

// prove returns the proof of a key: its own leaf, or the neighbours between which it is absent. value reads a record.
func (m *recordMap) prove(key string, value func(key string) ([]byte, error)) (*pb.RecordProof, error) {
	at, present := m.find(key)
	proof := &pb.RecordProof{Key: key, Absent: !present}
	first, last := at-1, at
	if present {
		first = at
	}
	for i := max(first, 0); i <= last && i < len(m.keys); i++ {
		v, err := value(m.keys[i])
		if err != nil {
			return nil, err
		}
		if !present {
			h := sha256.Sum256(v)
			v = h[:]
		}
		proof.Leaves = append(proof.Leaves, &pb.RecordLeaf{
			Key: m.keys[i], Value: v, Turns: turnsOf(uint64(i), m.tree.size), Path: m.tree.path(uint64(i)),
		})
	}
	return proof, nil
}
