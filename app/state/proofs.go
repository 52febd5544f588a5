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
	if err := verifyRecordLeaf(appHash, p.Total, leaf, sha256.Sum256(leaf.Value)); err != nil {
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
		if err := verifyRecordLeaf(appHash, p.Total, leaf, Hash(leaf.Value)); err != nil {
			return err
		}
	}
	ok := false
	switch len(p.Leaves) {
	case 0:
		ok = p.Total == 0 && appHash == emptyRoot
	case 1:
		only := p.Leaves[0]
		ok = only.Index == 0 && key < only.Key || only.Index == p.Total-1 && only.Key < key
	case 2:
		left, right := p.Leaves[0], p.Leaves[1]
		ok = left.Index+1 == right.Index && left.Key < key && key < right.Key
	}
	if !ok {
		return fmt.Errorf("%w: the leaves shown are no neighbours of the record %q", ErrProof, key)
	}
	return nil
}

// verifyRecordLeaf checks one leaf of the record map.
func verifyRecordLeaf(root Hash, total uint64, leaf *pb.RecordLeaf, valueHash Hash) error {
	if checkKey(leaf.Key) != nil {
		return fmt.Errorf("%w: %q is no key of a record", ErrProof, leaf.Key)
	}
	return verifyPath(Head{total, root}, leaf.Index, hashRecord(leaf.Key, valueHash), leaf.Path)
}

// VerifyInclusion checks that a leaf stands at an index of the log, or of the voters' tree, with this head (RFC 9162
// section 2.1.3.2). A voter who has not voted has the leaf of no bytes. It fails with ErrProof.
func VerifyInclusion(head Head, index uint64, leaf []byte, path [][]byte) error {
	return verifyPath(head, index, hashLeaf(leaf), path)
}

func verifyPath(head Head, index uint64, leafHash Hash, path [][]byte) error {
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
