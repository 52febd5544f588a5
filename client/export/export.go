// Package export writes the record of a ledger, as it lies on its nodes, into a folder for auditors.
//
// Blocks come from gateways and go through the form of the record (package verify/record) into a folder beside the target, which takes
// the target's name when all of it is there and synced. On the way the chain of hashes is followed from the genesis hash, so that a node that
// lies about one block is found at the next and another is asked; everything else is the auditor's. What a broken export left behind is
// taken up by the next. Source: docs/spec/10-election-record.md.
package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/client"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
	"votenode/verify/record"
)

// Options say what is exported.
type Options struct {
	// Height of the last block; 0 goes on until the record certifies by itself what is certified now.
	Height int64
	// Progress is told the height of the last block written and the last one that is known to be needed; it may be nil.
	Progress func(height, last int64)
}

// exporter is an export on its way.
type exporter struct {
	Options
	ledger *client.Ledger
	trust  *certified.Trust
	target int64 // height whose state the record must certify, where Height is 0

	next   int // the node that is asked first
	last   *cmttypes.Block
	lastID cmttypes.BlockID
	proven int64 // newest height that the blocks so far certify
	writer *record.Writer
}

// Run exports a ledger into a folder that does not exist yet, and returns the height of the last block. It fails with
// client.ErrVerification where no node offers a block that fits.
func Run(ctx context.Context, ledger *client.Ledger, folder string, o Options) (int64, error) {
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s exists already and is never overwritten; choose another name", folder)
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	trust, err := certified.FromGenesis(ledger.Genesis())
	if err != nil {
		return 0, err
	}
	x := &exporter{Options: o, ledger: ledger, trust: trust}
	if x.Height == 0 {
		view, err := ledger.Certified(ctx)
		if err != nil {
			return 0, err
		}
		x.target = view.Height()
	}
	approvals, err := x.approvals(ctx)
	if err != nil {
		return 0, err
	}
	unfinished := filepath.Clean(folder) + ".unfinished"
	if x.writer, err = record.Resume(unfinished, x.accept); err != nil {
		return 0, err
	}
	if err := x.blocks(ctx); err != nil {
		return 0, errors.Join(err, x.writer.Close())
	}
	if err := x.writer.Finish(ledger.Chain(), ledger.GenesisHash(), genesis.Bytes(ledger.Genesis()), approvals); err != nil {
		return 0, err
	}
	return x.writer.Height(), publish(unfinished, folder)
}

// publish gives a whole folder its name.
func publish(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// approvals returns the officers' approvals of the genesis document from the first node that has good ones.
func (x *exporter) approvals(ctx context.Context) ([]byte, error) {
	var approvals []byte
	err := x.ask(ctx, func(n *client.Node) error {
		_, b, err := n.Genesis(ctx)
		if err != nil {
			return err
		}
		list, err := genesis.ParseApprovals(b)
		if err == nil {
			err = genesis.VerifyApprovals(x.ledger.Genesis(), list)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", client.ErrVerification, err)
		}
		approvals = b
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("approvals of the genesis document: %w", err)
	}
	return approvals, nil
}

// ask tries the nodes in turn, the one that answered last first.
func (x *exporter) ask(ctx context.Context, fn func(n *client.Node) error) error {
	nodes := x.ledger.Nodes()
	var failures []error
	for range nodes {
		n := nodes[x.next%len(nodes)]
		err := fn(n)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		failures = append(failures, fmt.Errorf("%s: %w", n.Address(), err))
		x.next++
	}
	return errors.Join(failures...)
}

// enough says whether the record may end here.
func (x *exporter) enough() bool {
	if x.Height != 0 {
		return x.writer.Height() >= x.Height
	}
	return x.proven >= x.target
}

// blocks fetches what is missing. A block that does not exist yet is waited for.
func (x *exporter) blocks(ctx context.Context) error {
	if err := x.learn(ctx); err != nil {
		return err
	}
	if x.Height != 0 && x.writer.Height() > x.Height {
		return fmt.Errorf("the unfinished export has %d blocks already; remove its folder, or export up to that height", x.writer.Height())
	}
	for !x.enough() {
		height := x.writer.Height() + 1
		err := x.ask(ctx, func(n *client.Node) error {
			if last := max(x.Height, x.target+2); height > last {
				if _, err := n.WaitHeight(ctx, height); err != nil {
					return err
				}
			}
			raw, err := n.Block(ctx, height)
			if err != nil {
				return err
			}
			return x.take(raw)
		})
		if err != nil {
			return fmt.Errorf("block %d: %w", height, err)
		}
		x.Progress(height, max(height, x.Height, x.target+2))
	}
	return nil
}

// learn takes the validator sets of all epochs, to see what is certified.
func (x *exporter) learn(ctx context.Context) error {
	return x.ask(ctx, func(n *client.Node) error {
		proofs, err := n.Epochs(ctx)
		if err != nil {
			return err
		}
		trust, err := x.trust.Follow(proofs)
		if err != nil {
			return fmt.Errorf("%w: %w", client.ErrVerification, err)
		}
		x.trust = trust
		return nil
	})
}

// take checks that a block continues the chain, and writes it.
func (x *exporter) take(raw []byte) error {
	if err := x.follow(raw); err != nil {
		return fmt.Errorf("%w: %w", client.ErrVerification, err)
	}
	return x.writer.Append(raw)
}

// accept takes up a block of an unfinished export.
func (x *exporter) accept(raw []byte) bool { return x.follow(raw) == nil }

// follow checks that a block follows the last one: height, chain, the hash of the block before, transactions and commit under the
// header.
func (x *exporter) follow(raw []byte) error {
	var message cmtproto.Block
	if err := message.Unmarshal(raw); err != nil {
		return err
	}
	b, err := cmttypes.BlockFromProto(&message)
	if err != nil {
		return err
	}
	if again, err := message.Marshal(); err != nil || !bytes.Equal(again, raw) {
		return errors.New("it is not in its canonical encoding")
	}
	height := int64(1)
	if x.last != nil {
		height = x.last.Height + 1
	}
	if b.Height != height || b.ChainID != x.ledger.Chain() || !b.LastBlockID.Equals(x.lastID) {
		return fmt.Errorf("block %d of %q does not follow block %d", b.Height, b.ChainID, height-1)
	}
	x.certify(b)
	parts := cmttypes.NewPartSetFromData(raw, cmttypes.BlockPartSizeBytes)
	x.last, x.lastID = b, cmttypes.BlockID{Hash: b.Hash(), PartSetHeader: parts.Header()}
	return nil
}

// certify notes what the commit in a block certifies.
func (x *exporter) certify(b *cmttypes.Block) {
	if x.last == nil || x.last.Height < 2 {
		return
	}
	signed, err := certified.FromCommit(&x.last.Header, b.LastCommit)
	if err != nil {
		return // the auditor says what is wrong
	}
	s, err := x.trust.Inspect(&pb.CertifiedState{Children: []*pb.SignedHeader{signed}})
	if err == nil && s.Certified {
		x.proven = s.Height
	}
}
