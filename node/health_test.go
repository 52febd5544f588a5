package node_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"votenode/client"
	"votenode/internal/testnet"
	"votenode/node"
)

// eventually waits for what comes while no block does.
func eventually(t *testing.T, e *testnet.Node, what string, condition func() bool) {
	t.Helper()
	limit, look := time.After(testnet.Patience), time.NewTicker(50*time.Millisecond)
	defer look.Stop()
	for !condition() {
		select {
		case <-look.C:
		case <-limit:
			t.Fatalf("%s: %s did not come; %q", e.Name, what, e.Running().Ready())
		}
	}
}

// says says whether one of the reasons has a text and points to a page of the runbook.
func says(reasons []string, text, page string) bool {
	return slices.ContainsFunc(reasons, func(reason string) bool {
		return strings.Contains(reason, text) && strings.HasSuffix(reason, "; see docs/runbook/"+page+".md")
	})
}

// probes asks a node's gateway for health and readiness, and checks the status codes.
func probes(t *testing.T, e *testnet.Node) (health, ready []string) {
	t.Helper()
	for path, reasons := range map[string]*[]string{"/healthz": &health, "/readyz": &ready} {
		status, body := fetch(t, http.MethodGet, "http://"+e.Gateway()+path)
		var answer struct {
			Healthy, Ready bool
			Reasons        []string
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err, body)
		}
		*reasons = answer.Reasons
		good := len(answer.Reasons) == 0
		if (status == http.StatusOK) != good || (status == http.StatusServiceUnavailable) == good || (answer.Healthy || answer.Ready) != good {
			t.Errorf("%s is answered with %d: %s", path, status, body)
		}
	}
	return health, ready
}

// TestReasons provokes what can be wrong with a node, one after the other, and has it told with the page of the runbook: a disk that is
// nearly full, on which nothing is taken from clients while blocks go on; a clock that is behind; validators that are away; a network that
// stands still; a pool without room.
func TestReasons(t *testing.T) {
	var free atomic.Uint64
	var behind atomic.Int64
	free.Store(1 << 40)
	n := testnet.New(t, testnet.Options{
		FreeSpace: func(i int) (uint64, uint64, error) {
			if i == 0 {
				return free.Load(), 1 << 41, nil
			}
			return 0, 0, errors.New("no answer") // which closes nobody
		},
		Now: func(i int) time.Time {
			if i == 1 {
				return time.Now().Add(-time.Duration(behind.Load()))
			}
			return time.Now()
		},
		Config: func(i int, c *node.Config) { c.Pool.Transactions = 1 },
	})
	n.Start()
	n.WaitHeight(3)
	first, second := n.Nodes[0], n.Nodes[1]
	for _, each := range n.Nodes {
		until(t, each, "readiness", func() bool { return len(each.Running().Ready()) == 0 })
	}
	if health, ready := probes(t, first); len(health)+len(ready) > 0 {
		t.Errorf("%q, %q", health, ready)
	}

	free.Store(1 << 20)
	until(t, first, "a full disk", func() bool { return says(first.Running().Health(), "1 MiB are free, and 2048 MiB are kept", "disk") })
	if health, ready := probes(t, first); !says(health, "nearly full", "disk") || !says(ready, "nearly full", "disk") {
		t.Errorf("%q, %q", health, ready)
	}
	gateway, err := client.NewNode(first.Gateway())
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"transactions": ["%s"]}`, base64.StdEncoding.EncodeToString(document(n, 1)))
	answer, err := http.Post(gateway.Address()+"/v1/transactions", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var told struct{ Results []client.Admission }
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil {
		t.Fatal(err)
	}
	if a := told.Results[0]; a.Name != "retry_later" || !strings.Contains(a.Message, "the disk of this node is nearly full") || answer.Header.Get("Retry-After") == "" {
		t.Errorf("%+v, %v", a, answer.Header)
	}
	height := deliver(t, second, document(n, 2))
	first.WaitHeight(height + 2) // blocks go on there
	free.Store(1 << 40)
	until(t, first, "room on the disk", func() bool { return len(first.Running().Ready()) == 0 })
	deliver(t, first, document(n, 3))

	behind.Store(int64(time.Minute))
	until(t, second, "a wrong clock", func() bool { return says(second.Running().Health(), "ahead of the local clock", "clock") })
	behind.Store(0)
	until(t, second, "a right clock", func() bool { return len(second.Running().Health()) == 0 })

	n.Stop(2, 3)
	eventually(t, first, "the absence of validators", func() bool { return says(first.Running().Health(), "2 of 4 power", "peers") })
	app := first.Running().App()
	if answers, err := app.Submit(t.Context(), "", document(n, 4)); err != nil || answers[0].Code != 0 {
		t.Fatal(answers, err)
	}
	if reasons := first.Running().Ready(); !says(reasons, "the pool of transactions that wait for a block is full", "overload") {
		t.Errorf("%q", reasons)
	}
	if reasons := first.Running().Health(); says(reasons, "the pool", "overload") {
		t.Errorf("a full pool is no matter of health: %q", reasons)
	}
	eventually(t, first, "the standstill", func() bool { return says(first.Running().Health(), "has not risen for", "halted-network") })
}
