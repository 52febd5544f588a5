package testnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"testing"

	"votenode/app/tx"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
)

func TestMain(m *testing.M) { Main(m) }

// TestNetwork: four validators of two organisations make blocks, take transactions in, and agree.
func TestNetwork(t *testing.T) {
	n := New(t, Options{})
	n.Start()
	n.WaitHeight(2)
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	document := []byte("a small document")
	hash := sha256.Sum256(document)
	body := &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(document)), Chunk: document}
	raw := tx.Sign(Chain, body, n.Officers["league"][0])
	answers, err := n.Nodes[3].Running().App().Submit(ctx, "", raw)
	if err != nil || answers[0].Code != tx.CodeOK {
		t.Fatal(answers, err)
	}
	for _, each := range n.Nodes {
		app := each.Running().App()
		for {
			advanced := app.Advanced()
			if result, ok := app.Results().Find(answers[0].Hash); ok {
				block := each.Running().Blocks().LoadBlock(result.Height)
				if result.Code != tx.CodeOK || !bytes.Equal(block.Txs[result.Index], raw) {
					t.Fatalf("%s: %+v", each.Name, result)
				}
				break
			}
			select {
			case <-advanced:
			case <-ctx.Done():
				t.Fatal("the transaction did not come into a block")
			}
		}
	}
	n.RequireAgreement(n.Nodes[0].Running().App().Tip().Height)
}

// TestPartition: after a cut, no configuration leads from one group to another, also not to the validators' addresses in the records;
// twins have one key and one id and nothing else in common.
func TestPartition(t *testing.T) {
	n := New(t, Options{Observers: 1})
	leagueA, leagueB, partyA, partyB, observer := n.Nodes[0], n.Twin(0), n.Nodes[2], n.Nodes[3], n.Nodes[4]
	if leagueA.ID() != leagueB.ID() || leagueA.p2p == leagueB.p2p || leagueA.gateway == leagueB.gateway || leagueA.Home == leagueB.Home {
		t.Error("the twin is not one")
	}
	if v, err := node.ValidatorOf(leagueB.Home); err != nil || !bytes.Equal(v.Key, leagueA.Validator.Key) {
		t.Error("the twin has another key", err)
	}
	groups := [][]*Node{{leagueA, partyA}, {leagueB, partyB, observer}, {partyA, partyB}}
	n.Partition(groups...)
	for _, each := range n.Nodes {
		c, err := node.ReadConfig(node.Home(each.Home).ConfigFile())
		if err != nil || c.P2P.Listen != each.p2p || c.Gateway.Listen != each.gateway {
			t.Fatal(c, err)
		}
		for _, other := range n.Nodes {
			together := slices.ContainsFunc(groups, func(g []*Node) bool { return slices.Contains(g, each) && slices.Contains(g, other) })
			address, overridden := c.P2P.Peers[other.ID()]
			if want := each.ID() != other.ID(); overridden != want || want && (address == other.p2p) != together {
				t.Errorf("%s reaches %s at %q", each.Name, other.Name, address)
			}
		}
	}
	if _, err := neighbours(partyA, [][]*Node{{partyA, leagueA}, {partyA, leagueB}}); err == nil {
		t.Error("a node and its twin are known to one node")
	}
	if _, err := neighbours(leagueA, [][]*Node{{leagueA, leagueB}}); err == nil {
		t.Error("a node knows its twin")
	}
}
