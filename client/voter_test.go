package client

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"votenode/app/state"
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

// TestAbsentWords: what is not there is told by its name, not by the key of its record.
func TestAbsentWords(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for key, want := range map[string]string{
		state.InitiativeKey(9):                            "there is no initiative 9",
		state.InitiativeKey(0):                            "there is no initiative 0",
		state.KeyInitiatives:                              "no roll is open to initiatives",
		state.NominationsKey("e"):                         `there are no nominations "e"`,
		state.ApplicationPrefix("e") + hash:               "there is no application " + hash + ` of the nominations "e"`,
		state.ResolutionPrefix + hash:                     "there is no resolution " + hash,
		state.DocumentKey(bytes.Repeat([]byte{0xab}, 32)): "there is no document " + hash,
		state.KeysKey("e"):                                `there is no record "election/e/keys"`,
		state.KeyParameters:                               `there is no record "parameters"`,
	} {
		if got := absent(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}
