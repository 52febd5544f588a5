package observe

import (
	"strings"
	"testing"

	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// TestLotSecret: where a list waits for the lot, organisations that have not revealed at the deadline are named, each until it has; in another
// round, only those whose turn it is. A node that is behind says nothing about it.
func TestLotSecret(t *testing.T) {
	t.Parallel()
	var l *rehearsal.Ledger
	e := rehearsal.Tied(t, func(founded *rehearsal.Ledger) { l = founded })
	a, b := newGateway(t, l), newGateway(t, l)
	w := observe(t, a, b)
	late := false // b stays where it is
	look := func(seconds int64, raw ...[]byte) {
		w.Helper()
		l.Make(seconds, raw...)
		if a.tip = l.Height(); !late {
			b.tip = a.tip
		}
		w.on(a)
		w.look(1)
	}
	shown := func() { // until what the ledger has is certified
		w.Helper()
		for range 3 {
			look(1)
		}
	}
	shown()
	for l.Now() < e.Lot().Deadline {
		look(int64(w.s.Limits.Lag.Seconds()) / 2)
	}
	shown()
	w.raised() // no list waits
	e.WaitForLot()
	shown()
	w.raised(LotSecret, LotSecret)
	for i, organisation := range []string{"league", "party"} {
		if alarm := w.o.Alarms()[i]; alarm.Cause != "primary "+organisation || !strings.HasPrefix(alarm.Text, organisation+" has not revealed") {
			t.Errorf("%+v", alarm)
		}
	}
	w.stays(LotSecret, LotSecret)

	late = true
	look(1)
	look(1)
	look(1, e.RevealLot("party"))
	shown()
	w.ended(1)
	b.tip += 2 // certified is a state before that
	w.look(1)
	w.raised(LotSecret, LotSecret)
	late = false
	e.Resolve(e.RenewLot(1, "league"))
	shown()
	w.ended(2)
	look(1, e.CommitLot("league"), e.CommitLot("party"))
	look(1)
	look(1)
	for l.Now() < e.Lot().Deadline {
		w.raised(LotSecret, LotSecret)
		look(1)
	}
	shown()
	w.raised(LotSecret, LotSecret, LotSecret)
	if alarm := w.o.Alarms()[0]; !alarm.Stands() || !strings.Contains(alarm.Text, "round 2") {
		t.Errorf("%+v", alarm)
	}
	e.Resolve(&pb.Resolution{Reason: "so be it", Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: e.ID}}})
	shown()
	w.ended(3)
}
