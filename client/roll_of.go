package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// ErrNotInPart says that an election is for other districts of the roll than the member's.
var ErrNotInPart = errors.New("this election is for other districts of the roll")

// RollEntry returns an entry of the roll by which an election votes, with its style in that election. It fails with ErrAbsent or
// ErrNotInPart. Spec 19.2.
func (v *View) RollEntry(ctx context.Context, electionID string, index uint64) (*pb.RollEntry, error) {
	e, err := LoadElection(ctx, v, electionID)
	if err != nil {
		return nil, err
	}
	leaf, err := v.Leaf(ctx, state.LogRoll(state.RollOf(electionID, e)), index)
	if err != nil {
		return nil, err
	}
	entry := new(pb.RollEntry)
	if err := election.Decode(leaf, entry); err != nil || e.RollOf == "" {
		return entry, err
	}
	entry.Style, err = v.styleIn(ctx, e, entry.Style)
	return entry, err
}

// CheckNotRevoked says whether an entry of the roll by which an election votes has lost its vote: it was struck when the roll was sealed, or was
// revoked, there or in the election that has the roll. It fails with the ledger's own refusal. Before a roll is sealed nobody is.
func (v *View) CheckNotRevoked(ctx context.Context, electionID string, index uint64) error {
	e, err := LoadElection(ctx, v, electionID)
	if err != nil {
		return err
	}
	roll := state.RollOf(electionID, e)
	for _, id := range slices.Compact([]string{electionID, roll}) {
		leaf, err := v.Voter(ctx, id, index)
		if errors.Is(err, ErrAbsent) {
			continue
		}
		if err != nil {
			return err
		}
		if leaf.Status == pb.VOTER_REVOKED {
			return tx.Refuse(tx.CodeRevoked, "entry %d of the roll of %q was struck or revoked", index, roll)
		}
	}
	barred, err := v.Record(ctx, state.BarredKey(roll, index))
	if err == nil && barred != nil {
		err = tx.Refuse(tx.CodeRevoked, "entry %d of the roll of %q was revoked", index, roll)
	}
	return err
}

// styleIn returns the style, in an election by the roll of another one, of those who have a style on that roll.
func (v *View) styleIn(ctx context.Context, e *pb.Election, onRoll uint32) (uint32, error) {
	own, err := LoadManifest(ctx, v, e)
	if err != nil {
		return 0, err
	}
	_, rules, err := LoadRules(ctx, v, e.RollOf)
	if err != nil {
		return 0, err
	}
	if uint64(onRoll) >= uint64(len(rules.Styles)) {
		return 0, fmt.Errorf("roll of %q: %w: style %d", e.RollOf, ErrVerification, onRoll)
	}
	district := rules.Styles[onRoll].District
	style := slices.IndexFunc(own.Styles, func(s pb.BallotStyle) bool { return s.District == district })
	if style < 0 {
		return 0, fmt.Errorf("%w: %q", ErrNotInPart, district)
	}
	return uint32(style), nil
}
