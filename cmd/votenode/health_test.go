package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What a supervisor goes by is the exit code, and what people read is why.
func TestHealthOfASickNode(t *testing.T) {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write([]byte(`{"healthy": false, "reasons": ["height 7 has not risen for 20 seconds", "consensus has died"]}`))
	}))
	defer gateway.Close()
	var out, talk bytes.Buffer
	if code := run([]string{"node", "health", "--node", gateway.URL}, nil, &out, &talk); code != exitError || out.Len() > 0 {
		t.Errorf("exit code %d, output %q", code, out.String())
	}
	if want := "not well: height 7 has not risen for 20 seconds; consensus has died"; !strings.Contains(talk.String(), want) {
		t.Errorf("%q does not say %q", talk.String(), want)
	}
}
