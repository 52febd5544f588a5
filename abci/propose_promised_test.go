package abci

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// TestPromisedFirst: what is promised comes first, in its order, and takes at most three quarters of a block while others wait; the rest
// of the block is for resolutions and for others before it.
func TestPromisedFirst(t *testing.T) {
	l, b := on(t, nil)
	var promised, foreign [][]byte
	for voter := range 12 {
		promised = append(promised, b.cast(t, voter, 1))
		foreign = append(foreign, b.cast(t, 12+voter, 1))
	}
	for n := range 3 {
		l.submit(publish(n))
	}
	l.insert(foreign...)
	slices.Reverse(promised)
	for _, raw := range promised {
		l.promise(raw)
	}
	one := cmttypes.ComputeProtoSizeForTxs([]cmttypes.Tx{promised[0]})
	for _, size := range []int64{8 * one, 8*one - 4, 12 * one, 16 * one} {
		txs := l.prepare(authorBytes + size)
		n := int((size - size/4 + 2) / one) // of the promised share
		if n = min(n, len(promised)); !slices.EqualFunc(txs[:n], promised[:n], bytes.Equal) {
			t.Errorf("%d bytes: the promised ballots are not the first %d", size, n)
		}
		if !bytes.Equal(txs[n], publish(0)) {
			t.Errorf("%d bytes: behind %d promised ballots comes no resolution", size, n)
		}
		rest := txs[n:]
		if len(rest) < 3 || slices.ContainsFunc(rest, func(raw []byte) bool {
			return slices.ContainsFunc(promised, func(p []byte) bool { return bytes.Equal(p, raw) })
		}) && len(rest) < 3+len(foreign) {
			t.Errorf("%d bytes: others have no room", size)
		}
	}
	// Where nobody else waits, they take the whole block.
	l.block(append(slices.Clone(foreign), publish(0), publish(1), publish(2))...)
	l.app.drop(hashOf(publish(1_000_000)), hashOf(publish(2_000_000)), hashOf(publish(1_000_001)), hashOf(publish(2_000_001)))
	if txs := l.prepare(authorBytes + 8*one); len(txs) < 8 {
		t.Errorf("only %d of 8 have room", len(txs))
	}
}

// TestPromisedUnits: the promised share holds for the verification units too.
func TestPromisedUnits(t *testing.T) {
	l, b := on(t, nil)
	for voter := range 8 {
		l.promise(b.cast(t, voter, 1))
	}
	for n := range 4 {
		l.submit(publish(n))
	}
	unit := l.verified(b.cast(t, 9, 1)).Parsed().Units()
	l.edit(func(w state.Writer) {
		p, err := state.MustLoad[pb.Parameters](w, state.KeyParameters)
		if err != nil {
			t.Fatal(err)
		}
		p.Limits.BlockUnits = authorUnits + 8*unit
		state.Save(w, state.KeyParameters, p)
	})
	kinds := map[tx.Kind]int{}
	for _, raw := range l.prepare(math.MaxInt64) {
		p, err := tx.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		kinds[p.Kind()]++
	}
	if kinds[tx.KindCastBallot] != 6 || kinds[tx.KindPublishDocument] == 0 {
		t.Errorf("%v", kinds)
	}
}

// bar writes that a voter has challenged a number.
func (l *ledger) bar(voter, sequence uint64) {
	l.edit(func(w state.Writer) {
		state.Save(w, state.SpoiledKey(electionID, voter), &pb.Spoiled{Ballots: []pb.SpoiledBallot{{Sequence: sequence, NoncePoint: make([]byte, 32)}}})
	})
}

// TestHighestNumberFirst: of a voter's ballots the one with the highest number comes, in the place of the first that was promised; where
// the state refuses it, the next one comes in the same block.
func TestHighestNumberFirst(t *testing.T) {
	l, b := on(t, nil)
	low, between, high, peers := b.cast(t, 0, 1), b.cast(t, 1, 1), b.cast(t, 0, 2), b.cast(t, 1, 9)
	for _, raw := range [][]byte{low, between, high} {
		l.promise(raw)
	}
	l.insert(peers)
	proposed := func(want ...[]byte) {
		t.Helper()
		got := l.prepare(math.MaxInt64)
		got = slices.DeleteFunc(got, func(raw []byte) bool { return len(raw) < 300 }) // documents, which drain submits
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%d ballots are proposed, or others, or in another order", len(got))
		}
	}
	proposed(high, peers)
	l.bar(0, 2)
	proposed(low, peers)
	l.promisedNow(low, between)
	l.bar(1, 9)
	proposed(low, between)
	if r, ok := l.app.results.Find(hashOf(high)); !ok || r.Code != tx.CodeSpoiled {
		t.Errorf("%+v, %v", r, ok)
	}
}

// TestRefusedPromisesLeave: what the state refuses for good is settled by the next proposal, whoever made the ballot impossible.
func TestRefusedPromisesLeave(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(l *ledger, b *booth)
		code    tx.Code
	}{
		"challenged": {func(l *ledger, _ *booth) { l.bar(0, 2) }, tx.CodeSpoiled},
		"revoked": {func(l *ledger, _ *booth) {
			l.edit(func(w state.Writer) {
				w.SetVoter(electionID, 0, mustEncode(&pb.Voter{Status: pb.VOTER_REVOKED}))
			})
		}, tx.CodeRevoked},
		"closed": {func(l *ledger, _ *booth) {
			l.edit(func(w state.Writer) {
				e, err := state.LoadElection(w, electionID)
				if err != nil {
					l.t.Fatal(err)
				}
				e.Phase = pb.PHASE_CLOSED
				state.Save(w, state.ElectionKey(electionID), e)
			})
		}, tx.CodeWrongPhase},
		"too soon": {func(l *ledger, b *booth) {
			l.edit(func(w state.Writer) {
				w.SetVoter(electionID, 0, mustEncode(&pb.Voter{Status: pb.VOTER_COUNTS, Sequence: 1, Code: make([]byte, 32), Time: l.time/1e6 + 500}))
			})
		}, tx.CodeTooSoon},
	} {
		t.Run(name, func(t *testing.T) {
			l, b := on(t, nil)
			raw, stays := b.cast(t, 0, 2), b.cast(t, 1, 1)
			l.promise(raw)
			if name != "closed" {
				l.promise(stays)
			}
			c.happens(l, b)
			got := l.prepare(math.MaxInt64)
			if slices.ContainsFunc(got, func(r []byte) bool { return bytes.Equal(r, raw) }) {
				t.Error("it is proposed")
			}
			if name == "closed" {
				l.promisedNow()
			} else {
				l.promisedNow(stays)
			}
			if r, ok := l.app.results.Find(hashOf(raw)); !ok || r.Code != c.code || r.Height != 0 {
				t.Errorf("%+v, %v", r, ok)
			}
			if a := l.ask(raw); a.Code != c.code || len(a.Slip) == 0 {
				t.Errorf("%+v", a)
			}
		})
	}
}

func mustEncode(v *pb.Voter) []byte {
	b, err := v.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

// TestPromisedWhateverTheClock: there is always time for what is promised; others wait when there is none.
func TestPromisedWhateverTheClock(t *testing.T) {
	l, b := on(t, nil)
	l.edit(func(w state.Writer) {
		p, err := state.MustLoad[pb.Parameters](w, state.KeyParameters)
		if err != nil {
			t.Fatal(err)
		}
		p.Timeouts.Propose = 0
		state.Save(w, state.KeyParameters, p)
	})
	var promised [][]byte
	for voter := range 6 {
		promised = append(promised, b.cast(t, voter, 1))
		l.promise(promised[voter])
	}
	for n := range 200 {
		l.app.pool.add(l.verified(publish(n)), true, 1)
	}
	txs := l.prepare(math.MaxInt64)
	if len(txs) < 6 || !slices.EqualFunc(txs[:6], promised, bytes.Equal) {
		t.Error("what is promised is left out")
	}
	if len(txs) > 100 {
		t.Errorf("%d transactions in no time", len(txs))
	}
}

// TestPromisedStay: what is promised outlives poolLife, and the peers are given it again and again until it is settled.
func TestPromisedStay(t *testing.T) {
	l, b := on(t, nil)
	kept, other := b.cast(t, 0, 1), b.cast(t, 1, 1)
	l.promise(kept)
	l.submit(other)
	l.app.pool.forget(hashOf(other))
	p := l.app.pool
	for height := l.height(); height <= 3*poolLife; height += offerAgain {
		p.expire(height)
		if got := p.offer(height, 0); !slices.ContainsFunc(got, func(raw []byte) bool { return bytes.Equal(raw, kept) }) {
			t.Fatalf("it is not offered at height %d", height)
		}
	}
	if p.get(hashOf(kept)) == nil || p.get(hashOf(other)) != nil {
		t.Error("what is promised is gone, or what is not is not")
	}
	l.block(kept)
	if got := p.offer(3*poolLife+offerAgain, 0); len(got) != 0 {
		t.Error("what is recorded is offered")
	}
}

// TestReplaced: a ballot that is not promised makes room for one with a higher number, and its voter can ask what became of it.
func TestReplaced(t *testing.T) {
	l, b := on(t, func(o *Options) {
		o.Pool.Count = 2
		o.Turns = func(int64, int64) (int, error) { return 0, nil }
	})
	low, high, rest := b.cast(t, 0, 1), b.cast(t, 0, 2), b.cast(t, 1, 1)
	l.unpromised(low, errRoom.Error())
	l.unpromised(rest, errRoom.Error())
	l.unpromised(high, errRoom.Error()) // in the place of the low one, as the pool is full
	if r, ok := l.app.results.Find(hashOf(low)); !ok || r.Code != tx.CodeSequence || !strings.Contains(r.Detail, "higher number") {
		t.Errorf("%+v, %v", r, ok)
	}
	if l.app.pool.get(hashOf(low)) != nil {
		t.Error("both wait")
	}
	if codes := l.submit(b.cast(t, 2, 1)); codes[0] != tx.CodeRetryLater {
		t.Error(codes)
	}
}

// TestProposedNeverFalls: a proposal of a lower height does not bring the height of issue down.
func TestProposedNeverFalls(t *testing.T) {
	l, b := on(t, nil)
	raw := b.cast(t, 0, 1)
	p := newPool(DefaultPoolLimits(), 1)
	p.add(l.verified(raw), true, 5)
	p.propose(6)
	p.propose(5)
	if issued, err := p.promise(hashOf(raw), 5, room{1 << 20, 1 << 20}); issued != 6 || err != nil {
		t.Errorf("issued at %d, %v", issued, err)
	}
}
