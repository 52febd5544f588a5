package app_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// TestKindsByPhase sends a transaction of each kind that belongs to an election in every phase. Where the kind does not belong,
// the code is wrong_phase; where it does, another one.
func TestKindsByPhase(t *testing.T) {
	allowed := map[tx.Kind][]pb.Phase{
		tx.KindAddRollEntries: {pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY},
		tx.KindAnnounceDeal:   {pb.PHASE_KEY_CEREMONY},
		tx.KindPublishDeal:    {pb.PHASE_KEY_CEREMONY},
		tx.KindConfirmDeals:   {pb.PHASE_KEY_CEREMONY},
		tx.KindComplainDeal:   {pb.PHASE_KEY_CEREMONY},
		tx.KindPostTrial:      {pb.PHASE_KEY_CEREMONY},
		tx.KindCastBallot:     {pb.PHASE_VOTING},
		tx.KindSpoilBallot:    {pb.PHASE_VOTING},
		tx.KindPostPartials:   {pb.PHASE_DECRYPTING},
		tx.KindCastChoice:     {pb.PHASE_VOTING},
	}
	h, p := make([]byte, 32), make([]byte, 64)
	stranger := must(ballot.GenerateKey(rand.Reader)).Public().Bytes()
	someone := "party trustee 1"
	send := map[tx.Kind][]byte{
		tx.KindAddRollEntries: enrol("party registrar 1", &pb.AddRollEntries{Election: id, First: 99, Entries: []pb.RollEntry{{Key: stranger}}}),
		tx.KindAnnounceDeal:   sign(someone, &pb.AnnounceDeal{Election: id, Organisation: "party", Attempt: 9, DealHash: h}),
		tx.KindPublishDeal:    sign(someone, &pb.PublishDeal{Election: id, Organisation: "party", Attempt: 9, Commitments: h, Possession: p}),
		tx.KindConfirmDeals:   sign(someone, &pb.ConfirmDeals{Election: id, Organisation: "party", Attempt: 9}),
		tx.KindComplainDeal:   sign(someone, &pb.ComplainDeal{Election: id, Organisation: "party", Attempt: 9, PrivateKey: h}),
		tx.KindPostTrial:      sign(someone, &pb.PostTrial{Election: id, Organisation: "party", Shares: h, Proof: p}),
		tx.KindCastBallot:     tx.Ballot(&pb.CastBallot{Election: id, RollIndex: 99, Ciphertext: h, Proof: h}, p),
		tx.KindSpoilBallot:    tx.Ballot(&pb.SpoilBallot{Election: id, RollIndex: 99, Code: h, NoncePoint: h}, p),
		tx.KindPostPartials:   sign(someone, &pb.PostPartials{Election: id, Organisation: "party", Partials: []pb.PartialDecryption{{Contest: 99, Shares: h, Proof: p}}}),
	}
	send[tx.KindCastChoice] = tx.Ballot(&pb.CastChoice{Election: id, RollIndex: 99, Choices: []pb.Choice{{}}}, p)
	l := newLedger(t)
	check := func(phase pb.Phase) {
		t.Helper()
		l.expectPhase(phase)
		for kind, raw := range send {
			parsed := must(tx.Parse(raw))
			refusal, ok := l.app.Check(l.view(), l.now*1e9, parsed).(*tx.Refusal)
			if !ok {
				t.Fatalf("%v in %v is not refused", kind, phase)
			}
			belongs := false
			for _, a := range allowed[kind] {
				belongs = belongs || a == phase
			}
			if (refusal.Code == tx.CodeWrongPhase) == belongs {
				t.Errorf("%v in %v: %v", kind, phase, refusal)
			}
		}
	}
	l.resolve(createElectionOf(l.publish(manifest())))
	check(pb.PHASE_SETUP)
	trustees := l.appoint(3, 2)
	check(pb.PHASE_KEY_CEREMONY)
	l.keysOf(trustees)
	check(pb.PHASE_KEY_CEREMONY)
	voters := l.roll(3)
	l.accept(l.each(trustees, l.trial)...)
	check(pb.PHASE_READY)
	l.schedule(l.now+20, l.now+1000)
	l.block(20)
	check(pb.PHASE_VOTING)
	shared := l.shared()
	l.accept(cast(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1), cast(draft(shared, 1, voters[1], 1, nil, []int{0}), 1, 1))
	l.block(l.election().Closing - l.now)
	check(pb.PHASE_CLOSED)
	l.block(window)
	check(pb.PHASE_DECRYPTING)
	l.accept(l.each(trustees, func(t *trustee) []byte { return l.partial(t, 0, 1) })[:5]...)
	check(pb.PHASE_FINAL)
}

// TestClockJump: after a halt one block may bring an election from ready over opening, closing and objection window; nothing was
// cast, so nothing is opened.
func TestClockJump(t *testing.T) {
	l := newLedger(t)
	l.resolve(createElectionOf(l.publish(manifest())))
	l.roll(3)
	trustees := l.appoint(3, 2)
	l.keysOf(trustees)
	l.accept(l.each(trustees, l.trial)...)
	l.schedule(l.now+20, l.now+30)
	l.block(100_000)
	l.expectPhase(pb.PHASE_FINAL)
	for c := range uint32(2) {
		if got := l.result(c); got.Status != pb.RESULT_WITHHELD {
			t.Errorf("contest %d: %v", c, got)
		}
	}
}

// noted is a draft that notes which records of contests are read.
type noted struct {
	state.Writer
	read map[string]int
}

func (n *noted) note(key string) {
	for _, kind := range []string{"sum", "partial", "result"} {
		if strings.Contains(key, "/"+kind+"/") {
			n.read[key]++
		}
	}
}

func (n *noted) Record(key string) ([]byte, error) {
	n.note(key)
	return n.Writer.Record(key)
}

func (n *noted) Records(prefix string, fn func(key string, value []byte) error) error {
	return n.Writer.Records(prefix, func(key string, value []byte) error {
		n.note(key)
		return fn(key, value)
	})
}

// TestIdleContests: what a block takes does not depend on how many contests there are of which it says nothing; only the block with which
// decryption begins looks at each, once.
func TestIdleContests(t *testing.T) {
	l := newLedger(t)
	l.voting(1)
	l.plant(func(w state.Writer) { // nothing to be opened without shares
		for c := range l.rules.Contests {
			sum := ballot.NewEncryptedTally(len(l.rules.Contests[c].Options))
			sum.Count, sum.A0 = 5, curve.NewRistrettoPoint().Add(curve.RISTRETTO_BASEPOINT_POINT, sum.A0)
			w.SetRecord(state.SumKey(id, uint32(c)), sum.Bytes())
		}
	})
	l.unchecked = true
	reads := func(seconds int64) int {
		n := &noted{Writer: l.state.NewDraft(), read: make(map[string]int)}
		b := l.next(seconds)
		if _, err := l.app.Execute(n, b); err != nil {
			t.Fatal(err)
		}
		for key, times := range n.read {
			if times != 1 {
				t.Errorf("%s is read %d times", key, times)
			}
		}
		l.decide(b)
		return len(n.read)
	}
	closing := l.election().Closing - l.now
	for _, c := range []struct {
		name    string
		seconds int64
		want    int
		phase   pb.Phase
	}{
		{"voting", 1, 0, pb.PHASE_VOTING},
		{"closing", closing, 0, pb.PHASE_CLOSED},
		{"objections", 1, 0, pb.PHASE_CLOSED},
		{"decryption begins", window, len(l.rules.Contests), pb.PHASE_DECRYPTING},
		{"waiting for shares", 1, 0, pb.PHASE_DECRYPTING},
	} {
		if got := reads(c.seconds); got != c.want {
			t.Errorf("%s: %d records of contests are read, want %d", c.name, got, c.want)
		}
		l.expectPhase(c.phase)
	}
}
