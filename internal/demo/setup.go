package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client"
	"votenode/client/keyfile"
	"votenode/crypto/ballot"
	"votenode/genesis"
	"votenode/internal/network"
	pb "votenode/proto/votenode/v1"
)

const (
	chainID    = "demo"
	electionID = "primary"

	trusteesEach  = 3 // per organisation
	trusteeQuorum = 2
)

var organisations = []network.Organisation{
	{ID: "league", Title: "League of Supporters", Validators: 2, Officers: 3, Quorum: 2},
	{ID: "party", Title: "Party", Validators: 2, Officers: 3, Quorum: 2},
}

// parameters are the recommended ones with faster and smaller blocks, as four validators share the cores of one machine.
func parameters() *pb.Parameters {
	p := genesis.DefaultParameters(len(organisations))
	p.Limits.BlockUnits /= 2
	p.SlipMargin = 1 // the vote is over in seconds
	p.Timeouts = pb.Timeouts{Propose: 1_500, ProposeDelta: 500, Vote: 500, VoteDelta: 500, Commit: 200}
	return p
}

// found makes keys, homes and the genesis document, starts the validators and waits until their blocks are certified.
func (r *run) found(ctx context.Context, folder string, fail context.CancelCauseFunc) error {
	n, err := network.Found(ctx, folder, r.Binary, network.Plan{Chain: chainID, Organisations: organisations, Parameters: parameters()}, fail)
	if err != nil {
		return err
	}
	r.network = n
	r.report.GenesisHash = n.HashHex()
	r.say("genesis hash %s", n.HashHex())
	for _, v := range n.Validators {
		if err := n.StartValidator(v); err != nil {
			return err
		}
		r.say("%s is process %d, gateway %s", v.Name, v.Process.PID(), v.Node.Address())
	}
	for _, v := range n.Validators {
		if _, err := v.Node.AwaitHeight(ctx, 2); err != nil {
			return err
		}
	}
	if r.ledger, err = client.Open(ctx, n.Hash, n.Addresses(), nil); err != nil {
		return err
	}
	v, err := r.ledger.After(ctx, 0)
	if err == nil {
		r.say("height %d is certified by both organisations", v.Height())
	}
	return err
}

// decide has a quorum of officers of both organisations approve a resolution, and waits until it has taken effect.
func (r *run) decide(ctx context.Context, reason string, resolution pb.Resolution) error {
	defer func(start time.Time) { r.deciding = time.Since(start) }(time.Now())
	r.nonce++
	resolution.Nonce, resolution.Reason = r.nonce, reason
	var officers []client.Officer
	for _, o := range organisations {
		for _, key := range r.network.Officers[o.ID][:o.Quorum] {
			officers = append(officers, client.Officer{Ledger: r.ledger, Key: key, Wait: client.WaitCommitted})
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
	_, err = r.ledger.Until(ctx, func(ctx context.Context, v *client.View) (bool, error) {
		record, err := client.Load[pb.ResolutionRecord](ctx, v, state.ResolutionKey(hash[:]))
		if err == nil && record != nil && record.Status == pb.RESOLUTION_REFUSED {
			err = fmt.Errorf("the ledger refuses the resolution %q with code %d", reason, record.Code)
		}
		return err == nil && record != nil && record.Status == pb.RESOLUTION_EFFECTIVE, err
	})
	if err == nil {
		r.say("resolution in force, approved by officers of both organisations: %s", reason)
	}
	return err
}

// untilPhase waits until the election is certified to be in a phase, or in a later one.
func (r *run) untilPhase(ctx context.Context, phase pb.Phase) (*client.View, error) {
	return r.ledger.Until(ctx, func(ctx context.Context, v *client.View) (bool, error) {
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

// createElection publishes the manifest, creates the election by resolution, brings the roll and seals it.
func (r *run) createElection(ctx context.Context) error {
	r.manifest = &pb.Manifest{
		Election: electionID, Title: "Primary of " + r.Source, Contests: r.replay.Contests, Styles: r.replay.Styles,
		RevoteInterval: 1, ObjectionWindow: 2, CeremonyStep: 60, OpenMin: 1,
	}
	if err := election.CheckManifest(r.manifest); err != nil {
		return fmt.Errorf("these figures make no manifest: %w", err)
	}
	r.say("%d towns, %d contests on %d slots, %d voters", len(r.replay.Towns), len(r.replay.Contests), r.replay.Slots, r.replay.Voters())
	officer := client.Officer{Ledger: r.ledger, Key: r.network.Officers["party"][0], Wait: client.WaitCommitted}
	hash, err := officer.Publish(ctx, election.Encode(r.manifest), nil)
	if err != nil {
		return err
	}
	err = r.decide(ctx, "hold the primary by this manifest", pb.Resolution{
		Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: hash[:]}},
	})
	if err != nil {
		return err
	}
	roll, err := r.makeRoll(ctx)
	if err != nil {
		return err
	}
	progress := r.Talk.bar("roll entries", len(roll))
	registrar := client.Registrar{Ledger: r.ledger, Key: r.network.Registrars["party"]}
	head, err := registrar.Import(ctx, electionID, roll, progress.set)
	progress.clear()
	if err != nil {
		return err
	}
	return r.decide(ctx, fmt.Sprintf("seal the roll of %d voters", head.Size), pb.Resolution{
		Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: electionID, Size_: head.Size, Root: head.Root[:]}},
	})
}

// makeRoll makes a key for every voter.
func (r *run) makeRoll(ctx context.Context) ([]pb.RollEntry, error) {
	roll := make([]pb.RollEntry, 0, r.replay.Voters())
	r.secrets = make([][]byte, 0, r.replay.Voters())
	err := inOrder(ctx, r.replay.Voters(), func(int) (*ballot.SecretKey, error) { return ballot.GenerateKey(rand.Reader) },
		func(voter int, key *ballot.SecretKey) error {
			r.secrets = append(r.secrets, key.Bytes())
			roll = append(roll, pb.RollEntry{Key: key.Public().Bytes(), Style: uint32(r.replay.Style(voter))})
			return nil
		})
	return roll, err
}

// holdCeremony appoints trustees, starts their programs and waits until the election is ready: keys made, trial decryption passed.
func (r *run) holdCeremony(ctx context.Context) error {
	appoint := &pb.AppointTrustees{Election: electionID}
	var names []string
	for _, o := range organisations {
		board := pb.TrusteeBoard{Organisation: o.ID, Quorum: trusteeQuorum}
		for i := range trusteesEach {
			name := fmt.Sprintf("%s-trustee-%d", o.ID, i+1)
			key, err := r.network.NewPerson(keyfile.Trustee, name)
			if err != nil {
				return err
			}
			board.Trustees = append(board.Trustees, pb.Member{Name: name, Key: key[32:]})
			names = append(names, name)
		}
		appoint.Boards = append(appoint.Boards, board)
	}
	for _, name := range names {
		p, err := r.network.StartTrustee(name)
		if err != nil {
			return err
		}
		r.trustees = append(r.trustees, p)
	}
	r.say("%d trustees run, each with its key file, the genesis hash and the nodes' addresses", len(r.trustees))
	reason := fmt.Sprintf("appoint %d trustees of each organisation, %d of each open the totals", trusteesEach, trusteeQuorum)
	if err := r.decide(ctx, reason, pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: appoint}}); err != nil {
		return err
	}
	v, err := r.untilPhase(ctx, pb.PHASE_READY)
	if err != nil {
		return err
	}
	r.say("keys made by all trustees, trial decryption passed, election ready at height %d", v.Height())
	r.shared, _, err = client.LoadBallotElection(ctx, v, electionID)
	return err
}

// open sets the times by resolution. Before the opening a ballot is refused.
func (r *run) open(ctx context.Context) error {
	if err := r.tryBeforeOpening(ctx); err != nil {
		return err
	}
	opening := time.Now().Add(2*time.Second + 3*r.deciding).Unix()
	r.closing = opening + 20 + int64(r.replay.Voters()/600)
	err := r.decide(ctx, fmt.Sprintf("vote for %d seconds", r.closing-opening), pb.Resolution{
		Decision: &pb.Resolution_ScheduleElection{ScheduleElection: &pb.ScheduleElection{Election: electionID, Opening: opening, Closing: r.closing}},
	})
	if err != nil {
		return err
	}
	v, err := r.untilPhase(ctx, pb.PHASE_VOTING)
	if err == nil {
		r.say("voting is open since height %d or shortly before", v.Height())
	}
	return err
}

// extension is by how much officers extend the voting when ballots are still on their way, seconds.
func (r *run) extension() int64 { return 20 + int64(r.replay.Voters()/1000) }

// extend sets a later closing by resolution.
func (r *run) extend(ctx context.Context, reason string) error {
	r.closing += r.extension()
	return r.decide(ctx, reason, pb.Resolution{
		Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: electionID, Closing: r.closing}},
	})
}
