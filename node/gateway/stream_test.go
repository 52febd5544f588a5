package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEveryEventOnce: whoever comes back after any event, to this node or to another one, gets what follows, each once and in order.
func TestEveryEventOnce(t *testing.T) {
	const last = 14
	c := newTale(last)
	one, other := tell(t, c, nil), tell(t, newTale(last), nil)
	n := c.countOf(last)
	whole := one.listen(t, "from=1", "").events(n)
	if whole[0].id != "1.0" || whole[0].kind != "block" || !strings.HasPrefix(whole[0].data, `{"height":1,"index":0,"time":"1970-01-01T00:00:01Z","hash":"`) {
		t.Errorf("%+v", whole[0])
	}
	for i, h := range whole {
		for _, w := range []*teller{one, other} {
			rest := w.listen(t, "from=3", h.id) // the header is later than the query
			if got := rest.events(n - i - 1); !slices.Equal(got, whole[i+1:]) {
				t.Fatalf("after %s: %+v", h.id, got)
			}
			rest.body.Close()
		}
	}
	// What is silent tells all the same how far it has come, so that a filter does not begin anew.
	quiet := one.listen(t, "from=1&kinds=keys", "")
	for quiet.last != fmt.Sprint(last+1) {
		if h, err := quiet.block(); err != nil || h.data != "" {
			t.Fatal(h, err)
		}
	}
	c.advance()
	if got := one.listen(t, "", quiet.last).events(1); got[0].id != "15.0" {
		t.Errorf("%+v", got)
	}
}

// TestUncertified: a node that cannot tell what is certified has all other events under the same ids, and takes the ids of those who can.
func TestUncertified(t *testing.T) {
	knowing, ignorant := newTale(8), newTale(8)
	ignorant.knows = func(int64) bool { return false }
	all := tell(t, knowing, nil).listen(t, "from=1", "").events(knowing.countOf(8))
	w := tell(t, ignorant, nil)
	got := w.listen(t, "from=1", "").events(ignorant.countOf(8))
	if want := slices.DeleteFunc(slices.Clone(all), func(h heard) bool { return h.kind == "certified" }); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	for i, h := range all {
		if h.kind == "certified" && h.id[0] != '8' && w.listen(t, "", h.id).events(1)[0] != all[i+1] {
			t.Errorf("after %s something else follows", h.id)
		}
	}
}

// TestEventFilter: kinds and election let through what they name, with all events' ids.
func TestEventFilter(t *testing.T) {
	c := newTale(12)
	w := tell(t, c, nil)
	all := w.listen(t, "from=1", "").events(c.countOf(12))
	for query, pass := range map[string]func(heard) bool{
		"kinds=block":                         func(h heard) bool { return h.kind == "block" },
		"kinds=certified,resolution":          func(h heard) bool { return h.kind == "certified" || h.kind == "resolution" },
		"election=mayor":                      func(h heard) bool { return strings.Contains(h.data, `"election":"mayor"`) },
		"election=mayor&kinds=phase":          func(h heard) bool { return h.kind == "phase" },
		"kinds=transaction&election=somebody": func(heard) bool { return false },
	} {
		want := slices.DeleteFunc(slices.Clone(all), func(h heard) bool { return !pass(h) })
		if len(want) == 0 && !strings.Contains(query, "somebody") {
			t.Fatalf("%s: the tale has none", query)
		}
		l := w.listen(t, "from=1&"+query, "")
		if got := l.events(len(want)); !slices.Equal(got, want) {
			t.Errorf("%s: %+v", query, got)
		}
	}
}

// TestEventKinds: whatever the application tells can be asked for.
func TestEventKinds(t *testing.T) {
	files, err := filepath.Glob("../../app/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	told := regexp.MustCompile(`\.emit\("([^"]*)"`)
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range told.FindAllSubmatch(source, -1) {
			if found++; !slices.Contains(eventKinds, string(kind[1])) {
				t.Errorf("%s tells %q, which is no kind", file, kind[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d kinds are found", found)
	}
}

// TestLargeBlock: the events of a block come in batches that are bounded, none twice.
func TestLargeBlock(t *testing.T) {
	c := newTale(1)
	many := make([][]byte, 5_000)
	for i := range many {
		many[i] = fmt.Appendf(nil, "nonsense %d", i)
	}
	c.txs = func(int64) [][]byte { return many }
	for i, h := range tell(t, c, nil).listen(t, "from=1", "").events(1 + len(many)) {
		if h.id != fmt.Sprintf("1.%d", i) {
			t.Fatalf("%d: %+v", i, h)
		}
	}
	f, from := newFeed(c, nil), cursor{height: 1}
	for from.height == 1 {
		batch, next, err := f.read(t.Context(), from, eventFilter{})
		if err != nil || len(batch) == 0 || len(batch) > maxBatch+1_000 || next == from {
			t.Fatalf("at %v %d bytes, next %v, %v", from, len(batch), next, err)
		}
		from = next
	}
}

// TestWrongCursors: each has its status and a sentence.
func TestWrongCursors(t *testing.T) {
	c := newTale(20)
	c.first = 5
	w := tell(t, c, nil)
	for query, status := range map[string]int{
		"from=0": 400, "from=-1": 400, "from=x": 400, "from=7.": 400, "from=7.x": 400, "from=7.-1": 400, "from=07": 400, "from=7.01": 400, "from=7.1.1": 400,
		"from=99999999999999999999": 400, "from=7.99999999999999999999": 400, "from=7.1000": 400, "from=7&from=8": 400, "form=7": 400, "kinds=blocks": 400, "kinds=block,": 400, "election=Mayor": 400,
		"from=4": 410, "from=1": 410, "from=4.0": 410,
	} {
		res, err := w.client.Get(w.address + "/v1/events?" + query)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != status || !strings.HasPrefix(string(b), `{"error":"`) {
			t.Errorf("%s: %d %s", query, res.StatusCode, b)
		}
	}
	if l := w.listen(t, "", ""); l.events(1)[0].id != "20.0" {
		t.Error("without a cursor the newest block comes first")
	}
	// A place that is not there yet is waited for.
	ahead, wrong := w.listen(t, "from=22", ""), w.listen(t, "from=21.1000", "")
	c.advance()
	c.advance()
	if got := ahead.events(1); got[0].id != "22.0" {
		t.Errorf("%+v", got)
	}
	if got := wrong.events(1); got[0].kind != "end" || !strings.Contains(got[0].data, "is the id of none") {
		t.Errorf("%+v", got)
	}
}

// TestSlowReader: a reader that never reads is cut off, and others are told all the same, beyond all timeouts of the server.
func TestSlowReader(t *testing.T) {
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP %d", major), func(t *testing.T) {
			w := tellOver(t, major, newTale(1<<40), nil)
			res, err := w.client.Get(w.address + "/v1/events?from=1")
			if err != nil || res.ProtoMajor != major {
				t.Fatal(res, err)
			}
			defer res.Body.Close()
			l := w.listen(t, "from=1", "")
			for deadline := time.After(patience); ; {
				select {
				case <-w.ended:
					l.events(1_000)
					if n := len(w.streams.tokens); n != 1 {
						t.Errorf("%d streams are open", n)
					}
					return
				case <-deadline:
					t.Fatal("it is not cut off")
				default:
					l.events(100)
				}
			}
		})
	}
}

// TestTenThousandStreams: what comes on top is told when to come again, and leaves nothing behind.
func TestTenThousandStreams(t *testing.T) {
	w := tell(t, newTale(10), func(c *Config) { c.Streams, c.PerClient = 4, 2 })
	open := make([]*listener, 4)
	for i := range open {
		open[i] = w.listen(t, "from=1", "")
	}
	measure := func() (goroutines int, heap uint64) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	goroutines, heap := measure()
	for range 10_000 {
		rec := httptest.NewRecorder()
		w.events(rec, httptest.NewRequest(http.MethodGet, "/v1/events?from=1", nil))
		if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "5" {
			t.Fatal(rec.Code, rec.Header())
		}
	}
	if g, h := measure(); g > goroutines+20 || h > heap+4<<20 {
		t.Errorf("%d goroutines and %d bytes, %d and %d before", g, h, goroutines, heap)
	}
	open[0].body.Close()
	open[1].body.Close()
	<-w.ended
	<-w.ended
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 2 { // of one address, which may have no more
		w.streams.clients.enter("192.0.2.1")
	}
	rec, req := httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/events", nil)
	req.RemoteAddr = "192.0.2.1:1"
	if w.events(rec, req); rec.Code != http.StatusTooManyRequests || rec.Header().Get("Retry-After") == "" {
		t.Error(rec.Code, rec.Header())
	}
	open[2].events(10)
}

// TestStreamsEnd: where the node stops, a stream says so and ends.
func TestStreamsEnd(t *testing.T) {
	w := tell(t, newTale(3), nil)
	l := w.listen(t, "", "")
	l.events(1)
	close(w.stop)
	for {
		h, err := l.block()
		if err != nil {
			t.Fatal("it ends without a word:", err)
		}
		if h.kind == "end" {
			break
		}
	}
	if _, err := l.block(); err != io.EOF {
		t.Error(err)
	}
}
