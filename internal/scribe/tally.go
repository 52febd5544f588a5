package scribe

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	program "votenode/client/trustee"
	"votenode/crypto/ballot"
	"votenode/crypto/group"
	"votenode/crypto/threshold"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// The bounds of a TallyPlan. A contest has twice as many positions as options where every option may be selected.
const (
	MaxTallyContests = 20_000
	MaxTallyOptions  = ballot.MaxPositions / 2
	MaxTallyBallots  = state.MaxVoters
)

// TallyPlan says which sums are opened: Ballots in each of so many contests with Options options each.
type TallyPlan struct {
	Contests, Options int
	Ballots           uint64
	// Folder is where the trustees' programs keep their files; it must be there.
	Folder string
	// RoundTrip is how long a trustee's program waits for each record that it reads.
	RoundTrip time.Duration
	// Progress is told how many contests are decided; it may be nil.
	Progress func(done, all int64)
}

// Tally is what a tally took.
type Tally struct {
	// Opening is the block in which voting begins, Voting the dearest of some blocks without transactions while it goes on.
	Opening, Voting Cost
	// Trustees are what each trustee's program did, in the order in which they began.
	Trustees []TrusteeWork
	// Blocks are those from the closing to the last result, Completed the place among them of the one after which every contest had the
	// parts that it needs.
	Blocks    []TallyBlock
	Completed int
	// Limits are those of the ledger, with which its blocks are filled, Timeouts its pace.
	Limits   pb.Limits
	Timeouts pb.Timeouts
}

// TrusteeWork is what a trustee's program did from the beginning of decryption on.
type TrusteeWork struct {
	Organisation string
	// Time is that of the program without its node, which checked what was sent for as long as Admission.
	Time, Admission time.Duration
	// Reads are records that were asked for, each with a proof on a real ledger.
	Reads               int64
	Transactions, Bytes int
}

// TallyBlock is a block with what it took.
type TallyBlock struct {
	Cost
	// Choose is what its proposer spent on choosing its transactions.
	Choose time.Duration
	// Phase is that of the election after it.
	Phase               pb.Phase
	Transactions, Bytes int
	Units               uint64
	// Parts are the partial decryptions that it brought, Decided how many contests have their result after it.
	Parts, Decided int
}

// tally is an election whose sums are planted, with the programs of its trustees.
type tally struct {
	*poll
	plan  TallyPlan
	seats []*seat
	queue []*tx.Parsed // the pool of all nodes, in order of arrival
	votes []uint64     // by option, in every contest
	found *Tally
}

// HoldTally closes an election and has its trustees open it. Nobody voted: the sums of so many ballots are encrypted directly under the
// election's keys, and planted into the state while voting goes on. All that follows is what a ledger does.
func HoldTally(ctx context.Context, plan TallyPlan) (*Tally, error) {
	if plan.Contests < 1 || plan.Contests > MaxTallyContests || plan.Options < 1 || plan.Options > MaxTallyOptions ||
		plan.Ballots < 1 || plan.Ballots > MaxTallyBallots {
		return nil, fmt.Errorf("scribe: %d contests, %d options and %d ballots are out of range", plan.Contests, plan.Options, plan.Ballots)
	}
	l, err := found("")
	if err != nil {
		return nil, fmt.Errorf("scribe: %w", err)
	}
	l.known = app.New(chain)
	t := &tally{poll: &poll{ledger: l, manifest: districts(plan.Contests, plan.Options)}, plan: plan}
	t.found = &Tally{Limits: l.doc.Parameters.Limits, Timeouts: l.doc.Parameters.Timeouts}
	defer t.dismiss()
	for _, step := range []func() error{
		func() error { return t.make(0) },
		t.create,
		func() error { return t.enrol(1) },
		t.appoint,
		t.seat,
		func() error { return t.keys(ctx) },
		t.voting,
		t.closing,
		func() error { return t.decrypting(ctx) },
		t.compare,
	} {
		if err := errors.Join(ctx.Err(), step()); err != nil {
			return nil, fmt.Errorf("scribe: %w", err)
		}
	}
	return t.found, nil
}

// districts are the rules of contests with a district each, all on the same slots. Every option may be selected.
func districts(contests, options int) *pb.Manifest {
	m := rules(options)
	contest := m.Contests[0]
	contest.MaxSelections = uint32(options)
	m.Contests, m.Styles = nil, nil
	for c := range contests {
		contest.Title = fmt.Sprintf("Contest %d", c+1)
		m.Contests = append(m.Contests, contest)
		m.Styles = append(m.Styles, pb.BallotStyle{District: fmt.Sprintf("District %d", c+1), Contests: []uint32{uint32(c)}})
	}
	return m
}

// seat is a trustee's program with its node, which takes in what it sends. It implements its Ledger.
type seat struct {
	*program.Trustee
	tally *tally
	work  TrusteeWork
	reads atomic.Int64
}

// seat starts the programs of all trustees.
func (t *tally) seat() error {
	for _, appointed := range t.trustees {
		secret := key(appointed.name)
		store, err := program.OpenStore(filepath.Join(t.plan.Folder, appointed.name), genesis.Hash(t.doc), secret.Seed())
		if err != nil {
			return err
		}
		s := &seat{tally: t, work: TrusteeWork{Organisation: appointed.organisation}}
		s.Trustee = &program.Trustee{Ledger: s, Key: secret, Store: store, Random: rand.Reader, Say: func(string, ...any) {}}
		t.seats = append(t.seats, s)
	}
	return nil
}

// dismiss ends the programs of all trustees.
func (t *tally) dismiss() {
	for _, s := range t.seats {
		s.Store.Close()
	}
}

// Chain implements its Ledger.
func (s *seat) Chain() string { return chain }

// Organisations implements its Ledger.
func (s *seat) Organisations() []string { return organisations }

// After implements its Ledger. It is not asked: every state is handed to the program.
func (s *seat) After(context.Context, int64) (client.Reader, error) {
	return nil, errors.New("a tally hands out its states")
}

// Submit implements its Ledger: it checks a transaction as a node does that takes it in.
func (s *seat) Submit(_ context.Context, raw []byte) error {
	p, err := tx.Parse(raw)
	if err != nil {
		return err
	}
	s.work.Transactions, s.work.Bytes = s.work.Transactions+1, s.work.Bytes+len(raw)
	t := s.tally
	if slices.ContainsFunc(t.queue, func(q *tx.Parsed) bool { return bytes.Equal(q.Raw(), raw) }) {
		return nil
	}
	start := time.Now()
	err = t.known.Check(t.view(), t.now.UnixNano(), p)
	s.work.Admission += time.Since(start)
	if err == nil {
		t.queue = append(t.queue, p)
	}
	return err
}

// step shows the newest state to a trustee's program.
func (s *seat) step(ctx context.Context) error {
	start, admission := time.Now(), s.work.Admission
	err := s.Step(ctx, &shown{Snapshot: s.tally.view(), seat: s})
	s.work.Time += time.Since(start) - (s.work.Admission - admission)
	s.work.Reads = s.reads.Load()
	return err
}

// shown is a state as a trustee's program reads it.
type shown struct {
	*state.Snapshot
	*seat
}

// Record implements client.Reader.
func (r *shown) Record(ctx context.Context, key string) ([]byte, error) {
	r.reads.Add(1)
	if wait := r.tally.plan.RoundTrip; wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return r.Snapshot.Record(key)
}

// keys has the programs hold the key ceremony, and forgets what it took.
func (t *tally) keys(ctx context.Context) error {
	wait := t.plan.RoundTrip
	t.plan.RoundTrip = 0
	for range 4 { // announce, deal, confirm, trial
		for _, s := range t.seats {
			if err := s.step(ctx); err != nil {
				return err
			}
		}
		if _, err := t.full(); err != nil {
			return err
		}
	}
	t.plan.RoundTrip = wait
	for _, s := range t.seats {
		s.reads.Store(0)
		s.work = TrusteeWork{Organisation: s.work.Organisation}
	}
	return t.reach(pb.PHASE_READY)
}

// full makes a block a second after the last with as much of the queue as it has room for, chosen as a proposer does.
func (t *tally) full() (*TallyBlock, error) {
	limits, b := &t.doc.Parameters.Limits, new(TallyBlock)
	room, units := int(limits.BlockBytes)-rest, limits.BlockUnits-author
	var raw [][]byte
	var left []*tx.Parsed
	start := time.Now()
	for _, p := range t.queue {
		size := len(p.Raw()) + frame
		if size > room || p.Units() > units {
			left = append(left, p)
			continue
		}
		err := t.known.Check(t.view(), t.now.UnixNano(), p)
		if refusal := (*tx.Refusal)(nil); errors.As(err, &refusal) {
			continue // another trustee's part came first
		}
		if err != nil {
			return nil, err
		}
		room, units, raw = room-size, units-p.Units(), append(raw, p.Raw())
		b.Bytes, b.Units = b.Bytes+len(p.Raw()), b.Units+p.Units()
		if m, ok := p.Body().(*pb.PostPartials); ok {
			b.Parts += len(m.Partials)
		}
	}
	t.queue, b.Transactions, b.Choose = left, len(raw), time.Since(start)
	if err := t.make(1, raw...); err != nil {
		return nil, err
	}
	return b, t.note(b)
}

// note writes down what the last block took and what it came to.
func (t *tally) note(b *TallyBlock) error {
	e, err := t.record()
	if err != nil {
		return err
	}
	b.Cost, b.Phase = t.cost, e.Phase
	switch e.Phase {
	case pb.PHASE_DECRYPTING:
		b.Decided = t.plan.Contests - int(e.ContestsOpen)
	case pb.PHASE_FINAL:
		b.Decided = t.plan.Contests
	}
	if e.Phase >= pb.PHASE_CLOSED {
		t.found.Blocks = append(t.found.Blocks, *b)
	}
	if t.plan.Progress != nil {
		t.plan.Progress(int64(b.Decided), int64(t.plan.Contests))
	}
	return nil
}

// voting opens the election, plants the sums, and makes some blocks without transactions.
func (t *tally) voting() error {
	const idle = 5
	if err := t.begin(3_600); err != nil {
		return err
	}
	t.found.Opening = t.cost
	sums, err := t.sums()
	if err != nil {
		return err
	}
	t.planted = func(w state.Writer) {
		for contest, sum := range sums {
			w.SetRecord(state.SumKey(Election, uint32(contest)), sum)
		}
	}
	for i := range 1 + idle {
		if err := t.make(1); err != nil {
			return err
		}
		if i > 0 && t.cost.Execute+t.cost.Hash > t.found.Voting.Execute+t.found.Voting.Hash {
			t.found.Voting = t.cost
		}
	}
	return nil
}

// sums encrypts the votes for each contest with randomness of its own:
//
//	A_0 = r G    A_j = r P_j + t_j G
func (t *tally) sums() ([][]byte, error) {
	keys, err := state.MustLoad[pb.ElectionKeys](t.view(), state.KeysKey(Election))
	if err != nil {
		return nil, err
	}
	points, err := threshold.ParsePoints(keys.Keys, t.plan.Options)
	if err != nil {
		return nil, err
	}
	for j := range t.plan.Options {
		t.votes = append(t.votes, t.plan.Ballots-min(t.plan.Ballots, uint64(j))) // near the bound: the longest search
	}
	times := func(p *curve.RistrettoPoint, x *scalar.Scalar) *curve.RistrettoPoint {
		return curve.NewRistrettoPoint().Mul(p, x)
	}
	g := curve.RISTRETTO_BASEPOINT_POINT
	all := make([][]byte, t.plan.Contests)
	for c := range all {
		var wide [64]byte
		if _, err := rand.Read(wide[:]); err != nil {
			return nil, err
		}
		r, sum := group.ReduceScalar(wide), ballot.NewEncryptedTally(t.plan.Options)
		sum.Count, sum.A0 = t.plan.Ballots, times(g, r)
		for j, votes := range t.votes {
			sum.A[j].Add(times(points[j], r), times(g, scalar.NewFromUint64(votes)))
		}
		all[c] = sum.Bytes()
	}
	return all, nil
}

// closing closes the election and lets the objection window pass.
func (t *tally) closing() error {
	e, err := t.record()
	if err != nil {
		return err
	}
	for _, seconds := range []int64{e.Closing - t.now.Unix(), int64(t.manifest.ObjectionWindow)} {
		if err := t.make(seconds); err != nil {
			return err
		}
		if err := t.note(new(TallyBlock)); err != nil {
			return err
		}
	}
	return t.reach(pb.PHASE_DECRYPTING)
}

// decrypting has all trustees open the sums at the same time, each with every state, until all results stand.
func (t *tally) decrypting(ctx context.Context) error {
	for decided := 0; decided < t.plan.Contests; {
		for _, s := range t.seats {
			if err := s.step(ctx); err != nil {
				return err
			}
		}
		b, err := t.full()
		if err != nil {
			return err
		}
		if b.Parts == 0 && b.Decided == decided {
			return fmt.Errorf("height %d: it does not go on at %d contests", t.height, decided)
		}
		if decided = b.Decided; t.found.Completed == 0 && t.complete() {
			t.found.Completed = len(t.found.Blocks) - 1
		}
	}
	for _, s := range t.seats {
		t.found.Trustees = append(t.found.Trustees, s.work)
	}
	return t.reach(pb.PHASE_FINAL)
}

// complete says whether a quorum of each organisation has posted its part of every contest.
func (t *tally) complete() bool {
	parts := map[string]int{}
	for _, key := range t.view().Keys(state.ElectionKey(Election)+"/partial/", "", 1<<30) {
		parts[key[:strings.LastIndexByte(key, '/')]]++
	}
	for _, posted := range parts {
		if posted < boardQuorum {
			return false
		}
	}
	return len(parts) == t.plan.Contests*len(organisations)
}

// compare holds the results against the votes.
func (t *tally) compare() error {
	for c := range t.plan.Contests {
		r, err := state.MustLoad[pb.Result](t.view(), state.ResultKey(Election, uint32(c)))
		if err != nil {
			return err
		}
		if r.Status != pb.RESULT_OPENED || r.Ballots != t.plan.Ballots || !slices.Equal(r.Votes, t.votes) {
			return fmt.Errorf("the result of contest %d is %v", c, r)
		}
	}
	return nil
}
