package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	cmttypes "github.com/cometbft/cometbft/types"
)

// example is a request that is answered by 200.
type example struct {
	*world
	target, body string
}

// contract holds real answers against the document, and remembers which of those that it describes there were.
type contract struct {
	*testing.T
	*description
	seen map[string]bool // "operation status", and of 200 "operation content type", "operation ?parameter" and pointers to fields
}

// snapshotted has none of the blocks: the node began with a snapshot of the newest state.
type snapshotted struct{ Blocks }

func (snapshotted) LoadBlockMeta(int64) *cmttypes.BlockMeta { return nil }

// TestAnswersAreDescribed asks running gateways for everything: what is there, what is not, what is malformed in every way that the document
// lets one think of, and while they are full. Every answer validates, and every answer that is described is given.
func TestAnswersAreDescribed(t *testing.T) {
	c := &contract{t, describe(t), map[string]bool{}}
	examples := c.examples()
	nothing := serve(t, nil, func(_ *Config, s *Source) {
		s.Health = func() []string { return []string{"a drill"} }
		s.Ready = s.Health
	})
	for _, id := range slices.Sorted(maps.Keys(c.operations)) {
		o := c.operations[id]
		if len(examples[id]) == 0 {
			t.Errorf("%s has no example", id)
			continue
		}
		for _, e := range examples[id] {
			c.ask(o, e, http.StatusOK)
		}
		c.misuse(o, examples[id][0])
		if o.probe() {
			c.ask(o, example{nothing, o.path, ""}, http.StatusServiceUnavailable)
		} else if o.fields["responses"].(map[string]any)["404"] != nil {
			c.ask(o, example{nothing, examples[id][0].target, examples[id][0].body}, http.StatusNotFound)
		}
	}
	late := serve(t, examples["block"][0].ledger, func(_ *Config, s *Source) { s.Blocks = snapshotted{s.Blocks} })
	for _, id := range []string{"block", "header"} {
		c.ask(c.operations[id], example{late, examples[id][0].target, ""}, http.StatusGone)
	}
	c.ask(c.operations["initiativeText"], examples["initiativeText removed"][0], http.StatusGone)
	c.bodies(examples["submit"][0].world)
	c.streams(examples["events"][0])
	c.calls(examples["comet"][0])
	c.limits(examples)
	for _, o := range c.operations {
		c.complete(o)
	}
	c.completeFields()
}

// ask makes one request, and returns its answer.
func (c *contract) ask(o operation, e example, want ...int) answer {
	c.Helper()
	a := e.request(o.method, e.target, e.body)
	c.take(o, e, a, want...)
	return a
}

// take holds an answer against the document.
func (c *contract) take(o operation, e example, a answer, want ...int) {
	c.Helper()
	if !slices.Contains(want, a.status) {
		c.Errorf("%s %s: %d instead of %v: %.300s", o.method, e.target, a.status, want, a.body)
		return
	}
	content, err := c.check(o, a)
	if err != nil {
		c.Errorf("%s %s: %v: %.1000s", o.method, e.target, err, a.body)
	}
	c.seen[fmt.Sprintf("%s %d", o.id, a.status)] = true
	if (content == "application/json" || content == streamed) && o.id != "openAPI" {
		_, response := c.follow(join(o.at, "responses", fmt.Sprint(a.status)))
		c.coverJSON(join(response, "content", content, "schema"), a.json())
	}
	if a.status != http.StatusOK {
		return
	}
	c.seen[o.id+" "+content] = true
	at := must(url.Parse(e.target))
	for name := range at.Query() {
		c.seen[o.id+" ?"+name] = true
	}
	if e.body != "" && strings.HasPrefix(e.body, "{") {
		schema := join(o.at, "requestBody", "content", "application/json", "schema")
		if err := c.validate(schema, []byte(e.body)); err != nil {
			c.Errorf("%s %s: the body: %v", o.method, e.target, err)
		}
		c.coverJSON(schema, []byte(e.body))
	}
}

// coverJSON remembers which of the described fields JSON has.
func (c *contract) coverJSON(pointer string, b []byte) {
	c.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		c.Fatal(err)
	}
	c.cover(pointer, v, func(field string) { c.seen[field] = true })
}

// misuse makes the requests that the document says are malformed out of a good one.
func (c *contract) misuse(o operation, good example) {
	c.Helper()
	if o.probe() {
		return // whoever asks for health need not be taught
	}
	at := must(url.Parse(good.target))
	try := func(path string, query url.Values, want ...int) {
		c.Helper()
		c.ask(o, example{good.world, path + "?" + query.Encode(), good.body}, want...)
	}
	with := func(name string, values ...string) url.Values {
		q := at.Query()
		q[name] = values
		return q
	}
	try(at.Path, with("nonsense", "1"), http.StatusBadRequest)
	for _, p := range c.parameters(o) {
		wrong := wrongValues(p)
		if p.in == "path" {
			for _, value := range wrong {
				try(c.replace(o, at.Path, p.name, value), at.Query(), http.StatusBadRequest, http.StatusNotFound)
			}
			continue
		}
		if p.in == "header" {
			for _, value := range wrong {
				request := httptest.NewRequest(o.method, good.target, strings.NewReader(good.body))
				request.Header.Set(p.name, value)
				c.take(o, good, direct(good.server, request), http.StatusBadRequest)
			}
			continue
		}
		if p.required {
			try(at.Path, with(p.name), http.StatusBadRequest)
		}
		first := at.Query().Get(p.name)
		try(at.Path, with(p.name, first, first), http.StatusBadRequest)
		for _, value := range wrong {
			want := []int{http.StatusBadRequest}
			if p.schema["pattern"] != nil {
				want = append(want, http.StatusNotFound) // ids that cannot be are not there
			}
			try(at.Path, with(p.name, value), want...)
		}
	}
}

// wrongValues are values that the schema of a parameter does not allow.
func wrongValues(p parameter) (values []string) {
	if p.schema["type"] == "integer" {
		values = append(values, "x", "-1", "1.5", "99999999999999999999")
		if minimum, ok := p.schema["minimum"].(json.Number); ok && minimum == "1" {
			values = append(values, "0")
		}
		if maximum, ok := p.schema["maximum"].(json.Number); ok {
			n := must(maximum.Int64())
			values = append(values, fmt.Sprint(uint64(n)+1))
		}
	}
	items, _ := p.schema["items"].(map[string]any)
	if p.schema["enum"] != nil || items["enum"] != nil {
		values = append(values, "nonsense")
	}
	if p.schema["pattern"] != nil {
		values = append(values, "\x00", "n o")
	}
	return values
}

// replace puts another value into a path.
func (c *contract) replace(o operation, path, name, value string) string {
	parts := strings.Split(path, "/")
	for i, part := range strings.Split(o.path, "/") {
		if part == "{"+name+"}" {
			parts[i] = url.PathEscape(value)
		}
	}
	return strings.Join(parts, "/")
}

// bodies: what is too long, and what does not say how long it is.
func (c *contract) bodies(w *world) {
	c.Helper()
	for _, id := range []string{"submit", "slipCase"} {
		o := c.operations[id]
		c.ask(o, example{w, o.path, strings.Repeat("x", maxBody+1)}, http.StatusRequestEntityTooLarge)
		c.ask(o, example{w, o.path, "x"}, http.StatusBadRequest)
	}
	for _, id := range []string{"comet", "cometSlash"} {
		o := c.operations[id]
		c.ask(o, example{w, o.path, strings.Repeat("x", maxCometBody+1)}, http.StatusRequestEntityTooLarge)
		request := httptest.NewRequest(o.method, o.path, iotest.ErrReader(io.ErrUnexpectedEOF))
		c.take(o, example{target: o.path}, direct(w.server, request), http.StatusBadRequest)
	}
	o := c.operations["submit"]
	request := httptest.NewRequest(o.method, o.path, io.MultiReader(strings.NewReader("{}")))
	c.take(o, example{target: o.path}, direct(w.server, request), http.StatusLengthRequired)
}

// direct has a gateway answer without a connection.
func direct(s *Server, r *http.Request) answer {
	recorder := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(recorder, r)
	return answer{recorder.Code, recorder.Header(), recorder.Body.Bytes()}
}

// limits: an address that is served as often as it may be, and a gateway that is full, whatever is asked for.
func (c *contract) limits(examples map[string][]example) {
	c.Helper()
	w := serve(c.T, nil, func(c *Config, _ *Source) { c.Requests, c.Polls, c.Streams, c.PerClient = 1, 1, 1, 1 })
	w.server.streams.tokens <- struct{}{}
	for places := range w.server.endpoints() {
		for places.enter("127.0.0.1") {
		}
	}
	for _, o := range c.operations {
		if o.probe() {
			continue
		}
		request := httptest.NewRequest(o.method, examples[o.id][0].target, strings.NewReader(examples[o.id][0].body))
		request.RemoteAddr = "192.0.2.1:1000"
		c.take(o, examples[o.id][0], direct(w.server, request), http.StatusServiceUnavailable)
		w.server.clients.enter("192.0.2.1")
		w.server.streams.clients.enter("192.0.2.1")
		c.take(o, examples[o.id][0], direct(w.server, request), http.StatusTooManyRequests)
		w.server.clients.leave("192.0.2.1")
		w.server.streams.clients.leave("192.0.2.1")
	}
}

// complete: nothing is described that was not seen.
func (c *contract) complete(o operation) {
	c.Helper()
	for status := range o.fields["responses"].(map[string]any) {
		if !c.seen[o.id+" "+status] {
			c.Errorf("%s: no answer was %s", o.id, status)
		}
	}
	ok, _ := c.follow(join(o.at, "responses", "200"))
	for content := range ok["content"].(map[string]any) {
		if !c.seen[o.id+" "+content] {
			c.Errorf("%s: no answer was %s", o.id, content)
		}
	}
	for _, p := range c.parameters(o) {
		if p.in != "path" && !c.seen[o.id+" ?"+p.name] {
			c.Errorf("%s: nothing was found with the parameter %s", o.id, p.name)
		}
	}
}

// completeFields: no field is described that nothing had.
func (c *contract) completeFields() {
	c.Helper()
	c.walk("", c.root, func(pointer string, fields map[string]any) {
		properties, _ := fields["properties"].(map[string]any)
		for name := range properties {
			// The blocks of a rehearsal are decided in round 0, which is left out.
			if at := join(pointer, "properties", name); !c.seen[at] && at != "/components/schemas/SignedHeader/properties/round" {
				c.Errorf("nothing had the field %s", at)
			}
		}
	})
}
