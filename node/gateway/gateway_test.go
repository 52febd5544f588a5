package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/merkle"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/internal/testnet"
	"votenode/node"
	"votenode/node/gateway"
	pb "votenode/proto/votenode/v1"
)

func document(n *testnet.Network, i int) []byte {
	text := fmt.Appendf(nil, "document %d", i)
	hash := sha256.Sum256(text)
	return tx.Sign(testnet.Chain, &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(text)), Chunk: text}, n.Officers["party"][0])
}

// ask makes a request and returns status, header and body.
func ask(t *testing.T, method, url, body string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, b
}

// TestGateway asks everything of one network.
func TestGateway(t *testing.T) {
	log := new(synced)
	n := testnet.New(t, testnet.Options{Log: log})
	n.Start()
	n.WaitHeight(5)
	n.WaitConnected()
	base := "http://" + n.Nodes[0].Gateway()
	t.Run("client", func(t *testing.T) { askByClient(t, n) })
	t.Run("proofs", func(t *testing.T) { askForProofs(t, n) })
	t.Run("submit", func(t *testing.T) { submit(t, n, base) })
	t.Run("refusals", func(t *testing.T) { askForNonsense(t, base) })
	t.Run("polls", func(t *testing.T) { poll(t, n, base) })
	t.Run("description", func(t *testing.T) {
		gateway.Described(t, base, map[string]string{
			"health": "/healthz", "ready": "/readyz", "openAPI": "/v1/openapi.json", "status": "/v1/status", "height": "/v1/heights/1", "genesis": "/v1/genesis", "header": "/v1/headers/1",
			"certified": "/v1/certified", "epochs": "/v1/epochs", "block": "/v1/blocks/1", "organisations": "/v1/organisations", "validators": "/v1/validators",
			"signatures": "/v1/signatures?from=1", "evidence": "/v1/evidence", "resolutions": "/v1/resolutions", "elections": "/v1/elections", "record": "/v1/record?key=none",
		})
	})
	n.Stop()
	for line := range strings.Lines(log.b.String()) {
		if strings.Contains(line, "part=gateway") && strings.Contains(line, "127.0.0.1") {
			t.Errorf("the log of the gateway names a client: %s", line)
		}
	}
}

// synced is a buffer that several loggers write to.
type synced struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *synced) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// askByClient: what package client makes of the answers of four nodes: a ledger that it verifies from the genesis hash.
func askByClient(t *testing.T, n *testnet.Network) {
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	var addresses []string
	for _, each := range n.Nodes {
		addresses = append(addresses, each.Gateway())
	}
	ledger, err := client.Open(ctx, n.Hash, addresses, func(node string, reason error) { t.Log(node, reason) })
	if err != nil {
		t.Fatal(err)
	}
	view, err := ledger.After(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	value, err := view.Record(ctx, state.KeyChain)
	if err != nil || !bytes.Contains(value, n.Hash[:]) {
		t.Fatal(value, err)
	}
	if value, err = view.Record(ctx, "no-such-record"); err != nil || value != nil {
		t.Fatal(value, err)
	}
	first := ledger.Nodes()[0]
	status, err := first.Status(ctx)
	if err != nil || status.Chain != testnet.Chain || status.GenesisHash != hex.EncodeToString(n.Hash[:]) || status.Organisation == "" || status.Height < 5 || status.Certified < 1 || status.Peers != 3 || status.CatchingUp {
		t.Fatalf("%+v, %v", status, err)
	}
	if health, err := first.Health(ctx); err != nil || !health.Healthy {
		t.Fatal(health, err)
	}
	records, err := func() ([]client.Record, error) {
		_, r, err := first.Records(ctx, "organisation/", "", 10)
		return r, err
	}()
	if err != nil || len(records) != 2 || records[0].Key != "organisation/league" {
		t.Fatal(records, err)
	}
	if _, records, err = first.Records(ctx, "organisation/", "organisation/league", 1); err != nil || len(records) != 1 || records[0].Key != "organisation/party" {
		t.Fatal(records, err)
	}
	block, err := first.Block(ctx, 2)
	var decoded cmtproto.Block
	if err != nil || decoded.Unmarshal(block) != nil || decoded.Header.Height != 2 {
		t.Fatal(decoded.Header, err)
	}
}

// askForProofs: what CometBFT's own code makes of the answers.
func askForProofs(t *testing.T, n *testnet.Network) {
	ctx := t.Context()
	c, err := client.NewNode(n.Nodes[1].Gateway())
	if err != nil {
		t.Fatal(err)
	}
	height, proof, err := c.Record(ctx, state.KeyParameters, 0)
	if err != nil {
		t.Fatal(err)
	}
	next := n.Nodes[1].Running().Blocks().LoadBlockMeta(height + 1)
	if next == nil {
		t.Fatalf("the header after height %d does not exist", height)
	}
	value, err := state.VerifyRecord(state.Hash(next.Header.AppHash), state.KeyParameters, proof)
	if err != nil || len(value) == 0 {
		t.Fatal(err)
	}
	var head struct {
		Size uint64 `json:"size"`
		Root string `json:"root"`
	}
	_, _, b := ask(t, http.MethodGet, "http://"+n.Nodes[1].Gateway()+"/v1/log/head?log=blocks", "")
	if err := json.Unmarshal(b, &head); err != nil || head.Size < 4 {
		t.Fatal(string(b), err)
	}
	root, err := hex.DecodeString(head.Root)
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := c.LogLeaves(ctx, state.LogBlocks, 0, head.Size)
	if err != nil || uint64(len(leaves)) != head.Size || !bytes.Equal(merkle.HashFromByteSlices(leaves), root) {
		t.Fatal("the leaves do not hash to the head", err)
	}
	path, err := c.LogInclusion(ctx, state.LogBlocks, 1, head.Size)
	if err != nil {
		t.Fatal(err)
	}
	if err := state.VerifyInclusion(state.Head{Size: head.Size, Root: state.Hash(root)}, 1, leaves[1], path); err != nil {
		t.Fatal(err)
	}
	if path, err = c.LogConsistency(ctx, state.LogBlocks, 2, head.Size); err != nil {
		t.Fatal(err)
	}
	old := state.Head{Size: 2, Root: state.Hash(merkle.HashFromByteSlices(leaves[:2]))}
	if err := state.VerifyConsistency(old, state.Head{Size: head.Size, Root: state.Hash(root)}, path); err != nil {
		t.Fatal(err)
	}
}

func body(raws ...[]byte) string {
	texts := make([]string, len(raws))
	for i, raw := range raws {
		texts[i] = `"` + base64.StdEncoding.EncodeToString(raw) + `"`
	}
	return `{"transactions": [` + strings.Join(texts, ",") + `]}`
}

// submit: answers stand in the order of the request; what came in can be looked up, the same bytes again are harmless.
func submit(t *testing.T, n *testnet.Network, base string) {
	good := document(n, 1)
	hash := sha256.Sum256(good)
	changed := bytes.Clone(good)
	changed[len(changed)-1] ^= 1
	status, _, b := ask(t, http.MethodPost, base+"/v1/transactions", body(changed, good, []byte("x")))
	var answer struct {
		Results []struct {
			Hash, Name, Message string
			Code                tx.Code
		}
	}
	if err := json.Unmarshal(b, &answer); status != http.StatusOK || err != nil || len(answer.Results) != 3 {
		t.Fatal(status, string(b))
	}
	for i, want := range []tx.Code{tx.CodeBadSignature, tx.CodeOK, tx.CodeMalformed} {
		r := answer.Results[i]
		if r.Code != want || r.Name != want.String() || (want != tx.CodeOK && !strings.Contains(r.Message, want.Advice())) {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if answer.Results[1].Hash != hex.EncodeToString(hash[:]) {
		t.Error("another hash is returned")
	}
	status, _, b = ask(t, http.MethodGet, base+"/v1/transactions/"+hex.EncodeToString(hash[:])+"?wait=30", "")
	var found struct {
		Height int64
		Code   tx.Code
		Name   string
	}
	if err := json.Unmarshal(b, &found); status != http.StatusOK || err != nil || found.Height == 0 || found.Code != tx.CodeOK || found.Name != "ok" {
		t.Fatal(status, string(b))
	}
	status, _, b = ask(t, http.MethodPost, base+"/v1/transactions", body(good))
	if err := json.Unmarshal(b, &answer); status != http.StatusOK || err != nil || answer.Results[0].Code != tx.CodeAlreadyDone {
		t.Fatal(status, string(b))
	}
	var counts struct {
		Intake struct {
			Taken                      uint64
			Verified                   *uint64
			Refused                    map[string]uint64
			Prepare, Process, Finalize struct{ Pool, Remembered, Unseen *uint64 }
		}
	}
	status, _, b = ask(t, http.MethodGet, base+"/v1/status", "")
	in := &counts.Intake
	if err := json.Unmarshal(b, &counts); err != nil || in.Refused["bad_signature"] != 1 || in.Taken != 1 || in.Verified == nil || *in.Verified != 0 {
		t.Error(status, string(b))
	}
	if in.Prepare.Unseen == nil || in.Process.Unseen == nil || in.Finalize.Remembered == nil || *in.Process.Unseen == 0 || *in.Finalize.Remembered == 0 || in.Finalize.Pool == nil || *in.Finalize.Pool != 1 {
		t.Error(status, string(b))
	}
}

// askForNonsense: every malformed request gets its status and a sentence.
func askForNonsense(t *testing.T, base string) {
	many := make([][]byte, 2_001)
	for i := range many {
		many[i] = []byte("x")
	}
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/", "", 404},
		{"GET", "/v1/nothing", "", 404},
		{"POST", "/v1/status", "", 405},
		{"GET", "/v1/transactions", "", 405},
		{"POST", "/v1/transactions", "", 400},
		{"POST", "/v1/transactions", "[]", 400},
		{"POST", "/v1/transactions", `{"transactions": []}`, 400},
		{"POST", "/v1/transactions", `{"transactions": ["%"]}`, 400},
		{"POST", "/v1/transactions", `{"transactions": ["eA=="], "more": 1}`, 400},
		{"POST", "/v1/transactions", `{"transactions": ["eA=="]} {}`, 400},
		{"POST", "/v1/transactions", body(many...), 400},
		{"POST", "/v1/transactions", body(make([]byte, 7<<20)), 413},
		{"GET", "/v1/transactions/xyz", "", 400},
		{"GET", "/v1/transactions/" + strings.Repeat("00", 32), "", 404},
		{"GET", "/v1/transactions/" + strings.Repeat("00", 32) + "?wait=31", "", 400},
		{"GET", "/v1/transactions/" + strings.Repeat("00", 32) + "?wait=-1", "", 400},
		{"GET", "/v1/transactions/" + strings.Repeat("00", 32) + "?waits=1", "", 400},
		{"GET", "/v1/heights/0", "", 400},
		{"GET", "/v1/heights/x", "", 400},
		{"GET", "/v1/heights/1000000", "", 404},
		{"GET", "/v1/record", "", 400},
		{"GET", "/v1/record?key=chain&height=x", "", 400},
		{"GET", "/v1/record?key=chain&height=1000000", "", 404},
		{"GET", "/v1/record?key=chain&key=chain", "", 400},
		{"GET", "/v1/record?key=chain&hight=1", "", 400},
		{"GET", "/v1/record?key=%00", "", 400},
		{"GET", "/v1/records?limit=x", "", 400},
		{"GET", "/v1/log/leaves?log=blocks&from=0", "", 400},
		{"GET", "/v1/log/inclusion?log=blocks&index=5&size=5", "", 404},
		{"GET", "/v1/log/inclusion?log=blocks&index=5&size=1000000", "", 404},
		{"GET", "/v1/log/consistency?log=blocks&from=9&to=2", "", 404},
		{"GET", "/v1/voter?election=none&index=0", "", 404},
		{"GET", "/v1/voter?election=none", "", 400},
		{"GET", "/v1/headers/1000000", "", 404},
		{"GET", "/v1/headers/-1", "", 400},
		{"GET", "/v1/blocks/1000000", "", 404},
		{"GET", "/v1/elections/none", "", 404},
	} {
		status, header, b := ask(t, c.method, base+c.path, c.body)
		if status != c.status {
			t.Errorf("%s %s: %d instead of %d: %.200s", c.method, c.path, status, c.status, b)
			continue
		}
		var refusal struct{ Error string }
		if c.status != 405 && !strings.HasPrefix(c.path, "/v1/nothing") && c.path != "/" {
			if err := json.Unmarshal(b, &refusal); err != nil || refusal.Error == "" || header.Get("Content-Type") != "application/json" {
				t.Errorf("%s %s: no sentence: %.200s", c.method, c.path, b)
			}
		}
	}
	if status, _, b := ask(t, "GET", base+"/v1/log/leaves?log=blocks&from=5&to=2", ""); status != 200 || !bytes.Contains(b, []byte(`"leaves":[]`)) {
		t.Error(status, string(b))
	}
	if status, _, b := ask(t, "GET", base+"/v1/elections", ""); status != 200 || !bytes.Contains(b, []byte(`"elections":[]`)) {
		t.Error(status, string(b))
	}
}

// poll: a long poll returns with the commit that it waits for, and a client that goes away costs nothing.
func poll(t *testing.T, n *testnet.Network, base string) {
	height := n.Nodes[0].Running().App().Tip().Height
	status, _, b := ask(t, "GET", fmt.Sprintf("%s/v1/heights/%d?wait=30", base, height+2), "")
	var answer struct{ Height int64 }
	if err := json.Unmarshal(b, &answer); status != 200 || err != nil || answer.Height < height+2 {
		t.Fatal(status, string(b))
	}
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", base+"/v1/heights/1000000?wait=30", nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(req)
		failed <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestGatewayBounds: a full gateway says so, and when to come again; health is answered all the same.
func TestGatewayBounds(t *testing.T) {
	certificate, key, pool := gateway.SelfSigned(t, t.TempDir())
	n := testnet.New(t, testnet.Options{Config: func(i int, c *node.Config) {
		switch i {
		case 0:
			c.Gateway.Polls = 1
		case 1:
			c.Gateway.Certificate, c.Gateway.Key = certificate, key
		}
	}})
	n.Start()
	n.WaitHeight(2)
	secure := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	if res, err := secure.Get("https://" + n.Nodes[1].Gateway() + "/v1/status"); err != nil || res.StatusCode != 200 || res.TLS.Version != tls.VersionTLS13 {
		t.Error("over TLS:", res, err)
	} else {
		res.Body.Close()
	}
	base := "http://" + n.Nodes[0].Gateway()
	// One poll that waits holds the only place, so that a second one is refused. It asks again where it was refused itself, since the second may have come first.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	busy := func() (int, string) {
		status, header, _ := ask(t, "GET", base+"/v1/heights/1000000", "")
		return status, header.Get("Retry-After")
	}
	go func() {
		for ctx.Err() == nil {
			req, _ := http.NewRequestWithContext(ctx, "GET", base+"/v1/heights/1000000?wait=30", nil)
			if res, err := http.DefaultClient.Do(req); err == nil {
				res.Body.Close()
			}
		}
	}()
	limit := time.Now().Add(testnet.Patience)
	for status, after := busy(); status != 503 || after != "1"; status, after = busy() {
		if time.Now().After(limit) {
			t.Fatal("two polls are served where one is allowed")
		}
	}
	if status, _, b := ask(t, "GET", base+"/healthz", ""); status != 200 && status != 503 || !bytes.Contains(b, []byte(`"healthy"`)) {
		t.Error(status, string(b))
	}
	if status, _, _ := ask(t, "GET", base+"/v1/status", ""); status != 200 {
		t.Error("polls take the places of other requests")
	}
	// A request that does not say how long it is, and one that never ends its headers, get nowhere.
	c, err := net.Dial("tcp", n.Nodes[0].Gateway())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /v1/transactions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	line := make([]byte, 12)
	if _, err := io.ReadFull(c, line); err != nil || string(line) != "HTTP/1.1 411" {
		t.Error(string(line), err)
	}
}
