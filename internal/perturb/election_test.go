package perturb

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"votenode/app/state"
	"votenode/client"
	"votenode/crypto/ballot"
	"votenode/genesis"
	"votenode/internal/network"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

const (
	electionID = "primary"
	voters     = 6000

	trusteesEach  = 3 // of each organisation
	trusteeQuorum = 2

	// span is how long a perturbation may take until the network is well again, on a slow machine. Times of the election are set by it.
	span = 2 * time.Minute
	// room is how long the voting is open, at least, when something begins to be done in it, seconds.
	room = 45
)

var (
	all  = flag.Bool("all", false, "do everything in every phase, instead of a choice")
	only = flag.String("only", "", "do this alone, in every phase")
	seed = flag.Uint64("seed", 0, "seed of the choice; 0 takes a new one")
)

// organisations have two validators each, so that one of them can be lost: then nothing is certified, and blocks are still committed.
var organisations = []network.Organisation{
	{ID: "league", Title: "League of Supporters", Validators: 2, Officers: 1, Quorum: 1},
	{ID: "party", Title: "Party", Validators: 2, Officers: 1, Quorum: 1},
}

// election is one that is held while things are done to its network.
type election struct {
	*testing.T
	ctx       context.Context
	random    *mathrand.Rand
	network   *network.Network
	mesh      *mesh
	ledger    *client.Ledger
	officials *network.Officials
	closing   int64
	// deeds are what is done in each phase, in this order.
	deeds func() []deed
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// found builds the program and starts a network of it whose connections go through a mesh.
func found(t *testing.T, random *mathrand.Rand) *election {
	t.Helper()
	ctx, fail := context.WithCancelCause(t.Context())
	t.Cleanup(func() { fail(nil) })
	folder := t.TempDir()
	binary := filepath.Join(folder, "votenode")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "votenode/cmd/votenode")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p := genesis.DefaultParameters(len(organisations))
	p.Limits.BlockUnits /= 2
	p.SlipMargin = 1
	p.Timeouts = pb.Timeouts{Propose: 1_500, ProposeDelta: 500, Vote: 500, VoteDelta: 500, Commit: 200}
	e := &election{T: t, ctx: ctx, random: random}
	e.network = must(network.Found(ctx, folder, binary, network.Plan{Chain: "perturbed", Organisations: organisations, Parameters: p}, func(cause error) {
		t.Error(cause)
		fail(cause)
	}))
	t.Cleanup(func() {
		if err := e.network.EndAll(); err != nil {
			t.Error(err)
		}
	})
	e.connect()
	for _, v := range e.network.Validators {
		e.check(e.network.StartValidator(v))
	}
	e.check(e.network.AwaitHeight(ctx, 2))
	e.ledger = must(client.Open(ctx, e.network.Hash, e.network.Addresses(), nil))
	e.officials = &network.Officials{Network: e.network, Ledger: e.ledger, Say: t.Logf}
	return e
}

// connect lets each validator dial the others through the mesh.
func (e *election) connect() {
	var addresses, ids []string
	for _, v := range e.network.Validators {
		record := e.record(v)
		addresses, ids = append(addresses, record.Address), append(ids, fmt.Sprintf("%x", record.NodeId))
	}
	e.mesh = newMesh(e, addresses)
	for from, v := range e.network.Validators {
		file := node.Home(v.Home).ConfigFile()
		c := must(node.ReadConfig(file))
		c.P2P.Peers = map[string]string{}
		for to, id := range ids {
			if to != from {
				c.P2P.Peers[id] = e.mesh.address(from, to)
			}
		}
		e.check(os.WriteFile(file, c.Bytes(), 0o600))
	}
}

// record returns the validator's record in the genesis document.
func (e *election) record(v *network.Validator) *pb.Validator {
	for i := range e.network.Document.Organisations {
		for j := range e.network.Document.Organisations[i].Validators {
			if r := &e.network.Document.Organisations[i].Validators[j]; r.Name == v.Name {
				return r
			}
		}
	}
	e.Fatalf("%s is no validator", v.Name)
	return nil
}

// check ends the test on an error. Where a process has ended by itself that is the cause.
func (e *election) check(err error) {
	e.Helper()
	if err == nil {
		return
	}
	if cause := context.Cause(e.ctx); cause != nil {
		err = cause
	}
	e.Fatal(err)
}

// during does to the network what is to be done in a phase.
func (e *election) during(phase string) {
	for _, d := range e.deeds() {
		e.keepOpen()
		start := time.Now()
		d.do(e)
		e.well()
		e.Logf("%s: %s: %.1f s", phase, d.name, time.Since(start).Seconds())
	}
}

// keepOpen extends the voting where its end is near.
func (e *election) keepOpen() {
	if e.closing == 0 || time.Now().Unix()+room < e.closing {
		return
	}
	e.closing = time.Now().Unix() + 2*room
	e.check(e.officials.Decide(e.ctx, "more is to be done to the network", pb.Resolution{
		Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: electionID, Closing: e.closing}},
	}))
}

// TestElection holds an election, does things to the network in every phase, and looks at what is left.
func TestElection(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d; the same again: go test ./internal/perturb -run TestElection -seed %d", *seed, *seed)
	e := found(t, mathrand.New(mathrand.NewPCG(*seed, 1)))
	count := e.choose()
	e.during("before there is an election")

	manifest := &pb.Manifest{
		Election: electionID, Title: "Primary", Contests: []pb.Contest{{Title: "Seat", MinSelections: 1, MaxSelections: 1}},
		Styles:         []pb.BallotStyle{{District: "everywhere", Contests: []uint32{0}}},
		RevoteInterval: 1, ObjectionWindow: uint32(20 * count), CeremonyStep: uint32(time.Duration(count) * span / time.Second), OpenMin: 1,
	}
	for i := range options {
		manifest.Contests[0].Options = append(manifest.Contests[0].Options, fmt.Sprint("Option ", i+1))
	}
	e.check(e.officials.CreateElection(e.ctx, manifest))
	l := &load{election: e, cast: map[[32]byte]int{}}
	var roll []pb.RollEntry
	for range voters {
		key := must(ballot.GenerateKey(rand.Reader))
		l.keys, roll = append(l.keys, key), append(roll, pb.RollEntry{Key: key.Public().Bytes()})
	}
	e.during("setup")
	head := must(e.officials.ImportRoll(e.ctx, electionID, roll, func(int) {}))
	e.check(e.officials.SealRoll(e.ctx, electionID, head))

	trustees := e.ceremony()
	l.shared, _, _ = client.LoadBallotElection(e.ctx, must(e.ledger.Certified(e.ctx)), electionID)
	e.during("ready")
	e.vote(l)
	votes := l.check(e.until(pb.PHASE_CLOSED))
	e.during("closed")
	e.decrypt(trustees)
	e.results(votes)
	e.promises(l)
	e.audit()
	e.same()
}

// ceremony has the trustees make keys. The last one comes when all that is done to the network in the key ceremony is done.
func (e *election) ceremony() (trustees []*network.Process) {
	names := must(e.officials.Appoint(e.ctx, electionID, trusteesEach, trusteeQuorum))
	last := len(names) - 1
	for _, name := range names[:last] {
		trustees = append(trustees, must(e.network.StartTrustee(name)))
	}
	e.during("key ceremony")
	trustees = append(trustees, must(e.network.StartTrustee(names[last])))
	e.until(pb.PHASE_READY)
	return trustees
}

// vote opens the voting, and lets voters cast ballots while things are done to the network. It returns when voting is closed.
func (e *election) vote(l *load) {
	opening := e.officials.Opening()
	closing := opening + room + 5
	e.check(e.officials.Schedule(e.ctx, electionID, opening, closing))
	e.closing = closing
	stop, done := context.WithCancel(e.ctx)
	casting := make(chan error, 1)
	go func() { casting <- l.run(stop) }()
	e.during("voting")
	e.closing = 0
	done()
	e.check(<-casting)
}

// decrypt opens the sums. Of one organisation one trustee fewer than are needed is there, until what is done while decrypting is done.
func (e *election) decrypt(trustees []*network.Process) {
	gone := trustees[trusteeQuorum-1 : trusteesEach]
	for _, p := range gone {
		e.check(p.End())
	}
	e.until(pb.PHASE_DECRYPTING)
	e.during("decrypting")
	for _, p := range gone {
		must(e.network.StartTrustee(p.Name))
	}
	e.until(pb.PHASE_FINAL)
	e.during("final")
}

// until waits for a phase of the election, certified.
func (e *election) until(phase pb.Phase) *client.View {
	e.Helper()
	v, err := e.officials.UntilPhase(e.ctx, electionID, phase)
	e.check(err)
	return v
}

// results holds the result against the votes.
func (e *election) results(votes [options]uint64) {
	v := e.until(pb.PHASE_FINAL)
	result, err := client.MustLoad[pb.Result](e.ctx, v, state.ResultKey(electionID, 0))
	e.check(err)
	for i, want := range votes {
		if got := result.Votes[i]; got != want {
			e.Errorf("option %d has %d votes, %d were cast for it", i, got, want)
		}
	}
}

// promises judges a choice of the promises.
func (e *election) promises(l *load) {
	for i := 0; i < len(l.promised); i += 1 + len(l.promised)/50 {
		_, found, err := e.ledger.SlipCase(e.ctx, l.promised[i], time.Now())
		e.check(err)
		if found.Verdict != slip.Kept {
			e.Errorf("the promise to voter %d: %v", l.promised[i].Slip.RollIndex, found.Verdict)
		}
	}
}

// audit exports the record and has it audited.
func (e *election) audit() {
	record := filepath.Join(e.network.Folder, "record")
	args := []string{"export", record, "--genesis-hash", e.network.HashHex()}
	for _, address := range e.network.Addresses() {
		args = append(args, "--node", address)
	}
	_, err := e.network.Run(e.ctx, args...)
	e.check(err)
	_, err = e.network.Run(e.ctx, "audit", record, "--genesis-hash", e.network.HashHex())
	e.check(err)
}

// same stops all nodes, and holds their stores against themselves and against each other.
func (e *election) same() {
	e.check(e.network.EndAll())
	first := must(node.OpenStopped(e.network.Validators[0].Home))
	defer first.Close()
	for i, v := range e.network.Validators {
		s := first
		if i > 0 {
			s = must(node.OpenStopped(v.Home))
		}
		faults, err := s.Verify(e.ctx, nil)
		e.check(err)
		if faults != nil {
			e.Errorf("%s: %v", v.Name, errors.Join(faults...))
		}
		if i == 0 {
			continue
		}
		d, height, err := node.Compare(first, s)
		if d != nil || err != nil {
			e.Errorf("%s and %s at height %d: %+v, %v", e.network.Validators[0].Name, v.Name, height, d, err)
		}
		e.check(s.Close())
	}
}
