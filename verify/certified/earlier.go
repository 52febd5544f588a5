package certified

import (
	"bytes"
	"fmt"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// Earlier verifies that a block, at most that of the state itself, is one of the certified chain: that its leaf stands in the
// blocks log of the state, at the index height-1. It fails with state.ErrProof, ErrMalformed or ErrMismatch. Spec 6.6.
func (s *State) Earlier(p *pb.BlockProof) (*pb.BlockLeaf, error) {
	value, err := state.VerifyRecord(s.AppHash, state.LogKey(state.LogBlocks), p.GetHead())
	if err != nil {
		return nil, err
	}
	head, err := state.ParseHead(value)
	if err != nil {
		return nil, err
	}
	leaf := new(pb.BlockLeaf)
	if err := decode(p.Leaf, MaxLeafBytes, leaf); err != nil {
		return nil, err
	}
	if head.Size != uint64(s.Height) || leaf.Height < 1 || leaf.Height > s.Height {
		return nil, fmt.Errorf("%w: block %d of a log of %d blocks, under the state of height %d", ErrMismatch, leaf.Height, head.Size, s.Height)
	}
	if err := state.VerifyInclusion(head, uint64(leaf.Height-1), p.Leaf, p.Path); err != nil {
		return nil, err
	}
	if leaf.Height == s.Height && !bytes.Equal(leaf.HeaderHash, s.BlockID.Hash) {
		return nil, fmt.Errorf("%w: the log's last block is not the certified one", ErrMismatch)
	}
	return leaf, nil
}

// EarlierHeader verifies a block's leaf as Earlier does and the header that the leaf names, and returns the header. Its
// AppHash is the root of the state after the block before it. Spec 6.6.
func (s *State) EarlierHeader(p *pb.BlockProof, header []byte) (*cmttypes.Header, error) {
	leaf, err := s.Earlier(p)
	if err != nil {
		return nil, err
	}
	parsed, digest, err := parseHeader(header)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(leaf.HeaderHash, digest[:]) || parsed.Height != leaf.Height || parsed.Time.UnixNano() != leaf.Time || parsed.ChainID != s.trust.chainID {
		return nil, fmt.Errorf("%w: the header is not that of block %d", ErrMismatch, leaf.Height)
	}
	return parsed, nil
}
