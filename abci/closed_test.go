package abci

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"votenode/app/tx"
)

// TestClosed: while the node takes nothing in, the answer is retry_later with the reason, and nothing waits; the slip of a ballot that was
// promised before is in the answer; afterwards the same bytes are taken.
func TestClosed(t *testing.T) {
	var closed error
	l, b := on(t, func(o *Options) { o.Closed = func() error { return closed } })
	kept, late := b.cast(t, 0, 1), b.cast(t, 1, 1)
	l.promise(kept)
	slip := l.ask(kept).Slip
	closed = errors.New("the disk is nearly full")
	if a := l.ask(late); a.Code != tx.CodeRetryLater || !strings.Contains(a.Detail, "the disk is nearly full") || a.Slip != nil {
		t.Errorf("%v, %q, a slip of %d bytes", a.Code, a.Detail, len(a.Slip))
	}
	if l.app.pool.get(hashOf(late)) != nil {
		t.Error("it waits")
	}
	if a := l.ask(kept); a.Code != tx.CodeRetryLater || !bytes.Equal(a.Slip, slip) {
		t.Errorf("%v, %q, a slip of %d bytes", a.Code, a.Detail, len(a.Slip))
	}
	if n := l.app.Intake().Refused[tx.CodeRetryLater]; n != 2 {
		t.Errorf("%d refusals are counted", n)
	}
	closed = nil
	l.promise(late)
}

// TestOverdue: a promise that no block keeps by its height is counted, also after a restart, until a block keeps it.
func TestOverdue(t *testing.T) {
	l, b := on(t, nil)
	raw := b.cast(t, 0, 1)
	s := l.promise(raw)
	overdue := func(want int) {
		t.Helper()
		if in := l.app.Intake(); in.Overdue != want {
			t.Errorf("at height %d, with a promise by %d, %d of %d are overdue", l.height(), s.Promised, in.Overdue, in.Promised)
		}
	}
	for l.height() < s.Promised-1 {
		l.block()
	}
	overdue(0)
	l.block()
	overdue(1)
	l.close()
	l.open()
	overdue(1)
	l.block(raw)
	overdue(0)
}

// TestIntakeTellsQueues: what waits for the verifier is counted by who brought it, verifying takes time, and a full line is one without room.
func TestIntakeTellsQueues(t *testing.T) {
	l, b := on(t, nil)
	l.promise(b.cast(t, 0, 1))
	if in := l.app.Intake(); in.Verified != 1 || in.Verifying <= 0 {
		t.Errorf("%d ballots verified in %v", in.Verified, in.Verifying)
	}
	if line, pool := l.app.Room(); !line || !pool {
		t.Error("an empty node has no room")
	}
	q := newSources(func(string) bool { return false })
	q.receive([]byte("x"))
	for i := range 3 {
		q.submit("a", []byte{byte(i)}, [32]byte{byte(i)})
	}
	if clients, peers := q.sizes(); clients != 3 || peers != 1 {
		t.Errorf("%d of clients and %d of peers", clients, peers)
	}
	if !q.roomy() {
		t.Error("a line of three has no room")
	}
	if q.count = clientCount; q.roomy() || q.submit("b", []byte("x"), [32]byte{9}) != nil {
		t.Error("a full line has room")
	}
	if q.count--; !q.roomy() || q.submit("b", []byte("x"), [32]byte{9}) == nil {
		t.Error("the last place is not given")
	}
	full := newPool(PoolLimits{Bytes: 1 << 20, Count: 0}, 0)
	if full.roomy() {
		t.Error("a pool for nothing has room")
	}
}
