package scribe

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// poll is the election of a ledger with everything its people know.
type poll struct {
	*ledger
	manifest *pb.Manifest
	voters   []*ballot.SecretKey
	trustees []*trustee
	ballots  *ballot.Election // once roll and keys are fixed
}

// rules are those of one contest, of whose options a voter may select one.
func rules(options int) *pb.Manifest {
	contest := pb.Contest{Title: "Contest", MaxSelections: 1}
	for i := range options {
		contest.Options = append(contest.Options, fmt.Sprintf("Option %d", i+1))
	}
	return &pb.Manifest{
		Election: Election, Title: "Bench", Contests: []pb.Contest{contest},
		Styles:         []pb.BallotStyle{{District: "Everywhere", Contests: []uint32{0}}},
		RevoteInterval: 60, ObjectionWindow: 60, CeremonyStep: 3_600, OpenMin: 1,
	}
}

// resolve has both organisations decide something.
func (l *ledger) resolve(r *pb.Resolution) error {
	l.nonce++
	r.Nonce = l.nonce
	hash := app.ResolutionHash(chain, r)
	proposal := sign(officer(organisations[0]), &pb.ProposeResolution{Resolution: *r})
	if err := l.make(1, proposal); err != nil {
		return err
	}
	for _, id := range organisations[1:] { // who proposes approves
		if err := l.make(1, sign(officer(id), &pb.ApproveResolution{Resolution: hash[:]})); err != nil {
			return err
		}
	}
	got, err := state.MustLoad[pb.ResolutionRecord](l.view(), state.ResolutionKey(hash[:]))
	if err == nil && got.Status != pb.RESOLUTION_EFFECTIVE {
		err = fmt.Errorf("height %d: a resolution is %v with code %v", l.height, got.Status, tx.Code(got.Code))
	}
	return err
}

// create publishes the manifest and creates the election.
func (p *poll) create() error {
	b := election.Encode(p.manifest)
	hash := sha256.Sum256(b)
	for at := 0; at < len(b); at += tx.ChunkSize {
		chunk := b[at:min(at+tx.ChunkSize, len(b))]
		body := &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(b)), Offset: uint64(at), Chunk: chunk}
		if err := p.make(1, sign(officer(organisations[0]), body)); err != nil {
			return err
		}
	}
	return p.resolve(&pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: hash[:]}}})
}

// enrol brings a roll of so many voters and has it sealed.
func (p *poll) enrol(n int) error {
	for len(p.voters) < n {
		part := &pb.AddRollEntries{Election: Election, First: uint64(len(p.voters))}
		for len(part.Entries) < tx.MaxRollEntries && len(p.voters) < n {
			voter, err := ballot.GenerateKey(rand.Reader)
			if err != nil {
				return err
			}
			part.Entries, p.voters = append(part.Entries, pb.RollEntry{Key: voter.Public().Bytes()}), append(p.voters, voter)
		}
		for _, o := range organisations {
			part.Signatures = append(part.Signatures, tx.SignRoll(chain, part, key(registrar(o))))
		}
		if err := p.make(1, sign(registrar(organisations[0]), part)); err != nil {
			return err
		}
	}
	head, err := p.view().Head(state.LogRoll(Election))
	if err != nil {
		return err
	}
	return p.resolve(&pb.Resolution{Decision: &pb.Resolution_SealRoll{
		SealRoll: &pb.SealRoll{Election: Election, Size_: head.Size, Root: head.Root[:]},
	}})
}

// record returns the record of the election.
func (p *poll) record() (*pb.Election, error) {
	return state.MustLoad[pb.Election](p.view(), state.ElectionKey(Election))
}

// reach fails unless the election is in a phase.
func (p *poll) reach(phase pb.Phase) error {
	e, err := p.record()
	if err == nil && e.Phase != phase {
		err = fmt.Errorf("height %d: the election is in the phase %s, not %s", p.height, election.PhaseName(e.Phase), election.PhaseName(phase))
	}
	return err
}

// begin opens the election for so many seconds.
func (p *poll) begin(seconds int64) error {
	opening := p.now.Unix() + 60
	schedule := &pb.ScheduleElection{Election: Election, Opening: opening, Closing: opening + seconds}
	if err := p.resolve(&pb.Resolution{Decision: &pb.Resolution_ScheduleElection{ScheduleElection: schedule}}); err != nil {
		return err
	}
	if err := p.make(opening - p.now.Unix()); err != nil {
		return err
	}
	return p.reach(pb.PHASE_VOTING)
}

// open opens the election for so many seconds, and derives what all ballots share.
func (p *poll) open(seconds int64) error {
	if err := p.begin(seconds); err != nil {
		return err
	}
	e, err := p.record()
	if err != nil {
		return err
	}
	keys, err := state.MustLoad[pb.ElectionKeys](p.view(), state.KeysKey(Election))
	if err != nil {
		return err
	}
	points, err := threshold.ParsePoints(keys.Keys, election.Slots(p.manifest))
	if err != nil {
		return err
	}
	p.ballots, err = ballot.NewElection(ballot.Parameters{
		Chain: chain, Election: Election,
		Manifest: [32]byte(e.Manifest), RollRoot: [32]byte(e.RollRoot), KeyDigest: [32]byte(e.KeyDigest),
		Keys: points, Styles: election.BallotStyles(p.manifest),
	})
	return err
}

// vote makes the ballots of the voters from one to before another, on all cores.
func (p *poll) vote(ctx context.Context, from, to int) ([][]byte, error) {
	raw := make([][]byte, to-from)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range raw {
		g.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				raw[i], err = p.cast(from + i)
			}
			return err
		})
	}
	return raw, g.Wait()
}

// cast makes the ballot of a voter, whose index chooses the option.
func (p *poll) cast(voter int) ([]byte, error) {
	st := ballot.Statement{RollIndex: uint64(voter), Voter: p.voters[voter].Public(), Sequence: 1}
	draft, err := p.ballots.Encrypt(st, [][]int{{voter % len(p.manifest.Contests[0].Options)}}, p.voters[voter], rand.Reader)
	if err != nil {
		return nil, err
	}
	ciphertext, proof, signature, err := draft.Cast()
	if err != nil {
		return nil, err
	}
	body := &pb.CastBallot{Election: Election, RollIndex: st.RollIndex, Sequence: st.Sequence, Ciphertext: ciphertext, Proof: proof}
	return tx.Ballot(body, signature), nil
}
