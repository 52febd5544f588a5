package abci

import (
	"bytes"
	"testing"

	"votenode/app/tx"
)

// TestCrashPoints kills the application between any two steps of a block, as docs/spec section 7.5 lists them, and hands it what
// CometBFT hands over at the next start. The state, the verdict of the clock rule and the results are those of a node that was not
// killed.
func TestCrashPoints(t *testing.T) {
	for _, c := range []struct {
		name   string
		steps  func(l *ledger) // of Commit, up to the kill
		stored bool            // whether the height is stored
	}{
		{"after FinalizeBlock", func(*ledger) {}, false},
		{"after the local time", func(l *ledger) {
			if err := l.app.clock.set(l.app.next.tip.Height, l.now.Load()); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"after the state", func(l *ledger) {
			if err := l.app.clock.set(l.app.next.tip.Height, l.now.Load()); err != nil {
				t.Fatal(err)
			}
			if err := l.app.ledger.Commit(l.app.next.block); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"after Commit", func(l *ledger) { l.commit() }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			killed, whole, b := twins(t)
			block := [][]byte{b.cast(t, 0, 1), publish(1)}
			want := whole.finalize(block...)
			whole.commit()

			res := killed.finalize(block...)
			c.steps(killed)
			killed.close()
			killed.open()
			info, err := killed.app.Info(t.Context(), nil)
			if err != nil || (info.LastBlockHeight == 2) != c.stored {
				t.Fatal(info, err)
			}
			if c.stored {
				killed.app.Recover(2, block, res)
			} else {
				killed.time -= 1e9
				killed.now.Add(3_600e9) // the node was down for an hour
				if again := killed.finalize(block...); !bytes.Equal(again.AppHash, want.AppHash) {
					t.Error("the block gives another state the second time")
				}
				killed.commit()
			}
			if k, w := killed.app.ledger.Newest().AppHash(), whole.app.ledger.Newest().AppHash(); k != w {
				t.Errorf("%x instead of %x", k, w)
			}
			if r, ok := killed.app.results.Find(hashOf(block[0])); !ok || r.Code != tx.CodeOK || r.Height != 2 {
				t.Errorf("%+v, %v", r, ok)
			}
			next := [][]byte{b.cast(t, 1, 1)}
			killed.time = whole.time
			if k, w := killed.finalize(next...), whole.finalize(next...); !bytes.Equal(k.AppHash, w.AppHash) {
				t.Error("the next block differs")
			}
		})
	}
}
