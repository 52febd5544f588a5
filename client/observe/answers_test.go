package observe

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestBadAnswers: whatever a node does instead of answering is an alarm about this node, once, and the other one is watched all the same.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }
	}
	for name, test := range map[string]struct {
		path string
		want Kind
		fn   http.HandlerFunc
	}{
		"half of an answer": {"/v1/certified", Silent, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `{"height":5,`)
		}},
		"endless": {"/v1/status", Silent, func(w http.ResponseWriter, _ *http.Request) {
			for block := strings.Repeat(" ", 1<<20); ; {
				if _, err := io.WriteString(w, block); err != nil {
					return
				}
			}
		}},
		"an error":            {"/v1/status", Silent, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }},
		"half of JSON":        {"/v1/status", Unverifiable, text(`{"height":5,"chain`)},
		"a huge height":       {"/v1/status", Unverifiable, text(`{"height":9223372036854775807}`)},
		"a height below zero": {"/v1/status", Unverifiable, text(`{"height":-9223372036854775808}`)},
		"no number":           {"/v1/status", Unverifiable, text(`{"height":1e400}`)},
		"no certificate":      {"/v1/certified", Unverifiable, text(`{"height":5,"state":"AAAA"}`)},
		"an empty one":        {"/v1/certified", Unverifiable, text(`{"height":5}`)},
		"ten thousand proofs": {"/v1/epochs", Unverifiable, text(`{"proofs":["` + strings.Repeat(`","`, 10_000) + `"]}`)},
		"a huge certificate":  {"/v1/certified", Unverifiable, text(`{"height":5,"state":"` + strings.Repeat("CgAK", 400_000) + `"}`)},
		"no header":           {"/v1/headers", Unverifiable, text(`{"signed_header":""}`)},
		"no record":           {"/v1/record", Unverifiable, text(`{}`)},
		"no path":             {"/v1/log/inclusion", Unverifiable, text(`{"path":[]}`)},
		"a path of nothing":   {"/v1/log/inclusion", Unverifiable, text(`{"path":["AAAA"]}`)},
		"another document":    {"/v1/genesis", WrongGenesis, text(`{"document":"AAAA"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := founded(t)
			good, bad := newGateway(t, l), newGateway(t, l)
			bad.lie(test.path, test.fn)
			w := observe(t, bad, good)
			w.look(1)
			w.raised(test.want)
			if len(w.o.Alarms()[0].Nodes) != 1 || w.o.Alarms()[0].Nodes[0] != bad.url {
				t.Errorf("it is about %v", w.o.Alarms()[0].Nodes)
			}
			if w.o.Height() == 0 {
				t.Error("the other node was not looked at")
			}
			w.stays(test.want)
			bad.lie(test.path, nil)
			w.look(1)
			w.raised(test.want)
			w.ended(map[bool]int{true: 1, false: 0}[test.want == Silent])
		})
	}
}

// TestSilent: a look at a node that says nothing comes to an end.
func TestSilent(t *testing.T) {
	t.Parallel()
	g := newGateway(t, founded(t))
	g.lie("/v1/genesis", silence)
	w := observe(t, g)
	patient := w.s.Limits.Look
	w.s.Limits.Look = 100 * time.Millisecond
	w.restart()
	w.look(2)
	w.raised(Silent)
	w.stays(Silent)
	w.s.Limits.Look = patient
	g.lie("/v1/genesis", nil)
	w.restart()
	w.look(1)
	w.raised(Silent)
	w.ended(1)
}

// TestUnproven: a node may claim what it likes of itself, and it is not told further.
func TestUnproven(t *testing.T) {
	t.Parallel()
	g := newGateway(t, founded(t))
	w := observe(t, g)
	for organisation, want := range map[string]string{"party": "party", "\x1b[2Jparty": "", "": ""} {
		g.alter["/v1/status"] = func(a map[string]any) { a["organisation"] = organisation }
		w.look(1)
		if rows, _ := w.o.Rows(); rows[0].Organisation != want || rows[0].Certified == 0 {
			t.Errorf("%q: %+v", organisation, rows[0])
		}
	}
	g.lie("/v1/status", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"error": strings.Repeat("\x1b[2J\n", 5_000)})
	})
	w.look(1)
	w.raised(Silent)
	if text := w.o.Alarms()[0].Text; strings.ContainsAny(text, "\x1b\n") || len([]rune(text)) > maxText+1 {
		t.Errorf("%d characters: %q", len(text), text)
	}
}
