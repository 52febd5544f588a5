package app_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// TestSumWithoutRandomness: voters who work together can make the randomness of a contest's sum cancel, so that nothing is encrypted in
// it. It is read off without shares, and shares for it are refused.
func TestSumWithoutRandomness(t *testing.T) {
	l := newLedger(t)
	voters, trustees := l.voting(6)
	shared := l.shared()
	l.accept(cast(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1), cast(draft(shared, 1, voters[1], 1, nil, []int{0}), 1, 1),
		cast(draft(shared, 2, voters[2], 1, []int{1}), 2, 1))
	plain := ballot.NewEncryptedTally(2)
	plain.Count = 3
	for range 2 {
		plain.A[1].Add(plain.A[1], curve.RISTRETTO_BASEPOINT_POINT)
	}
	plain.A[0].Add(plain.A[0], curve.RISTRETTO_BASEPOINT_POINT)
	l.plant(func(w state.Writer) { w.SetRecord(state.SumKey(id, 1), plain.Bytes()) })
	l.unchecked = true
	l.close()
	if got, want := l.result(1), (&pb.Result{Status: pb.RESULT_OPENED, Ballots: 3, Votes: []uint64{1, 2}}); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	useless := &pb.PostPartials{Election: id, Organisation: "league", Partials: []pb.PartialDecryption{{Contest: 1, Shares: make([]byte, 64), Proof: make([]byte, 64)}}}
	l.refuse(tx.CodeContestDecided, sign(trustees[0].name, useless))
	l.expectPhase(pb.PHASE_DECRYPTING)
	l.accept(l.partial(trustees[0], 0), l.partial(trustees[1], 0), l.partial(trustees[3], 0), l.partial(trustees[4], 0))
	l.expectPhase(pb.PHASE_FINAL)
}

// many is a manifest of contests with 200 options each, on the same slots, each of a district of its own.
func many(contests int) *pb.Manifest {
	m := manifest()
	m.Contests, m.Styles, m.OpenMin = nil, nil, 1
	for c := range contests {
		contest := pb.Contest{Title: fmt.Sprint("Contest ", c), MaxSelections: 1, MinSelections: 1}
		for o := range ballot.MaxPositions {
			contest.Options = append(contest.Options, fmt.Sprint("Option ", o))
		}
		m.Contests = append(m.Contests, contest)
		m.Styles = append(m.Styles, pb.BallotStyle{District: fmt.Sprint("District ", c), Contests: []uint32{uint32(c)}})
	}
	return m
}

// TestCombineBudget: contests that become complete at once are combined over several blocks, none twice, in the order in which they
// became complete; what comes late for one that waits in the queue neither queues it again nor changes its result.
func TestCombineBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const contests = 13
	l := newLedger(t)
	l.rules = many(contests)
	l.resolve(createElectionOf(l.publish(l.rules)))
	voters := make([]*ballot.SecretKey, contests)
	roll := &pb.AddRollEntries{Election: id}
	for i := range voters {
		voters[i] = must(ballot.GenerateKey(rand.Reader))
		roll.Entries = append(roll.Entries, pb.RollEntry{Key: voters[i].Public().Bytes(), Style: uint32(i)})
	}
	l.accept(enrol("party registrar 1", roll))
	head := must(l.view().Head(state.LogRoll(id)))
	l.resolve(pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: id, Size_: head.Size, Root: head.Root[:]}}})
	trustees := l.appoint(3, 2)
	l.keysOf(trustees)
	l.accept(l.each(trustees, l.trial)...)
	l.schedule(l.now+20, l.now+1000)
	l.block(20)
	shared, ballots, all := l.shared(), [][]byte(nil), []uint32(nil)
	for i, key := range voters {
		st := ballot.Statement{Style: uint32(i), RollIndex: uint64(i), Voter: key.Public(), Sequence: 1}
		d := must(shared.Encrypt(st, [][]int{{i}}, key, rand.Reader))
		ballots = append(ballots, altered(d, i, 1, func(m *pb.CastBallot, _ []byte) { m.Style = uint32(i) }))
		all = append(all, uint32(i))
	}
	l.accept(ballots...)
	l.close()
	late := l.partial(trustees[2], all[5:]...)
	l.accept(l.partial(trustees[0], all...), l.partial(trustees[1], all...), l.partial(trustees[3], all...))
	l.accept(l.partial(trustees[4], all[1:]...))
	decided := func() (n int) {
		for c := range uint32(contests) {
			if must(l.view().Record(state.ResultKey(id, c))) != nil {
				n++
			}
		}
		return n
	}
	if n, open := decided(), l.election().ContestsOpen; n != 5 || open != 8 {
		t.Fatalf("%d contests decided in the block that brought the parts, %d open; 1,000 options are 5", n, open)
	}
	before := l.result(1)
	if r := l.block(1, late); r[0].Code != tx.CodeContestDecided {
		t.Fatalf("shares for contests of which some have their result: %v", r[0].Code)
	}
	if n := decided(); n != 12 || l.election().ContestsOpen != 1 {
		t.Fatalf("%d contests decided, %d open", n, l.election().ContestsOpen)
	}
	l.accept(l.partial(trustees[5], 0))
	l.expectPhase(pb.PHASE_FINAL)
	if !reflect.DeepEqual(l.result(1), before) {
		t.Fatal("a result changed")
	}
	for c := range uint32(contests) {
		votes := make([]uint64, ballot.MaxPositions)
		votes[c] = 1
		if got := l.result(c); got.Ballots != 1 || !reflect.DeepEqual(got.Votes, votes) {
			t.Errorf("contest %d: %v", c, got)
		}
	}
}

// plain is the sum of ballots without any randomness that all select one option.
func plain(options, option int, ballots uint64) *ballot.EncryptedTally {
	sum := ballot.NewEncryptedTally(options)
	sum.Count = ballots
	sum.A[option].MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, scalar.NewFromUint64(ballots))
	return sum
}

// TestSearchBudget: sums in which nothing is encrypted wait in the queue like all others, and where many ballots count fewer contests are
// opened in a block, for their votes are searched for longer. A million votes are found.
func TestSearchBudget(t *testing.T) {
	const contests = 33
	for name, c := range map[string]struct {
		ballots uint64
		want    int
	}{
		"few ballots":  {1 << 17, 30},
		"many ballots": {1 << 20, 29}, // 204 each
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			l.rules = many(contests)
			l.voting(1)
			l.plant(func(w state.Writer) {
				for i := range contests {
					w.SetRecord(state.SumKey(id, uint32(i)), plain(ballot.MaxPositions, i, c.ballots).Bytes())
				}
			})
			l.unchecked = true
			l.close()
			if open := int(l.election().ContestsOpen); contests-open != c.want {
				t.Fatalf("%d contests opened in the block in which decryption begins", contests-open)
			}
			l.block(1)
			l.expectPhase(pb.PHASE_FINAL)
			for i := range contests {
				if r := l.result(uint32(i)); r.Status != pb.RESULT_OPENED || r.Votes[i] != c.ballots {
					t.Fatalf("contest %d: %v", i, r)
				}
			}
		})
	}
}

// TestFirstFault: of the parts in one transaction the first that is refused gives the code, whatever comes after it and however proofs are
// verified, and parts that were found right before are no help to others.
func TestFirstFault(t *testing.T) {
	l := newLedger(t)
	voters, trustees := l.voting(3)
	shared := l.shared()
	l.accept(cast(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1), cast(draft(shared, 1, voters[1], 1, nil, []int{0}), 1, 1))
	l.close()
	good := must(tx.Parse(l.partial(trustees[0], 0, 1))).Body().(*pb.PostPartials)
	altered := func(signer string, change func(m *pb.PostPartials)) []byte {
		m := *good
		m.Partials = slices.Clone(good.Partials)
		change(&m)
		return sign(signer, &m)
	}
	spoiled := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[0] ^= 1
		return b
	}
	if err := l.app.Check(l.view(), l.now*1e9, must(tx.Parse(sign(trustees[0].name, good)))); err != nil {
		t.Fatal(err) // from here on both parts are known to be right
	}
	unknown := pb.PartialDecryption{Contest: 2, Shares: good.Partials[1].Shares, Proof: good.Partials[1].Proof}
	l.refuse(tx.CodeUnknownContest, altered(trustees[0].name, func(m *pb.PostPartials) { m.Partials = append(m.Partials, unknown) }))
	l.refuse(tx.CodeDecryptionProof, altered(trustees[0].name, func(m *pb.PostPartials) {
		m.Partials[1].Proof = spoiled(m.Partials[1].Proof)
		m.Partials = append(m.Partials, unknown)
	}))
	l.refuse(tx.CodeDecryptionProof, altered(trustees[0].name, func(m *pb.PostPartials) { m.Partials[0].Shares = spoiled(m.Partials[0].Shares) }))
	l.refuse(tx.CodeDecryptionProof, altered(trustees[0].name, func(m *pb.PostPartials) { m.Partials[1].Shares = m.Partials[1].Shares[:32] }))
	l.refuse(tx.CodeDecryptionProof, altered(trustees[1].name, func(*pb.PostPartials) {})) // another trustee's
	l.accept(sign(trustees[0].name, good))
	l.refuse(tx.CodeAlreadyDone, sign(trustees[0].name, good))
}

// TestLateShareOfQueued: a trustee more than the quorum may post while a contest waits in the queue, and it stays there once.
func TestLateShareOfQueued(t *testing.T) {
	l := newLedger(t)
	voters, trustees := l.voting(3)
	shared := l.shared()
	l.accept(cast(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1), cast(draft(shared, 1, voters[1], 1, nil, []int{0}), 1, 1))
	l.close()
	l.accept(l.each(trustees, func(t *trustee) []byte { return l.partial(t, 0, 1) })...) // all six in one block
	l.expectPhase(pb.PHASE_FINAL)
	if e := l.election(); e.ContestsOpen != 0 || must(l.view().Record(state.QueueKey(id))) != nil {
		t.Fatalf("%d contests open", e.ContestsOpen)
	}
	if got := l.result(1); got.Ballots != 2 || got.Votes[0] != 2 {
		t.Fatalf("%v", got)
	}
}

// TestCancelWhileDecrypting: a cancelled election opens nothing any more.
func TestCancelWhileDecrypting(t *testing.T) {
	l := newLedger(t)
	voters, trustees := l.voting(3)
	shared := l.shared()
	l.accept(cast(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1), cast(draft(shared, 1, voters[1], 1, nil, []int{0}), 1, 1))
	l.close()
	cancel := pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: id}}}
	l.accept(l.propose("party officer 1", &cancel)...)
	l.accept(approve("party officer 2", &cancel), approve("league officer 1", &cancel), l.partial(trustees[0], 0, 1), l.partial(trustees[1], 0, 1))
	l.accept(approve("league officer 2", &cancel), l.partial(trustees[3], 0, 1), l.partial(trustees[4], 0, 1))
	l.expectPhase(pb.PHASE_CANCELLED)
	l.block(1)
	if must(l.view().Record(state.ResultKey(id, 0))) != nil {
		t.Fatal("a contest of a cancelled election was opened")
	}
	l.refuse(tx.CodeWrongPhase, l.partial(trustees[2], 0, 1))
}

// TestCorruptedSum: a sum that no ballots give is the store's fault and stops the block.
func TestCorruptedSum(t *testing.T) {
	l := newLedger(t)
	l.voting(3)
	l.plant(func(w state.Writer) {
		sum := ballot.NewEncryptedTally(2)
		sum.Count = 2
		for range 3 {
			sum.A[0].Add(sum.A[0], curve.RISTRETTO_BASEPOINT_POINT)
		}
		w.SetRecord(state.SumKey(id, 1), sum.Bytes())
	})
	d := l.state.NewDraft()
	_, err := l.app.Execute(d, app.Block{Height: d.Height(), Time: (l.election().Closing + window) * 1e9})
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("more votes than ballots")) {
		t.Fatalf("%v", err)
	}
}
