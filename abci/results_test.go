package abci

import (
	"slices"
	"testing"

	dbm "github.com/cometbft/cometbft-db"
	abcitypes "github.com/cometbft/cometbft/abci/types"

	"votenode/app/tx"
)

func TestResults(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	ballot, twice, document := b.cast(t, 0, 1), b.cast(t, 0, 2), publish(1)
	l.block(ballot, document, document, twice)
	l.block(ballot) // anybody may bring it again
	l.block()
	expect := func(raw []byte, height int64, index uint32, code tx.Code) {
		t.Helper()
		if r, ok := l.app.results.Find(hashOf(raw)); !ok || r.Height != height || r.Index != index || r.Code != code {
			t.Errorf("%+v, %v", r, ok)
		}
	}
	check := func() {
		t.Helper()
		expect(ballot, 2, 0, tx.CodeOK)
		expect(document, 2, 1, tx.CodeOK)
		expect(twice, 2, 3, tx.CodeTooSoon)
		if _, ok := l.app.results.Find(hashOf(publish(2))); ok {
			t.Error("an unknown transaction is found")
		}
		for height, want := range map[int64][]tx.Code{2: {tx.CodeOK, tx.CodeOK, tx.CodeAlreadyDone, tx.CodeTooSoon}, 3: {tx.CodeSequence}, 4: {}} {
			o, err := l.app.results.Outcome(height)
			if err != nil || o == nil || !slices.Equal(o.Codes, want) {
				t.Errorf("height %d: %+v, %v", height, o, err)
			}
		}
		if o, _ := l.app.results.Outcome(2); len(o.Events) != 1 || o.Events[0].Type != "document" || len(o.Events[0].Attributes) != 1 {
			t.Errorf("%+v", o)
		}
		if o, err := l.app.results.Outcome(5); o != nil || err != nil {
			t.Error("a block that does not exist has an outcome", o, err)
		}
	}
	check()
	l.close()
	l.open()
	check()
}

// TestResultsAfterKill: a node that was killed before it wrote the results of its newest block gets them from what CometBFT kept.
func TestResultsAfterKill(t *testing.T) {
	l := newLedger(t)
	raws := [][]byte{publish(1), publish(1)}
	res := l.finalize(raws...)
	l.commit()
	if err := l.app.results.Wait(); err != nil {
		t.Fatal(err)
	}
	fresh := NewResults(dbm.NewMemDB()) // as if nothing had been written
	l.app.results.Close()
	l.app.results = fresh
	l.app.Recover(1, raws, res)
	if err := fresh.Wait(); err != nil {
		t.Fatal(err)
	}
	fresh.newest = nil // read what is stored
	if r, ok := fresh.Find(hashOf(raws[0])); !ok || r.Code != tx.CodeOK || r.Height != 1 || r.Index != 0 {
		t.Errorf("%+v, %v", r, ok)
	}
	fresh.last = nil
	if o, err := fresh.Outcome(1); err != nil || !slices.Equal(o.Codes, []tx.Code{tx.CodeOK, tx.CodeAlreadyDone}) || len(o.Events) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	l.app.Recover(1, raws, new(abcitypes.ResponseFinalizeBlock)) // does not fit: ignored
}

func TestGiveUpIsBounded(t *testing.T) {
	r := NewResults(dbm.NewMemDB())
	for i := range maxGivenUp + 10 {
		r.GiveUp([32]byte{byte(i), byte(i >> 8), byte(i >> 16), 1}, tx.Refuse(tx.CodeTooSoon, "x"))
	}
	if len(r.given) != maxGivenUp || len(r.queue) != maxGivenUp {
		t.Errorf("%d and %d are remembered", len(r.given), len(r.queue))
	}
	if _, ok := r.Find([32]byte{0, 0, 0, 1}); ok {
		t.Error("the oldest is still there")
	}
}
