package node_test

import (
	"errors"
	"os"
	"testing"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"

	"votenode/internal/testnet"
	"votenode/node"
	"votenode/verify/certified"
)

// branchesStayApart: the liars go, and the cut heals: P1 finds P2, which runs on and is some heights behind on its own branch. P2 takes
// no block of the other branch. As a rule CometBFT's consensus panics as soon as it has one with more than 2/3 of the precommits, and
// the node ends with an error. The other side goes on and still certifies nothing, and a new start of P2 finds its branch as it was.
// What is to become of the branches is for people to decide.
//
// The other end is that P2 stands still, connected to P1, for ever. That is so where the twins went while P2 was at a height of which P1
// is the first proposer: nobody on P2's side had a proposal, so P2 has counted more than 2/3 of the precommits of round 0 for nil, while P1's
// side decided in this very round. A types.VoteSet of CometBFT considers the first quorum only: the precommits of L1 and L2 for P1's block
// conflict with those of their twins, and even where they are counted, because P1 claims a majority for its block, the majority stays the
// one for nil. So P2 never commits in that round and never asks for the block, and alone it gets to no further round.
func (w *lied) branchesStayApart(t *testing.T) {
	t.Helper()
	behind := w.b[0]
	for _, twin := range w.b[1:] {
		w.Stop(twin.Index)
	}
	w.a[0].WaitHeight(tip(behind) + 4)
	w.Stop(w.a[0].Index)
	stood := tip(behind)
	want := block(behind, stood)
	w.Partition(append(w.a, behind))
	w.Start(w.a[0].Index)
	until(t, w.a[0], "the meeting of P1 and P2", func() bool {
		return behind.Running().Peers() > 0 || len(behind.Ended()) > 0
	})
	last := tip(w.a[0]) + 5
	for _, each := range w.a {
		each.WaitHeight(last + 2)
	}
	err := behind.Stop()
	if err != nil && !errors.Is(err, node.ErrConsensusDied) {
		t.Fatalf("%s ended: %v", behind.Name, err)
	}
	t.Logf("%s, which met a branch of %d heights at %d, ended: %v", behind.Name, last, stood, err)
	for height := w.common + 1; height <= last; height++ {
		s := ask(t, w.a[0], height+1)
		if state, err := inspect(t, s.trust(t), s.header); !state.Committed || !errors.Is(err, certified.ErrNotCertified) {
			t.Errorf("height %d: %+v, %v", height, state, err)
		}
	}
	if height := certifiedHeight(t, w.a[0]); height >= w.common {
		t.Errorf("height %d is certified", height)
	}
	w.Partition(w.a)
	w.Start(behind.Index)
	if tip(behind) != stood || block(behind, stood) != want || certifiedHeight(t, behind) >= w.common {
		t.Errorf("%s stood at %d, and stands at %d, with %d certified", behind.Name, stood, tip(behind), certifiedHeight(t, behind))
	}
}

// TestLyingValidator: one validator of the league runs twice and cuts one of the party's off, but the other one of the league is honest.
// That is too little for a second branch: the cut-off side votes and commits nothing. When the cut heals it follows the other side,
// whatever the twin has signed, and heights are certified again.
func TestLyingValidator(t *testing.T) {
	w := whoLie(t, 0)
	// Half of the power does not even get to a second round.
	until(t, w.a[0], "the votes of the side that is cut off", func() bool {
		for _, each := range w.b {
			if each.Running().Peers() != 1 || each.Running().CatchingUp() || tip(each) != tip(w.b[0]) || lastSigned(t, each) != tip(each)+1 {
				return false
			}
		}
		return true
	})
	w.a[0].WaitHeight(tip(w.b[0]) + 4) // by now it has decided what was voted before the cut
	w.common = tip(w.b[0])
	last := max(deliver(t, w.a[0], document(w.Network, 1)), w.common+8)
	w.a[0].WaitHeight(last)
	for _, each := range w.b {
		if tip(each) != w.common || block(each, w.common) != block(w.a[0], w.common) {
			t.Errorf("%s, at height %d: the other side has %d heights and another block", each.Name, tip(each), tip(w.a[0]))
		}
	}
	for _, each := range w.Nodes {
		if height := certifiedHeight(t, each); height > w.common {
			t.Errorf("%s shows height %d as certified; behind %d one of the party cannot sign", each.Name, height, w.common)
		}
	}
	w.Stop(w.b[0].Index, w.b[1].Index)
	w.Partition(append(w.a, w.b[0]))
	w.Start(w.b[0].Index)
	until(t, w.a[0], "a certified height", func() bool { return certifiedHeight(t, w.a[0]) > last })
	w.RequireAgreement(last + 1)
}

// lastSigned returns the height of the newest signature of a node's consensus key.
func lastSigned(t *testing.T, e *testnet.Node) int64 {
	t.Helper()
	b, err := os.ReadFile(e.Home + "/sign-state/state.json")
	if err != nil {
		t.Fatal(err)
	}
	var last privval.FilePVLastSignState
	if err := cmtjson.Unmarshal(b, &last); err != nil {
		t.Fatal(err)
	}
	return last.Height
}
