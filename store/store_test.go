package store

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"votenode/app/state"
)

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// fill writes a height that touches everything: records, logs, voters, an index.
func fill(d *state.Draft) {
	h := d.Height()
	if h == 0 {
		d.CreateVoters("primary", 1000)
		d.SetRecord("chain", []byte("test"))
	}
	d.SetRecord(fmt.Sprintf("sum/%d", h%7), []byte(fmt.Sprint("value ", h)))
	if h%5 == 4 {
		d.DeleteRecord(fmt.Sprintf("sum/%d", (h+3)%7))
	}
	ballots := 1 + h%4
	if h%10 == 9 {
		ballots = 300 // fills a tile
	}
	for i := range ballots {
		n := d.Append("election/primary/ballots", bytes.Repeat([]byte{byte(h), byte(i)}, 300))
		d.SetVoter("primary", (n*37)%1000, fmt.Appendf(nil, "ballot %d", n))
		d.SetIndex(fmt.Appendf(nil, "code/%d", n), []byte{1})
	}
	d.Append("blocks", fmt.Appendf(nil, "block %d", h))
}

// next drafts, finishes and commits a height, and returns its AppHash.
func next(l *state.Ledger) (state.Hash, error) {
	d := l.NewGenesis()
	if l.Newest() != nil {
		d = l.NewDraft()
	}
	fill(d)
	b, err := d.Finish()
	if err != nil {
		return state.Hash{}, err
	}
	return b.AppHash(), l.Commit(b)
}

func openLedger(t *testing.T, b state.Backend) *state.Ledger {
	t.Helper()
	l, err := state.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustNext(t *testing.T, l *state.Ledger) state.Hash {
	t.Helper()
	h, err := next(l)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// reference returns the AppHashes of the first heights, made in memory.
func reference(t *testing.T, heights int) (hashes []state.Hash) {
	t.Helper()
	l := openLedger(t, new(state.Memory))
	for range heights {
		hashes = append(hashes, mustNext(t, l))
	}
	return hashes
}

func TestReopen(t *testing.T) {
	want := reference(t, 30)
	dir := t.TempDir()
	for h := 0; h < 30; {
		s := open(t, Options{Dir: dir})
		l := openLedger(t, s)
		if before, err := l.At(int64(h - 2)); h > 1 && (err != nil || before.AppHash() != want[h-2]) {
			t.Fatalf("height %d after reopening: %v", h-2, err)
		}
		if n := l.Newest(); h > 0 && (n.Height() != int64(h-1) || n.AppHash() != want[h-1]) {
			t.Fatalf("height %d, AppHash %x after reopening, want %d, %x", n.Height(), n.AppHash(), h-1, want[h-1])
		}
		for range 7 {
			if h == 30 {
				break
			}
			if got := mustNext(t, l); got != want[h] {
				t.Fatalf("height %d: AppHash %x, want %x", h, got, want[h])
			}
			h++
		}
		for past := range h {
			old, err := state.OpenAt(s, int64(past))
			if err != nil || old.AppHash() != want[past] {
				t.Fatalf("loading height %d: %v", past, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCommitOrder(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	for _, h := range []int64{5, 6} {
		if err := s.Commit(h, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range []int64{5, 6, 8} {
		if err := s.Commit(h, nil); !errors.Is(err, state.ErrMisuse) {
			t.Fatalf("height %d after 6: %v", h, err)
		}
	}
}
