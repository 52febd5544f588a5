package perturb

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"votenode/app/state"
	"votenode/client"
	"votenode/crypto/ballot"
	"votenode/internal/network"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

const (
	voters = 6000

	trusteesEach  = 3 // of each organisation
	trusteeQuorum = 2

	// span is how long a perturbation may take until the network is well again, on a slow machine. Times of the election are set by it.
	span = 4 * time.Minute
	// room is how long the voting is open, at least, when something begins to be done in it, seconds.
	room = 45
)

var (
	all          = flag.Bool("all", false, "do everything in every phase, instead of a choice")
	only         = flag.String("only", "", "do this alone, in every phase")
	inContainers = flag.Bool("containers", false, "do it to the network of docker-compose.yml, which runs already")
	seed         = flag.Uint64("seed", 0, "seed of the choice; 0 takes a new one")
)

// organisations have two validators each, so that one of them can be lost: then nothing is certified, and blocks are still committed.
var organisations = []network.Organisation{
	{ID: "league", Title: "League of Supporters", Validators: 2, Officers: 1, Quorum: 1},
	{ID: "party", Title: "Party", Validators: 2, Officers: 1, Quorum: 1},
}

// election is one that is held while things are done to its network.
type election struct {
	*testing.T
	ctx    context.Context
	id     string // of the election
	random *mathrand.Rand
	controls
	network   *network.Network
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
		Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: e.id, Cause: pb.EXTENSION_OTHER, Closing: e.closing}},
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
	e := &election{T: t, ctx: t.Context(), random: mathrand.New(mathrand.NewPCG(*seed, 1)), id: fmt.Sprintf("perturbed-%d", *seed)}
	if *inContainers {
		attachContainers(e, environment(e, "VOTENODE_COMPOSE"), environment(e, "VOTENODE_PROJECT"), environment(e, "VOTENODE_BINARY"),
			strings.Split(environment(e, "VOTENODE_GATEWAYS"), ","))
	} else {
		foundProcesses(e)
	}
	e.officials = &network.Officials{Network: e.network, Ledger: e.ledger, Say: t.Logf}
	count := e.choose()
	e.during("before there is an election")

	manifest := &pb.Manifest{
		Election: e.id, Title: "Primary", Contests: []pb.Contest{{Title: "Seat", MinSelections: 1, MaxSelections: 1}},
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
	head := must(e.officials.ImportRoll(e.ctx, e.id, roll, func(int) {}))
	e.check(e.officials.SealRoll(e.ctx, e.id, head))

	trustees := e.ceremony()
	var err error
	l.shared, _, err = client.LoadBallotElection(e.ctx, must(e.ledger.Certified(e.ctx)), e.id)
	e.check(err)
	e.during("ready")
	e.vote(l)
	votes := l.check(e.until(pb.PHASE_CLOSED))
	e.during("closed")
	e.decrypt(trustees)
	e.results(votes)
	e.promises(l)
	e.audit()
	e.agree()
}

// ceremony has the trustees make keys. The last one comes when all that is done to the network in the key ceremony is done.
func (e *election) ceremony() (trustees []*network.Process) {
	names := must(e.officials.Appoint(e.ctx, e.id, trusteesEach, trusteeQuorum))
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
	e.check(e.officials.Schedule(e.ctx, e.id, opening, closing))
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
	v, err := e.officials.UntilPhase(e.ctx, e.id, phase)
	e.check(err)
	return v
}

// results holds the result against the votes.
func (e *election) results(votes [options]uint64) {
	v := e.until(pb.PHASE_FINAL)
	result, err := client.MustLoad[pb.Result](e.ctx, v, state.ResultKey(e.id, 0))
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
