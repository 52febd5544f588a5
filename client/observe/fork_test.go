package observe

import (
	"strings"
	"testing"

	"votenode/app/state"
	"votenode/verify/certified"
	"votenode/verify/prooffile"
)

// TestFork: two nodes show two certified states that contradict each other, at one height or at two; the evidence names who signed both.
func TestFork(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]int64{"one height": 0, "another is ahead": 3, "the first is ahead": -3} {
		l := founded(t)
		other := l.Fork(t)
		a, b := newGateway(t, l), newGateway(t, other)
		w := observe(t, a, b)
		w.look(1)
		w.raised()
		l.Make(1)
		other.Make(2) // block time differs, and so does the block
		a.to(l.Height() + 6)
		b.to(a.tip + ahead)
		w.on(a)
		w.look(1)
		w.raised(Forked)
		w.stays(Forked)
		var sides [2]*certified.State
		for i := range sides {
			var err error
			if _, sides[i], err = certified.FromLedgerState(w.s.GenesisHash, prooffile.State(w.evidence(0, i))); err != nil {
				t.Fatal(err)
			}
		}
		fork, err := certified.FindFork(sides[0], sides[1])
		if err != nil || len(fork.Both) == 0 {
			t.Errorf("%s: %v, %v", name, fork, err)
		}
		if got := w.o.Alarms()[0].Nodes; len(got) != 2 {
			t.Errorf("%s: the nodes %v", name, got)
		}
	}
}

// TestForkAcrossRestart: what was kept on disk is what a node that comes with another branch is held against.
func TestForkAcrossRestart(t *testing.T) {
	t.Parallel()
	l := founded(t)
	other := l.Fork(t)
	g := newGateway(t, l)
	l.Make(1)
	other.Make(2)
	g.to(l.Height() + 4)
	w := observe(t, g)
	w.look(1)
	g.become(other)
	g.to(l.Height() + 5)
	w.restart()
	w.look(1)
	w.raised(Forked)
	w.stays(Forked)
}

// TestForkOfHeaders: nothing is certified on either branch, since a validator of each organisation signs on one of them only; signed headers
// show it all the same.
func TestForkOfHeaders(t *testing.T) {
	t.Parallel()
	l := founded(t)
	other := l.Fork(t)
	a, b := newGateway(t, l), newGateway(t, other)
	w := observe(t, a, b)
	w.look(1)
	l.Absent["party validator 2"], other.Absent["party validator 1"] = true, true
	l.Make(1)
	other.Make(2)
	a.to(l.Height() + 6)
	b.to(other.Height() + 6)
	w.on(a)
	w.look(1)
	w.raised(Forked)
	w.stays(Forked)
	if cause := w.o.Alarms()[0].Cause; cause != branchesSigned {
		t.Error(cause)
	}
	text := w.o.Alarms()[0].Text
	if strings.Contains(text, "party validator") || !strings.Contains(text, "league validator 1") {
		t.Errorf("it names the wrong ones: %s", text)
	}
}

// rewritten lets all validators sign, at the next height, a state that no block leads to: the records of the newest one, with the logs that
// write makes.
func rewritten(t *testing.T, g *gateway, write func(d *state.Draft, roll [][]byte)) {
	t.Helper()
	l := g.l
	l.Make(1)
	newest := l.View()
	ledger := must(state.Open(new(state.Memory)))
	d := ledger.NewGenesis()
	d.SetRecord(state.KeyElections, must(newest.Record(state.KeyElections)))
	for i := range uint64(l.Height()) {
		d.Append(state.LogBlocks, must(newest.Leaf(state.LogBlocks, i)))
	}
	var roll [][]byte
	for i := range must(newest.Head(state.LogRoll("primary"))).Size {
		roll = append(roll, must(newest.Leaf(state.LogRoll("primary"), i)))
	}
	write(d, roll)
	b := must(d.Finish())
	if err := ledger.Commit(b); err != nil {
		t.Fatal(err)
	}
	height := l.Height()
	l.Alter = func(block *cmtBlock) { hash := b.AppHash(); block.AppHash = hash[:] }
	l.Make(1)
	l.Make(1)
	g.other[height] = ledger.Newest()
	g.tip = height + 2
	g.other[g.tip] = ledger.Newest() // from which it proves what it can
}

// TestLogs: a log that all validators have made shorter, or rewritten, is noticed by whoever has seen it before, also across a restart.
func TestLogs(t *testing.T) {
	t.Parallel()
	for kind, write := range map[Kind]func(d *state.Draft, roll [][]byte){
		LogShrunk: func(d *state.Draft, roll [][]byte) {
			for _, leaf := range roll[:3] {
				d.Append(state.LogRoll("primary"), leaf)
			}
		},
		LogChanged: func(d *state.Draft, roll [][]byte) {
			for _, leaf := range append([][]byte{[]byte("another")}, roll[1:]...) {
				d.Append(state.LogRoll("primary"), leaf)
			}
		},
	} {
		g := newGateway(t, founded(t))
		w := observe(t, g)
		w.look(1)
		w.restart()
		rewritten(t, g, write)
		w.on(g)
		w.look(1)
		w.raised(kind)
		w.stays(kind)
	}
}

// TestLeaves: a leaf that was proven and is shown otherwise, or no more.
func TestLeaves(t *testing.T) {
	t.Parallel()
	for kind, change := range map[Kind]func(leaves []any) []any{
		LeafChanged: func([]any) []any { return []any{"bm90IHdoYXQgaXQgd2Fz"} },
		LogShrunk:   func([]any) []any { return []any{} },
	} {
		g := newGateway(t, founded(t))
		w := observe(t, g)
		w.look(1)
		g.alter["/v1/log/leaves"] = func(a map[string]any) {
			if leaves := a["leaves"].([]any); len(leaves) == 1 && g.asked == state.LogRoll("primary") {
				a["leaves"] = change(leaves)
			}
		}
		g.to(g.tip + 1)
		w.on(g)
		w.look(1)
		w.raised(kind)
		g.to(g.tip + 1)
		w.stays(kind)
	}
}
