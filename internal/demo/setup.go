package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"votenode/app/election"
	"votenode/client"
	"votenode/crypto/ballot"
	"votenode/genesis"
	"votenode/internal/network"
	"votenode/internal/parallel"
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

// begin brings a network, new or running, and waits until its blocks are certified.
func (r *run) begin(ctx context.Context, folder string, fail context.CancelCauseFunc) error {
	bring := r.found
	if r.Elsewhere != "" {
		bring = r.attach
	}
	if err := bring(ctx, folder, fail); err != nil {
		return err
	}
	n := r.network
	r.report.GenesisHash = n.HashHex()
	if err := n.AwaitHeight(ctx, 2); err != nil {
		return err
	}
	var err error
	if r.ledger, err = client.Open(ctx, n.Hash, n.Addresses(), nil); err != nil {
		return err
	}
	r.officials = &network.Officials{Network: n, Ledger: r.ledger, Say: r.say}
	v, err := r.ledger.After(ctx, 0)
	if err != nil {
		return err
	}
	r.say("height %d is certified by both organisations", v.Height())
	r.election, err = freeID(ctx, v)
	r.report.Election = r.election
	return err
}

// found makes keys, homes and the genesis document, and starts the validators.
func (r *run) found(ctx context.Context, folder string, fail context.CancelCauseFunc) (err error) {
	plan := network.Plan{Chain: chainID, Organisations: organisations, Parameters: parameters()}
	if r.network, err = network.Found(ctx, folder, r.Binary, plan, fail); err != nil {
		return err
	}
	r.say("genesis hash %s", r.network.HashHex())
	for _, v := range r.network.Validators {
		if err := r.network.StartValidator(v); err != nil {
			return err
		}
		r.say("%s is process %d, gateway %s", v.Name, v.Process.PID(), v.Node.Address())
	}
	return nil
}

// attach takes the network that runs elsewhere.
func (r *run) attach(ctx context.Context, folder string, fail context.CancelCauseFunc) (err error) {
	if r.network, err = network.Attach(ctx, r.Elsewhere, folder, r.Binary, r.Nodes, fail); err != nil {
		return err
	}
	r.say("%d validators and %d other nodes run elsewhere, genesis hash %s", len(r.network.Validators), len(r.network.Followers), r.network.HashHex())
	return nil
}

// freeID is the first of primary, primary-2, primary-3 and so on that no election of the ledger has.
func freeID(ctx context.Context, v *client.View) (string, error) {
	id := electionID
	for i := 2; ; i++ {
		if _, err := client.LoadElection(ctx, v, id); errors.Is(err, client.ErrAbsent) {
			return id, nil
		} else if err != nil {
			return "", err
		}
		id = fmt.Sprintf("%s-%d", electionID, i)
	}
}

// createElection publishes the manifest, creates the election by resolution, brings the roll and seals it.
func (r *run) createElection(ctx context.Context) error {
	r.manifest = &pb.Manifest{
		Election: r.election, Title: "Primary of " + r.Source, Contests: r.replay.Contests, Styles: r.replay.Styles,
		RevoteInterval: 1, ObjectionWindow: 2, CeremonyStep: 60, OpenMin: 1,
	}
	if err := election.CheckManifest(r.manifest); err != nil {
		return fmt.Errorf("these figures make no manifest: %w", err)
	}
	r.say("%d towns, %d contests on %d slots, %d voters", len(r.replay.Towns), len(r.replay.Contests), r.replay.Slots, r.replay.Voters())
	if err := r.officials.CreateElection(ctx, r.manifest); err != nil {
		return err
	}
	roll, err := r.makeRoll(ctx)
	if err != nil {
		return err
	}
	progress := r.Talk.Bar("roll entries", len(roll))
	head, err := r.officials.ImportRoll(ctx, r.election, roll, progress.Set)
	progress.Clear()
	if err != nil {
		return err
	}
	return r.officials.SealRoll(ctx, r.election, head)
}

// makeRoll makes a key for every voter.
func (r *run) makeRoll(ctx context.Context) ([]pb.RollEntry, error) {
	roll := make([]pb.RollEntry, 0, r.replay.Voters())
	r.secrets = make([][]byte, 0, r.replay.Voters())
	err := parallel.InOrder(ctx, r.replay.Voters(), func(int) (*ballot.SecretKey, error) { return ballot.GenerateKey(rand.Reader) },
		func(voter int, key *ballot.SecretKey) error {
			r.secrets = append(r.secrets, key.Bytes())
			roll = append(roll, pb.RollEntry{Key: key.Public().Bytes(), Style: uint32(r.replay.Style(voter))})
			return nil
		})
	return roll, err
}

// holdCeremony appoints trustees, starts their programs and waits until the election is ready: keys made, trial decryption passed.
func (r *run) holdCeremony(ctx context.Context) error {
	var err error
	if r.trustees, err = r.officials.AppointTrustees(ctx, r.election, trusteesEach, trusteeQuorum); err != nil {
		return err
	}
	v, err := r.ledger.Certified(ctx)
	if err != nil {
		return err
	}
	r.shared, _, err = client.LoadBallotElection(ctx, v, r.election)
	return err
}

// open sets the times by resolution. Before the opening a ballot is refused.
func (r *run) open(ctx context.Context) error {
	if err := r.tryBeforeOpening(ctx); err != nil {
		return err
	}
	opening := r.officials.Opening()
	r.closing = opening + 20 + int64(r.replay.Voters()/600)
	return r.officials.Schedule(ctx, r.election, opening, r.closing)
}

// extension is by how much officers extend the voting when ballots are still on their way, seconds.
func (r *run) extension() int64 { return 20 + int64(r.replay.Voters()/1000) }

// extend sets a later closing by resolution.
func (r *run) extend(ctx context.Context, reason string) error {
	r.closing += r.extension()
	return r.officials.Decide(ctx, reason, pb.Resolution{
		Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: r.election, Cause: pb.EXTENSION_OTHER, Closing: r.closing}},
	})
}
