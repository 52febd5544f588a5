package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"votenode/app"
	"votenode/app/state"
	"votenode/client"
	"votenode/client/export"
	"votenode/internal/testnet"
	"votenode/internal/town"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/audit"
)

// upgradeBinary is the hash that the resolutions of these tests name.
var upgradeBinary = bytes.Repeat([]byte{0xab}, 32)

// decideUpgrade has both organisations upgrade a ledger, and returns the last height under the old version. However slow the machine is,
// some height is far enough ahead.
func decideUpgrade(t *testing.T, w *town.Town, version uint64) int64 {
	t.Helper()
	for margin := int64(50); ; margin *= 2 {
		tip, err := w.Ledger.Tip(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d := &pb.UpgradeSoftware{Height: tip + margin, Version: version, Binary: upgradeBinary}
		hash, err := w.Officers[0].Propose(t.Context(), &pb.Resolution{Reason: "a new version", Decision: &pb.Resolution_UpgradeSoftware{UpgradeSoftware: d}})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Officers[1].Approve(t.Context(), hash); err != nil {
			t.Fatal(err)
		}
		v, err := w.Ledger.Certified(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, err := client.MustLoad[pb.ResolutionRecord](t.Context(), v, state.ResolutionKey(hash[:]))
		if err != nil {
			t.Fatal(err)
		}
		if r.Status == pb.RESOLUTION_EFFECTIVE {
			return d.Height
		}
	}
}

// TestUpgrade: at the height of an upgrade all binaries stop that do not know the next version, each with all that was decided, and refuse to
// start again; one that was installed before stays; with the new one all go on, and an audit passes over the change. A node that was down
// fetches the blocks up to the height and stops there, too, though others have blocks behind it.
func TestUpgrade(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network of processes")
	}
	n := testnet.New(t, testnet.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*testnet.Patience)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	old, early := n.Nodes[:3], n.Nodes[3]
	for _, each := range old {
		must(each.StartProcess())
	}
	must(early.StartProcessOf(2))
	for _, each := range n.Nodes {
		must(each.WaitGatewayHeight(ctx, 3))
	}
	w := town.NewOf(t, n, 2)
	cancelled := decideUpgrade(t, w, 2)
	w.Resolve(&pb.Resolution{Decision: &pb.Resolution_CancelUpgrade{CancelUpgrade: &pb.CancelUpgrade{Height: cancelled}}})
	must(early.WaitGatewayHeight(ctx, cancelled+1)) // nobody has stopped there

	last := decideUpgrade(t, w, 2)
	down, rest := old[0], old[1:]
	for _, each := range n.Nodes {
		gateway, err := client.NewNode(each.Gateway())
		must(err)
		status, err := gateway.Status(ctx)
		must(err)
		warned := slices.ContainsFunc(status.Alarms, func(alarm string) bool { return strings.Contains(alarm, fmt.Sprintf("behind height %d ", last)) })
		if warned != (each != early) {
			t.Errorf("%s: alarms %q", each.Name, status.Alarms)
		}
	}
	must(down.Stop())
	refuses := func(each *testnet.Node) (talk string) {
		t.Helper()
		code, talk, err := each.WaitExit(ctx)
		must(err)
		want := fmt.Sprintf("this binary speaks protocol version 1; the ledger needs 2 since height %d; install the binary with the SHA-256 %x", last+1, upgradeBinary)
		if code != 4 || !strings.Contains(talk, want) {
			t.Errorf("%s ended with code %d: %.2000s", each.Name, code, talk)
		}
		return talk
	}
	ran := func(each *testnet.Node, want bool) {
		t.Helper()
		if talk := refuses(each); strings.Contains(talk, "the node runs") != want {
			t.Errorf("%s ran: %v: %.2000s", each.Name, !want, talk)
		}
	}
	for _, each := range rest {
		ran(each, true)
	}
	must(early.WaitGatewayHeight(ctx, last))
	must(rest[0].StartProcess())
	ran(rest[0], false)
	for _, each := range rest {
		must(each.StartProcessOf(2))
	}
	must(early.WaitGatewayHeight(ctx, last+3))
	must(down.StartProcess())
	ran(down, true)
	must(down.StartProcess())
	ran(down, false)
	must(down.StartProcessOf(2))
	for _, each := range n.Nodes {
		must(each.WaitGatewayHeight(ctx, last+6))
	}
	auditUpgraded(t, w, last)
	outdated, err := client.Open(ctx, n.Hash, []string{early.Gateway()}, nil)
	must(err)
	if _, err := outdated.After(ctx, last); !errors.Is(err, app.ErrProtocol) {
		t.Errorf("a client that does not know the version: %v", err)
	}
	for _, each := range n.Nodes {
		if err := each.Stop(); err != nil {
			t.Errorf("%s ended badly: %v", each.Name, err)
		}
	}
}

// auditUpgraded audits a ledger beyond the height of an upgrade to version 2, with a program that knows the version and with one that does
// not.
func auditUpgraded(t *testing.T, w *town.Town, last int64) {
	t.Helper()
	for protocol, want := range map[uint64]error{2: nil, 1: app.ErrProtocol} {
		s, err := export.Open(t.Context(), w.Ledger, export.Options{Height: last + 4})
		if err != nil {
			t.Fatal(err)
		}
		report, err := audit.RunSource(t.Context(), s, audit.Options{GenesisHash: &w.Net.Hash, Protocol: protocol})
		if !errors.Is(err, want) || want == nil && !report.Passed {
			t.Errorf("version %d: %v", protocol, err)
		}
		if want == nil && report != nil && report.Failure() != nil {
			t.Errorf("%v", report.Failure())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
