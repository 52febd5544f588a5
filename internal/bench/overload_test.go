package bench

import (
	"crypto/sha256"
	"testing"
	"time"

	"votenode/app/tx"
)

// some is a source of so many transactions of one byte.
func some(n int) source {
	next := 0
	return func(k int) (raws [][]byte, err error) {
		for ; len(raws) < k && next < n; next++ {
			raws = append(raws, []byte{byte(next)})
		}
		return raws, nil
	}
}

// TestCrowd: ballots come each once, then those that were refused and are due, then those that are recorded; patient voters come again
// before others come at all.
func TestCrowd(t *testing.T) {
	c := &crowd{fresh: some(4), known: func(n int) [][]byte { return [][]byte{{99}} }, begin: time.Now()}
	take := func(want ...byte) {
		t.Helper()
		raws, err := c.take(2)
		if err != nil || len(raws) != len(want) {
			t.Fatalf("%v instead of %v: %v", raws, want, err)
		}
		for i, raw := range raws {
			if raw[0] != want[i] {
				t.Errorf("%v instead of %v", raws, want)
			}
		}
	}
	take(0, 1)
	c.put([][]byte{{0}, {1}})
	take(2, 3)
	if take(0, 1); c.repeating != 0 {
		t.Error("what is offered for the first time counts as repeated")
	}
	if take(99); c.repeating == 0 {
		t.Error("it is not told that recorded ballots are offered again")
	}
	c.pause = time.Hour
	c.put([][]byte{{2}})
	take(99)
	c.known = nil
	take()
	c = &crowd{fresh: some(4), patient: true}
	c.put([][]byte{{7}})
	take(7)
	take(0, 1)
}

// TestLedgerOfACrowd: what is accepted twice counts once, what stands in a block is kept and comes again no other way, and the accounts add
// up; they do not where something was recorded that nobody accepted.
func TestLedgerOfACrowd(t *testing.T) {
	l := newLedger(2, unwatched)
	l.keeping = true
	a, b := []byte{1}, []byte{2}
	offer := func(raw []byte, found answer) [][]byte {
		l.offered([][]byte{raw})
		return l.answered([][]byte{raw}, []answer{found})
	}
	if later := offer(a, answer{code: tx.CodeRetryLater}); len(later) != 1 {
		t.Error("what was refused for want of room does not come again")
	}
	offer(a, answer{code: tx.CodeOK})
	offer(a, answer{code: tx.CodeOK, promised: true})
	l.saw(0, [][][32]byte{{sha256.Sum256(a)}}, 1)
	if again := l.repeat(2); len(again) != 1 || again[0][0] != 1 {
		t.Errorf("recorded: %v", again)
	}
	offer(a, answer{code: tx.CodeAlreadyDone})
	if later := offer(a, answer{code: tx.CodeRetryLater}); len(later) != 0 {
		t.Error("a recorded one comes again twice")
	}
	if got := l.accounts; got.Fault() != nil || got.Offered != 5 || got.Accepted != 1 || got.Again != 1 || got.Slipped != 1 || got.RetryLater != 2 || got.Recorded != 1 {
		t.Errorf("%+v: %v", got, got.Fault())
	}
	offer(b, answer{code: tx.CodeRetryLater})
	l.saw(1, [][][32]byte{{sha256.Sum256(b)}}, 2)
	if got := l.close(); got.Fault() == nil {
		t.Errorf("recorded without being accepted: %+v", got)
	}
}

// TestTally: a flood's answers must be as many as its offers, and none of its ballots may be accepted.
func TestTally(t *testing.T) {
	told := &tally{answers: map[string]uint64{}}
	told.offered(make([][]byte, 2))
	told.answered(nil, []answer{{code: tx.CodeBadProof}})
	if told.fault(false) == nil {
		t.Error("an offer without an answer is overlooked")
	}
	told.answered(nil, []answer{{code: tx.CodeOK}})
	if told.fault(true) != nil || told.fault(false) == nil {
		t.Error("a bad ballot that is accepted is overlooked, or a poll's answer is not")
	}
}
