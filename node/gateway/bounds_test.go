package gateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"votenode/internal/rehearsal"
)

// TestClients: an address has so many requests at once and no more, what is over is forgotten, and this machine is not bounded.
func TestClients(t *testing.T) {
	c := newClients(2)
	for i, host := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"} {
		if want := i != 2; c.enter(host) != want {
			t.Errorf("request %d, of %s: the bound does not hold", i, host)
		}
	}
	c.leave("192.0.2.1")
	if !c.enter("192.0.2.1") {
		t.Error("a place is not given back")
	}
	if c.enter("192.0.2.1") {
		t.Error("more than one place is given back")
	}
	for range 3 {
		if !c.enter("127.0.0.1") || !c.enter("::1") {
			t.Error("this machine is bounded")
		}
	}
	for _, host := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "127.0.0.1"} {
		c.leave(host)
	}
	if len(c.active) != 0 {
		t.Errorf("remembered: %v", c.active)
	}
	if free := newClients(0); !free.enter("192.0.2.1") || len(free.active) != 0 {
		t.Error("without a bound an address is counted")
	}
}

func TestConfigCheck(t *testing.T) {
	if err := DefaultConfig().Check(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(c *Config){
		func(c *Config) { c.Listen = "8080" },
		func(c *Config) { c.Key = "key.pem" },
		func(c *Config) { c.Requests = 0 },
		func(c *Config) { c.Requests = 100_001 },
		func(c *Config) { c.Polls = 0 },
		func(c *Config) { c.Streams = 0 },
		func(c *Config) { c.Streams = 100_001 },
		func(c *Config) { c.PerClient = -1 },
	} {
		c := DefaultConfig()
		if change(&c); c.Check() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

// TestSharesOfAnswers: whatever is asked for, one address that takes all that it gets leaves room for others.
func TestSharesOfAnswers(t *testing.T) {
	w := serve(t, nil)
	ask := func(pattern, host string) int {
		method, path, _ := strings.Cut(pattern, " ")
		request := httptest.NewRequest(method, path, strings.NewReader("{}"))
		request.RemoteAddr = host + ":1"
		return direct(w.server, request).status
	}
	for places, endpoints := range w.server.endpoints() {
		taken := 0
		for places.enter("192.0.2.1") {
			taken++
		}
		if taken != places.limit/2 {
			t.Errorf("one address takes %d of %d", taken, places.limit)
		}
		for pattern := range endpoints {
			if status := ask(pattern, "192.0.2.1"); status != http.StatusServiceUnavailable {
				t.Errorf("%s to who has taken all: %d", pattern, status)
			}
			if status := ask(pattern, "192.0.2.2"); status == http.StatusServiceUnavailable {
				t.Errorf("%s to somebody else: %d", pattern, status)
			}
		}
	}
}

// watched is an answer on its way.
type watched struct {
	*httptest.ResponseRecorder
	writing func()
}

func (w watched) Write(b []byte) (int, error) {
	w.writing()
	return w.ResponseRecorder.Write(b)
}

// TestLargeCalls: a large answer to a call counts as one until it is written, for that long it is in memory.
func TestLargeCalls(t *testing.T) {
	l := rehearsal.New(t)
	for range 3 {
		l.Make(1)
	}
	w := serve(t, l)
	call := func(body string, want, open int) {
		t.Helper()
		seen := -1
		recorder := httptest.NewRecorder()
		answer := watched{recorder, func() { seen = w.server.large.open }}
		w.server.http.Handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/cometbft", strings.NewReader(body)))
		if recorder.Code != want || seen != open {
			t.Errorf("%s: %d, and %d large answers while it is written: %s", body, recorder.Code, seen, recorder.Body)
		}
	}
	call(cometRequest("health", nil), http.StatusOK, 0)
	for _, method := range []string{"block", "validators"} {
		body := cometRequest(method, map[string]any{"height": "1"})
		call(body, http.StatusOK, 1)
		call(cometRequest(method, map[string]any{"height": "1", "page": "9"}), http.StatusOK, map[string]int{"validators": 1}[method])
		for w.server.large.enter("127.0.0.1") {
		}
		call(body, http.StatusServiceUnavailable, maxLarge)
		for range maxLarge {
			w.server.large.leave("127.0.0.1")
		}
	}
	if w.server.large.open != 0 || w.server.polls.open != 0 {
		t.Errorf("%d large answers and %d calls are counted afterwards", w.server.large.open, w.server.polls.open)
	}
}
