package state

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	pb "votenode/proto/votenode/v1"
)

// ErrProof says that a proof does not prove what it is offered for.
var ErrProof = errors.New("the proof does not hold")

// MaxPath is the greatest number of hashes in a path. It bounds every tree by 2^MaxPath leaves.
const MaxPath = 63

// VerifyRecord checks that the record map with this root holds the key, and returns the value, never nil (docs/spec
// section 5.6). It fails with ErrProof.
func VerifyRecord(appHash Hash, key string, p *pb.RecordProof) ([]byte, error) {
	if p == nil || p.Key != key || p.Absent || len(p.Leaves) != 1 || p.Leaves[0] == nil || p.Leaves[0].Key != key {
		return nil, fmt.Errorf("%w: it is not about the record %q", ErrProof, key)
	}
	leaf := p.Leaves[0]
	if len(leaf.Value) > MaxRecordValue {
		return nil, fmt.Errorf("%w: a value of %d bytes", ErrProof, len(leaf.Value))
	}
	if err := verifyRecordLeaf(appHash, leaf, sha256.Sum256(leaf.Value)); err != nil {
		return nil, err
	}
	if leaf.Value == nil {
		return []byte{}, nil
	}
	return leaf.Value, nil
}

// VerifyAbsence checks that the record map with this root does not hold the key: no leaf at all, or the leaf before
// which or after which nothing stands, or two neighbouring leaves with the key between them (docs/spec section 5.6). It
// rests on the map being sorted, which the validators see to. It fails with ErrProof.
func VerifyAbsence(appHash Hash, key string, p *pb.RecordProof) error {
	if p == nil || p.Key != key || !p.Absent || checkKey(key) != nil {
		return fmt.Errorf("%w: it is not about the absence of the record %q", ErrProof, key)
	}
	for _, leaf := range p.Leaves {
		if leaf == nil || len(leaf.Value) != HashSize {
			return fmt.Errorf("%w: a neighbour without the hash of its value", ErrProof)
		}
		if err := verifyRecordLeaf(appHash, leaf, Hash(leaf.Value)); err != nil {
			return err
		}
	}
	ok := false
	switch len(p.Leaves) {
	case 0:
		ok = appHash == emptyRoot
	case 1:
		only := p.Leaves[0]
		ok = isFirst(only) && key < only.Key || isLast(only) && only.Key < key
	case 2:
		left, right := p.Leaves[0], p.Leaves[1]
		ok = areNeighbours(left, right) && left.Key < key && key < right.Key
	}
	if !ok {
		return fmt.Errorf("%w: the leaves shown are no neighbours of the record %q", ErrProof, key)
	}
	return nil
}

// isFirst and isLast say whether all turns from the root lead to the left, or to the right.
func isFirst(l *pb.RecordLeaf) bool { return l.Turns == 0 }
func isLast(l *pb.RecordLeaf) bool  { return l.Turns == 1<<len(l.Path)-1 }

// areNeighbours says whether the turns of two leaves agree from the root to a node where the one goes left and then right to the
// end, the other right and then left to the end.
func areNeighbours(left, right *pb.RecordLeaf) bool {
	a, b := len(left.Path), len(right.Path)
	for a > 0 && b > 0 {
		a, b = a-1, b-1
		if l, r := left.Turns>>a&1, right.Turns>>b&1; l != r {
			ones := uint64(1)<<a - 1
			return l == 0 && left.Turns&ones == ones && right.Turns&(1<<b-1) == 0
		}
	}
	return false
}

// verifyRecordLeaf checks one leaf of the record map: its path, with the turns that are shown, leads to the root. The turns are one
// place of the tree, and there is one encoding of them.
func verifyRecordLeaf(root Hash, leaf *pb.RecordLeaf, valueHash Hash) error {
	if checkKey(leaf.Key) != nil {
		return fmt.Errorf("%w: %q is no key of a record", ErrProof, leaf.Key)
	}
	if err := checkPath(leaf.Path); err != nil {
		return err
	}
	if len(leaf.Path) > MaxPath || leaf.Turns>>len(leaf.Path) != 0 {
		return fmt.Errorf("%w: more turns than hashes", ErrProof)
	}
	leafHash := hashRecord(leaf.Key, valueHash)
	hash := leafHash[:]
	for i, sibling := range leaf.Path {
		if leaf.Turns>>i&1 == 1 {
			hash = rfc6962.DefaultHasher.HashChildren(sibling, hash)
		} else {
			hash = rfc6962.DefaultHasher.HashChildren(hash, sibling)
		}
	}
	if Hash(hash) != root {
		return fmt.Errorf("%w: the record %q is not under this AppHash", ErrProof, leaf.Key)
	}
	return nil
}

// turnsOf returns the turns of the path of a leaf in a tree, as RFC 9162 section 2.1.3.2 finds them.
func turnsOf(index, size uint64) (turns uint64) {
	if size == 0 {
		return 0
	}
	f, s := index, size-1
	for i := 0; s > 0; i++ {
		if f&1 == 1 || f == s {
			turns |= 1 << i
			for f&1 == 0 && f != 0 {
				f, s = f>>1, s>>1
			}
		}
		f, s = f>>1, s>>1
	}
	return turns
}

// VerifyInclusion checks that a leaf stands at an index of the log, or of the voters' tree, with this head (RFC 9162
// section 2.1.3.2). A voter who has not voted has the leaf of no bytes. It fails with ErrProof.
func VerifyInclusion(head Head, index uint64, leaf []byte, path [][]byte) error {
	leafHash := hashLeaf(leaf)
	if index >= head.Size || head.Size > 1<<MaxPath {
		return fmt.Errorf("%w: index %d in a tree of %d leaves", ErrProof, index, head.Size)
	}
	if err := checkPath(path); err != nil {
		return err
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, head.Size, leafHash[:], path, head.Root[:]); err != nil {
		return fmt.Errorf("%w: inclusion of leaf %d of %d", ErrProof, index, head.Size)
	}
	return nil
}

// VerifyConsistency checks that a log with the head old grew into one with the head grown: that its first old.Size leaves
// are those it had (RFC 9162 section 2.1.4.2). It fails with ErrProof.
func VerifyConsistency(old, grown Head, path [][]byte) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if old.Size == 0 && old.Root != emptyRoot || grown.Size == 0 && grown.Root != emptyRoot || grown.Size > 1<<MaxPath {
		return fmt.Errorf("%w: no head of a log", ErrProof)
	}
	err := proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, grown.Size, path, old.Root[:], grown.Root[:])
	if err != nil {
		return fmt.Errorf("%w: consistency of %d with %d leaves", ErrProof, old.Size, grown.Size)
	}
	return nil
}

// checkPath accepts paths of any number of hashes up to MaxPath+1.
func checkPath(path [][]byte) error {
	if len(path) > MaxPath+1 {
		return fmt.Errorf("%w: a path of %d hashes", ErrProof, len(path))
	}
	for _, h := range path {
		if len(h) != HashSize {
			return fmt.Errorf("%w: a hash of %d bytes", ErrProof, len(h))
		}
	}
	return nil
}
