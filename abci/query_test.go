package abci

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/merkle"

	"votenode/app/state"
)

func (l *ledger) query(path, data string, height int64) *abcitypes.ResponseQuery {
	l.t.Helper()
	res, err := l.app.Query(context.Background(), &abcitypes.RequestQuery{Path: path, Data: []byte(data), Height: height, Prove: true})
	if err != nil {
		l.t.Fatal(err)
	}
	return res
}

// TestQueryProof: CometBFT's own proof runtime verifies the answer under the AppHash of the next header, and nothing else.
func TestQueryProof(t *testing.T) {
	l := newLedger(t)
	if res := l.query(PathRecord, state.KeyChain, 0); res.Code == 0 {
		t.Error("a query before block 1 is answered")
	}
	hashes := map[int64][]byte{0: l.initChain().AppHash}
	for l.height() < 3 {
		res := l.finalize(publish(int(l.height())))
		l.commit()
		hashes[l.height()] = res.AppHash
	}
	runtime := merkle.DefaultProofRuntime()
	for _, c := range []struct{ asked, answered int64 }{{0, 2}, {1, 1}, {2, 2}} {
		res := l.query(PathRecord, state.KeyValidators, c.asked)
		if res.Code != 0 || res.Height != c.answered || string(res.Key) != state.KeyValidators {
			t.Fatalf("%+v", res)
		}
		path := merkle.KeyPath{}.AppendKey(res.Key, merkle.KeyEncodingHex).String()
		if err := runtime.VerifyValue(res.ProofOps, hashes[res.Height], path, res.Value); err != nil {
			t.Error(err)
		}
		if runtime.VerifyValue(res.ProofOps, hashes[res.Height], path, append(res.Value, 0)) == nil {
			t.Error("another value verifies")
		}
		if runtime.VerifyValue(res.ProofOps, hashes[res.Height-1], path, res.Value) == nil {
			t.Error("it verifies under another header")
		}
	}
	for _, res := range []*abcitypes.ResponseQuery{
		l.query(PathRecord, state.KeyChain, 3), // no header yet
		l.query(PathRecord, state.KeyChain, 99),
		l.query(PathRecord, state.KeyChain, -1),
		l.query(PathRecord, "no-such-record", 0),
		l.query(PathRecord, "", 0),
		l.query("/nothing", "", 0),
		l.query("/app/version", "", 0),
	} {
		if res.Code == 0 || res.Value != nil || res.ProofOps != nil {
			t.Errorf("answered: %+v", res)
		}
	}
}

// TestPeerFilter: only validators and those whom the configuration welcomes may connect, before the first block and after it.
func TestPeerFilter(t *testing.T) {
	l := newLedger(t)
	id := func(n []byte) string { return pathFilterID + strings.ToLower(hexOf(n)) }
	validator := l.doc.Organisations[0].Validators[0].NodeId
	for range 2 {
		if l.query(id(validator), "", 0).Code != 0 || l.query(pathFilterID+"00000000000000000000000000000000000000aa", "", 0).Code != 0 {
			t.Error("a validator, or a welcome node, is refused")
		}
		if l.query(id(make([]byte, 20)), "", 0).Code == 0 || l.query(pathFilterID, "", 0).Code == 0 {
			t.Error("a stranger is let in")
		}
		if l.query(pathFilterAddr+"192.0.2.1:1", "", 0).Code != 0 {
			t.Error("an address is refused before its id is known")
		}
		l.block()
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&15])
	}
	return s.String()
}

// TestNothingWaitsForConsensus: while a consensus call is in progress, queries, checks and the peers' transactions are answered.
func TestNothingWaitsForConsensus(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	entered, leave := make(chan struct{}), make(chan struct{})
	now := l.app.options.Now
	var held atomic.Bool // the proposal, where it reads the clock
	l.app.options.Now = func() time.Time {
		if !held.Swap(true) {
			close(entered)
			<-leave
		}
		return now()
	}
	done := make(chan bool)
	go func() { done <- l.process(publish(1)) }()
	<-entered
	c, err := NewClientCreator(l.app).NewABCIClient()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if res, err := c.Query(ctx, &abcitypes.RequestQuery{Path: pathFilterID}); err != nil || res.Code == 0 {
		t.Error(res, err)
	}
	if res, err := c.CheckTx(ctx, &abcitypes.RequestCheckTx{Tx: b.cast(t, 0, 1)}); err != nil || res.Code != 0 {
		t.Error(res, err)
	}
	if res, err := c.InsertTx(ctx, &abcitypes.RequestInsertTx{Tx: publish(2)}); err != nil || res.Code != 0 {
		t.Error(res, err)
	}
	if res, err := c.ReapTxs(ctx, &abcitypes.RequestReapTxs{}); err != nil || len(res.Txs) != 1 {
		t.Error(res, err)
	}
	close(leave)
	if !<-done {
		t.Error("the proposal is refused")
	}
}

// TestInitChain: the genesis that CometBFT brings must be the one of the node's document; asking twice gives the same state.
func TestInitChain(t *testing.T) {
	l := newLedger(t)
	first := l.initChain()
	if second := l.initChain(); string(first.AppHash) != string(second.AppHash) {
		t.Error("the second InitChain gives another state")
	}
	for _, req := range []*abcitypes.RequestInitChain{
		{ChainId: chainID, InitialHeight: 1, AppStateBytes: []byte(`{"genesis_hash":"` + strings.Repeat("00", 32) + `"}`)},
		{ChainId: chainID, InitialHeight: 1},
		{ChainId: "other", InitialHeight: 1},
		{ChainId: chainID, InitialHeight: 2},
	} {
		if _, err := l.app.InitChain(context.Background(), req); err == nil {
			t.Errorf("%v is accepted", req)
		}
	}
	l.block()
	l.close()
	l.doc.Time++
	if err := l.tryOpen(); err == nil {
		t.Error("a ledger of another genesis document is opened")
	}
	l.doc.Time--
	l.open()
	if info, err := l.app.Info(context.Background(), nil); err != nil || info.LastBlockHeight != 1 || len(info.LastBlockAppHash) != 32 {
		t.Error(info, err)
	}
	if l.app.Tip().Time != l.time {
		t.Error("the time of the newest block is not taken up")
	}
}
