package node_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"votenode/app/tx"
	"votenode/internal/testnet"
	"votenode/node"
)

// TestSmallDisk: the data of a node lie on a file system of 96 MiB, which something else fills up: the node takes nothing from clients and
// goes on with the blocks of others, and when there is room again it takes what comes.
func TestSmallDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root mounts file systems")
	}
	n := testnet.New(t, testnet.Options{Config: func(i int, c *node.Config) { c.Store.ReserveMegabytes = 64 }})
	small := n.Nodes[0]
	data := filepath.Join(small.Home, "data")
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=96m"); err != nil {
		t.Skip("file systems cannot be mounted here: ", err)
	}
	t.Cleanup(func() {
		small.Forget() // before its disk goes
		if err := syscall.Unmount(data, 0); err != nil {
			t.Error(err)
		}
	})
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
