package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// OpenAt rebuilds the snapshot of a committed height from the backend, in a pass over all records and over the leaves of all
// voters' trees: seconds for a million voters. It fails with ErrPruned, or with ErrCorrupted where what is stored does not
// hash to the root that stands for it.
func OpenAt(b Backend, height int64) (*Snapshot, error) {
	return load(b, height, newSnapshot(height, nil))
}

// load is OpenAt that shares with a snapshot of another height what is equal.
func load(b Backend, height int64, near *Snapshot) (*Snapshot, error) {
	reader, err := b.At(height)
	if err != nil {
		return nil, err
	}
	s := newSnapshot(height, reader)
	heads, err := s.loadRecords(near.records)
	if err != nil {
		return nil, err
	}
	for key, head := range heads {
		if tree, ok := votersTree(key); ok {
			err = s.loadVoters(tree, head, near.voters[tree])
		} else {
			err = s.loadLog(strings.TrimPrefix(key, logPrefix), head)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// loadRecords builds the record map, checks it against the AppHash, and returns the heads among the records.
func (s *Snapshot) loadRecords(near *recordMap) (map[string]Head, error) {
	var keys []string
	var hashes []Hash
	heads := map[string]Head{}
	err := s.reader.Iterate([]byte{keyRecord}, func(k, value []byte) error {
		key := string(k[1:])
		keys, hashes = append(keys, key), append(hashes, hashRecord(key, sha256.Sum256(value)))
		_, voters := votersTree(key)
		if !voters && !strings.HasPrefix(key, logPrefix) {
			return nil
		}
		head, err := ParseHead(value)
		if err != nil {
			return fmt.Errorf("%w: record %s: %w", ErrCorrupted, key, err)
		}
		heads[key] = head
		return nil
	})
	if err != nil {
		return nil, err
	}
	if slices.Equal(keys, near.keys) {
		keys = near.keys
	}
	s.records = &recordMap{keys: keys, tree: near.tree.changedTo(hashes)}
	root, err := s.must([]byte{keyRoot})
	if appHash := s.AppHash(); err == nil && !bytes.Equal(root, appHash[:]) {
		err = fmt.Errorf("%w: the records of height %d do not hash to its AppHash", ErrCorrupted, s.height)
	}
	return heads, err
}

// loadVoters builds a voters' or members' tree from its leaves.
func (s *Snapshot) loadVoters(id string, head Head, near tree) error {
	if head.Size == 0 || head.Size > MaxVoters {
		return fmt.Errorf("%w: a voters' tree of %d places", ErrCorrupted, head.Size)
	}
	leaves := make([]Hash, head.Size)
	for i := range leaves {
		leaves[i] = emptyLeaf
	}
	prefix := numbered(keyVoter, id, 0)
	prefix = prefix[:len(prefix)-8]
	err := s.reader.Iterate(prefix, func(key, value []byte) error {
		if len(key) != len(prefix)+8 {
			return fmt.Errorf("%w: key %q", ErrCorrupted, key)
		}
		i := binary.BigEndian.Uint64(key[len(prefix):])
		if i >= head.Size {
			return fmt.Errorf("%w: leaf %d of tree %s, which has %d", ErrCorrupted, i, id, head.Size)
		}
		leaves[i] = hashLeaf(value)
		return nil
	})
	if err != nil {
		return err
	}
	t := near.changedTo(leaves)
	if t.root() != head.Root {
		return fmt.Errorf("%w: the leaves of tree %s do not hash to the root on record", ErrCorrupted, id)
	}
	s.voters[id] = t
	return nil
}

// loadLog builds the right edge of a log: the newest leaves are hashed, and each level above takes the roots of the full
// tiles below it.
func (s *Snapshot) loadLog(log string, head Head) error {
	t := &logTree{size: head.Size}
	s.logs[log] = t
	for level := 0; head.Size>>(tileHeight*level) > 0; level++ {
		nodes := head.Size >> (tileHeight * level)
		row := make([]Hash, 0, tileWidth)
		for i := nodes - nodes%tileWidth; i < nodes; i++ {
			h, err := s.edgeNode(log, level, i)
			if err != nil {
				return err
			}
			row = append(row, h)
		}
		t.edge = append(t.edge, row)
	}
	if t.head() != head {
		return fmt.Errorf("%w: the newest leaves of log %s do not hash to the root on record", ErrCorrupted, log)
	}
	return nil
}

// edgeNode computes a node of level 8*level from the leaf or the full tile below it.
func (s *Snapshot) edgeNode(log string, level int, index uint64) (Hash, error) {
	if level == 0 {
		leaf, err := s.Leaf(log, index)
		return hashLeaf(leaf), err
	}
	hashes, err := s.tiles(log)(level-1, index)
	if err != nil {
		return Hash{}, err
	}
	return rootOf(hashes), nil
}
