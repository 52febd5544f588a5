package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	cmtjson "github.com/cometbft/cometbft/libs/json"

	"votenode/app/state"
)

// streams: where a stream begins by a header, what it is refused, and how it says why it ends.
func (c *contract) streams(good example) {
	c.Helper()
	o := c.operations["events"]
	a := good.request(o.method, good.target, "", "Last-Event-ID", "2.0")
	c.take(o, good, a, http.StatusOK)
	c.seen[o.id+" ?Last-Event-ID"] = true
	if bytes.Contains(a.body, []byte("id: 1.")) || bytes.Contains(a.body, []byte("id: 2.0\n")) || !bytes.Contains(a.body, []byte("id: 3.0\n")) {
		c.Errorf("after 2.0 comes %.300s", a.body)
	}
	c.ask(o, example{good.world, good.target, "x"}, http.StatusBadRequest)
	c.ask(o, example{good.world, "/v1/events?from=2.1000", ""}, http.StatusBadRequest)

	w := serve(c.T, good.ledger)
	c.ask(o, example{w, "/v1/events?from=1", ""}, http.StatusGone)
	w.index(2)
	if a := c.ask(o, example{w, "/v1/events?from=2", ""}, http.StatusOK); !bytes.Contains(a.body, []byte("\nevent: end\n")) {
		c.Errorf("it ends with %.300s", a.body)
	}
}

// cometRequest is a request of JSON-RPC.
func cometRequest(method string, params map[string]any) string {
	if params == nil {
		params = map[string]any{}
	}
	return string(must(json.Marshal(map[string]any{"jsonrpc": "2.0", "id": "1", "method": method, "params": params})))
}

// cometCalls are good requests of every method, with every parameter.
func cometCalls(w *world) []string {
	height := w.ledger.Height() - 2
	evidence := json.RawMessage(must(cmtjson.Marshal(w.ledger.DoubleVote(node.Name, height))))
	return []string{
		cometRequest("health", nil), cometRequest("status", nil), cometRequest("genesis", nil), cometRequest("abci_info", nil),
		cometRequest("header", map[string]any{"height": "5"}), cometRequest("commit", nil), cometRequest("block", map[string]any{"height": "1"}),
		cometRequest("validators", map[string]any{"height": "5", "page": "2", "per_page": "3"}),
		cometRequest("abci_query", map[string]any{"path": "/record", "data": fmt.Sprintf("%x", state.KeyParameters), "height": fmt.Sprint(height), "prove": true}),
		cometRequest("broadcast_evidence", map[string]any{"evidence": evidence}),
		`{"jsonrpc":"2.0","id":-7,"method":"health"}`,
	}
}

// calls: every method is answered with a result, and what is wrong with a call with the error of its kind.
func (c *contract) calls(good example) {
	c.Helper()
	o := c.operations["comet"]
	call := func(body string) (result json.RawMessage, code int) {
		c.Helper()
		a := good.request(o.method, o.path, body)
		c.take(o, good, a, http.StatusOK)
		var answer struct {
			Result json.RawMessage
			Error  struct{ Code int }
		}
		if err := json.Unmarshal(a.body, &answer); err != nil {
			c.Error(err)
		}
		return answer.Result, answer.Error.Code
	}
	called := map[string]bool{}
	for _, body := range cometCalls(good.world) {
		if result, code := call(body); result == nil || code != 0 {
			c.Errorf("%.300s: error %d", body, code)
		}
		called[must(parseCometCall([]byte(body))).Method] = true
	}
	for method := range good.server.cometMethods() {
		if !called[method] {
			c.Errorf("%s is not called", method)
		}
		if _, code := call(cometRequest(method, map[string]any{"nonsense": "1"})); code != -32602 {
			c.Errorf("%s with an unknown parameter: error %d", method, code)
		}
	}
	double := good.ledger.DoubleVote(node.Name, good.ledger.Height()-2)
	double.VoteA.Signature[0] ^= 1
	for body, want := range map[string]int{
		"x": -32600, "[]": -32600, strings.Replace(cometRequest("health", nil), `"id":"1",`, "", 1): -32600,
		cometRequest("nothing", nil):                          -32601,
		cometRequest("header", map[string]any{"height": "0"}): -32602, cometRequest("validators", map[string]any{"page": "5"}): -32602, cometRequest("abci_query", map[string]any{"path": "/x"}): -32602,
		cometRequest("broadcast_evidence", map[string]any{"evidence": json.RawMessage(must(cmtjson.Marshal(double)))}): -32602,
		cometRequest("block", map[string]any{"height": "1000000"}):                                                     -32603,
	} {
		if result, code := call(body); result != nil || code != want {
			c.Errorf("%.300s: error %d instead of %d", body, code, want)
		}
	}
}
