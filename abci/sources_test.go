package abci

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	dbm "github.com/cometbft/cometbft-db"

	"votenode/app/state"
	"votenode/app/tx"
)

// put has a source submit n transactions of a size and returns how many there was room for.
func (q *sources) put(source string, n, size int) (taken int) {
	raw := make([]byte, size)
	for range n {
		if q.submit(source, raw, [32]byte{}) != nil {
			taken++
		}
	}
	return taken
}

// tally counts a batch by source.
func tally(batch []submission) map[string]int {
	n := map[string]int{}
	for _, s := range batch {
		if s.local() {
			n[s.source]++
		} else {
			n["peers"]++
		}
	}
	return n
}

// TestSourcesTakeTurns: one that comes behind thousands of three others is served within a round, and what one source brings keeps its order.
func TestSourcesTakeTurns(t *testing.T) {
	q := newSources(nobody)
	for _, flood := range []string{"a", "b", "c"} {
		if q.put(flood, 1_000, 1) != 1_000 {
			t.Fatal("no room")
		}
	}
	q.take(batchCount)
	q.put("late", 1, 1)
	if batch := q.take(4); tally(batch)["late"] != 1 {
		t.Errorf("not within a round: %v", tally(batch))
	}
	if got := tally(q.take(300)); got["a"] != 100 || got["b"] != 100 || got["c"] != 100 {
		t.Errorf("the turns are not even: %v", got)
	}
	q = newSources(nobody)
	for i := range 50 {
		q.submit(fmt.Sprint(i%3), []byte{byte(i)}, [32]byte{})
	}
	last := map[string]byte{}
	for batch := q.take(7); len(batch) > 0; batch = q.take(7) {
		for _, s := range batch {
			if before, ok := last[s.source]; ok && before >= s.raw[0] {
				t.Errorf("source %s: %d comes behind %d", s.source, s.raw[0], before)
			}
			last[s.source] = s.raw[0]
		}
	}
}

// TestPeersAndClients: of a batch clients have a quarter and peers the rest while both have enough waiting, and each all of what the other does
// not use.
func TestPeersAndClients(t *testing.T) {
	for _, c := range []struct{ clients, peers, n, fromClients, fromPeers int }{
		{1000, 1000, 512, 128, 384},
		{1000, 1000, 1, 0, 1},
		{1000, 10, 512, 502, 10},
		{10, 1000, 512, 10, 502},
		{1000, 300, 512, 212, 300},
		{1000, 0, 512, 512, 0},
		{0, 1000, 512, 0, 512},
		{3, 4, 512, 3, 4},
		{0, 0, 512, 0, 0},
	} {
		q := newSources(nobody)
		q.put("a", c.clients/2, 1)
		q.put("b", c.clients-c.clients/2, 1)
		for range c.peers {
			q.receive([]byte{1})
		}
		got := tally(q.take(c.n))
		if got["a"]+got["b"] != c.fromClients || got["peers"] != c.fromPeers {
			t.Errorf("%+v: %v", c, got)
		}
		if left := len(q.arrived); (left == 1) != (c.clients+c.peers > 0) {
			t.Errorf("%+v: %d tokens", c, left)
		}
	}
}

// TestRoomForEverySource: one alone has half of the queue, and others still find room, in number and in bytes; no bound is ever passed.
func TestRoomForEverySource(t *testing.T) {
	for name, c := range map[string]struct{ size, alone int }{
		"number": {1, clientCount / 2},
		"bytes":  {1 << 20, clientBytes >> 21},
	} {
		t.Run(name, func(t *testing.T) {
			q := newSources(nobody)
			if got := q.put("greedy", 2*clientCount, c.size); got != c.alone {
				t.Errorf("one alone has %d places, not %d", got, c.alone)
			}
			left := c.alone
			for i := range 4 {
				got := q.put(fmt.Sprint(i), clientCount, c.size)
				if got != (left+1)/2 {
					t.Errorf("source %d has %d places of %d", i, got, left)
				}
				left -= got
			}
			if q.put("greedy", 1, c.size) != 0 {
				t.Error("whoever has most gets more")
			}
			if q.count > clientCount || q.bytes > clientBytes {
				t.Errorf("%d transactions, %d bytes", q.count, q.bytes)
			}
		})
	}
	t.Run("one transaction", func(t *testing.T) {
		if q := newSources(nobody); q.put("a", 1, clientBytes+1) != 0 || q.put("a", 1, clientBytes) != 1 || q.put("b", 1, 1) != 0 {
			t.Error("the bytes are not bounded")
		}
	})
}

// TestSourcesAreForgotten: nothing of a source is left when nothing of it waits, nor where there was no room.
func TestSourcesAreForgotten(t *testing.T) {
	q := newSources(nobody)
	q.put("a", 3, 7)
	q.put("b", 1, 7)
	q.receive(make([]byte, 7))
	q.put("c", 1, clientBytes)
	if _, kept := q.lines["c"]; kept {
		t.Error("a source is remembered for which there was no room")
	}
	for range 5 {
		q.take(1)
	}
	if len(q.lines) != 0 || q.turn.Len() != 0 || q.count != 0 || q.bytes != 0 || q.peers.bytes != 0 {
		t.Errorf("left: %v, %d turns, %d transactions of %d bytes", q.lines, q.turn.Len(), q.count, q.bytes)
	}
}

// TestSourcesConcurrently: the bounds hold, and nothing is lost, while many submit and the verifier takes.
func TestSourcesConcurrently(t *testing.T) {
	q := newSources(nobody)
	var group sync.WaitGroup
	var put, over atomic.Int64
	for client := range 8 {
		random := rand.New(rand.NewPCG(uint64(client), 3))
		group.Go(func() {
			for range 2_000 {
				put.Add(int64(q.put(fmt.Sprint(random.IntN(5)), 1, random.IntN(200_000))))
				if random.IntN(2) == 0 && q.receive(make([]byte, random.IntN(200_000))) {
					put.Add(1)
				}
				q.mu.Lock()
				if q.count > clientCount || q.bytes > clientBytes || len(q.peers.waiting) > inboxCount || q.peers.bytes > inboxBytes {
					over.Add(1)
				}
				q.mu.Unlock()
			}
		})
	}
	ended := make(chan struct{})
	go func() { group.Wait(); close(ended) }()
	took := int64(0)
	for running := true; running; {
		select {
		case <-ended:
			running = false
		default:
			took += int64(len(q.take(17)))
		}
	}
	for n := len(q.take(100)); n > 0; n = len(q.take(100)) {
		took += int64(n)
	}
	if over.Load() != 0 || took != put.Load() {
		t.Errorf("the bounds are passed %d times; %d are put, %d taken", over.Load(), put.Load(), took)
	}
	if len(q.lines) != 0 || q.bytes != 0 || q.count != 0 {
		t.Errorf("left: %d lines, %d transactions of %d bytes", len(q.lines), q.count, q.bytes)
	}
}

// held returns a node whose verifier stands still in the writing of a slip, and what lets it go on. Another transaction is promised.
func held(t *testing.T, amend func(*Options)) (l *ledger, b *booth, release func()) {
	t.Helper()
	db := new(hooked)
	l, b = on(t, func(o *Options) {
		o.Pool = DefaultPoolLimits()
		o.Pool.PerSigner = clientCount
		db.DB, o.Slips = o.Slips, db
		if amend != nil {
			amend(o)
		}
	})
	stands, goes := make(chan struct{}), make(chan struct{})
	first := b.cast(t, voters-1, 1)
	db.before = func() error {
		close(stands)
		<-goes
		return nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := l.app.Submit(t.Context(), "first", first); err != nil {
			t.Error(err)
		}
	}()
	<-stands
	db.before = nil
	return l, b, sync.OnceFunc(func() { close(goes); <-done })
}

// TestLoneBallotBesideAFlood: thousands of one source wait when another brings a ballot: it comes into the pool at most one behind.
func TestLoneBallotBesideAFlood(t *testing.T) {
	l, b, release := held(t, nil)
	defer release()
	var flood [][]byte
	for n := range clientCount / 2 {
		flood = append(flood, publish(n))
	}
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := l.app.Submit(t.Context(), "flood", flood...); err != nil {
			t.Error(err)
		}
	})
	for l.app.sources.waiting() < len(flood) {
		runtime.Gosched()
	}
	lone := b.cast(t, 0, 1)
	group.Go(func() {
		if a, err := l.app.Submit(t.Context(), "lone", lone); err != nil || len(a[0].Slip) == 0 {
			t.Errorf("%v, %v", a, err)
		}
	})
	for l.app.sources.waiting() <= len(flood) {
		runtime.Gosched()
	}
	release()
	group.Wait()
	place := 0
	for e := l.app.pool.order.Front(); e != nil; e = e.Next() {
		if e.Value.(*waiting).verified.Parsed().Hash() == hashOf(lone) {
			break
		}
		place++
	}
	if place > 2 { // the ballot in hand, and one of the flood
		t.Errorf("%d are before it", place)
	}
}

// TestFullAnswersAtOnce: while the verifier stands still and a source's line is full, the answer comes, and says nothing of the bytes but
// what was promised; another source is taken in.
func TestFullAnswersAtOnce(t *testing.T) {
	var l *ledger
	var b *booth
	var release func()
	l, b, release = held(t, nil)
	defer release()
	// A slip that was signed before.
	known, slip := b.cast(t, 1, 1), []byte("a slip")
	if err := l.app.slips.db.Set(slipKey(slipPrefix, hashOf(known)), slip); err != nil {
		t.Fatal(err)
	}
	for n := range clientCount / 2 {
		if l.app.sources.submit("flood", []byte{byte(n)}, [32]byte{}) == nil {
			t.Fatal("no room")
		}
	}
	answers, err := l.app.Submit(t.Context(), "flood", []byte("no transaction"), known, publish(1))
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if a.Code != tx.CodeRetryLater || a.Detail != errFull.Detail || (i == 1) != bytes.Equal(a.Slip, slip) {
			t.Errorf("%d: %+v", i, a)
		}
	}
	if refused := l.app.Intake().Refused; len(refused) != 1 || refused[tx.CodeRetryLater] != 3 {
		t.Errorf("counted: %v", refused)
	}
	if l.app.sources.submit("another", publish(2), hashOf(publish(2))) == nil {
		t.Error("no room for another source")
	}
}

// gauge counts how many read a database at once.
type gauge struct {
	dbm.DB
	now, most *atomic.Int64
}

func (g gauge) Get(k []byte) ([]byte, error) {
	n := g.now.Add(1)
	defer g.now.Add(-1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
	runtime.Gosched()
	return g.DB.Get(k)
}

// TestChecksAtOnce: however many callers there are, no more transactions are decoded and checked at once than there are cores.
func TestChecksAtOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	var now, most atomic.Int64
	l := newLedgerOf(t, func(o *Options) {
		o.Pool = DefaultPoolLimits()
		o.Pool.PerSigner = 10_000
		o.Results = gauge{o.Results, &now, &most}
	})
	var group sync.WaitGroup
	for client := range 64 {
		group.Go(func() {
			for n := range 5 {
				if a, err := l.app.Submit(t.Context(), fmt.Sprint(client), publish(100*client+n)); err != nil || a[0].Code != tx.CodeOK {
					t.Error(a, err)
				}
			}
		})
	}
	group.Wait()
	if most.Load() > 3 || most.Load() == 0 {
		t.Errorf("%d at once", most.Load())
	}
}

// nobody marks no source.
func nobody(string) bool { return false }

// TestSourcesMarkedAreApart: a batch has few transactions of marked sources, behind those of others; these few are certain, and a line changes
// sides when its source's mark does.
func TestSourcesMarkedAreApart(t *testing.T) {
	marked := map[string]bool{"a": true, "b": true}
	q := newSources(func(source string) bool { return marked[source] })
	q.put("a", 500, 1)
	q.put("b", 500, 1)
	if got := tally(q.take(batchCount)); got["a"] != markedCount/2 || got["b"] != markedCount/2 || len(got) != 2 {
		t.Errorf("alone: %v", got)
	}
	q.put("c", 1_000, 1)
	batch := q.take(batchCount)
	if got := tally(batch); got["a"] != markedCount/2 || got["b"] != markedCount/2 || got["c"] != batchCount-markedCount {
		t.Errorf("beside others: %v", got)
	}
	if batch[0].source != "c" {
		t.Error("a marked source comes first")
	}
	delete(marked, "a")
	marked["c"] = true
	for range 2 { // each line was put where it stands before
		q.take(4)
	}
	if got := tally(q.take(32)); got["a"] < 25 {
		t.Errorf("whose mark has gone is kept apart: %v", got)
	}
	for len(q.take(batchCount)) > 0 {
	}
	if len(q.lines) != 0 || q.turn.Len() != 0 || q.apart.Len() != 0 || q.count != 0 || q.bytes != 0 {
		t.Errorf("left: %d lines, %d and %d in turn, %d transactions, %d bytes", len(q.lines), q.turn.Len(), q.apart.Len(), q.count, q.bytes)
	}
}

// TestSubmitWithdraws: what waits in line when its bearer waits no more is not taken in later, and the answer says so; what the verifier has
// in hand is decided.
func TestSubmitWithdraws(t *testing.T) {
	l := newLedger(t)
	held, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	verify := l.app.verifyAll
	l.app.verifyAll = func(view state.View, list []*tx.Parsed, rand io.Reader) ([]tx.Verdict, error) {
		once.Do(func() {
			close(held)
			<-goOn
		})
		return verify(view, list, rand)
	}
	submit := func(ctx context.Context, raws ...[]byte) <-chan []Admission {
		answers := make(chan []Admission, 1)
		go func() {
			a, err := l.app.Submit(ctx, "a", raws...)
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}()
		return answers
	}
	ctx, cancel := context.WithCancel(t.Context())
	inHand := submit(ctx, publish(1))
	<-held
	late, patient := submit(ctx, publish(2), publish(3)), submit(t.Context(), publish(4))
	for l.app.sources.waiting() < 3 {
		runtime.Gosched()
	}
	cancel()
	if a := <-late; a[0].Code != tx.CodeRetryLater || a[1].Code != tx.CodeRetryLater {
		t.Errorf("what waited: %v", a)
	}
	if n := l.app.sources.waiting(); n != 1 {
		t.Errorf("%d wait", n)
	}
	close(goOn)
	if a := <-inHand; a[0].Code != tx.CodeOK {
		t.Errorf("what the verifier had in hand: %v", a)
	}
	if a := <-patient; a[0].Code != tx.CodeOK {
		t.Errorf("another's: %v", a)
	}
	if l.app.pool.get(hashOf(publish(2))) != nil || l.app.pool.get(hashOf(publish(3))) != nil {
		t.Error("what was withdrawn is in the pool")
	}
}
