package state

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"
	"pgregory.net/rapid"
)

func newTree(leaves [][]byte) tree {
	return tree{}.resized(0, uint64(len(leaves)), func(i uint64) Hash { return hashLeaf(leaves[i]) })
}

func TestHashesAreRFC6962(t *testing.T) {
	l, r := hashLeaf([]byte("left")), hashLeaf([]byte("right"))
	got := hashNode(l, r)
	if want := rfc6962.DefaultHasher.HashChildren(l[:], r[:]); !bytes.Equal(got[:], want) {
		t.Errorf("hashNode = %x, want %x", got, want)
	}
}

func TestTreeOfEverySize(t *testing.T) {
	for n := range 140 {
		leaves := numberedLeaves(n)
		tr := newTree(leaves)
		if tr.root() != mth(leaves) {
			t.Fatalf("%d leaves: another root", n)
		}
		for i := range n {
			if got, want := tr.path(uint64(i)), naivePath(i, leaves); !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("path of leaf %d of %d: %x, want %x", i, n, got, want)
			}
		}
	}
}

// Trees are changed, cut and grown at random; every version made on the way keeps its root.
func TestTreeVersions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var versions []tree
		var roots []Hash
		leaves := numberedLeaves(rapid.IntRange(0, 300).Draw(t, "n"))
		tr := newTree(leaves)
		for step := range rapid.IntRange(1, 8).Draw(t, "steps") {
			leaves = slices.Clone(leaves)
			switch rapid.SampledFrom([]string{"with", "resized", "changedTo"}).Draw(t, "step") {
			case "with":
				var changed []node
				for i := range leaves {
					if rapid.IntRange(0, 9).Draw(t, "change") == 0 {
						leaves[i] = fmt.Appendf(nil, "step %d leaf %d", step, i)
						changed = append(changed, node{uint64(i), hashLeaf(leaves[i])})
					}
				}
				tr = tr.with(changed)
			case "resized":
				from := rapid.IntRange(0, len(leaves)).Draw(t, "from")
				leaves = append(leaves[:from:from], numberedLeaves(rapid.IntRange(0, 100).Draw(t, "more"))...)
				tr = tr.resized(uint64(from), uint64(len(leaves)), func(i uint64) Hash {
					if i < uint64(from) {
						t.Fatalf("asked for leaf %d below %d", i, from)
					}
					return hashLeaf(leaves[i])
				})
			case "changedTo":
				leaves = append(leaves, numberedLeaves(rapid.IntRange(0, 3).Draw(t, "more"))...)
				leaves = leaves[:rapid.IntRange(0, len(leaves)).Draw(t, "cut")]
				if len(leaves) > 0 {
					leaves[rapid.IntRange(0, len(leaves)-1).Draw(t, "at")] = []byte{byte(step)}
				}
				var hashes []Hash
				for _, leaf := range leaves {
					hashes = append(hashes, hashLeaf(leaf))
				}
				tr = tr.changedTo(hashes)
			}
			versions, roots = append(versions, tr), append(roots, mth(leaves))
		}
		for i, v := range versions {
			if v.root() != roots[i] {
				t.Fatalf("version %d has another root than when it was made", i)
			}
		}
		for i := range leaves {
			if got, want := tr.path(uint64(i)), naivePath(i, leaves); !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("path of leaf %d of %d: %x, want %x", i, len(leaves), got, want)
			}
		}
	})
}

const million = 1_000_000

func BenchmarkVotersCreate1M(b *testing.B) {
	for b.Loop() {
		newDraft(newSnapshot(0, nothing{}), 1).CreateVoters("e", million)
	}
}

// One operation is a block of 2,000 voters of a million.
func BenchmarkVotersUpdate2000Of1M(b *testing.B) {
	tr := tree{}.resized(0, million, func(i uint64) Hash { return Hash{byte(i), byte(i >> 8), byte(i >> 16)} })
	block := uint64(0)
	for b.Loop() {
		block++
		changed := make([]node, 2000)
		for i := range changed {
			changed[i] = node{uint64(i)*(million/2000) + block*7919%(million/2000), Hash{byte(block), byte(i)}}
		}
		tr.with(changed)
	}
}
