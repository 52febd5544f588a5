package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/transparency-dev/merkle/compact"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

var (
	// ErrSnapshot says that a snapshot as a whole does not show the state that it is said to be.
	ErrSnapshot = errors.New("the snapshot does not show the state")
	// ErrChunk says that a chunk is not the one that the snapshot's manifest names: whoever sent it is to blame.
	ErrChunk = errors.New("this is not the chunk")
)

// Rebuild makes the stored form of a state from the chunks of a snapshot, in order. Each chunk is held against the AppHash when it comes and
// before any of it is given out, so the manifest need not be trusted.
type Rebuild struct {
	appHash  Hash
	manifest *pb.SnapshotManifest
	chunks   int

	tree, part int             // of the next chunk
	first      uint64          // place of its first leaf
	heads      map[string]Head // as the records say, complete when the record map is
	log        *logTree        // of the tree that is being rebuilt
}

// NewRebuild takes a manifest of at most MaxManifest bytes and the state that it must be of. It fails with ErrSnapshot where the parts of
// the record map do not hash to the AppHash, or the manifest is malformed.
func NewRebuild(manifest []byte, height int64, appHash Hash) (*Rebuild, error) {
	r := &Rebuild{appHash: appHash, manifest: new(pb.SnapshotManifest), heads: map[string]Head{}}
	if len(manifest) > MaxManifest || election.Decode(manifest, r.manifest) != nil {
		return nil, fmt.Errorf("%w: a malformed manifest of %d bytes", ErrSnapshot, len(manifest))
	}
	trees := r.manifest.Trees
	if r.manifest.Height != height || len(trees) == 0 || trees[0].Head != "" {
		return nil, fmt.Errorf("%w: the manifest is of height %d with %d trees, not of height %d", ErrSnapshot, r.manifest.Height, len(trees), height)
	}
	for i := range trees {
		if i > 0 && trees[i].Head <= trees[i-1].Head {
			return nil, fmt.Errorf("%w: the trees of the manifest are not in order", ErrSnapshot)
		}
		head, err := headOf(&trees[i])
		if err != nil {
			return nil, err
		}
		if i == 0 && head.Root != appHash {
			return nil, fmt.Errorf("%w: its records hash to %x, the state's to %x", ErrSnapshot, head.Root, appHash)
		}
		r.chunks += len(trees[i].Parts)
	}
	return r, nil
}

// headOf returns size and root of a tree from its parts.
func headOf(tree *pb.SnapshotTree) (Head, error) {
	whole := ranges.NewEmptyRange(0)
	for _, part := range tree.Parts {
		nodes, err := nodesOf(&part, whole.End())
		if err != nil {
			return Head{}, err
		}
		if err := whole.AppendRange(nodes, nil); err != nil {
			return Head{}, fmt.Errorf("%w: tree %q: %w", ErrSnapshot, tree.Head, err)
		}
	}
	root, err := whole.GetRootHash(nil)
	if err != nil || len(root) != HashSize {
		return Head{}, fmt.Errorf("%w: tree %q has no root", ErrSnapshot, tree.Head)
	}
	return Head{whole.End(), Hash(root)}, nil
}

// nodesOf reads the nodes of a part that begins at a place.
func nodesOf(part *pb.SnapshotPart, first uint64) (*compact.Range, error) {
	if part.Places == 0 || part.Places > MaxPlaces {
		return nil, fmt.Errorf("%w: a part of %d places", ErrSnapshot, part.Places)
	}
	for _, node := range part.Nodes {
		if len(node) != HashSize {
			return nil, fmt.Errorf("%w: a node of %d bytes", ErrSnapshot, len(node))
		}
	}
	nodes, err := ranges.NewRange(first, first+part.Places, part.Nodes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	return nodes, nil
}

// Chunks returns the number of chunks.
func (r *Rebuild) Chunks() int { return r.chunks }

// Complete says whether every chunk was taken.
func (r *Rebuild) Complete() bool { return r.tree == len(r.manifest.Trees) }

// Take takes the next chunk and returns what of the stored state it holds, in no order. It fails with ErrChunk where the chunk is not the one
// of the manifest, and can then be tried with another one; and with ErrSnapshot where the manifest is to blame.
func (r *Rebuild) Take(content []byte) ([]Change, error) {
	if r.Complete() {
		return nil, fmt.Errorf("%w: it is behind the last one", ErrChunk)
	}
	var chunk pb.SnapshotChunk
	if len(content) > MaxChunk || election.Decode(content, &chunk) != nil {
		return nil, fmt.Errorf("%w: malformed, %d bytes", ErrChunk, len(content))
	}
	tree := &r.manifest.Trees[r.tree]
	part := &tree.Parts[r.part]
	if chunk.Places != part.Places {
		return nil, fmt.Errorf("%w: it has %d places, not %d", ErrChunk, chunk.Places, part.Places)
	}
	hashes, err := r.hashes(tree.Head, part.Places, chunk.Entries)
	if err != nil {
		return nil, err
	}
	nodes := ranges.NewEmptyRange(r.first)
	for _, hash := range hashes {
		if err := nodes.Append(hash[:], nil); err != nil {
			return nil, err
		}
	}
	if want, err := nodesOf(part, r.first); err != nil || !nodes.Equal(want) {
		return nil, fmt.Errorf("%w: chunk %d of tree %q does not hash to what its manifest says", ErrChunk, r.part, tree.Head)
	}
	changes, err := r.changes(tree.Head, hashes, chunk.Entries)
	if err != nil {
		return nil, err
	}
	r.first += part.Places
	if r.part++; r.part < len(tree.Parts) {
		return changes, nil
	}
	if tree.Head == "" {
		err = r.checkHeads()
		changes = append(changes, Change{[]byte{keyRoot}, r.appHash[:]})
	}
	r.tree, r.part, r.first, r.log = r.tree+1, 0, 0, nil
	return changes, err
}

// hashes returns the hash of the leaf of every place of a part.
func (r *Rebuild) hashes(head string, places uint64, entries []pb.SnapshotEntry) ([]Hash, error) {
	_, voters := votersTree(head)
	if uint64(len(entries)) > places || !voters && uint64(len(entries)) != places {
		return nil, fmt.Errorf("%w: %d entries for %d places", ErrChunk, len(entries), places)
	}
	hashes := make([]Hash, places)
	if voters {
		for i := range hashes {
			hashes[i] = emptyLeaf
		}
	}
	last := -1
	for i := range entries {
		e := &entries[i]
		at := i
		if voters {
			if e.Index < r.first || e.Index-r.first >= places || len(e.Value) == 0 || int(e.Index-r.first) <= last {
				return nil, fmt.Errorf("%w: voter %d is out of place", ErrChunk, e.Index)
			}
			at = int(e.Index - r.first)
			last = at
		}
		if (head != "") != (e.Key == "") || !voters && e.Index != 0 {
			return nil, fmt.Errorf("%w: entry %d is of another tree", ErrChunk, i)
		}
		if head == "" {
			if len(e.Key) > MaxRecordKey || len(e.Value) > MaxRecordValue {
				return nil, fmt.Errorf("%w: a record of %d bytes", ErrChunk, len(e.Value))
			}
			hashes[at] = hashRecord(e.Key, sha256.Sum256(e.Value))
		} else {
			hashes[at] = hashLeaf(e.Value)
		}
	}
	return hashes, nil
}

// changes turns entries that have been verified into what is stored.
func (r *Rebuild) changes(head string, hashes []Hash, entries []pb.SnapshotEntry) ([]Change, error) {
	changes := make([]Change, 0, len(entries)+len(entries)/tileWidth+1)
	value := func(b []byte) []byte {
		if b == nil {
			return []byte{}
		}
		return b
	}
	log, isLog := logOf(head)
	if isLog && r.log == nil {
		r.log = new(logTree)
	}
	id, _ := votersTree(head)
	for i := range entries {
		e := &entries[i]
		switch {
		case head == "":
			changes = append(changes, Change{recordKey(e.Key), value(e.Value)})
			_, voters := votersTree(e.Key)
			if !voters && !strings.HasPrefix(e.Key, logPrefix) {
				continue
			}
			var err error
			if r.heads[e.Key], err = ParseHead(e.Value); err != nil {
				return nil, fmt.Errorf("%w: record %s: %w", ErrSnapshot, e.Key, err)
			}
		case isLog:
			changes = append(changes, Change{numbered(keyLeaf, log, r.first+uint64(i)), value(e.Value)})
			r.log.append(hashes[i], func(level int, number uint64, full []Hash) {
				changes = append(changes, Change{tileKey(log, level, number), tileBytes(full)})
			})
		default:
			changes = append(changes, Change{numbered(keyVoter, id, e.Index), e.Value})
		}
	}
	return changes, nil
}

// checkHeads holds the other trees of the manifest against what the records say of them.
func (r *Rebuild) checkHeads() error {
	trees := r.manifest.Trees[1:]
	if len(trees) != len(r.heads) {
		return fmt.Errorf("%w: %d logs and voters' trees, the records name %d", ErrSnapshot, len(trees), len(r.heads))
	}
	for i := range trees {
		head, err := headOf(&trees[i])
		if err != nil {
			return err
		}
		if want, known := r.heads[trees[i].Head]; !known || !bytes.Equal(want.Bytes(), head.Bytes()) {
			return fmt.Errorf("%w: the tree %q has another head than its record says", ErrSnapshot, trees[i].Head)
		}
	}
	return nil
}

// LeafOf returns the log and the index of a leaf that a change writes, and false for any other change.
func LeafOf(c Change) (log string, index uint64, ok bool) {
	if !IsLeafKey(c.Key) || len(c.Key) < 10 {
		return "", 0, false
	}
	at := len(c.Key) - 9
	return string(c.Key[1:at]), binary.BigEndian.Uint64(c.Key[at+1:]), true
}

// IndexChange returns the change that sets an entry of the unauthenticated index.
func IndexChange(key, value []byte) Change { return Change{indexKey(key), value} }
