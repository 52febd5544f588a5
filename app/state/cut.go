package state

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/transparency-dev/merkle/compact"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

// Bounds of a snapshot on its way to another node (docs/spec section 14.2).
const (
	// MaxManifest is the greatest length of a manifest in bytes; CometBFT carries no more than 4,000,000 beside it.
	MaxManifest = 3 << 20
	// MaxChunk is the greatest length of a chunk in bytes.
	MaxChunk = 6 << 20
	// MaxPlaces is the greatest number of places of a tree in one chunk.
	MaxPlaces = 1 << 20

	// fullChunk ends a chunk: with the entry that brings it to so many bytes, of which each entry counts entryBytes more than it holds.
	fullChunk  = 4 << 20
	entryBytes = 16
)

// ranges makes the compact ranges by which a chunk is proven.
var ranges = compact.RangeFactory{Hash: hashChildren}

// Cut divides the state into chunks (docs/spec section 14.2), hands each to put, numbered from 0 on, and returns the manifest. The chunks
// and the manifest depend on the state alone.
//
// Logs only grow, so their full chunks are those of every earlier snapshot, too. Where before is the manifest of one, keep is called in place
// of put for those, with the number that the chunk had there, and nothing of it is read. Cut fails with ErrPruned where the height is
// not kept any more, and as put and keep do.
func (s *Snapshot) Cut(before *pb.SnapshotManifest, put func(chunk int, content []byte) error, keep func(chunk, old int) error) (*pb.SnapshotManifest, error) {
	c := &cutter{from: s, put: put, keep: keep, manifest: &pb.SnapshotManifest{Height: s.height}}
	if err := c.records(); err != nil {
		return nil, err
	}
	for _, head := range s.heads() {
		log, isLog := logOf(head)
		var err error
		if isLog {
			err = c.log(log, fullParts(before, head))
		} else {
			id, _ := votersTree(head)
			err = c.voters(id)
		}
		if err != nil {
			return nil, err
		}
	}
	return c.manifest, nil
}

// heads returns the keys of the records that hold heads, ascending.
func (s *Snapshot) heads() []string {
	var heads []string
	for log := range s.logs {
		heads = append(heads, LogKey(log))
	}
	for id := range s.voters {
		heads = append(heads, VotersKey(id))
	}
	slices.Sort(heads)
	return heads
}

// cutter makes chunks in order.
type cutter struct {
	from     *Snapshot
	put      func(chunk int, content []byte) error
	keep     func(chunk, old int) error
	manifest *pb.SnapshotManifest
	chunks   int

	nodes *compact.Range // over the places of the chunk in the making
	chunk pb.SnapshotChunk
	bytes int
}

// begin starts a tree.
func (c *cutter) begin(head string) *pb.SnapshotTree {
	c.manifest.Trees = append(c.manifest.Trees, pb.SnapshotTree{Head: head})
	c.nodes = ranges.NewEmptyRange(0)
	return &c.manifest.Trees[len(c.manifest.Trees)-1]
}

// place adds a place with the hash of its leaf, and the entry for it, which is nil for an empty leaf. It ends a chunk that is full.
func (c *cutter) place(tree *pb.SnapshotTree, hash Hash, entry *pb.SnapshotEntry) error {
	if err := c.nodes.Append(hash[:], nil); err != nil {
		return err
	}
	if entry != nil {
		c.chunk.Entries = append(c.chunk.Entries, *entry)
		c.bytes += len(entry.Key) + len(entry.Value) + entryBytes
	}
	if c.bytes >= fullChunk || c.nodes.End()-c.nodes.Begin() == MaxPlaces {
		return c.end(tree)
	}
	return nil
}

// end ends the chunk in the making, if it has a place.
func (c *cutter) end(tree *pb.SnapshotTree) error {
	places := c.nodes.End() - c.nodes.Begin()
	if places == 0 {
		return nil
	}
	c.chunk.Places = places
	if err := c.put(c.chunks, election.Encode(&c.chunk)); err != nil {
		return err
	}
	c.chunks++
	tree.Parts = append(tree.Parts, pb.SnapshotPart{Places: places, Nodes: c.nodes.Hashes()})
	c.nodes, c.chunk.Entries, c.bytes = ranges.NewEmptyRange(c.nodes.End()), nil, 0
	return nil
}

func (c *cutter) records() error {
	tree := c.begin("")
	for i, key := range c.from.records.keys {
		value, err := c.from.must(recordKey(key))
		if err != nil {
			return err
		}
		hash := hashRecord(key, sha256.Sum256(value))
		if hash != c.from.records.tree.at(0, uint64(i)) {
			return fmt.Errorf("%w: record %s of height %d is not what was written", ErrCorrupted, key, c.from.height)
		}
		if err := c.place(tree, hash, &pb.SnapshotEntry{Key: key, Value: bytes.Clone(value)}); err != nil {
			return err
		}
	}
	return c.end(tree)
}

// oldPart is a chunk of an earlier snapshot.
type oldPart struct {
	pb.SnapshotPart
	chunk int
}

// fullParts returns the chunks of a log in an earlier snapshot, but for the last one, which may have ended with the log.
func fullParts(before *pb.SnapshotManifest, head string) (parts []oldPart) {
	chunk := 0
	for _, tree := range before.GetTrees() {
		for i, part := range tree.Parts {
			if tree.Head == head && i < len(tree.Parts)-1 {
				parts = append(parts, oldPart{part, chunk})
			}
			chunk++
		}
	}
	return parts
}

func (c *cutter) log(log string, known []oldPart) error {
	tree := c.begin(LogKey(log))
	next := uint64(0)
	for _, old := range known {
		if err := c.keep(c.chunks, old.chunk); err != nil {
			return err
		}
		c.chunks++
		next += old.Places
		tree.Parts = append(tree.Parts, old.SnapshotPart)
	}
	c.nodes = ranges.NewEmptyRange(next)
	for ; next < c.from.logs[log].size; next++ {
		leaf, err := c.from.Leaf(log, next)
		if err != nil {
			return err
		}
		if err := c.place(tree, hashLeaf(leaf), &pb.SnapshotEntry{Value: leaf}); err != nil {
			return err
		}
	}
	return c.end(tree)
}

func (c *cutter) voters(id string) error {
	tree := c.begin(VotersKey(id))
	all := c.from.voters[id]
	for i := range all.size {
		hash := all.at(0, i)
		var entry *pb.SnapshotEntry
		if hash != emptyLeaf {
			leaf, err := c.from.Voter(id, i)
			if err != nil {
				return err
			}
			entry = &pb.SnapshotEntry{Index: i, Value: leaf}
		}
		if err := c.place(tree, hash, entry); err != nil {
			return err
		}
	}
	return c.end(tree)
}
