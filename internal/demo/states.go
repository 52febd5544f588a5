package demo

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"votenode/client"
)

// compareStates asks every node, those that are no validators too, for the header after the newest height of the first, and finds the
// AppHash of that height the same in all. A node has a header only if the AppHash in it is that of its own state: CometBFT checks it
// before it executes the block.
func (r *run) compareStates(ctx context.Context) error {
	nodes := slices.Clone(r.network.Followers)
	for _, v := range r.network.Validators {
		nodes = append(nodes, v.Node)
	}
	status, err := r.network.Validators[0].Node.Status(ctx)
	if err != nil {
		return err
	}
	report := &States{Height: status.Height, Nodes: len(nodes)}
	var first []byte
	for i, n := range nodes {
		hash, err := appHash(ctx, n, status.Height)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Address(), err)
		}
		if i == 0 {
			first = hash
		}
		if !bytes.Equal(hash, first) {
			return fmt.Errorf("after height %d, %s has the app hash %x and %s has %x", status.Height, nodes[0].Address(), first, n.Address(), hash)
		}
	}
	report.AppHash = fmt.Sprintf("%x", first)
	r.report.States = report
	r.say("%d nodes have the same app hash after height %d", report.Nodes, report.Height)
	return nil
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
