package state

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// The definitions of RFC 6962 section 2.1, word for word and as slow as they are: what the package is compared with.

// mth is MTH(D[n]).
func mth(leaves [][]byte) Hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	default:
		k := split(n)
		left, right := mth(leaves[:k]), mth(leaves[k:])
		return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
	}
}

// split returns the largest power of two below n.
func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

// naivePath is PATH(m, D[n]).
func naivePath(m int, leaves [][]byte) [][]byte {
	n := len(leaves)
	if n == 1 {
		return nil
	}
	if k := split(n); m < k {
		h := mth(leaves[k:])
		return append(naivePath(m, leaves[:k]), h[:])
	} else {
		h := mth(leaves[:k])
		return append(naivePath(m-k, leaves[k:]), h[:])
	}
}

// naiveProof is PROOF(m, D[n]) for 0 < m < n, by SUBPROOF(m, D[n], whole).
func naiveProof(m int, leaves [][]byte, whole bool) [][]byte {
	n := len(leaves)
	if m == n {
		if whole {
			return nil
		}
		h := mth(leaves)
		return [][]byte{h[:]}
	}
	if k := split(n); m <= k {
		h := mth(leaves[k:])
		return append(naiveProof(m, leaves[:k], whole), h[:])
	} else {
		h := mth(leaves[:k])
		return append(naiveProof(m-k, leaves[k:], false), h[:])
	}
}

// naiveRecords returns the leaves of the record map.
func naiveRecords(records map[string][]byte) (keys []string, leaves [][]byte) {
	for key := range records {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		value := sha256.Sum256(records[key])
		leaf := append(binary.AppendUvarint(nil, uint64(len(key))), key...)
		leaves = append(leaves, append(append(leaf, 32), value[:]...))
	}
	return keys, leaves
}

// naiveHead is a head as a record's value.
func naiveHead(leaves [][]byte) []byte {
	root := mth(leaves)
	return append(binary.BigEndian.AppendUint64(nil, uint64(len(leaves))), root[:]...)
}

// numberedLeaves returns n different leaves.
func numberedLeaves(n int) [][]byte {
	leaves := make([][]byte, n)
	for i := range leaves {
		leaves[i] = fmt.Appendf(nil, "leaf %d", i)
	}
	return leaves
}
