package app_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// pollRules is a poll of one question for the northern district of the election, with open choices: its style 0 is the election's style 0.
func pollRules(name string) *pb.Manifest {
	return &pb.Manifest{
		Election: name, Title: "Poll", Contests: []pb.Contest{{Title: "Where?", Options: []string{"Here", "There", "Nowhere"}, MinSelections: 1, MaxSelections: 2}},
		Styles: []pb.BallotStyle{{District: "North", Contests: []uint32{0}}}, RevoteInterval: 5, CeremonyStep: uint32(step), OpenMin: 1,
		OpenChoices: true, RollOf: id,
	}
}

// choice is what a voter of an election's roll signs.
func choice(m *pb.CastChoice, key *ballot.SecretKey) []byte {
	s := ballot.Signed{
		Chain: chain, Election: m.Election, RollIndex: m.RollIndex, Voter: key.Public(), Kind: uint32(tx.KindCastChoice), Body: election.Encode(m),
	}
	return tx.Ballot(m, must(s.Sign(key, rand.Reader)))
}

// choose is a choice in the one contest of a poll.
func choose(poll string, voter int, key *ballot.SecretKey, sequence uint64, options ...uint32) []byte {
	return choice(&pb.CastChoice{Election: poll, RollIndex: uint64(voter), Sequence: sequence, Choices: []pb.Choice{{Options: options}}}, key)
}

func (l *ledger) record(id string) *pb.Election {
	return must(state.MustLoad[pb.Election](l.view(), state.ElectionKey(id)))
}

func (l *ledger) expectResult(id string, ballots uint64, votes ...uint64) {
	l.t.Helper()
	if r := l.as(id, nil).result(0); r.Status != pb.RESULT_COUNTED || r.Ballots != ballots || !slices.Equal(r.Votes, votes) {
		l.t.Fatalf("result of %q: %v, want %d ballots and %v", id, r, ballots, votes)
	}
}

func revoke(election string, voters ...uint64) pb.Resolution {
	return pb.Resolution{Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: election, Voters: voters, Cause: pb.REVOCATION_LEFT}}}
}

func scheduleOf(election string, opening, closing int64) pb.Resolution {
	return pb.Resolution{Decision: &pb.Resolution_ScheduleElection{ScheduleElection: &pb.ScheduleElection{Election: election, Opening: opening, Closing: closing}}}
}

// refuseResolution proposes what cannot take effect now.
func (l *ledger) refuseResolution(want tx.Code, r pb.Resolution) {
	l.t.Helper()
	l.refuse(want, l.propose("party officer 1", &r)[0])
}

// polling has an election in voting and an open poll of its roll of six in voting beside it.
func polling(t *testing.T) (*ledger, []*ballot.SecretKey, []*trustee) {
	l := newLedger(t)
	voters, trustees := l.voting(6)
	l.resolve(createElectionOf(l.publish(pollRules("poll"))))
	if e := l.record("poll"); e.Phase != pb.PHASE_READY || e.RollRoot == nil || string(e.RollRoot) != string(l.election().RollRoot) || e.RollSize != 6 {
		t.Fatalf("the new poll is %v", e)
	}
	l.resolve(scheduleOf("poll", l.now+20, l.now+500))
	l.block(20)
	return l, voters, trustees
}

// TestOpenPoll: choices of the part are counted at once, the last one of each counts, and the poll is final at its closing.
func TestOpenPoll(t *testing.T) {
	l, voters, _ := polling(t)
	l.expectResult("poll", 0, 0, 0, 0)
	l.accept(choose("poll", 0, voters[0], 1, 0, 2), choose("poll", 1, voters[1], 7, 1))
	l.expectResult("poll", 2, 1, 1, 1)
	l.refuse(tx.CodeSequence, choose("poll", 1, voters[1], 7, 1))
	l.refuse(tx.CodeTooSoon, choose("poll", 1, voters[1], 8, 1))
	l.block(5)
	again := choose("poll", 1, voters[1], 8, 0)
	l.accept(again)
	l.expectResult("poll", 2, 2, 0, 1)
	leaf, code := must(state.LoadVoter(l.view(), "poll", 1)), must(tx.Parse(again)).Cast().Code(chain)
	if leaf.Status != pb.VOTER_COUNTS || leaf.Sequence != 8 || leaf.LogIndex != 2 || string(leaf.Code) != string(code[:]) {
		t.Fatalf("the leaf of voter 1 is %v", leaf)
	}
	l.block(l.record("poll").Closing - l.now)
	if got := l.record("poll").Phase; got != pb.PHASE_FINAL {
		t.Fatalf("phase %v at closing", got)
	}
	l.refuse(tx.CodeWrongPhase, choose("poll", 0, voters[0], 2, 0))
	l.expectResult("poll", 2, 2, 0, 1)
}

// TestChoicesRefused sends what may not be counted.
func TestChoicesRefused(t *testing.T) {
	l, voters, _ := polling(t)
	of := func(change func(m *pb.CastChoice)) []byte {
		m := &pb.CastChoice{Election: "poll", Sequence: 1, Choices: []pb.Choice{{Options: []uint32{0}}}}
		change(m)
		return choice(m, voters[m.RollIndex%6])
	}
	shared := l.shared()
	for name, c := range map[string]struct {
		want tx.Code
		raw  []byte
	}{
		"another's key":          {tx.CodeBadSignature, choose("poll", 0, voters[1], 1, 0)},
		"no such voter":          {tx.CodeUnknownVoter, of(func(m *pb.CastChoice) { m.RollIndex = 6 })},
		"no such poll":           {tx.CodeUnknownElection, of(func(m *pb.CastChoice) { m.Election = "another" })},
		"outside the part":       {tx.CodeNotInPart, of(func(m *pb.CastChoice) { m.RollIndex = 2 })},
		"outside, another style": {tx.CodeNotInPart, of(func(m *pb.CastChoice) { m.RollIndex, m.Style = 2, 1 })},
		"another style":          {tx.CodeWrongStyle, of(func(m *pb.CastChoice) { m.Style = 1 })},
		"nothing chosen":         {tx.CodeChoice, choose("poll", 0, voters[0], 1)},
		"too much chosen":        {tx.CodeChoice, choose("poll", 0, voters[0], 1, 0, 1, 2)},
		"no such option":         {tx.CodeChoice, choose("poll", 0, voters[0], 1, 3)},
		"a contest more":         {tx.CodeChoice, of(func(m *pb.CastChoice) { m.Choices = append(m.Choices, pb.Choice{Options: []uint32{0}}) })},
		"an option twice":        {tx.CodeInvalidField, choose("poll", 0, voters[0], 1, 1, 1)},
		"descending":             {tx.CodeInvalidField, choose("poll", 0, voters[0], 1, 1, 0)},
		"in a secret election": {tx.CodeOpenChoices, of(func(m *pb.CastChoice) {
			m.Election, m.Choices = id, append(m.Choices, pb.Choice{Options: []uint32{0}})
		})},
		"a ballot": {tx.CodeWrongPhase, altered(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1, func(m *pb.CastBallot, _ []byte) { m.Election = "poll" })},
		"a challenge": {tx.CodeOpenChoices, func() []byte {
			s := draft(shared, 0, voters[0], 1, nil, []int{0}).Spoil()
			s.Election = "poll"
			return tx.Ballot(&pb.SpoilBallot{Election: "poll", Sequence: 1, Code: s.Code[:], NoncePoint: s.C0[:]}, must(ballot.SignSpoil(s, voters[0], rand.Reader)))
		}()},
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			l.refuse(c.want, c.raw)
		})
	}
	l.t = t
	l.refuseResolution(tx.CodeWrongPhase, pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: &pb.AppointTrustees{Election: "poll"}}})
	l.refuse(tx.CodeWrongPhase, enrol("party registrar 1", &pb.AddRollEntries{Election: "poll", Entries: []pb.RollEntry{{Key: voters[0].Public().Bytes()}}}))
}

// TestPollsRefused: a poll needs a sealed roll of an election that has one of its own, and districts of it.
func TestPollsRefused(t *testing.T) {
	l := newLedger(t)
	l.resolve(createElectionOf(l.publish(l.rules)))
	early := l.publish(pollRules("early"))
	l.refuseResolution(tx.CodeNoRoll, createElectionOf(early))
	l.roll(6)
	poll := pollRules("poll")
	l.resolve(createElectionOf(l.publish(poll)))
	for name, c := range map[string]struct {
		want   tx.Code
		change func(m *pb.Manifest)
	}{
		"a poll of a poll":   {tx.CodeNoRoll, func(m *pb.Manifest) { m.RollOf = "poll" }},
		"of no election":     {tx.CodeNoRoll, func(m *pb.Manifest) { m.RollOf = "another" }},
		"of no id":           {tx.CodeInvalidManifest, func(m *pb.Manifest) { m.RollOf = "primary/keys" }},
		"of itself":          {tx.CodeInvalidManifest, func(m *pb.Manifest) { m.RollOf = m.Election }},
		"of no district":     {tx.CodeUnknownDistrict, func(m *pb.Manifest) { m.Styles[0].District = "West" }},
		"of one that exists": {tx.CodeElectionExists, func(m *pb.Manifest) { m.Election, m.Title = "poll", "Another" }},
	} {
		t.Run(name, func(t *testing.T) {
			m := pollRules("wrong")
			c.change(m)
			l.t = t
			l.refuseResolution(c.want, createElectionOf(l.publish(m)))
		})
	}
	l.t = t
	l.refuseResolution(tx.CodeOpenChoices, func() pb.Resolution {
		own := pollRules("own")
		own.RollOf = ""
		l.resolve(createElectionOf(l.publish(own)))
		if got := l.record("own").Phase; got != pb.PHASE_SETUP {
			t.Fatalf("without a roll it is %v", got)
		}
		return pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: &pb.AppointTrustees{Election: "own"}}}
	}())
}

// TestRevokedInPolls: who is revoked from the roll has no voice in its polls, before, during and after the election's own voting.
func TestRevokedInPolls(t *testing.T) {
	l, voters, _ := polling(t)
	l.accept(choose("poll", 0, voters[0], 1, 0), choose("poll", 1, voters[1], 1, 1), choose("poll", 3, voters[3], 1, 1))
	l.refuseResolution(tx.CodeRollElsewhere, revoke("poll", 0))
	l.resolve(revoke(id, 0, 4))
	l.counts([]uint64{4, 2}, []uint64{2, 0})
	l.expectResult("poll", 2, 0, 2, 0)
	l.refuse(tx.CodeRevoked, choose("poll", 0, voters[0], 2, 0))
	l.refuse(tx.CodeRevoked, choose("poll", 4, voters[4], 1, 0))

	l.resolve(createElectionOf(l.publish(pollRules("later"))))
	l.resolve(scheduleOf("later", l.now+20, l.now+2000))
	l.resolve(pb.Resolution{Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: "poll", Cause: pb.EXTENSION_OTHER, Closing: l.now + 3000}}})
	l.block(l.election().Closing - l.now)
	l.block(window)
	l.expectPhase(pb.PHASE_FINAL)
	before := must(l.view().Voter(id, 1))
	l.resolve(revoke(id, 1))
	l.resolve(revoke(id, 0, 1))
	l.counts([]uint64{4, 2}, []uint64{3, 0}) // each once, also after voting
	if string(must(l.view().Voter(id, 1))) != string(before) {
		t.Error("a revocation after voting changed the election's own voters' tree")
	}
	l.expectResult("poll", 1, 0, 1, 0)
	l.refuse(tx.CodeRevoked, choose("poll", 1, voters[1], 2, 0))
	l.refuse(tx.CodeRevoked, choose("later", 1, voters[1], 1, 0))
	l.accept(choose("later", 3, voters[3], 1, 2))
	l.expectResult("later", 1, 0, 0, 1)

	l.block(3000)
	l.refuseResolution(tx.CodeWrongPhase, revoke(id, 3))
	if counts := must(l.view().Record(state.RollCountsKey("poll"))); counts != nil {
		t.Error("the poll has counts of a roll that is not its own")
	}
}

// TestStruckInPolls: an entry that was struck when the roll was sealed has no voice in the polls by it.
func TestStruckInPolls(t *testing.T) {
	l := newLedger(t)
	l.resolve(createElectionOf(l.publish(l.rules)))
	voters := l.roll(6, pb.StruckVoter{Voter: 3, Cause: pb.REVOCATION_PAPER})
	l.resolve(createElectionOf(l.publish(pollRules("poll"))))
	l.resolve(scheduleOf("poll", l.now+20, l.now+500))
	l.block(20)
	l.refuse(tx.CodeRevoked, choose("poll", 3, voters[3], 1, 0))
	l.accept(choose("poll", 4, voters[4], 1, 0))
	l.resolve(revoke(id, 3, 4))
	l.counts([]uint64{4, 2}, []uint64{2, 0})
	l.expectResult("poll", 0, 0, 0, 0)
}

// TestSecretPoll: a poll without open choices is an election with a ceremony, ballots and a tally, by the roll of another one.
func TestSecretPoll(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(6)
	rules := pollRules("secret")
	rules.OpenChoices, rules.ObjectionWindow, rules.Styles[0].District = false, uint32(window), "South" // style 0 of the poll is style 1 of the roll
	l.resolve(createElectionOf(l.publish(rules)))
	p := l.as("secret", rules)
	trustees := p.appoint(3, 2)
	p.keysOf(trustees)
	p.accept(p.each(trustees, p.trial)...)
	p.expectPhase(pb.PHASE_READY)
	p.schedule(p.now+20, p.now+500)
	p.block(20)
	shared := p.shared()
	vote := func(voter int) []byte {
		st := ballot.Statement{RollIndex: uint64(voter), Voter: voters[voter].Public(), Sequence: 1}
		ciphertext, proof, signature, err := must(shared.Encrypt(st, [][]int{{1}}, voters[voter], rand.Reader)).Cast()
		if err != nil {
			t.Fatal(err)
		}
		return tx.Ballot(&pb.CastBallot{Election: "secret", RollIndex: uint64(voter), Sequence: 1, Ciphertext: ciphertext, Proof: proof}, signature)
	}
	p.refuse(tx.CodeNotInPart, vote(0))
	p.accept(vote(2), vote(5))
	p.resolve(revoke(id, 5))
	p.close()
	p.accept(p.partial(trustees[0], 0), p.partial(trustees[1], 0), p.partial(trustees[3], 0), p.partial(trustees[4], 0))
	p.expectPhase(pb.PHASE_FINAL)
	if r := p.result(0); r.Status != pb.RESULT_OPENED || r.Ballots != 1 || !slices.Equal(r.Votes, []uint64{0, 1, 0}) {
		t.Fatalf("result %v", r)
	}
}

// recordPolls runs an open poll and a revocation from it, and keeps the blocks.
func recordPolls(t *testing.T) *recorded {
	l := newLedger(t)
	r := l.recording()
	l.resolve(createElectionOf(l.publish(l.rules)))
	voters := l.roll(6)
	l.resolve(createElectionOf(l.publish(pollRules("poll"))))
	l.resolve(scheduleOf("poll", l.now+20, l.now+100))
	l.block(20)
	l.accept(choose("poll", 0, voters[0], 1, 0, 2), choose("poll", 1, voters[1], 1, 1), choose("poll", 3, voters[3], 1, 1))
	l.block(5)
	l.block(1, choose("poll", 0, voters[0], 2, 1), choose("poll", 2, voters[2], 1, 1), choose("poll", 3, voters[3], 2))
	l.resolve(revoke(id, 3, 4))
	l.block(100)
	return r
}

// TestPollsReplay: the same blocks give the same app hashes, with fresh caches after every restart.
func TestPollsReplay(t *testing.T) { recordPolls(t).replay(t, 1) }

// TestManyPolls: an election and 24 polls are in voting at once, one voter casts in all of them in one block, and idle ones cost a block
// next to nothing.
func TestManyPolls(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(6)
	idle := l.blockTime()
	const polls = 24
	name := func(i int) string { return fmt.Sprintf("poll-%02d", i) }
	for i := range polls {
		l.resolve(createElectionOf(l.publish(pollRules(name(i)))))
	}
	opening := l.now + 10*polls
	for i := range polls {
		l.resolve(scheduleOf(name(i), opening, opening+300))
	}
	l.block(opening - l.now)
	raw := [][]byte{cast(draft(l.shared(), 0, voters[0], 1, nil, []int{0}), 0, 1)}
	for i := range polls {
		for _, voter := range []int{0, 1, 3} {
			raw = append(raw, choose(name(i), voter, voters[voter], 1, uint32(i%3)))
		}
	}
	var units uint64
	for _, b := range raw {
		units += must(tx.Parse(b)).Units()
	}
	l.accept(raw...)
	for i := range polls {
		votes := make([]uint64, 3)
		votes[i%3] = 3
		l.expectResult(name(i), 3, votes...)
	}
	t.Logf("%d transactions of %d units; an empty block takes %v with the election alone, %v with %d polls beside it",
		len(raw), units, idle, l.blockTime(), polls)
	if limit := l.genesis.Parameters.Limits.BlockUnits; units > limit {
		t.Errorf("they take %d units, a block has %d", units, limit)
	}
	l.block(opening + 400 - l.now)
	for i := range polls {
		if got := l.record(name(i)).Phase; got != pb.PHASE_FINAL {
			t.Errorf("%s is %v", name(i), got)
		}
	}
	l.expectPhase(pb.PHASE_VOTING)
}

// BenchmarkIdlePolls is what a block costs without transactions, with 50 polls in voting beside an election.
func BenchmarkIdlePolls(b *testing.B) {
	l := newLedger(b)
	l.resolve(createElectionOf(l.publish(l.rules)))
	l.roll(6)
	const polls = 50
	for i := range polls {
		m := pollRules(fmt.Sprintf("poll-%02d", i))
		m.Opening, m.Closing = l.now+1_000, l.now+100_000
		l.resolve(createElectionOf(l.publish(m)))
	}
	l.block(100)
	l.block(1_000)
	if got := l.record("poll-49").Phase; got != pb.PHASE_VOTING {
		b.Fatal(got)
	}
	b.ResetTimer()
	for range b.N {
		block, d := l.next(0), l.state.NewDraft()
		must(l.app.Execute(d, block))
		must(d.Finish())
	}
}

// blockTime is how long executing and hashing an empty block takes, the least of some.
func (l *ledger) blockTime() time.Duration {
	least := time.Hour
	for range 10 {
		b, d := l.next(0), l.state.NewDraft()
		begin := time.Now()
		must(l.app.Execute(d, b))
		must(d.Finish())
		least = min(least, time.Since(begin))
	}
	return least
}
