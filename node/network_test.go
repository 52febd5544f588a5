package node_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"votenode/app"
	"votenode/app/organisation"
	"votenode/app/tx"
	"votenode/genesis"
	"votenode/internal/testnet"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

func TestMain(m *testing.M) { testnet.Main(m) }

// document is a transaction that any officer may send, another one for each n.
func document(n *testnet.Network, i int) []byte {
	text := fmt.Appendf(nil, "document %d", i)
	hash := sha256.Sum256(text)
	return tx.Sign(testnet.Chain, &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(text)), Chunk: text}, n.Officers["league"][0])
}

// deliver submits a transaction to a node and returns where it stands once it is in a block.
func deliver(t *testing.T, e *testnet.Node, raw []byte) int64 {
	t.Helper()
	app := e.Running().App()
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	answers, err := app.Submit(ctx, "", raw)
	if err != nil || answers[0].Code != tx.CodeOK {
		t.Fatal(answers, err)
	}
	for {
		advanced := app.Advanced()
		if result, ok := app.Results().Find(answers[0].Hash); ok {
			if result.Code != tx.CodeOK {
				t.Fatalf("%+v", result)
			}
			return result.Height
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			t.Fatal("no block took the transaction")
		}
	}
}

// until waits, commit by commit, for a condition of a node.
func until(t *testing.T, e *testnet.Node, what string, condition func() bool) {
	t.Helper()
	limit := time.After(testnet.Patience)
	for {
		advanced := e.Running().App().Advanced()
		if condition() {
			return
		}
		select {
		case <-advanced:
		case <-limit:
			t.Fatalf("%s: %s did not come; %v", e.Name, what, e.Running().Health())
		}
	}
}

// TestJoinStopRestart: transactions get in by every node; a node without a key joins by block sync and agrees; a graceful stop of all
// and a new start lose nothing; a home whose genesis or sign state does not fit is not started.
func TestJoinStopRestart(t *testing.T) {
	n := testnet.New(t, testnet.Options{Observers: 1})
	n.Start(0, 1, 2, 3)
	var last int64
	for i, each := range n.Nodes[:4] {
		last = max(last, deliver(t, each, document(n, i)))
	}
	n.WaitHeight(last + 8)
	observer := n.Nodes[4]
	n.Start(4)
	observer.WaitHeight(last + 8)
	until(t, observer, "the end of block sync", func() bool { return !observer.Running().CatchingUp() })
	for i := range 4 {
		hash := sha256.Sum256(document(n, i))
		if r, ok := observer.Running().App().Results().Find(hash); !ok || r.Code != tx.CodeOK {
			t.Errorf("the observer does not know transaction %d: %+v", i, r)
		}
	}
	last = deliver(t, observer, document(n, 10)) // through the observer's pool to a validator's block
	n.RequireAgreement(last + 1)
	for _, each := range n.Nodes {
		until(t, each, "health", func() bool { return len(each.Running().Health()) == 0 })
	}

	n.Stop()
	for _, file := range []string{"/genesis", "/approvals"} {
		if err := os.Rename(n.Nodes[0].Home+file, n.Nodes[0].Home+file+"-kept"); err != nil {
			t.Fatal(err)
		}
	}
	other := *n.Document
	other.Time++
	approvals := new(pb.GenesisApprovals)
	for _, officers := range n.Officers {
		approval, err := genesis.Approve(&other, officers[0])
		if err != nil {
			t.Fatal(err)
		}
		genesis.AddApproval(approvals, approval)
	}
	if err := node.SetGenesis(n.Nodes[0].Home, genesis.Bytes(&other), genesis.ApprovalsBytes(approvals)); err != nil {
		t.Fatal(err)
	}
	if err := n.Nodes[0].Start(); err == nil {
		t.Fatal("started with another genesis document")
	}
	if err := os.RemoveAll(n.Nodes[0].Home + "/data/ledger"); err != nil { // CometBFT's own copy still tells
		t.Fatal(err)
	}
	if err := n.Nodes[0].Start(); !errors.Is(err, node.ErrGenesis) {
		t.Fatal(err)
	}
	for _, file := range []string{"/genesis", "/approvals"} {
		if err := os.Rename(n.Nodes[0].Home+file+"-kept", n.Nodes[0].Home+file); err != nil {
			t.Fatal(err)
		}
	}
	// Node 0 has lost its ledger's state: CometBFT hands it all blocks again. Node 1 has lost its sign state.
	if err := os.Remove(n.Nodes[1].Home + "/sign-state/state.json"); err != nil {
		t.Fatal(err)
	}
	if err := n.Nodes[1].Start(); !errors.Is(err, node.ErrSignStateMissing) {
		t.Fatal(err)
	}
	n.Start(0, 2, 3)
	last = deliver(t, n.Nodes[0], document(n, 11))
	n.RequireAgreement(last)
	if r, ok := n.Nodes[2].Running().App().Results().Find(sha256.Sum256(document(n, 10))); !ok || r.Code != tx.CodeOK {
		t.Error("a result was lost in the restart")
	}
}

// TestKillAndReturn: a validator killed in its tracks, and then all of them, return without help; nothing that was committed is lost.
func TestKillAndReturn(t *testing.T) {
	n := testnet.New(t, testnet.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	start := func(nodes ...*testnet.Node) {
		t.Helper()
		for _, each := range nodes {
			if err := each.StartProcess(); err != nil {
				t.Fatal(err)
			}
		}
	}
	wait := func(height int64, nodes ...*testnet.Node) {
		t.Helper()
		for _, each := range nodes {
			if err := each.WaitGatewayHeight(ctx, height); err != nil {
				t.Fatalf("%s, height %d: %v", each.Name, height, err)
			}
		}
	}
	start(n.Nodes...)
	wait(4, n.Nodes...)
	if err := n.Nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	wait(8, n.Nodes[1:]...)
	start(n.Nodes[0])
	wait(12, n.Nodes...)
	for _, each := range n.Nodes {
		if err := each.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	start(n.Nodes...)
	wait(16, n.Nodes...)
	for _, each := range n.Nodes {
		if err := each.Stop(); err != nil {
			t.Errorf("%s ended badly: %v", each.Name, err)
		}
	}
	n.Start()
	n.RequireAgreement(16)
}

// crashPoints is how many of CometBFT's crash points one block passes: signed votes, storing, executing, committing.
const crashPoints = 12

// TestCrashAtEveryPoint: a validator crashes at each of CometBFT's crash points, one after the other, and returns each time from what
// it has on its disk, without help; in the end it agrees with the others.
func TestCrashAtEveryPoint(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 5
	}
	n := testnet.New(t, testnet.Options{})
	n.Start(0, 1, 2)
	n.WaitHeight(2)
	crashing := n.Nodes[3]
	for point := 0; point < crashPoints; point += step {
		if err := crashing.StartToCrash(point); err != nil {
			t.Fatal(err)
		}
		if err := crashing.WaitCrash(); err != nil {
			t.Fatalf("point %d: %v", point, err)
		}
	}
	n.Start(3)
	height := n.Nodes[0].Running().App().Tip().Height
	n.RequireAgreement(height + 3)
	until(t, crashing, "health", func() bool { return len(crashing.Running().Health()) == 0 })
}

// TestConsensusDies: when consensus panics, the node says so and ends with an error, though CometBFT would go on; the others go on.
func TestConsensusDies(t *testing.T) {
	var broken atomic.Bool
	n := testnet.New(t, testnet.Options{Now: func(i int) time.Time {
		if i == 1 && broken.Load() {
			panic("a clock that fails")
		}
		return time.Now()
	}})
	n.Start()
	n.WaitHeight(2)
	broken.Store(true)
	select {
	case err := <-n.Nodes[1].Ended():
		if !errors.Is(err, node.ErrConsensusDied) {
			t.Fatal(err)
		}
	case <-time.After(testnet.Patience):
		t.Fatal("the node lives on")
	}
	broken.Store(false)
	reasons := strings.Join(n.Nodes[1].Running().Health(), "; ")
	if !strings.Contains(reasons, "consensus has died; see docs/runbook/consensus-died.md") {
		t.Errorf("it says of itself: %q", reasons)
	}
	n.Nodes[1].Forget()
	height := n.Nodes[0].Running().App().Tip().Height
	n.WaitHeight(height + 3)
}

// TestValidatorChange: a resolution of both organisations replaces a validator. The new one, which had no key before, begins to sign
// only with a proof of its epoch; the old one is cut off; and a stranger can follow from genesis through the epochs.
func TestValidatorChange(t *testing.T) {
	n := testnet.New(t, testnet.Options{Observers: 1, Parameters: func(p *pb.Parameters) { p.Handover = 8 }})
	n.Start()
	n.WaitHeight(2)
	joining, leaving := n.Nodes[4], n.Nodes[1]
	var set []pb.Validator
	for _, each := range n.Nodes[:4] {
		if each != leaving {
			set = append(set, each.Validator)
		}
	}
	newcomer := joining.Validator
	newcomer.Organisation = leaving.Organisation
	set = testnet.SortedValidators(append(set, newcomer))
	resolution := pb.Resolution{Nonce: 1, Reason: "a new machine", Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{Validators: set}}}
	deliver(t, n.Nodes[0], tx.Sign(testnet.Chain, &pb.ProposeResolution{Resolution: resolution}, n.Officers["league"][0]))
	hash := app.ResolutionHash(testnet.Chain, &resolution)
	deliver(t, n.Nodes[0], tx.Sign(testnet.Chain, &pb.ApproveResolution{Resolution: hash[:]}, n.Officers["party"][0]))

	key := newcomer.Key
	until(t, n.Nodes[0], "a block that the new validator has signed", func() bool {
		running := n.Nodes[0].Running()
		block := running.Blocks().LoadBlock(running.App().Tip().Height)
		for _, s := range block.LastCommit.Signatures {
			if len(s.Signature) > 0 && [20]byte(s.ValidatorAddress) == organisation.ConsensusAddress(key) {
				return true
			}
		}
		return false
	})
	until(t, joining, "health", func() bool { return len(joining.Running().Health()) == 0 })
	proofs, err := joining.Running().Epochs()
	if err != nil || len(proofs) != 1 {
		t.Fatalf("%d proofs, %v", len(proofs), err)
	}
	trust, err := certified.FromGenesis(n.Document)
	if err == nil {
		trust, err = trust.Follow(proofs)
	}
	if err != nil {
		t.Fatal(err)
	}
	until(t, joining, "a state certified by the new set", func() bool {
		height, evidence, err := joining.Running().Certified()
		if err != nil || height < trust.Newest().FirstHeight() {
			return false
		}
		verified, err := trust.Verify(evidence)
		if err != nil || verified.Epoch != 2 || verified.Height != height {
			t.Fatal(verified, err)
		}
		return true
	})
	if allowed, err := joining.Running().App().Allowed(leaving.ID()); err != nil || allowed {
		t.Error("the validator that has left may still connect", err)
	}
	until(t, joining, "the end of its connection", func() bool { return joining.Running().Peers() == 3 })
	// Stock tools follow through the change, and all nodes say the same of what was certified on both sides of it.
	newest, _, err := joining.Running().Certified()
	if err != nil || newest < trust.Newest().FirstHeight() {
		t.Fatal(newest, err)
	}
	height := newest + 3
	n.Nodes[0].WaitHeight(height + 1)
	joining.WaitHeight(height + 1)
	followByStockClient(t, n.Nodes[0], joining, height)
	said := certifiedBy(t, n.Nodes[0], height)
	if got := certifiedBy(t, joining, height); got != said || !strings.Contains(said, fmt.Sprintf(`"certified_height":%d}`, newest)) {
		t.Errorf("%s and %s differ:\n%s\n\n%s", joining.Name, n.Nodes[0].Name, got, said)
	}
	// A node that has no proof of its epoch makes it from the states that it still keeps.
	n.Stop(2)
	if err := os.Remove(n.Nodes[2].Home + "/data/epoch-000002"); err != nil {
		t.Fatal(err)
	}
	n.Start(2)
	n.Nodes[2].WaitHeight(joining.Running().App().Tip().Height + 1)
	if proofs, err = n.Nodes[2].Running().Epochs(); err != nil || len(proofs) != 1 {
		t.Fatalf("%d proofs, %v", len(proofs), err)
	}
	leaving.Forget() // nobody talks to it any more: it is not waited for
	n.RequireAgreement(joining.Running().App().Tip().Height)
}
