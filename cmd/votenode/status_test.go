package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestStatus: what `votenode status` says in words, and its exit code, of a node that is well, one that takes no clients, and one
// that is sick.
func TestStatus(t *testing.T) {
	const status = `{"chain_id": "c", "validator": "p1", "organisation": "party", "height": 7, "alarms": [%s]}`
	for name, test := range map[string]struct {
		alarms, health, ready string
		code                  int
		says                  []string
	}{
		"well": {``, `{"healthy": true, "reasons": []}`, `{"ready": true, "reasons": []}`, exitOK,
			[]string{"validator  p1 of party\n", "health     good\n", "clients    are taken\n"}},
		"alarmed": {`"nothing is certified; see docs/runbook/not-certified.md"`, `{"healthy": true, "reasons": []}`, `{"ready": true, "reasons": []}`, exitOK,
			[]string{"alarm      nothing is certified; see docs/runbook/not-certified.md\n", "health     good\n"}},
		"full": {``, `{"healthy": true, "reasons": []}`, `{"ready": false, "reasons": ["the pool is full"]}`, exitOK,
			[]string{"health     good\n", "clients    should go to another node\n", "clients    the pool is full\n"}},
		"sick": {``, `{"healthy": false, "reasons": ["it is behind"]}`, `{"ready": false, "reasons": ["it is behind"]}`, exitError,
			[]string{"health     it is behind\n", "clients    should go to another node\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := map[string]string{"/v1/status": strings.Replace(status, "%s", test.alarms, 1), "/healthz": test.health, "/readyz": test.ready}[r.URL.Path]
				if strings.Contains(body, `"healthy": false`) || strings.Contains(body, `"ready": false`) {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				_, _ = w.Write([]byte(body))
			}))
			defer node.Close()
			for _, extra := range [][]string{nil, {"--json"}} {
				var out, errs bytes.Buffer
				if code := run(append([]string{"status", "--node", node.URL}, extra...), strings.NewReader(""), &out, &errs); code != test.code {
					t.Errorf("exit %d: %s", code, &errs)
				}
				for _, line := range test.says {
					if extra == nil && !strings.Contains(out.String(), line) {
						t.Errorf("it does not say %q:\n%s", line, &out)
					}
				}
				if strings.Count(out.String(), "it is behind") > 2 || extra == nil && strings.Count(out.String(), "it is behind") > 1 {
					t.Errorf("it repeats itself:\n%s", &out)
				}
			}
		})
	}
}
