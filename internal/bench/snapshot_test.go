package bench

import (
	"bytes"
	"testing"
)

// TestMeasureSnapshot: what is measured is a snapshot that restores to the state that it was made of.
func TestMeasureSnapshot(t *testing.T) {
	r, err := MeasureSnapshot(t.Context(), SnapshotPlan{Ballots: 20, Options: 3})
	if err != nil {
		t.Fatal(err)
	}
	if r.Chunks < 4 || r.SnapshotBytes == 0 || r.TakeSeconds <= 0 || r.AgainSeconds <= 0 || r.RestoreSeconds <= 0 || r.OpenSeconds <= 0 {
		t.Errorf("%+v", r)
	}
	var text bytes.Buffer
	if err := r.Write(&text); err != nil || !bytes.Contains(text.Bytes(), []byte("restoring it, verified")) {
		t.Error(text.String(), err)
	}
}
