package node

import (
	"context"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/consensus"
	cmttypes "github.com/cometbft/cometbft/types"
)

// UpgradeError says that this program has done its part: the ledger goes on by the rules of a protocol version that it does not know.
type UpgradeError struct {
	// Known is the greatest version that this program knows.
	Known uint64
	// Needed is the version behind the height Height.
	Needed uint64
	Height int64
	// Binary is SHA-256 of the program that the organisations agreed on; zero where a certified header of the height after Height, which names
	// the version, is all that is known.
	Binary [32]byte
}

// Error says what to install.
func (e *UpgradeError) Error() string {
	if e.Binary == [32]byte{} {
		return fmt.Sprintf("this binary speaks protocol version %d; the ledger needs %d at height %d; install the binary that the organisations agreed on, "+
			"with the SHA-256 that GET /v1/upgrades of any node names, and start again", e.Known, e.Needed, e.Height+1)
	}
	return fmt.Sprintf("this binary speaks protocol version %d; the ledger needs %d since height %d; install the binary with the SHA-256 %x and start the node again",
		e.Known, e.Needed, e.Height+1, e.Binary)
}

// exitUpgrade tells a supervisor that starting the same binary again is of no use.
const exitUpgrade = 4

// ExitCode returns the code with which the program ends.
func (e *UpgradeError) ExitCode() int { return exitUpgrade }

// beyond returns an *UpgradeError where the next height is beyond this program.
func (n *Node) beyond() error {
	u := n.app.Beyond()
	if u == nil {
		return nil
	}
	return &UpgradeError{Known: n.protocol, Needed: u.Version, Height: u.Height, Binary: [32]byte(u.Binary)}
}

const (
	// lingerLimit bounds how long a node that stops for an upgrade waits for its peers, lingerPoll is how often it looks.
	lingerLimit = 15 * time.Second
	lingerPoll  = 100 * time.Millisecond
)

// stopForUpgrade returns an *UpgradeError once the ledger has come to the last height of the rules that this program knows, and the peers
// have it too: whoever lacks its block or its commit would have nobody to get them from until others are back.
func (n *Node) stopForUpgrade(ctx context.Context) error {
	for {
		advanced := n.app.Advanced()
		if n.app.Beyond() != nil {
			break
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	height := n.app.Tip().Height
	n.log.Warn("the upgrade is due: this binary stops as soon as its peers have this height, too", "height", height, "error", n.beyond())
	poll, limit := time.NewTicker(lingerPoll), time.NewTimer(lingerLimit)
	defer poll.Stop()
	defer limit.Stop()
	for n.anyBehind(height) {
		select {
		case <-poll.C:
		case <-limit.C:
			return n.beyond()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return n.beyond()
}

// anyBehind says whether a connected peer has not decided a height, as far as it has told.
func (n *Node) anyBehind(height int64) bool {
	for _, p := range n.comet.Switch().Peers().Copy() {
		if known, ok := p.Get(cmttypes.PeerStateKey).(*consensus.PeerState); ok && known.GetHeight() <= height {
			return true
		}
	}
	return false
}
