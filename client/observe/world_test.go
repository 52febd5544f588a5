package observe

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
	"votenode/verify/prooffile"
	judge "votenode/verify/slip"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// gateway serves a rehearsed ledger up to a height, as a node would, or lies.
type gateway struct {
	t   testing.TB
	url string

	mu    sync.Mutex
	l     *rehearsal.Ledger
	tip   int64                             // the newest height that it has
	other map[int64]*state.Snapshot         // states in the place of the ledger's own
	serve map[string]http.HandlerFunc       // what it answers itself, by the beginning of the path
	alter map[string]func(a map[string]any) // what it changes in an answer, by the beginning of the path
	shown map[int64]*pb.CertifiedState      // certified states by height, nil where a height is not certified
	saved map[int64]*pb.LedgerState
	asked string // the log that it is asked about
}

// newGateway serves a ledger up to its newest height.
func newGateway(t testing.TB, l *rehearsal.Ledger) *gateway {
	t.Helper()
	g := &gateway{t: t, l: l, tip: l.Height(), other: map[int64]*state.Snapshot{}, serve: map[string]http.HandlerFunc{}, alter: map[string]func(map[string]any){}}
	g.become(l)
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// become lets it serve another ledger.
func (g *gateway) become(l *rehearsal.Ledger) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.l, g.shown, g.saved = l, map[int64]*pb.CertifiedState{}, map[int64]*pb.LedgerState{}
	g.tip = l.Height()
}

// to makes blocks until a height, and serves them.
func (g *gateway) to(height int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.l.Height() < height {
		g.l.Make(1)
	}
	g.tip = height
}

// certified returns the newest certified height that the node has, with the evidence; 0 where there is none.
func (g *gateway) certified() (int64, *pb.CertifiedState) {
	for height := g.tip - 2; height >= 1; height-- {
		shown, known := g.shown[height]
		if !known {
			ledgerState := g.l.LedgerState(height)
			if _, s, err := certified.FromLedgerStateOf(genesis.Hash(g.l.Genesis), ledgerState, certified.AnyProtocol); err == nil && s.Certified {
				shown, g.saved[height] = ledgerState.State, ledgerState
			}
			g.shown[height] = shown
		}
		if shown != nil {
			return height, shown
		}
	}
	return 0, nil
}

func (g *gateway) snapshot(height int64) *state.Snapshot {
	if s := g.other[height]; s != nil {
		return s
	}
	return must(g.l.StateAt(height))
}

// lie lets it answer a path by itself, whatever follows; honestly again where fn is nil.
func (g *gateway) lie(path string, fn http.HandlerFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.serve[path] = fn
}

func (g *gateway) own(path string) http.HandlerFunc {
	g.mu.Lock()
	defer g.mu.Unlock()
	for prefix, fn := range g.serve {
		if strings.HasPrefix(path, prefix) {
			return fn
		}
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if fn := g.own(r.URL.Path); fn != nil {
		fn(w, r)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = r.URL.Query().Get("log")
	answer, err := g.answer(r)
	if raw, ok := answer.([]byte); ok {
		w.Write(raw)
		return
	}
	if err != nil || answer == nil {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"error":"not there: %v"}`, err)
		return
	}
	for path, fn := range g.alter {
		if strings.HasPrefix(r.URL.Path, path) {
			var a map[string]any
			if err := json.Unmarshal(must(json.Marshal(answer)), &a); err != nil {
				panic(err)
			}
			fn(a)
			answer = a
		}
	}
	json.NewEncoder(w).Encode(answer)
}

func (g *gateway) answer(r *http.Request) (any, error) {
	q := r.URL.Query()
	number := func(name string) uint64 { return must(strconv.ParseUint(q.Get(name), 10, 64)) }
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	newest := g.snapshot(g.tip)
	if height, ok := strings.CutPrefix(path, "headers/"); ok {
		return g.header(must(strconv.ParseInt(height, 10, 64)))
	}
	switch path {
	case "genesis":
		return map[string]any{"document": genesis.Bytes(g.l.Genesis), "approvals": []byte{}}, nil
	case "status":
		return map[string]any{"chain_id": g.l.Genesis.ChainId, "height": g.tip, "organisation": "party", "validator": "party validator 1"}, nil
	case "certified":
		height, shown := g.certified()
		if shown == nil {
			return nil, nil
		}
		return map[string]any{"height": height, "state": election.Encode(shown)}, nil
	case "epochs":
		height, _ := g.certified()
		proofs := [][]byte{}
		if s := g.saved[height]; s != nil {
			for _, p := range s.Epochs {
				proofs = append(proofs, election.Encode(p))
			}
		}
		return map[string]any{"proofs": proofs}, nil
	case "record":
		height := int64(number("height"))
		proof, err := g.snapshot(height).ProveRecord(q.Get("key"))
		if err != nil {
			return nil, err
		}
		return map[string]any{"height": height, "proof": election.Encode(proof)}, nil
	case "log/leaves":
		leaves := [][]byte{}
		for i := number("from"); i < number("to"); i++ {
			leaf, err := newest.Leaf(q.Get("log"), i)
			if err != nil {
				break
			}
			leaves = append(leaves, leaf)
		}
		return map[string]any{"leaves": leaves}, nil
	case "log/inclusion":
		hashes, err := newest.ProveInclusion(q.Get("log"), number("index"), number("size"))
		return map[string]any{"path": hashes}, err
	case "log/consistency":
		hashes, err := newest.ProveConsistency(q.Get("log"), number("from"), number("to"))
		return map[string]any{"path": hashes}, err
	case "slip-cases":
		f := must(prooffile.Read(r.Body))
		height, _ := g.certified()
		c, err := judge.NewCase(g.l, g.saved[height], g.snapshot(height), f.Content.(*pb.ProofFile_Promise).Promise)
		if err != nil {
			return nil, err
		}
		return prooffile.Bytes(prooffile.OfSlipCase(c)), nil
	}
	return nil, fmt.Errorf("no such thing as %s", path)
}

func (g *gateway) header(height int64) (any, error) {
	if height < 1 || height >= g.tip {
		return nil, nil
	}
	signed, err := certified.FromCommit(&g.l.BlockAt(height).Header, g.l.BlockAt(height+1).LastCommit)
	return map[string]any{"signed_header": election.Encode(signed)}, err
}

// watch is an observer of gateways, with a clock of its own.
type watch struct {
	*testing.T
	o      *Observer
	s      Settings
	clock  time.Time
	events []Event
}

// observe opens an observer in a new folder. A single look that fails is enough for it.
func observe(t *testing.T, gateways ...*gateway) *watch {
	t.Helper()
	w := &watch{T: t, s: Settings{Folder: filepath.Join(t.TempDir(), "observer"), Limits: DefaultLimits()}}
	w.s.GenesisHash = genesis.Hash(gateways[0].l.Genesis)
	w.s.Limits.Failures = 1
	w.s.Now = func() time.Time { return w.clock }
	w.s.Tell = func(e Event) error { w.events = append(w.events, e); return nil }
	for _, g := range gateways {
		w.s.Nodes = append(w.s.Nodes, g.url)
	}
	w.on(gateways[0])
	w.open()
	return w
}

func (w *watch) open() {
	w.Helper()
	o, err := Open(w.s)
	if err != nil {
		w.Fatal(err)
	}
	w.o = o
	w.Cleanup(func() { o.Close() })
}

// restart lets the observer end and begin again with the same folder.
func (w *watch) restart() {
	w.Helper()
	w.o.Close()
	w.open()
}

// on sets the clock to what is right for the newest certified state of a gateway.
func (w *watch) on(g *gateway) { w.clock = g.l.BlockAt(max(g.tip-1, 1)).Time.Add(2 * time.Second) }

// look looks at all nodes, so many times.
func (w *watch) look(times int) {
	w.Helper()
	for range times {
		for i := range w.s.Nodes {
			if err := w.o.Look(w.Context(), i); err != nil {
				w.Fatal(err)
			}
		}
	}
}

// raised ends the test unless alarms of these kinds, and no others, were told of so far, each once.
func (w *watch) raised(want ...Kind) {
	w.Helper()
	var got []Kind
	for _, e := range w.events {
		if e.Event == EventAlarm {
			got = append(got, e.Alarm.Kind)
		}
	}
	if !slices.Equal(got, want) {
		for _, e := range w.events {
			if e.Event == EventAlarm {
				w.Logf("%s: %s: %s", e.Alarm.Kind, e.Alarm.Cause, e.Alarm.Text)
			}
		}
		w.Fatalf("alarms %v, want %v", got, want)
	}
}

// ended ends the test unless so many alarms have ended.
func (w *watch) ended(want int) {
	w.Helper()
	got := 0
	for _, e := range w.events {
		if e.Event == EventEnded {
			got++
		}
	}
	if got != want {
		w.Fatalf("%d alarms have ended, want %d", got, want)
	}
}

// stays looks again, restarts, and looks again: no alarm is repeated, and all of them stand.
func (w *watch) stays(want ...Kind) {
	w.Helper()
	w.look(2)
	w.restart()
	w.look(2)
	w.raised(want...)
	w.ended(0)
	for i, a := range w.o.Alarms() {
		if a.Kind != want[i] || !a.Stands() {
			w.Fatalf("alarm %d: %+v", i, a)
		}
		for _, name := range a.Evidence {
			if info, err := os.Stat(filepath.Join(w.s.Folder, name)); err != nil || info.Size() == 0 {
				w.Errorf("evidence %s: %v", name, err)
			}
		}
	}
	if err := w.o.Failed(); (err != nil) != slices.ContainsFunc(want, Kind.Failed) {
		w.Errorf("failed: %v", err)
	}
}

// evidence reads a proof file of an alarm.
func (w *watch) evidence(alarm, file int) *pb.ProofFile {
	w.Helper()
	f, err := os.Open(filepath.Join(w.s.Folder, w.o.Alarms()[alarm].Evidence[file]))
	if err != nil {
		w.Fatal(err)
	}
	defer f.Close()
	p, err := prooffile.Read(f)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// founded is a short ledger with an election and a roll.
func founded(t testing.TB) *rehearsal.Ledger {
	t.Helper()
	l := rehearsal.New(t)
	l.Make(1)
	e := l.Create(rehearsal.Manifest("primary"))
	e.Enrol(5)
	for range 3 {
		l.Make(1)
	}
	return l
}

// silence blocks until the one who asks has gone.
func silence(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// codeOf returns the confirmation code of a ballot.
func codeOf(c *tx.Cast) []byte {
	code := c.Code(rehearsal.Chain)
	return code[:]
}

func addressOf(key []byte) []byte {
	address := organisation.ConsensusAddress(key)
	return address[:]
}

func fromBase64(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(s) }

type cmtBlock = cmttypes.Block
