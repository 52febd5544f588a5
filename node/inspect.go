package node

import (
	"encoding/hex"
	"fmt"
	"path/filepath"

	"votenode/app/state"
	"votenode/genesis"
	"votenode/node/signing"
)

// Inspection is what lies in the home of a node that does not run.
type Inspection struct {
	Chain       string `json:"chain_id"`
	GenesisHash string `json:"genesis_hash"`

	// FirstBlock and LastBlock are the heights of the stored blocks, 0 where there is none.
	FirstBlock int64 `json:"first_block"`
	LastBlock  int64 `json:"last_block"`
	// Consensus is the height that CometBFT's state has, Ledger that of the ledger, OldestLedger the oldest height whose state is kept.
	Consensus    int64 `json:"consensus_height"`
	Ledger       int64 `json:"ledger_height"`
	OldestLedger int64 `json:"oldest_ledger_height"`
	// AppHash is that of the ledger's height. Expected is what CometBFT's state takes for it, where both are at one height.
	AppHash  string `json:"app_hash,omitempty"`
	Expected string `json:"expected_app_hash,omitempty"`

	// Signed is the height, and Round the round, at which the consensus key signed last. Decided is the last block that the node signed on.
	Signed      int64  `json:"signed_height"`
	Round       int32  `json:"signed_round"`
	Decided     int64  `json:"decided_height"`
	DecidedHash string `json:"decided_hash,omitempty"`
	// Retired says why the key signs no more.
	Retired string `json:"retired,omitempty"`

	// Bytes are the sizes of the folders under data, by name.
	Bytes map[string]int64 `json:"bytes"`
	// Next says what the node does when it is started.
	Next string `json:"next"`
}

// Inspect tells what lies in the home, and changes nothing.
func (s *Stopped) Inspect() (*Inspection, error) {
	n := s.node
	i := &Inspection{
		Chain: n.doc.ChainId, GenesisHash: fmt.Sprintf("%x", genesis.Hash(n.doc)),
		FirstBlock: n.blocks.Base(), LastBlock: n.blocks.Height(), OldestLedger: n.disk.Oldest(), Bytes: map[string]int64{},
	}
	if err := s.inspectStates(i); err != nil {
		return nil, err
	}
	if err := s.inspectKey(i); err != nil {
		return nil, err
	}
	for _, dir := range []string{n.home.ledger(), n.home.comet()} {
		i.Bytes[filepath.Base(dir)] = sizeOf(dir)
	}
	bare, err := n.bareSnapshot(s.states)
	switch i.Next = i.next(bare); {
	case s.moved != nil:
		i.Next = "it does not start: " + s.moved.Error()
	case err != nil:
		i.Next = "it stops at once: " + err.Error()
	}
	return i, nil
}

func (s *Stopped) inspectStates(i *Inspection) error {
	comet, err := s.states.Load()
	if err != nil {
		return fmt.Errorf("CometBFT's state: %w", err)
	}
	i.Consensus = comet.LastBlockHeight
	var begun bool
	if i.Ledger, begun = s.node.disk.Height(); begun {
		appHash, err := state.AppHashAt(s.node.ledger, i.Ledger)
		if err != nil {
			return err
		}
		i.AppHash = hex.EncodeToString(appHash[:])
	}
	if i.Ledger == i.Consensus && i.Ledger > 0 {
		i.Expected = hex.EncodeToString(comet.AppHash)
	}
	return nil
}

func (s *Stopped) inspectKey(i *Inspection) error {
	last, err := s.node.home.lastSigned(s.node.doc.ChainId)
	if err != nil {
		return err
	}
	var d decided
	if err := signing.ReadState(s.node.home.decided(), &d); err != nil {
		return err
	}
	i.Signed, i.Round, i.Decided, i.DecidedHash = last.Height, last.Round, d.Height, hex.EncodeToString(d.Hash)
	retired, err := readRetired(s.node.home.retired())
	if retired != nil {
		i.Retired = retired.Error()
	}
	return err
}

// lastSigned returns where the consensus key signed last, or where a signer was asked to.
func (h Home) lastSigned(chain string) (signing.Position, error) {
	key, err := h.readConsensusKey()
	if err != nil {
		return signing.Position{}, err
	}
	if key.PrivKey == nil {
		return signing.LastAsked(h.asked(), chain)
	}
	return signing.LastSigned(h.signState())
}

// next says what the node does when it is started; bare is the height of a snapshot after which it has no block yet, 0 where it has.
func (i *Inspection) next(bare int64) string {
	switch {
	case i.AppHash != i.Expected && i.Expected != "":
		return "it stops at once: the ledger's AppHash is not the one that CometBFT has stored"
	case bare > 0:
		return fmt.Sprintf("it goes on from the snapshot of height %d, with block %d", bare, bare+1)
	case i.LastBlock == 0:
		return "it begins with the genesis document"
	case i.Ledger+1 < i.FirstBlock:
		return fmt.Sprintf("it stops at once: it began with a snapshot, and lacks the blocks %d to %d that it would have to execute; see docs/runbook/corrupted-store.md", i.Ledger+1, i.FirstBlock-1)
	case i.Ledger < i.LastBlock:
		return fmt.Sprintf("it executes the blocks %d to %d again, and goes on with block %d", i.Ledger+1, i.LastBlock, i.LastBlock+1)
	default:
		return fmt.Sprintf("it goes on with block %d", i.LastBlock+1)
	}
}
