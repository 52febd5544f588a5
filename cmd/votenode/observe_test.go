package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"votenode/client/observe"
)

// TestObserverTable: one line a node whatever is known of it, and alarms about the ledger under them; what is drawn takes the place of what
// was drawn before, and no line wraps.
func TestObserverTable(t *testing.T) {
	now := time.Unix(1_000, 0)
	lines := tableLines([]observe.Row{
		{Node: "http://a", Organisation: "party", Height: 12, Certified: 10, Time: now.Add(-3 * time.Second), Validator: true, Missed: 4, Alarms: []observe.Kind{observe.Stale}},
		{Node: "http://b"},
	}, []observe.Kind{observe.Forked}, now)
	want := []string{
		"NODE      ORGANISATION  HEIGHT  CERTIFIED  AGE  SIGNING    ALARMS",
		"http://a  party         12      10         3s   not for 4  stale",
		"http://b  -             0       0          -    -          none",
		"the ledger: fork",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}

	o, err := observe.Open(observe.Settings{Nodes: []string{"127.0.0.1:1"}, Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	var out strings.Builder
	drawn := &table{out: &out, width: func() int { return 20 }}
	drawn.note(observe.Event{Time: now, Event: observe.EventAlarm, Alarm: &observe.Alarm{Kind: observe.Stale, Text: "it stands still, for quite some time", Evidence: []string{"file"}}})
	for range 2 {
		if err := drawn.draw(o); err != nil {
			t.Fatal(err)
		}
	}
	first, second, redrawn := strings.Cut(out.String(), "\x1b[2A\x1b[J")
	if !redrawn || !strings.Contains(first, "ALARM stale: it stands still, for quite some time\n          evidence: file\n") || strings.Contains(second, "ALARM") {
		t.Errorf("%q", out.String())
	}
	for line := range strings.Lines(second) {
		if len(line) > 20 {
			t.Errorf("%q is too long", line)
		}
	}
}
