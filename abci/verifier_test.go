package abci

import (
	"testing"
	"time"
)

// TestRests: the verifier rests only while a block is late, in proportion to what a batch took, and no longer when the block is there.
func TestRests(t *testing.T) {
	const pace, took = time.Second, 20 * time.Millisecond
	begin := time.Unix(0, 0)
	p := pacer{seen: begin}
	for _, step := range []struct {
		height int64
		at     time.Duration
		want   time.Duration
	}{
		{0, pace, 0},
		{0, pace + lateAfter - 1, 0},
		{0, pace + lateAfter, restFactor * took},
		{0, time.Hour, restFactor * took},
		{1, time.Hour, 0},
		{1, time.Hour + pace + lateAfter - 1, 0},
		{1, time.Hour + pace + lateAfter, restFactor * took},
		{7, time.Hour + pace + lateAfter, 0},
	} {
		if got := p.rest(step.height, pace, begin.Add(step.at), took); got != step.want {
			t.Errorf("height %d after %v: %v, not %v", step.height, step.at, got, step.want)
		}
	}
	if got := p.rest(7, pace, begin.Add(2*time.Hour), time.Minute); got != longestRest {
		t.Errorf("after a batch that took a minute: %v", got)
	}
}

// TestPaceIsThatOfTheLedger: what counts as late follows the parameters.
func TestPaceIsThatOfTheLedger(t *testing.T) {
	l, _ := on(t, nil)
	want := time.Duration(l.doc.Parameters.Timeouts.Commit) * time.Millisecond
	if got := l.app.blockPace(); got != want || want == 0 {
		t.Errorf("%v, not %v", got, want)
	}
}
