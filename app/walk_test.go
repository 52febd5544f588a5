package app_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// TestRandomWalk lets everybody do at random what is right and what is wrong, from a random point of an election on, at random block times.
// After each block the invariants hold; a block without what was refused gives the same state; at the end all blocks, executed
// again from their bytes, give the same app hashes.
func TestRandomWalk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWalk(rt)
		for range rapid.IntRange(4, 14).Draw(rt, "blocks") {
			w.step()
		}
		w.recorded.replay(t, 0)
	})
}

// walk is a ledger on which everybody does what comes to mind.
type walk struct {
	*ledger
	rt       *rapid.T
	recorded *recorded
	voters   map[string]*ballot.SecretKey // by public key
	people   map[string]*trustee          // by name
	acted    map[string][]byte            // announcements by trustee and attempt, for their secrets are drawn once
	open     []pb.Resolution
	sent     [][]byte
}

func newWalk(rt *rapid.T) *walk {
	w := &walk{ledger: newLedger(rt), rt: rt, voters: map[string]*ballot.SecretKey{}, people: map[string]*trustee{}, acted: map[string][]byte{}}
	w.recorded = &recorded{genesis: w.ledger}
	w.decided = func(b app.Block, hash state.Hash) {
		w.recorded.blocks, w.recorded.hashes = append(w.recorded.blocks, b), append(w.recorded.hashes, hash)
	}
	stages := []func(){
		func() { w.resolve(createElectionOf(w.publish(w.rules))) },
		func() {
			for _, key := range w.roll(6) {
				w.voters[string(key.Public().Bytes())] = key
			}
		},
		func() { w.appoint(4, 2) },
		func() { w.keysOf(w.trustees()) },
		func() { w.accept(w.each(w.trustees(), w.trial)...) },
		func() { w.schedule(w.now+20, w.now+200) },
		func() { w.block(20) },
		func() {
			shared := w.shared()
			for i := range 5 {
				w.accept(cast(draft(shared, i, w.voter(i), 3, [][]int{{0}, {i % 2}}[style(i):]...), i, 3))
			}
		},
		func() { w.close() },
	}
	for _, stage := range stages[:w.below(len(stages)+1)] {
		stage()
	}
	return w
}

// chance is true in so many of a hundred cases.
func (w *walk) chance(percent int) bool { return w.below(100) < percent }

// below draws a number below n, each as often: rapid's ranges prefer their ends.
func (w *walk) below(n int) int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return rapid.SampledFrom(all).Draw(w.rt, "choice")
}

func oneOf[T any](w *walk, list ...T) T { return list[w.below(len(list))] }

func (w *walk) officer() string {
	return oneOf(w, "party", "league") + oneOf(w, " officer 1", " officer 1", " officer 2", " officer 2", " officer 3", " officer 3", " officer 4", " registrar 1")
}

// voter returns the secret key of an entry of the roll.
func (w *walk) voter(index int) *ballot.SecretKey {
	var entry pb.RollEntry
	if err := election.Decode(must(w.view().Leaf(state.LogRoll(id), uint64(index))), &entry); err != nil {
		w.rt.Fatal(err)
	}
	return w.voters[string(entry.Key)]
}

// record returns the election, an empty one where there is none.
func (w *walk) record() *pb.Election {
	if e := must(state.LoadElection(w.view(), id)); e != nil {
		return e
	}
	return new(pb.Election)
}

// step makes a block, after holding it against the same block without what was refused.
func (w *walk) step() {
	w.open = slices.DeleteFunc(w.open, func(r pb.Resolution) bool {
		hash := resolutionHash(&r)
		record := must(state.Load[pb.ResolutionRecord](w.view(), state.ResolutionKey(hash[:])))
		return record == nil || record.Status != pb.RESOLUTION_OPEN && w.chance(80)
	})
	var raw [][]byte
	for range w.below(5) {
		raw = append(raw, w.something()...)
	}
	raw = append(raw, w.approvals()...)
	if w.chance(20) && len(w.sent) > 0 {
		raw = append(raw, w.sent[w.below(len(w.sent))])
	}
	if w.chance(20) && len(raw) > 0 {
		raw = append(raw, w.damaged(raw[w.below(len(raw))]))
	}
	for i := range raw {
		j := i + w.below(len(raw)-i)
		raw[i], raw[j] = raw[j], raw[i]
	}
	w.sent = append(w.sent, raw...)
	sleepy := w.chance(20)
	w.signed = func(key []byte) bool { return !sleepy || key[0]%2 == 0 }
	b := w.next(w.seconds(), raw...)

	results, hash := w.trial1(b)
	kept := b
	kept.Txs = nil
	for i, r := range results {
		if r.Code == tx.CodeOK {
			kept.Txs = append(kept.Txs, b.Txs[i])
		}
	}
	if _, without := w.trial1(kept); without != hash {
		w.rt.Fatalf("height %d: a refused transaction has left something: %v", b.Height, results)
	}
	w.decide(b)
}

// trial1 executes a block with cold caches and throws the state away.
func (w *walk) trial1(b app.Block) ([]app.Result, state.Hash) {
	d := w.state.NewDraft()
	outcome, err := app.New(chain).Execute(d, b)
	if err != nil {
		w.rt.Fatalf("height %d: %v", b.Height, err)
	}
	return outcome.Results, must(d.Finish()).AppHash()
}

// seconds is when the next block comes: at once, soon, or at, before or far behind the next moment that matters.
func (w *walk) seconds() int64 {
	e := w.record()
	due := []int64{0, 1, 1, 2, 5, step, 100_000}
	for _, at := range []int64{e.Opening, e.Closing, e.Closing + window} {
		due = append(due, at-w.now-1, at-w.now)
	}
	return max(0, oneOf(w, due...))
}

// damaged changes one byte of a transaction, anywhere.
func (w *walk) damaged(raw []byte) []byte {
	raw = slices.Clone(raw)
	raw[w.below(len(raw))] ^= byte(1 << w.below(8))
	return raw
}

// approvals lets officers approve what is open, or think again.
func (w *walk) approvals() [][]byte {
	var raw [][]byte
	for i := range w.open {
		for range w.below(3) {
			raw = append(raw, approve(w.officer(), &w.open[i]))
		}
		if w.chance(10) {
			raw = append(raw, withdraw(w.officer(), &w.open[i]))
		}
		if w.chance(40) { // all who are needed
			raw = append(raw, approve("party officer 1", &w.open[i]), approve("party officer 2", &w.open[i]),
				approve("league officer 1", &w.open[i]), approve("league officer 2", &w.open[i]))
		}
	}
	return raw
}

// something is what somebody sends.
func (w *walk) something() [][]byte {
	e := w.record()
	kinds := []func(e *pb.Election) [][]byte{w.resolution1, w.document, w.enrol}
	if e.RollSealed {
		kinds = append(kinds, w.discuss)
	}
	switch e.Phase {
	case pb.PHASE_KEY_CEREMONY:
		kinds = append(kinds, w.deals, w.deals, w.trials)
	case pb.PHASE_VOTING:
		kinds = append(kinds, w.vote, w.vote, w.vote)
	case pb.PHASE_DECRYPTING:
		kinds = append(kinds, w.partials, w.partials)
	}
	return oneOf(w, kinds...)(e)
}

func (w *walk) document(*pb.Election) [][]byte {
	m := manifest()
	m.Election = oneOf(w, id, "second", "")
	m.OpenMin = uint32(w.below(3))
	b := election.Encode(m)
	hash := election.ManifestHash(m)
	if w.chance(20) {
		b = b[1:]
	}
	return [][]byte{sign(w.officer(), &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(b)), Chunk: b})}
}

func (w *walk) enrol(*pb.Election) [][]byte {
	head := must(w.view().Head(state.LogRoll(id)))
	m := &pb.AddRollEntries{Election: id, First: head.Size + uint64(oneOf(w, 0, 0, 0, 1))}
	for i := range w.below(3) + 1 {
		key := public(fmt.Sprint("no point ", i))
		switch fresh := must(ballot.GenerateKey(rand.Reader)); {
		case w.chance(80):
			key = fresh.Public().Bytes()
			w.voters[string(key)] = fresh
		case head.Size > 0 && w.chance(50):
			key = w.voter(w.below(int(head.Size))).Public().Bytes()
		}
		m.Entries = append(m.Entries, pb.RollEntry{Key: key, Style: style(int(m.First) + i)})
		if w.chance(10) {
			m.Entries[i].Style = uint32(w.below(3))
		}
	}
	return [][]byte{enrol(oneOf(w, "party registrar 1", "league registrar 1", "nobody"), m)}
}

// discuss lets members publish, support and comment, under the next number or one that was used.
func (w *walk) discuss(e *pb.Election) [][]byte {
	var raw [][]byte
	for range w.below(4) + 1 {
		index := w.below(int(e.RollSize))
		key, number := w.voter(index), uint64(w.below(3))
		if key == nil {
			continue
		}
		if w.view().Voters(state.MembersTree(id)) > 0 {
			number += must(state.LoadMember(w.view(), id, uint64(index))).Number
		}
		initiative := uint64(w.below(4))
		body := oneOf[memberBody](w,
			&pb.PublishInitiative{Election: id, RollIndex: uint64(index), Number: number, Title: "a", Text: "b"},
			&pb.SupportInitiative{Election: id, RollIndex: uint64(index), Number: number, Initiative: initiative},
			&pb.SupportInitiative{Election: id, RollIndex: uint64(index), Number: number, Initiative: initiative, Withdraw: w.chance(50)},
			&pb.PostComment{Election: id, RollIndex: uint64(index), Number: number, Initiative: initiative, Text: "c"},
		)
		raw = append(raw, must(tx.SignVoter(chain, body, key, rand.Reader)))
	}
	return raw
}

// resolution1 proposes anything.
func (w *walk) resolution1(e *pb.Election) [][]byte {
	head := must(w.view().Head(state.LogRoll(id)))
	p, o := parameters(), organisationOf(oneOf(w, "party", "league"), w.below(4)+1)
	p.Limits.SpoilsPerVoter = uint32(w.below(4))
	p.ResolutionHeights = uint64(w.below(60))
	if w.chance(50) {
		p.ResolutionRules = []pb.ResolutionRule{{Kind: uint32(w.below(12) + 3), Organisations: 1}}
	}
	o.OfficerQuorum = uint32(w.below(3))
	o.Term = must(state.MustLoad[pb.Organisation](w.view(), state.OrganisationKey(o.Id))).Term + uint64(w.below(4)/3) + 1
	validators := []pb.Validator{validator("party", 1), validator("party", w.below(3)+2), validator("league", 1), validator("league", w.below(3)+2)}
	validators[w.below(4)].Power += int64(w.below(3))
	manifest := e.Manifest
	if len(manifest) == 0 || w.chance(50) {
		hash := election.ManifestHash(w.rules)
		manifest = hash[:]
	}
	r := oneOf(w,
		createElectionOf(manifest),
		pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: &pb.AppointTrustees{Election: id, Boards: boards(w.below(3)+3, uint32(w.below(2)+2))}}},
		pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: id, Size_: head.Size, Root: head.Root[:]}}},
		pb.Resolution{Decision: &pb.Resolution_ScheduleElection{ScheduleElection: &pb.ScheduleElection{Election: id, Opening: w.now + int64(w.below(40)), Closing: w.now + int64(w.below(80))}}},
		pb.Resolution{Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: id, Cause: pb.EXTENSION_OTHER, Closing: e.Closing + int64(w.below(30)-5)}}},
		pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: oneOf(w, "second", "second", "second", id)}}},
		change(validators...),
		pb.Resolution{Decision: &pb.Resolution_ChangeOfficers{ChangeOfficers: &pb.ChangeOfficers{Organisation: o}}},
		pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: p}}},
		pb.Resolution{Reason: "left", Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: id, Voters: []uint64{uint64(w.below(4)), uint64(w.below(4) + 4)}}}},
		w.replacement(),
		pb.Resolution{Decision: &pb.Resolution_OpenInitiatives{OpenInitiatives: &pb.OpenInitiatives{Election: id}}},
		answer(uint64(w.below(5)), "Yes.", nil),
		removal(uint64(w.below(5))),
		pb.Resolution{Decision: &pb.Resolution_ExcuseTrial{ExcuseTrial: &pb.ExcuseTrial{Election: id, Organisation: oneOf(w, "party", "league"), Trustees: []uint32{uint32(w.below(5))}}}},
	)
	raw := w.propose(w.officer(), &r)
	w.open = append(w.open, r)
	if len(w.open) > 6 {
		w.open = w.open[1:]
	}
	return raw
}

func (w *walk) replacement() pb.Resolution {
	o := oneOf(w, "party", "league")
	first := 1
	if c := must(state.LoadCeremony(w.view(), id, o)); c != nil {
		first += len(c.Trustees)
	}
	m := &pb.ReplaceTrustees{Election: id, Organisation: o}
	for i := range w.below(4) {
		name := fmt.Sprintf("%s trustee %d", o, first+i)
		m.Trustees = append(m.Trustees, pb.Member{Name: name, Key: public(name)})
	}
	return pb.Resolution{Decision: &pb.Resolution_ReplaceTrustees{ReplaceTrustees: m}}
}

// trustees are all who were ever appointed and are not ejected.
func (w *walk) trustees() []*trustee {
	var list []*trustee
	for _, o := range []string{"league", "party"} {
		c := must(state.LoadCeremony(w.view(), id, o))
		if c == nil {
			continue
		}
		for _, index := range active1(c) {
			name := c.Trustees[index-1].Trustee.Name
			if w.people[name] == nil {
				w.people[name] = &trustee{name: name, organisation: o, index: index}
			}
			list = append(list, w.people[name])
		}
	}
	return list
}

func active1(c *pb.Ceremony) (list []uint32) {
	for i := range c.Trustees {
		if c.Trustees[i].Ejected == pb.EJECTION_NONE {
			list = append(list, uint32(i+1))
		}
	}
	return list
}

// deals lets trustees do their part of the step at which their ceremony is, some of them wrongly.
func (w *walk) deals(*pb.Election) [][]byte {
	var raw [][]byte
	diligence := oneOf(w, 30, 100, 100)
	for _, t := range w.trustees() {
		if !w.chance(diligence) {
			continue
		}
		c := w.ceremonyRecord(t.organisation)
		key := fmt.Sprint(t.name, c.Attempt)
		switch c.Step {
		case pb.CEREMONY_ANNOUNCE:
			if w.acted[key] == nil {
				w.acted[key] = w.announce(t)
			}
			raw = append(raw, w.acted[key])
		case pb.CEREMONY_DEAL:
			m := w.dealOf(t)
			if w.chance(3) {
				m.Shares[0].Ciphertext[40] ^= 1
			}
			raw = append(raw, sign(t.name, m))
		case pb.CEREMONY_CONFIRM:
			raw = append(raw, w.judge(t))
		}
	}
	return raw
}

// judge confirms, or complains of the first share that does not open; now and then it complains of one that does.
func (w *walk) judge(t *trustee) []byte {
	c := w.ceremony(t)
	for _, dealer := range w.peers(t) {
		deal := w.dealRecord(t, dealer)
		commitments := must(c.ParseCommitments(deal.Commitments))
		for _, s := range deal.Shares {
			if s.Receiver != t.index {
				continue
			}
			if _, err := c.OpenShare(dealer, t.index, commitments, t.private[dealer], s.Ciphertext); err != nil || w.chance(1) {
				return sign(t.name, &pb.ComplainDeal{Election: id, Organisation: t.organisation, Attempt: c.Attempt, Dealer: dealer, PrivateKey: t.private[dealer]})
			}
		}
	}
	return w.confirm(t)
}

func (w *walk) trials(e *pb.Election) [][]byte {
	var raw [][]byte
	for _, t := range w.trustees() {
		if len(e.KeyDigest) > 0 && w.chance(70) {
			raw = append(raw, w.trial(t))
		}
	}
	return raw
}

func (w *walk) partials(*pb.Election) [][]byte {
	var raw [][]byte
	for _, t := range w.trustees() {
		var contests []uint32
		for c := range uint32(len(w.rules.Contests)) {
			sum := must(ballot.ParseTally(len(w.rules.Contests[c].Options), must(w.view().Record(state.SumKey(id, c)))))
			if !sum.A0.IsIdentity() && w.chance(60) {
				contests = append(contests, c)
			}
		}
		if len(contests) > 0 {
			raw = append(raw, w.partial(t, contests...))
		}
	}
	return raw
}

// vote casts or spoils a ballot, with a number that may be too low and selections that the manifest allows.
func (w *walk) vote(e *pb.Election) [][]byte {
	voter := w.below(int(e.RollSize))
	key := w.voter(voter)
	sequence := uint64(w.below(8))
	d := draft(w.shared(), voter, key, sequence, [][]int{{w.below(3)}, {w.below(2)}}[style(voter):]...)
	switch w.below(6) {
	case 0:
		return [][]byte{spoil(d, voter, sequence, key)}
	case 1:
		return [][]byte{spoil(d, voter, sequence, key), cast(d, voter, sequence)}
	case 2:
		return [][]byte{altered(d, voter, sequence, func(m *pb.CastBallot, _ []byte) { m.Sequence++ })}
	}
	return [][]byte{cast(d, voter, sequence)}
}
