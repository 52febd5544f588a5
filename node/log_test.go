package node_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"votenode/app/tx"
	"votenode/internal/testnet"
	"votenode/internal/town"
	"votenode/node"
)

// journal is a log that several loggers write to.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// TestLogKeepsSecrets: a voter casts from an address that is easy to find, behind a proxy that names another one, well and badly in all ways
// that a node answers to. No line of the nodes' logs at any level, CometBFT's included, has one of the addresses, a private key, or the
// ballot.
func TestLogKeepsSecrets(t *testing.T) {
	if testing.Short() {
		t.Skip("opens an election")
	}
	const (
		caller    = "127.77.88.99" // from which the voter connects
		forwarded = "203.0.113.78" // that a proxy names
		source    = "203.0.113.77" // that the application is told
	)
	log := new(journal)
	n := testnet.New(t, testnet.Options{Log: log, Config: func(_ int, c *node.Config) { c.Metrics.Listen = "127.0.0.1:0" }})
	w := town.Open(t, n, 2)
	good, second := w.Ballot(0, 1), w.Ballot(1, 1)
	bad := bytes.Clone(second)
	bad[len(bad)-1] ^= 1

	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(caller)}}
	voter := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
	defer voter.CloseIdleConnections()
	base := "http://" + n.Nodes[0].Gateway()
	ask := func(method, target string, body io.Reader) []byte {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, base+target, body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Forwarded-For", forwarded)
		answer, err := voter.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	cast := func(raw []byte, name string) {
		t.Helper()
		body, err := json.Marshal(map[string][][]byte{"transactions": {raw}})
		if err != nil {
			t.Fatal(err)
		}
		if answer := ask(http.MethodPost, "/v1/transactions", bytes.NewReader(body)); !bytes.Contains(answer, []byte(`"name":"`+name+`"`)) {
			t.Errorf("instead of %s: %s", name, answer)
		}
	}
	cast(good, "ok")
	cast(bad, "bad_signature")
	cast([]byte("nonsense"), "malformed")
	ask(http.MethodPost, "/v1/transactions", strings.NewReader("{"))
	ask(http.MethodPost, "/v1/slip-cases", strings.NewReader("x"))
	ask(http.MethodPost, "/cometbft", strings.NewReader("x"))
	ask(http.MethodGet, "/v1/blocks/x", nil)
	ask(http.MethodGet, "/healthz", nil)
	broken, err := dialer.DialContext(t.Context(), "tcp", n.Nodes[0].Gateway())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(broken, "POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
	broken.Close()
	scrapes, err := dialer.DialContext(t.Context(), "tcp", n.Nodes[0].Running().MetricsAddr())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(scrapes, "NONSENSE\r\n\r\n")
	scrapes.Close()
	if a, err := n.Nodes[1].Running().App().Submit(t.Context(), source, second); err != nil || a[0].Code != tx.CodeOK {
		t.Fatal(a, err)
	}
	n.WaitHeight(w.Tip() + 4)
	n.Stop()

	secrets := map[string]string{"the caller": caller, "the forwarded address": forwarded, "the source": source}
	for name, raw := range map[string][]byte{"a ballot": good, "a bad ballot": bad} {
		part := raw[len(raw)/2 : len(raw)/2+24] // wherever a line is cut off
		secrets[name+" in hexadecimal"] = hex.EncodeToString(part)
	}
	for _, each := range n.Nodes {
		for _, file := range []string{"consensus.json", "p2p.json"} {
			b, err := os.ReadFile(filepath.Join(each.Home, "keys", file))
			if err != nil {
				t.Fatal(err)
			}
			var key struct {
				Private struct{ Value []byte } `json:"priv_key"`
			}
			if err := json.Unmarshal(b, &key); err != nil || len(key.Private.Value) != 64 {
				t.Fatal(file, err)
			}
			secrets[each.Name+" "+file+" in base64"] = base64.StdEncoding.EncodeToString(key.Private.Value[:30])
			secrets[each.Name+" "+file+" in hexadecimal"] = hex.EncodeToString(key.Private.Value[:32])
		}
		seed, err := node.SlipKey(each.Home)
		if err != nil {
			t.Fatal(err)
		}
		secrets[each.Name+" slip key"] = hex.EncodeToString(seed.Seed())
	}
	text := log.String()
	if !strings.Contains(text, "part=cometbft") || !strings.Contains(text, "level=DEBUG") || !strings.Contains(text, "part=store") {
		t.Error("the log is not that of all parts at level debug")
	}
	lower := strings.ToLower(text)
	for name, secret := range secrets {
		if strings.Contains(text, secret) || strings.Contains(lower, strings.ToLower(secret)) {
			t.Errorf("the log tells %s", name)
		}
	}
}
