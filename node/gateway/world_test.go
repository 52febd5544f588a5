package gateway

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/abci"
	"votenode/app/state"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/receipt"
	"votenode/verify/slip"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// world is a gateway that serves a rehearsed ledger, on loopback, as the node of a validator would.
type world struct {
	*testing.T
	ledger *rehearsal.Ledger // nil where nothing has begun
	app    *abci.Application
	server *Server
	base   string
}

// node is the validator whose gateway it is.
var node = rehearsal.Validator("party", 1)

// serve opens the gateway of a ledger; change may alter what it is made of. Without a ledger there is nothing but the genesis document.
func serve(t *testing.T, l *rehearsal.Ledger, change ...func(*Config, *Source)) *world {
	t.Helper()
	w := &world{T: t, ledger: l}
	doc, states := rehearsal.New(t).Genesis, must(state.Open(new(state.Memory)))
	if l != nil {
		doc, states = l.Genesis, l.State()
	}
	w.app = must(abci.New(abci.Options{
		Genesis: doc, GenesisHash: genesis.Hash(doc), Ledger: states, ClockFile: filepath.Join(t.TempDir(), "clock.json"),
		Results: dbm.NewMemDB(), Slips: dbm.NewMemDB(), Now: w.now, Pool: abci.DefaultPoolLimits(),
		SlipKey: rehearsal.Key(node.Name + " slip"), Validator: node.Key,
		Turns: func(after, through int64) (int, error) { return int(through-after) / 4, nil }, Logger: slog.New(slog.DiscardHandler),
	}))
	t.Cleanup(func() {
		if err := w.app.Close(); err != nil {
			t.Error(err)
		}
	})
	c, s := DefaultConfig(), w.source(doc)
	c.Listen = "127.0.0.1:0"
	for _, f := range change {
		f(&c, &s)
	}
	w.server = must(New(c, s, slog.New(slog.DiscardHandler)))
	w.base = "http://" + w.server.Addr()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.server.Serve(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
	return w
}

func (w *world) now() time.Time {
	if w.ledger == nil {
		return time.Unix(rehearsal.Start, 0)
	}
	return time.Unix(w.ledger.Now(), 0)
}

// source is what the gateway serves. All of it is certified up to the last block but two.
func (w *world) source(doc *pb.Genesis) Source {
	return Source{
		App: w.app, Blocks: rehearsed{w.ledger}, Chain: doc.ChainId, GenesisHash: genesis.Hash(doc), Document: genesis.Bytes(doc), Version: "test",
		NodeID: fmt.Sprintf("%x", node.NodeId), Validator: func() (*pb.Validator, error) { return &node, nil },
		Clocks: func() ([]Clock, error) { return []Clock{{node.Organisation, node.Name, -3}}, nil },
		Health: func() []string { return nil }, Alarms: func() []string { return []string{"a drill"} },
		CatchingUp: func() bool { return false }, Peers: func() int { return 3 },
		Certified: func() (int64, *pb.CertifiedState, *state.Snapshot, error) {
			h := w.certified()
			if h < 1 {
				return 0, nil, nil, nil
			}
			return h, w.ledger.Shown(h), must(w.ledger.StateAt(h)), nil
		},
		Epochs: func() ([]*pb.EpochProof, error) {
			if w.certified() < 1 {
				return nil, nil
			}
			return w.ledger.LedgerState(w.certified()).Epochs, nil
		},
		Receipt: func(id string, code []byte, _ bool) (*pb.Receipt, error) {
			if w.ledger == nil {
				return nil, state.ErrNotFound
			}
			at := must(w.ledger.View().Index(state.CodeIndexKey(id, code)))
			if len(at) != 8 {
				return nil, state.ErrNotFound
			}
			h := w.certified()
			return receipt.New(w.ledger.LedgerState(h), must(w.ledger.StateAt(h)), id, binary.BigEndian.Uint64(at))
		},
		SlipCase: func(p *pb.Promise) (*pb.SlipCase, error) {
			if w.certified() < 1 {
				return nil, slip.ErrEarly
			}
			h := w.certified()
			return slip.NewCase(w.ledger, w.ledger.LedgerState(h), must(w.ledger.StateAt(h)), p)
		},
	}
}

func (w *world) certified() int64 {
	if w.ledger == nil {
		return 0
	}
	return w.ledger.Height() - 2
}

// index puts what came of a block's transactions where they are looked up by hash.
func (w *world) index(height int64) {
	block := w.ledger.BlockAt(height)
	results := make([]*abcitypes.ExecTxResult, len(block.Txs))
	for i, r := range w.ledger.Results[height-1] {
		results[i] = &abcitypes.ExecTxResult{Code: uint32(r.Code), Log: r.Detail}
	}
	w.app.Recover(height, block.Txs.ToSliceOfBytes(), results)
}

// rehearsed implements Blocks.
type rehearsed struct{ *rehearsal.Ledger }

func (b rehearsed) LoadBlock(height int64) *cmttypes.Block {
	if b.Ledger == nil {
		return nil
	}
	return b.BlockAt(height)
}

func (b rehearsed) LoadBlockMeta(height int64) *cmttypes.BlockMeta {
	block := b.LoadBlock(height)
	if block == nil {
		return nil
	}
	return &cmttypes.BlockMeta{BlockID: rehearsal.ID(block), Header: block.Header}
}

func (b rehearsed) LoadBlockCommit(height int64) *cmttypes.Commit {
	if next := b.LoadBlock(height + 1); next != nil {
		return next.LastCommit
	}
	return nil
}

// answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// request asks the gateway.
func (w *world) request(method, target, body string) answer {
	w.Helper()
	req := must(http.NewRequestWithContext(w.Context(), method, w.base+target, strings.NewReader(body)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	return answer{res.StatusCode, res.Header, must(io.ReadAll(res.Body))}
}

// get asks for something that is there and decodes the answer; fields that out does not have are an error.
func (w *world) get(target string, out any) {
	w.Helper()
	a := w.request("GET", target, "")
	if a.status != http.StatusOK {
		w.Fatalf("GET %s: %d: %s", target, a.status, a.body)
	}
	d := json.NewDecoder(strings.NewReader(string(a.body)))
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil {
		w.Fatalf("GET %s: %v in %s", target, err, a.body)
	}
}

// refused asks for something that is not to be had.
func (w *world) refused(status int, target string) {
	w.Helper()
	if a := w.request("GET", target, ""); a.status != status {
		w.Errorf("GET %s: %d instead of %d: %.300s", target, a.status, status, a.body)
	}
}
