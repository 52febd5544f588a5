package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	"votenode/genesis"
	"votenode/internal/network"
	"votenode/internal/parallel"
	"votenode/internal/spool"
	"votenode/internal/talk"
	pb "votenode/proto/votenode/v1"
)

const (
	chainID    = "bench"
	electionID = "bench"

	trusteesEach  = 3 // per organisation
	trusteeQuorum = 2

	// revoteInterval is the least time between two ballots of one voter, seconds.
	revoteInterval = 1
	// open is how long voting stays open on a stage, seconds: it is used again and again.
	open = 20 * 365 * 24 * 60 * 60
)

// Stage says what is prepared before a measurement.
type Stage struct {
	// Binary is the program votenode.
	Binary string
	// Cache is the folder in which stages are kept.
	Cache string
	// Validators of both organisations together, at least 2.
	Validators int
	// Options of each contest, and Contests, each with its district; every voter belongs to one.
	Options, Contests int
	// Voters on the roll, and Rounds of ballots, one of each voter.
	Voters, Rounds int
	// Commit is the commit timeout.
	Commit time.Duration
	Talk   *talk.Talk
}

// name is that of the folder: all that a stage depends on.
func (s *Stage) name() string {
	return fmt.Sprintf("stage-2-validators-%d-options-%d-contests-%d-voters-%d-commit-%d", s.Validators, s.Options, s.Contests, s.Voters, s.Commit.Milliseconds())
}

// folder is where a stage is kept: the folder of a network whose processes have ended, and a file of ballots for each round.
func (s *Stage) folder() string { return filepath.Join(s.Cache, s.name()) }

func (s *Stage) networkFolder() string { return filepath.Join(s.folder(), "network") }

// ballots is the file of a round's ballots, rounds counted from 1.
func (s *Stage) ballots(round int) string {
	return filepath.Join(s.folder(), fmt.Sprintf("ballots-%d", round))
}

// shared is the file with what the ballots of a stage are made for.
func (s *Stage) shared() string { return filepath.Join(s.folder(), "statement.json") }

// statement is what every ballot of a stage depends on.
type statement struct {
	Manifest, RollRoot, KeyDigest []byte
	Keys                          []byte
}

// organisations shares the validators out. No organisation may hold more than half of the power, so those of the smaller one have more each.
func organisations(validators int) []network.Organisation {
	league := (validators + 1) / 2
	party := validators - league
	return []network.Organisation{
		{ID: "league", Title: "League of Supporters", Validators: league, Power: int64(party), Officers: 2, Quorum: 1},
		{ID: "party", Title: "Party", Validators: party, Power: int64(league), Officers: 2, Quorum: 1},
	}
}

// parameters are the recommended ones, but for the pace.
func (s *Stage) parameters() *pb.Parameters {
	p := genesis.DefaultParameters(2)
	p.Timeouts.Commit = uint32(s.Commit.Milliseconds())
	return p
}

// manifest has Contests contests of Options options, all on the same slots.
func (s *Stage) manifest() *pb.Manifest {
	m := &pb.Manifest{Election: electionID, Title: "Benchmark", RevoteInterval: revoteInterval, ObjectionWindow: 1, CeremonyStep: 600, OpenMin: 1}
	for c := range s.Contests {
		contest := pb.Contest{Title: fmt.Sprintf("Contest %d", c+1), MinSelections: 1, MaxSelections: 1}
		for o := range s.Options {
			contest.Options = append(contest.Options, fmt.Sprintf("Option %d", o+1))
		}
		m.Contests = append(m.Contests, contest)
		m.Styles = append(m.Styles, pb.BallotStyle{District: fmt.Sprintf("District %d", c+1), Contests: []uint32{uint32(c)}})
	}
	return m
}

// voter makes the key of a voter. A stage's voters are the same at every making: nobody else votes there.
func voter(i int) (*ballot.SecretKey, error) {
	seed := sha256.Sum256(fmt.Appendf(nil, "votenode benchmark voter %d", i))
	seed[31] &= 0x0f // below the order of the group
	return ballot.ParseSecretKey(seed[:])
}

// style is that of a voter.
func (s *Stage) style(voter int) uint32 { return uint32(voter % s.Contests) }

// once calls do with a folder that is removed afterwards. What fail was told first is the error.
func once(ctx context.Context, do func(ctx context.Context, folder string, fail context.CancelCauseFunc) error) error {
	folder, err := os.MkdirTemp("", "votenode-bench-")
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	err = do(ctx, folder, fail)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return errors.Join(err, os.RemoveAll(folder))
}

// Prepare makes what of the stage is not on disk yet.
func (s *Stage) Prepare(ctx context.Context) error {
	if _, err := os.Stat(s.shared()); errors.Is(err, os.ErrNotExist) {
		if err := s.build(ctx); err != nil {
			return fmt.Errorf("preparing an election: %w", err)
		}
	}
	for round := 1; round <= s.Rounds; round++ {
		if _, err := os.Stat(s.ballots(round)); errors.Is(err, os.ErrNotExist) {
			if err := s.prove(ctx, round); err != nil {
				return fmt.Errorf("preparing ballots: %w", err)
			}
		}
	}
	return nil
}

// build founds a network, holds everything up to the opening, ends all processes and puts the folder into the cache.
func (s *Stage) build(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.Cache, 0o700); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(s.Cache, "making-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	var made *statement
	err = s.with(ctx, filepath.Join(folder, "network"), func(ctx context.Context, o *network.Officials) (err error) {
		made, err = s.hold(ctx, o)
		return err
	})
	if err != nil {
		return err
	}
	b, err := json.Marshal(made)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, filepath.Base(s.shared())), b, 0o600); err != nil {
		return err
	}
	return os.Rename(folder, s.folder())
}

// with founds a network in a new folder, runs its validators, calls do when their blocks are certified, and ends all processes.
func (s *Stage) with(ctx context.Context, folder string, do func(ctx context.Context, o *network.Officials) error) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	plan := network.Plan{Chain: chainID, Organisations: organisations(s.Validators), Parameters: s.parameters()}
	n, err := network.Found(ctx, folder, s.Binary, plan, fail)
	if err != nil {
		return err
	}
	running, err := startProcesses(ctx, n)
	if err == nil {
		err = s.meet(ctx, n, do)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // what failed first
	}
	return errors.Join(err, running.stop())
}

// meet calls do when the blocks of a network that runs are certified.
func (s *Stage) meet(ctx context.Context, n *network.Network, do func(ctx context.Context, o *network.Officials) error) error {
	ledger, err := client.Open(ctx, n.Hash, n.Addresses(), nil)
	if err != nil {
		return err
	}
	if _, err := ledger.After(ctx, 0); err != nil {
		return err
	}
	return do(ctx, &network.Officials{Network: n, Ledger: ledger, Say: s.Talk.Say})
}

// hold goes through an election up to its opening.
func (s *Stage) hold(ctx context.Context, o *network.Officials) (*statement, error) {
	m := s.manifest()
	if err := election.CheckManifest(m); err != nil {
		return nil, err
	}
	if err := o.CreateElection(ctx, m); err != nil {
		return nil, err
	}
	roll, err := s.roll(ctx)
	if err != nil {
		return nil, err
	}
	bar := s.Talk.Bar("roll entries", len(roll))
	head, err := o.ImportRoll(ctx, electionID, roll, bar.Set)
	bar.Clear()
	if err != nil {
		return nil, err
	}
	if err := o.SealRoll(ctx, electionID, head); err != nil {
		return nil, err
	}
	if _, err := o.AppointTrustees(ctx, electionID, trusteesEach, trusteeQuorum); err != nil {
		return nil, err
	}
	opening := o.Opening()
	if err := o.Schedule(ctx, electionID, opening, opening+open); err != nil {
		return nil, err
	}
	return read(ctx, o.Ledger)
}

// roll makes the entries of all voters.
func (s *Stage) roll(ctx context.Context) ([]pb.RollEntry, error) {
	roll := make([]pb.RollEntry, 0, s.Voters)
	err := parallel.InOrder(ctx, s.Voters, voter, func(i int, key *ballot.SecretKey) error {
		roll = append(roll, pb.RollEntry{Key: key.Public().Bytes(), Style: s.style(i)})
		return nil
	})
	return roll, err
}

// read reads what ballots depend on.
func read(ctx context.Context, ledger *client.Ledger) (*statement, error) {
	v, err := ledger.Certified(ctx)
	if err != nil {
		return nil, err
	}
	e, err := client.LoadElection(ctx, v, electionID)
	if err != nil {
		return nil, err
	}
	if _, _, err := client.LoadBallotElection(ctx, v, electionID); err != nil { // checks that the keys are their trustees'
		return nil, err
	}
	keys, err := client.MustLoad[pb.ElectionKeys](ctx, v, state.KeysKey(electionID))
	if err != nil {
		return nil, err
	}
	return &statement{Manifest: e.Manifest, RollRoot: e.RollRoot, KeyDigest: e.KeyDigest, Keys: keys.Keys}, nil
}

// election returns what the ballots of a stage share.
func (s *statement) election(m *pb.Manifest) (*ballot.Election, error) {
	p, err := s.parameters(m)
	if err != nil {
		return nil, err
	}
	return ballot.NewElection(p)
}

func (s *statement) parameters(m *pb.Manifest) (ballot.Parameters, error) {
	keys, err := threshold.ParsePoints(s.Keys, election.Slots(m))
	return ballot.Parameters{
		Chain: chainID, Election: electionID,
		Manifest: [32]byte(s.Manifest), RollRoot: [32]byte(s.RollRoot), KeyDigest: [32]byte(s.KeyDigest),
		Keys: keys, Styles: election.BallotStyles(m),
	}, err
}

// statement reads what the ballots of a stage are made for.
func (s *Stage) statement() (*statement, error) {
	b, err := os.ReadFile(s.shared())
	if err != nil {
		return nil, err
	}
	made := new(statement)
	if err := json.Unmarshal(b, made); err != nil {
		return nil, fmt.Errorf("%s: %w", s.shared(), err)
	}
	return made, nil
}

// prove makes the ballots of a round.
func (s *Stage) prove(ctx context.Context, round int) error {
	made, err := s.statement()
	if err != nil {
		return err
	}
	shared, err := made.election(s.manifest())
	if err != nil {
		return err
	}
	path := s.ballots(round) + ".making"
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file, err := spool.Create(path)
	if err != nil {
		return err
	}
	bar := s.Talk.Bar(fmt.Sprintf("ballots of round %d proven", round), s.Voters)
	defer bar.Clear()
	err = parallel.InOrder(ctx, s.Voters, func(i int) ([]byte, error) { return s.ballot(shared, i, round) }, func(i int, raw []byte) error {
		bar.Set(i + 1)
		return file.Put(raw)
	})
	if err == nil {
		err = file.Rewind() // written out
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(path, s.ballots(round))
}

// ballot makes the ballot of a voter for one option; the number of the round is that of the ballot.
func (s *Stage) ballot(shared *ballot.Election, i, round int) ([]byte, error) {
	key, err := voter(i)
	if err != nil {
		return nil, err
	}
	st := ballot.Statement{Style: s.style(i), RollIndex: uint64(i), Voter: key.Public(), Sequence: uint64(round)}
	draft, err := shared.Encrypt(st, [][]int{{(i + round) % s.Options}}, key, rand.Reader)
	if err != nil {
		return nil, err
	}
	ciphertext, proof, signature, err := draft.Cast()
	if err != nil {
		return nil, err
	}
	return tx.Ballot(&pb.CastBallot{
		Election: electionID, Style: st.Style, RollIndex: st.RollIndex, Sequence: st.Sequence, Ciphertext: ciphertext, Proof: proof,
	}, signature), nil
}
