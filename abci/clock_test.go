package abci

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"votenode/app"
	"votenode/app/tx"
)

// TestAheadOfClock: a block time up to 5 seconds ahead of the local clock is accepted, and not a nanosecond more; an old one always.
func TestAheadOfClock(t *testing.T) {
	l := newLedger(t)
	l.block()
	for _, c := range []struct {
		ahead int64
		want  bool
	}{{app.MaxAhead, true}, {app.MaxAhead + 1, false}, {0, true}, {-3_600e9, true}, {60e9, false}} {
		if got := l.processAt(l.now.Load()+c.ahead, publish(1)); got != c.want {
			t.Errorf("%d ns ahead: accepted is %v", c.ahead, got)
		}
	}
}

// edge returns a ledger with an election, whose block 1 was committed when the local clock stood at a time relative to the last
// moment at which ballots are accepted.
func edge(t *testing.T, relative int64) (*ledger, *booth) {
	t.Helper()
	l, b := newLedger(t), newBooth(t)
	l.now.Store(closing*1e9 + app.MaxLate + relative)
	plant(l, b)
	return l, b
}

// TestLateBallots: the clock at which this node committed the block before decides on ballots, not the clock of the moment.
func TestLateBallots(t *testing.T) {
	l, b := edge(t, 0)
	ballot := b.cast(t, 0, 1)
	if !l.process(ballot) {
		t.Error("a ballot at the last moment is refused")
	}
	l.now.Add(3_600e9)
	if !l.process(ballot) {
		t.Error("the answer changes within the height")
	}
	l, b = edge(t, 1)
	if ballot = b.cast(t, 0, 1); l.process(ballot) {
		t.Error("a ballot after the last moment is accepted")
	}
	if !l.process(publish(1)) || !l.process() {
		t.Error("a block without ballots is refused")
	}
}

// TestLockedAcrossTheEdge plays rounds of one height: a block with a ballot is prevoted in round 0, its proposer dies, the clock
// passes the edge, and the block is proposed again in later rounds, to the same node, to the same node after a restart, and after a
// kill between the two writes of Commit. The answer stays. Only the next height refuses.
func TestLockedAcrossTheEdge(t *testing.T) {
	l, b := edge(t, -1e9)
	ballot := b.cast(t, 0, 1)
	for round := range 3 {
		if !l.process(ballot) {
			t.Fatalf("refused in round %d", round)
		}
		l.now.Add(100e9)
	}
	l.close()
	l.open()
	if !l.process(ballot) {
		t.Fatal("refused after a restart")
	}
	if got := l.prepare(math.MaxInt64); len(got) != 0 {
		t.Error("a node whose clock has passed the edge proposes ballots")
	}
	if codes := l.block(ballot); codes[0] != tx.CodeOK {
		t.Fatal(codes)
	}
	if l.process(b.cast(t, 1, 1)) {
		t.Error("accepted at the next height, which began after the edge")
	}
}

// TestPrepareByTheClockOfTheMoment: a proposer leaves ballots out as soon as its own clock has passed the edge, though it would
// still accept them, and proposes everything else.
func TestPrepareByTheClockOfTheMoment(t *testing.T) {
	l, b := edge(t, 0)
	if codes := l.submit(b.cast(t, 0, 1), publish(1)); codes[0] != tx.CodeOK || codes[1] != tx.CodeOK {
		t.Fatal(codes)
	}
	if n := len(l.prepare(math.MaxInt64)); n != 2 {
		t.Errorf("%d transactions at the last moment", n)
	}
	l.now.Add(1)
	if n := len(l.prepare(math.MaxInt64)); n != 1 {
		t.Errorf("%d transactions after it", n)
	}
}

// TestCommitClock: the first time recorded for a height stays, also across opening the file again; without the file the present
// time is taken, and stays.
func TestCommitClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock.json")
	open := func() *commitClock {
		c, err := openCommitClock(path)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	at := func(c *commitClock, height, now, want int64) {
		t.Helper()
		if got, err := c.at(height, now); err != nil || got != want {
			t.Errorf("height %d: %d, %v instead of %d", height, got, err, want)
		}
	}
	c := open()
	at(c, 0, 100, 100)
	at(c, 0, 200, 100)
	if err := c.set(1, 300); err != nil {
		t.Fatal(err)
	}
	at(open(), 1, 400, 300)
	if err := open().set(1, 500); err != nil {
		t.Fatal(err)
	}
	at(open(), 1, 600, 300)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	at(open(), 1, 700, 700)
	at(open(), 1, 800, 700)
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openCommitClock(path); err == nil {
		t.Error("half a file is read")
	}
}
