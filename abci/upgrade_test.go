package abci

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"

	abcitypes "github.com/cometbft/cometbft/abci/types"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// upgraded writes an upgrade to version 2 behind a height into the next state.
func (l *ledger) upgraded(height int64) {
	l.edit(func(w state.Writer) {
		state.Save(w, state.KeyUpgrades, &pb.Upgrades{Upgrades: []pb.UpgradeSoftware{{Height: height, Version: 2, Binary: bytes.Repeat([]byte{7}, 32)}}})
	})
}

// TestUpgradeStops: the block of the upgrade's height hands the next version to consensus. Behind it a program that does not know the version
// proposes nothing, accepts and executes no block, and takes nothing in; Info names the version, and one that knows it goes on.
func TestUpgradeStops(t *testing.T) {
	protocol := uint64(1)
	l := newLedgerOf(t, func(o *Options) { o.Protocol = protocol })
	l.block()
	l.upgraded(4)
	if res := l.finalize(); res.ConsensusParamUpdates != nil {
		t.Error("before its height")
	}
	l.commit()
	res := l.finalize()
	if p := res.ConsensusParamUpdates; p == nil || p.Version == nil || p.Version.App != 2 || p.Block != nil {
		t.Fatalf("%v", p)
	}
	if l.app.Beyond() != nil {
		t.Error("it stops before its height is committed")
	}
	l.commit()
	stopped := func() {
		t.Helper()
		if u := l.app.Beyond(); u == nil || u.Version != 2 {
			t.Fatalf("%v", u)
		}
		if txs := l.prepareWhole(1 << 20); len(txs) != 0 {
			t.Error("it proposes transactions")
		}
		if l.process() {
			t.Error("it accepts a block")
		}
		if codes := l.submit(publish(1)); codes[0] != tx.CodeRetryLater {
			t.Errorf("%v", codes)
		}
		if _, err := l.app.FinalizeBlock(context.Background(), l.request(nil)); !errors.Is(err, app.ErrProtocol) {
			t.Error(err)
		}
		if info, err := l.app.Info(context.Background(), &abcitypes.RequestInfo{}); err != nil || info.AppVersion != 2 || info.LastBlockHeight != 4 {
			t.Errorf("%+v %v", info, err)
		}
	}
	stopped()
	l.close()
	l.open()
	stopped()
	l.close()
	protocol = 2
	l.open()
	if codes := append(l.submit(publish(1)), l.block(publish(1))...); l.app.Beyond() != nil || codes[0] != tx.CodeOK || codes[1] != tx.CodeOK {
		t.Error(codes)
	}
}

// TestHoldBeyond: a node that runs holds the block behind the upgrade, which fails only when the node ends.
func TestHoldBeyond(t *testing.T) {
	l := newLedger(t)
	l.upgraded(2)
	l.app.HoldBeyond()
	l.block()
	request := l.request(nil)
	failed := make(chan error, 1)
	go func() {
		_, err := l.app.FinalizeBlock(context.Background(), request)
		failed <- err
	}()
	for !l.app.Held() {
		runtime.Gosched()
	}
	select {
	case err := <-failed:
		t.Fatal("it does not hold the block:", err)
	default:
	}
	l.close()
	if err := <-failed; !errors.Is(err, app.ErrProtocol) {
		t.Error(err)
	}
	l.open()
}

// TestParametersKeepVersion: other parameters do not set the version back.
func TestParametersKeepVersion(t *testing.T) {
	p := genesis.DefaultParameters(2)
	for outcome, version := range map[*app.Outcome]uint64{{Parameters: p}: 0, {Parameters: p, Version: 3}: 3} {
		u := paramsOf(outcome)
		if u.Block.MaxBytes != int64(p.Limits.BlockBytes) || (u.Version != nil) != (version != 0) || u.Version.GetApp() != version {
			t.Errorf("%v", u)
		}
	}
	if paramsOf(new(app.Outcome)) != nil {
		t.Error("nothing changes something")
	}
}
