package slip_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

// walk is what happens around an honest node, at random.
type walk struct {
	*honest
	rt *rapid.T
	// begun is a proposal of the node, and at its height; sent are the ballots that went elsewhere or are promised.
	proposal [][]byte
	at       int64
	sent     [][]byte
	given    []*pb.Promise
	done     []string
}

func (w *walk) pick(n int) int { return rapid.IntRange(0, n-1).Draw(w.rt, "pick") }

// votes are ballots of the election that all scenes share, by name.
var votes sync.Map

// ballot returns one of few ballots of a voter: some number, one of two ciphertexts.
func (w *walk) ballot() []byte {
	voter, number, variant := w.pick(room+1), w.pick(4)+1, w.pick(2)
	name := fmt.Sprint(voter, number, variant)
	if raw, ok := votes.Load(name); ok {
		return raw.([]byte)
	}
	raw := w.Vote(voter, uint64(number), south(voter)...)
	votes.Store(name, raw)
	return raw
}

// some returns some of the ballots that are on the way.
func (w *walk) some() [][]byte {
	var list [][]byte
	for _, raw := range w.sent {
		if w.pick(2) == 0 {
			list = append(list, raw)
		}
	}
	w.rt.Logf("%d of %d ballots", len(list), len(w.sent))
	return list
}

// change has the validators changed: the node stays, leaves, or gets another slip key.
func (w *walk) change() {
	next := []pb.Validator{node, rehearsal.Validator("party", 3), node}[w.pick(3)]
	if w.pick(2) == 0 {
		next.SlipKey = rehearsal.Validator("party", 7).SlipKey
	}
	if len(w.LedgerState(w.Height()-2).Epochs) == 0 {
		w.Change(next, rehearsal.Validator("party", 2), rehearsal.Validator("league", 1), rehearsal.Validator("league", 4))
	}
}

// open says whether there is time to decide something.
func (w *walk) open() bool {
	return w.Record().Phase == pb.PHASE_VOTING && w.Record().Closing-w.Now() > 5
}

// moves are what may happen; those of many names happen more often.
var moves = map[string]func(w *walk){
	"a ballot comes to the node": func(w *walk) {
		raw := w.ballot()
		if p := w.take(raw, w.Height()-int64(w.pick(3))); p != nil {
			w.given, w.sent = append(w.given, p), append(w.sent, raw)
		}
	},
	"a ballot goes elsewhere":       func(w *walk) { w.sent = append(w.sent, w.ballot()) },
	"spoiled":                       func(w *walk) { w.sent = append(w.sent, w.spoil(w.ballot(), uint64(w.pick(5)+1))) },
	"another's block":               func(w *walk) { w.by(other, w.some()...) },
	"another's block, some time on": func(w *walk) { w.Make(int64(w.pick(7)), w.some()...) },
	"the node begins a proposal":    func(w *walk) { w.proposal, w.at = w.prepare(), w.begun },
	"the proposal is decided": func(w *walk) {
		if w.at == w.Height()+1 {
			w.named(w.proposal...)
		}
	},
	"the node proposes":         func(w *walk) { w.propose() },
	"the node proposes, hollow": func(w *walk) { w.named() },
	"forged": func(w *walk) {
		if w.at == w.Height()+1 {
			names := slices.Sorted(maps.Keys(forgeries))
			w.named(forgeries[names[w.pick(len(names))]](w.honest, w.proposal)...)
		}
	},
	"restart":         func(w *walk) { w.begun = max(w.begun, w.Height()+1) },
	"held back":       func(w *walk) { w.lead = max(w.lead, w.Record().Closing-w.Now()+int64(w.pick(3)-1)*65) },
	"behind":          func(w *walk) { w.lead = min(w.lead, 0) - 1 },
	"its clock again": func(w *walk) { w.lead = max(w.lead, 0) },
	"its precommit":   func(w *walk) { w.Absent[node.Name] = true; w.Make(1); w.Absent[node.Name] = false; w.Make(1) },
	"extended": func(w *walk) {
		if w.open() {
			w.Resolve(extend(w.Election, 3600))
		}
	},
	"limits": func(w *walk) {
		most := uint64([]int{1024, max(1024, len(w.ballot())), 16 << 10}[w.pick(3)])
		w.Resolve(limits(w.Election, func(l *pb.Limits) { l.BallotBytes = most }))
	},
	"revoked": func(w *walk) {
		if w.open() {
			w.Resolve(revoke(w.Election, uint64(w.pick(3))))
		}
	},
	"rare": func(w *walk) {
		switch w.pick(8) {
		case 0:
			w.change()
		case 1:
			if w.open() {
				w.Make(w.Record().Closing-w.Now()-int64(w.pick(2)), w.some()...)
			}
		case 2:
			if w.open() && w.pick(3) == 0 {
				w.Resolve(cancel(w.Election))
			}
		case 3:
			w.Make(w.Record().Closing-w.Now()-70, w.some()...)
		}
	},
}

// play makes random moves, and judges every promise when its time has come and later.
func (w *walk) play(found func(p *pb.Promise, f *slip.Finding)) {
	names := slices.Sorted(maps.Keys(moves))
	often := []string{"a ballot comes to the node", "another's block", "the node begins a proposal", "the proposal is decided", "the node proposes"}
	names = append(names, append(often, often...)...)
	for range w.pick(28) + 4 {
		name := names[w.pick(len(names))]
		w.done = append(w.done, fmt.Sprintf("%d: %s", w.Height(), name))
		moves[name](w)
	}
	for _, p := range w.given {
		w.past(p.Slip.Promised + 2)
		for _, height := range []int64{p.Slip.Promised, w.Height() - 2} {
			if f := w.found(p, height); f != nil {
				found(p, f)
			}
		}
	}
}

// TestWalk: whatever people, other proposers, clocks and resolutions do, no promise of an honest node is broken.
func TestWalk(t *testing.T) {
	verdicts := map[slip.Verdict]int{}
	rapid.Check(t, func(rt *rapid.T) {
		w := &walk{honest: &honest{scene: open(panics{})}, rt: rt}
		w.play(func(p *pb.Promise, f *slip.Finding) {
			verdicts[f.Verdict]++
			if f.Verdict == slip.Broken || f.Verdict == slip.Pending {
				rt.Fatalf("%v\n%s\n%s", f.Verdict, strings.Join(f.Words(), "\n"), strings.Join(w.done, "\n"))
			}
		})
	})
	t.Log(verdicts)
	if verdicts[slip.Kept] == 0 || verdicts[slip.NoTurn] == 0 {
		t.Error("a walk that leads nowhere")
	}
}
