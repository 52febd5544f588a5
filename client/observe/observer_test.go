package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
	"votenode/verify/prooffile"
	judge "votenode/verify/slip"
)

// TestHonest: over a whole election, with validators that are exchanged and ballots that are refused, two honest nodes raise no alarm. The
// observer is started again in the middle, and knows what was seen before. A promise that is kept is told of once.
func TestHonest(t *testing.T) {
	t.Parallel()
	e, _ := rehearsal.Story(t)
	l := e.Ledger
	a, b := newGateway(t, l), newGateway(t, l)
	a.tip, b.tip = 3, 3
	w := observe(t, a, b)
	promise(t, w, recorded(t, l), l.Height()/2)
	last := l.Height()
	for height := int64(3); height <= last; height++ {
		a.tip = height
		b.tip = height - height%2 // it comes later every other time
		w.on(b)
		w.look(1)
		if height == last/2 {
			before := w.o.Height()
			w.restart()
			w.look(1)
			if after := w.o.Height(); after < before {
				t.Fatalf("certified height %d after %d", after, before)
			}
		}
	}
	w.raised()
	kept := 0
	for _, e := range w.events {
		if e.Event == EventKept && strings.Contains(e.Slip.How, "recorded") {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d kept promises", kept)
	}
	for _, log := range []string{state.LogBlocks, state.LogRoll("primary"), state.LogBallots("primary"), state.LogRoll("cancelled")} {
		known := w.o.known(log)
		want, err := must(l.StateAt(w.o.Height())).Head(log)
		if err != nil || want.Size > 0 && (known.head() != want || known.Height != w.o.Height() || len(known.Leaves) == 0) {
			t.Errorf("%s: %+v, want %+v, %v", log, known, want, err)
		}
	}
	if err := w.o.Failed(); err != nil {
		t.Error(err)
	}
}

// recorded returns a ballot that stands on a ledger.
func recorded(t *testing.T, l *rehearsal.Ledger) []byte {
	t.Helper()
	return must(l.View().Leaf(state.LogBallots("primary"), 0))
}

// promise has a validator of the party promise a ballot at a height, and hands the file to the observer.
func promise(t *testing.T, w *watch, ballot []byte, issued int64) *pb.Promise {
	t.Helper()
	v := rehearsal.Validator("party", 1)
	_, cast, err := judge.ParseBallot(ballot)
	if err != nil {
		t.Fatal(err)
	}
	p := &pb.Promise{Ballot: ballot, Slip: &pb.AcceptanceSlip{
		ChainId: rehearsal.Chain, Election: cast.Election, RollIndex: cast.RollIndex, Sequence: cast.Sequence,
		Code: codeOf(cast), Validator: v.Key, Issued: issued, Promised: issued + 8,
	}}
	judge.Sign(p, rehearsal.Key(v.Name+" slip"))
	file := must(prooffile.JSON(prooffile.OfPromise(p)))
	if err := os.WriteFile(filepath.Join(w.s.Folder, slipsFolder, fmt.Sprintf("slip-%d.json", issued)), file, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

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

// TestStale: a node that falls behind the others, and one that shows nothing new for a time; both alarms end when it gets on.
func TestStale(t *testing.T) {
	t.Parallel()
	l := founded(t)
	a, b := newGateway(t, l), newGateway(t, l)
	w := observe(t, a, b)
	w.look(1)
	a.to(a.tip + w.s.Limits.Behind + 1)
	w.on(a)
	w.look(1)
	w.raised(Stale)
	w.stays(Stale)
	b.tip = a.tip - 1
	w.look(1)
	w.ended(1)
	w.raised(Stale)

	// Nobody gets on.
	w.clock = w.clock.Add(w.s.Limits.Stale + time.Second)
	w.look(2)
	w.raised(Stale, Stale, Stale)
	a.to(a.tip + 1)
	b.tip = a.tip
	w.on(a)
	w.look(2)
	w.ended(3)
}

// TestBlockTime: new blocks that are old, blocks of tomorrow, and time that stands still.
func TestBlockTime(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *watch, g *gateway){
		"lags": func(w *watch, g *gateway) {
			g.to(g.tip + 1)
			w.on(g)
			w.clock = w.clock.Add(w.s.Limits.Lag)
		},
		"is ahead": func(w *watch, g *gateway) {
			g.to(g.tip + 1)
			w.on(g)
			w.clock = w.clock.Add(-w.s.Limits.Ahead - 3*time.Second)
		},
		"stands still": func(w *watch, g *gateway) {
			before := g.l.BlockAt(g.tip - 1).Time
			g.l.Alter = func(b *cmtBlock) { b.Time = before }
			g.to(g.tip + 2)
			w.on(g)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, founded(t))
			w := observe(t, g)
			w.look(2)
			w.raised()
			spoil(w, g)
			w.look(1)
			w.raised(BlockTime)
			w.stays(BlockTime)
			for range 2 {
				g.to(g.tip + 2)
				w.on(g)
				w.look(1)
			}
			w.raised(BlockTime)
			w.ended(1)
		})
	}
}

// TestNotSigning: a validator whose precommits are missing in every header of the window; the alarm ends when it signs again. One node
// alone cannot make a validator look absent.
func TestNotSigning(t *testing.T) {
	t.Parallel()
	l := founded(t)
	a, b := newGateway(t, l), newGateway(t, l)
	key := rehearsal.Validator("league", 2).Key
	b.alter["/v1/headers/"] = func(answer map[string]any) { withoutVote(answer, key) }
	w := observe(t, a, b)
	step := func(n int) {
		for range n {
			a.to(a.tip + 1)
			b.tip = a.tip
			w.on(a)
			w.look(1)
		}
	}
	step(2 * w.s.Limits.Window)
	w.raised()
	delete(b.alter, "/v1/headers/")
	l.Absent["league validator 1"] = true
	step(w.s.Limits.Window - 1)
	w.raised()
	step(2)
	w.raised(NotSigning)
	if text := w.o.Alarms()[0].Text; !strings.Contains(text, "league validator 1 of league") {
		t.Error(text)
	}
	w.stays(NotSigning)
	l.Absent["league validator 1"] = false
	step(4)
	w.raised(NotSigning)
	w.ended(1)
}

// TestSlips: a promise that is broken, with evidence that anybody judges; one for nothing; a file that is none, until it is one.
func TestSlips(t *testing.T) {
	t.Parallel()
	e := rehearsal.Open(t, rehearsal.Manifest("primary"), 3)
	g := newGateway(t, e.Ledger)
	w := observe(t, g)
	node := rehearsal.Validator("party", 1)
	w.look(1)
	promise(t, w, e.Vote(0, 1, []int{0}, []int{0}), e.Height())
	e.Proposer = &node
	e.Make(1, e.Authored(0)...)
	w.look(1)
	w.raised()
	other := rehearsal.Validator("league", 1)
	for range 12 {
		e.Proposer = &other
		e.Make(1)
	}
	g.tip = e.Height()
	w.on(g)
	w.look(1)
	w.raised(SlipBroken)
	w.stays(SlipBroken)
	c := w.evidence(0, 0).Content.(*pb.ProofFile_SlipCase).SlipCase
	if f, err := judge.Judge(w.s.GenesisHash, w.clock, c); err != nil || f.Verdict != judge.Broken || f.Validator.Name != node.Name {
		t.Errorf("%+v, %v", f, err)
	}

	// Nobody but the others makes blocks.
	unkept := promise(t, w, e.Vote(1, 1, []int{0}, []int{0}), e.Height())
	for e.Height() < unkept.Slip.Promised+2 {
		e.Proposer = &other
		e.Make(1)
	}
	g.tip = e.Height()
	w.on(g)
	w.look(1)
	w.raised(SlipBroken, SlipUnkept)

	// A file that is written while it is read, and one that no validator has signed.
	half := filepath.Join(w.s.Folder, slipsFolder, "half.json")
	whole := must(prooffile.JSON(prooffile.OfPromise(unkept)))
	forged := *unkept.Slip
	forged.Sequence++
	for path, data := range map[string][]byte{half: whole[:len(whole)/2]} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.look(2)
	w.raised(SlipBroken, SlipUnkept, SlipInvalid)
	if err := os.WriteFile(half, must(prooffile.JSON(prooffile.OfPromise(&pb.Promise{Slip: &forged, Ballot: unkept.Ballot}))), 0o600); err != nil {
		t.Fatal(err)
	}
	g.to(g.tip + 1)
	w.on(g)
	w.look(2)
	w.raised(SlipBroken, SlipUnkept, SlipInvalid, SlipInvalid)
	w.ended(1) // it was a promise in form
}

// TestBadAnswers: whatever a node does instead of answering is an alarm about this node, once, and the other one is watched all the same.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }
	}
	for name, test := range map[string]struct {
		path string
		want Kind
		fn   http.HandlerFunc
	}{
		"half of an answer": {"/v1/certified", Silent, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `{"height":5,`)
		}},
		"endless": {"/v1/status", Silent, func(w http.ResponseWriter, _ *http.Request) {
			for block := strings.Repeat(" ", 1<<20); ; {
				if _, err := io.WriteString(w, block); err != nil {
					return
				}
			}
		}},
		"an error":            {"/v1/status", Silent, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }},
		"half of JSON":        {"/v1/status", Unverifiable, text(`{"height":5,"chain`)},
		"a huge height":       {"/v1/status", Unverifiable, text(`{"height":9223372036854775807}`)},
		"a height below zero": {"/v1/status", Unverifiable, text(`{"height":-9223372036854775808}`)},
		"no number":           {"/v1/status", Unverifiable, text(`{"height":1e400}`)},
		"no certificate":      {"/v1/certified", Unverifiable, text(`{"height":5,"state":"AAAA"}`)},
		"an empty one":        {"/v1/certified", Unverifiable, text(`{"height":5}`)},
		"ten thousand proofs": {"/v1/epochs", Unverifiable, text(`{"proofs":["` + strings.Repeat(`","`, 10_000) + `"]}`)},
		"a huge certificate":  {"/v1/certified", Unverifiable, text(`{"height":5,"state":"` + strings.Repeat("CgAK", 400_000) + `"}`)},
		"no header":           {"/v1/headers", Unverifiable, text(`{"signed_header":""}`)},
		"no record":           {"/v1/record", Unverifiable, text(`{}`)},
		"no path":             {"/v1/log/inclusion", Unverifiable, text(`{"path":[]}`)},
		"a path of nothing":   {"/v1/log/inclusion", Unverifiable, text(`{"path":["AAAA"]}`)},
		"another document":    {"/v1/genesis", WrongGenesis, text(`{"document":"AAAA"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := founded(t)
			good, bad := newGateway(t, l), newGateway(t, l)
			bad.serve[test.path] = test.fn
			w := observe(t, bad, good)
			w.look(1)
			w.raised(test.want)
			if len(w.o.Alarms()[0].Nodes) != 1 || w.o.Alarms()[0].Nodes[0] != bad.url {
				t.Errorf("it is about %v", w.o.Alarms()[0].Nodes)
			}
			if w.o.Height() == 0 {
				t.Error("the other node was not looked at")
			}
			w.stays(test.want)
			delete(bad.serve, test.path)
			w.look(1)
			w.raised(test.want)
			w.ended(map[bool]int{true: 1, false: 0}[test.want == Silent])
		})
	}
}

// TestSilent: a look at a node that says nothing comes to an end.
func TestSilent(t *testing.T) {
	t.Parallel()
	g := newGateway(t, founded(t))
	g.serve["/v1/genesis"] = silence
	w := observe(t, g)
	patient := w.s.Limits.Look
	w.s.Limits.Look = 100 * time.Millisecond
	w.restart()
	w.look(2)
	w.raised(Silent)
	w.stays(Silent)
	w.s.Limits.Look = patient
	delete(g.serve, "/v1/genesis")
	w.restart()
	w.look(1)
	w.raised(Silent)
	w.ended(1)
}

// TestUnproven: a node may claim what it likes of itself, and it is not told further.
func TestUnproven(t *testing.T) {
	t.Parallel()
	g := newGateway(t, founded(t))
	g.alter["/v1/status"] = func(a map[string]any) { a["organisation"] = "\x1b[2Jparty" }
	g.serve["/v1/epochs"] = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"error": strings.Repeat("\x1b[2J\n", 5_000)})
	}
	w := observe(t, g)
	w.look(1)
	w.raised(Silent)
	if text := w.o.Alarms()[0].Text; strings.ContainsAny(text, "\x1b\n") || len([]rune(text)) > maxText+1 {
		t.Errorf("%d characters: %q", len(text), text)
	}
	if rows, _ := w.o.Rows(); rows[0].Organisation != "" {
		t.Errorf("%q", rows[0].Organisation)
	}
}

// TestRun: a node that does not answer does not keep the observer from looking at another one.
func TestRun(t *testing.T) {
	t.Parallel()
	l := founded(t)
	good, bad := newGateway(t, l), newGateway(t, l)
	bad.serve["/"] = silence
	w := observe(t, bad, good)
	var looks atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	err := w.o.Run(ctx, func(context.Context) error {
		if looks.Add(1) == 5 {
			cancel()
			return errors.New("enough")
		}
		return nil
	})
	if err != nil || w.o.Height() == 0 {
		t.Errorf("%v, height %d", err, w.o.Height())
	}
	w.raised() // it was stopped before the node could be said to be silent
}

// TestFolder: what is on disk is read strictly, belongs to one ledger and one process, and a disk that fails ends the observer.
func TestFolder(t *testing.T) {
	t.Parallel()
	g := newGateway(t, founded(t))
	w := observe(t, g)
	if _, err := Open(w.s); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	w.look(1)
	w.o.Close()
	path := filepath.Join(w.s.Folder, stateFile)
	whole := must(os.ReadFile(path))
	for name, change := range map[string]func(f map[string]any) []byte{
		"half":            func(map[string]any) []byte { return whole[:len(whole)/2] },
		"empty":           func(map[string]any) []byte { return nil },
		"longer":          func(map[string]any) []byte { return append(bytes.Clone(whole), "{}"...) },
		"another version": func(f map[string]any) []byte { f["votenode_observer"] = 2; return must(json.Marshal(f)) },
		"unknown field":   func(f map[string]any) []byte { f["colour"] = 2; return must(json.Marshal(f)) },
		"another state":   func(f map[string]any) []byte { f["state"] = "AAAA"; return must(json.Marshal(f)) },
		"no height": func(f map[string]any) []byte {
			f["logs"].([]any)[0].(map[string]any)["height"] = 0
			return must(json.Marshal(f))
		},
		"no head": func(f map[string]any) []byte {
			f["logs"].([]any)[0].(map[string]any)["head"] = "AAAA"
			return must(json.Marshal(f))
		},
		"a log twice": func(f map[string]any) []byte {
			f["logs"] = append(f["logs"].([]any), f["logs"].([]any)[0])
			return must(json.Marshal(f))
		},
		"unknown alarm": func(f map[string]any) []byte {
			f["alarms"] = []any{map[string]any{"kind": "weather"}}
			return must(json.Marshal(f))
		},
		"no count": func(f map[string]any) []byte { delete(f, "missed"); return must(json.Marshal(f)) },
		"null":     func(f map[string]any) []byte { f["alarms"] = []any{nil}; return must(json.Marshal(f)) },
	} {
		var f map[string]any
		if err := json.Unmarshal(whole, &f); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(f), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(w.s); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "move the folder away") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	other := w.s
	other.GenesisHash[0] ^= 1
	if _, err := Open(other); err == nil || errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "--folder") {
		t.Errorf("another ledger: %v", err)
	}
	w.open()
	if err := os.RemoveAll(w.s.Folder); err != nil {
		t.Fatal(err)
	}
	g.to(g.tip + 1)
	if err := w.o.Look(t.Context(), 0); err == nil {
		t.Error("it goes on without its folder")
	}
}

// TestSettings: wrong settings are refused before anything is asked.
func TestSettings(t *testing.T) {
	t.Parallel()
	for name, nodes := range map[string][]string{
		"none": nil, "no address": {"ftp://x"}, "twice": {"127.0.0.1:1", "http://127.0.0.1:1"}, "too many": make([]string, MaxNodes+1),
	} {
		if _, err := Open(Settings{Nodes: nodes, Folder: t.TempDir()}); !errors.Is(err, ErrNodes) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// withoutVote leaves the precommit of a validator out of a signed header.
func withoutVote(answer map[string]any, key []byte) {
	signed := new(pb.SignedHeader)
	if err := election.Decode(must(fromBase64(answer["signed_header"].(string))), signed); err != nil {
		panic(err)
	}
	address := addressOf(key)
	kept := signed.Precommits[:0]
	for _, p := range signed.Precommits {
		if !bytes.Equal(p.Address, address) {
			kept = append(kept, p)
		}
	}
	signed.Precommits = kept
	answer["signed_header"] = election.Encode(signed)
}
