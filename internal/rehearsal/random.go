package rehearsal

import (
	cryptorand "crypto/rand"
	"math/rand/v2"
	"slices"
	"testing"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// Random says how a random ledger is made.
type Random struct {
	Seed   uint64
	Blocks int
	// Hostile blocks hold transactions for which validators refuse a whole block, as if nearly all validators were hostile.
	Hostile bool
	// Calm is the share of what is right in what people send, in percent; the rest is wrong in any way.
	Calm int
	// Watch is called with the founded ledger.
	Watch func(*Ledger)
}

// Hold makes a ledger on which people do what they please. Elections get as far as they get. The same seed makes the same decisions, but
// not the same bytes.
func (o Random) Hold(t testing.TB) *Ledger {
	t.Helper()
	c := &crowd{
		Random: o, r: rand.New(rand.NewPCG(o.Seed, 0)), elections: map[string]*Election{}, announced: map[announcement][]byte{},
		Ledger: New(t, func(g *pb.Genesis) {
			g.Parameters.ResolutionHeights = 20
			g.Parameters.PowerCap = pb.Fraction{Numerator: 3, Denominator: 5}
			g.Parameters.Limits.TransactionBytes = 163_840
			g.Parameters.Limits.DocumentBytes = 300_000
		}),
	}
	c.Drift = 1_234_567
	if o.Watch != nil {
		o.Watch(c.Ledger)
	}
	for range o.Blocks {
		c.block()
	}
	return c.Ledger
}

// crowd are the people of a random ledger.
type crowd struct {
	Random
	*Ledger
	r         *rand.Rand
	elections map[string]*Election
	open      [][32]byte // hashes of resolutions
	announced map[announcement][]byte
	sent      [][]byte // some transactions, to be sent again
}

type announcement struct {
	t       *Trustee
	attempt uint32
}

// luck is true in so many of a hundred cases.
func (c *crowd) luck(percent int) bool { return c.r.IntN(100) < percent }

func one[T any](c *crowd, list []T) T { return list[c.r.IntN(len(list))] }

// block makes a block of what people send.
func (c *crowd) block() {
	var raw [][]byte
	for _, id := range []string{"a", "b"} {
		if c.luck(70) {
			raw = append(raw, c.next(id)...)
		}
		if e := c.elections[id]; e != nil && e.Record().RollSealed && c.luck(40) {
			raw = append(raw, c.discuss(e)...)
		}
	}
	if c.luck(50) {
		raw = append(raw, c.poll()...)
	}
	for range c.r.IntN(4) {
		raw = append(raw, c.something()...)
	}
	raw = append(raw, c.approvals()...)
	for i, b := range raw {
		if !c.luck(c.Calm) {
			raw[i] = c.spoil(b)
		}
	}
	if c.luck(30) {
		raw = append(raw, c.Report(Validator(one(c, Organisations), c.r.IntN(3)+1).Name, uint64(c.r.IntN(2)+1), uint64(c.r.IntN(3))))
	}
	if len(c.sent) > 0 && c.luck(30) {
		raw = append(raw, one(c, c.sent))
	}
	if c.luck(30) {
		c.r.Shuffle(len(raw), func(i, j int) { raw[i], raw[j] = raw[j], raw[i] })
	}
	if !c.Hostile {
		raw = c.proposable(raw)
	}
	if c.luck(30) {
		raw = c.Authored(0, raw...)
	}
	if len(raw) > 0 && c.luck(50) {
		c.sent = append(c.sent, one(c, raw))
	}
	for _, o := range Organisations {
		name := Validator(o, c.r.IntN(4)+1).Name
		c.Absent[name] = c.luck(10)
	}
	if c.luck(3) && c.Height() > 2 && c.set.HasAddress(address("party validator 1")) && c.set == c.lastSet {
		c.Evidence = append(c.Evidence, c.DoubleVote("party validator 1", c.Height()-1))
	}
	seconds := one(c, []int64{0, 0, 1, 1, 1, 2, 5})
	if c.luck(5) {
		seconds = c.wait()
	}
	c.Make(seconds, raw...)
}

// wait returns the seconds until something is due.
func (c *crowd) wait() int64 {
	var due []int64
	for _, e := range c.elections {
		record := e.Record()
		due = append(due, record.Opening, record.Closing, record.Closing+int64(e.Manifest.ObjectionWindow), c.Now()+int64(e.Manifest.CeremonyStep))
	}
	due = slices.DeleteFunc(due, func(at int64) bool { return at <= c.Now() || at > c.Now()+1_000 })
	if len(due) == 0 {
		return 1
	}
	return max(one(c, due)-c.Now()-int64(c.r.IntN(2)), 0)
}

// proposable leaves out what no validator lets into a block.
func (c *crowd) proposable(raw [][]byte) [][]byte {
	limits := must(state.MustLoad[pb.Parameters](c.View(), state.KeyParameters)).Limits
	return slices.DeleteFunc(raw, func(b []byte) bool {
		p, err := tx.Parse(b)
		if err != nil || p.CheckSize(&limits) != nil {
			return true
		}
		v := must(c.App.Verify(c.View(), []*tx.Parsed{p}, cryptorand.Reader))[0]
		return v.Refusal != nil && (v.Refusal.Code < 201 || v.Refusal.Code == tx.CodeBadProof)
	})
}

// next returns what would bring an election on, or nothing.
func (c *crowd) next(id string) [][]byte {
	e := c.elections[id]
	if e == nil {
		return c.found(id)
	}
	switch e.Record().Phase {
	case pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY, pb.PHASE_READY:
		return c.prepare(e)
	case pb.PHASE_VOTING:
		if e.Manifest.OpenChoices { // odd manifests have it
			return c.choices(e, e.roll())
		}
		return c.vote(e)
	case pb.PHASE_CLOSED:
		return append(c.countPaper(e), c.lots(e, e.RevealLot)...)
	case pb.PHASE_FINAL:
		return c.lots(e, e.RevealLot)
	case pb.PHASE_DECRYPTING:
		return slices.Concat(c.decrypt(e), c.lots(e, e.RevealLot), c.lots(e, e.CommitLot), c.lots(e, func(o string) []byte { return c.renewLot(e, o) }))
	}
	return nil
}

// found publishes the manifest of an election and proposes the election.
func (c *crowd) found(id string) [][]byte {
	m := Manifest(id)
	m.Contests[0].Candidates = []pb.Candidate{{Young: true}, {Woman: true}, {}}
	if id == "a" {
		Listed(m)
	}
	if c.luck(50) {
		OnPaper(m)
	}
	m.RevoteInterval, m.CeremonyStep, m.ObjectionWindow = uint32(c.r.IntN(3)+1), 20, uint32(c.r.IntN(10))
	b := election.Encode(m)
	hash := election.ManifestHash(m)
	if record := must(state.Load[pb.Election](c.View(), state.ElectionKey(id))); record != nil {
		e := &Election{Ledger: c.Ledger, ID: id, Manifest: m}
		if document := c.document(record.Manifest); document != nil {
			e.Manifest = document
		}
		c.elections[id] = e
		return nil
	}
	publish := Sign(c.officer(), &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(b)), Chunk: b})
	return [][]byte{publish, c.propose(&pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: hash[:]}}})}
}

// document returns a manifest of the ledger, nil where it is more than one chunk or none.
func (c *crowd) document(hash []byte) *pb.Manifest {
	record := must(state.Load[pb.Document](c.View(), state.DocumentKey(hash)))
	if record == nil || record.Size_ > tx.ChunkSize {
		return nil
	}
	m, err := election.ParseManifest(must(c.View().Record(state.ChunkKey(hash, record.Publisher, 0))))
	if err != nil {
		return nil
	}
	return m
}

// officer returns an officer who may have lost the office.
func (c *crowd) officer() string {
	return one(c, Organisations) + one(c, []string{" officer 1", " officer 2", " officer 2", " officer 3", " officer 4"})
}

// propose proposes a resolution and remembers it.
func (c *crowd) propose(r *pb.Resolution) []byte {
	raw, hash := c.Propose(c.officer(), r)
	c.open = append(c.open, hash)
	if c.luck(95) {
		return raw
	}
	c.nonce-- // a second resolution that is the same
	return raw
}

// approvals lets officers approve what is open, or think again.
func (c *crowd) approvals() [][]byte {
	var raw [][]byte
	c.open = slices.DeleteFunc(c.open, func(hash [32]byte) bool {
		record := must(state.Load[pb.ResolutionRecord](c.View(), state.ResolutionKey(hash[:])))
		if record == nil {
			return c.luck(50) // it was refused, or stands in the block that is made now
		}
		return record.Status != pb.RESOLUTION_OPEN || record.Expires+2 < c.Height()
	})
	for _, hash := range c.open {
		for range c.r.IntN(4) {
			raw = append(raw, Approve(c.officer(), hash))
		}
		if c.luck(5) {
			raw = append(raw, Sign(c.officer(), &pb.WithdrawApproval{Resolution: hash[:]}))
		}
	}
	return raw
}

// prepare does what is missing before an election is ready.
func (c *crowd) prepare(e *Election) [][]byte {
	record := e.Record()
	var raw [][]byte
	switch {
	case !record.RollSealed && len(e.roll()) < 9:
		raw = append(raw, c.enrol(e))
	case !record.RollSealed:
		raw = append(raw, c.propose(c.seal(e)))
	}
	switch {
	case record.Phase == pb.PHASE_SETUP:
		raw = append(raw, c.propose(c.appoint(e)))
	case record.Phase == pb.PHASE_KEY_CEREMONY:
		raw = append(raw, c.ceremony(e)...)
	}
	if record.Opening == 0 || c.luck(5) {
		raw = append(raw, c.propose(c.schedule(e)))
	}
	return append(raw, c.lots(e, e.CommitLot)...)
}

// lots lets an organisation now and then do its part for the lot of an election, also where there is none.
func (c *crowd) lots(e *Election, act func(organisation string) []byte) [][]byte {
	if !c.luck(20) {
		return nil
	}
	return [][]byte{act(one(c, Organisations))}
}

// renewLot proposes to end the present round of the lot without those who have not revealed, now and then without somebody else.
func (c *crowd) renewLot(e *Election, organisation string) []byte {
	missing := []string{organisation}
	if lot := e.Lot(); lot != nil && !c.luck(5) {
		missing = election.LotMissing(lot)
	}
	return c.propose(e.RenewLot(e.lotRound(), missing...))
}

// roll returns the entries of the roll.
func (e *Election) roll() []pb.RollEntry {
	var list []pb.RollEntry
	head := must(e.View().Head(state.LogRoll(e.ID)))
	for i := range head.Size {
		var entry pb.RollEntry
		e.must(election.Decode(must(e.View().Leaf(state.LogRoll(e.ID), i)), &entry))
		list = append(list, entry)
	}
	return list
}

// enrol adds some voters, now and then again or in a wrong place.
func (c *crowd) enrol(e *Election) []byte {
	roll := e.roll()
	m := &pb.AddRollEntries{Election: e.ID, First: uint64(len(roll))}
	if len(roll) > 0 && c.luck(10) {
		m.First = uint64(c.r.IntN(len(roll)))
		m.Entries = roll[m.First:][:1+c.r.IntN(len(roll)-int(m.First))]
		return Enrol("party registrar 1", m)
	}
	for range c.r.IntN(4) + 1 {
		key := must(ballot.GenerateKey(cryptorand.Reader))
		e.Voters = append(e.Voters, key)
		m.Entries = append(m.Entries, pb.RollEntry{Key: key.Public().Bytes(), Style: uint32(c.r.IntN(2))})
	}
	return Enrol(one(c, []string{"party registrar 1", "league registrar 1"}), m)
}

// voter returns the secret key of an entry of the roll.
func (e *Election) voter(entry *pb.RollEntry) *ballot.SecretKey {
	for _, v := range e.Voters {
		if string(v.Public().Bytes()) == string(entry.Key) {
			return v
		}
	}
	return nil
}

// ceremony lets some trustees do their next step.
func (c *crowd) ceremony(e *Election) [][]byte {
	e.know()
	if e.Record().TrialPassed {
		return nil
	}
	lazy := c.luck(5)
	var raw [][]byte
	for _, o := range Organisations {
		record := e.ceremony(o)
		if record.Step == pb.CEREMONY_WAITING {
			raw = append(raw, c.propose(&pb.Resolution{Decision: &pb.Resolution_ReplaceTrustees{ReplaceTrustees: &pb.ReplaceTrustees{
				Election: e.ID, Organisation: o, Trustees: trusteeNames(o, len(record.Trustees)+1, c.r.IntN(3)+1),
			}}}))
			continue
		}
		for _, t := range e.Of(o) {
			if !lazy && c.luck(80) {
				raw = append(raw, c.step(t, record)...)
			}
		}
	}
	if trial := must(state.Load[pb.Trial](c.View(), state.TrialKey(e.ID))); trial != nil && len(trial.Missing) > 0 {
		o, excuse := trial.Missing[0].Organisation, &pb.ExcuseTrial{Election: e.ID}
		excuse.Organisation = o
		for _, ref := range trial.Missing {
			if ref.Organisation == o {
				excuse.Trustees = append(excuse.Trustees, ref.Index)
			}
		}
		raw = append(raw, c.propose(&pb.Resolution{Decision: &pb.Resolution_ExcuseTrial{ExcuseTrial: excuse}}))
	}
	return raw
}

// know learns who the trustees are.
func (e *Election) know() {
	for _, o := range Organisations {
		for i, t := range e.ceremony(o).Trustees {
			if !slices.ContainsFunc(e.Trustees, func(k *Trustee) bool { return k.Organisation == o && int(k.Index) == i+1 }) {
				e.addTrustees(o, i+1, []pb.Member{t.Trustee})
			}
		}
	}
}

// step does a trustee's part of the present step.
func (c *crowd) step(t *Trustee, record *pb.Ceremony) [][]byte {
	key := announcement{t, record.Attempt}
	switch {
	case record.Step == pb.CEREMONY_ANNOUNCE:
		if c.announced[key] == nil {
			c.announced[key] = t.Announce()
		}
		return [][]byte{c.announced[key]}
	case record.Step == pb.CEREMONY_DEAL && t.deal != nil:
		deal := t.Deal()
		if c.luck(2) {
			deal.Shares[0].Ciphertext[40] ^= 1
		}
		return [][]byte{Sign(t.Name, deal)}
	case record.Step == pb.CEREMONY_CONFIRM && t.deal != nil:
		if dealer, bad := t.badShare(); bad {
			return [][]byte{t.Complain(dealer)}
		}
		if c.luck(2) {
			return [][]byte{t.Complain(one(c, t.peers()))}
		}
		return [][]byte{t.Confirm()}
	case record.Step == pb.CEREMONY_DONE && len(t.election.Record().KeyDigest) > 0 && t.share != nil && c.luck(90):
		return [][]byte{t.Trial()}
	}
	return nil
}

// badShare returns a dealer whose share does not open or match.
func (t *Trustee) badShare() (dealer uint32, bad bool) {
	c := t.context()
	for _, dealer := range t.peers() {
		d := t.dealOf(dealer)
		commitments := must(c.ParseCommitments(d.Commitments))
		for _, s := range d.Shares {
			if s.Receiver != t.Index {
				continue
			}
			if _, err := c.OpenShare(dealer, t.Index, commitments, t.private[dealer], s.Ciphertext); err != nil {
				return dealer, true
			}
		}
	}
	return 0, false
}

// parameters returns other parameters.
func (c *crowd) parameters() *pb.Parameters {
	p := *genesis.DefaultParameters(2)
	now := must(state.MustLoad[pb.Parameters](c.View(), state.KeyParameters))
	p.Handover, p.ResolutionHeights, p.PowerCap = now.Handover, 20, pb.Fraction{Numerator: 3, Denominator: 5}
	p.Limits.SpoilsPerVoter, p.Limits.DocumentBytes = uint32(c.r.IntN(3)+1), 300_000
	p.Initiatives = rules
	p.Initiatives.Threshold, p.Initiatives.SupportRate = uint64(c.r.IntN(3)+1), uint32(c.r.IntN(5)+1)
	if c.luck(50) {
		p.ResolutionRules = []pb.ResolutionRule{{Kind: uint32(one(c, []int{3, 4, 6, 9, 10, 13})), Organisations: 1}}
	}
	return &p
}
