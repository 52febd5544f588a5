package state

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the vectors in testdata")

type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

func (b *hexBytes) UnmarshalText(t []byte) (err error) {
	*b, err = hex.DecodeString(string(t))
	return err
}

func hexes(path [][]byte) []hexBytes {
	out := []hexBytes{}
	for _, p := range path {
		out = append(out, p)
	}
	return out
}

// vectors are the test vectors of docs/spec chapter 5, for other implementations.
type vectors struct {
	Comment string         `json:"comment"`
	Records []recordVector `json:"records"`
	Log     logVector      `json:"log"`
	Voters  votersVector   `json:"voters"`
}

type recordVector struct {
	Records []record      `json:"records"`
	AppHash hexBytes      `json:"app_hash"`
	Proofs  []recordProof `json:"proofs"`
}

type record struct {
	Key   string   `json:"key"`
	Value hexBytes `json:"value"`
}

type recordProof struct {
	Key    string            `json:"key"`
	Absent bool              `json:"absent"`
	Leaves []recordProofLeaf `json:"leaves"`
}

type recordProofLeaf struct {
	Key   string     `json:"key"`
	Value hexBytes   `json:"value"`
	Turns uint64     `json:"turns"`
	Path  []hexBytes `json:"path"`
}

type logVector struct {
	Leaves      string              `json:"leaves"` // how leaf i reads
	Heads       []hexBytes          `json:"heads"`
	Inclusion   []inclusionVector   `json:"inclusion"`
	Consistency []consistencyVector `json:"consistency"`
}

type inclusionVector struct {
	Index uint64     `json:"index"`
	Size  uint64     `json:"size"`
	Path  []hexBytes `json:"path"`
}

type consistencyVector struct {
	M    uint64     `json:"m"`
	N    uint64     `json:"n"`
	Path []hexBytes `json:"path"`
}

type votersVector struct {
	Size   uint64           `json:"size"`
	Leaves map[int]hexBytes `json:"leaves"` // all others are empty
	Record hexBytes         `json:"record"`
	Proofs []votersProof    `json:"proofs"`
}

type votersProof struct {
	Index uint64     `json:"index"`
	Path  []hexBytes `json:"path"`
}

// TestVectors compares the vectors with what the package computes; with -update it writes them.
func TestVectors(t *testing.T) {
	v := vectors{Comment: "docs/spec chapter 5; bytes in hexadecimal, heads as in 5.1, paths from the leaf up"}
	for n := range 6 {
		v.Records = append(v.Records, recordsVector(t, n))
	}
	v.Log = logsVector(t)
	v.Voters = treeVector(t)
	got, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const file = "testdata/state.json"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the package computes; if that is meant, run: go test ./app/state -run TestVectors -update", file)
	}
}

func recordsVector(t *testing.T, n int) recordVector {
	s, keys := recordsOf(t, n)
	appHash := s.AppHash()
	v := recordVector{Records: []record{}, AppHash: appHash[:]}
	for _, key := range keys {
		value, err := s.Record(key)
		if err != nil {
			t.Fatal(err)
		}
		v.Records = append(v.Records, record{key, value})
	}
	for i := range 2*n + 1 {
		p := proveRecord(t, s, fmt.Sprintf("key/%03d", i))
		proof := recordProof{Key: p.Key, Absent: p.Absent, Leaves: []recordProofLeaf{}}
		for _, leaf := range p.Leaves {
			proof.Leaves = append(proof.Leaves, recordProofLeaf{leaf.Key, leaf.Value, leaf.Turns, hexes(leaf.Path)})
		}
		v.Proofs = append(v.Proofs, proof)
	}
	return v
}

func logsVector(t *testing.T) logVector {
	v := logVector{Leaves: "leaf <index in decimal>, ASCII"}
	s := grownLog(t, 300)
	for n := range 9 {
		v.Heads = append(v.Heads, grownLog(t, n).headOf("log").Bytes())
	}
	for _, c := range [][2]uint64{{0, 1}, {0, 2}, {2, 3}, {4, 7}, {6, 7}, {0, 8}, {255, 256}, {255, 257}, {256, 257}, {17, 300}, {299, 300}} {
		path, err := s.ProveInclusion("log", c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		v.Inclusion = append(v.Inclusion, inclusionVector{c[0], c[1], hexes(path)})
	}
	for _, c := range [][2]uint64{{0, 0}, {0, 7}, {1, 2}, {3, 7}, {4, 7}, {6, 8}, {8, 8}, {256, 257}, {255, 300}} {
		path, err := s.ProveConsistency("log", c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		v.Consistency = append(v.Consistency, consistencyVector{c[0], c[1], hexes(path)})
	}
	return v
}

func treeVector(t *testing.T) votersVector {
	l, err := Open(new(Memory))
	if err != nil {
		t.Fatal(err)
	}
	v := votersVector{Size: 11, Leaves: map[int]hexBytes{3: []byte("voted"), 10: []byte("revoked")}}
	d := l.NewGenesis()
	d.CreateVoters("primary", v.Size)
	for i, leaf := range v.Leaves {
		d.SetVoter("primary", uint64(i), leaf)
	}
	b, err := d.Finish()
	if err == nil {
		err = l.Commit(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	if v.Record, err = l.Newest().Record(VotersKey("primary")); err != nil {
		t.Fatal(err)
	}
	for _, i := range []uint64{0, 3, 8, 10} {
		path, err := l.Newest().ProveVoter("primary", i)
		if err != nil {
			t.Fatal(err)
		}
		v.Proofs = append(v.Proofs, votersProof{i, hexes(path)})
	}
	return v
}
