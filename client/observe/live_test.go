package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"votenode/app/state"
	"votenode/internal/testnet"
	"votenode/verify/certified"
	"votenode/verify/prooffile"
)

// liar stands between the observer and the gateway of a node that runs, and changes what the node says.
type liar struct {
	url string

	mu     sync.Mutex
	lie    func(u *url.URL, answer map[string]any)
	silent bool
	frozen map[string][]byte // answers that are given again, by request, while it is not nil
}

// before puts a liar, who is honest until told otherwise, before a node.
func before(t *testing.T, e *testnet.Node) *liar {
	t.Helper()
	l := &liar{}
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse("http://" + e.Gateway())))
	proxy.ModifyResponse = l.change
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		silent, again := l.silent, l.frozen[r.URL.RequestURI()]
		l.mu.Unlock()
		switch {
		case silent:
			<-r.Context().Done()
		case again != nil:
			w.Header().Set("Content-Type", "application/json")
			w.Write(again)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

// change alters the answer to a request on its way.
func (l *liar) change(r *http.Response) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if l.lie != nil && r.StatusCode == http.StatusOK {
		answer := map[string]any{}
		if err := json.Unmarshal(body, &answer); err != nil {
			return err
		}
		l.lie(r.Request.URL, answer)
		if body, err = json.Marshal(answer); err != nil {
			return err
		}
	}
	if l.frozen != nil && r.StatusCode == http.StatusOK {
		l.frozen[r.Request.URL.RequestURI()] = body
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// tell lets it change answers; nil makes it honest.
func (l *liar) tell(lie func(u *url.URL, answer map[string]any)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie = lie
}

// freeze lets it give what is in the map again, and remember there what is not; nil ends that.
func (l *liar) freeze(answers map[string][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = answers
}

// hush lets it say nothing.
func (l *liar) hush(silent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = silent
}

// flip changes one byte of a base64 text.
func flip(text string) string {
	b := []byte(text)
	b[len(b)/2] = map[bool]byte{true: 'B', false: 'A'}[b[len(b)/2] == 'A']
	return string(b)
}

// live opens an observer of nodes that run. Its clock is right, but for what ahead says.
func live(t *testing.T, n *testnet.Network, ahead *time.Duration, nodes ...string) *watch {
	t.Helper()
	w := &watch{T: t, s: Settings{GenesisHash: n.Hash, Nodes: nodes, Folder: filepath.Join(t.TempDir(), "observer"), Limits: DefaultLimits()}}
	w.s.Limits.Failures = 1
	w.s.Now = func() time.Time { return time.Now().Add(*ahead) }
	w.s.Tell = func(e Event) error { w.events = append(w.events, e); return nil }
	w.open()
	return w
}

// grow lets a network of nodes, the first of which runs, make some more blocks.
func grow(n *testnet.Network, heights int64) {
	n.Nodes[0].WaitHeight(n.Nodes[0].Running().App().Tip().Height + heights)
}

// TestLive: nodes of a network that runs, one of which lies in one way after another. Each lie is an alarm, once, however often it is told and
// however often the observer is started again.
func TestLive(t *testing.T) {
	if testing.Short() {
		t.Skip("a network of six nodes")
	}
	n := testnet.New(t, testnet.Options{Powers: map[string][]int64{"league": {2, 2}, "party": {1, 1, 1, 1}}, Commit: 100 * time.Millisecond})
	n.Start()
	n.WaitHeight(6)
	var ahead time.Duration
	crooked := before(t, n.Nodes[0])
	w := live(t, n, &ahead, crooked.url, n.Nodes[2].Gateway())
	w.look(1)
	grow(n, 3)
	w.look(1)
	var want []Kind
	w.raised(want...)

	looked := strconv.FormatUint(w.o.known(state.LogBlocks).Leaves[0].Index, 10)
	onLeaf := func(change func(leaves []any) []any) func(*url.URL, map[string]any) {
		return func(u *url.URL, answer map[string]any) {
			if u.Path == "/v1/log/leaves" && u.Query().Get("from") == looked {
				answer["leaves"] = change(answer["leaves"].([]any))
			}
		}
	}
	for _, lie := range []struct {
		kind Kind
		tell func(u *url.URL, answer map[string]any)
	}{
		{LogChanged, func(u *url.URL, answer map[string]any) {
			if steps, ok := answer["path"].([]any); ok && u.Path == "/v1/log/consistency" && len(steps) > 0 {
				steps[0] = flip(steps[0].(string))
			}
		}},
		{LogShrunk, onLeaf(func([]any) []any { return []any{} })},
		{LeafChanged, onLeaf(func(leaves []any) []any { return []any{flip(leaves[0].(string))} })},
		{Unverifiable, func(u *url.URL, answer map[string]any) {
			if u.Path == "/v1/record" && u.Query().Get("key") == state.KeyElections {
				answer["proof"] = flip(answer["proof"].(string))
			}
		}},
	} {
		crooked.tell(lie.tell)
		want = append(want, lie.kind)
		for range 2 {
			grow(n, 2)
			w.look(2)
			w.restart()
		}
		w.raised(want...)
		crooked.tell(nil)
		grow(n, 1)
		w.look(1)
		w.raised(want...)
	}

	// A validator that stops: one of the party's four, so that the ledger goes on and is certified.
	lost := n.Nodes[5]
	if err := lost.Stop(); err != nil {
		t.Fatal(err)
	}
	want = append(want, NotSigning)
	for range 2 {
		for range w.s.Limits.Window + 2 {
			grow(n, 1)
			w.look(1)
		}
		w.raised(want...)
		w.restart()
	}
	if text := w.o.Alarms()[len(want)-1].Text; !strings.Contains(text, lost.Name) {
		t.Errorf("the alarm does not name %s: %s", lost.Name, text)
	}

	// A node that shows the same for ever while the others go on.
	crooked.freeze(map[string][]byte{})
	w.look(2)
	grow(n, w.s.Limits.Behind+4)
	w.look(2)
	want = append(want, Stale)
	w.raised(want...)
	crooked.freeze(nil)

	// A node that takes the question and says nothing.
	w.s.Limits.Look = 5 * time.Second // an honest node on a slow machine takes less
	crooked.hush(true)
	w.restart()
	w.look(2)
	want = append(want, Silent)
	w.raised(want...)
	crooked.hush(false)
	w.s.Limits.Look = DefaultLimits().Look
	w.restart()

	// Blocks that are older than they should be.
	w.look(1)
	ahead = w.s.Limits.Lag + 10*time.Second
	grow(n, 2)
	w.look(1)
	want = append(want, BlockTime)
	w.raised(want...)
	ahead = 0
	grow(n, 2)
	w.look(1)
	w.raised(want...)
	standing := 0
	for _, a := range w.o.Alarms() {
		if a.Stands() {
			standing++
		}
	}
	if standing != 5 { // four failed verifications, and the validator that stopped
		t.Errorf("%d alarms stand", standing)
	}

	// A node of another ledger.
	stranger := before(t, n.Nodes[1])
	stranger.tell(func(u *url.URL, answer map[string]any) {
		if u.Path == "/v1/genesis" {
			answer["document"] = flip(answer["document"].(string))
		}
	})
	w = live(t, n, &ahead, stranger.url)
	w.look(2)
	w.raised(WrongGenesis)
}

// TestLiveFork: all validators run twice, and each half of the network certifies blocks of its own. The observer names who signed both.
func TestLiveFork(t *testing.T) {
	if testing.Short() {
		t.Skip("a network of eight nodes")
	}
	n := testnet.New(t, testnet.Options{Commit: 150 * time.Millisecond})
	n.Start()
	n.WaitHeight(4)
	n.Stop()
	one := n.Nodes[:4:4]
	for i := range one {
		n.Twin(i)
	}
	other := n.Nodes[4:]
	n.Partition(one, other)
	n.Start()
	grow(n, 1)
	w := live(t, n, new(time.Duration), one[0].Gateway(), other[3].Gateway())
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	for len(w.events) == 0 || w.events[len(w.events)-1].Event != EventAlarm {
		if ctx.Err() != nil {
			t.Fatal("no alarm")
		}
		grow(n, 1)
		w.look(1)
	}
	w.raised(Forked)
	var sides [2]*certified.State
	for i := range sides {
		var err error
		if _, sides[i], err = certified.FromLedgerState(w.s.GenesisHash, prooffile.State(w.evidence(0, i))); err != nil {
			t.Fatal(err)
		}
	}
	fork, err := certified.FindFork(sides[0], sides[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range fork.Organisations {
		if !o.Enough {
			t.Errorf("of %s only %d of %d have signed both", o.Organisation, o.Power, o.Total)
		}
	}
	w.stays(Forked)
}
