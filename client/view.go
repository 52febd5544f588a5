package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// leavesPerRequest is how many leaves of a log are asked for at once; a node may give fewer.
const leavesPerRequest = 2_000

// View is the certified state after one block. Everything it returns was proven under its AppHash; a node whose proof fails is
// told to the ledger's notice and the next one is asked. It is safe for concurrent use.
type View struct {
	ledger   *Ledger
	height   int64
	time     time.Time
	appHash  state.Hash
	proven   *certified.State
	evidence *pb.CertifiedState
}

// Chain returns the chain id.
func (v *View) Chain() string { return v.ledger.Chain() }

// Height returns the height of the certified block.
func (v *View) Height() int64 { return v.height }

// Time returns the time of the block after it, which carries the signatures.
func (v *View) Time() time.Time { return v.time }

// Signed tells the power that signed, by organisation.
func (v *View) Signed() []certified.Signed { return v.proven.Signed }

// AppHash returns the root of all records after the block.
func (v *View) AppHash() [32]byte { return v.appHash }

// Record returns the value of a record, nil where the ledger provably holds none.
func (v *View) Record(ctx context.Context, key string) ([]byte, error) {
	var value []byte
	err := v.prove(ctx, key, func(p *pb.RecordProof) (err error) {
		if p.Absent {
			value = nil
			return state.VerifyAbsence(v.appHash, key, p)
		}
		value, err = state.VerifyRecord(v.appHash, key, p)
		return err
	})
	return value, err
}

// prove asks for the proof of a record or of its absence until check finds one right.
func (v *View) prove(ctx context.Context, key string, check func(p *pb.RecordProof) error) error {
	return v.ledger.ask(ctx, func(ctx context.Context, n *Node) error {
		height, proof, err := n.Record(ctx, key, v.height)
		if err != nil {
			return err
		}
		if height != v.height {
			return fmt.Errorf("%w: record %q of height %d instead of %d", ErrVerification, key, height, v.height)
		}
		return verified(check(proof))
	})
}

// Head returns size and root of a log; a log without leaves has no record and the empty head.
func (v *View) Head(ctx context.Context, log string) (state.Head, error) {
	return v.head(ctx, state.LogKey(log))
}

// Grown checks that a log with a head has only grown since it had an older one. It fails with ErrVerification where the node does not
// show it.
func (v *View) Grown(ctx context.Context, log string, old, head state.Head) error {
	return v.ledger.ask(ctx, func(ctx context.Context, n *Node) (err error) {
		var path [][]byte
		if old.Size > 0 && old.Size < head.Size {
			if path, err = n.LogConsistency(ctx, log, old.Size, head.Size); err != nil {
				return err
			}
		}
		return verified(state.VerifyConsistency(old, head, path))
	})
}

// Voters returns size and root of an election's voters' tree; size 0 before the roll is sealed.
func (v *View) Voters(ctx context.Context, electionID string) (state.Head, error) {
	return v.head(ctx, state.VotersKey(electionID))
}

func (v *View) head(ctx context.Context, key string) (state.Head, error) {
	value, err := v.Record(ctx, key)
	if err != nil || value == nil {
		return state.Head{Root: state.Hash(rfc6962.DefaultHasher.EmptyRoot())}, err
	}
	return state.ParseHead(value)
}

// Leaf returns a leaf of a log. It fails with ErrAbsent from the size of the log on.
func (v *View) Leaf(ctx context.Context, log string, index uint64) ([]byte, error) {
	head, err := v.Head(ctx, log)
	if err != nil {
		return nil, err
	}
	if index >= head.Size {
		return nil, fmt.Errorf("leaf %d of %s, which has %d: %w", index, log, head.Size, ErrAbsent)
	}
	var leaf []byte
	err = v.ledger.ask(ctx, func(ctx context.Context, n *Node) error {
		leaves, err := n.LogLeaves(ctx, log, index, index+1)
		if err != nil {
			return err
		}
		if len(leaves) != 1 {
			return fmt.Errorf("%w: %d leaves for one", ErrVerification, len(leaves))
		}
		path, err := n.LogInclusion(ctx, log, index, head.Size)
		if err != nil {
			return err
		}
		leaf = leaves[0]
		return verified(state.VerifyInclusion(head, index, leaf, path))
	})
	return leaf, err
}

// Leaves calls fn for every leaf of a log in order and then compares the root: what fn collected counts only if Leaves returns
// nil. It fails with ErrVerification, or with fn's error. The leaves come from one node; where it fails, reset is called and the
// next one is asked from the start.
func (v *View) Leaves(ctx context.Context, log string, reset func(), fn func(index uint64, leaf []byte) error) error {
	_, err := v.LeavesFrom(ctx, log, Place{}, reset, fn)
	return err
}

// Place is how far a log was read: the number of leaves, and the roots of the perfect subtrees that these form, from left to right.
type Place struct {
	Size   uint64   `json:"size"`
	Hashes [][]byte `json:"hashes"`
}

// LeavesFrom is Leaves for what stands behind a place, and returns the place that it came to; the root proves the leaves before, too.
// A log that is shorter in this view has nothing behind the place.
func (v *View) LeavesFrom(ctx context.Context, log string, from Place, reset func(), fn func(index uint64, leaf []byte) error) (Place, error) {
	head, err := v.Head(ctx, log)
	if err != nil || head.Size < from.Size {
		return from, err
	}
	place := from
	err = v.ledger.ask(ctx, func(ctx context.Context, n *Node) error {
		reset()
		tree, err := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewRange(0, from.Size, slices.Clone(from.Hashes))
		if err != nil {
			return err
		}
		if err := n.appendLeaves(ctx, log, head.Size, tree, fn); err != nil {
			return err
		}
		root, err := tree.GetRootHash(nil)
		if err != nil {
			return err
		}
		if head.Size > 0 && state.Hash(root) != head.Root {
			return fmt.Errorf("%w: the leaves of %s do not have its root", ErrVerification, log)
		}
		place = Place{Size: head.Size, Hashes: tree.Hashes()}
		return nil
	})
	return place, err
}

// appendLeaves fetches the leaves of a log from the end of a tree up to a size, and calls fn for each. Unproven.
func (n *Node) appendLeaves(ctx context.Context, log string, size uint64, tree *compact.Range, fn func(index uint64, leaf []byte) error) error {
	for tree.End() < size {
		leaves, err := n.LogLeaves(ctx, log, tree.End(), min(size, tree.End()+leavesPerRequest))
		if err != nil {
			return err
		}
		if len(leaves) == 0 || uint64(len(leaves)) > size-tree.End() {
			return fmt.Errorf("%w: %d leaves of %s from %d on", ErrVerification, len(leaves), log, tree.End())
		}
		for _, leaf := range leaves {
			if err := fn(tree.End(), leaf); err != nil {
				return err
			}
			if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// Voter returns a voter's leaf; a voter who has not voted has the zero leaf. It fails with ErrAbsent where the sealed roll has no
// such entry.
func (v *View) Voter(ctx context.Context, electionID string, index uint64) (*pb.Voter, error) {
	head, err := v.Voters(ctx, electionID)
	if err != nil {
		return nil, err
	}
	if index >= head.Size {
		return nil, fmt.Errorf("voter %d of %s, whose sealed roll has %d: %w", index, electionID, head.Size, ErrAbsent)
	}
	voter := new(pb.Voter)
	return voter, v.treeLeaf(ctx, head, index, voter, func(ctx context.Context, n *Node) (*VoterLeaf, error) {
		return n.Voter(ctx, electionID, index, v.height)
	})
}

// Member returns what a member has sent about initiatives; one who has sent nothing has the zero leaf. It fails with ErrAbsent where the roll
// was never open to initiatives or has no such entry.
func (v *View) Member(ctx context.Context, electionID string, index uint64) (*pb.MemberActivity, error) {
	head, err := v.head(ctx, state.VotersKey(state.MembersTree(electionID)))
	if err != nil {
		return nil, err
	}
	if index >= head.Size {
		return nil, fmt.Errorf("member %d of %s, of whom %d may act: %w", index, electionID, head.Size, ErrAbsent)
	}
	member := new(pb.MemberActivity)
	return member, v.treeLeaf(ctx, head, index, member, func(ctx context.Context, n *Node) (*VoterLeaf, error) {
		return n.Member(ctx, electionID, index, v.height)
	})
}

// treeLeaf fetches a leaf of a tree, and reads it into m once it is proven under the tree's head.
func (v *View) treeLeaf(ctx context.Context, head state.Head, index uint64, m election.Message, fetch func(context.Context, *Node) (*VoterLeaf, error)) error {
	return v.ledger.ask(ctx, func(ctx context.Context, n *Node) error {
		answer, err := fetch(ctx, n)
		if err != nil {
			return err
		}
		if err := verified(state.VerifyInclusion(head, index, answer.Leaf, answer.Path)); err != nil {
			return err
		}
		return election.Decode(answer.Leaf, m)
	})
}

// verified marks the failure of a proof. That this program does not know the rules is none.
func verified(err error) error {
	if err == nil || errors.Is(err, ErrVerification) || errors.Is(err, app.ErrProtocol) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrVerification, err)
}

// Keys goes through the keys of all records that begin with prefix, ascending. None is missing: it is proven for each which one follows.
func (v *View) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for at := prefix; ; {
			_, next, err := v.around(ctx, at)
			if err == nil && !strings.HasPrefix(next, prefix) || !yield(next, err) || err != nil {
				return
			}
			at = next + "!" // no other key stands between the two: '!' is the least byte of a key
		}
	}
}

// NewestKeys is Keys from the last to the first, for records that are numbered: keys of one length.
func (v *View) NewestKeys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		end := len(prefix) - 1
		for at := prefix[:end] + string(prefix[end]+1); ; {
			last, _, err := v.around(ctx, at)
			if err == nil && !strings.HasPrefix(last, prefix) || !yield(last, err) || err != nil {
				return
			}
			end := len(last) - 1
			at = last[:end] + string(last[end]-1) + "~" // behind every key of the same length that stands before the last
		}
	}
}

// around returns the last key that does not stand behind a key, and the first that does not stand before it: that key itself, or its
// neighbours. Where there is none it is empty.
func (v *View) around(ctx context.Context, key string) (last, first string, err error) {
	err = v.prove(ctx, key, func(p *pb.RecordProof) error {
		last, first = "", ""
		if !p.Absent {
			last, first = key, key
			_, err := state.VerifyRecord(v.appHash, key, p)
			return err
		}
		for _, leaf := range p.Leaves {
			if leaf.GetKey() < key {
				last = leaf.GetKey()
			} else {
				first = leaf.GetKey()
			}
		}
		return state.VerifyAbsence(v.appHash, key, p)
	})
	return last, first, err
}

// names lists the keys of records that begin with prefix, as the first node says that names at least so many: unproven, so that some may be
// missing or not be there in this view.
func (v *View) names(ctx context.Context, prefix string, least int) ([]string, error) {
	var keys []string
	err := v.ledger.ask(ctx, func(ctx context.Context, n *Node) error {
		keys = nil
		for after := ""; ; {
			_, records, err := n.Records(ctx, prefix, after, 1_000)
			if err != nil {
				return err
			}
			if len(records) == 0 {
				break
			}
			for _, r := range records {
				if r.Key <= after || !strings.HasPrefix(r.Key, prefix) {
					return fmt.Errorf("the list of records %q is out of order", prefix)
				}
				after = r.Key
				keys = append(keys, r.Key)
			}
		}
		if len(keys) < least {
			return fmt.Errorf("%w: the node names %d records %q of %d", ErrVerification, len(keys), prefix, least)
		}
		return nil
	})
	return keys, err
}

// Genesis returns the genesis document. It must not be changed.
func (v *View) Genesis() *pb.Genesis { return v.ledger.document }

// Ledger returns the ledger whose nodes answer for the view.
func (v *View) Ledger() *Ledger { return v.ledger }
