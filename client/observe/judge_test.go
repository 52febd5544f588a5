package observe

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"votenode/app/election"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
	judge "votenode/verify/slip"
)

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
	w.restart()
	w.look(1)
	w.clock = w.clock.Add(w.s.Limits.Stale + time.Second)
	w.look(1)
	w.raised(Stale, Stale, Stale)
	w.ended(1)
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
	w := observe(t, b, a)
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

	// A node that lies does not keep the others' votes from being counted.
	b.lie("/v1/status", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{") })
	l.Absent["party validator 2"] = true
	step(w.s.Limits.Window + 1)
	w.raised(NotSigning, Unverifiable, NotSigning)
	l.Absent["party validator 2"] = false
	b.lie("/v1/status", nil)
	step(4)
	w.ended(2)
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
	w.restart()
	w.look(1)
	w.raised(SlipBroken, SlipUnkept, SlipInvalid, SlipInvalid)
	w.ended(1) // it is known that no validator has signed it
}

// broken lets a validator promise a ballot and leave it out, and returns the ledger up to where that shows.
func broken(t *testing.T) (*rehearsal.Ledger, []byte, int64) {
	t.Helper()
	e := rehearsal.Open(t, rehearsal.Manifest("primary"), 3)
	node, other := rehearsal.Validator("party", 1), rehearsal.Validator("league", 1)
	ballot, issued := e.Vote(0, 1, []int{0}, []int{0}), e.Height()
	e.Proposer = &node
	e.Make(1, e.Authored(0)...)
	for range 12 {
		e.Proposer = &other
		e.Make(1)
	}
	return e.Ledger, ballot, issued
}

// TestSlipsHeldBack: a node that is asked about a promise, and says nothing, does not keep another one from showing that it is broken.
func TestSlipsHeldBack(t *testing.T) {
	t.Parallel()
	l, ballot, issued := broken(t)
	good, bad := newGateway(t, l), newGateway(t, l)
	asked := make(chan struct{}, 10)
	bad.lie("/v1/slip-cases", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		silence(w, r)
	})
	w := observe(t, good, bad)
	promise(t, w, ballot, issued)
	ctx, cancel := context.WithCancel(t.Context())
	held := make(chan error)
	go func() { held <- w.o.Look(ctx, 1) }()
	select {
	case <-asked:
	case err := <-held:
		t.Fatalf("it was not asked: %v, %+v", err, w.events)
	}
	if err := w.o.Look(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	w.raised(SlipBroken)
	w.stays(SlipBroken)
}

// TestSlipsMoved: a promise whose file is away for a while, or changed, is judged when it is there again; what cannot be read holds nothing up.
func TestSlipsMoved(t *testing.T) {
	t.Parallel()
	l, ballot, issued := broken(t)
	g := newGateway(t, l)
	g.tip = issued + 3
	w := observe(t, g)
	promise(t, w, ballot, issued)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	w.s.Slips = []string{pipe}
	w.restart()
	w.look(1)
	w.raised(SlipInvalid)
	path := filepath.Join(w.s.Folder, slipsFolder, fmt.Sprintf("slip-%d.json", issued))
	s := w.o.slips[path]
	if s == nil {
		t.Fatal("the promise is not watched")
	}
	away := path + ".away"
	if err := os.Rename(path, away); err != nil {
		t.Fatal(err)
	}
	if err := w.o.promise(t.Context(), w.o.nodes[0], s); err != nil || w.o.slips[path] != nil {
		t.Fatalf("it is watched: %v", err)
	}
	if err := os.Rename(away, path); err != nil {
		t.Fatal(err)
	}
	g.tip = l.Height()
	w.on(g)
	w.look(1)
	w.raised(SlipInvalid, SlipBroken)
}

// TestManySlips: there are bounds for files that are watched and for promises that are remembered; the alarm ends with its cause.
func TestManySlips(t *testing.T) {
	t.Parallel()
	l, ballot, _ := broken(t)
	w := observe(t, newGateway(t, l))
	promise(t, w, ballot, 1_000_000)
	path := filepath.Join(w.s.Folder, slipsFolder, "slip-1000000.json")
	for i := range MaxSlips {
		if err := os.Link(path, fmt.Sprint(path, i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxSettled + 1 {
		w.o.file.Slips = append(w.o.file.Slips, settled{fmt.Sprint(i), noPromise})
	}
	w.look(1)
	w.raised(SlipInvalid)
	if len(w.o.slips) != MaxSlips || len(w.o.file.Slips) != 0 {
		t.Errorf("%d are watched, %d remembered", len(w.o.slips), len(w.o.file.Slips))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.look(1)
	w.ended(1)
	if w.o.slips[path] != nil {
		t.Error("a file that is gone is watched")
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
