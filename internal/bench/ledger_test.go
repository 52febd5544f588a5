package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"votenode/app/tx"
)

func idle() (time.Duration, int64) { return 0, 0 }

// TestAccounts: whatever a network does with ballots, the accounts tell it or do not add up.
func TestAccounts(t *testing.T) {
	raws := [][]byte{[]byte("a"), []byte("b"), []byte("c")}
	block := func(of ...int) (hashes [][32]byte) {
		for _, i := range of {
			hashes = append(hashes, sha256.Sum256(raws[i]))
		}
		return hashes
	}
	ok, later := answer{code: tx.CodeOK, promised: true}, answer{code: tx.CodeRetryLater}
	for name, c := range map[string]struct {
		answers []answer
		blocks  [][][32]byte
		fault   string
	}{
		"all recorded":      {[]answer{ok, ok, {}}, [][][32]byte{block(0), block(2, 1)}, ""},
		"one comes later":   {[]answer{ok, later, ok}, [][][32]byte{block(0, 2)}, ""},
		"one refused":       {[]answer{ok, {code: tx.CodeBadProof}, ok}, [][][32]byte{block(0, 2)}, ""},
		"one twice":         {[]answer{ok, ok, ok}, [][][32]byte{block(0, 1), block(1, 2)}, ""},
		"one lost":          {[]answer{ok, ok, ok}, [][][32]byte{block(0, 1)}, "3 were accepted and 2 recorded"},
		"one not accepted":  {[]answer{ok, ok, {code: tx.CodeBadProof}}, [][][32]byte{block(0, 1, 2)}, "2 were accepted and 3 recorded"},
		"another than told": {[]answer{ok, ok, later}, [][][32]byte{block(0, 2)}, "1 were recorded that nobody has accepted"},
	} {
		l := newLedger(3, idle)
		l.offered(raws)
		l.answered(raws, c.answers)
		for i, b := range c.blocks {
			l.saw(int64(i), [][][32]byte{b}, int64(i))
		}
		a := l.close()
		err := a.Fault()
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v: %+v", name, err, a)
		}
	}
	a := Accounts{Offered: 2, Accepted: 1, Recorded: 1}
	if a.Fault() == nil {
		t.Error("an offer without an answer is not missed")
	}
}

// TestCertifiedDelay: a ballot is certified when a height is that is not below its own.
func TestCertifiedDelay(t *testing.T) {
	l := newLedger(1, idle)
	raw := [][]byte{{1}}
	l.offered(raw)
	l.answered(raw, []answer{{}})
	l.saw(4, [][][32]byte{{sha256.Sum256(raw[0])}}, 4)
	if certifiedDelay(&l.entries[0]) >= 0 || recordDelay(&l.entries[0]) < 0 || slipDelay(&l.entries[0]) >= 0 {
		t.Errorf("%+v", l.entries[0])
	}
	l.saw(5, [][][32]byte{nil, nil}, 5)
	if certifiedDelay(&l.entries[0]) < 0 {
		t.Error("not certified")
	}
}

func TestDelays(t *testing.T) {
	var all []time.Duration
	for i := range 101 {
		all = append(all, time.Duration(100-i)*time.Millisecond)
	}
	if d := delaysOf(all); d != (Delays{50, 95, 99, 100}) {
		t.Error(d)
	}
	if delaysOf(nil) != (Delays{}) {
		t.Error("delays of nothing")
	}
}

// fullAtFirst has no room for a transaction the first time, and takes it the next time.
type fullAtFirst struct {
	mu   sync.Mutex
	seen map[string]int
	err  error
}

func (f *fullAtFirst) offer(_ context.Context, _ string, raws [][]byte) ([]answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answers := make([]answer, len(raws))
	for i, raw := range raws {
		if f.seen[string(raw)]++; f.seen[string(raw)] == 1 {
			answers[i].code = tx.CodeRetryLater
		}
	}
	return answers, f.err
}

// TestClients: everything that a source has is offered until it is taken, and nothing after.
func TestClients(t *testing.T) {
	l, nodes := newLedger(10, idle), []target{&fullAtFirst{seen: map[string]int{}}, &fullAtFirst{seen: map[string]int{}}}
	c := &clients{count: 3, batch: 2, pause: time.Nanosecond, ledger: l}
	if err := c.all(t.Context(), nodes, noise(11, 40)); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for _, n := range nodes {
		for _, times := range n.(*fullAtFirst).seen {
			if taken++; times != 2 {
				t.Errorf("one was offered %d times", times)
			}
		}
	}
	if a := l.accounts; taken != 11 || a.Offered != 22 || a.RetryLater != 11 || a.Accepted != 11 {
		t.Errorf("%d taken, %+v", taken, a)
	}
	broken := errors.New("broken")
	nodes[1].(*fullAtFirst).err = broken
	if err := c.all(t.Context(), nodes[1:], noise(11, 40)); !errors.Is(err, broken) {
		t.Error(err)
	}
}
