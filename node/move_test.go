package node_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"votenode/app/organisation"
	"votenode/genesis"
	"votenode/internal/testnet"
	"votenode/node"
	"votenode/node/signing"
	pb "votenode/proto/votenode/v1"
)

// TestMove: a validator moves to another folder, without its data, while the others go on. It signs there, and the old folder is not
// started any more.
func TestMove(t *testing.T) {
	n := testnet.New(t, testnet.Options{})
	n.Start()
	moved, other := n.Nodes[3], n.Nodes[0]
	address := organisation.ConsensusAddress(moved.Validator.Key)
	until(t, moved, "health", func() bool { return len(moved.Running().Health()) == 0 })

	to := filepath.Join(t.TempDir(), "moved")
	recipient, err := signing.PrepareMove(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Seal(moved.Home, recipient); !errors.Is(err, signing.ErrRunning) {
		t.Error("a running node is sealed:", err)
	}
	n.Stop(3)
	bundle, err := node.Seal(moved.Home, recipient)
	if err != nil {
		t.Fatal(err)
	}
	if err := moved.Start(); !errors.Is(err, signing.ErrMoved) {
		t.Error(err)
	}
	old := moved.Home
	moved.Home = to
	if err := moved.Start(); !errors.Is(err, signing.ErrMoving) {
		t.Error(err)
	}
	if _, err := node.OpenStopped(to); !errors.Is(err, signing.ErrMoving) {
		t.Error(err)
	}
	for home, want := range map[string]error{old: signing.ErrMoved, to: signing.ErrMoving} {
		if _, err := node.Restore(home, t.TempDir(), n.Hash, quiet); !errors.Is(err, want) {
			t.Errorf("%s: %v", home, err)
		}
	}
	left := stopped(t, old) // which may be looked at, and is not put right any more
	if i := inspected(t, left); !strings.HasPrefix(i.Next, "it does not start") || !strings.Contains(i.Next, recipient) || i.LastBlock == 0 {
		t.Errorf("%+v", i)
	}
	if _, err := left.Rollback(); !errors.Is(err, signing.ErrMoved) {
		t.Error(err)
	}
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	if err := signing.Unseal(to, bundle); err != nil {
		t.Fatal(err)
	}
	from := tip(other) + 4
	other.WaitHeight(from)
	n.Start(3)
	until(t, other, "a signature from the new place", func() bool { h := tip(other) - 1; return h > from && signers(other, h)[address] })
	until(t, moved, "health", func() bool { return len(moved.Running().Health()) == 0 })
	n.RequireAgreement(tip(moved))
	if _, err := os.Stat(filepath.Join(to, "sign-state", "retired")); err == nil {
		t.Error("it is retired")
	}
	if _, err := node.Open(t.Context(), old, node.Options{}); !errors.Is(err, signing.ErrMoved) {
		t.Error(err)
	}
}

// TestUnapproved: a home with a document that an organisation has not approved, or with no approvals, is not started.
func TestUnapproved(t *testing.T) {
	n := testnet.New(t, testnet.Options{})
	home := n.Nodes[0].Home
	approval, err := genesis.Approve(n.Document, n.Officers["league"][0])
	if err != nil {
		t.Fatal(err)
	}
	one := new(pb.GenesisApprovals)
	genesis.AddApproval(one, approval)
	if err := os.WriteFile(node.Home(home).ApprovalsFile(), genesis.ApprovalsBytes(one), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Open(t.Context(), home, node.Options{}); !errors.Is(err, genesis.ErrNotApproved) {
		t.Error(err)
	}
	if err := os.Remove(node.Home(home).ApprovalsFile()); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Open(t.Context(), home, node.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
