package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"votenode/internal/testnet"
	"votenode/internal/town"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
)

// TestUpgradeAndSnapshots: an old binary does not begin with a state whose rules it does not know, neither from peers nor from a backup, and keeps
// nothing of it; the new one does, and goes on through a change of parameters and a rollback. A rollback over the height of the upgrade leads there again.
func TestUpgradeAndSnapshots(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network of processes")
	}
	n := testnet.New(t, testnet.Options{Observers: 2, Commit: 250 * time.Millisecond, Config: func(_ int, c *node.Config) {
		c.Store.SnapshotInterval = 40
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 4*testnet.Patience)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	early, old, late, restored := n.Nodes[:3], n.Nodes[3], n.Nodes[4], n.Nodes[5]
	for _, each := range early {
		must(each.StartProcessOf(2))
	}
	must(old.StartProcess())
	for _, each := range n.Nodes[:4] {
		must(each.WaitGatewayHeight(ctx, 3))
	}
	w := town.NewOf(t, n, 2)
	last := decideUpgrade(t, w, 2)
	refuses := func(e *testnet.Node, want string) {
		t.Helper()
		code, talk, err := e.WaitExit(ctx)
		must(err)
		if code != 4 || !strings.Contains(talk, want) {
			t.Errorf("%s ended with code %d: %.2000s", e.Name, code, talk)
		}
	}
	since := fmt.Sprintf("the ledger needs 2 since height %d", last+1)
	refuses(old, since)

	// Back over the height of the upgrade, and on with either binary.
	rollBack(t, old, last)
	must(old.StartProcess())
	refuses(old, since)
	must(old.StartProcessOf(2))
	must(old.WaitGatewayHeight(ctx, last+3))

	backup := filepath.Join(t.TempDir(), "backup")
	for height := last; ; height++ { // until a snapshot from behind the upgrade is shown by all
		must(n.Nodes[0].WaitGatewayHeight(ctx, height))
		shown := 0
		for _, each := range n.Nodes[:4] {
			if _, of := proven(t, each); of >= last {
				shown++
			}
		}
		if shown == 4 {
			break
		}
	}
	if _, err := node.Backup(n.Nodes[0].Home, backup); err != nil {
		t.Fatal(err)
	}
	nothing := func(e *testnet.Node) {
		t.Helper()
		for _, path := range []string{"data/ledger", "data.new"} {
			if _, err := os.Lstat(filepath.Join(e.Home, path)); err == nil {
				t.Errorf("%s has %s", e.Name, path)
			}
		}
	}
	var upgrade *node.UpgradeError
	if _, err := node.Restore(restored.Home, backup, n.Hash, quiet); !errors.As(err, &upgrade) || upgrade.Needed != 2 || upgrade.Known != 1 || upgrade.Height < last {
		t.Errorf("%v", err)
	}
	nothing(restored)
	knowing := quiet
	knowing.Protocol = 2
	from, err := node.Restore(restored.Home, backup, n.Hash, knowing)
	if err != nil || from < last {
		t.Fatal(from, err)
	}

	syncFrom(t, late, n.Nodes[0], n.Nodes[2])
	must(late.StartProcess())
	refuses(late, "this binary speaks protocol version 1; the ledger needs 2 at height")
	nothing(late)
	must(late.StartProcessOf(2))
	must(restored.StartProcessOf(2))
	must(late.WaitGatewayHeight(ctx, last+1))
	changed := n.Document.Parameters
	changed.Timeouts.Propose++
	changed.Limits.BlockBytes++
	w.Resolve(&pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: changed}}})
	tip, err := w.Ledger.Tip(ctx)
	must(err)
	for _, each := range n.Nodes {
		must(each.WaitGatewayHeight(ctx, tip+3))
	}
	must(late.Stop())
	if s := stopped(t, late.Home); inspected(t, s).FirstBlock <= last {
		t.Error("it began before the upgrade")
	} else {
		must(s.Close())
	}
	rollBack(t, late, 0)
	must(late.StartProcessOf(2))
	must(late.WaitGatewayHeight(ctx, tip+6))
	for _, each := range n.Nodes {
		must(each.WaitGatewayHeight(ctx, tip+6))
		if err := each.Stop(); err != nil {
			t.Errorf("%s ended badly: %v", each.Name, err)
		}
	}
	a := stopped(t, n.Nodes[0].Home)
	for _, each := range n.Nodes[1:] {
		if d, height, err := node.Compare(a, stopped(t, each.Home)); d != nil || height < tip || err != nil {
			t.Errorf("%s: %+v at height %d, %v", each.Name, d, height, err)
		}
	}
}

// rollBack takes a node that does not run back by its newest block, whose height is checked unless it is 0.
func rollBack(t *testing.T, e *testnet.Node, newest int64) {
	t.Helper()
	s := stopped(t, e.Home)
	height, err := s.Rollback()
	if err != nil || newest != 0 && height != newest-1 {
		t.Fatal(height, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
