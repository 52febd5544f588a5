package export

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// chain follows blocks from the first one on, and tells which of them are committed.
type chain struct {
	trust  *certified.Trust
	first  state.Hash // AppHash before the first block, which binds the chain to the genesis document
	last   *link      // the newest that is committed, nil before
	open   []link     // those behind it that no commit has confirmed yet, at most two
	proven int64      // newest height whose state the blocks so far certify
}

func newChain(doc *pb.Genesis, protocol uint64) (*chain, error) {
	trust, err := certified.FromGenesisOf(doc, protocol)
	if err != nil {
		return nil, err
	}
	ledger, err := state.Open(new(state.Memory))
	if err != nil {
		return nil, err
	}
	draft := ledger.NewGenesis()
	app.New(doc.ChainId).InitLedger(draft, doc, trust.GenesisHash())
	block, err := draft.Finish()
	if err != nil {
		return nil, err
	}
	return &chain{trust: trust, first: block.AppHash()}, nil
}

// link is a block of the chain.
type link struct {
	raw    []byte
	header *cmttypes.Header
	id     cmttypes.BlockID
}

// tip returns the height of the last block, 0 before the first.
func (c *chain) tip() int64 {
	if last := c.before(); last != nil {
		return last.header.Height
	}
	return 0
}

func (c *chain) before() *link {
	if n := len(c.open); n > 0 {
		return &c.open[n-1]
	}
	return c.last
}

// forget drops what is not committed.
func (c *chain) forget() { c.open = nil }

// resume takes a block that an earlier export has written, and with that has shown to be committed.
func (c *chain) resume(raw []byte) bool {
	if _, err := c.take(raw); err != nil {
		return false
	}
	c.last, c.open = c.before(), nil
	return true
}

// take takes the next block. It must follow the last one, and its commit must be for the last one by more than 2/3 of the power, which
// with the last one confirms all before it; these are returned. Precommits for block 1 confirm nothing, for it
// follows no block (spec 6.1); block 3 confirms it.
func (c *chain) take(raw []byte) (committed [][]byte, err error) {
	b, err := parseBlock(raw)
	if err != nil {
		return nil, err
	}
	height, lastID := c.tip()+1, cmttypes.BlockID{}
	before := c.before()
	if before != nil {
		lastID = before.id
	} else if !bytes.Equal(b.AppHash, c.first[:]) {
		return nil, errors.New("the chain begins with another genesis document")
	}
	if b.Height != height || b.ChainID != c.trust.ChainID() || !b.LastBlockID.Equals(lastID) {
		return nil, fmt.Errorf("block %d of %q does not follow block %d", b.Height, b.ChainID, height-1)
	}
	if before != nil && before.header.Height > 1 {
		if err := c.confirm(before.header, b.LastCommit); err != nil {
			return nil, err
		}
		for _, l := range c.open {
			committed = append(committed, l.raw)
		}
		c.last, c.open = before, nil
	}
	parts := cmttypes.NewPartSetFromData(raw, cmttypes.BlockPartSizeBytes)
	c.open = append(slices.Clip(c.open), link{raw, &b.Header, cmttypes.BlockID{Hash: b.Hash(), PartSetHeader: parts.Header()}})
	return committed, nil
}

// confirm checks that a commit shows a block to be committed, and notes what it certifies.
func (c *chain) confirm(header *cmttypes.Header, commit *cmttypes.Commit) error {
	signed, err := certified.FromCommit(header, commit)
	if err != nil {
		return err
	}
	s, err := c.trust.Inspect(&pb.CertifiedState{Children: []*pb.SignedHeader{signed}})
	if err != nil {
		return err
	}
	if !s.Committed {
		return fmt.Errorf("block %d is not signed by more than 2/3 of the power", header.Height)
	}
	if s.Certified {
		c.proven = s.Height
	}
	return nil
}

// parseBlock reads the one canonical encoding of a block that is well formed, transactions and commit under its header.
func parseBlock(raw []byte) (*cmttypes.Block, error) {
	var message cmtproto.Block
	if err := message.Unmarshal(raw); err != nil {
		return nil, err
	}
	b, err := cmttypes.BlockFromProto(&message)
	if err != nil {
		return nil, err
	}
	again, err := b.ToProto()
	if err != nil {
		return nil, err
	}
	if encoded, err := again.Marshal(); err != nil || !bytes.Equal(encoded, raw) {
		return nil, errors.New("it is not in its canonical encoding")
	}
	return b, nil
}
