package network

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"votenode/client"
)

// Agreement is a state that all nodes have.
type Agreement struct {
	Height  int64
	AppHash []byte
	Nodes   int
}

// Agree asks every node, those that are no validators too, for the header after the newest height of the first, and finds the AppHash of that
// height the same in all. A node has a header only if the AppHash in it is that of its own state: CometBFT checks it before it executes
// the block.
func (n *Network) Agree(ctx context.Context) (*Agreement, error) {
	nodes := slices.Clone(n.Followers)
	for _, v := range n.Validators {
		nodes = append(nodes, v.Node)
	}
	status, err := n.Validators[0].Node.Status(ctx)
	if err != nil {
		return nil, err
	}
	a := &Agreement{Height: status.Height, Nodes: len(nodes)}
	for i, node := range nodes {
		hash, err := appHash(ctx, node, a.Height)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", node.Address(), err)
		}
		if i == 0 {
			a.AppHash = hash
		}
		if !bytes.Equal(hash, a.AppHash) {
			return nil, fmt.Errorf("after height %d, %s has the app hash %x and %s has %x", a.Height, nodes[0].Address(), a.AppHash, node.Address(), hash)
		}
	}
	return a, nil
}

// appHash returns the AppHash after a height, once the node can show who signed the header that carries it.
func appHash(ctx context.Context, n *client.Node, height int64) ([]byte, error) {
	if _, err := n.WaitHeight(ctx, height+2); err != nil {
		return nil, err
	}
	signed, err := n.SignedHeader(ctx, height+1)
	if err != nil {
		return nil, err
	}
	var header cmtproto.Header
	err = header.Unmarshal(signed.Header)
	return header.AppHash, err
}
