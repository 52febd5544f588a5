package client_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"votenode/app/election"
	"votenode/app/tx"
	"votenode/client"
	"votenode/internal/testnet"
	people "votenode/internal/town"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

// promises is a town whose last two nodes are observers: one that knows no validator's gateway, and one that hands ballots to two
// validators, a liar and then an honest one.
type promises struct {
	*people.Booth
	lost, passing *testnet.Node
	liar, honest  *upstream
}

// TestPromises: what validators promise to voters, directly and through other nodes, they keep; what is no promise is not passed on.
func TestPromises(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	t.Parallel()
	p := &promises{liar: newUpstream(t), honest: newUpstream(t)}
	n := testnet.New(t, testnet.Options{Observers: 2, Commit: 200 * time.Millisecond, Config: func(i int, c *node.Config) {
		if i == 5 {
			c.Gateway.Validators = []string{p.liar.URL, p.honest.URL}
		}
	}})
	p.lost, p.passing = n.Nodes[4], n.Nodes[5]
	p.liar.target.Store(n.Nodes[0])
	p.Booth = people.Open(t, n, 11)
	for _, step := range []struct {
		name string
		run  func(p *promises)
	}{
		{"kept", (*promises).kept}, {"replaced", (*promises).replaced}, {"passed on", (*promises).passedOn}, {"lies", (*promises).lies},
	} {
		t.Run(step.name, func(t *testing.T) {
			p.T = t
			step.run(p)
		})
	}
}

// upstream stands before the gateway of a validator: it passes everything on, or gives its own answer to submissions.
type upstream struct {
	*httptest.Server
	target atomic.Pointer[testnet.Node] // nobody where it is nil
	lie    atomic.Pointer[[]byte]       // a slip for whatever it is asked; nil where it is honest
	asked  atomic.Int64
}

func newUpstream(t *testing.T) *upstream {
	u := new(upstream)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", u.target.Load().Gateway()
	}}
	u.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		u.asked.Add(1)
		lie := u.lie.Load()
		switch {
		case lie != nil:
			json.NewEncoder(rw).Encode(map[string]any{"results": []client.Admission{{Name: "ok", Slip: *lie}}})
		case u.target.Load() == nil:
			http.Error(rw, "nobody is there", http.StatusBadGateway)
		default:
			proxy.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(u.Close)
	return u
}

// at returns the gateway of a node.
func (p *promises) at(e *testnet.Node) *client.Node { return must(client.NewNode(e.Gateway())) }

// submit hands one transaction to a node.
func (p *promises) submit(e *testnet.Node, raw []byte) client.Admission {
	p.Helper()
	answers, err := p.at(e).Submit(p.Context(), raw)
	if err != nil {
		p.Fatal(err)
	}
	return answers[0]
}

// holds ends the test unless an answer promises a ballot, by the slip key of this validator, and returns the promise.
func (p *promises) holds(a client.Admission, by *testnet.Node, raw []byte) *pb.Promise {
	p.Helper()
	s, err := slip.Parse(a.Slip)
	if err != nil {
		p.Fatal(a, err)
	}
	promise := &pb.Promise{Slip: s, Ballot: raw}
	if err := slip.Check(promise, by.Validator.SlipKey); err != nil || a.Code != tx.CodeOK || a.Message != "" || !bytes.Equal(s.Validator, by.Validator.Key) {
		p.Fatal(a, err)
	}
	return promise
}

// isKept ends the test unless a promise is kept in the end.
func (p *promises) isKept(promise *pb.Promise) *slip.Finding {
	p.Helper()
	_, f := p.Verdict(p.Ledger, promise)
	if f.Verdict != slip.Kept || f.How == "" {
		p.Fatalf("%v: %q", f.Verdict, f.Words())
	}
	return f
}

// recorded waits for the block of a transaction.
func (p *promises) recorded(raw []byte) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), testnet.Patience)
	defer cancel()
	if in, err := p.Ledger.Included(ctx, sha256.Sum256(raw)); err != nil || in.Code != tx.CodeOK {
		p.Fatal(in, err)
	}
}

// slipAt returns the status and the slip with which a gateway answers.
func (p *promises) slipAt(e *testnet.Node, raw []byte) (int, []byte) {
	p.Helper()
	res, err := http.Get(fmt.Sprintf("http://%s/v1/slips/%x", e.Gateway(), sha256.Sum256(raw)))
	if err != nil {
		p.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Slip []byte `json:"slip"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		p.Fatal(err)
	}
	return res.StatusCode, answer.Slip
}

// kept: the voter gets a promise of the validator that took the ballot, and sees it kept. Asked again, this validator answers with the same bytes,
// before the ballot is recorded and afterwards, and no other one promises what it was not asked for.
func (p *promises) kept() {
	taker := p.Net.Nodes[1]
	voter := p.Voter(0, p.Through(taker.Gateway()))
	before := must(p.Ledger.Certified(p.Context())).Height()
	prepared := must(voter.Prepare(p.Context(), [][]int{{1}}, rand.Reader))
	if err := prepared.Cast(p.Context(), client.WaitAccepted); err != nil {
		p.Fatal(err)
	}
	if n := len(prepared.Promises()); n != 1 {
		p.Fatalf("%d promises", n)
	}
	promise := prepared.Promises()[0]
	code, s := prepared.Code(), promise.Slip
	encoded := election.Encode(s)
	p.holds(client.Admission{Slip: encoded}, taker, promise.Ballot)
	if !bytes.Equal(s.Code, code[:]) || s.RollIndex != voter.Index || s.Issued < before || s.Promised != s.Issued+30 {
		p.Fatalf("the slip %v", s)
	}
	same := func() {
		p.Helper()
		if a := p.submit(taker, promise.Ballot); !bytes.Equal(a.Slip, encoded) {
			p.Errorf("sent again, the ballot is answered with %d %s and the slip %x", a.Code, a.Message, a.Slip)
		}
		if status, got := p.slipAt(taker, promise.Ballot); status != http.StatusOK || !bytes.Equal(got, encoded) {
			p.Errorf("asked for the slip, the node answers %d with %x", status, got)
		}
	}
	same()
	c, first, err := voter.Ledger.SlipCase(p.Context(), promise, time.Now())
	if err != nil || first.Verdict != slip.Pending && first.Verdict != slip.Kept || first.Validator.Name != taker.Name {
		p.Fatal(first, err)
	}
	if f, err := slip.Judge(p.Net.Hash, time.Now(), c); err != nil || f.Verdict != first.Verdict {
		p.Error(f, err)
	}
	p.recorded(promise.Ballot)
	if f := p.isKept(promise); !strings.HasPrefix(f.How, "the ballot is recorded") {
		p.Error(f.How)
	}
	same()
	if status, _ := p.slipAt(p.Net.Nodes[2], promise.Ballot); status != http.StatusNotFound {
		p.Errorf("another node answers %d", status)
	}
	if a := p.submit(p.Net.Nodes[2], promise.Ballot); a.Code != tx.CodeAlreadyDone || a.Slip != nil {
		p.Errorf("another node promises what is recorded: %+v", a)
	}
}

// replaced: a voter sends a ballot with a higher number right behind another one, to the same validator or to a second one; both keep what
// they have promised.
func (p *promises) replaced() {
	for voter, second := range map[int]*testnet.Node{1: p.Net.Nodes[2], 2: p.Net.Nodes[3]} {
		first := p.Net.Nodes[2]
		for sequence := uint64(1); ; sequence += 2 {
			low, high := p.Ballot(voter, sequence), p.Ballot(voter, sequence+1)
			a := p.submit(first, low)
			if a.Code == tx.CodeTooSoon { // an attempt was recorded a moment ago
				sequence -= 2
				must(p.Ledger.After(p.Context(), p.Tip()))
				continue
			}
			b := p.submit(second, high)
			lower := p.holds(a, first, low)
			if b.Code == tx.CodeTooSoon { // a block came between the two
				p.isKept(lower)
				continue
			}
			higher := p.holds(b, second, high)
			p.isKept(lower)
			p.isKept(higher)
			leaf := must(must(p.Ledger.Certified(p.Context())).Voter(p.Context(), people.Election, lower.Slip.RollIndex))
			if leaf.Sequence < sequence || leaf.Sequence > sequence+1 {
				p.Errorf("ballot %d counts, cast were %d and %d", leaf.Sequence, sequence, sequence+1)
			}
			if status, got := p.slipAt(first, low); status != http.StatusOK || !bytes.Equal(got, election.Encode(lower.Slip)) {
				p.Errorf("asked for the slip of the ballot that was replaced, the node answers %d with %x", status, got)
			}
			break
		}
	}
}

// unpromised ends the test unless a node takes a ballot and says that nobody promises it.
func (p *promises) unpromised(e *testnet.Node, raw []byte) {
	p.Helper()
	a := p.submit(e, raw)
	if a.Code != tx.CodeOK || a.Slip != nil || !strings.HasPrefix(a.Message, "received, not promised: ") {
		p.Fatalf("%+v", a)
	}
	if status, _ := p.slipAt(e, raw); status != http.StatusNotFound {
		p.Errorf("asked for a slip, the node answers %d", status)
	}
	p.recorded(raw) // the observer offers it to the validators all the same
}

// passedOn: a node that is no validator promises nothing itself. Where it knows validators' gateways it passes their slips on.
func (p *promises) passedOn() {
	p.unpromised(p.lost, p.Ballot(3, 1))
	asked := p.liar.asked.Load()
	raw := p.Ballot(4, 1)
	promise := p.holds(p.submit(p.passing, raw), p.Net.Nodes[0], raw)
	if n := p.liar.asked.Load() - asked; n != 1 {
		p.Errorf("the validator was asked %d times", n)
	}
	p.isKept(promise)

	// What a voter's program does with such a node.
	voter := p.Voter(5, p.Through(p.passing.Gateway()))
	prepared := must(voter.Prepare(p.Context(), [][]int{{0}}, rand.Reader))
	if err := prepared.Cast(p.Context(), client.WaitCertified); err != nil {
		p.Fatal(err)
	}
	if len(prepared.Promises()) != 1 || !bytes.Equal(prepared.Promises()[0].Slip.Validator, p.Net.Nodes[0].Validator.Key) {
		p.Errorf("promised: %v", prepared.Promises())
	}
}

// lies: a slip that does not hold is passed on by nobody, and the next validator is asked.
func (p *promises) lies() {
	forged := func(by *testnet.Node, raw []byte) *pb.AcceptanceSlip {
		p.Helper()
		height := p.Tip()
		return p.Promise(by, raw, height, height+30).Slip
	}
	lies := map[string]func(raw []byte) []byte{
		"no validator's": func(raw []byte) []byte { return election.Encode(forged(p.lost, raw)) },
		"another signature": func(raw []byte) []byte {
			s := forged(p.Net.Nodes[0], raw)
			s.Promised++
			return election.Encode(s)
		},
		"another ballot's": func([]byte) []byte { return election.Encode(forged(p.Net.Nodes[0], p.Ballot(10, 2))) },
		"no slip":          func([]byte) []byte { return []byte("a promise") },
	}
	voter := 6
	for name, lie := range lies {
		raw := p.Ballot(voter, 1)
		voter++
		told := lie(raw)
		p.liar.lie.Store(&told)
		asked := p.liar.asked.Load()
		if p.unpromised(p.passing, raw); p.liar.asked.Load() == asked {
			p.Fatalf("%s: the liar was not asked", name)
		}
	}
	p.honest.target.Store(p.Net.Nodes[3])
	raw := p.Ballot(voter, 1)
	p.isKept(p.holds(p.submit(p.passing, raw), p.Net.Nodes[3], raw))
}
