package abci

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	abcitypes "github.com/cometbft/cometbft/abci/types"

	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// insert hands a transaction in as a peer's and waits until the verifier has looked at everything.
func (l *ledger) insert(raws ...[]byte) {
	l.t.Helper()
	for _, raw := range raws {
		res, err := l.app.InsertTx(context.Background(), &abcitypes.RequestInsertTx{Tx: raw})
		if err != nil || res.Code != 0 {
			l.t.Fatal(res, err)
		}
	}
	l.drain()
}

// drain waits until everything that peers brought was looked at. The verifier empties the inbox before it takes up what is
// submitted after it, so a submission that comes back says so.
func (l *ledger) drain() {
	l.t.Helper()
	for n := 0; ; n++ {
		l.app.sources.mu.Lock()
		left := len(l.app.sources.peers.waiting)
		l.app.sources.mu.Unlock()
		if l.submit(publish(1_000_000 + n)); left == 0 {
			l.submit(publish(2_000_000 + n))
			return
		}
	}
}

func (l *ledger) reap(maxBytes uint64) [][]byte {
	l.t.Helper()
	res, err := l.app.ReapTxs(context.Background(), &abcitypes.RequestReapTxs{MaxBytes: maxBytes})
	if err != nil {
		l.t.Fatal(err)
	}
	return res.Txs
}

// verified returns a transaction as the pool takes it.
func (l *ledger) verified(raw []byte) *tx.Verified {
	l.t.Helper()
	parsed, err := tx.Parse(raw)
	if err != nil {
		l.t.Fatal(err)
	}
	found, err := l.app.verifyBatch(l.app.ledger.Newest(), []*tx.Parsed{parsed})
	if err != nil || found[0].Verified == nil {
		l.t.Fatal(found[0].Refusal, err)
	}
	return found[0].Verified
}

// as is an officer's transaction of a signer, another one for each n.
func as(signer string, n int) []byte {
	return tx.Sign(chainID, &pb.ApproveResolution{Resolution: bytes.Repeat([]byte{byte(n)}, 32)}, key(signer))
}

func TestPoolLimits(t *testing.T) {
	l := newLedger(t)
	size, memory := len(as("a", 1)), memoryOf(l.verified(as("a", 1)))
	p := newPool(PoolLimits{Bytes: 10*memory + memory/2, Count: 8, PerVoter: 2, PerSigner: 5}, 0)
	add := func(signer string, n int, want bool) {
		t.Helper()
		if got, _ := p.add(l.verified(as(signer, n)), true, 1); got != want {
			t.Errorf("%s %d: %v", signer, n, got)
		}
	}
	for n := range 5 {
		add("a", n, true)
	}
	add("a", 5, false)
	add("a", 4, true) // it waits already
	for n := range 3 {
		add("b", n, true)
	}
	add("b", 3, false) // the count
	p.limits.Count = 100
	add("b", 3, true)
	add("c", 0, true)
	add("c", 1, false) // the bytes
	p.remove(hashOf(as("a", 0)), hashOf(as("a", 0)), hashOf(as("z", 0)))
	add("c", 1, true)
	add("c", 2, false)
	if n, bytes := p.size(); n != 10 || bytes != 10*size || p.memory != 10*memory {
		t.Errorf("%d transactions, %d bytes, %d of memory", n, bytes, p.memory)
	}
	if len(p.owners[string(public("a"))]) != 4 {
		t.Errorf("owners: %v", p.owners)
	}
}

// TestPoolMemory: what the pool is bounded by is no less than what it takes.
func TestPoolMemory(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	raw := b.cast(t, 0, 1)
	const count = 2_000
	p := newPool(PoolLimits{Bytes: 1 << 30, Count: count, PerVoter: count, PerSigner: 1}, 0)
	ballots := make([]*tx.Verified, 0, count)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range count {
		ballots = append(ballots, l.verified(bytes.Clone(raw)))
	}
	for i, v := range ballots {
		w := newWaiting(v, 1)
		w.element = p.order.PushBack(w)
		p.byHash[[32]byte{byte(i), byte(i >> 8)}] = w
		p.owners[fmt.Sprint(i)] = []*waiting{w}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if took := int(after.HeapAlloc-before.HeapAlloc) / count; took > memoryOf(ballots[0]) || took < len(raw) {
		t.Errorf("a ballot of %d bytes takes %d bytes of memory and counts as %d", len(raw), took, memoryOf(ballots[0]))
	}
	runtime.KeepAlive(p)
}

func TestPoolSharePerVoter(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	var codes []tx.Code
	for _, ballot := range [][]byte{b.cast(t, 0, 1), b.cast(t, 0, 2), b.cast(t, 0, 3), b.cast(t, 1, 1)} {
		codes = append(codes, l.submit(ballot)...)
	}
	if fmt.Sprint(codes) != fmt.Sprint([]tx.Code{0, 0, tx.CodeRetryLater, 0}) { // two are promised, and wait beside each other
		t.Error(codes)
	}
}

// TestPoolOrder: a resolution that comes behind a queue of ballots is proposed before them, but behind what this node has promised.
func TestPoolOrder(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	ballots := [][]byte{b.cast(t, 0, 1), b.cast(t, 1, 1), b.cast(t, 2, 1)}
	l.submit(append(ballots, publish(1))...)
	l.app.pool.forget(hashOf(ballots[0]), hashOf(ballots[2]))
	promised, others := l.app.pool.propose(1)
	var kinds []tx.Kind
	for _, v := range others {
		kinds = append(kinds, v.Parsed().Kind())
	}
	if want := []tx.Kind{tx.KindPublishDocument, tx.KindCastBallot, tx.KindCastBallot}; !slices.Equal(kinds, want) {
		t.Errorf("%v, want %v", kinds, want)
	}
	if len(promised) != 1 || promised[0].Parsed().Hash() != hashOf(ballots[1]) {
		t.Errorf("promised: %v", promised)
	}
}

// TestPoolOffers: the peers get what came in here, once, in order, in bounded parts; again after some heights; and never what they
// brought themselves.
func TestPoolOffers(t *testing.T) {
	l := newLedger(t)
	p := newPool(DefaultPoolLimits(), 0)
	for n := range 4 {
		p.add(l.verified(as("a", n)), true, 1)
	}
	p.add(l.verified(as("b", 0)), false, 1)
	size := uint64(len(as("a", 0)))
	expect := func(height int64, maxBytes uint64, want ...int) {
		t.Helper()
		got := p.offer(height, maxBytes)
		if len(got) != len(want) {
			t.Fatalf("height %d: %d transactions instead of %d", height, len(got), len(want))
		}
		for i, n := range want {
			if !bytes.Equal(got[i], as("a", n)) {
				t.Errorf("height %d: place %d is not transaction %d", height, i, n)
			}
		}
	}
	expect(1, 2*size, 0, 1)
	expect(1, 1, 2) // one at least
	expect(2, 0, 3)
	expect(2, 0)
	expect(offerAgain, 0)
	expect(1+offerAgain, 0, 0, 1, 2)
	p.remove(hashOf(as("a", 3)))
	expect(2+offerAgain, 0)
	p.add(l.verified(as("a", 5)), true, 2)
	expect(1+2*offerAgain, 0, 5, 0, 1, 2)
	p.add(l.verified(as("b", 0)), true, 2) // brought by a peer before, submitted here now
	if got := p.offer(1+2*offerAgain, 0); len(got) != 1 || !bytes.Equal(got[0], as("b", 0)) {
		t.Error("a transaction that a peer had brought is not offered when it is submitted here")
	}
}

func TestPoolExpires(t *testing.T) {
	l := newLedger(t)
	p := newPool(DefaultPoolLimits(), 0)
	p.add(l.verified(as("a", 0)), true, 1)
	p.add(l.verified(as("a", 1)), false, 1)
	p.add(l.verified(as("a", 2)), true, 2)
	if given := p.expire(1 + poolLife); given != nil {
		t.Error("too early")
	}
	if given := p.expire(2 + poolLife); len(given) != 1 || given[0] != hashOf(as("a", 0)) {
		t.Errorf("given up: %x", given)
	}
	if n, _ := p.size(); n != 1 || len(p.offer(3, 0)) != 1 {
		t.Error("the younger one is gone too")
	}
}

// TestInsertTx: a peer's transaction is answered with 0 whatever it is worth; what is good can be proposed, is not offered to
// others, and what is bad is counted and gone.
func TestInsertTx(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	good := [][]byte{b.cast(t, 0, 1), publish(1)}
	var bad [][]byte
	for _, raw := range faults(t, b) {
		bad = append(bad, raw)
	}
	l.insert(append(bad, good...)...)
	for _, raw := range good {
		if l.app.pool.get(hashOf(raw)) == nil {
			t.Error("a good transaction of a peer is not in the pool")
		}
	}
	for _, raw := range bad {
		if l.app.pool.get(hashOf(raw)) != nil {
			t.Error("a bad transaction of a peer is in the pool")
		}
	}
	for _, raw := range l.reap(0) {
		if bytes.Equal(raw, good[0]) || bytes.Equal(raw, good[1]) {
			t.Error("what a peer brought is offered to the peers")
		}
	}
	intake := l.app.Intake()
	refused := uint64(0)
	for _, n := range intake.Refused {
		refused += n
	}
	if intake.FromPeers != uint64(len(good)) || refused != uint64(len(bad)) {
		t.Errorf("%+v", intake)
	}
}

// TestInsertTxFull: a full inbox answers "retry later", which is the one other code, and takes no more memory.
func TestInsertTxFull(t *testing.T) {
	q := newSources(nobody) // nobody empties it
	raw := make([]byte, 1<<20)
	taken := 0
	for q.receive(raw) {
		if taken++; taken > 2*inboxBytes/len(raw) {
			t.Fatal("it never fills")
		}
	}
	if taken != inboxBytes/len(raw) {
		t.Errorf("%d transactions are taken", taken)
	}
	if len(q.take(1)) != 1 || !q.receive(raw) {
		t.Error("room is not given back")
	}
	a := &Application{sources: q, counts: newCounts()}
	res, err := a.InsertTx(context.Background(), &abcitypes.RequestInsertTx{Tx: raw})
	if err != nil || tx.Code(res.Code) != tx.CodeRetryLater {
		t.Error(res, err)
	}
}

// TestSubmitConcurrently: many callers at once get each its own answer.
func TestSubmitConcurrently(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	var group sync.WaitGroup
	for voter := range voters {
		good, bad := b.cast(t, voter, 1), b.cast(t, (voter+1)%voters, 2)
		bad = flipped(bad, len(bad)-1)
		group.Go(func() {
			answers, err := l.app.Submit(context.Background(), "", good, bad, good)
			if err != nil || answers[0].Code != 0 || answers[1].Code == 0 || answers[2].Code != 0 || answers[0].Hash != hashOf(good) {
				t.Error(answers, err)
			}
		})
	}
	group.Wait()
	if n, _ := l.app.pool.size(); n != voters {
		t.Errorf("%d transactions wait", n)
	}
	l.block(l.prepare(1 << 20)...)
	if n, _ := l.app.pool.size(); n != 0 {
		t.Errorf("%d transactions wait after the block", n)
	}
}
