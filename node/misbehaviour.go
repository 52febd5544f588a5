package node

import (
	"errors"
	"fmt"

	cmttypes "github.com/cometbft/cometbft/types"
)

// maxEvidence bounds the evidence that waits for a block here, whoever brought it.
const maxEvidence = 1_000

// report adds evidence of misbehaviour, which an outsider brought, to CometBFT's pool. It fails where the evidence does not hold, with the reason
// and without the evidence.
func (n *Node) report(evidence cmttypes.Evidence) error {
	pool := n.comet.EvidencePool()
	if pool.Size() >= maxEvidence {
		return fmt.Errorf("%d pieces of evidence wait for a block already; bring it to another node, or later", maxEvidence)
	}
	err := pool.AddEvidence(evidence)
	var invalid *cmttypes.ErrInvalidEvidence
	if errors.As(err, &invalid) {
		return fmt.Errorf("it does not hold: %w", invalid.Reason)
	}
	return err
}
