package gateway

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
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
	"github.com/cometbft/cometbft/evidence"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/abci"
	"votenode/app/state"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
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
	testing.TB
	ledger *rehearsal.Ledger // nil where nothing has begun
	app    *abci.Application
	server *Server
	base   string
}

// node is the validator whose gateway it is.
var node = rehearsal.Validator("party", 1)

// serve opens the gateway of a ledger; change may alter what it is made of. Without a ledger there is nothing but the genesis document.
func serve(t testing.TB, l *rehearsal.Ledger, change ...func(*Config, *Source)) *world {
	t.Helper()
	w := &world{TB: t, ledger: l}
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
	w.server.streams.beat = 10 * time.Millisecond // that told soon learns that nothing more comes
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
		Health: func() []string { return nil }, Ready: func() []string { return nil }, Alarms: func() []string { return []string{"a drill"} },
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
		CertifiedAt: w.certifiedAt, ValidatorsAt: w.ledger.ValidatorsAt, Report: w.report,
	}
}

// certifiedAt says whether the block after the next certifies a height.
func (w *world) certifiedAt(height int64) (bool, error) {
	proven := w.ledger.LedgerState(height)
	trust := must(must(certified.FromGenesis(w.ledger.Genesis)).Follow(proven.Epochs))
	shown, err := trust.Inspect(proven.State)
	return err == nil && shown.Certified, err
}

// report takes evidence of a double vote that holds.
func (w *world) report(e cmttypes.Evidence) error {
	double, ok := e.(*cmttypes.DuplicateVoteEvidence)
	if !ok {
		return errors.New("it is not of a double vote")
	}
	set, err := w.ledger.ValidatorsAt(e.Height())
	if err != nil {
		return err
	}
	return evidence.VerifyDuplicateVote(double, w.ledger.Genesis.ChainId, set)
}

func (w *world) certified() int64 {
	if w.ledger == nil {
		return 0
	}
	return w.ledger.Height() - 2
}

// index stores what a block did.
func (w *world) index(height int64) {
	block := w.ledger.BlockAt(height)
	last := &abcitypes.ResponseFinalizeBlock{TxResults: make([]*abcitypes.ExecTxResult, len(block.Txs))}
	for i, r := range w.ledger.Results[height-1] {
		last.TxResults[i] = &abcitypes.ExecTxResult{Code: uint32(r.Code), Log: r.Detail}
	}
	for _, e := range w.ledger.Events[height-1] {
		told := abcitypes.Event{Type: e.Type}
		for _, a := range e.Attributes {
			told.Attributes = append(told.Attributes, abcitypes.EventAttribute{Key: a.Key, Value: a.Value})
		}
		last.Events = append(last.Events, told)
	}
	w.app.Recover(height, block.Txs.ToSliceOfBytes(), last)
}

// indexAll stores what all blocks did.
func (w *world) indexAll() {
	for height := range w.ledger.Height() {
		w.index(height + 1)
	}
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

// request asks the gateway; headers are names and values. Of a stream the answer has what is told of the blocks that there are.
func (w *world) request(method, target, body string, headers ...string) answer {
	w.Helper()
	req := must(http.NewRequestWithContext(w.Context(), method, w.base+target, strings.NewReader(body)))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	if res.Header.Get("Content-Type") == streamed {
		return answer{res.StatusCode, res.Header, w.told(res.Body)}
	}
	return answer{res.StatusCode, res.Header, must(io.ReadAll(res.Body))}
}

// told reads a stream until it ends, or says that it has reached a block that is not there yet.
func (w *world) told(stream io.Reader) (text []byte) {
	for r := bufio.NewReader(stream); ; {
		line, err := r.ReadString('\n')
		text = append(text, line...)
		id, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "id: ")
		if err != nil || ok && must(parseCursor(id)).height > w.app.Tip().Height {
			return text
		}
	}
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
