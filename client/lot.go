package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"votenode/app/election"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

var (
	// ErrOtherSecret says that a secret is not the one to which an organisation has committed.
	ErrOtherSecret = errors.New("this is not the secret to which the organisation has committed")
	// ErrLotEarly says that the lot block is not fixed: a secret must not be shown yet.
	ErrLotEarly = errors.New("the lot block is not fixed yet, so the secret was not sent; wait for the closing")
)

// CommitLot binds the officer's organisation to a secret of 32 bytes for the lot of an election (docs/spec section 9.45). It fails with
// ErrOtherSecret where it is bound to another, and with ErrAbsent for a key that is no officer's.
func (o Officer) CommitLot(ctx context.Context, id string, secret []byte) error {
	v, err := o.Ledger.Certified(ctx)
	if err != nil {
		return err
	}
	organisation, err := o.organisation(ctx, v)
	if err != nil {
		return err
	}
	commitment := election.LotCommitment(v.Chain(), id, organisation, secret)
	bound := func(ctx context.Context, v *View) (bool, error) {
		part, err := lotPart(ctx, v, id, organisation)
		if err == nil && part != nil && !bytes.Equal(part.Commitment, commitment[:]) {
			err = fmt.Errorf("%q: %w", organisation, ErrOtherSecret)
		}
		return part != nil, err
	}
	if done, err := bound(ctx, v); done || err != nil {
		return err
	}
	_, err = o.Ledger.Send(ctx, o.sign(&pb.CommitLot{Election: id, Commitment: commitment[:]}), o.Wait, bound)
	return err
}

// RevealLot shows the secret of the officer's organisation for the lot of an election (docs/spec section 9.46). While the election is closed
// it waits until the lot block is fixed; before closing it fails with ErrLotEarly. It fails with ErrOtherSecret where the organisation has not committed to
// this one. In both cases nothing is sent: a secret that is refused would be known all the same.
func (o Officer) RevealLot(ctx context.Context, id string, secret []byte) error {
	var organisation string
	v, err := o.Ledger.Until(ctx, func(ctx context.Context, v *View) (_ bool, err error) {
		if organisation, err = o.organisation(ctx, v); err != nil {
			return false, err
		}
		e, err := LoadElection(ctx, v, id)
		if err != nil {
			return false, err
		}
		if e.Phase < pb.PHASE_CLOSED || e.Phase == pb.PHASE_CANCELLED {
			return false, fmt.Errorf("election %q, in phase %s: %w", id, election.PhaseName(e.Phase), ErrLotEarly)
		}
		lot, err := Load[pb.Lot](ctx, v, state.LotKey(id))
		if err == nil && lot == nil {
			err = fmt.Errorf("a lot of election %q: %w", id, ErrAbsent)
		}
		return err == nil && lot.Fixed, err
	})
	if err != nil {
		return err
	}
	commitment := election.LotCommitment(v.Chain(), id, organisation, secret)
	part, err := lotPart(ctx, v, id, organisation)
	switch {
	case err != nil:
		return err
	case part == nil || !bytes.Equal(part.Commitment, commitment[:]):
		return fmt.Errorf("%q: %w", organisation, ErrOtherSecret)
	case len(part.Secret) > 0:
		return nil
	}
	_, err = o.Ledger.Send(ctx, o.sign(&pb.RevealLot{Election: id, Secret: secret}), o.Wait, func(ctx context.Context, v *View) (bool, error) {
		part, err := lotPart(ctx, v, id, organisation)
		return err == nil && part != nil && len(part.Secret) > 0, err
	})
	return err
}

// organisation returns the organisation of which the key is an officer's.
func (o Officer) organisation(ctx context.Context, v *View) (string, error) {
	organisations, err := Organisations(ctx, v)
	if err != nil {
		return "", err
	}
	for i := range organisations {
		if slices.ContainsFunc(organisations[i].Officers, func(m pb.Member) bool { return bytes.Equal(m.Key, o.public()) }) {
			return organisations[i].Id, nil
		}
	}
	return "", fmt.Errorf("an officer with the key %x: %w", o.public(), ErrAbsent)
}

// lotPart returns the part of an organisation in the lot of an election, nil before it has committed.
func lotPart(ctx context.Context, r Reader, id, organisation string) (*pb.LotPart, error) {
	lot, err := Load[pb.Lot](ctx, r, state.LotKey(id))
	if err != nil || lot == nil {
		return nil, err
	}
	for i := range lot.Parts {
		if lot.Parts[i].Organisation == organisation {
			return &lot.Parts[i], nil
		}
	}
	return nil, nil
}

// LoadList returns the list of a contest, nil before it is formed. It forms the list again from the manifest, the votes, who was removed and
// the lot, and fails with ErrVerification where the record is another one.
func LoadList(ctx context.Context, r Reader, id string, m *pb.Manifest, contest uint32) (*pb.List, error) {
	list, err := Load[pb.List](ctx, r, state.ListKey(id, contest))
	if err != nil || list == nil {
		return nil, err
	}
	result, err := MustLoad[pb.Result](ctx, r, state.ResultKey(id, contest))
	if err != nil {
		return nil, err
	}
	lot, err := MustLoad[pb.Lot](ctx, r, state.LotKey(id))
	if err != nil {
		return nil, err
	}
	record, err := Load[pb.RemovedCandidates](ctx, r, state.RemovedKey(id))
	if err != nil {
		return nil, err
	}
	if err := checkList(list, &m.Contests[contest], result, record, election.Lot{Seed: lot.Seed, Contest: contest}); err != nil {
		return nil, fmt.Errorf("list of contest %d: %w: %w", contest, ErrVerification, err)
	}
	return list, nil
}

// checkList says whether a list follows from what it is formed of. An enemy may have written any of it.
func checkList(list *pb.List, c *pb.Contest, result *pb.Result, record *pb.RemovedCandidates, lot election.Lot) error {
	paper := len(result.PaperVotes)
	if c.List == nil || result.Status != pb.RESULT_WITHHELD && len(result.Votes) != len(c.Options) || paper != 0 && paper != len(c.Options) {
		return errors.New("rule or result do not fit the contest")
	}
	formed := &pb.List{Status: pb.LIST_WITHHELD, Seats: c.List.Seats, Outside: c.List.Outside}
	if result.Status != pb.RESULT_WITHHELD {
		removed := map[uint32]bool{}
		if record != nil {
			for _, r := range record.Removed {
				if r.Contest == lot.Contest {
					removed[r.Option] = true
				}
			}
		}
		formed = election.FormList(c, election.Votes(result), removed, lot)
	}
	if formed == nil || !bytes.Equal(election.Encode(formed), election.Encode(list)) {
		return errors.New("another list follows from the votes")
	}
	return nil
}
