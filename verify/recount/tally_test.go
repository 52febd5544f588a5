package recount

import (
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// TestTallyCost: contests in which nothing is encrypted wait in the queue like all others, and how many are opened in a block depends on
// their options and on how many votes are to be searched.
func TestTallyCost(t *testing.T) {
	for name, c := range map[string]struct {
		ballots    uint64
		selections uint32
		parts      bool
		want       int
	}{
		"few ballots":             {1 << 17, 1, false, 30},
		"many ballots":            {1 << 20, 1, false, 29}, // 204 each
		"many ballots, many each": {1 << 20, 50, false, 15},
		"with parts":              {1 << 17, 1, true, 5},
		"dearer than a block":     {1 << 27, 200, false, 1},
	} {
		e := &election{phase: pb.PHASE_DECRYPTING, manifest: &pb.Manifest{OpenMin: 1}}
		for i := range uint32(33) {
			e.manifest.Contests = append(e.manifest.Contests, pb.Contest{Options: make([]string, 200), MaxSelections: c.selections})
			sum := ballot.NewEncryptedTally(200)
			sum.Count = c.ballots
			sum.A[i].Add(sum.A[i], curve.RISTRETTO_BASEPOINT_POINT)
			e.sums, e.results, e.queue = append(e.sums, sum), append(e.results, nil), append(e.queue, i)
		}
		if err := (&Recount{parts: c.parts}).advanceTally(e); err != nil {
			t.Fatal(err)
		}
		if open := int(e.undecided()); 33-open != c.want || len(e.queue) != open {
			t.Errorf("%s: %d contests opened, %d wait", name, 33-open, len(e.queue))
		}
		if votes := e.results[0].Votes; votes[0] != 1 || slices.Max(votes[1:]) != 0 {
			t.Errorf("%s: %v", name, votes)
		}
	}
}
