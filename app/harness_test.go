package app_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

const (
	chain  = "test-chain"
	id     = "primary"
	start  = int64(1_700_000_000)
	step   = int64(60) // ceremony_step of the test manifests, seconds
	window = int64(10)
)

// seeded returns an Ed25519 key that depends on its name only.
func seeded(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(name string) []byte { return seeded(name).Public().(ed25519.PublicKey) }

// tester is what a ledger needs of a test, a *rapid.T too.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// ledger is a chain in memory that a test drives block by block.
type ledger struct {
	t       tester
	app     *app.App
	state   *state.Ledger
	backend *state.Memory
	genesis *pb.Genesis
	id      string       // of the election at work
	rules   *pb.Manifest // of it
	now     int64        // seconds
	signed  func(key []byte) bool
	updates []app.ValidatorUpdate
	nonce   uint64
	decided func(b app.Block, appHash state.Hash) // told of every block, where set

	unchecked bool // records were planted that break the invariants
}

func (l *ledger) genesisHash() [32]byte { return sha256.Sum256(election.Encode(l.genesis)) }

func members(role, organisation string, n int) []pb.Member {
	var list []pb.Member
	for i := range n {
		name := fmt.Sprintf("%s %s %d", organisation, role, i+1)
		list = append(list, pb.Member{Name: name, Key: public(name)})
	}
	slices.SortFunc(list, func(a, b pb.Member) int { return bytes.Compare(a.Key, b.Key) })
	return list
}

func validator(organisation string, n int) pb.Validator {
	name := fmt.Sprintf("%s validator %d", organisation, n)
	node := sha256.Sum256([]byte(name))
	return pb.Validator{
		Organisation: organisation, Name: name, Key: public(name), Power: 10,
		SlipKey: public(name + " slip"), NodeId: node[:20], Address: fmt.Sprintf("127.0.0.1:%d", 20000+n),
	}
}

func sortValidators(list []pb.Validator) []pb.Validator {
	slices.SortFunc(list, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
	return list
}

func parameters() pb.Parameters {
	return pb.Parameters{
		PowerCap: pb.Fraction{Numerator: 1, Denominator: 2}, Certify: pb.Fraction{Numerator: 2, Denominator: 3},
		Handover: 6, ResolutionHeights: 50, EvidenceHeights: 1000, EvidenceSeconds: 1000, SlipSpan: 30, SlipMargin: 5,
		Initiatives: pb.InitiativeRules{Threshold: 2, AnswerHeights: 20, PublishRate: 3, CommentRate: 3, SupportRate: 5},
		Limits: pb.Limits{
			BlockBytes: 4 << 20, BlockUnits: 140_000, BallotBytes: 16 << 10, TransactionBytes: 256 << 10,
			SpoilsPerVoter: 2, DocumentBytes: 4 << 20,
		},
		Timeouts: pb.Timeouts{Propose: 3000, ProposeDelta: 500, Vote: 1000, VoteDelta: 500, Commit: 1000},
	}
}

// newLedger founds a chain of two organisations with three officers each, of whom two suffice, one registrar and two validators.
func newLedger(t tester) *ledger {
	t.Helper()
	g := &pb.Genesis{ChainId: chain, Time: start, Parameters: parameters()}
	for _, o := range []string{"league", "party"} {
		g.Organisations = append(g.Organisations, pb.GenesisOrganisation{
			Organisation: pb.Organisation{
				Id: o, Title: o, OfficerQuorum: 2, Officers: members("officer", o, 3), Registrars: members("registrar", o, 1),
			},
			Validators: sortValidators([]pb.Validator{validator(o, 1), validator(o, 2)}),
		})
	}
	if err := organisation.CheckGenesis(g); err != nil {
		t.Fatal(err)
	}
	backend := new(state.Memory)
	s, err := state.Open(backend)
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{t: t, app: app.New(chain), state: s, backend: backend, genesis: g, id: id, rules: manifest(), now: start, signed: func([]byte) bool { return true }}
	d := s.NewGenesis()
	l.app.InitLedger(d, g, l.genesisHash())
	l.commit(d)
	return l
}

func (l *ledger) commit(d *state.Draft) {
	l.t.Helper()
	b, err := d.Finish()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.state.Commit(b); err != nil {
		l.t.Fatal(err)
	}
}

// as is the same ledger with another election at work.
func (l *ledger) as(id string, rules *pb.Manifest) *ledger {
	other := *l
	other.id, other.rules = id, rules
	return &other
}

func (l *ledger) view() *state.Snapshot { return l.state.Newest() }

// next returns a block, so many seconds after the last, as consensus would decide it.
func (l *ledger) next(seconds int64, raw ...[]byte) app.Block {
	l.t.Helper()
	verdicts := make([]tx.Verdict, len(raw))
	var parsed []*tx.Parsed
	var at []int
	for i, b := range raw {
		p, err := tx.Parse(b)
		if err != nil {
			verdicts[i] = tx.Refused(err.(*tx.Refusal))
			continue
		}
		parsed, at = append(parsed, p), append(at, i)
	}
	found, err := l.app.Verify(l.view(), parsed, rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	for i, v := range found {
		verdicts[at[i]] = v
	}
	height := l.view().Height() + 1
	b := app.Block{Height: height, Time: (l.now + seconds) * 1e9, Hash: sha256.Sum256([]byte(fmt.Sprint(height))), Txs: verdicts}
	epochs := must(state.MustLoad[pb.ValidatorEpochs](l.view(), state.KeyValidators))
	for _, v := range epochs.Present.Validators {
		b.LastCommit = append(b.LastCommit, app.CommitVote{Address: organisation.ConsensusAddress(v.Key), Signed: l.signed(v.Key)})
	}
	return b
}

// block makes one block, seconds after the last, and returns the outcome of each transaction.
func (l *ledger) block(seconds int64, raw ...[]byte) []app.Result {
	l.t.Helper()
	return l.decide(l.next(seconds, raw...))
}

// decide executes and commits a block.
func (l *ledger) decide(b app.Block) []app.Result {
	l.t.Helper()
	l.now = b.Time / 1e9
	d := l.state.NewDraft()
	outcome, err := l.app.Execute(d, b)
	if err != nil {
		l.t.Fatalf("height %d: %v", b.Height, err)
	}
	l.commit(d)
	if l.decided != nil {
		l.decided(b, l.view().AppHash())
	}
	l.updates = outcome.ValidatorUpdates
	if err := app.CheckInvariants(l.app, l.view()); err != nil && !l.unchecked {
		l.t.Fatalf("height %d: %v", b.Height, err)
	}
	return outcome.Results
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// records returns all records but what every block changes, for comparing states.
func (l *ledger) records() map[string]string {
	all := make(map[string]string)
	err := l.view().Records("", func(key string, value []byte) error {
		if key != state.LogKey(state.LogBlocks) && !strings.HasPrefix(key, "signing/") {
			all[key] = string(value)
		}
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return all
}

// accept makes a block in which every transaction must take effect.
func (l *ledger) accept(raw ...[]byte) {
	l.t.Helper()
	for i, r := range l.block(1, raw...) {
		if r.Code != tx.CodeOK {
			l.t.Fatalf("transaction %d: %v: %s", i, r.Code, r.Detail)
		}
	}
}

// refuse makes a block with one transaction that must be refused with a code and leave no write.
func (l *ledger) refuse(want tx.Code, raw []byte) {
	l.t.Helper()
	before := l.records()
	got := l.block(0, raw)[0]
	if got.Code != want {
		l.t.Fatalf("code %v (%s), want %v", got.Code, got.Detail, want)
	}
	after := l.records()
	for key := range after {
		if before[key] != after[key] {
			l.t.Fatalf("the refused transaction changed record %q", key)
		}
	}
	if len(after) != len(before) {
		l.t.Fatal("the refused transaction removed a record")
	}
}

func sign(signer string, body election.Message) []byte { return tx.Sign(chain, body, seeded(signer)) }

// enrol returns a part of a roll that the registrars of both organisations have signed.
func enrol(sender string, m *pb.AddRollEntries) []byte { return sign(sender, enrolBody(m)) }

func enrolBody(m *pb.AddRollEntries) *pb.AddRollEntries {
	m.Signatures = nil
	for _, registrar := range []string{"league registrar 1", "party registrar 1"} {
		m.Signatures = append(m.Signatures, tx.SignRoll(chain, m, seeded(registrar)))
	}
	return m
}

// counts holds the counts of the roll against what they should be.
func (l *ledger) counts(entries, revoked []uint64) {
	l.t.Helper()
	got := must(state.MustLoad[pb.RollCounts](l.view(), state.RollCountsKey(id)))
	if !slices.Equal(got.Entries, entries) || !slices.Equal(got.Revoked, revoked) {
		l.t.Fatalf("counts %v, want %v and %v", got, entries, revoked)
	}
}

// resolve proposes a resolution and has both organisations approve it.
func (l *ledger) resolve(r pb.Resolution) {
	l.t.Helper()
	l.accept(l.propose("party officer 1", &r)...)
	hash := app.ResolutionHash(chain, &r)
	for _, officer := range []string{"party officer 2", "league officer 1", "league officer 2"} {
		l.accept(sign(officer, &pb.ApproveResolution{Resolution: hash[:]}))
	}
	if got := l.resolution(hash); got.Status != pb.RESOLUTION_EFFECTIVE {
		l.t.Fatalf("resolution is %v with code %v", got.Status, tx.Code(got.Code))
	}
}

func (l *ledger) propose(officer string, r *pb.Resolution) [][]byte {
	l.nonce++
	r.Nonce = l.nonce
	return [][]byte{sign(officer, &pb.ProposeResolution{Resolution: *r})}
}

func (l *ledger) resolution(hash [32]byte) *pb.ResolutionRecord {
	return must(state.MustLoad[pb.ResolutionRecord](l.view(), state.ResolutionKey(hash[:])))
}

// manifest has two contests on two slots each, and two districts: one sees both, one the second.
func manifest() *pb.Manifest {
	return &pb.Manifest{
		Election: id, Title: "Primary",
		Contests: []pb.Contest{
			{Title: "Mazhilis", FirstSlot: 0, Options: []string{"Aigul", "Bolat", "Dana"}, MinSelections: 0, MaxSelections: 2},
			{Title: "Maslikhat", FirstSlot: 3, Options: []string{"Erlan", "Farida"}, MinSelections: 1, MaxSelections: 1},
		},
		Styles: []pb.BallotStyle{
			{District: "North", Contests: []uint32{0, 1}},
			{District: "South", Contests: []uint32{1}},
		},
		RevoteInterval: 5, ObjectionWindow: uint32(window), CeremonyStep: uint32(step), OpenMin: 2,
	}
}

func (l *ledger) publish(m *pb.Manifest) []byte {
	l.t.Helper()
	return l.publishBytes(election.Encode(m))
}

func (l *ledger) publishBytes(b []byte) []byte {
	l.t.Helper()
	hash := sha256.Sum256(b)
	for at := 0; at < len(b); at += tx.ChunkSize {
		end := min(at+tx.ChunkSize, len(b))
		l.accept(sign("party officer 1", &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(b)), Offset: uint64(at), Chunk: b[at:end]}))
	}
	return hash[:]
}

func createElectionOf(hash []byte) pb.Resolution {
	return pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: hash}}}
}

func (l *ledger) election() *pb.Election {
	return must(state.MustLoad[pb.Election](l.view(), state.ElectionKey(l.id)))
}

func (l *ledger) expectPhase(want pb.Phase) {
	l.t.Helper()
	if got := l.election().Phase; got != want {
		l.t.Fatalf("phase %v, want %v", got, want)
	}
}

// roll makes n voters, every third of the southern district, and seals the roll.
func (l *ledger) roll(n int, struck ...pb.StruckVoter) []*ballot.SecretKey {
	l.t.Helper()
	keys := make([]*ballot.SecretKey, n)
	part := &pb.AddRollEntries{Election: l.id}
	for i := range keys {
		keys[i] = must(ballot.GenerateKey(rand.Reader))
		part.Entries = append(part.Entries, pb.RollEntry{Key: keys[i].Public().Bytes(), Style: style(i)})
	}
	l.accept(enrol("party registrar 1", part))
	head := must(l.view().Head(state.LogRoll(l.id)))
	l.resolve(pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: l.id, Size_: head.Size, Root: head.Root[:], Struck: struck}}})
	return keys
}

func style(voter int) uint32 {
	if voter%3 == 2 {
		return 1
	}
	return 0
}

// trustees are the secrets of one organisation's trustees in one attempt.
type trustee struct {
	name         string
	organisation string
	index        uint32
	deal         *threshold.Polynomials
	private      map[uint32][]byte // by dealer
	share        *threshold.Share
}

func boards(n int, quorum uint32) []pb.TrusteeBoard {
	var all []pb.TrusteeBoard
	for _, o := range []string{"league", "party"} {
		b := pb.TrusteeBoard{Organisation: o, Quorum: quorum}
		for i := range n {
			name := fmt.Sprintf("%s trustee %d", o, i+1)
			b.Trustees = append(b.Trustees, pb.Member{Name: name, Key: public(name)})
		}
		all = append(all, b)
	}
	return all
}

func (l *ledger) appoint(n int, quorum uint32) []*trustee {
	l.t.Helper()
	l.resolve(pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: &pb.AppointTrustees{Election: l.id, Boards: boards(n, quorum)}}})
	var all []*trustee
	for _, b := range boards(n, quorum) {
		for i, m := range b.Trustees {
			all = append(all, &trustee{name: m.Name, organisation: b.Organisation, index: uint32(i + 1)})
		}
	}
	return all
}

func (l *ledger) ceremonyRecord(organisation string) *pb.Ceremony {
	return must(state.MustLoad[pb.Ceremony](l.view(), state.CeremonyKey(l.id, organisation)))
}

func (l *ledger) ceremony(t *trustee) threshold.Ceremony {
	c := l.ceremonyRecord(t.organisation)
	return threshold.Ceremony{Chain: chain, Election: l.id, Organisation: t.organisation, Attempt: c.Attempt, Slots: election.Slots(l.rules), Quorum: int(c.Quorum)}
}

// peers lists the other active trustees of an organisation.
func (l *ledger) peers(t *trustee) []uint32 {
	var list []uint32
	for i, s := range l.ceremonyRecord(t.organisation).Trustees {
		if index := uint32(i + 1); s.Ejected == pb.EJECTION_NONE && index != t.index {
			list = append(list, index)
		}
	}
	return list
}

func (l *ledger) announce(t *trustee) []byte {
	c := l.ceremony(t)
	t.deal = must(c.Deal(t.index, seeded(t.name), rand.Reader))
	t.private = make(map[uint32][]byte)
	hash := c.DealHash(t.index, t.deal.Commitments().Bytes())
	m := &pb.AnnounceDeal{Election: l.id, Organisation: t.organisation, Attempt: c.Attempt, DealHash: hash[:]}
	for _, dealer := range l.peers(t) {
		private, public, err := threshold.GenerateReceiverKey(rand.Reader)
		if err != nil {
			l.t.Fatal(err)
		}
		t.private[dealer] = private
		m.ReceiverKeys = append(m.ReceiverKeys, pb.ReceiverKey{Dealer: dealer, Key: public})
	}
	return sign(t.name, m)
}

func (l *ledger) dealRecord(t *trustee, index uint32) *pb.Deal {
	return must(state.MustLoad[pb.Deal](l.view(), state.DealKey(l.id, t.organisation, l.ceremonyRecord(t.organisation).Attempt, index)))
}

func (l *ledger) publishDeal(t *trustee) []byte { return sign(t.name, l.dealOf(t)) }

func (l *ledger) dealOf(t *trustee) *pb.PublishDeal {
	c := l.ceremony(t)
	commitments := t.deal.Commitments()
	possession := must(c.ProvePossession(t.index, t.deal, commitments, rand.Reader))
	m := &pb.PublishDeal{
		Election: l.id, Organisation: t.organisation, Attempt: c.Attempt,
		Commitments: commitments.Bytes(), Possession: possession[:],
	}
	for _, receiver := range l.peers(t) {
		for _, k := range l.dealRecord(t, receiver).ReceiverKeys {
			if k.Dealer == t.index {
				sealed := must(c.SealShare(t.index, receiver, commitments, k.Key, t.deal))
				m.Shares = append(m.Shares, pb.EncryptedShare{Receiver: receiver, Ciphertext: sealed})
			}
		}
	}
	return m
}

// confirm opens every share and adds them up.
func (l *ledger) confirm(t *trustee) []byte {
	c := l.ceremony(t)
	own := must(t.deal.Share(t.index))
	shares := []*threshold.Share{own}
	for _, dealer := range l.peers(t) {
		deal := l.dealRecord(t, dealer)
		commitments := must(c.ParseCommitments(deal.Commitments))
		for _, s := range deal.Shares {
			if s.Receiver == t.index {
				shares = append(shares, must(c.OpenShare(dealer, t.index, commitments, t.private[dealer], s.Ciphertext)))
			}
		}
	}
	t.share = must(threshold.SumShares(shares))
	return sign(t.name, &pb.ConfirmDeals{Election: l.id, Organisation: t.organisation, Attempt: c.Attempt})
}

func (l *ledger) each(list []*trustee, make func(*trustee) []byte) [][]byte {
	var raw [][]byte
	for _, t := range list {
		raw = append(raw, make(t))
	}
	return raw
}

// keysOf runs a whole ceremony.
func (l *ledger) keysOf(list []*trustee) {
	l.t.Helper()
	l.accept(l.each(list, l.announce)...)
	l.accept(l.each(list, l.publishDeal)...)
	l.accept(l.each(list, l.confirm)...)
	if len(l.election().KeyDigest) != 32 {
		l.t.Fatal("the ceremony gave no keys")
	}
}

func (l *ledger) trusteeKeys(t *trustee) (keys [][]byte) {
	record := must(state.MustLoad[pb.ElectionKeys](l.view(), state.KeysKey(l.id)))
	for _, o := range record.Organisations {
		for _, k := range o.Trustees {
			if o.Organisation == t.organisation && k.Index == t.index {
				for at := 0; at < len(k.Keys); at += 32 {
					keys = append(keys, k.Keys[at:at+32])
				}
			}
		}
	}
	return keys
}

func (l *ledger) trial(t *trustee) []byte {
	st := &threshold.TrialStatement{
		Chain: chain, Election: l.id, KeyDigest: [32]byte(l.election().KeyDigest), Organisation: t.organisation, Trustee: t.index,
		Keys: must(threshold.ParsePoints(slices.Concat(l.trusteeKeys(t)...), election.Slots(l.rules))),
	}
	pd := must(threshold.ProveTrial(st, t.share, rand.Reader))
	return sign(t.name, &pb.PostTrial{Election: l.id, Organisation: t.organisation, Shares: threshold.PointsBytes(pd.Shares), Proof: pd.Proof[:]})
}

func (l *ledger) partial(t *trustee, contests ...uint32) []byte {
	post := &pb.PostPartials{Election: l.id, Organisation: t.organisation}
	for _, c := range contests {
		contest := l.rules.Contests[c]
		first, n := int(contest.FirstSlot), len(contest.Options)
		sum := must(ballot.ParseTally(n, must(l.sumToOpen(c))))
		st := &threshold.TallyStatement{
			Chain: chain, Election: l.id, KeyDigest: [32]byte(l.election().KeyDigest), Contest: c,
			Organisation: t.organisation, Trustee: t.index, A0: sum.A0, A: sum.A,
			Keys: must(threshold.ParsePoints(slices.Concat(l.trusteeKeys(t)[first:first+n]...), n)),
		}
		pd := must(threshold.ProvePartial(st, must(t.share.Range(first, n)), rand.Reader))
		post.Partials = append(post.Partials, pb.PartialDecryption{Contest: c, Shares: threshold.PointsBytes(pd.Shares), Proof: pd.Proof[:]})
	}
	return sign(t.name, post)
}

// sumToOpen returns the sum of a contest, with those of the contests that are merged into it.
func (l *ledger) sumToOpen(contest uint32) ([]byte, error) {
	if merged := must(l.view().Record(state.MergedSumKey(l.id, contest))); merged != nil {
		return merged, nil
	}
	return l.view().Record(state.SumKey(l.id, contest))
}

func (l *ledger) schedule(opening, closing int64) {
	l.t.Helper()
	l.resolve(pb.Resolution{Decision: &pb.Resolution_ScheduleElection{ScheduleElection: &pb.ScheduleElection{Election: l.id, Opening: opening, Closing: closing}}})
}

// shared is what ballots are made with.
func (l *ledger) shared() *ballot.Election {
	e := l.election()
	keys := must(state.MustLoad[pb.ElectionKeys](l.view(), state.KeysKey(l.id)))
	return must(ballot.NewElection(ballot.Parameters{
		Chain: chain, Election: l.id, Manifest: [32]byte(e.Manifest), RollRoot: [32]byte(e.RollRoot), KeyDigest: [32]byte(e.KeyDigest),
		Keys: must(threshold.ParsePoints(keys.Keys, election.Slots(l.rules))), Styles: election.BallotStyles(l.rules),
	}))
}

func draft(shared *ballot.Election, voter int, key *ballot.SecretKey, sequence uint64, selections ...[]int) *ballot.Draft {
	st := ballot.Statement{Style: style(voter), RollIndex: uint64(voter), Voter: key.Public(), Sequence: sequence}
	return must(shared.Encrypt(st, selections, key, rand.Reader))
}

func cast(d *ballot.Draft, voter int, sequence uint64) []byte {
	ciphertext, proof, signature, err := d.Cast()
	if err != nil {
		panic(err)
	}
	return tx.Ballot(&pb.CastBallot{
		Election: id, Style: style(voter), RollIndex: uint64(voter), Sequence: sequence, Ciphertext: ciphertext, Proof: proof,
	}, signature)
}

// voting brings an election to the phase of voting with n voters.
func (l *ledger) voting(n int) (voters []*ballot.SecretKey, trustees []*trustee) {
	l.t.Helper()
	l.resolve(createElectionOf(l.publish(l.rules)))
	voters = l.roll(n)
	trustees = l.appoint(3, 2)
	if slices.ContainsFunc(l.rules.Contests, func(c pb.Contest) bool { return c.List != nil }) {
		l.accept(commitLot("party officer 1", "party"), commitLot("league officer 1", "league"))
	}
	l.keysOf(trustees)
	l.accept(l.each(trustees, l.trial)...)
	l.expectPhase(pb.PHASE_READY)
	l.schedule(l.now+20, l.now+1000)
	l.block(20)
	l.expectPhase(pb.PHASE_VOTING)
	return voters, trustees
}

// close moves block time to the end of the objection window.
func (l *ledger) close() {
	l.t.Helper()
	l.block(l.election().Closing - l.now)
	l.expectPhase(pb.PHASE_CLOSED)
	l.block(window)
	l.expectPhase(pb.PHASE_DECRYPTING)
}

func spoil(d *ballot.Draft, voter int, sequence uint64, key *ballot.SecretKey) []byte {
	s := d.Spoil()
	signature := must(ballot.SignSpoil(s, key, rand.Reader))
	return tx.Ballot(&pb.SpoilBallot{Election: id, RollIndex: uint64(voter), Sequence: sequence, Code: s.Code[:], NoncePoint: s.C0[:]}, signature)
}
