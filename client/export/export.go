// Package export writes the record of a ledger, as it lies on its nodes, into a folder for auditors.
//
// Blocks come from gateways and go through the form of the record (package verify/record) into a folder beside the target, which takes
// the target's name when all of it is there and synced. A block is written only when the block after it shows that it is
// committed, so that nothing a lying node says gets into the folder and two exports up to one height are the same bytes. Everything
// else is the auditor's. Source: docs/spec/10-election-record.md.
package export

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"votenode/client"
	"votenode/genesis"
	"votenode/verify/certified"
	"votenode/verify/record"
)

// Options say what is exported.
type Options struct {
	// Height of the last block. The ledger must have, or come to have, one block more. 0 goes on until the record certifies by itself
	// what is certified now.
	Height int64
	// Progress is told the height of the last block written and the last one that is known to be needed; it may be nil.
	Progress func(height, last int64)
	// Notice is told of every node that failed or lied, and why, before another one is asked; it may be nil.
	Notice client.Notice
}

// exporter is an export on its way.
type exporter struct {
	Options
	ledger *client.Ledger
	chain  *chain
	target int64 // height whose state the record must certify, where no height was asked for
	next   int   // the node that is asked first
	writer *record.Writer
	wrote  func(raw []byte) // is told of every block that was written
}

// Run exports a ledger into a folder that does not exist yet, and returns the height of the last block. It fails with
// client.ErrVerification where nodes answered and none offers blocks that are committed; nothing is left behind then. What any other failure
// leaves, in a folder with the suffix ".unfinished", the next export goes on from.
func Run(ctx context.Context, ledger *client.Ledger, folder string, o Options) (int64, error) {
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s exists already and is never overwritten; choose another name", folder)
	}
	x, approvals, err := begin(ctx, ledger, o)
	if err != nil {
		return 0, err
	}
	unfinished := filepath.Clean(folder) + ".unfinished"
	if x.writer, err = record.Resume(unfinished, x.chain.resume); err != nil {
		return 0, err
	}
	if err := x.blocks(ctx); err != nil {
		leave := x.writer.Close
		if errors.Is(err, client.ErrVerification) || x.writer.Height() == 0 {
			leave = x.writer.Discard
		}
		return 0, errors.Join(err, leave())
	}
	if err := x.writer.Finish(ledger.Chain(), ledger.GenesisHash(), genesis.Bytes(ledger.Genesis()), approvals); err != nil {
		return 0, err
	}
	return x.writer.Height(), publish(unfinished, folder)
}

// begin prepares an export: it verifies the approvals, which it returns, and learns the validators.
func begin(ctx context.Context, ledger *client.Ledger, o Options) (*exporter, []byte, error) {
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	if o.Notice == nil {
		o.Notice = func(string, error) {}
	}
	followed, err := newChain(ledger.Genesis(), ledger.Protocol())
	if err != nil {
		return nil, nil, err
	}
	x := &exporter{Options: o, ledger: ledger, chain: followed, wrote: func([]byte) {}}
	if x.Height == 0 {
		view, err := ledger.Certified(ctx)
		if err != nil {
			return nil, nil, err
		}
		x.target = view.Height()
	}
	approvals, err := x.approvals(ctx)
	if err != nil {
		return nil, nil, err
	}
	return x, approvals, x.ask(ctx, x.learn)
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

// ask tries the nodes in turn, the one that answered last first.
func (x *exporter) ask(ctx context.Context, fn func(ctx context.Context, n *client.Node) error) error {
	nodes := x.ledger.Nodes()
	var failures []error
	for range nodes {
		n := nodes[x.next%len(nodes)]
		err := fn(ctx, n)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		failures = append(failures, fmt.Errorf("%s: %w", n.Address(), err))
		if !errors.Is(err, client.ErrUnknown) || errors.Is(err, client.ErrVerification) {
			x.Notice(n.Address(), err)
		}
		x.next++
	}
	return errors.Join(failures...)
}

// approvals returns the officers' approvals of the genesis document from the first node that has good ones.
func (x *exporter) approvals(ctx context.Context) ([]byte, error) {
	var approvals []byte
	err := x.ask(ctx, func(ctx context.Context, n *client.Node) error {
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

// learn takes the validator sets of all epochs that a node can prove.
func (x *exporter) learn(ctx context.Context, n *client.Node) error {
	proofs, err := n.Epochs(ctx)
	if err != nil {
		return err
	}
	trust, err := x.chain.trust.Follow(proofs)
	if err != nil {
		return fmt.Errorf("%w: %w", client.ErrVerification, err)
	}
	x.chain.trust = trust
	return nil
}

// blocks fetches what is missing.
func (x *exporter) blocks(ctx context.Context) error {
	for {
		if whole, err := x.step(ctx); whole || err != nil {
			return err
		}
	}
}

// step fetches one more block, and says whether all were written. What a node said last and nobody confirmed is forgotten before another
// is asked, so all that is open comes from one node, and whoever contradicts it is the one who lied.
func (x *exporter) step(ctx context.Context) (whole bool, err error) {
	if x.Height == 0 && x.chain.proven >= x.target {
		x.Height = x.chain.tip()
	}
	if have := x.writer.Height(); x.Height != 0 && have >= x.Height {
		if have > x.Height {
			return false, fmt.Errorf("the unfinished export has %d blocks already; remove its folder, or export up to that height", have)
		}
		return true, nil
	}
	var committed [][]byte
	err = x.ask(ctx, func(ctx context.Context, n *client.Node) (err error) {
		if committed, err = x.block(ctx, n); err != nil {
			x.chain.forget()
		}
		return err
	})
	if errors.Is(err, client.ErrUnknown) && !errors.Is(err, client.ErrVerification) {
		err = pause(ctx) // the block does not exist yet
	} else if err == nil {
		err = x.write(committed) // a disk that fails is no node's fault
	}
	if err != nil {
		return false, fmt.Errorf("after block %d: %w", x.writer.Height(), err)
	}
	x.Progress(x.writer.Height(), max(x.writer.Height(), x.Height, x.target+2))
	return false, nil
}

// between is how long to wait before nodes that have no further block are asked again.
const between = 300 * time.Millisecond

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(between):
		return nil
	}
}

// block fetches the next block from a node and returns those that it shows to be committed.
func (x *exporter) block(ctx context.Context, n *client.Node) ([][]byte, error) {
	height := x.chain.tip() + 1
	raw, err := n.Block(ctx, height)
	if err != nil {
		return nil, err
	}
	committed, err := x.chain.take(raw)
	if errors.Is(err, certified.ErrMismatch) && x.learn(ctx, n) == nil { // an epoch may have begun meanwhile
		committed, err = x.chain.take(raw)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: block %d: %w", client.ErrVerification, height, err)
	}
	return committed, nil
}

// write writes blocks that are committed, as far as the last one that was asked for.
func (x *exporter) write(committed [][]byte) error {
	for _, raw := range committed {
		if x.Height != 0 && x.writer.Height() == x.Height {
			break
		}
		if err := x.writer.Append(raw); err != nil {
			return err
		}
		x.wrote(raw)
	}
	return nil
}
