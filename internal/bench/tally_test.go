package bench

import (
	"bytes"
	"context"
	"testing"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

// TestMeasureTally asks for what the numbers are of, not how large they are.
func TestMeasureTally(t *testing.T) {
	r, err := MeasureTally(context.Background(), TallyPlan{Contests: 4, Options: 2, Ballots: 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	last := r.Blocks[len(r.Blocks)-1]
	if last.Phase != election.PhaseName(pb.PHASE_FINAL) || last.Decided != 4 || r.Trustees.Number != 6 || r.Trustees.Transactions != 1 || r.Trustees.Reads == 0 {
		t.Errorf("%+v", r)
	}
	parts, slowest := 0, 0.0
	for _, b := range r.Blocks {
		parts, slowest = parts+b.Parts, max(slowest, b.TotalMS)
	}
	// All twenty-four parts come in one block, whose end opens everything.
	if parts != 24 || r.BlocksAfterShares != 1 || r.SlowestMS != slowest || r.AllowedMS != 1000 || r.SecondsAfterShares < 1 {
		t.Errorf("%d parts, %+v", parts, r)
	}
	var text bytes.Buffer
	if err := r.Write(&text); err != nil || !bytes.Contains(text.Bytes(), []byte("last share to last result  1 blocks")) {
		t.Error(text.String(), err)
	}
}
