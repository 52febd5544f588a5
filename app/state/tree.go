package state

import (
	"crypto/sha256"

	"github.com/transparency-dev/merkle/rfc6962"
)

// hashLeaf returns SHA-256(0x00 || leaf), RFC 6962 section 2.1.
func hashLeaf(leaf []byte) Hash { return Hash(rfc6962.DefaultHasher.HashLeaf(leaf)) }

// hashNode returns SHA-256(0x01 || left || right), RFC 6962 section 2.1.
func hashNode(left, right Hash) Hash {
	var b [1 + 2*HashSize]byte
	b[0] = rfc6962.RFC6962NodeHashPrefix
	copy(b[1:], left[:])
	copy(b[1+HashSize:], right[:])
	return sha256.Sum256(b[:])
}

// hashChildren is hashNode in the form that the Merkle library wants.
func hashChildren(left, right []byte) []byte {
	h := hashNode(Hash(left), Hash(right))
	return h[:]
}

// emptyRoot is the root of a tree without leaves: SHA-256 of nothing.
var emptyRoot = Hash(rfc6962.DefaultHasher.EmptyRoot())

// emptyLeaf is the hash of a leaf of no bytes: of a voter who has not voted.
var emptyLeaf = hashLeaf(nil)

// pageSize is the number of hashes that are copied together when one of them changes.
const pageSize = 16

type page [pageSize]Hash

// tree is an immutable RFC 6962 tree with all its nodes in memory. Level 0 holds the hashes of the leaves; level k+1 has a
// node for every two nodes of level k, and a last node without a sibling goes up as it is. Levels are cut into pages, and
// a new version of a tree shares every page in which nothing changed. The zero value is the empty tree.
type tree struct {
	size   uint64
	levels [][]*page
}

// node is a changed node of one level.
type node struct {
	index uint64
	hash  Hash
}

// width returns the number of nodes of a level.
func (t tree) width(level int) uint64 { return (t.size + 1<<level - 1) >> level }

func (t tree) at(level int, index uint64) Hash {
	return t.levels[level][index/pageSize][index%pageSize]
}

// root returns the Merkle tree hash of all leaves.
func (t tree) root() Hash {
	if t.size == 0 {
		return emptyRoot
	}
	return t.at(len(t.levels)-1, 0)
}

// path returns the inclusion proof of a leaf, RFC 6962 section 2.1.1: the siblings from the leaf up.
func (t tree) path(index uint64) [][]byte {
	path := make([][]byte, 0, len(t.levels))
	for level := 0; level < len(t.levels)-1; level++ {
		if sibling := index ^ 1; sibling < t.width(level) {
			h := t.at(level, sibling)
			path = append(path, h[:])
		}
		index >>= 1
	}
	return path
}

// parent returns the node above the nodes 2*index and 2*index+1 of a level.
func (t tree) parent(level int, index uint64) Hash {
	left := t.at(level, 2*index)
	if 2*index+1 == t.width(level) {
		return left
	}
	return hashNode(left, t.at(level, 2*index+1))
}

// with returns the tree with other hashes at some leaves, which are sorted by index, each below t.size and named once. It
// costs one copied page per changed page and level, and one hash per changed node.
func (t tree) with(changed []node) tree {
	if len(changed) == 0 {
		return t
	}
	next := tree{size: t.size, levels: make([][]*page, len(t.levels))}
	for level := range t.levels {
		pages := append([]*page(nil), t.levels[level]...)
		next.levels[level] = pages
		var own *page
		for i, n := range changed {
			if p := n.index / pageSize; i == 0 || p != changed[i-1].index/pageSize {
				own = new(page)
				*own = *pages[p]
				pages[p] = own
			}
			own[n.index%pageSize] = n.hash
		}
		if level == len(t.levels)-1 {
			break
		}
		up := make([]node, 0, len(changed))
		for _, n := range changed {
			if p := n.index / 2; len(up) == 0 || up[len(up)-1].index != p {
				up = append(up, node{p, next.parent(level, p)})
			}
		}
		changed = up
	}
	return next
}

// resized returns the tree with size leaves whose leaves below from are those of t and whose others are those of leaf,
// which is asked for each once. It costs a pass over everything from there to the right.
func (t tree) resized(from, size uint64, leaf func(index uint64) Hash) tree {
	next := tree{size: size}
	if size == 0 {
		return next
	}
	for level := 0; ; level++ {
		var old []*page
		if level < len(t.levels) {
			old = t.levels[level]
		}
		next.levels = append(next.levels, fillPages(old, from, next.width(level), leaf))
		if next.width(level) == 1 {
			return next
		}
		from /= 2
		leaf = func(index uint64) Hash { return next.parent(level, index) }
	}
}

// changedTo returns the tree with the given leaves, sharing with t what is equal.
func (t tree) changedTo(leaves []Hash) tree {
	var changed []node
	common := min(t.size, uint64(len(leaves)))
	for i := range common {
		if leaves[i] != t.at(0, i) {
			changed = append(changed, node{i, leaves[i]})
		}
	}
	if t.size == uint64(len(leaves)) {
		return t.with(changed)
	}
	if len(changed) > 0 {
		common = changed[0].index
	}
	return t.resized(common, uint64(len(leaves)), func(i uint64) Hash { return leaves[i] })
}

// fillPages returns a level of some width that has the nodes of old below from, and the computed ones from there on. Equal
// neighbouring pages are stored once, so a tree of equal leaves costs no more than its tables.
func fillPages(old []*page, from, width uint64, hash func(index uint64) Hash) []*page {
	pages := make([]*page, 0, (width+pageSize-1)/pageSize)
	pages = append(pages, old[:from/pageSize]...)
	for i := from - from%pageSize; i < width; i += pageSize {
		var p page
		if i < from {
			copy(p[:from-i], old[i/pageSize][:])
		}
		for k := max(i, from); k < min(i+pageSize, width); k++ {
			p[k-i] = hash(k)
		}
		if n := len(pages); n > 0 && *pages[n-1] == p {
			pages = append(pages, pages[n-1])
		} else {
			own := p
			pages = append(pages, &own)
		}
	}
	return pages
}
