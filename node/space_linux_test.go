package node_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"votenode/app/tx"
	"votenode/internal/testnet"
	"votenode/node"
)

// smallDisk returns a network whose first node has its data on a file system of 96 MiB, of which it keeps 64.
func smallDisk(t *testing.T) (n *testnet.Network, small *testnet.Node, data string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts file systems")
	}
	n = testnet.New(t, testnet.Options{Config: func(_ int, c *node.Config) { c.Store.ReserveMegabytes = 64 }})
	small = n.Nodes[0]
	data = filepath.Join(small.Home, "data")
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=96m"); err != nil {
		t.Skip("file systems cannot be mounted here: ", err)
	}
	t.Cleanup(func() {
		small.Forget() // before its disk goes
		if err := syscall.Unmount(data, 0); err != nil {
			t.Error(err)
		}
	})
	return n, small, data
}

// TestSmallDisk: the data of a node lie on a file system of 96 MiB, which something else fills up: the node takes nothing from clients and
// goes on with the blocks of others, and when there is room again it takes what comes.
func TestSmallDisk(t *testing.T) {
	n, small, data := smallDisk(t)
	n.Start()
	until(t, small, "readiness", func() bool { return len(small.Running().Ready()) == 0 })
	filler := filepath.Join(data, "filler")
	if err := os.WriteFile(filler, make([]byte, 48<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, small, "a full disk", func() bool { return says(small.Running().Ready(), "64 MiB are kept for blocks", "disk") })
	answers, err := small.Running().App().Submit(t.Context(), "", document(n, 1))
	if err != nil || answers[0].Code != tx.CodeRetryLater {
		t.Error(answers, err)
	}
	small.WaitHeight(deliver(t, n.Nodes[1], document(n, 2)) + 3)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, small, "room on the disk", func() bool { return len(small.Running().Ready()) == 0 })
	n.RequireAgreement(deliver(t, small, document(n, 1)))
}

// TestFullDisk: something else takes all that the reserve kept. The node's process ends; the others go on; when there is room again it starts
// without help and agrees with them.
func TestFullDisk(t *testing.T) {
	n, small, data := smallDisk(t)
	n.Start(1, 2, 3)
	if err := small.StartProcess(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	if err := small.WaitGatewayHeight(ctx, 4); err != nil {
		t.Fatal(err)
	}
	filler, err := os.Create(filepath.Join(data, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	for block := make([]byte, 4<<10); err == nil; {
		_, err = filler.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := small.WaitEnd(ctx); err == nil || ctx.Err() != nil {
		t.Fatal("the process ended well, or not at all: ", err)
	} else {
		t.Log("the process ended: ", err)
	}
	last := deliver(t, n.Nodes[1], document(n, 1))
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	if err := filler.Close(); err != nil {
		t.Fatal(err)
	}
	n.Start(0)
	n.RequireAgreement(last + 3)
	until(t, small, "health", func() bool { return len(small.Running().Health()) == 0 })
}
