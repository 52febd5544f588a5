package trustee

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

const (
	chain      = "test-chain"
	electionID = "primary"
	quorum     = 2
)

// world is a ledger in memory: the state machine without consensus. What is submitted stands in the next block.
type world struct {
	t       *testing.T
	app     *app.App
	ledger  *state.Ledger
	rules   *pb.Manifest // of the election
	hash    [32]byte
	now     int64
	pending [][]byte
	nonce   uint64
}

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func member(name string) pb.Member { return pb.Member{Name: name, Key: key(name)[ed25519.SeedSize:]} }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newWorld(t *testing.T) *world {
	g := &pb.Genesis{ChainId: chain, Time: 1_700_000_000, Parameters: pb.Parameters{
		PowerCap: pb.Fraction{Numerator: 1, Denominator: 2}, Certify: pb.Fraction{Numerator: 2, Denominator: 3},
		Handover: 6, ResolutionHeights: 50, EvidenceHeights: 1000, EvidenceSeconds: 1000, SlipSpan: 30, SlipMargin: 5,
		Initiatives: pb.InitiativeRules{Threshold: 1, AnswerHeights: 1, PublishRate: 1, CommentRate: 1, SupportRate: 1},
		Limits: pb.Limits{
			BlockBytes: 4 << 20, BlockUnits: 140_000, BallotBytes: 16 << 10, TransactionBytes: 256 << 10,
			SpoilsPerVoter: 2, DocumentBytes: 4 << 20,
		},
		Timeouts: pb.Timeouts{Propose: 3000, ProposeDelta: 500, Vote: 1000, VoteDelta: 500, Commit: 1000},
	}}
	for _, o := range []string{"league", "party"} {
		v := pb.Validator{
			Organisation: o, Name: o, Key: member(o + " validator").Key, Power: 10, SlipKey: member(o + " slip").Key,
			NodeId: member(o + " node").Key[:20], Address: "127.0.0.1:20000",
		}
		g.Organisations = append(g.Organisations, pb.GenesisOrganisation{
			Organisation: pb.Organisation{
				Id: o, Title: o, OfficerQuorum: 1, Officers: []pb.Member{member(o + " officer")}, Registrars: []pb.Member{member(o + " registrar")},
			},
			Validators: []pb.Validator{v},
		})
	}
	if err := organisation.CheckGenesis(g); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, app: app.New(chain), rules: manifest(), ledger: must(state.Open(new(state.Memory))), now: g.Time, hash: sha256.Sum256(election.Encode(g))}
	d := w.ledger.NewGenesis()
	w.app.InitLedger(d, g, w.hash)
	w.commit(d)
	return w
}

func (w *world) commit(d *state.Draft) {
	w.t.Helper()
	if err := w.ledger.Commit(must(d.Finish())); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) view() *state.Snapshot { return w.ledger.Newest() }

// block makes a block of what was submitted, seconds after the last.
func (w *world) block(seconds int64) []app.Result {
	w.t.Helper()
	w.now += seconds
	var parsed []*tx.Parsed
	for _, raw := range w.pending {
		parsed = append(parsed, must(tx.Parse(raw)))
	}
	w.pending = nil
	verdicts := must(w.app.Verify(w.view(), parsed, rand.Reader))
	d := w.ledger.NewDraft()
	b := app.Block{Height: d.Height(), Time: w.now * 1e9, Hash: sha256.Sum256([]byte(fmt.Sprint(d.Height()))), Txs: verdicts}
	epochs := must(state.MustLoad[pb.ValidatorEpochs](w.view(), state.KeyValidators))
	for _, v := range epochs.Present.Validators {
		b.LastCommit = append(b.LastCommit, app.CommitVote{Address: organisation.ConsensusAddress(v.Key), Signed: true})
	}
	outcome := must(w.app.Execute(d, b))
	w.commit(d)
	return outcome.Results
}

// accept makes a block in which everything must take effect.
func (w *world) accept(raw ...[]byte) {
	w.t.Helper()
	w.pending = append(w.pending, raw...)
	for i, r := range w.block(1) {
		if r.Code != tx.CodeOK {
			w.t.Fatalf("transaction %d: %v: %s", i, r.Code, r.Detail)
		}
	}
}

func sign(signer string, body election.Message) []byte { return tx.Sign(chain, body, key(signer)) }

func (w *world) resolve(r pb.Resolution) {
	w.t.Helper()
	w.nonce++
	r.Nonce = w.nonce
	hash := app.ResolutionHash(chain, &r)
	w.accept(sign("party officer", &pb.ProposeResolution{Resolution: r}))
	w.accept(sign("league officer", &pb.ApproveResolution{Resolution: hash[:]}))
	if got := must(state.MustLoad[pb.ResolutionRecord](w.view(), state.ResolutionKey(hash[:]))); got.Status != pb.RESOLUTION_EFFECTIVE {
		w.t.Fatalf("resolution is %v with code %v", got.Status, tx.Code(got.Code))
	}
}

func manifest() *pb.Manifest {
	return &pb.Manifest{
		Election: electionID, Title: "Primary",
		Contests: []pb.Contest{
			{Title: "Mazhilis", FirstSlot: 0, Options: []string{"Aigul", "Bolat", "Dana"}, MaxSelections: 2},
			{Title: "Maslikhat", FirstSlot: 3, Options: []string{"Erlan", "Farida"}, MinSelections: 1, MaxSelections: 1},
			{Title: "Village", FirstSlot: 3, Options: []string{"Gulnar"}, MaxSelections: 1},
		},
		Styles: []pb.BallotStyle{
			{District: "North", Contests: []uint32{0, 1}},
			{District: "South", Contests: []uint32{0, 2}},
		},
		RevoteInterval: 1, ObjectionWindow: 5, CeremonyStep: 60, OpenMin: 2,
	}
}

// appoint brings an election with a sealed roll of four voters to the key ceremony, with n trustees in each organisation.
func (w *world) appoint(n int) (voters []*ballot.SecretKey) {
	w.t.Helper()
	document := election.Encode(w.rules)
	hash := sha256.Sum256(document)
	w.accept(sign("party officer", &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(document)), Chunk: document}))
	w.resolve(pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: hash[:]}}})
	part := &pb.AddRollEntries{Election: electionID}
	for i := range 4 {
		voters = append(voters, must(ballot.GenerateKey(rand.Reader)))
		part.Entries = append(part.Entries, pb.RollEntry{Key: voters[i].Public().Bytes(), Style: style(i)})
	}
	for _, registrar := range []string{"league registrar", "party registrar"} {
		part.Signatures = append(part.Signatures, tx.SignRoll(chain, part, key(registrar)))
	}
	w.accept(sign("party registrar", part))
	head := must(w.view().Head(state.LogRoll(electionID)))
	w.resolve(pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: electionID, Size_: head.Size, Root: head.Root[:]}}})
	var boards []pb.TrusteeBoard
	for _, o := range []string{"league", "party"} {
		b := pb.TrusteeBoard{Organisation: o, Quorum: quorum}
		for i := range n {
			b.Trustees = append(b.Trustees, member(fmt.Sprintf("%s trustee %d", o, i+1)))
		}
		boards = append(boards, b)
	}
	w.resolve(pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: &pb.AppointTrustees{Election: electionID, Boards: boards}}})
	return voters
}

// style puts the last voter into the district of its own.
func style(voter int) uint32 {
	if voter == 3 {
		return 1
	}
	return 0
}

func (w *world) election() *pb.Election {
	return must(state.MustLoad[pb.Election](w.view(), state.ElectionKey(electionID)))
}

func (w *world) phase(want pb.Phase) {
	w.t.Helper()
	if got := w.election().Phase; got != want {
		w.t.Fatalf("phase %v, want %v", got, want)
	}
}

func (w *world) open() {
	w.t.Helper()
	w.phase(pb.PHASE_READY)
	w.resolve(pb.Resolution{Decision: &pb.Resolution_ScheduleElection{
		ScheduleElection: &pb.ScheduleElection{Election: electionID, Opening: w.now + 10, Closing: w.now + 100},
	}})
	w.block(10)
	w.phase(pb.PHASE_VOTING)
}

// vote casts a ballot for every voter: the first options of each contest.
func (w *world) vote(voters []*ballot.SecretKey) {
	w.t.Helper()
	shared, _, err := client.LoadBallotElection(context.Background(), reader{View: w.view()}, electionID)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, v := range voters {
		st := ballot.Statement{Style: style(i), RollIndex: uint64(i), Voter: v.Public(), Sequence: 1}
		ciphertext, proof, signature, err := must(shared.Encrypt(st, [][]int{{0, 1}, {0}}, v, rand.Reader)).Cast()
		if err != nil {
			w.t.Fatal(err)
		}
		w.accept(tx.Ballot(&pb.CastBallot{
			Election: electionID, Style: st.Style, RollIndex: st.RollIndex, Sequence: 1, Ciphertext: ciphertext, Proof: proof,
		}, signature))
	}
}

func (w *world) close() {
	w.t.Helper()
	w.block(w.election().Closing - w.now)
	w.block(5)
	w.phase(pb.PHASE_DECRYPTING)
}

// reader is a state as a client.Reader, with records put over those it has.
type reader struct {
	state.View
	over map[string][]byte
}

func (r reader) Chain() string { return chain }

func (r reader) Record(_ context.Context, key string) ([]byte, error) {
	if value, ok := r.over[key]; ok {
		return value, nil
	}
	return r.View.Record(key)
}

// frozen is the newest state with all its records in memory.
type frozen struct {
	reader
	records map[string][]byte
}

func (f frozen) Record(_ context.Context, key string) ([]byte, error) { return f.records[key], nil }

func (w *world) freeze() frozen {
	f := frozen{reader{View: w.view()}, make(map[string][]byte)}
	if err := w.view().Records("", func(key string, value []byte) error {
		f.records[key] = bytes.Clone(value)
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	return f
}

// line is a trustee's connection to the world. Each submission is checked as a node does, and first seen by tap, which may change it,
// or lose it by returning nil; an error of tap comes back to the trustee.
type line struct {
	*world
	tap  func(raw []byte) ([]byte, error)
	sent [][]byte
}

func (l *line) Chain() string           { return chain }
func (l *line) Organisations() []string { return []string{"league", "party"} }

func (l *line) After(context.Context, int64) (client.Reader, error) {
	return nil, errors.New("tests drive Step")
}

func (l *line) Submit(_ context.Context, raw []byte) error {
	var fault error
	if l.tap != nil {
		if raw, fault = l.tap(raw); raw == nil {
			return fault
		}
	}
	p, err := tx.Parse(raw)
	if err != nil {
		return err
	}
	if err := l.app.Check(l.view(), l.now*1e9, p); err != nil {
		return err
	}
	l.sent = append(l.sent, raw)
	if !slices.ContainsFunc(l.pending, func(b []byte) bool { return bytes.Equal(b, raw) }) {
		l.pending = append(l.pending, raw)
	}
	return fault
}

// seated is a trustee of a test with its folder and connection.
type seated struct {
	*Trustee
	name, folder string
	line         *line
}

func (w *world) trustee(name string) *seated {
	s := &seated{name: name, folder: w.t.TempDir(), line: &line{world: w}}
	s.start()
	w.t.Cleanup(func() { s.Store.Close() })
	return s
}

// start begins the program, with nothing but what is on disk.
func (s *seated) start() {
	s.line.t.Helper()
	store, err := OpenStore(s.folder, s.line.hash, key(s.name).Seed())
	if err != nil {
		s.line.t.Fatal(err)
	}
	s.Trustee = &Trustee{
		Ledger: s.line, Key: key(s.name), Store: store, Random: rand.Reader,
		Say: func(format string, args ...any) { s.line.t.Logf(s.name+": "+format, args...) },
	}
}

// restart ends the program as a power cut would, and begins it again.
func (s *seated) restart() {
	s.line.t.Helper()
	s.Store.Close()
	s.start()
}

func (w *world) trustees(n int) []*seated {
	var all []*seated
	for _, o := range []string{"league", "party"} {
		for i := range n {
			all = append(all, w.trustee(fmt.Sprintf("%s trustee %d", o, i+1)))
		}
	}
	return all
}

// rounds lets all trustees act and makes a block, n times. An error of a trustee restarts it.
func (w *world) rounds(n int, all []*seated) {
	w.t.Helper()
	for range n {
		for _, s := range all {
			if err := s.Step(context.Background(), reader{View: w.view()}); err != nil {
				w.t.Logf("%s: %v", s.name, err)
				s.restart()
			}
		}
		w.block(1)
	}
}

func (w *world) ceremony(organisation string) *pb.Ceremony {
	return must(state.MustLoad[pb.Ceremony](w.view(), state.CeremonyKey(electionID, organisation)))
}
