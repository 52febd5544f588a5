package node

import (
	"fmt"

	"votenode/node/signing"
)

// Seal ends a home for good and returns a bundle of its keys, sign state, configuration and genesis document, which only the folder that
// signing.PrepareMove made for the recipient opens. The data are not in it: they may be copied along once the home is sealed, and must be
// where promises are open. It fails with signing.ErrRunning, signing.ErrMoved and ErrRetired.
func Seal(home, recipient string) ([]byte, error) {
	h := Home(home)
	retired, err := readRetired(h.retired())
	if err != nil {
		return nil, err
	}
	if retired != nil {
		return nil, fmt.Errorf("there is nothing to move: %w", retired)
	}
	key, err := h.readConsensusKey()
	if err != nil {
		return nil, err
	}
	required := []string{"node.json", "keys/consensus.json", "keys/p2p.json", "keys/slip", "sign-state/decided.json"}
	if key.PrivKey != nil {
		required = append(required, "sign-state/state.json")
	} else {
		required = append(required, "sign-state/asked.json", "keys/connection.json")
	}
	return signing.Seal(home, recipient, required, []string{"genesis", "approvals", "sign-state/retired"})
}
