package node_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"votenode/app"
	"votenode/app/organisation"
	"votenode/app/tx"
	"votenode/internal/testnet"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// keep copies the home of a node that does not run: a snapshot of the whole machine.
func keep(t *testing.T, e *testnet.Node) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "home")
	if err := testnet.CopyHome(copied, e.Home); err != nil {
		t.Fatal(err)
	}
	return copied
}

// putBack brings the snapshot back in the place of what the home has become.
func putBack(t *testing.T, e *testnet.Node, snapshot string) {
	t.Helper()
	if err := os.RemoveAll(e.Home); err != nil {
		t.Fatal(err)
	}
	if err := testnet.CopyHome(e.Home, snapshot); err != nil {
		t.Fatal(err)
	}
}

func signState(t *testing.T, e *testnet.Node) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(e.Home, "sign-state", "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signers returns whose precommits for a height stand in the next block, by consensus address, as a node has them.
func signers(e *testnet.Node, height int64) map[[20]byte]bool {
	signed := map[[20]byte]bool{}
	for _, s := range e.Running().Blocks().LoadBlockCommit(height).Signatures {
		if len(s.Signature) > 0 {
			signed[[20]byte(s.ValidatorAddress)] = true
		}
	}
	return signed
}

// requireRetired waits until a node's health names the alarm and checks, some heights later, that it follows the others and that the
// key has signed nothing: the sign state is what it was, and no commit from the height on has its signature.
func requireRetired(t *testing.T, e, other *testnet.Node, alarm string, before []byte, from int64) {
	t.Helper()
	until(t, e, "the alarm", func() bool {
		return slices.ContainsFunc(e.Running().Health(), func(reason string) bool {
			return strings.Contains(reason, alarm) && strings.Contains(reason, "ChangeValidators") && strings.HasSuffix(reason, "; see docs/runbook/signer.md")
		})
	})
	height := tip(e) + 4
	e.WaitHeight(height)
	other.WaitHeight(height)
	if mine, theirs := e.Running().Blocks().LoadBlockMeta(height), other.Running().Blocks().LoadBlockMeta(height); !mine.BlockID.Equals(theirs.BlockID) {
		t.Fatalf("it follows another chain: %v, %v", mine.BlockID, theirs.BlockID)
	}
	if !bytes.Equal(signState(t, e), before) {
		t.Error("the sign state has moved")
	}
	address := organisation.ConsensusAddress(e.Validator.Key)
	for h := from; h < height; h++ {
		if signers(other, h)[address] {
			t.Errorf("it has signed at height %d", h)
		}
	}
	if _, err := os.Stat(filepath.Join(e.Home, "sign-state", "retired")); err != nil {
		t.Error(err)
	}
}

// TestRestoredSnapshot: a whole machine is rolled back, data and sign state alike, after it has signed on and the others have gone on
// without it. When it has fetched what it missed it finds its own signatures there, and never signs again.
func TestRestoredSnapshot(t *testing.T) {
	n := testnet.New(t, testnet.Options{})
	n.Start()
	n.WaitHeight(3)
	restored := n.Nodes[3]
	n.Stop(3)
	snapshot := keep(t, restored)
	old := signState(t, restored)
	n.Start(3)
	until(t, restored, "health", func() bool { return len(restored.Running().Health()) == 0 })
	height := tip(restored)
	address := organisation.ConsensusAddress(restored.Validator.Key)
	until(t, restored, "signatures after the snapshot", func() bool { return tip(restored) > height+4 && signers(restored, tip(restored)-1)[address] })
	n.Stop(3)
	stopped := tip(n.Nodes[0]) + 2 // what it has sent may still come into the next blocks
	n.Nodes[0].WaitHeight(stopped + 4)

	putBack(t, restored, snapshot)
	n.Start(3)
	requireRetired(t, restored, n.Nodes[0], "older than this node's own signatures", old, stopped)
	n.Stop(3)
	n.Start(3)
	requireRetired(t, restored, n.Nodes[0], "older than this node's own signatures", old, stopped)
}

// fork makes a real abandoned branch. The league and one validator of the party sign twice: they go on with the victim alone, then
// their machines are put back to what they were before, and they go on with the two others of the party, from the same height. Their
// power is 5 of 8, so either side has more than 2/3. It returns the height of a block that the victim decided on its branch, signed
// on, and that the chain of the others has not; n runs without the victim.
func fork(t *testing.T, n *testnet.Network, liars, honest []int, victim *testnet.Node) int64 {
	t.Helper()
	n.Start(slices.Concat(liars, honest, []int{victim.Index})...)
	n.WaitHeight(3)
	n.Stop()
	snapshots := map[int]string{}
	for _, i := range liars {
		snapshots[i] = keep(t, n.Nodes[i])
	}
	n.Start(append(slices.Clone(liars), victim.Index)...)
	abandoned := tip(victim) + 4
	for _, i := range liars { // who may have been stopped later, with a block that the victim has not signed
		abandoned = max(abandoned, tip(n.Nodes[i])+4)
	}
	victim.WaitHeight(abandoned + 3)
	branch := victim.Running().Blocks().LoadBlockMeta(abandoned).BlockID
	address := organisation.ConsensusAddress(victim.Validator.Key)
	if !signers(victim, abandoned+1)[address] {
		t.Fatal("the victim has not signed on its branch, which needs it")
	}
	n.Stop()

	for _, i := range liars {
		putBack(t, n.Nodes[i], snapshots[i])
	}
	n.Start(append(slices.Clone(liars), honest...)...)
	n.RequireAgreement(abandoned + 5)
	if n.Nodes[honest[0]].Running().Blocks().LoadBlockMeta(abandoned).BlockID.Equals(branch) {
		t.Fatal("there is one branch only")
	}
	return abandoned
}

// TestAbandonedBranchIsReplaced: an honest validator decided blocks on a branch that two thirds of the power made and gave up. With the
// other chain in its home it raises the alarm and does not sign. A resolution puts a fresh key of a fresh home in its place, and the
// chain is certified by the new set.
func TestAbandonedBranchIsReplaced(t *testing.T) {
	n := testnet.New(t, testnet.Options{
		Powers: map[string][]int64{"league": {2, 2}, "party": {1, 1, 1, 1}}, Observers: 1,
		Parameters: func(p *pb.Parameters) { p.Handover = 8 },
	})
	liars, honest, victim, fresh := []int{0, 1, 2}, []int{3, 4}, n.Nodes[5], n.Nodes[6]
	abandoned := fork(t, n, liars, honest, victim)
	before := signState(t, victim)
	for _, dir := range []string{"ledger", "comet"} {
		if err := os.RemoveAll(filepath.Join(victim.Home, "data", dir)); err != nil {
			t.Fatal(err)
		}
	}
	n.Start(5, 6)
	requireRetired(t, victim, n.Nodes[3], "on a branch that was abandoned", before, abandoned)

	replace(t, n, victim, fresh)
	address := organisation.ConsensusAddress(fresh.Validator.Key)
	until(t, n.Nodes[3], "a block that the new validator has signed", func() bool { return signers(n.Nodes[3], tip(n.Nodes[3])-1)[address] })
	proofs, err := fresh.Running().Epochs()
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
	until(t, fresh, "a state certified by the new set", func() bool {
		_, evidence, err := fresh.Running().Certified()
		if err != nil || evidence == nil {
			t.Fatal(evidence, err)
		}
		verified, err := trust.Verify(evidence)
		return err == nil && verified.Epoch == 2
	})
	until(t, fresh, "health", func() bool { return len(fresh.Running().Health()) == 0 })
	if !bytes.Equal(signState(t, victim), before) {
		t.Error("the victim has signed")
	}
	victim.Forget() // nobody talks to it any more: it is not waited for
	n.RequireAgreement(tip(fresh))
}

// replace puts one validator in the place of another by a resolution of both organisations.
func replace(t *testing.T, n *testnet.Network, leaving, joining *testnet.Node) {
	t.Helper()
	newcomer := joining.Validator
	newcomer.Organisation, newcomer.Power = leaving.Organisation, leaving.Validator.Power
	set := []pb.Validator{newcomer}
	for _, each := range n.Nodes {
		if each != leaving && each.Organisation != "" {
			set = append(set, each.Validator)
		}
	}
	resolution := pb.Resolution{Nonce: 1, Reason: "its key has signed on an abandoned branch", Decision: &pb.Resolution_ChangeValidators{
		ChangeValidators: &pb.ChangeValidators{Validators: testnet.SortedValidators(set)},
	}}
	deliver(t, n.Nodes[0], tx.Sign(testnet.Chain, &pb.ProposeResolution{Resolution: resolution}, n.Officers["league"][0]))
	hash := app.ResolutionHash(testnet.Chain, &resolution)
	deliver(t, n.Nodes[0], tx.Sign(testnet.Chain, &pb.ApproveResolution{Resolution: hash[:]}, n.Officers["party"][0]))
}
