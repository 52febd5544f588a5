package node_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"votenode/client"
	"votenode/genesis"
	"votenode/internal/testnet"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// shown is what one node shows of a height to whoever asks its gateway: what a receipt is made of, besides the proofs of records.
type shown struct {
	genesis *pb.Genesis
	epochs  []*pb.EpochProof
	header  *pb.SignedHeader
}

// ask fetches what a receipt of a height would be made of from the gateway of a node, and nothing from anywhere else.
func ask(t *testing.T, e *testnet.Node, height int64) shown {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	gateway, err := client.NewNode(e.Gateway())
	if err != nil {
		t.Fatal(err)
	}
	document, _, err := gateway.Genesis(ctx)
	if err != nil {
		t.Fatal(e.Name, err)
	}
	var s shown
	if s.genesis, err = genesis.Parse(document); err != nil {
		t.Fatal(e.Name, err)
	}
	if s.epochs, err = gateway.Epochs(ctx); err != nil {
		t.Fatal(e.Name, err)
	}
	if s.header, err = gateway.SignedHeader(ctx, height); err != nil {
		t.Fatal(e.Name, height, err)
	}
	return s
}

// trust is what a stranger gets to know of the ledger from what a node shows.
func (s shown) trust(t *testing.T) *certified.Trust {
	t.Helper()
	trust, err := certified.FromGenesis(s.genesis)
	if err == nil {
		trust, err = trust.Follow(s.epochs)
	}
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// inspect verifies what children attest, and returns it with the verdict of Verify, which asks for certified as well.
func inspect(t *testing.T, trust *certified.Trust, children ...*pb.SignedHeader) (*certified.State, error) {
	t.Helper()
	evidence := &pb.CertifiedState{Children: children}
	state, err := trust.Inspect(evidence)
	if err != nil {
		t.Fatal(err)
	}
	_, err = trust.Verify(evidence)
	return state, err
}

// certifiedHeight returns the newest height that a node can show as certified.
func certifiedHeight(t *testing.T, e *testnet.Node) int64 {
	t.Helper()
	height, _, err := e.Running().Certified()
	if err != nil {
		t.Fatal(e.Name, err)
	}
	return height
}

// lied is a network that was cut in two, with validators that are on both sides.
type lied struct {
	*testnet.Network
	a, b []*testnet.Node // the sides, the honest validator first
	// common is the greatest height of which both sides have the same block.
	common int64
}

// whoLie runs a network of the league's L1, L2 and the party's P1, P2 for some heights, makes twins of those of the league that
// lie, and cuts it in two: P1 and the league on one side, P2 and the twins on the other.
func whoLie(t *testing.T, liars ...int) *lied {
	t.Helper()
	n := testnet.New(t, testnet.Options{Commit: 150 * time.Millisecond})
	n.Start()
	n.WaitHeight(4)
	for _, each := range n.Nodes {
		until(t, each, "a certified height", func() bool { return certifiedHeight(t, each) > 0 })
	}
	n.Stop()
	w := &lied{Network: n, a: []*testnet.Node{n.Nodes[2], n.Nodes[0], n.Nodes[1]}, b: []*testnet.Node{n.Nodes[3]}}
	for _, i := range liars {
		w.b = append(w.b, n.Twin(i))
	}
	n.Partition(w.a, w.b)
	n.Start()
	return w
}

// block returns the id of the block of a height as a node has it, "" where it has none.
func block(e *testnet.Node, height int64) string {
	if meta := e.Running().Blocks().LoadBlockMeta(height); meta != nil {
		return meta.BlockID.String()
	}
	return ""
}

// tip returns the height of a node.
func tip(e *testnet.Node) int64 { return e.Running().App().Tip().Height }

// find sets common, and holds all nodes to the block of their side up to a height: one block on both sides up to common, and two
// from there on.
func (w *lied) find(t *testing.T, last int64) {
	t.Helper()
	for w.common = 0; w.common < last && block(w.a[0], w.common+1) == block(w.b[0], w.common+1); w.common++ {
	}
	for height := int64(1); height <= last; height++ {
		for _, side := range [][]*testnet.Node{w.a, w.b} {
			for _, each := range side {
				if got := block(each, height); got == "" || got != block(side[0], height) {
					t.Errorf("%s has not the block of its side at height %d: %q", each.Name, height, got)
				}
			}
		}
		if same := block(w.a[0], height) == block(w.b[0], height); same != (height <= w.common) {
			t.Errorf("height %d, behind %d: the same block on both sides: %v", height, w.common, same)
		}
	}
}

// TestLyingOrganisation: all validators of the league run twice and cut the party's nodes apart. Both sides commit, each block with
// more than 2/3 of all power: but nothing on either side is certified, nobody who verifies takes either side for certain, and the
// signatures of the two sides name the validators of the league and nobody else.
func TestLyingOrganisation(t *testing.T) {
	w := whoLie(t, 0, 1)
	last := max(deliver(t, w.a[0], document(w.Network, 1)), deliver(t, w.b[0], document(w.Network, 2))) + 3
	w.WaitHeight(last + 2)
	w.find(t, last)
	if w.common < 4 || w.common > last-3 {
		t.Fatalf("the last common block is that of height %d of %d", w.common, last)
	}
	t.Logf("one block at each height up to %d, two from there to %d", w.common, last)
	w.commonIsCertified(t)
	for height := w.common + 1; height <= last; height++ {
		w.committedTwice(t, height)
	}
	w.nobodyIsDeceived(t)
	w.branchesStayApart(t)
}

// commonIsCertified: the two children of the last common block attest the same, and all four validators have signed one of them. So
// this block is certified, though no side can show it by itself.
func (w *lied) commonIsCertified(t *testing.T) {
	a, b := ask(t, w.a[0], w.common+1), ask(t, w.b[0], w.common+1)
	trust := a.trust(t)
	for _, child := range []*pb.SignedHeader{a.header, b.header} {
		if state, err := inspect(t, trust, child); !state.Committed || !errors.Is(err, certified.ErrNotCertified) {
			t.Errorf("the last common block by one child: %+v, %v", state, err)
		}
	}
	if state, err := inspect(t, trust, a.header, b.header); err != nil || state.Height != w.common {
		t.Errorf("the last common block by both children: %+v, %v", state, err)
	}
}

// committedTwice: a block of each side is committed at a height, by precommits that a stranger counts; neither is certified, with all
// the evidence that its side has nor with that of both; and whoever signed for both is of the league.
func (w *lied) committedTwice(t *testing.T, height int64) {
	t.Helper()
	var states []*certified.State
	var children []*pb.SignedHeader
	for _, side := range [][]*testnet.Node{w.a, w.b} {
		s := ask(t, side[0], height+1)
		state, err := inspect(t, s.trust(t), s.header)
		if !state.Committed || !errors.Is(err, certified.ErrNotCertified) || state.Height != height || state.BlockID.String() != block(side[0], height) {
			t.Errorf("height %d at %s: %+v, %v", height, side[0].Name, state, err)
		}
		every := []*pb.SignedHeader{s.header}
		for _, each := range side {
			every = append(every, ask(t, each, height+1).header, seen(t, each, height+1))
		}
		want := []certified.Signed{{Organisation: "league", Power: 2, Total: 2, Enough: true}, {Organisation: "party", Power: 1, Total: 2}}
		if state, err = inspect(t, s.trust(t), every...); !errors.Is(err, certified.ErrNotCertified) || !slices.Equal(state.Signed, want) {
			t.Errorf("height %d, all of the side of %s: %+v, %v", height, side[0].Name, state.Signed, err)
		}
		states, children = append(states, state), append(children, s.header)
	}
	trust := ask(t, w.a[0], height).trust(t)
	if _, err := trust.Verify(&pb.CertifiedState{Children: children}); !errors.Is(err, certified.ErrMismatch) {
		t.Errorf("height %d, children of both sides: %v", height, err)
	}
	fork, err := certified.FindFork(states[0], states[1])
	if err != nil {
		t.Fatal(err)
	}
	want := testnet.SortedValidators([]pb.Validator{w.Nodes[0].Validator, w.Nodes[1].Validator})
	if !slices.EqualFunc(fork.Both, want, func(a, b pb.Validator) bool { return bytes.Equal(a.Key, b.Key) }) {
		t.Errorf("height %d: %v signed on both sides", height, fork.Both)
	}
}

// seen returns a header with the precommits that a node saw itself before it went on to the next height.
func seen(t *testing.T, e *testnet.Node, height int64) *pb.SignedHeader {
	t.Helper()
	blocks := e.Running().Blocks()
	signed, err := certified.FromCommit(&blocks.LoadBlockMeta(height).Header, blocks.LoadSeenCommit(height))
	if err != nil {
		t.Fatal(e.Name, height, err)
	}
	return signed
}

// nobodyIsDeceived: no node shows a certified height behind the cut, and a client that asks the nodes of both sides sees one ledger
// that stands still, however far both sides go on.
func (w *lied) nobodyIsDeceived(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	var addresses []string
	for _, each := range w.Nodes {
		addresses = append(addresses, each.Gateway())
	}
	ledger, err := client.Open(ctx, w.Hash, addresses, func(node string, reason error) { t.Errorf("%s: %v", node, reason) })
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		v, err := ledger.Certified(ctx)
		if err != nil || v.Height() < 1 || v.Height() >= w.common {
			t.Fatalf("a client is shown %v, %v", v, err)
		}
		for _, each := range w.Nodes {
			if height := certifiedHeight(t, each); height < 1 || height >= w.common {
				t.Errorf("%s shows height %d as certified; the sides part behind %d", each.Name, height, w.common)
			}
			until(t, each, "its two neighbours alone", func() bool { return each.Running().Peers() == 2 })
		}
		w.WaitHeight(max(tip(w.a[0]), tip(w.b[0])) + 2)
	}
}
