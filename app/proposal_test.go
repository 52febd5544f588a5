package app_test

import (
	"crypto/rand"
	"math"
	"testing"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// fault asks the predicate as a node does: parsed and verified transactions against the newest state.
func (l *ledger) fault(raw ...[]byte) *tx.Refusal {
	l.t.Helper()
	var parsed []*tx.Parsed
	for _, b := range raw {
		parsed = append(parsed, must(tx.Parse(b)))
	}
	verdicts := must(l.app.Verify(l.view(), parsed, rand.Reader))
	return must(l.app.ProposalFault(l.view(), parsed, verdicts))
}

// TestProposalFault: signature and proof refuse a block; what depends on the rest of the block does not.
func TestProposalFault(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(4)
	shared := l.shared()
	good := cast(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1)
	forged := sign("party officer 1", &pb.ApproveResolution{Resolution: make([]byte, 32)})
	forged[len(forged)-1] ^= 1
	for _, c := range []struct {
		name string
		want tx.Code
		raw  [][]byte
	}{
		{"nothing", tx.CodeOK, nil},
		{"a ballot", tx.CodeOK, [][]byte{good}},
		{"the same ballot twice", tx.CodeOK, [][]byte{good, good}},
		{"a stranger's approval", tx.CodeOK, [][]byte{sign("nobody", &pb.ApproveResolution{Resolution: make([]byte, 32)})}},
		{"an unknown election", tx.CodeOK, [][]byte{sign("party trustee 1", &pb.ConfirmDeals{Election: "other", Organisation: "party"})}},
		{"an unknown voter", tx.CodeOK, [][]byte{altered(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1, func(m *pb.CastBallot, _ []byte) { m.RollIndex = 99 })}},
		{"a forged approval", tx.CodeBadSignature, [][]byte{good, forged}},
		{"a ballot signed by nobody", tx.CodeBadSignature, [][]byte{altered(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1, func(_ *pb.CastBallot, s []byte) { s[40] ^= 1 }), good}},
		{"a ballot without its points", tx.CodeBadProof, [][]byte{altered(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1, func(m *pb.CastBallot, _ []byte) { m.Ciphertext = m.Ciphertext[:32] })}},
	} {
		got := tx.CodeOK
		if fault := l.fault(c.raw...); fault != nil {
			got = fault.Code
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestBlockUnits: the units of a block are counted to the last.
func TestBlockUnits(t *testing.T) {
	l := newLedger(t)
	p := parameters()
	p.Limits.BlockUnits = 60_000
	l.resolve(pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: p}}})
	complaint := must(tx.Parse(sign("nobody", &pb.ComplainDeal{Election: id, PrivateKey: make([]byte, 32)})))
	approval := must(tx.Parse(sign("nobody", &pb.ApproveResolution{Resolution: make([]byte, 32)})))
	var list []*tx.Parsed
	units := uint64(0)
	add := func(p *tx.Parsed) {
		list = append(list, p)
		units += p.Units()
	}
	for units+complaint.Units() <= 60_000 {
		add(complaint)
	}
	for units < 60_000 {
		add(approval)
	}
	if units != 60_000 {
		t.Fatalf("%d units", units)
	}
	for _, want := range []tx.Code{tx.CodeOK, tx.CodeTooLarge} {
		fault := must(l.app.ProposalFault(l.view(), list, make([]tx.Verdict, len(list))))
		if got := codeOf(fault); got != want {
			t.Errorf("%d units: %v, want %v", units, got, want)
		}
		add(approval)
	}
}

func codeOf(r *tx.Refusal) tx.Code {
	if r == nil {
		return tx.CodeOK
	}
	return r.Code
}

func TestAheadOfClock(t *testing.T) {
	now := start * 1e9
	for blockTime, want := range map[int64]bool{
		now: false, now - 3600e9: false, now + app.MaxAhead: false, now + app.MaxAhead + 1: true, math.MaxInt64: true,
	} {
		if got := app.AheadOfClock(blockTime, now); got != want {
			t.Errorf("%d ns ahead: %v", blockTime-now, got)
		}
	}
}

// TestLateBallot: a block brings no ballot of an election that closed more than a minute ago by the local clock; other elections and other
// transactions do not count.
func TestLateBallot(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(3)
	ballot := cast(draft(l.shared(), 0, voters[0], 1, nil, []int{0}), 0, 1)
	unknown := tx.Ballot(&pb.CastBallot{Election: "other", Ciphertext: make([]byte, 32), Proof: make([]byte, 32)}, make([]byte, 64))
	malformed := tx.Ballot(&pb.CastBallot{Election: id + "/keys", Ciphertext: make([]byte, 32), Proof: make([]byte, 32)}, make([]byte, 64))
	approval := sign("party officer 1", &pb.ApproveResolution{Resolution: make([]byte, 32)})
	edge := l.election().Closing*1e9 + app.MaxLate
	late := func(local int64, raw ...[]byte) bool {
		var parsed []*tx.Parsed
		for _, b := range raw {
			parsed = append(parsed, must(tx.Parse(b)))
		}
		return must(l.app.LateBallot(l.view(), parsed, local))
	}
	for _, c := range []struct {
		name  string
		local int64
		raw   [][]byte
		want  bool
	}{
		{"at the edge", edge, [][]byte{ballot}, false},
		{"behind it", edge + 1, [][]byte{approval, unknown, ballot}, true},
		{"behind it, without ballots", edge + 1, [][]byte{approval, unknown, malformed}, false},
		{"empty", math.MaxInt64, nil, false},
	} {
		if got := late(c.local, c.raw...); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	// A later closing counts at once.
	l.resolve(pb.Resolution{Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: id, Cause: pb.EXTENSION_OTHER, Closing: l.election().Closing + 100}}})
	if late(edge+1, ballot) {
		t.Error("late although the election was extended")
	}
	// One that has no times is never late.
	l2 := newLedger(t)
	l2.resolve(createElectionOf(l2.publish(manifest())))
	if must(l2.app.LateBallot(l2.view(), []*tx.Parsed{must(tx.Parse(ballot))}, math.MaxInt64)) {
		t.Error("late although no closing is set")
	}
	if election.MaxTime*1e9 > math.MaxInt64-app.MaxLate {
		t.Error("the last closing overflows")
	}
}
