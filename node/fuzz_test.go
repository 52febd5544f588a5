package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cmtjson "github.com/cometbft/cometbft/libs/json"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// A configuration that is read, written and read again is the same.
func FuzzParseConfig(f *testing.F) {
	f.Add(DefaultConfig().Bytes())
	f.Add([]byte(`{"p2p": {"listen": ":1", "peers": {"00112233445566778899aabbccddeeff00112233": "a:1"}, "observers": []}}`))
	f.Add([]byte(`{"gateway": {"requests": 0}}`))
	f.Add([]byte(`{} {}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig(data)
		if err != nil {
			if !errors.Is(err, ErrConfig) {
				t.Error(err)
			}
			return
		}
		again, err := ParseConfig(c.Bytes())
		if err != nil || !bytes.Equal(again.Bytes(), c.Bytes()) {
			t.Errorf("%s, %v", c.Bytes(), err)
		}
		if c.MemoryBound() <= 0 {
			t.Errorf("the memory bound is %d", c.MemoryBound())
		}
	})
}

// FuzzReadRecords: a list of records that is read is written as it was, and differs from no other of the same AppHash.
func FuzzReadRecords(f *testing.F) {
	r := &Records{Chain: "ledger-1", GenesisHash: strings.Repeat("ab", 32), Height: 5}
	var root state.RecordsRoot
	for _, key := range []string{"chain", "elections", "parameters"} {
		hash := sha256.Sum256([]byte(key))
		if err := root.Add(key, hash); err != nil {
			f.Fatal(err)
		}
		r.list = append(r.list, record{key, hex.EncodeToString(hash[:])})
	}
	sum := root.Sum()
	r.AppHash = hex.EncodeToString(sum[:])
	var whole bytes.Buffer
	if err := r.Write(&whole); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:whole.Len()-20])
	f.Add(whole.Bytes()[:bytes.IndexByte(whole.Bytes(), '\n')+1])
	f.Add(append(bytes.Clone(whole.Bytes()), "{}"...))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ReadRecords(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrRecords) {
				t.Error(err)
			}
			return
		}
		var text bytes.Buffer
		if err := got.Write(&text); err != nil {
			t.Fatal(err)
		}
		again, err := ReadRecords(&text)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := FirstDifference(got, again); d != nil || err != nil {
			t.Errorf("%+v, %v", d, err)
		}
		if d, err := FirstDifference(got, r); err == nil && (d == nil) != (got.AppHash == r.AppHash) {
			t.Errorf("%+v, %s", d, got.AppHash)
		}
	})
}

// FuzzCountStart: a number of starts grows by one, and anything else is left as it is.
func FuzzCountStart(f *testing.F) {
	path := filepath.Join(f.TempDir(), "starts")
	for _, text := range []string{"1\n", "", "0", " 7 ", "-1", "9223372036854775807", "9223372036854775808", "1e3", "0x10", "1\n2"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := countStart(path)
		if err != nil {
			if left, readErr := os.ReadFile(path); readErr != nil || !bytes.Equal(left, data) {
				t.Errorf("%q became %q: %v", data, left, readErr)
			}
			return
		}
		if next, err := countStart(path); n < 1 || n <= math.MaxInt64 && (err != nil || next != n+1) {
			t.Errorf("%d behind %d: %v", next, n, err)
		}
	})
}

// FuzzOrigin: only what a ledger's validators have signed begins a node; whatever else a backup or a peer shows is refused.
func FuzzOrigin(f *testing.F) {
	l := rehearsal.New(f)
	for range 3 {
		l.Make(1)
	}
	proof := &pb.SnapshotProof{State: l.LedgerState(2), Block: l.Shown(1).Children[0]}
	f.Add(election.Encode(proof))
	f.Add(election.Encode(&pb.SnapshotProof{State: l.LedgerState(2), Block: l.Shown(2).Children[0]}))
	f.Add(election.Encode(&pb.SnapshotProof{State: l.LedgerState(1)}))
	f.Add([]byte{})
	n := &Node{doc: l.Genesis, protocol: app.Protocol, now: func() time.Time { return l.BlockAt(3).Time.Add(time.Second) }}
	f.Fuzz(func(t *testing.T, data []byte) {
		shown := new(pb.SnapshotProof)
		if election.Decode(data, shown) != nil {
			return
		}
		o, err := n.verifyOrigin(shown)
		if err != nil {
			if !errors.Is(err, ErrSnapshotProof) {
				t.Error(err)
			}
			return
		}
		if o.state.Height < 1 || !o.state.Certified || o.header.Height != o.state.Height {
			t.Errorf("%+v", o.state)
		}
	})
}

// FuzzDecided: the last block decided is read as one that a sign state may stand beside, or not at all.
func FuzzDecided(f *testing.F) {
	f.Add([]byte(`{"height": "5", "hash": "`+strings.Repeat("AB", 32)+`"}`), int64(6))
	f.Add([]byte(`{"height": "5", "hash": "`+strings.Repeat("AB", 32)+`"}`), int64(7))
	f.Add([]byte(`{"height": "0", "hash": ""}`), int64(0))
	f.Add([]byte(`{"height": "-9223372036854775808", "hash": "00"}`), int64(-9223372036854775808))
	f.Fuzz(func(t *testing.T, data []byte, signed int64) {
		var d decided
		if cmtjson.Unmarshal(data, &d) != nil || d.check(signed) != nil {
			return
		}
		if d.Height < 0 || len(d.Hash) != 0 && len(d.Hash) != sha256.Size || d.Height < signed-1 && signed > 0 {
			t.Errorf("%+v beside a signature of height %d", d, signed)
		}
	})
}
