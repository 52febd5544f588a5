package client

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// Registrar brings the roll of an election.
type Registrar struct {
	Ledger *Ledger
	Key    ed25519.PrivateKey
}

// RollEntries returns the whole roll of an election as it stands in a view.
func RollEntries(ctx context.Context, v *View, electionID string) ([]pb.RollEntry, error) {
	var entries []pb.RollEntry
	err := v.Leaves(ctx, state.LogRoll(electionID), func() { entries = nil }, func(_ uint64, leaf []byte) error {
		var e pb.RollEntry
		err := election.Decode(leaf, &e)
		entries = append(entries, e)
		return err
	})
	return entries, err
}

// missingEntries returns those wanted entries that a roll does not hold, in their order. It fails where a key stands twice or has
// another ballot style in the roll.
func missingEntries(roll, wanted []pb.RollEntry) ([]pb.RollEntry, error) {
	styles := make(map[string]uint32, len(roll))
	for _, e := range roll {
		styles[string(e.Key)] = e.Style
	}
	seen := make(map[string]bool, len(wanted))
	var missing []pb.RollEntry
	for i, e := range wanted {
		style, there := styles[string(e.Key)]
		switch {
		case seen[string(e.Key)]:
			return nil, fmt.Errorf("entry %d: the key %x stands twice", i+1, e.Key)
		case there && style != e.Style:
			return nil, fmt.Errorf("entry %d: the roll has the key %x with ballot style %d, not %d", i+1, e.Key, style, e.Style)
		case !there:
			missing = append(missing, e)
		}
		seen[string(e.Key)] = true
	}
	return missing, nil
}

// partOfRoll returns how many entries go into one transaction.
func partOfRoll(ctx context.Context, v *View) (int, error) {
	const entry, rest = 48, 512 // bytes, more than either takes
	p, err := MustLoad[pb.Parameters](ctx, v, state.KeyParameters)
	if err != nil {
		return 0, err
	}
	return min(tx.MaxRollEntries, int(p.Limits.TransactionBytes-rest)/entry), nil
}

// Import appends the entries that the roll does not hold yet, and returns once a certified state holds them all, with the head of
// the roll, which is what a resolution seals. Run again after a failure it goes on where it stopped. progress, if not nil, is told
// how many entries are in blocks.
func (r Registrar) Import(ctx context.Context, electionID string, entries []pb.RollEntry, progress func(entries int)) (state.Head, error) {
	v, err := r.Ledger.Certified(ctx)
	if err != nil {
		return state.Head{}, err
	}
	roll, err := RollEntries(ctx, v, electionID)
	if err != nil {
		return state.Head{}, err
	}
	missing, err := missingEntries(roll, entries)
	if err != nil {
		return state.Head{}, err
	}
	part, err := partOfRoll(ctx, v)
	if err != nil {
		return state.Head{}, err
	}
	first := uint64(len(roll))
	for len(missing) > 0 {
		n := min(len(missing), part)
		body := &pb.AddRollEntries{Election: electionID, First: first, Entries: missing[:n]}
		if _, err := r.Ledger.Send(ctx, tx.Sign(r.Ledger.Chain(), body, r.Key), WaitCommitted, nil); err != nil {
			return state.Head{}, fmt.Errorf("entries from %d on: %w", first, err)
		}
		missing, first = missing[n:], first+uint64(n)
		if progress != nil {
			progress(len(entries) - len(missing))
		}
	}
	var head state.Head // read before the entries, for nodes keep the state of a height only for a while
	v, err = r.Ledger.Until(ctx, func(ctx context.Context, v *View) (_ bool, err error) {
		head, err = v.Head(ctx, state.LogRoll(electionID))
		return head.Size >= first, err
	})
	if err != nil {
		return state.Head{}, err
	}
	if roll, err = RollEntries(ctx, v, electionID); err != nil {
		return state.Head{}, err
	}
	if missing, err = missingEntries(roll, entries); err != nil {
		return state.Head{}, err
	}
	if len(missing) > 0 {
		return state.Head{}, fmt.Errorf("%d entries are missing, because another registrar imported at the same time; run the import again", len(missing))
	}
	return head, nil
}

// CompareRoll says whether the roll of an election names exactly these entries, in any order, and returns its head. It fails with
// ErrVerification where they differ.
func CompareRoll(ctx context.Context, v *View, electionID string, entries []pb.RollEntry) (state.Head, error) {
	head, err := v.Head(ctx, state.LogRoll(electionID))
	if err != nil {
		return state.Head{}, err
	}
	roll, err := RollEntries(ctx, v, electionID)
	if err != nil {
		return state.Head{}, err
	}
	missing, err := missingEntries(roll, entries)
	if err != nil {
		return state.Head{}, verified(err)
	}
	foreign, err := missingEntries(entries, roll)
	if err != nil {
		return state.Head{}, verified(err)
	}
	if len(missing) > 0 || len(foreign) > 0 {
		return state.Head{}, fmt.Errorf("%w: %d entries of the list are not in the roll, and %d of the roll are not in the list", ErrVerification, len(missing), len(foreign))
	}
	return head, nil
}
