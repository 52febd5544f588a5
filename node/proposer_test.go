package node_test

import (
	"bytes"
	"testing"
	"time"

	"votenode/internal/testnet"
)

// TestBadProposer: a validator whose clock is an hour ahead makes blocks that all others refuse, whenever it is its turn. No block of its is
// decided, each such height takes another round, and the ledger goes on.
func TestBadProposer(t *testing.T) {
	const bad = 0
	n := testnet.New(t, testnet.Options{Now: func(i int) time.Time {
		if i == bad {
			return time.Now().Add(time.Hour)
		}
		return time.Now()
	}})
	n.Start()
	deliver(t, n.Nodes[1], document(n, 1))
	const last = 12 // its turn comes three times
	n.WaitHeight(last + 1)
	blocks := n.Nodes[1].Running().Blocks()
	address := n.Nodes[bad].ConsensusKey().PubKey().Address()
	rounds := int32(0)
	for height := int64(1); height <= last; height++ {
		if meta := blocks.LoadBlockMeta(height); bytes.Equal(meta.Header.ProposerAddress, address) {
			t.Errorf("block %d is by the validator whose clock is wrong", height)
		}
		rounds += blocks.LoadBlockCommit(height).Round
	}
	if rounds < 2 {
		t.Errorf("only %d rounds more than %d heights need", rounds, last)
	}
	n.RequireAgreement(last)
}
