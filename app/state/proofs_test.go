package state

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cosmos/gogoproto/proto"

	pb "votenode/proto/votenode/v1"
)

// recordsOf returns a snapshot of n records with the keys b, d, f, ... and values of growing length.
func recordsOf(t testing.TB, n int) (*Snapshot, []string) {
	t.Helper()
	l, err := Open(new(Memory))
	if err != nil {
		t.Fatal(err)
	}
	d := l.NewGenesis()
	var keys []string
	for i := range n {
		key := fmt.Sprintf("key/%03d", 2*i+1)
		keys = append(keys, key)
		d.SetRecord(key, bytes.Repeat([]byte{byte(i)}, i))
	}
	b, err := d.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(b); err != nil {
		t.Fatal(err)
	}
	return l.Newest(), keys
}

func proveRecord(t testing.TB, s *Snapshot, key string) *pb.RecordProof {
	t.Helper()
	p, err := s.ProveRecord(key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every key of maps of every size up to 40, and everything before, between and after them.
func TestRecordProofs(t *testing.T) {
	for n := range 41 {
		s, keys := recordsOf(t, n)
		root := s.AppHash()
		for i := range 2*n + 1 {
			key := fmt.Sprintf("key/%03d", i)
			p := proveRecord(t, s, key)
			value, err := VerifyRecord(root, key, p)
			absent := VerifyAbsence(root, key, p)
			if slices.Contains(keys, key) {
				if err != nil || !bytes.Equal(value, bytes.Repeat([]byte{byte(i / 2)}, i/2)) || !errors.Is(absent, ErrProof) {
					t.Fatalf("%d records, %s: %x, %v, absent: %v", n, key, value, err, absent)
				}
			} else if absent != nil || !errors.Is(err, ErrProof) {
				t.Fatalf("%d records, no %s: %v, absent: %v", n, key, err, absent)
			}
			for _, other := range []string{"key", "key/000x", "key/999", "", "key/001"} {
				if other == key {
					continue
				}
				if _, err := VerifyRecord(root, other, p); !errors.Is(err, ErrProof) {
					t.Fatalf("the proof of %s passes for record %s", key, other)
				}
				if err := VerifyAbsence(root, other, p); !errors.Is(err, ErrProof) {
					t.Fatalf("the proof of %s passes for the absence of %s", key, other)
				}
			}
		}
	}
}

// holds fails the test if a proof that passes says something false about the records of s. It is the oracle of the attacks
// and of the fuzz target.
func holds(t testing.TB, s *Snapshot, p *pb.RecordProof) (passed bool) {
	t.Helper()
	truth, err := s.Record(p.Key)
	if err != nil {
		t.Fatal(err)
	}
	value, err := VerifyRecord(s.AppHash(), p.Key, p)
	if own, _ := s.ProveRecord(p.Key); err == nil && !proto.Equal(own, p) {
		t.Fatalf("record %q has a second proof: %v", p.Key, p)
	}
	if err == nil && (truth == nil || !bytes.Equal(truth, value)) {
		t.Fatalf("record %q proven to be %x, it is %x: %v", p.Key, value, truth, p)
	}
	absent := VerifyAbsence(s.AppHash(), p.Key, p)
	if absent == nil && truth != nil {
		t.Fatalf("record %q proven absent, it is %x: %v", p.Key, truth, p)
	}
	for _, err := range []error{err, absent} {
		if err != nil && !errors.Is(err, ErrProof) {
			t.Fatalf("another error: %v", err)
		}
	}
	return err == nil || absent == nil
}

func TestTamperedRecordProofs(t *testing.T) {
	s, _ := recordsOf(t, 21)
	for i := range 43 {
		key := fmt.Sprintf("key/%03d", i)
		valid := proveRecord(t, s, key)
		tampered := func(name string, change func(p *pb.RecordProof)) {
			p := proto.Clone(valid).(*pb.RecordProof)
			change(p)
			if proto.Equal(p, valid) {
				t.Fatalf("%s: nothing changed", name)
			}
			truthful := valid.Absent && name == "key"
			if holds(t, s, p) && !truthful {
				t.Errorf("the proof of %s passes with another %s", key, name)
			}
		}
		tampered("key", func(p *pb.RecordProof) { p.Key += "x" })
		tampered("absent", func(p *pb.RecordProof) { p.Absent = !p.Absent })
		tampered("nil leaf", func(p *pb.RecordProof) { p.Leaves[0] = nil })
		tampered("no leaf", func(p *pb.RecordProof) { p.Leaves = nil })
		tampered("map, an empty one", func(p *pb.RecordProof) { p.Leaves, p.Absent = nil, true })
		tampered("leaf twice", func(p *pb.RecordProof) { p.Leaves = append(p.Leaves, p.Leaves[0]) })
		tampered("leaf thrice", func(p *pb.RecordProof) { p.Leaves = append(p.Leaves, p.Leaves[0], p.Leaves[0]) })
		if len(valid.Leaves) == 2 {
			tampered("one neighbour", func(p *pb.RecordProof) { p.Leaves = p.Leaves[:1] })
			tampered("one neighbour", func(p *pb.RecordProof) { p.Leaves = p.Leaves[1:] })
			tampered("order", func(p *pb.RecordProof) { slices.Reverse(p.Leaves) })
		}
		for n := range valid.Leaves {
			tampered("leaf key", func(p *pb.RecordProof) { p.Leaves[n].Key += "0" })
			tampered("leaf key", func(p *pb.RecordProof) { p.Leaves[n].Key = strings.Repeat("k", MaxRecordKey+1) })
			tampered("value", func(p *pb.RecordProof) { p.Leaves[n].Value = append(p.Leaves[n].Value, 0) })
			tampered("value", func(p *pb.RecordProof) { p.Leaves[n].Value = make([]byte, MaxRecordValue+1) })
			for bit := range 64 {
				tampered("turn", func(p *pb.RecordProof) { p.Leaves[n].Turns ^= 1 << bit })
			}
			tampered("path", func(p *pb.RecordProof) { p.Leaves[n].Path = append(p.Leaves[n].Path, make([]byte, HashSize)) })
			tampered("path", func(p *pb.RecordProof) { p.Leaves[n].Path = p.Leaves[n].Path[1:] })
			tampered("path", func(p *pb.RecordProof) { p.Leaves[n].Path = make([][]byte, 1000) })
			for k := range valid.Leaves[n].Path {
				tampered("hash", func(p *pb.RecordProof) { p.Leaves[n].Path[k][31] ^= 1 })
				tampered("hash length", func(p *pb.RecordProof) { p.Leaves[n].Path[k] = p.Leaves[n].Path[k][:31] })
				tampered("hash length", func(p *pb.RecordProof) { p.Leaves[n].Path[k] = append(p.Leaves[n].Path[k], 0) })
			}
		}
		other := s.AppHash()
		other[0] ^= 1
		if _, err := VerifyRecord(other, key, valid); !errors.Is(err, ErrProof) {
			t.Errorf("record %s under another root: %v", key, err)
		}
		if err := VerifyAbsence(other, key, valid); !errors.Is(err, ErrProof) {
			t.Errorf("absence of %s under another root: %v", key, err)
		}
	}
}

// TestForgedNeighbours: an attacker who has every true leaf and path of a map cannot make two leaves look like neighbours that are
// none, nor a leaf the first or the last one that is not, whatever turns it shows.
func TestForgedNeighbours(t *testing.T) {
	for n := 1; n <= 9; n++ {
		s, keys := recordsOf(t, n)
		var leaves []*pb.RecordLeaf
		for i := range n { // the key below keys[i] is absent, and keys[i] is shown with the hash of its value
			p := proveRecord(t, s, fmt.Sprintf("key/%03d", 2*i))
			for turns := range uint64(1) << len(p.Leaves[len(p.Leaves)-1].Path) {
				l := *p.Leaves[len(p.Leaves)-1]
				l.Turns = turns
				leaves = append(leaves, &l)
			}
		}
		for _, left := range leaves {
			for _, key := range keys {
				holds(t, s, &pb.RecordProof{Key: key, Absent: true, Leaves: []*pb.RecordLeaf{left}})
				for _, right := range leaves {
					holds(t, s, &pb.RecordProof{Key: key, Absent: true, Leaves: []*pb.RecordLeaf{left, right}})
				}
			}
		}
	}
}

// TestTurns: the turns of every leaf of trees up to 70 leaves are those that the verification of logs takes.
func TestTurns(t *testing.T) {
	for n := 1; n <= 70; n++ {
		s, keys := recordsOf(t, n)
		for i, key := range keys {
			p := proveRecord(t, s, key)
			if want := naiveTurns(i, n); p.Leaves[0].Turns != want {
				t.Fatalf("leaf %d of %d: turns %b, want %b", i, n, p.Leaves[0].Turns, want)
			}
		}
	}
}

// naiveTurns follows the definition of MTH from the root down.
func naiveTurns(i, n int) (turns uint64) {
	if n == 1 {
		return 0
	}
	k := split(n)
	if i < k {
		return naiveTurns(i, k)
	}
	return naiveTurns(i-k, n-k) | 1<<depth(i-k, n-k)
}

// depth is the number of hashes in the path of a leaf.
func depth(i, n int) int { return len(naivePath(i, make([][]byte, n))) }

func TestTamperedPaths(t *testing.T) {
	const n = 21
	leaves := numberedLeaves(n)
	s := grownLog(t, n)
	head := s.logs["log"].head()
	for i := range uint64(n) {
		path, err := s.ProveInclusion("log", i, n)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(name string, head Head, index uint64, leaf []byte, path [][]byte) {
			if err := VerifyInclusion(head, index, leaf, path); !errors.Is(err, ErrProof) {
				t.Errorf("leaf %d: %s: %v", i, name, err)
			}
		}
		refused("another leaf", head, i, []byte("leaf"), path)
		refused("index of another", head, (i+1)%n, leaves[i], path)
		refused("index beyond", head, n, leaves[i], path)
		refused("empty tree", Head{0, head.Root}, 0, leaves[i], nil)
		refused("another root", Head{n, Hash{1}}, i, leaves[i], path)
		refused("immense tree", Head{1<<64 - 1, head.Root}, i, leaves[i], path)
		refused("more", head, i, leaves[i], append(slices.Clone(path), path[0]))
		refused("less", head, i, leaves[i], path[1:])
		refused("reversed", head, i, leaves[i], reversed(path))
		refused("a short hash", head, i, leaves[i], append(slices.Clone(path[1:]), path[0][:31]))
		// A node of the tree is no leaf.
		sibling := append(slices.Clone(path[0]), path[0]...)
		refused("an inner node as a leaf", head, i, sibling, path)
	}
	for m := range uint64(n) {
		path, err := s.ProveConsistency("log", m, n)
		if err != nil {
			t.Fatal(err)
		}
		old := grownLog(t, int(m)).headOf("log")
		refused := func(name string, old, grown Head, path [][]byte) {
			if err := VerifyConsistency(old, grown, path); !errors.Is(err, ErrProof) {
				t.Errorf("consistency of %d: %s: %v", m, name, err)
			}
		}
		if err := VerifyConsistency(old, head, path); err != nil {
			t.Fatal(err)
		}
		refused("another old root", Head{m, Hash{1}}, head, path)
		refused("backwards", head, old, path)
		refused("more", old, head, append(slices.Clone(path), old.Root[:]))
		refused("immense", old, Head{1<<64 - 1, head.Root}, path)
		if m > 0 {
			refused("another root", old, Head{n, Hash{1}}, path)
			refused("another old size", Head{m - 1, old.Root}, head, path)
			refused("less", old, head, path[1:])
			refused("a long hash", old, head, append(slices.Clone(path[1:]), append(slices.Clone(path[0]), 0)))
		}
	}
	if err := VerifyConsistency(Head{0, emptyRoot}, Head{0, Hash{1}}, nil); !errors.Is(err, ErrProof) {
		t.Errorf("an empty log with a root: %v", err)
	}
}

func (s *Snapshot) headOf(log string) Head { return s.logs[log].head() }

func reversed(path [][]byte) [][]byte {
	r := slices.Clone(path)
	slices.Reverse(r)
	return r
}

func FuzzRecordProof(f *testing.F) {
	s, _ := recordsOf(f, 11)
	for i := range 24 {
		b, err := proto.Marshal(proveRecord(f, s, fmt.Sprintf("key/%03d", i)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := new(pb.RecordProof)
		if proto.Unmarshal(b, p) == nil {
			holds(t, s, p)
		}
	})
}

// cut turns bytes into hashes, the last one perhaps short.
func cut(b []byte) [][]byte { return slices.Collect(slices.Chunk(b, HashSize)) }

func FuzzInclusion(f *testing.F) {
	leaves := numberedLeaves(11)
	root := mth(leaves)
	for i := range leaves {
		f.Add(uint64(i), leaves[i], bytes.Join(naivePath(i, leaves), nil))
	}
	f.Fuzz(func(t *testing.T, index uint64, leaf, path []byte) {
		err := VerifyInclusion(Head{11, root}, index, leaf, cut(path))
		if err == nil && !bytes.Equal(leaf, leaves[index]) {
			t.Fatalf("leaf %d proven to be %q", index, leaf)
		}
	})
}

func FuzzConsistency(f *testing.F) {
	leaves := numberedLeaves(11)
	head := Head{11, mth(leaves)}
	for m := 1; m < 11; m++ {
		f.Add(Head{uint64(m), mth(leaves[:m])}.Bytes(), bytes.Join(naiveProof(m, leaves, true), nil))
	}
	f.Fuzz(func(t *testing.T, old, path []byte) {
		h, err := ParseHead(old)
		if err == nil && VerifyConsistency(h, head, cut(path)) == nil && h != (Head{h.Size, mth(leaves[:h.Size])}) {
			t.Fatalf("%x proven to have been a head", old)
		}
	})
}
