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

	"votenode/app/state"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
	judge "votenode/verify/slip"
)

// TestHonest: over a whole election, with validators that are exchanged and ballots that are refused, two honest nodes raise no alarm. The
// observer is started again twice, and knows what was seen before. A promise that is kept is told of once.
func TestHonest(t *testing.T) {
	t.Parallel()
	e, _ := rehearsal.Story(t)
	l := e.Ledger
	a, b := newGateway(t, l), newGateway(t, l)
	a.tip, b.tip = 3, 3
	w := observe(t, a, b)
	ballot, height := recorded(t, l)
	promise(t, w, ballot, height-1)
	last := l.Height()
	for height := int64(3); height <= last; height++ {
		a.tip = height
		jump := l.BlockAt(height - 1).Time.Sub(l.BlockAt(height - 2).Time)
		if height%2 == 0 || jump > w.o.s.Limits.Stale {
			b.tip = height // it comes later every other time, but not where that alone would be too long
		}
		w.on(a)
		w.look(1)
		if height == last/2 || height == last*3/4 {
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

// recorded returns the first ballot of a ledger, and the height at which it was recorded.
func recorded(t *testing.T, l *rehearsal.Ledger) (ballot []byte, height int64) {
	t.Helper()
	ballots := state.LogBallots("primary")
	for must(must(l.StateAt(height)).Head(ballots)).Size == 0 {
		height++
	}
	return must(l.View().Leaf(ballots, 0)), height
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

// TestRun: a node that does not answer does not keep the observer from looking at the others, all at once.
func TestRun(t *testing.T) {
	t.Parallel()
	l := founded(t)
	bad := newGateway(t, l)
	bad.lie("/", silence)
	w := observe(t, bad, newGateway(t, l), newGateway(t, l), newGateway(t, l))
	var looks atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	err := w.o.Run(ctx, func(context.Context) error {
		if looks.Add(1) == 15 {
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

// TestToldAgain: an alarm that nobody was told of, for the program ended first or could not write, is told of by the next one, once, even
// if what it is about is over.
func TestToldAgain(t *testing.T) {
	t.Parallel()
	g := newGateway(t, founded(t))
	w := observe(t, g)
	tell := w.s.Tell
	lost := errors.New("nobody listens")
	w.s.Tell = func(e Event) error {
		if e.Event == EventAlarm {
			return lost
		}
		return tell(e)
	}
	w.restart()
	g.lie("/v1/status", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{") })
	if err := w.o.Look(t.Context(), 0); !errors.Is(err, lost) {
		t.Fatalf("it goes on: %v", err)
	}
	if err := w.o.Look(t.Context(), 0); !errors.Is(err, lost) {
		t.Fatalf("it goes on later: %v", err)
	}
	g.lie("/v1/status", nil)
	w.s.Tell = tell
	w.restart()
	w.look(1)
	w.raised(Unverifiable)
	w.stays(Unverifiable)
}

// TestEvidenceLost: an alarm whose evidence cannot be written is raised once it can.
func TestEvidenceLost(t *testing.T) {
	t.Parallel()
	g := newGateway(t, founded(t))
	w := observe(t, g)
	folder := filepath.Join(w.s.Folder, evidenceFolder)
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	g.lie("/v1/status", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{") })
	if err := w.o.Look(t.Context(), 0); err == nil {
		t.Fatal("it goes on without evidence")
	}
	w.restart()
	w.look(1)
	w.raised(Unverifiable)
	if a := w.o.Alarms()[0]; len(a.Evidence) == 0 {
		t.Error("no evidence")
	}
	w.stays(Unverifiable)
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
		"unknown event": func(f map[string]any) []byte {
			f["untold"] = []any{map[string]any{"event": "rain", "time": "2026-03-01T09:00:00Z"}}
			return must(json.Marshal(f))
		},
		"an alarm without one": func(f map[string]any) []byte {
			f["untold"] = []any{map[string]any{"event": "alarm", "time": "2026-03-01T09:00:00Z"}}
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
