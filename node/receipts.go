package node

import (
	"encoding/binary"
	"errors"
	"fmt"

	"votenode/app/state"
	"votenode/node/gateway"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/receipt"
)

// receipt makes the receipt of the ballot with a confirmation code (32 bytes): under the newest certified state, or where that does not
// hold the ballot yet and onlyCertified is false, under the newest one for which commits are on the ledger. It fails with
// state.ErrNotFound where neither holds it yet.
func (n *Node) receipt(electionID string, code []byte, onlyCertified bool) (*pb.Receipt, error) {
	newest := n.app.Ledger().Newest()
	if newest == nil {
		return nil, fmt.Errorf("the ledger has not begun: %w", state.ErrNotFound)
	}
	b, err := newest.Index(state.CodeIndexKey(electionID, code))
	if err != nil {
		return nil, err
	}
	if len(b) != 8 {
		return nil, fmt.Errorf("no ballot with this code is recorded here: %w", state.ErrNotFound)
	}
	index := binary.BigEndian.Uint64(b)
	holds := func(s *state.Snapshot) (bool, error) {
		if s == nil {
			return false, nil
		}
		head, err := s.Head(state.LogBallots(electionID))
		return head.Size > index, err
	}
	_, shown, s, err := n.evidence.certified()
	if err != nil {
		return nil, err
	}
	found, err := holds(s)
	if err == nil && !found && !onlyCertified {
		if s, shown, err = n.committed(); err == nil {
			found, err = holds(s)
		}
	}
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("the ballot is recorded, but not yet signed for: %w", state.ErrNotFound)
	}
	ledger, err := n.ledgerState(shown)
	if err != nil {
		return nil, err
	}
	return receipt.New(ledger, s, electionID, index)
}

// committed returns the newest state for which a commit stands on the ledger, with that; nil before there is one.
func (n *Node) committed() (*state.Snapshot, *pb.CertifiedState, error) {
	height := n.app.Tip().Height - 2
	if height < 1 {
		return nil, nil, nil
	}
	s, err := n.app.Ledger().At(height)
	if errors.Is(err, state.ErrPruned) {
		return nil, nil, nil // blocks went on meanwhile
	}
	if err != nil {
		return nil, nil, err
	}
	child, err := gateway.SignedHeader(n.blocks, height+1)
	return s, &pb.CertifiedState{Children: []*pb.SignedHeader{child}}, err
}

// ledgerState adds to a state all that proves it from the genesis hash.
func (n *Node) ledgerState(shown *pb.CertifiedState) (*pb.LedgerState, error) {
	epochs, err := n.evidence.epochsOf(shown)
	return &pb.LedgerState{Genesis: n.document, Epochs: epochs, State: shown}, err
}
