package node_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/client/readable"
	"votenode/internal/testnet"
	pb "votenode/proto/votenode/v1"
)

// TestIntakeOnTheLedger: every validator reports what it was asked for, an observer does not, and a validator that was started anew says so.
func TestIntakeOnTheLedger(t *testing.T) {
	if testing.Short() {
		t.Skip("makes more than a hundred blocks")
	}
	n := testnet.New(t, testnet.Options{Observers: 1})
	n.Start()
	n.WaitHeight(2)
	first, observer := n.Nodes[0], n.Nodes[4]
	deliver(t, first, document(n, 1))
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	answers, err := first.Running().App().Submit(ctx, "", []byte("x"), []byte("y"))
	if err != nil || answers[0].Code != tx.CodeMalformed {
		t.Fatal(answers, err)
	}
	newest := func(each *testnet.Node) *pb.LastIntake {
		last, err := state.Load[pb.LastIntake](observer.Running().App().Ledger().Newest(), state.IntakeKey(each.Validator.Key))
		if err != nil {
			t.Fatal(err)
		}
		return last
	}
	until(t, observer, "a report of each validator", func() bool {
		return !slices.ContainsFunc(n.Nodes[:4], func(each *testnet.Node) bool { return newest(each) == nil })
	})
	r := newest(first).Report
	if r.Start != 1 || r.Height != tx.IntakeInterval || r.Taken != 1 || len(r.Refused) != 1 || r.Refused[0] != (pb.RefusalCount{Code: uint32(tx.CodeMalformed), Count: 2}) {
		t.Errorf("%+v", r)
	}
	if r := newest(n.Nodes[1]).Report; r.FromPeers == 0 || len(r.Refused) != 0 {
		t.Errorf("%+v", r)
	}
	n.Stop(0)
	n.Start(0)
	until(t, observer, "a report of the second start", func() bool { return newest(first).Report.Start == 2 })
	if r := newest(first).Report; r.Taken != 0 || r.Height < 2*tx.IntakeInterval {
		t.Errorf("%+v", r)
	}
	readIntake(t, n, n.Nodes[1])
}

// readIntake reads the reports as everybody can, proven.
func readIntake(t *testing.T, n *testnet.Network, each *testnet.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	l, err := client.Open(ctx, n.Hash, []string{each.Gateway()}, func(node string, reason error) { t.Log(node, reason) })
	if err != nil {
		t.Fatal(err)
	}
	var list, all, none []readable.Intake
	_, err = l.Until(ctx, func(ctx context.Context, v *client.View) (_ bool, err error) {
		if list, err = readable.NewestIntake(ctx, v); err != nil {
			return false, err
		}
		if all, err = readable.AllIntake(ctx, v, 0, math.MaxInt64); err != nil {
			return false, err
		}
		none, err = readable.AllIntake(ctx, v, 1, tx.IntakeInterval-1)
		return slices.ContainsFunc(list, func(i readable.Intake) bool { return i.Start == 2 }), err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 4 || len(all) < 5 || len(none) != 0 {
		t.Errorf("%d newest, %d in all, %d before the first", len(list), len(all), len(none))
	}
	for _, i := range append(list, all...) {
		if i.Validator == "" || i.Height%tx.IntakeInterval != 0 || i.Organisation == n.Nodes[0].Organisation && i.Validator == n.Nodes[0].Name && i.Start == 1 && i.Refused["malformed"] != 2 {
			t.Errorf("%+v", i)
		}
	}
}

// TestDamagedStarts: a home that does not know how often it was started says what to do, and goes on without the file.
func TestDamagedStarts(t *testing.T) {
	n := testnet.New(t, testnet.Options{})
	path := filepath.Join(n.Nodes[0].Home, "data", "starts")
	if err := os.WriteFile(path, []byte("many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.Nodes[0].Start(); err == nil {
		t.Fatal("started")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1\n", "2\n"} {
		n.Start(0)
		n.Stop(0)
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("%q %v", b, err)
		}
	}
}
