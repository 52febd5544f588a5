package abci

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

// ask submits one transaction and returns the answer.
func (l *ledger) ask(raw []byte) Admission {
	l.t.Helper()
	answers, err := l.app.Submit(context.Background(), "", raw)
	if err != nil {
		l.t.Fatal(err)
	}
	return answers[0]
}

// check verifies the slip in an answer, as anybody does, and returns it.
func (l *ledger) check(raw []byte, a Admission) *pb.AcceptanceSlip {
	l.t.Helper()
	s := new(pb.AcceptanceSlip)
	if a.Code != tx.CodeOK || a.Detail != "" || len(a.Slip) == 0 {
		l.t.Fatalf("no promise: %v, %q", a.Code, a.Detail)
	}
	if err := election.Decode(a.Slip, s); err != nil {
		l.t.Fatal(err)
	}
	if err := slip.Check(&pb.Promise{Slip: s, Ballot: raw}, public(own+" slip")); err != nil {
		l.t.Fatal(err)
	}
	if s.ChainId != chainID || !bytes.Equal(s.Validator, public(own)) || s.Promised != s.Issued+int64(l.doc.Parameters.SlipSpan) {
		l.t.Fatalf("the slip says %v", s)
	}
	return s
}

// promise has a ballot promised.
func (l *ledger) promise(raw []byte) *pb.AcceptanceSlip {
	l.t.Helper()
	return l.check(raw, l.ask(raw))
}

// unpromised submits a ballot that is to wait without a promise, for a reason.
func (l *ledger) unpromised(raw []byte, reason string) {
	l.t.Helper()
	a := l.ask(raw)
	if a.Code != tx.CodeOK || a.Slip != nil || !strings.HasPrefix(a.Detail, "received, not promised: ") || !strings.Contains(a.Detail, reason) {
		l.t.Errorf("instead of %q: %v, %q, a slip of %d bytes", reason, a.Code, a.Detail, len(a.Slip))
	}
	if kept, err := l.app.Slip(a.Hash); kept != nil || err != nil {
		l.t.Errorf("a slip is kept: %x, %v", kept, err)
	}
	if l.app.pool.get(a.Hash) == nil {
		l.t.Error("the ballot does not wait")
	}
}

// on returns a node with a booth.
func on(t testing.TB, amend func(*Options)) (*ledger, *booth) {
	t.Helper()
	l, b := newLedgerOf(t, amend), newBooth(t)
	plant(l, b)
	return l, b
}

// TestSlip: the height of issue is the height against which the ballot was checked, or that of the node's own proposal, and after a start
// that of the next block.
func TestSlip(t *testing.T) {
	l, b := on(t, nil)
	l.block() // proposed is the tip now
	if s := l.promise(b.cast(t, 0, 1)); s.Issued != 2 || s.Sequence != 1 || s.RollIndex != 0 || s.Election != electionID {
		t.Errorf("%v", s)
	}
	l.prepare(math.MaxInt64)
	if s := l.promise(b.cast(t, 1, 7)); s.Issued != 3 || s.Sequence != 7 || s.RollIndex != 1 {
		t.Errorf("%v", s)
	}
	l.block()
	if s := l.promise(b.cast(t, 2, 1)); s.Issued != 3 {
		t.Errorf("%v", s)
	}
	l.block()
	if s := l.promise(b.cast(t, 3, 1)); s.Issued != 4 {
		t.Errorf("%v", s)
	}
	l.close()
	l.open()
	if s := l.promise(b.cast(t, 4, 1)); s.Issued != 5 {
		t.Errorf("%v", s)
	}
	if a := l.ask(publish(1)); a.Code != 0 || a.Slip != nil || a.Detail != "" {
		t.Errorf("a document is promised: %+v", a)
	}
}

// TestSameSlip: the same bytes have the same slip: twice in a batch, while they wait, when they stand in a block, after a start, when
// the voter cannot cast any more, and while the pool is full.
func TestSameSlip(t *testing.T) {
	l, b := on(t, nil)
	first, second := b.cast(t, 0, 1), b.cast(t, 1, 1)
	answers, err := l.app.Submit(t.Context(), "", first, second, first)
	if err != nil {
		t.Fatal(err)
	}
	l.check(first, answers[2])
	want := map[string][]byte{string(first): answers[0].Slip, string(second): answers[1].Slip}
	same := func(raw []byte, code tx.Code) {
		t.Helper()
		if a := l.ask(raw); a.Code != code || !bytes.Equal(a.Slip, want[string(raw)]) {
			t.Errorf("%v, %q, a slip of %d bytes", a.Code, a.Detail, len(a.Slip))
		}
	}
	l.check(second, answers[1])
	if !bytes.Equal(answers[0].Slip, answers[2].Slip) {
		t.Error("twice in a batch, and not the same slip")
	}
	same(first, tx.CodeOK)
	l.prepare(math.MaxInt64)
	same(first, tx.CodeOK)
	l.block(first)
	same(first, tx.CodeAlreadyDone)
	l.close()
	l.open()
	same(first, tx.CodeAlreadyDone)
	same(second, tx.CodeOK)
	l.block(b.cast(t, 1, 2))
	same(second, tx.CodeOK) // it waits still
	l.prepare(math.MaxInt64)
	same(second, tx.CodeSequence)
	third := b.cast(t, 2, 5)
	want[string(third)] = l.ask(third).Slip
	l.block(b.cast(t, 2, 4))
	l.app.drop(hashOf(third))
	l.now.Add(10e9)
	l.time += 10e9
	l.block()
	l.app.pool.limits.Count = 0
	same(third, tx.CodeRetryLater)
}

// TestSlipForOneThatAPeerBrought: who brought a ballot first does not matter; what no client brought is not promised.
func TestSlipForOneThatAPeerBrought(t *testing.T) {
	l, b := on(t, nil)
	raw := b.cast(t, 0, 1)
	l.insert(raw)
	if l.app.Intake().Promised != 0 {
		t.Error("what a peer brought is promised")
	}
	l.promise(raw)
	if l.app.Intake().Promised != 1 {
		t.Error("what a client brought is not promised")
	}
}

// epochs writes the validators of the present and the next epoch.
func (l *ledger) epochs(change func(e *pb.ValidatorEpochs)) {
	l.t.Helper()
	l.edit(func(w state.Writer) {
		e, err := state.MustLoad[pb.ValidatorEpochs](w, state.KeyValidators)
		if err != nil {
			l.t.Fatal(err)
		}
		change(e)
		state.Save(w, state.KeyValidators, e)
	})
}

// without returns validators without this node's.
func without(list []pb.Validator) []pb.Validator {
	return slices.DeleteFunc(slices.Clone(list), func(v pb.Validator) bool { return bytes.Equal(v.Key, public(own)) })
}

// TestNoSlipFromNoValidator: only a validator promises, with the slip key of its record, and not for turns that it has no more.
func TestNoSlipFromNoValidator(t *testing.T) {
	const reason = "no validator"
	t.Run("another consensus key", func(t *testing.T) {
		l, b := on(t, func(o *Options) { o.Validator = public("stranger") })
		l.unpromised(b.cast(t, 0, 1), reason)
	})
	t.Run("another slip key", func(t *testing.T) {
		l, b := on(t, func(o *Options) { o.SlipKey = key("stranger") })
		l.unpromised(b.cast(t, 0, 1), reason)
	})
	t.Run("it leaves", func(t *testing.T) {
		var through int64
		l, b := on(t, func(o *Options) {
			o.Turns = func(_, last int64) (int, error) { through = last; return 1, nil }
		})
		const leaves = 10
		l.epochs(func(e *pb.ValidatorEpochs) {
			e.Next = e.Present
			e.Next.Number, e.Next.FirstHeight, e.Next.Validators = e.Present.Number+1, leaves, without(e.Present.Validators)
		})
		for voter := 0; l.height() < leaves-1; voter++ {
			if s := l.promise(b.cast(t, voter, 1)); s.Issued >= leaves || through != leaves-1 {
				t.Errorf("issued at %d, turns up to %d", s.Issued, through)
			}
			l.block()
		}
		l.unpromised(b.cast(t, 20, 1), reason) // the height of issue could be the one at which it leaves
		l.block()
		l.unpromised(b.cast(t, 21, 1), reason)
	})
	t.Run("it stays", func(t *testing.T) {
		var through int64
		l, b := on(t, func(o *Options) {
			o.Turns = func(_, last int64) (int, error) { through = last; return 1, nil }
		})
		l.epochs(func(e *pb.ValidatorEpochs) {
			e.Next = e.Present
			e.Next.Number, e.Next.FirstHeight = e.Present.Number+1, 4
		})
		if l.promise(b.cast(t, 0, 1)); through != l.height()+int64(l.doc.Parameters.SlipSpan) {
			t.Errorf("turns up to %d", through)
		}
	})
}

// TestNoSlipNearClosing: block time and the local clock both are more than slip_margin before closing.
func TestNoSlipNearClosing(t *testing.T) {
	edge := (closing - 60) * second
	for name, c := range map[string]struct {
		time, now int64
		want      bool
	}{
		"both before":    {edge - 1, edge - 1, true},
		"local clock at": {edge - 1, edge, false},
		"block time at":  {edge, edge - 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			l, b := on(t, nil)
			l.now.Store(c.now)
			l.time = c.time - 1e9
			l.block()
			l.now.Store(c.now)
			if raw := b.cast(t, 0, 1); c.want {
				l.promise(raw)
			} else {
				l.unpromised(raw, "closing is less than 60 seconds away")
			}
		})
	}
}

// TestNoSlipWithoutRoom: no more is promised than there is room for, in bytes and in units; settling gives the room back.
func TestNoSlipWithoutRoom(t *testing.T) {
	l, b := on(t, nil)
	ballots := [][]byte{b.cast(t, 0, 1), b.cast(t, 1, 1), b.cast(t, 2, 1)}
	size, units := 0, uint64(0)
	for _, raw := range ballots[:2] {
		v := l.verified(raw)
		size, units = size+newWaiting(v, 1).framed(), units+v.Parsed().Units()
		l.app.pool.add(v, true, 1)
	}
	promise := func(i int, r room) error {
		_, err := l.app.pool.promise(hashOf(ballots[i]), 1, r)
		return err
	}
	for _, short := range []room{{size - 1, units}, {size, units - 1}} {
		if err := promise(0, short); err != nil {
			t.Error(err)
		}
		if err := promise(1, short); !errors.Is(err, errRoom) {
			t.Error(err)
		}
		l.app.pool.forget(hashOf(ballots[0]))
	}
	if promise(0, room{size, units}) != nil || promise(1, room{size, units}) != nil {
		t.Error("there is room for both")
	}
	turns := 0
	l.app.options.Turns = func(after, through int64) (int, error) {
		if after != l.height()+1 || through != l.height()+30 {
			t.Errorf("turns from %d to %d", after, through)
		}
		return turns, nil
	}
	l.unpromised(ballots[2], errRoom.Error())
	turns = 1
	l.promise(ballots[2])
	l.app.options.Turns = func(int64, int64) (int, error) { return 0, errors.New("nobody knows") }
	l.unpromised(b.cast(t, 3, 1), "nobody knows")
}

// TestRoom: however many turns this node has, what it may promise fits the promised share of one of its blocks; without a turn it is
// nothing.
func TestRoom(t *testing.T) {
	l, _ := on(t, nil)
	p := l.doc.Parameters
	validators := len(organisation.FirstEpoch(l.doc).Validators)
	share := (cmttypes.MaxDataBytes(int64(p.Limits.BlockBytes), organisation.EvidenceBytes, validators) - authorBytes) * promisedShare / 4
	whole := room{int(share), (p.Limits.BlockUnits - authorUnits) * promisedShare / 4}
	for turns, want := range map[int]room{0: {}, 1: whole, 7: whole} {
		l.app.options.Turns = func(int64, int64) (int, error) { return turns, nil }
		if r, err := l.app.room(l.app.ledger.Newest(), &p); err != nil || r != want {
			t.Errorf("%d turns: %v, %v; want %v", turns, r, err, want)
		}
	}
}

// TestNoSlipBesideAHigherNumber: a ballot that waits behind one with a higher number is not promised, whoever brought that.
func TestNoSlipBesideAHigherNumber(t *testing.T) {
	l, b := on(t, nil)
	l.insert(b.cast(t, 0, 3))
	l.unpromised(b.cast(t, 0, 2), errHigher.Error())
	l.promise(b.cast(t, 0, 4))
	l.promise(b.cast(t, 1, 1))
	l.promise(b.cast(t, 1, 2))
}

// TestSlipCheckedAgain: while blocks go on between check and promise, the ballot is checked again against the newest state, and given up
// after some attempts. The local clock is read by the check.
func TestSlipCheckedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		blocks []int // during each check
		issued int64 // 0 where nothing is promised
		checks int
	}{
		"nothing happens":        {nil, 2, 1},
		"one block":              {[]int{1}, 3, 1},
		"two blocks":             {[]int{2}, 4, 2},
		"two, and two again":     {[]int{2, 2}, 6, 3},
		"and again":              {[]int{2, 2, 2}, 0, 3},
		"two blocks, then one":   {[]int{2, 1}, 5, 2},
		"many blocks, then none": {[]int{5}, 7, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var l *ledger
			var b *booth
			checks, armed := 0, false
			l, b = on(t, func(o *Options) {
				o.Now = func() time.Time {
					if armed { // the verifier asks, and nobody else
						armed = false
						if checks++; checks <= len(c.blocks) {
							for range c.blocks[checks-1] {
								l.prepareWhole(math.MaxInt64)
								l.block()
							}
						}
						armed = true
					}
					return time.Unix(begin, 0)
				}
			})
			l.block()
			raw := b.cast(t, 0, 1)
			armed = true
			if c.issued == 0 {
				l.unpromised(raw, errStale.Error())
			} else if s := l.promise(raw); s.Issued != c.issued {
				t.Errorf("issued at %d", s.Issued)
			}
			if armed = false; checks != c.checks {
				t.Errorf("%d checks", checks)
			}
		})
	}
}
