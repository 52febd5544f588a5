package node_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"votenode/app/tx"
	"votenode/internal/testnet"
	"votenode/node"
)

// scrape returns the metrics of a node, values by name and labels.
func scrape(t *testing.T, e *testnet.Node) map[string]float64 {
	t.Helper()
	status, body := fetch(t, http.MethodGet, "http://"+e.Running().MetricsAddr()+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, body)
	}
	values := map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			t.Fatal(line, err)
		}
		values[line[:at]] = value
	}
	return values
}

func fetch(t *testing.T, method, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// metricName finds names of metrics of this program in a text.
var metricName = regexp.MustCompile(`\bvotenode_[a-z0-9_]+`)

// TestMetrics: what a node tells Prometheus of a network in which a validator is away; that every metric is documented, and that every one in
// the alert rules and on the dashboard is told.
func TestMetrics(t *testing.T) {
	n := testnet.New(t, testnet.Options{Config: func(_ int, c *node.Config) { c.Metrics.Listen = "127.0.0.1:0" }})
	n.Start()
	n.WaitHeight(4)
	n.WaitConnected()
	watched := n.Nodes[0]
	until(t, watched, "health", func() bool { return len(watched.Running().Health()) == 0 && certifiedHeight(t, watched) > 0 })
	deliver(t, watched, document(n, 1))
	if a, err := watched.Running().App().Submit(t.Context(), "203.0.113.77", []byte("nonsense")); err != nil || a[0].Code != tx.CodeMalformed {
		t.Fatal(a, err)
	}
	healthy := scrape(t, watched)
	for name, holds := range map[string]func(float64) bool{
		"votenode_height":                                                       func(v float64) bool { return v >= 4 },
		"votenode_certified_height":                                             func(v float64) bool { return v >= 1 },
		`votenode_organisation_power{organisation="party"}`:                     func(v float64) bool { return v == 2 },
		`votenode_organisation_connected_power{organisation="party"}`:           func(v float64) bool { return v == 2 },
		"votenode_peers":                                                        func(v float64) bool { return v == 3 },
		`votenode_transactions_taken_total{source="clients"}`:                   func(v float64) bool { return v == 1 },
		`votenode_transactions_refused_total{code="malformed"}`:                 func(v float64) bool { return v == 1 },
		"votenode_signer_height":                                                func(v float64) bool { return v >= 4 },
		"votenode_signer_unreached":                                             func(v float64) bool { return v == 0 },
		"votenode_signer_failed":                                                func(v float64) bool { return v == 0 },
		"votenode_disk_free_bytes":                                              func(v float64) bool { return v > 0 },
		"votenode_disk_reserve_bytes":                                           func(v float64) bool { return v == 2<<30 },
		`votenode_store_bytes{store="ledger"}`:                                  func(v float64) bool { return v > 0 },
		`votenode_consensus_transactions_total{call="finalize",known="unseen"}`: func(v float64) bool { return v >= 0 },
		`votenode_problem{page="peers"}`:                                        func(v float64) bool { return v == 0 },
		"votenode_catching_up":                                                  func(v float64) bool { return v == 0 },
		"votenode_block_ahead_seconds":                                          func(v float64) bool { return v < 5 },
		"go_goroutines":                                                         func(v float64) bool { return v > 0 },
	} {
		if v, told := healthy[name]; !told || !holds(v) {
			t.Errorf("%s is %v, told: %v", name, v, told)
		}
	}
	for name := range healthy {
		if strings.Contains(name, "203.0.113.77") {
			t.Errorf("a client is named: %s", name)
		}
	}

	base := "http://" + watched.Running().MetricsAddr()
	if status, _ := fetch(t, http.MethodPost, base+"/metrics"); status != http.StatusMethodNotAllowed {
		t.Errorf("POST is answered with %d", status)
	}
	if status, _ := fetch(t, http.MethodGet, base+"/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("another path is answered with %d", status)
	}

	away := n.Nodes[3]
	n.Stop(3)
	absent := func(values map[string]float64) (sum float64) {
		for name, v := range values {
			if strings.HasPrefix(name, "votenode_precommits_total{") && strings.Contains(name, `validator="`+away.Name+`"`) && strings.Contains(name, `vote="absent"`) {
				sum += v
			}
		}
		return sum
	}
	until(t, watched, "metrics of the absence", func() bool {
		v := scrape(t, watched)
		return absent(v) >= 5 && v[`votenode_organisation_signed_power{organisation="party"}`] == 1 &&
			v[`votenode_organisation_connected_power{organisation="party"}`] == 1 && v[`votenode_problem{page="not-certified"}`] == 1 &&
			v[`votenode_store_bytes{store="blockstore"}`] > 0
	})
	told := names(scrape(t, watched))
	documented := namesIn(t, "../docs/monitoring.md")
	if !slices.Equal(told, documented) {
		t.Errorf("told:       %v\ndocumented: %v", told, documented)
	}
	for _, file := range []string{"alerts.yml", "dashboard.json"} {
		for _, name := range namesIn(t, "../scripts/monitoring/"+file) {
			if !slices.Contains(told, name) {
				t.Errorf("%s asks for %s, which no node tells", file, name)
			}
		}
	}
}

// names returns the names of this program's metrics, sorted.
func names(values map[string]float64) (list []string) {
	for name := range values {
		if found := metricName.FindString(name); found != "" && strings.HasPrefix(name, found) {
			list = append(list, found)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// namesIn returns the names of metrics in a file, sorted.
func namesIn(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list := metricName.FindAllString(string(b), -1)
	slices.Sort(list)
	return slices.Compact(list)
}

// TestNoMetrics: without an address nothing listens; with one that is taken the node does not start.
func TestNoMetrics(t *testing.T) {
	n := testnet.New(t, testnet.Options{})
	n.Start(0)
	if addr := n.Nodes[0].Running().MetricsAddr(); addr != "" {
		t.Errorf("metrics are served at %s", addr)
	}
	taken := n.Nodes[0].Gateway()
	m := testnet.New(t, testnet.Options{Config: func(_ int, c *node.Config) { c.Metrics.Listen = taken }})
	if _, err := node.Open(context.Background(), m.Nodes[0].Home, node.Options{}); err == nil || !strings.Contains(err.Error(), "the metrics") {
		t.Errorf("opened, though %s is taken: %v", taken, err)
	}
}
