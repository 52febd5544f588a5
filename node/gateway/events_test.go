package gateway_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"votenode/internal/testnet"
	"votenode/node"
	"votenode/node/gateway"
)

// tell reads the events of a node from a place up to the end of a height, as lines.
func tell(t *testing.T, c *http.Client, base, from string, last int64) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/events?from="+from, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	defer res.Body.Close()
	for r := bufio.NewScanner(res.Body); r.Scan(); {
		line := r.Text()
		if strings.HasPrefix(line, fmt.Sprintf("id: %d.", last+1)) {
			return lines
		}
		if strings.HasPrefix(line, "id: ") || strings.HasPrefix(line, "event: ") || strings.HasPrefix(line, "data: ") {
			lines = append(lines, line)
		}
	}
	t.Fatalf("the stream ends after %d lines", len(lines))
	return nil
}

// TestEventsOfNetwork: all nodes tell the same, also one that has fetched the blocks from others, and one that was started again; and
// whoever goes on elsewhere after any event misses nothing.
func TestEventsOfNetwork(t *testing.T) {
	n := testnet.New(t, testnet.Options{Observers: 1})
	n.Start(0, 1, 2, 3)
	n.WaitHeight(2)
	base := func(i int) string { return "http://" + n.Nodes[i].Gateway() }
	for i := range 3 {
		if status, _, b := ask(t, http.MethodPost, base(0)+"/v1/transactions", body(document(n, i))); status != http.StatusOK || !strings.Contains(string(b), `"code":0`) {
			t.Fatal(status, string(b))
		}
	}
	last := n.Nodes[0].Running().App().Tip().Height + 5
	n.WaitHeight(last + 1)
	whole := tell(t, http.DefaultClient, base(0), "1", last)
	text := strings.Join(whole, "\n")
	if strings.Count(text, "event: document") != 3 || strings.Count(text, "event: block") != int(last) || strings.Count(text, `"kind":"PublishDocument","code":0,"name":"ok"`) != 3 || !strings.Contains(text, "event: certified") {
		t.Fatalf("%s", text)
	}
	res, err := http.Get(base(1) + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	n.Stop(1) // an open stream does not keep it
	if words, err := io.ReadAll(res.Body); err != nil || !strings.HasSuffix(string(words), "event: end\ndata: {\"error\":\"the node stops; connect again with the last id, to any node\"}\n\n") {
		t.Errorf("the stream ends with %.200q, %v", words[max(0, len(words)-200):], err)
	}
	n.Start(1, 4)
	n.Nodes[1].WaitHeight(last + 1)
	n.Nodes[4].WaitHeight(last + 1)
	for i := range n.Nodes {
		if got := tell(t, http.DefaultClient, base(i), "1", last); !slices.Equal(got, whole) {
			t.Errorf("%s tells something else:\n%s\n\n%s", n.Nodes[i].Name, strings.Join(got, "\n"), text)
		}
	}
	for at, line := range whole {
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			if got := tell(t, http.DefaultClient, base(at%len(n.Nodes)), id, last); !slices.Equal(got, whole[at+3:]) {
				t.Fatalf("after %s: %q", id, got)
			}
		}
	}
}

// TestSecure: over TLS a client has HTTP/2 or HTTP/1.1, as it asks, streams of events included, and many requests on one connection.
func TestSecure(t *testing.T) {
	certificate, key, pool := gateway.SelfSigned(t, t.TempDir())
	n := testnet.New(t, testnet.Options{Config: func(i int, c *node.Config) {
		if i == 0 {
			c.Gateway.Certificate, c.Gateway.Key = certificate, key
		}
	}})
	n.Start()
	n.WaitHeight(4)
	base := "https://" + n.Nodes[0].Gateway()
	var told [][]string
	for _, major := range []int{1, 2} {
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: major == 2}}
		told = append(told, tell(t, c, base, "1", 3))
		done := make(chan error)
		for range 40 {
			go func() {
				res, err := c.Get(base + "/v1/status")
				if err == nil {
					defer res.Body.Close()
					if res.ProtoMajor != major || res.StatusCode != http.StatusOK || res.TLS.Version != tls.VersionTLS13 {
						err = fmt.Errorf("%s, %s", res.Proto, res.Status)
					}
				}
				done <- err
			}()
		}
		for range 40 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		c.CloseIdleConnections()
	}
	if !slices.Equal(told[0], told[1]) {
		t.Error("HTTP/2 tells other events")
	}
}
