package node

import cmttypes "github.com/cometbft/cometbft/types"

// CometValidators returns CometBFT's validator set of a height, turns included.
func (n *Node) CometValidators(height int64) (*cmttypes.ValidatorSet, error) {
	return n.env.StateStore.LoadValidators(height)
}
