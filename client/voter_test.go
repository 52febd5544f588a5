package client

import (
	"strings"
	"testing"
	"time"

	pb "votenode/proto/votenode/v1"
)

// TestCheckVoting: who prepares a ballot when none is taken is told before a code is shown; a certified state from before the opening is no reason.
func TestCheckVoting(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		phase   pb.Phase
		opening time.Time
		want    string
	}{
		{pb.PHASE_VOTING, now.Add(-time.Hour), ""},
		{pb.PHASE_READY, now, ""},
		{pb.PHASE_READY, now.Add(time.Second), `wrong_phase: the phase of "e" is ready, and voting opens at 2026-03-01T09:00:01Z;`},
		{pb.PHASE_READY, time.Unix(0, 0), `wrong_phase: the phase of "e" is ready;`},
		{pb.PHASE_KEY_CEREMONY, now, `wrong_phase: the phase of "e" is key ceremony;`},
		{pb.PHASE_CLOSED, now.Add(-time.Hour), `wrong_phase: the phase of "e" is closed;`},
	} {
		err := checkVoting("e", &pb.Election{Phase: c.phase, Opening: c.opening.Unix()}, now)
		if err == nil && c.want != "" || err != nil && (c.want == "" || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%v, opening %v: %v, want %q", c.phase, c.opening, err, c.want)
		}
	}
}
