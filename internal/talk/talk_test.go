package talk

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestBarInPlainLines(t *testing.T) {
	var out strings.Builder
	talk := &Talk{To: &out, begin: time.Now()}
	b := talk.Bar("ballots", 10)
	for i := range 11 {
		b.Set(i)
	}
	b.Set(3)
	b.Clear()
	got := 0
	for line := range strings.Lines(out.String()) {
		var seconds float64
		var done int
		if _, err := fmt.Sscanf(line, "%f s ballots: %d of 10", &seconds, &done); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got++
	}
	if got != 3 {
		t.Fatalf("%d lines:\n%s", got, &out)
	}
}
