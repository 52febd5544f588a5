package abci

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"votenode/app/state"
	"votenode/app/tx"
)

// misproven is a ballot that its voter signed over a proof that does not hold: it was made with another key of a slot.
func (b *booth) misproven(t testing.TB, voter int, sequence uint64) []byte {
	t.Helper()
	wrong := &booth{election: b.wrong, keys: b.keys}
	return wrong.cast(t, voter, sequence)
}

// unsigned is a ballot that its voter did not sign.
func (b *booth) unsigned(t testing.TB, voter int, sequence uint64) []byte {
	t.Helper()
	body, signature := b.body(t, voter, sequence)
	return tx.Ballot(body, flipped(signature, 32))
}

// calls are the lists of transactions that the verifier had verified together.
type calls struct {
	mu   sync.Mutex
	list [][][32]byte
}

// watch notes what the verifier of a node verifies from now on.
func (l *ledger) watch() *calls {
	c := new(calls)
	verify := l.app.verifyAll
	l.app.verifyAll = func(view state.View, txs []*tx.Parsed, rand io.Reader) ([]tx.Verdict, error) {
		var hashes [][32]byte
		for _, p := range txs {
			hashes = append(hashes, p.Hash())
		}
		c.mu.Lock()
		c.list = append(c.list, hashes)
		c.mu.Unlock()
		return verify(view, txs, rand)
	}
	return c
}

// next returns what was verified since the last call of next.
func (c *calls) next() [][][32]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

// brought is a batch as the verifier takes it; "peers" are peers. The verifier itself has nothing to do meanwhile.
type brought struct {
	batch   []submission
	answers []chan reply
}

func (b *brought) by(source string, raws ...[]byte) *brought {
	for _, raw := range raws {
		s := submission{raw: raw}
		if source != "peers" {
			answer := make(chan reply, 1)
			s.source, s.answer, b.answers = source, answer, append(b.answers, answer)
		}
		b.batch = append(b.batch, s)
	}
	return b
}

// admit has a batch taken in and returns the codes of what clients brought.
func (l *ledger) admit(b *brought) (codes []tx.Code) {
	l.t.Helper()
	l.app.admit(b.batch)
	for _, answer := range b.answers {
		var told Admission
		if err := l.app.tell(&told, <-answer); err != nil {
			l.t.Fatal(err)
		}
		codes = append(codes, told.Code)
	}
	return codes
}

// hashes of transactions.
func hashes(raws ...[]byte) (list [][32]byte) {
	for _, raw := range raws {
		list = append(list, hashOf(raw))
	}
	return list
}

// expect compares what was verified together, whatever the order within.
func (c *calls) expect(t *testing.T, want ...[][32]byte) {
	t.Helper()
	got := c.next()
	sorted := func(list [][32]byte) [][32]byte {
		list = slices.Clone(list)
		slices.SortFunc(list, func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) })
		return list
	}
	if !slices.EqualFunc(got, want, func(a, b [][32]byte) bool { return slices.Equal(sorted(a), sorted(b)) }) {
		var sizes, wanted []int
		for _, call := range got {
			sizes = append(sizes, len(call))
		}
		for _, call := range want {
			wanted = append(wanted, len(call))
		}
		t.Errorf("verified together: %v transactions, not %v, or others", sizes, wanted)
	}
}

// TestFloodOfBadBallots: once a source has brought a bad ballot, no bad one of it is ever verified beside those of honest sources, those
// without the voter's signature not at all; the honest ones come first. Peers are marked as one source, and no client with them.
func TestFloodOfBadBallots(t *testing.T) {
	for _, source := range []string{"flood", "peers"} {
		t.Run(source, func(t *testing.T) {
			l, b := on(t, func(o *Options) { o.Pool.PerVoter = 9 })
			c := l.watch()
			first, honest := b.unsigned(t, 0, 1), [][]byte{b.cast(t, 1, 1), b.cast(t, 2, 1)}
			l.admit(new(brought).by(source, first).by("honest", honest...))
			c.expect(t, hashes(append(honest, first)...)) // nobody knows it yet
			for round := range uint64(3) {
				var unsigned, misproven [][]byte
				for voter := 9; voter < 22; voter++ {
					unsigned = append(unsigned, b.unsigned(t, voter, round+1))
				}
				misproven = append(misproven, b.misproven(t, 3+int(round), round+1), b.misproven(t, 6+int(round), round+1)) // each of a voter who is not barred yet
				good, also := b.cast(t, 22, round+2), b.cast(t, 23, round+2)
				batch := new(brought).by(source, unsigned...).by("honest", good).by(source, append(misproven, also)...)
				codes := l.admit(batch)
				c.expect(t, hashes(good), hashes(append(misproven, also)...))
				if l.app.pool.get(hashOf(good)) == nil || l.app.pool.get(hashOf(also)) == nil {
					t.Error("a good ballot is not taken in")
				}
				for i, code := range codes {
					s := batch.batch[slices.IndexFunc(batch.batch, func(s submission) bool { return s.answer == batch.answers[i] })]
					want := tx.CodeOK
					if slices.Contains(hashes(unsigned...), hashOf(s.raw)) {
						want = tx.CodeBadSignature
					} else if slices.Contains(hashes(misproven...), hashOf(s.raw)) {
						want = tx.CodeBadProof
					}
					if code != want {
						t.Errorf("transaction %d: %v, not %v", i, code, want)
					}
				}
			}
			if own := l.app.marks.peers >= 0; own != (source == "peers") || len(l.app.marks.sources) == 0 != (source == "peers") {
				t.Errorf("marked: peers %v, clients %v", own, l.app.marks.sources)
			}
		})
	}
}

// TestMarksExpire: a mark ends markLife heights behind the last bad ballot, and its name with it.
func TestMarksExpire(t *testing.T) {
	l, b := on(t, nil)
	l.admit(new(brought).by("a", b.unsigned(t, 0, 1)).by("peers", b.unsigned(t, 1, 1)))
	l.block()
	l.admit(new(brought).by("b", b.misproven(t, 2, 1)))
	at := l.height()
	for l.height() < at-1+markLife-1 {
		l.block()
	}
	if m := l.app.marks; len(m.sources) != 2 || m.peers != at-1 || len(m.voters) != 1 {
		t.Errorf("too early: %v, %d, %v", m.sources, m.peers, m.voters)
	}
	l.block()
	if m := l.app.marks; len(m.sources) != 1 || m.sources["b"] != at || m.peers != -1 || len(m.voters) != 1 {
		t.Errorf("%v, %d, %v", m.sources, m.peers, m.voters)
	}
	l.block()
	if m := l.app.marks; len(m.sources) != 0 || len(m.voters) != 0 {
		t.Errorf("too late: %v, %v", m.sources, m.voters)
	}
}

// TestMarksAreBounded: while the table of sources is full all clients count as marked, peers do not, and it grows no more; a mark is
// renewed all the same. The table of voters is bounded too, and keeps nobody away who is not in it.
func TestMarksAreBounded(t *testing.T) {
	l, b := on(t, nil)
	m := l.app.marks
	for i := range 2 * markedSources {
		m.mark(&submission{source: fmt.Sprint(i), answer: make(chan reply)}, 1)
	}
	m.mark(&submission{source: "7", answer: make(chan reply)}, 2)
	if len(m.sources) != markedSources || m.sources["7"] != 2 {
		t.Errorf("%d sources", len(m.sources))
	}
	c := l.watch()
	mine, theirs := b.cast(t, 0, 1), b.cast(t, 1, 1)
	l.admit(new(brought).by("unknown", mine, b.unsigned(t, 2, 1)).by("peers", theirs))
	c.expect(t, hashes(theirs), hashes(mine))
	m.expire(1 + markLife)
	if len(m.sources) != 1 {
		t.Errorf("%d sources are left", len(m.sources))
	}
	for i := range 2 * barredVoters {
		m.bar(fmt.Sprint(i), [32]byte{1}, 1)
	}
	m.bar("3", [32]byte{2}, 2)
	if len(m.voters) != barredVoters || m.voters["3"].height != 2 {
		t.Errorf("%d voters, the fault of one is of height %d", len(m.voters), m.voters["3"].height)
	}
	if m.refuse(fmt.Sprint(2*barredVoters-1), [32]byte{9}) != nil || m.refuse("4", [32]byte{9}) == nil || m.refuse("3", [32]byte{1}) == nil {
		t.Error("a voter is refused who is not in the table, or the other way round")
	}
}

// TestBadVoter: after a bad proof with the voter's own signature, whoever brought it, nothing of this voter is verified until that is
// old; what is known to be bad is never verified again. Others are not touched.
func TestBadVoter(t *testing.T) {
	l, b := on(t, nil)
	c := l.watch()
	ask := func(source string, raw []byte, want tx.Code, verified bool) {
		t.Helper()
		if codes := l.admit(new(brought).by(source, raw)); codes[0] != want {
			t.Errorf("%v, not %v", codes[0], want)
		}
		if calls := c.next(); (len(calls) > 0) != verified {
			t.Errorf("verified: %d times", len(calls))
		}
	}
	bad, good := b.misproven(t, 0, 1), b.cast(t, 0, 9)
	ask("x", bad, tx.CodeBadProof, true)
	ask("y", b.cast(t, 1, 1), tx.CodeOK, true)
	for l.height() < 1+markLife { // it was verified at height 1
		ask("x", bad, tx.CodeBadProof, false)
		ask("x", b.misproven(t, 0, 7), tx.CodeRetryLater, false)
		ask("y", good, tx.CodeRetryLater, false)
		l.block()
	}
	ask("y", good, tx.CodeOK, true)
}

// TestNobodyBringsAnotherVoterIntoTheTable: neither with what the voter did not sign, nor with bytes that are no ballot.
func TestNobodyBringsAnotherVoterIntoTheTable(t *testing.T) {
	l, b := on(t, nil)
	misproven := b.misproven(t, 0, 1)
	body, signature := b.body(t, 0, 2)
	broken := *body
	broken.Proof = append(make([]byte, 32), body.Proof[32:]...)
	moved, _ := b.body(t, 1, 2) // another voter's, with the own signature and the victim's place
	moved.RollIndex = 0
	for n := range uint64(12) {
		batch := new(brought)
		for _, source := range []string{"a", "b", "peers", "fresh " + fmt.Sprint(n)} {
			batch.by(source, b.unsigned(t, 0, n+1), tx.Ballot(&broken, signature), tx.Ballot(moved, signature), flipped(misproven, len(misproven)-40))
		}
		l.admit(batch)
	}
	if n := len(l.app.marks.voters); n != 0 {
		t.Errorf("%d voters are barred", n)
	}
	if codes := l.admit(new(brought).by("home", b.cast(t, 0, 3))); codes[0] != tx.CodeOK {
		t.Errorf("the voter is kept away: %v", codes[0])
	}
}

// TestVerifiedApart: whether the signatures are checked first or not, the same transactions are found right.
func TestVerifiedApart(t *testing.T) {
	l, b := on(t, nil)
	var parsed []*tx.Parsed
	for _, raw := range faults(t, b) {
		if p, err := tx.Parse(raw); err == nil {
			parsed = append(parsed, p)
		}
	}
	for voter := range 3 {
		for _, raw := range [][]byte{b.cast(t, voter, 1), b.misproven(t, voter, 1), b.unsigned(t, voter, 1), publish(voter)} {
			p, err := tx.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, p)
		}
	}
	view := l.app.ledger.Newest()
	together, err := l.app.verifyBatch(view, parsed)
	if err != nil {
		t.Fatal(err)
	}
	apart, err := l.app.verifyApart(view, parsed)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i := range parsed {
		if (together[i].Verified == nil) != (apart[i].Verified == nil) || together[i].Signed != apart[i].Signed {
			t.Errorf("%d: %+v, and apart %+v", i, together[i], apart[i])
		}
		if together[i].Verified != nil {
			right++
		} else if !together[i].Refusal.Code.RefusesBlock() != !apart[i].Refusal.Code.RefusesBlock() {
			t.Errorf("%d: %v, and apart %v", i, together[i].Refusal, apart[i].Refusal)
		}
	}
	if right < 6 || right == len(parsed) {
		t.Errorf("%d of %d are right", right, len(parsed))
	}
	if found, err := l.app.verifyApart(view, nil); err != nil || len(found) != 0 {
		t.Error(found, err)
	}
}

// TestMarksConcurrently: honest and other sources beside each other while blocks go on: every honest ballot is taken, no bad one.
func TestMarksConcurrently(t *testing.T) {
	l, b := on(t, func(o *Options) { o.Pool = DefaultPoolLimits() })
	var group sync.WaitGroup
	for voter := range voters {
		raw, want, source := b.cast(t, voter, 1), tx.CodeOK, "honest"
		switch voter % 3 {
		case 1:
			raw, want, source = b.unsigned(t, voter, 1), tx.CodeBadSignature, "unsigned"
		case 2:
			raw, want, source = b.misproven(t, voter, 1), tx.CodeBadProof, "misproven"
		}
		group.Go(func() {
			for range 3 {
				answers, err := l.app.Submit(t.Context(), source, raw)
				if code := answers[0].Code; err != nil || code != want && (want != tx.CodeOK || code != tx.CodeAlreadyDone) {
					t.Errorf("%v, not %v, %v", code, want, err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			l.block(l.prepare(1 << 20)...)
		}
	}
	if m := l.app.marks; len(m.sources) > 2 || len(m.voters) > voters/3 {
		t.Errorf("%v, %d voters", m.sources, len(m.voters))
	}
}
