package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"votenode/app/state"
)

// faulty passes the calls of a commit on to Badger. Its transactions take few entries, so that a height needs several; at one
// call it fails, after Badger has stored what was asked ("stored") or without asking it.
type faulty struct {
	transaction
	plan    *plan
	entries int
}

// plan says at which call to fail.
type plan struct {
	limit  int // entries of a transaction
	at     int // number of the failing call; 0: none
	stored bool
	calls  int
}

var errInjected = errors.New("injected fault")

func (p *plan) install(s *Store) {
	begin := s.begin
	s.begin = func(version uint64) transaction { return &faulty{transaction: begin(version), plan: p} }
}

func (f *faulty) call(forward func() error) error {
	f.plan.calls++
	if f.plan.calls != f.plan.at {
		return forward()
	}
	if f.plan.stored {
		if err := forward(); err != nil {
			return err
		}
	}
	return errInjected
}

func (f *faulty) entry(forward func() error) error {
	if f.entries == f.plan.limit {
		return badger.ErrTxnTooBig
	}
	f.entries++
	return f.call(forward)
}

func (f *faulty) Set(key, value []byte) error {
	return f.entry(func() error { return f.transaction.Set(key, value) })
}

func (f *faulty) Delete(key []byte) error {
	return f.entry(func() error { return f.transaction.Delete(key) })
}

func (f *faulty) CommitAt(version uint64, callback func(error)) error {
	return f.call(func() error { return f.transaction.CommitAt(version, callback) })
}

// At every call of the commit of height 3, failed and stored or failed and not stored: the store is back at a whole height,
// and goes on to the same AppHashes.
func TestFaultAtEveryCall(t *testing.T) {
	want := reference(t, 6)
	run := func(t *testing.T, p *plan) (calls int) {
		dir := t.TempDir()
		s := open(t, Options{Dir: dir})
		l := openLedger(t, s)
		for range 3 {
			mustNext(t, l)
		}
		p.install(s)
		_, err := next(l)
		if p.at == 0 || p.calls < p.at {
			if err != nil {
				t.Fatal(err)
			}
			return p.calls
		}
		if !errors.Is(err, errInjected) {
			t.Fatalf("the injected fault came out as %v", err)
		}
		if h, _ := s.Height(); h != 2 || l.Newest().Height() != 2 {
			t.Fatalf("height %d after a failed commit", h)
		}
		if _, err := next(l); !errors.Is(err, ErrFailed) {
			t.Fatalf("a commit after a failed one: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, Options{Dir: dir})
		l = openLedger(t, s)
		h := l.Newest().Height()
		if h != 2 && h != 3 || l.Newest().AppHash() != want[h] {
			t.Fatalf("height %d, AppHash %x after the fault", h, l.Newest().AppHash())
		}
		for h++; h < 6; h++ {
			if got := mustNext(t, l); got != want[h] {
				t.Fatalf("height %d: AppHash %x, want %x", h, got, want[h])
			}
		}
		return p.calls
	}
	for _, limit := range []int{1000, 10} {
		calls := run(t, &plan{limit: limit})
		step := 1
		if testing.Short() {
			step = 5
		}
		for at := 1; at <= calls; at += step {
			for _, stored := range []bool{false, true} {
				t.Run(fmt.Sprintf("limit %d, call %d of %d, stored %t", limit, at, calls, stored), func(t *testing.T) {
					run(t, &plan{limit: limit, at: at, stored: stored})
				})
			}
		}
	}
}

// half leaves a store in which a crash has cut the commit of height 3 after its first transactions.
func half(t *testing.T) (dir string) {
	dir = t.TempDir()
	s := open(t, Options{Dir: dir})
	l := openLedger(t, s)
	for range 3 {
		mustNext(t, l)
	}
	(&plan{limit: 5, at: 10}).install(s)
	if _, err := next(l); !errors.Is(err, errInjected) {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestHalfHeightIsNotRead(t *testing.T) {
	s := open(t, Options{Dir: half(t)})
	if !s.leftover {
		t.Fatal("nothing was left by the crash")
	}
	if _, err := s.At(3); !errors.Is(err, state.ErrPruned) {
		t.Fatalf("the height that does not exist: %v", err)
	}
	seen := 0
	r, err := s.At(2)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]bool{}
	err = r.Iterate(nil, func(key, _ []byte) error {
		seen++
		in[string(key)] = true
		return nil
	})
	if err != nil || seen == 0 {
		t.Fatalf("%d keys, %v", seen, err)
	}
	txn := s.db.NewTransactionAt(version(3), false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{SinceTs: version(2)})
	defer it.Close()
	fresh := 0
	for it.Rewind(); it.Valid(); it.Next() {
		if key := string(it.Item().Key()); !in[key] {
			fresh++
			if value, err := r.Get([]byte(key)); value != nil || err != nil {
				t.Errorf("key %q of the half height is read: %v", key, err)
			}
		}
	}
	if fresh == 0 {
		t.Error("the half height has no key of its own")
	}
}

// A height that is executed again must write what the crash left; anything else means that it was another block.
func TestOtherBlockAfterCrash(t *testing.T) {
	for name, change := range map[string]func(d *state.Draft){
		"other":   func(d *state.Draft) { d.SetRecord("chain", []byte("other")) },
		"nothing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{Dir: half(t)})
			l := openLedger(t, s)
			d := l.NewDraft()
			if change != nil {
				change(d)
			}
			b, err := d.Finish()
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Commit(b); !errors.Is(err, state.ErrCorrupted) {
				t.Fatalf("another block than the one that crashed: %v", err)
			}
			if got, want := mustNext(t, l), reference(t, 4)[3]; got != want {
				t.Fatalf("AppHash %x, want %x", got, want)
			}
		})
	}
}
