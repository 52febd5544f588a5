package testnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"

	"votenode/app/tx"
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
	answers, err := n.Nodes[3].Running().App().Submit(ctx, raw)
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
