package app_test

import (
	"crypto/rand"
	"reflect"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// stages are ledgers with an election in each phase, and the transactions that brought it there.
var stages = sync.OnceValues(func() (copies []func(t tester) *ledger, sent [][]byte) {
	l := newLedger(panics{})
	l.decided = func(b app.Block, _ state.Hash) {
		for _, v := range b.Txs {
			sent = append(sent, v.Verified.Parsed().Raw())
		}
	}
	keep := func() {
		now, height, kept := l.now, l.view().Height(), new(state.Memory)
		var all []state.Change
		reader := must(l.backend.At(height))
		if err := reader.Iterate(nil, func(key, value []byte) error {
			all = append(all, state.Change{Key: key, Value: value})
			return nil
		}); err != nil {
			panic(err)
		}
		copies = append(copies, func(t tester) *ledger {
			if err := kept.Commit(height, all); err != nil {
				panic(err)
			}
			fresh := *l
			fresh.t, fresh.now, fresh.backend, fresh.decided = t, now, kept, nil
			fresh.app, fresh.state = app.New(chain), must(state.Open(kept))
			kept = new(state.Memory)
			return &fresh
		})
	}
	keep()
	l.resolve(createElectionOf(l.publish(l.rules)))
	keep()
	trustees := l.appoint(3, 2)
	keep()
	l.accept(l.each(trustees, l.announce)...)
	keep()
	l.accept(l.each(trustees, l.publishDeal)...)
	keep()
	l.accept(l.each(trustees, l.confirm)...)
	keep()
	voters := l.roll(3)
	l.accept(l.each(trustees[1:], l.trial)...)
	l.block(step)
	keep()
	l.accept(l.trial(trustees[0]))
	keep()
	l.schedule(l.now+20, l.now+100)
	l.block(20)
	shared := l.shared()
	l.accept(cast(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1), cast(draft(shared, 1, voters[1], 1, nil, []int{0}), 1, 1))
	l.accept(spoil(draft(shared, 2, voters[2], 1, []int{0}), 2, 1, voters[2]))
	keep()
	l.block(l.election().Closing - l.now)
	keep()
	l.block(window)
	keep()
	l.accept(l.partial(trustees[0], 0, 1), l.partial(trustees[1], 0, 1), l.partial(trustees[3], 0))
	keep()
	return copies, sent
})

// panics is a tester outside of any test.
type panics struct{}

func (panics) Helper()                           {}
func (panics) Fatal(args ...any)                 { panic(args) }
func (panics) Fatalf(format string, args ...any) { panic(append([]any{format}, args...)) }

// signers hold every role.
var signers = []string{
	"party officer 1", "league officer 1", "party registrar 1", "party trustee 1", "party trustee 2", "league trustee 1", "league trustee 3", "nobody",
}

// insiders sends a body as somebody who holds a role; what is a resolution gets all approvals. No block fails, and no record grows beyond
// what a record may hold.
func (l *ledger) insiders(signer string, m election.Message) {
	var raw [][]byte
	switch b := m.(type) {
	case *pb.CastBallot, *pb.SpoilBallot, *pb.CastChoice, memberBody:
		raw = append(raw, tx.Ballot(m, make([]byte, 64)))
	case *pb.ProposeResolution:
		raw = append(raw, sign("party officer 1", m), approve("party officer 2", &b.Resolution),
			approve("league officer 1", &b.Resolution), approve("league officer 2", &b.Resolution))
	default:
		raw = append(raw, sign(signer, m))
	}
	if p, err := tx.Parse(raw[0]); err == nil {
		_ = l.app.Check(l.view(), l.now*1e9, p)
		must(l.app.ProposalFault(l.view(), []*tx.Parsed{p}, must(l.app.Verify(l.view(), []*tx.Parsed{p}, rand.Reader))))
	}
	l.block(1, append(raw, raw[0])...)
}

// later makes the blocks of times that matter.
func (l *ledger) later() {
	for _, seconds := range []int64{step, window, 100_000} {
		l.block(seconds)
	}
}

// FuzzInsider: people who hold a role sign whatever bytes they like, in every phase.
func FuzzInsider(f *testing.F) {
	copies, sent := stages()
	for i, raw := range sent {
		p := must(tx.Parse(raw))
		for stage := range copies {
			if (i+stage)%7 == 0 { // every transaction in some phases
				f.Add(byte(stage), byte(p.Kind())-1, byte(i), election.Encode(p.Body()))
			}
		}
	}
	f.Fuzz(func(t *testing.T, stage, kind, signer byte, body []byte) {
		m := bodyOf(tx.Kinds()[int(kind)%len(tx.Kinds())])
		if m.Unmarshal(body) != nil {
			return
		}
		l := copies[int(stage)%len(copies)](t)
		l.insiders(signers[int(signer)%len(signers)], m)
		l.later()
	})
}

// TestInsider does the same with what was right once, a few fields of it changed.
func TestInsider(t *testing.T) {
	copies, sent := stages()
	rapid.Check(t, func(rt *rapid.T) {
		l := rapid.SampledFrom(copies).Draw(rt, "stage")(rt)
		for range 4 {
			p := must(tx.Parse(rapid.SampledFrom(sent).Draw(rt, "transaction")))
			m := bodyOf(p.Kind())
			if err := m.Unmarshal(election.Encode(p.Body())); err != nil {
				rt.Fatal(err)
			}
			for range rapid.IntRange(0, 2).Draw(rt, "changes") {
				alter(rt, reflect.ValueOf(m).Elem())
			}
			signer := rapid.SampledFrom(signers).Draw(rt, "signer")
			for _, s := range signers {
				if string(p.Signer()) == string(public(s)) && rapid.Bool().Draw(rt, "own") {
					signer = s
				}
			}
			l.insiders(signer, m)
		}
		l.later()
	})
}

// alter changes one field, somewhere in a message.
func alter(rt *rapid.T, v reflect.Value) {
	pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "pick") }
	switch v.Kind() {
	case reflect.Struct:
		alter(rt, v.Field(pick(v.NumField())))
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			alter(rt, v.Elem())
		}
	case reflect.Slice:
		alterList(rt, v, pick)
	case reflect.String:
		v.SetString(rapid.SampledFrom([]string{"", id, "second", "party", "league", "a/b", "\xff", "../" + id, string(make([]byte, 300))}).Draw(rt, "text"))
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.SampledFrom([]uint64{0, 1, 2, 3, 64, 65, 1<<31 - 1, 1<<32 - 1, v.Uint() + 1, v.Uint() - 1, 1<<64 - 1}).Draw(rt, "number"))
	case reflect.Int64:
		v.SetInt(rapid.SampledFrom([]int64{0, 1, -1, 1<<63 - 1, -1 << 63, v.Int() + 1, v.Int() - 1, election.MaxTime}).Draw(rt, "number"))
	case reflect.Bool:
		v.SetBool(!v.Bool())
	}
}

func alterList(rt *rapid.T, v reflect.Value, pick func(n int) int) {
	n := v.Len()
	switch c := pick(6); {
	case n == 0:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case c == 0: // one less
		v.Set(v.Slice(0, n-1))
	case c == 1: // one more
		v.Set(reflect.Append(v, v.Index(pick(n))))
	case c == 2: // nothing
		v.SetZero()
	case c == 3: // exchanged
		i, j := pick(n), pick(n)
		a, b := reflect.ValueOf(v.Index(i).Interface()), reflect.ValueOf(v.Index(j).Interface())
		v.Index(i).Set(b)
		v.Index(j).Set(a)
	case v.Type().Elem().Kind() == reflect.Uint8:
		v.Index(pick(n)).SetUint(uint64(pick(256)))
	default:
		alter(rt, v.Index(pick(n)))
	}
}

// bodyOf returns an empty body of a kind.
func bodyOf(k tx.Kind) election.Message {
	return map[tx.Kind]election.Message{
		tx.KindPublishDocument: new(pb.PublishDocument), tx.KindProposeResolution: new(pb.ProposeResolution),
		tx.KindApproveResolution: new(pb.ApproveResolution), tx.KindWithdrawApproval: new(pb.WithdrawApproval),
		tx.KindAddRollEntries: new(pb.AddRollEntries), tx.KindAnnounceDeal: new(pb.AnnounceDeal),
		tx.KindPublishDeal: new(pb.PublishDeal), tx.KindConfirmDeals: new(pb.ConfirmDeals), tx.KindComplainDeal: new(pb.ComplainDeal),
		tx.KindPostTrial: new(pb.PostTrial), tx.KindCastBallot: new(pb.CastBallot), tx.KindSpoilBallot: new(pb.SpoilBallot),
		tx.KindPostPartials: new(pb.PostPartials), tx.KindAuthorBlock: new(pb.AuthorBlock),
		tx.KindReportIntake:       new(pb.ReportIntake),
		tx.KindSubmitApplications: new(pb.SubmitApplications), tx.KindDecideApplications: new(pb.DecideApplications),
		tx.KindWithdrawApplication: new(pb.WithdrawApplication),
		tx.KindCommitLot:           new(pb.CommitLot), tx.KindRevealLot: new(pb.RevealLot), tx.KindCastChoice: new(pb.CastChoice),
		tx.KindPublishInitiative: new(pb.PublishInitiative),
		tx.KindSupportInitiative: new(pb.SupportInitiative), tx.KindPostComment: new(pb.PostComment),
	}[k]
}
