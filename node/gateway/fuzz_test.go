package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"votenode/internal/rehearsal"
)

// standing lets a ledger be read while inputs are tried, where the fuzzer wants no help of its own.
type standing struct{ testing.TB }

func (standing) Helper() {}

// Whatever is asked for, the gateway answers in JSON, or in events, and never that the node has a fault.
func FuzzRequest(f *testing.F) {
	e, _ := rehearsal.Story(standing{f})
	w := serve(f, e.Ledger)
	handler := w.server.routes()
	for _, endpoints := range w.server.endpoints() {
		for pattern := range endpoints {
			method, path, _ := strings.Cut(pattern, " ")
			path = strings.NewReplacer("{height}", "3", "{election}", "primary", "{index}", "0").Replace(path)
			f.Add(method, path, "")
		}
	}
	f.Add("GET", "/v1/ballots/primary?from=0&to=9", "")
	f.Add("GET", "/v1/events?from=1.0&kinds=block&election=primary", "")
	f.Add("POST", "/v1/transactions", `{"transactions": ["AA=="]}`)
	f.Add("POST", "/cometbft", `{"jsonrpc": "2.0", "id": 1, "method": "abci_query", "params": {"path": "/record", "data": "00", "height": "3", "prove": true}}`)
	f.Add("GET", "/cometbft/commit?height=3", "")
	f.Fuzz(func(t *testing.T, method, target, body string) {
		request, err := http.NewRequest(method, "http://node"+target, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(target, "/") {
			t.Skip("no request")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond) // who waits for a height goes away
		defer cancel()
		request = request.WithContext(ctx)
		request.RemoteAddr, request.RequestURI = "192.0.2.1:7", request.URL.RequestURI()
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		if recorder.Code == http.StatusInternalServerError {
			t.Errorf("%s %q: %s", method, target, recorder.Body)
		}
		kind := recorder.Header().Get("Content-Type")
		if strings.HasPrefix(kind, "application/json") && recorder.Body.Len() > 0 && !json.Valid(recorder.Body.Bytes()) {
			t.Errorf("%s %q: no JSON: %q", method, target, recorder.Body)
		}
	})
}

// A cursor has one name.
func FuzzParseCursor(f *testing.F) {
	for _, text := range []string{"1", "7.0", "9223372036854775807.9223372036854775807", "0", "1.-1", "+1", "01", "1."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text)
		if err == nil && (c.String() != text || c.height < 1 || c.index < 0) {
			t.Errorf("%q is read as %+v", text, c)
		}
	})
}

// A request of CometBFT's kind that is taken has a method and an id that can be sent back.
func FuzzParseCometCall(f *testing.F) {
	f.Add([]byte(`{"jsonrpc": "2.0", "id": "a", "method": "status", "params": {}}`))
	f.Add([]byte(`{"jsonrpc": "2.0", "id": -1, "method": "commit", "params": {"height": "3"}}`))
	f.Add([]byte(`[{"jsonrpc": "2.0", "id": 1, "method": "status"}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseCometCall(body)
		if err != nil {
			return
		}
		if c.ID == nil {
			t.Fatal("a request without an id is taken")
		}
		if _, err := json.Marshal(c.RPCRequest); err != nil {
			t.Error(err)
		}
		var number int64
		var text string
		c.params.take("height", &number)
		c.params.take("path", &text)
		_ = c.params.done()
	})
}
