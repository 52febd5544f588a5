package abci

import (
	"errors"
	"math"
	"testing"
	"time"

	"votenode/app/election"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// candidates puts ballots into the pool and returns them as the verifier hands them over, taken by the state after a height.
func (l *ledger) candidates(checked int64, raws ...[]byte) (list []candidate) {
	l.t.Helper()
	for _, raw := range raws {
		v := l.verified(raw)
		if ok, _ := l.app.pool.add(v, true, l.height()); !ok {
			l.t.Fatal("no room")
		}
		list = append(list, candidate{v, checked})
	}
	return list
}

// TestPromisesOfABatch: what a batch of ballots has in common is read once for a state, and again where a block comes in between: then
// the ballots behind it are checked against the new state, and their slips name its height.
func TestPromisesOfABatch(t *testing.T) {
	for name, c := range map[string]struct{ blockAt, turns int }{
		"one state":          {-1, 1},
		"a block in between": {5, 2},
	} {
		t.Run(name, func(t *testing.T) {
			turns, clock := 0, -1
			var l *ledger
			var b *booth
			l, b = on(t, func(o *Options) {
				o.Turns = func(int64, int64) (int, error) { turns++; return 1, nil }
				o.Now = func() time.Time {
					if clock >= 0 {
						if clock++; clock == c.blockAt+1 {
							clock = -1
							l.prepareWhole(math.MaxInt64)
							l.block(b.cast(t, 7, 9)) // another node's: the candidate of voter 7 has too low a number now
							clock = c.blockAt + 1
						}
					}
					return time.Unix(begin, 0)
				}
			})
			var raws [][]byte
			for voter := range 10 {
				raws = append(raws, b.cast(t, voter, 1))
			}
			list := l.candidates(l.height(), raws...)
			clock = 0
			answers := l.app.promiseAll(list)
			clock = -1
			if turns != c.turns {
				t.Errorf("turns are asked for %d times", turns)
			}
			for i, p := range answers {
				var refusal *tx.Refusal
				if c.blockAt >= 0 && i == 7 {
					if !errors.As(p.reason, &refusal) || refusal.Code != tx.CodeSequence || p.slip != nil {
						t.Errorf("a ballot that the newest state refuses: %v", p)
					}
					continue
				}
				want, s := int64(1), new(pb.AcceptanceSlip)
				if c.blockAt >= 0 && i >= c.blockAt {
					want = 2
				}
				if election.Decode(p.slip, s) != nil || p.reason != nil || s.Issued != want || s.RollIndex != uint64(i) {
					t.Errorf("ballot %d: issued at %d, not %d, %v", i, s.Issued, want, p.reason)
				}
			}
		})
	}
}

// TestPromiseChecksWhatAnOlderStateTook: a ballot that an older state took is checked again before it is promised; one that waited in the
// pool always.
func TestPromiseChecksWhatAnOlderStateTook(t *testing.T) {
	l, b := on(t, nil)
	first := l.candidates(l.height(), b.cast(t, 0, 1))
	waited := l.candidates(-1, b.cast(t, 1, 1))
	l.block(b.cast(t, 0, 2), b.cast(t, 1, 2))
	for _, list := range [][]candidate{first, waited} {
		var refusal *tx.Refusal
		if p := l.app.promiseAll(list)[0]; !errors.As(p.reason, &refusal) || refusal.Code != tx.CodeSequence || p.slip != nil {
			t.Errorf("%v", p)
		}
	}
	if l.app.pool.open() != 0 || len(l.ballots()) != 0 {
		t.Error("something is promised")
	}
}
