package app_test

import (
	"bytes"
	"errors"
	"testing"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

func upgradeOf(height int64, version uint64) pb.Resolution {
	return pb.Resolution{Decision: &pb.Resolution_UpgradeSoftware{UpgradeSoftware: &pb.UpgradeSoftware{
		Height: height, Version: version, Binary: bytes.Repeat([]byte{1}, 32),
	}}}
}

func cancelOf(height int64) pb.Resolution {
	return pb.Resolution{Decision: &pb.Resolution_CancelUpgrade{CancelUpgrade: &pb.CancelUpgrade{Height: height}}}
}

// refuseProposal expects a code for a proposal in the next block.
func (l *ledger) refuseProposal(want tx.Code, r pb.Resolution) {
	l.t.Helper()
	l.nonce++
	r.Nonce = 1_000 + l.nonce
	l.refuse(want, sign("party officer 1", &pb.ProposeResolution{Resolution: r}))
}

// TestUpgrade: the version changes behind the height of the upgrade, not before, and a state machine that does not know it executes no block
// of it.
func TestUpgrade(t *testing.T) {
	l := newLedger(t)
	l.block(1)
	next := l.view().Height() + 1
	l.refuseProposal(tx.CodeInvalidUpgrade, upgradeOf(next+20, 1))
	l.refuseProposal(tx.CodeInvalidUpgrade, upgradeOf(next+20, 3))
	l.refuseProposal(tx.CodeInvalidUpgrade, upgradeOf(l.view().Height()+1, 2)) // that of its own block
	l.refuseProposal(tx.CodeNoUpgrade, cancelOf(next+20))
	last := l.view().Height() + 12
	l.resolve(upgradeOf(last, 2))
	l.refuseProposal(tx.CodeUpgradePending, upgradeOf(last+20, 2))
	l.refuseProposal(tx.CodeNoUpgrade, cancelOf(last+1))
	version := func(height int64) uint64 { return must(app.VersionAt(l.view(), height)) }
	for l.view().Height() < last {
		if b := must(l.app.Beyond(l.view())); b != nil {
			t.Fatalf("height %d: %v", l.view().Height(), b)
		}
		next := l.outcome(1).Version
		if at := l.view().Height(); at < last && next != 0 || at == last && next != 2 {
			t.Fatalf("height %d: version %d comes next", at, next)
		}
	}
	if version(last) != 1 || version(last+1) != 2 {
		t.Error(version(last), version(last+1))
	}
	beyond := must(l.app.Beyond(l.view()))
	if beyond == nil || beyond.Version != 2 || beyond.Height != last {
		t.Fatalf("%+v", beyond)
	}
	if _, err := l.app.Execute(l.state.NewDraft(), l.next(1)); !errors.Is(err, app.ErrProtocol) {
		t.Fatal(err)
	}
	l.app = app.NewOf(chain, 2)
	if must(l.app.Beyond(l.view())) != nil {
		t.Error("a state machine that knows version 2 stops")
	}
	l.refuseProposal(tx.CodeNoUpgrade, cancelOf(last))
	l.refuseProposal(tx.CodeInvalidUpgrade, upgradeOf(last+30, 2))
	l.resolve(upgradeOf(last+30, 3))
}

// outcome makes an empty block and returns what it did.
func (l *ledger) outcome(seconds int64) *app.Outcome {
	l.t.Helper()
	b := l.next(seconds)
	l.now = b.Time / 1e9
	d := l.state.NewDraft()
	o := must(l.app.Execute(d, b))
	l.commit(d)
	return o
}

// TestCancelUpgrade: what is cancelled before its height changes nothing, and leaves no record; at its height it is too late.
func TestCancelUpgrade(t *testing.T) {
	l := newLedger(t)
	last := l.view().Height() + 12
	l.resolve(upgradeOf(last, 2))
	l.resolve(cancelOf(last))
	if b := must(l.view().Record(state.KeyUpgrades)); b != nil {
		t.Errorf("%x", b)
	}
	last += 10
	l.resolve(upgradeOf(last, 2))
	l.until(last - 1)
	late, another := cancelOf(last), upgradeOf(last+9, 2)
	for i, got := range l.block(1, l.propose("party officer 1", &late)[0], l.propose("party officer 1", &another)[0]) { // block last
		if want := []tx.Code{tx.CodeNoUpgrade, tx.CodeUpgradePending}[i]; got.Code != want {
			t.Errorf("%v instead of %v", got, want)
		}
	}
	if must(app.VersionAt(l.view(), last+1)) != 2 {
		t.Error("the upgrade is gone")
	}
}

// TestUpgradeTooLate: an upgrade that is approved when its height has come does not take effect.
func TestUpgradeTooLate(t *testing.T) {
	l := newLedger(t)
	r := upgradeOf(l.view().Height()+5, 2)
	raw := l.propose("party officer 1", &r)
	l.accept(raw...)
	hash := app.ResolutionHash(chain, &r)
	l.until(r.GetUpgradeSoftware().Height - 1)
	for _, officer := range []string{"party officer 2", "league officer 1", "league officer 2"} {
		l.accept(sign(officer, &pb.ApproveResolution{Resolution: hash[:]}))
	}
	if got := l.resolution(hash); got.Status != pb.RESOLUTION_REFUSED || tx.Code(got.Code) != tx.CodeInvalidUpgrade {
		t.Errorf("%+v", got)
	}
}
