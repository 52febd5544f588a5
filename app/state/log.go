package state

import (
	"encoding/binary"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
)

// Head is the size and the Merkle tree hash of a log or of a voters' tree. As the value of a record it is the size as eight
// big-endian bytes, then the root (docs/spec sections 5.4 and 5.5).
type Head struct {
	Size uint64
	Root Hash
}

// HeadSize is the length of an encoded Head in bytes.
const HeadSize = 8 + HashSize

// Bytes returns the encoding of h, HeadSize bytes.
func (h Head) Bytes() []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, HeadSize), h.Size), h.Root[:]...)
}

// ParseHead decodes exactly HeadSize bytes. A head of size 0 must have the root of the empty tree. It fails with ErrProof.
func ParseHead(b []byte) (Head, error) {
	if len(b) != HeadSize {
		return Head{}, fmt.Errorf("%w: a head of %d bytes", ErrProof, len(b))
	}
	h := Head{binary.BigEndian.Uint64(b), Hash(b[8:])}
	if h.Size == 0 && h.Root != emptyRoot {
		return Head{}, fmt.Errorf("%w: an empty tree with another root", ErrProof)
	}
	return h, nil
}

// tileHeight is the number of levels of a tile, tileWidth the number of hashes at its bottom.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// logTree is an append-only RFC 6962 tree of which only the right edge is in memory: edge[k] holds the nodes of level 8k
// that do not fill a tile yet, fewer than tileWidth. Full tiles lie in the backend, written once (docs/spec section 5.4).
type logTree struct {
	size uint64
	edge [][]Hash
}

// clone returns a copy that may be appended to.
func (t *logTree) clone() *logTree {
	c := &logTree{size: t.size, edge: make([][]Hash, len(t.edge))}
	for k, hashes := range t.edge {
		c.edge[k] = append(make([]Hash, 0, tileWidth), hashes...)
	}
	return c
}

// append adds the hash of a leaf and reports every tile that it fills: the level of the tile, its number and its hashes.
func (t *logTree) append(leaf Hash, full func(level int, number uint64, hashes []Hash)) {
	t.size++
	for k := 0; ; k++ {
		if k == len(t.edge) {
			t.edge = append(t.edge, nil)
		}
		t.edge[k] = append(t.edge[k], leaf)
		if len(t.edge[k]) < tileWidth {
			return
		}
		full(k, t.size>>(tileHeight*(k+1))-1, t.edge[k])
		leaf, t.edge[k] = rootOf(t.edge[k]), nil
	}
}

// rootOf returns the root over a power of two of nodes.
func rootOf(nodes []Hash) Hash {
	row := append([]Hash(nil), nodes...)
	for ; len(row) > 1; row = row[:len(row)/2] {
		for i := range len(row) / 2 {
			row[i] = hashNode(row[2*i], row[2*i+1])
		}
	}
	return row[0]
}

// tileReader returns the hashes of a full tile.
type tileReader func(level int, number uint64) ([]Hash, error)

// node returns the root of the perfect subtree id, which must lie within the tree.
func (t *logTree) node(id compact.NodeID, tile tileReader) (Hash, error) {
	level, shift := int(id.Level)/tileHeight, id.Level%tileHeight
	first := id.Index << shift // among the nodes of level 8*level
	number, at := first/tileWidth, first%tileWidth
	var row []Hash
	if number < t.size>>(tileHeight*(level+1)) {
		var err error
		if row, err = tile(level, number); err != nil {
			return Hash{}, err
		}
	} else {
		row = t.edge[level]
	}
	return rootOf(row[at : at+1<<shift]), nil
}

// nodes returns the hashes of some perfect subtrees.
func (t *logTree) nodes(ids []compact.NodeID, tile tileReader) ([][]byte, error) {
	out := make([][]byte, len(ids))
	for i, id := range ids {
		h, err := t.node(id, tile)
		if err != nil {
			return nil, err
		}
		out[i] = h[:]
	}
	return out, nil
}

// head returns size and root. All nodes it needs are in the edge.
func (t *logTree) head() Head {
	if t.size == 0 {
		return Head{0, emptyRoot}
	}
	rows, err := t.nodes(compact.RangeNodes(0, t.size, nil), nil)
	if err != nil {
		panic("state: the head of a log reads no tile: " + err.Error())
	}
	root := rows[len(rows)-1]
	for i := len(rows) - 2; i >= 0; i-- {
		root = hashChildren(rows[i], root)
	}
	return Head{t.size, Hash(root)}
}

// prove turns the plan of a proof into its hashes.
func (t *logTree) prove(plan proof.Nodes, tile tileReader) ([][]byte, error) {
	hashes, err := t.nodes(plan.IDs, tile)
	if err != nil {
		return nil, err
	}
	return plan.Rehash(hashes, hashChildren)
}

// tileBytes returns the value of a tile: its hashes one after the other.
func tileBytes(hashes []Hash) []byte {
	b := make([]byte, 0, tileWidth*HashSize)
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

// parseTile decodes the value of a full tile. It fails with ErrCorrupted.
func parseTile(b []byte) ([]Hash, error) {
	if len(b) != tileWidth*HashSize {
		return nil, fmt.Errorf("%w: a tile of %d bytes", ErrCorrupted, len(b))
	}
	hashes := make([]Hash, tileWidth)
	for i := range hashes {
		hashes[i] = Hash(b[i*HashSize:])
	}
	return hashes, nil
}
