package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"votenode/abci"
	"votenode/app/state"
	"votenode/node/gateway"
	pb "votenode/proto/votenode/v1"
)

// snapshots makes the snapshots of this node, beside consensus, and proves them once their states are certified (docs/spec chapter 14).
type snapshots struct {
	node     *Node
	interval int64
	kept     *abci.Snapshots
	newest   int64 // height that was tried last
	unproven int64 // height whose state is not certified yet, 0 where there is none
}

func newSnapshots(n *Node, kept *abci.Snapshots) *snapshots {
	return &snapshots{node: n, interval: n.config.Store.SnapshotInterval, kept: kept}
}

// follow makes snapshots until ctx is done. One that fails is told and left out: the ledger goes on.
func (s *snapshots) follow(ctx context.Context) error {
	if s.interval == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	s.newest = s.node.app.Tip().Height // the blocks that prove it need not be there
	for {
		advanced := s.node.app.Advanced()
		if err := s.advance(); err != nil {
			s.node.log.Warn("no snapshot is made", "height", s.newest, "error", err)
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// advance proves the last snapshot where its state is certified by now, and makes the next one where its height has come.
func (s *snapshots) advance() error {
	tip := s.node.app.Tip().Height
	if s.unproven > 0 && tip >= s.unproven+2 {
		height := s.unproven
		s.unproven = 0
		if err := s.prove(height); err != nil {
			return errors.Join(err, s.kept.Drop(height))
		}
	}
	height := tip - tip%s.interval
	if height == 0 || height <= s.newest {
		return nil
	}
	s.newest = height
	snapshot, err := s.node.app.Ledger().At(height)
	if errors.Is(err, state.ErrPruned) {
		return nil // blocks went on too fast: the next one will do
	}
	if err != nil {
		return err
	}
	began := time.Now()
	if err := s.kept.Take(snapshot); err != nil {
		return err
	}
	s.unproven = height
	s.node.log.Info("a snapshot is made", "height", height, "milliseconds", time.Since(began).Milliseconds())
	return nil
}

// prove shows that the state of a snapshot is certified, from the commits in the blocks after it: the same at all nodes.
func (s *snapshots) prove(height int64) error {
	certified, err := s.node.evidence.certifiedAt(height)
	if err != nil {
		return err
	}
	if !certified {
		return errors.New("its state is not certified by the block after it")
	}
	child, err := gateway.SignedHeader(s.node.blocks, height+1)
	if err != nil {
		return err
	}
	block, err := gateway.SignedHeader(s.node.blocks, height)
	if err != nil {
		return fmt.Errorf("its block: %w", err)
	}
	ledger, err := s.node.ledgerState(&pb.CertifiedState{Children: []*pb.SignedHeader{child}})
	if err != nil {
		return err
	}
	return s.kept.Prove(height, &pb.SnapshotProof{State: ledger, Block: block})
}
