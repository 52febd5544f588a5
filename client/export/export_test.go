package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client"
	"votenode/client/export"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// chain is a ledger whose validators change, with the proof of the second epoch.
type chain struct {
	*rehearsal.Ledger
	epoch []byte
}

var founded = sync.OnceValue(found)

// crashing fails by panicking: what it founds belongs to no test.
type crashing struct{ testing.TB }

func (crashing) Helper()               {}
func (crashing) Fatal(args ...any)     { panic(args) }
func (crashing) Fatalf(string, ...any) { panic("founding a ledger") }

func found() *chain {
	l := rehearsal.New(crashing{})
	l.Make(1)
	l.Make(1)
	next := []pb.Validator{
		rehearsal.Validator("league", 1), rehearsal.Validator("league", 2), rehearsal.Validator("party", 1), rehearsal.Validator("party", 3),
	}
	slices.SortFunc(next, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
	l.Resolve(&pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{Validators: next}}})
	announced := l.Height()
	record, err := l.View().ProveRecord(state.KeyValidators)
	if err != nil {
		panic(err)
	}
	for range 12 {
		l.Make(1)
	}
	return &chain{l, election.Encode(&pb.EpochProof{State: certify(l, announced), Validators: record})}
}

// certify returns the evidence that the state after a block is certified.
func certify(l *rehearsal.Ledger, height int64) *pb.CertifiedState {
	signed, err := certified.FromCommit(&l.Blocks[height].Header, l.Blocks[height+1].LastCommit)
	if err != nil {
		panic(err)
	}
	return &pb.CertifiedState{Children: []*pb.SignedHeader{signed}}
}

// gateway is a node that has the first blocks of a chain.
type gateway struct {
	*chain
	// have is the height of its newest block, proven that of its newest certified state.
	have, proven int64
	// lie answers in the place of a block; nil tells the truth.
	lie func(height int64, raw []byte) []byte
	// asked are the heights that were asked for.
	asked []int64
	mu    sync.Mutex // where a connection broke, two are served at a time
	// known says when the proof of the epoch is there.
	known func() bool
}

// heights returns the heights that were asked for until now.
func (g *gateway) heights() []int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.asked)
}

// block returns what it answers for a block, and whether it has it.
func (g *gateway) block(height int64) (raw []byte, there bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if height < 1 || height > g.have {
		return nil, false
	}
	g.asked = append(g.asked, height)
	raw = rehearsal.Encode(g.Blocks[height-1])
	if g.lie != nil {
		raw = g.lie(height, raw)
	}
	return raw, true
}

// serve runs a gateway and returns its address.
func (g *gateway) serve(t *testing.T) string {
	answer := func(w http.ResponseWriter, v any) {
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/genesis", func(w http.ResponseWriter, r *http.Request) {
		document, approvals := g.Files()
		answer(w, map[string][]byte{"document": document, "approvals": approvals})
	})
	mux.HandleFunc("GET /v1/epochs", func(w http.ResponseWriter, r *http.Request) {
		proofs := [][]byte{}
		if g.known == nil || g.known() {
			proofs = append(proofs, g.epoch)
		}
		answer(w, map[string][][]byte{"proofs": proofs})
	})
	mux.HandleFunc("GET /v1/certified", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"height": g.proven, "state": election.Encode(certify(g.Ledger, g.proven))})
	})
	mux.HandleFunc("GET /v1/blocks/{height}", func(w http.ResponseWriter, r *http.Request) {
		height, err := strconv.ParseInt(r.PathValue("height"), 10, 64)
		raw, there := g.block(height)
		if err != nil || !there {
			w.WriteHeader(http.StatusNotFound)
			answer(w, map[string]string{"error": "there is no such block"})
			return
		}
		if _, err := w.Write(raw); err != nil && !errors.Is(err, http.ErrContentLength) {
			t.Error(err)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// run exports from nodes that all know the ledger of l.
func run(t *testing.T, ctx context.Context, folder string, l *rehearsal.Ledger, o export.Options, nodes ...*gateway) (int64, error) {
	t.Helper()
	var addresses []string
	for _, g := range nodes {
		addresses = append(addresses, g.serve(t))
	}
	ledger, err := client.Open(ctx, genesis.Hash(l.Genesis), addresses, nil)
	if err != nil {
		t.Fatal(err)
	}
	return export.Run(ctx, ledger, folder, o)
}

// content returns the files of a folder.
func content(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	c := map[string][]byte{}
	for _, e := range entries {
		if c[e.Name()], err = os.ReadFile(filepath.Join(folder, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// expect compares a folder with the record of the first blocks.
func expect(t *testing.T, folder string, c *chain, height int64) {
	t.Helper()
	want := map[string][]byte{}
	for name, file := range c.Record(c.Blocks[:height]) {
		want[name] = file.Data
	}
	if !maps.EqualFunc(content(t, folder), want, bytes.Equal) {
		t.Error("the folder is not the record of these blocks")
	}
}

// nothing fails unless a folder is empty.
func nothing(t *testing.T, parent string) {
	t.Helper()
	if entries, err := os.ReadDir(parent); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func (c *chain) honest() *gateway {
	return &gateway{chain: c, have: c.Height(), proven: c.Height() - 3}
}

// Whatever height is asked for, whatever node is asked: the same bytes, over a change of validators.
func TestExport(t *testing.T) {
	c := founded()
	for _, height := range []int64{1, 2, 3, c.Height() - 2, c.Height() - 1} {
		folder := filepath.Join(t.TempDir(), "record")
		got, err := run(t, t.Context(), folder, c.Ledger, export.Options{Height: height}, c.honest())
		if err != nil || got != height {
			t.Fatalf("height %d: %d, %v", height, got, err)
		}
		expect(t, folder, c, height)
	}
	folder := filepath.Join(t.TempDir(), "record")
	seen := int64(0)
	o := export.Options{Progress: func(height, last int64) {
		if height < seen || height > last {
			t.Errorf("progress from %d to %d of %d", seen, height, last)
		}
		seen = height
	}}
	height, err := run(t, t.Context(), folder, c.Ledger, o, c.honest(), c.honest())
	if err != nil || height != c.Height()-1 || seen != height {
		t.Fatalf("%d, %v, progress %d", height, err, seen)
	}
	expect(t, folder, c, height)
	if _, err := run(t, t.Context(), folder, c.Ledger, o, c.honest()); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a folder that exists: %v", err)
	}
}

// A block that does not exist yet is waited for, and an epoch that begins meanwhile is learnt.
func TestExportOfAGrowingLedger(t *testing.T) {
	c := founded()
	g := c.honest()
	g.have, g.proven = 3, 1
	g.known = func() bool { return len(g.heights()) > 10 } // the epoch begins at height 10
	g.lie = func(height int64, raw []byte) []byte { g.have = min(height+1, g.Height()); return raw }
	folder := filepath.Join(t.TempDir(), "record")
	height := c.Height() - 1
	if _, err := run(t, t.Context(), folder, c.Ledger, export.Options{Height: height}, g); err != nil {
		t.Fatal(err)
	}
	expect(t, folder, c, height)
}

// An export that is broken off goes on where it stopped, on any node, to the same bytes.
func TestExportGoesOn(t *testing.T) {
	c := founded()
	folder := filepath.Join(t.TempDir(), "record")
	height := c.Height() - 1
	ctx, cancel := context.WithCancel(t.Context())
	o := export.Options{Height: height, Progress: func(at, _ int64) {
		if at == 5 {
			cancel()
		}
	}}
	if _, err := run(t, ctx, folder, c.Ledger, o, c.honest()); !errors.Is(err, context.Canceled) {
		t.Fatalf("broken off: %v", err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a part passes for a record: %v", err)
	}
	if _, err := run(t, t.Context(), folder, c.Ledger, export.Options{Height: 3}, c.honest()); err == nil || !strings.Contains(err.Error(), "has 5 blocks already") {
		t.Errorf("less than there is: %v", err)
	}
	second := c.honest()
	if _, err := run(t, t.Context(), folder, c.Ledger, export.Options{Height: height}, second); err != nil {
		t.Fatal(err)
	}
	if asked := second.heights(); asked[0] != 6 {
		t.Errorf("it began again at block %d", asked[0])
	}
	expect(t, folder, c, height)
}

// What a node says wrong is never written: alone it makes the export fail, and beside an honest one it is passed over.
func TestLies(t *testing.T) {
	c := founded()
	other, twin := rehearsal.New(t, func(g *pb.Genesis) { g.ChainId = "elsewhere" }), rehearsal.New(t, func(g *pb.Genesis) { g.Time++ })
	for range c.Blocks {
		other.Make(1)
		twin.Make(1)
	}
	const at = 6
	last := c.Height() - 1
	forged := func(change func(b *cmttypes.Block)) func(int64, []byte) []byte {
		return func(height int64, raw []byte) []byte {
			if height != at {
				return raw
			}
			b := rehearsal.Clone(c.Blocks[at-1 : at])[0]
			change(b)
			return rehearsal.Encode(b)
		}
	}
	only := func(when int64, answer func(raw []byte) []byte) func(int64, []byte) []byte {
		return func(height int64, raw []byte) []byte {
			if height == when {
				return answer(raw)
			}
			return raw
		}
	}
	for name, lie := range map[string]func(height int64, raw []byte) []byte{
		"nothing":           only(at, func([]byte) []byte { return nil }),
		"no block":          only(at, func([]byte) []byte { return []byte("no block at all") }),
		"half a block":      only(at, func(raw []byte) []byte { return raw[:len(raw)/2] }),
		"garbage behind":    only(at, func(raw []byte) []byte { return append(raw, 0xfa, 0x01, 0x00) }),
		"the block before":  only(at, func([]byte) []byte { return rehearsal.Encode(c.Blocks[at-2]) }),
		"the block after":   only(at, func([]byte) []byte { return rehearsal.Encode(c.Blocks[at]) }),
		"another chain":     only(at, func([]byte) []byte { return rehearsal.Encode(other.Blocks[at-1]) }),
		"another beginning": func(height int64, _ []byte) []byte { return rehearsal.Encode(twin.Blocks[height-1]) },
		"flipped":           only(at, func(raw []byte) []byte { raw[len(raw)/2] ^= 1; return raw }),
		"other time":        forged(func(b *cmttypes.Block) { b.Time = b.Time.Add(1) }),
		"other state":       forged(func(b *cmttypes.Block) { b.AppHash[0] ^= 1 }),
		"a transaction": forged(func(b *cmttypes.Block) {
			b.Data = cmttypes.Data{Txs: append(b.Txs, []byte("x"))}
			b.DataHash = b.Data.Hash()
		}),
		"too few signatures": forged(func(b *cmttypes.Block) {
			sigs := b.LastCommit.Signatures
			b.LastCommit = &cmttypes.Commit{Height: b.LastCommit.Height, BlockID: b.LastCommit.BlockID, Signatures: sigs}
			sigs[0], sigs[1] = cmttypes.NewCommitSigAbsent(), cmttypes.NewCommitSigAbsent()
			b.LastCommitHash = b.LastCommit.Hash()
		}),
		"bad signature": forged(func(b *cmttypes.Block) {
			sigs := b.LastCommit.Signatures
			b.LastCommit = &cmttypes.Commit{Height: b.LastCommit.Height, BlockID: b.LastCommit.BlockID, Signatures: sigs}
			sigs[0].Signature[0] ^= 1
			b.LastCommitHash = b.LastCommit.Hash()
		}),
		"the last block": only(last, func(raw []byte) []byte {
			b := rehearsal.Clone(c.Blocks[last-1 : last])[0]
			b.Data = cmttypes.Data{Txs: append(b.Txs, []byte("x"))}
			b.DataHash = b.Data.Hash()
			return rehearsal.Encode(b)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			folder := filepath.Join(parent, "record")
			liar := func() *gateway { g := c.honest(); g.lie = lie; return g }
			if _, err := run(t, t.Context(), folder, c.Ledger, export.Options{Height: last}, liar()); !errors.Is(err, client.ErrVerification) {
				t.Errorf("alone: %v", err)
			}
			nothing(t, parent)
			if _, err := run(t, t.Context(), folder, c.Ledger, export.Options{Height: last}, liar(), c.honest()); err != nil {
				t.Fatal(err)
			}
			expect(t, folder, c, last)
		})
	}
}

// A connection that ends in the middle of the first block leaves nothing behind.
func TestShortRead(t *testing.T) {
	c := founded()
	g := c.honest()
	g.lie = func(int64, []byte) []byte { panic(http.ErrAbortHandler) }
	parent := t.TempDir()
	if _, err := run(t, t.Context(), filepath.Join(parent, "record"), c.Ledger, export.Options{Height: 3}, g); err == nil {
		t.Error("exported")
	}
	nothing(t, parent)
}

// Approvals that do not hold are not written.
func TestNoApprovals(t *testing.T) {
	c := founded()
	g := c.honest()
	document, _ := g.Files()
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/genesis", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string][]byte{"document": document, "approvals": {}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	ledger, err := client.Open(t.Context(), genesis.Hash(c.Genesis), []string{server.URL}, nil)
	if err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	if _, err := export.Run(t.Context(), ledger, filepath.Join(parent, "record"), export.Options{Height: 3}); !errors.Is(err, client.ErrVerification) {
		t.Errorf("%v", err)
	}
	nothing(t, parent)
}
