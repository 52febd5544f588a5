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
	// ErrShownSecret says that a secret was revealed before: whoever knows it would know more of the lot than others.
	ErrShownSecret = errors.New("this secret stands on the ledger; make a new one in another file")
	// ErrLotEarly says that the lot block is not fixed: a secret must not be shown yet.
	ErrLotEarly = errors.New("the lot block is not fixed yet, so the secret was not sent; wait for the closing")
)

// CommitLot binds the officer's organisation to a secret of 32 bytes for the present round of the lot of an election (docs/spec section 9.45). It
// fails with ErrOtherSecret where it is bound to another, with ErrShownSecret where everybody knows the secret from a round before, and with
// ErrAbsent for a key that is no officer's.
func (o Officer) CommitLot(ctx context.Context, id string, secret []byte) error {
	v, err := o.Ledger.Certified(ctx)
	if err != nil {
		return err
	}
	organisation, err := o.organisation(ctx, v)
	if err != nil {
		return err
	}
	lot, err := loadLot(ctx, v, id)
	if err != nil {
		return err
	}
	for round := uint32(1); round < lot.Round; round++ {
		ended, err := MustLoad[pb.Lot](ctx, v, state.LotRoundKey(id, round))
		if err != nil {
			return err
		}
		if bytes.Equal(lotPart(ended, organisation).Secret, secret) {
			return fmt.Errorf("round %d: %w", round, ErrShownSecret)
		}
	}
	commitment := election.LotCommitment(v.Chain(), id, organisation, lot.Round, secret)
	bound := func(ctx context.Context, v *View) (bool, error) {
		lot, err := loadLot(ctx, v, id)
		if err != nil {
			return false, err
		}
		part := lotPart(lot, organisation)
		if len(part.Commitment) > 0 && !bytes.Equal(part.Commitment, commitment[:]) {
			return false, fmt.Errorf("%q: %w", organisation, ErrOtherSecret)
		}
		return len(part.Commitment) > 0, nil
	}
	if done, err := bound(ctx, v); done || err != nil {
		return err
	}
	_, err = o.Ledger.Send(ctx, o.sign(&pb.CommitLot{Election: id, Commitment: commitment[:], Round: lot.Round}), o.Wait, bound)
	return err
}

// RevealLot shows the secret of the officer's organisation for the lot of an election (docs/spec section 9.46). From closing on it waits until
// the lot block is fixed and those have revealed that kept theirs in more rounds; before closing it fails with ErrLotEarly. It fails with
// ErrOtherSecret where the organisation has not committed to this one. In both cases nothing is sent: a secret that is refused would be known
// all the same.
func (o Officer) RevealLot(ctx context.Context, id string, secret []byte) error {
	var organisation string
	var part *pb.LotPart
	_, err := o.Ledger.Until(ctx, func(ctx context.Context, v *View) (_ bool, err error) {
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
		lot, err := loadLot(ctx, v, id)
		if err != nil {
			return false, err
		}
		if len(lot.Parts) == 0 {
			return false, fmt.Errorf("a lot of election %q: %w", id, ErrAbsent)
		}
		part = lotPart(lot, organisation)
		commitment := election.LotCommitment(v.Chain(), id, organisation, lot.Round, secret)
		if !bytes.Equal(part.Commitment, commitment[:]) {
			return false, fmt.Errorf("%q: %w", organisation, ErrOtherSecret)
		}
		return len(part.Secret) > 0 || lot.Fixed && election.LotTurn(lot, part), nil
	})
	if err != nil || len(part.Secret) > 0 {
		return err
	}
	_, err = o.Ledger.Send(ctx, o.sign(&pb.RevealLot{Election: id, Secret: secret}), o.Wait, func(ctx context.Context, v *View) (bool, error) {
		lot, err := loadLot(ctx, v, id)
		return err == nil && bytes.Equal(lotPart(lot, organisation).Secret, secret), err
	})
	return err
}

// RenewLot returns the decision that ends the present round of the lot of an election without those who have not revealed (docs/spec section
// 9.49). While the ledger would refuse it only as too early, it waits: until a list waits for the lot and the secrets are late.
func (o Officer) RenewLot(ctx context.Context, id string) (*pb.RenewLot, error) {
	d := &pb.RenewLot{Election: id}
	_, err := o.Ledger.Until(ctx, func(ctx context.Context, v *View) (bool, error) {
		e, err := LoadElection(ctx, v, id)
		if err != nil {
			return false, err
		}
		lot, err := loadLot(ctx, v, id)
		if err != nil {
			return false, err
		}
		queue, err := Load[pb.ListQueue](ctx, v, state.ListQueueKey(id))
		if err != nil {
			return false, err
		}
		d.Round, d.Missing = lot.Round, election.LotMissing(lot)
		due := lot.Fixed && v.Time().Unix() >= lot.Deadline && queue != nil && len(queue.Tied) > 0
		mayCome := (e.Phase == pb.PHASE_CLOSED || e.Phase == pb.PHASE_DECRYPTING) && len(d.Missing) > 0
		return due || !mayCome, nil
	})
	return d, err
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

// loadLot returns the present round of the lot of an election, an empty first one before anybody has committed.
func loadLot(ctx context.Context, r Reader, id string) (*pb.Lot, error) {
	lot, err := Load[pb.Lot](ctx, r, state.LotKey(id))
	if err == nil && lot == nil {
		lot = &pb.Lot{Round: 1}
	}
	return lot, err
}

// lotPart returns the part of an organisation in a lot, an empty one before it has committed.
func lotPart(lot *pb.Lot, organisation string) *pb.LotPart {
	for i := range lot.Parts {
		if lot.Parts[i].Organisation == organisation {
			return &lot.Parts[i]
		}
	}
	return new(pb.LotPart)
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
