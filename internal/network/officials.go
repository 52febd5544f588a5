package network

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client"
	"votenode/client/keyfile"
	pb "votenode/proto/votenode/v1"
)

// Officials are the officers and registrars of a network with what they see of the ledger. They act through package client, one thing
// after another.
type Officials struct {
	Network *Network
	Ledger  *client.Ledger
	// Say is told what was done.
	Say func(format string, args ...any)
	// Deciding is how long the last resolution took: as far ahead, and more, times are set.
	Deciding time.Duration

	nonce uint64
}

// Decide has a quorum of officers of every organisation approve a resolution, and waits until it has taken effect.
func (o *Officials) Decide(ctx context.Context, reason string, resolution pb.Resolution) error {
	defer func(start time.Time) { o.Deciding = time.Since(start) }(time.Now())
	o.nonce++
	resolution.Nonce, resolution.Reason = o.nonce, reason
	var officers []client.Officer
	for i := range o.Network.Document.Organisations {
		organisation := &o.Network.Document.Organisations[i].Organisation
		for _, key := range o.Network.Officers[organisation.Id][:organisation.OfficerQuorum] {
			officers = append(officers, o.officer(key))
		}
	}
	hash, err := officers[0].Propose(ctx, &resolution)
	if err != nil {
		return err
	}
	g, approving := errgroup.WithContext(ctx)
	for _, officer := range officers[1:] {
		g.Go(func() error { return officer.Approve(approving, hash) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	_, err = o.Ledger.Until(ctx, func(ctx context.Context, v *client.View) (bool, error) {
		record, err := client.Load[pb.ResolutionRecord](ctx, v, state.ResolutionKey(hash[:]))
		if err == nil && record != nil && record.Status == pb.RESOLUTION_REFUSED {
			err = fmt.Errorf("the ledger refuses the resolution %q with code %d", reason, record.Code)
		}
		return err == nil && record != nil && record.Status == pb.RESOLUTION_EFFECTIVE, err
	})
	if err == nil {
		o.Say("resolution in force, approved by officers of all organisations: %s", reason)
	}
	return err
}

func (o *Officials) officer(key ed25519.PrivateKey) client.Officer {
	return client.Officer{Ledger: o.Ledger, Key: key, Wait: client.WaitCommitted}
}

// first is the organisation that does what one alone may do.
func (o *Officials) first() string { return o.Network.Document.Organisations[0].Organisation.Id }

// CreateElection publishes a manifest and creates its election by resolution.
func (o *Officials) CreateElection(ctx context.Context, m *pb.Manifest) error {
	hash, err := o.officer(o.Network.Officers[o.first()][0]).Publish(ctx, election.Encode(m), nil)
	if err != nil {
		return err
	}
	return o.Decide(ctx, "hold the primary by this manifest", pb.Resolution{
		Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: hash[:]}},
	})
}

// ImportRoll brings the roll of an election. progress is told how many entries are in blocks.
func (o *Officials) ImportRoll(ctx context.Context, electionID string, roll []pb.RollEntry, progress func(entries int)) (state.Head, error) {
	var keys []ed25519.PrivateKey
	for i := range o.Network.Document.Organisations {
		keys = append(keys, o.Network.Registrars[o.Network.Document.Organisations[i].Organisation.Id])
	}
	return client.Enrol(ctx, o.Ledger, keys, electionID, roll, progress)
}

// SealRoll seals the roll of an election by resolution.
func (o *Officials) SealRoll(ctx context.Context, electionID string, head state.Head) error {
	return o.Decide(ctx, fmt.Sprintf("seal the roll of %d voters", head.Size), pb.Resolution{
		Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: electionID, Size_: head.Size, Root: head.Root[:]}},
	})
}

// AppointTrustees starts the programs of so many trustees of every organisation, of whom quorum suffice, appoints them by resolution,
// and waits until the election is ready: keys made, trial decryption passed. It returns the programs, by organisation.
func (o *Officials) AppointTrustees(ctx context.Context, electionID string, each, quorum int) ([]*Process, error) {
	names, err := o.Appoint(ctx, electionID, each, quorum)
	if err != nil {
		return nil, err
	}
	var programs []*Process
	for _, name := range names {
		p, err := o.Network.StartTrustee(name)
		if err != nil {
			return nil, err
		}
		programs = append(programs, p)
	}
	o.Say("%d trustees run, each with its key file, the genesis hash and the nodes' addresses", len(programs))
	v, err := o.UntilPhase(ctx, electionID, pb.PHASE_READY)
	if err == nil {
		o.Say("keys made by all trustees, trial decryption passed, election ready at height %d", v.Height())
	}
	return programs, err
}

// Appoint makes the keys of so many trustees of every organisation, of whom quorum suffice, and appoints them by resolution. It returns their
// names, by organisation.
func (o *Officials) Appoint(ctx context.Context, electionID string, each, quorum int) (names []string, err error) {
	appoint := &pb.AppointTrustees{Election: electionID}
	for i := range o.Network.Document.Organisations {
		id := o.Network.Document.Organisations[i].Organisation.Id
		board := pb.TrusteeBoard{Organisation: id, Quorum: uint32(quorum)}
		for j := range each {
			name := fmt.Sprintf("%s-trustee-%d", id, j+1)
			key, err := o.Network.NewPerson(keyfile.Trustee, name)
			if err != nil {
				return nil, err
			}
			board.Trustees = append(board.Trustees, pb.Member{Name: name, Key: key[ed25519.SeedSize:]})
			names = append(names, name)
		}
		appoint.Boards = append(appoint.Boards, board)
	}
	reason := fmt.Sprintf("appoint %d trustees of each organisation, %d of each open the totals", each, quorum)
	return names, o.Decide(ctx, reason, pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: appoint}})
}

// Opening is a time at which voting can open, by how long resolutions take.
func (o *Officials) Opening() int64 { return time.Now().Add(2*time.Second + 3*o.Deciding).Unix() }

// Schedule sets the times of an election by resolution, unix seconds, and waits until voting is open.
func (o *Officials) Schedule(ctx context.Context, electionID string, opening, closing int64) error {
	err := o.Decide(ctx, fmt.Sprintf("vote for %d seconds", closing-opening), pb.Resolution{
		Decision: &pb.Resolution_ScheduleElection{ScheduleElection: &pb.ScheduleElection{Election: electionID, Opening: opening, Closing: closing}},
	})
	if err != nil {
		return err
	}
	v, err := o.UntilPhase(ctx, electionID, pb.PHASE_VOTING)
	if err == nil {
		o.Say("voting is open since height %d or shortly before", v.Height())
	}
	return err
}

// UntilPhase waits until an election is certified to be in a phase, or in a later one.
func (o *Officials) UntilPhase(ctx context.Context, electionID string, phase pb.Phase) (*client.View, error) {
	return o.Ledger.Until(ctx, func(ctx context.Context, v *client.View) (bool, error) {
		e, err := client.LoadElection(ctx, v, electionID)
		if err != nil {
			return false, err
		}
		if e.Phase == pb.PHASE_CANCELLED {
			return false, fmt.Errorf("the election was cancelled")
		}
		return e.Phase >= phase, nil
	})
}
