package gateway

import (
	"crypto/sha256"
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

	"votenode/app/election"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
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
	seen map[string]bool // "operation status", and of 200 "operation content type" and "operation ?parameter"
}

// TestAnswersAreDescribed asks running gateways for everything: what is there, what is not, what is malformed in every way that the document
// lets one think of, and while they are full. Every answer validates, and every answer that is described is given.
func TestAnswersAreDescribed(t *testing.T) {
	c := &contract{t, describe(t), map[string]bool{}}
	examples := c.examples()
	nothing := serve(t, nil, func(_ *Config, s *Source) { s.Health = func() []string { return []string{"a drill"} } })
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
		if id == "health" {
			c.ask(o, example{nothing, "/healthz", ""}, http.StatusServiceUnavailable)
		} else if o.fields["responses"].(map[string]any)["404"] != nil {
			c.ask(o, example{nothing, examples[id][0].target, examples[id][0].body}, http.StatusNotFound)
		}
	}
	c.bodies(examples["submit"][0].world)
	c.limits(examples)
	for _, o := range c.operations {
		c.complete(o)
	}
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
	if a.status != http.StatusOK {
		return
	}
	c.seen[o.id+" "+content] = true
	at := must(url.Parse(e.target))
	for name := range at.Query() {
		c.seen[o.id+" ?"+name] = true
	}
	if e.body != "" && strings.HasPrefix(e.body, "{") {
		if err := c.validate(join(o.at, "requestBody", "content", "application/json", "schema"), []byte(e.body)); err != nil {
			c.Errorf("%s %s: the body: %v", o.method, e.target, err)
		}
	}
}

// misuse makes the requests that the document says are malformed out of a good one.
func (c *contract) misuse(o operation, good example) {
	c.Helper()
	if o.id == "health" {
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
	if p.schema["enum"] != nil {
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
	w := serve(c.T, nil, func(c *Config, _ *Source) { c.Requests, c.Polls, c.PerClient = 1, 1, 1 })
	for tokens := range w.server.endpoints() {
		for range cap(tokens) {
			tokens <- struct{}{}
		}
	}
	for _, o := range c.operations {
		if o.id == "health" {
			continue
		}
		request := httptest.NewRequest(o.method, examples[o.id][0].target, strings.NewReader(examples[o.id][0].body))
		request.RemoteAddr = "192.0.2.1:1000"
		c.take(o, examples[o.id][0], direct(w.server, request), http.StatusServiceUnavailable)
		w.server.clients.enter("192.0.2.1")
		c.take(o, examples[o.id][0], direct(w.server, request), http.StatusTooManyRequests)
		w.server.clients.leave("192.0.2.1")
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
		if p.in == "query" && !c.seen[o.id+" ?"+p.name] {
			c.Errorf("%s: nothing was found with the parameter %s", o.id, p.name)
		}
	}
}

// examples are good requests of every operation, by its id, the first with all parameters that it cannot do without.
func (c *contract) examples() map[string][]example {
	e, _ := rehearsal.Story(c.T)
	w := serve(c.T, e.Ledger)
	height := e.Height() - 4
	w.index(height)
	hash := sha256.Sum256(e.BlockAt(height).Txs[0])
	var list struct {
		Ballots []struct{ Code string }
	}
	if err := json.Unmarshal(w.request("GET", "/v1/elections/primary/ballots", "").body, &list); err != nil {
		c.Fatal(err)
	}
	all := map[string][]string{
		"health": {"/healthz"}, "openAPI": {"/v1/openapi.json"}, "status": {"/v1/status"}, "genesis": {"/v1/genesis"},
		"certified": {"/v1/certified"}, "epochs": {"/v1/epochs"},
		"height":         {"/v1/heights/1", "/v1/heights/1?wait=30"},
		"transaction":    {fmt.Sprintf("/v1/transactions/%x", hash), fmt.Sprintf("/v1/transactions/%X?wait=1", hash)},
		"receipt":        {"/v1/receipt?election=primary&code=" + list.Ballots[0].Code, "/v1/receipt?election=primary&certified=1&format=protobuf&wait=1&code=" + list.Ballots[6].Code},
		"record":         {"/v1/record?key=chain", fmt.Sprintf("/v1/record?key=none&height=%d", e.Height()-2)},
		"records":        {"/v1/records", "/v1/records?prefix=log/&after=log/blocks&limit=1"},
		"logHead":        {"/v1/log/head?log=blocks", "/v1/log/head?log=election/none/ballots"},
		"logLeaves":      {"/v1/log/leaves?log=blocks&from=0&to=5", "/v1/log/leaves?log=blocks&from=5&to=0"},
		"logInclusion":   {"/v1/log/inclusion?log=blocks&index=3&size=5", "/v1/log/inclusion?log=blocks&index=0&size=1"},
		"logConsistency": {"/v1/log/consistency?log=blocks&from=3&to=5", "/v1/log/consistency?log=blocks&from=0&to=5"},
		"voter":          {"/v1/voter?election=primary&index=0", fmt.Sprintf("/v1/voter?election=primary&index=6&height=%d", e.Height()-2)},
		"header":         {"/v1/headers/1"}, "block": {"/v1/blocks/1"},
		"organisations": {"/v1/organisations"}, "organisation": {"/v1/organisations/party"}, "validators": {"/v1/validators"},
		"signatures": {"/v1/signatures?from=1", "/v1/signatures?from=10&limit=1000", "/v1/signatures?from=1000000"},
		"evidence":   {"/v1/evidence", "/v1/evidence?after=9&limit=1"},
		"elections":  {"/v1/elections"}, "election": {"/v1/elections/primary", "/v1/elections/cancelled"},
		"manifest": {"/v1/elections/primary/manifest", "/v1/elections/primary/manifest?format=protobuf"},
		"phases":   {"/v1/elections/primary/phases", "/v1/elections/cancelled/phases"},
		"trustees": {"/v1/elections/primary/trustees", "/v1/elections/cancelled/trustees"},
		"keys":     {"/v1/elections/primary/keys"},
		"ballot":   {"/v1/elections/primary/ballots/" + list.Ballots[0].Code},
		"place":    {"/v1/elections/primary/voters/0", "/v1/elections/primary/voters/6", "/v1/elections/primary/voters/7"},
	}
	for _, name := range []string{"turnout", "ballots", "tallies", "results"} {
		all[name] = []string{"/v1/elections/primary/" + name, "/v1/elections/primary/" + name + "?from=1&limit=1"}
	}
	for _, name := range []string{"deals", "trial", "partials"} {
		all[name] = []string{"/v1/elections/primary/" + name, "/v1/elections/primary/" + name + "?after=0&limit=1"}
	}
	var resolutions struct{ Resolutions []struct{ Hash string } }
	if err := json.Unmarshal(w.request("GET", "/v1/resolutions", "").body, &resolutions); err != nil {
		c.Fatal(err)
	}
	all["resolutions"] = []string{"/v1/resolutions", "/v1/resolutions?after=1&limit=2"}
	for _, r := range resolutions.Resolutions {
		all["resolution"] = append(all["resolution"], "/v1/resolutions/"+r.Hash)
	}
	made := map[string][]example{}
	for id, targets := range all {
		for _, target := range targets {
			made[id] = append(made[id], example{w, target, ""})
		}
	}
	c.promises(made)
	return made
}

// promises adds examples from a ledger while voting: a ballot that is promised and recorded, and one that is promised and left out.
func (c *contract) promises(made map[string][]example) {
	e := rehearsal.Open(c.T, rehearsal.Manifest("primary"), 6)
	w := serve(c.T, e.Ledger)
	ballots := [][]byte{e.Vote(0, 1, []int{0}, []int{0}), e.Vote(1, 1, []int{1}, []int{1})}
	submission := string(must(json.Marshal(submission{append(ballots, []byte("x"))})))
	var found struct{ Results []struct{ Slip []byte } }
	a := w.request("POST", "/v1/transactions", submission)
	if err := json.Unmarshal(a.body, &found); err != nil || len(found.Results) != 3 || found.Results[0].Slip == nil || found.Results[1].Slip == nil {
		c.Fatalf("%d: %s", a.status, a.body)
	}
	made["submit"] = append(made["submit"], example{w, "/v1/transactions", submission})
	hash := sha256.Sum256(ballots[0])
	made["slip"] = append(made["slip"], example{w, fmt.Sprintf("/v1/slips/%x", hash), ""})
	e.Accept(e.Authored(0, ballots[0])...)
	for range e.Genesis.Parameters.SlipSpan + 4 {
		e.Accept(e.Authored(0)...)
	}
	for i, raw := range ballots {
		promised := new(pb.AcceptanceSlip)
		if err := election.Decode(found.Results[i].Slip, promised); err != nil {
			c.Fatal(err)
		}
		f := prooffile.OfPromise(&pb.Promise{Slip: promised, Ballot: raw})
		made["slipCase"] = append(made["slipCase"],
			example{w, "/v1/slip-cases", string(must(prooffile.JSON(f)))}, example{w, "/v1/slip-cases?format=protobuf", string(prooffile.Bytes(f))})
	}
}
