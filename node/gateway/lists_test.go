package gateway

import (
	"fmt"
	"net/http"
	"testing"

	"votenode/client/readable"
	"votenode/internal/rehearsal"
)

// TestRoundsOfLot: the present round of the lot is shown, and by its number each that was ended; no other.
func TestRoundsOfLot(t *testing.T) {
	t.Parallel()
	var l *rehearsal.Ledger
	rehearsal.Scenes["lost secrets"](t, func(founded *rehearsal.Ledger) { l = founded })
	w := serve(t, l)
	for asked, want := range map[int]uint32{0: 3, 1: 1, 2: 2, 3: 3} {
		var lot struct {
			Height int64
			readable.Lot
			Tied []uint32
		}
		w.get(fmt.Sprintf("/v1/elections/primary/lot?round=%d", asked), &lot)
		if ended := want < 3; lot.Round != want || ended != (lot.Renewed != "") || ended != (lot.Seed == "") || lot.Deadline == 0 || len(lot.Parts) != 2 || lot.Parts[0].Kept != want-1 {
			t.Errorf("round %d: %+v", asked, lot)
		}
	}
	w.refused(http.StatusNotFound, "/v1/elections/primary/lot?round=4")
	w.refused(http.StatusNotFound, "/v1/elections/primary/lot?round=4294967297")
	w.refused(http.StatusBadRequest, "/v1/elections/primary/lot?round=x")
}
