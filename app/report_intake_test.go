package app_test

import (
	"testing"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// report returns the report of an organisation's first validator that is due in the next block; change may alter it.
func (l *ledger) report(organisationID string, change func(*pb.ReportIntake)) []byte {
	m := &pb.ReportIntake{
		Start: 2, Height: app.IntakeDue(l.view().Height()), Taken: 40, FromPeers: 30, Verified: 60, Slips: 20,
		Refused: []pb.RefusalCount{{Code: uint32(tx.CodeBadProof), Count: 3}, {Code: uint32(tx.CodeRetryLater), Count: 7}},
	}
	if change != nil {
		change(m)
	}
	return sign(l.validator(organisationID).Name+" slip", m)
}

// until makes blocks up to a height.
func (l *ledger) until(height int64) {
	for l.view().Height() < height {
		l.block(1)
	}
}

// TestReportIntake: a validator reports once for each multiple of 60 heights, in the blocks that come up to the next one.
func TestReportIntake(t *testing.T) {
	l := newLedger(t)
	l.until(59)
	l.refuse(tx.CodeReportHeight, l.report("party", func(m *pb.ReportIntake) { m.Height = 60 })) // block 60 does not follow height 60
	first := l.report("party", nil)
	l.accept(first, l.report("league", func(m *pb.ReportIntake) { m.Start = 1 }))
	l.refuse(tx.CodeAlreadyDone, first)
	l.refuse(tx.CodeAlreadyDone, l.report("party", func(m *pb.ReportIntake) { m.Taken++ }))
	l.refuse(tx.CodeNotAuthorised, sign(l.validator("party").Name, must(tx.Parse(first)).Body().(*pb.ReportIntake)))
	key := state.IntakeKey(l.validator("party").Key)
	last := must(state.MustLoad[pb.LastIntake](l.view(), key))
	if last.Index != 0 || last.Report.Taken != 40 || last.Report.Height != 60 {
		t.Errorf("%+v", last)
	}
	l.until(120)
	l.refuse(tx.CodeReportHeight, l.report("party", func(m *pb.ReportIntake) { m.Height = 60 }))
	l.until(179)
	l.accept(l.report("party", nil)) // in block 180, that of height 120
	if last := must(state.MustLoad[pb.LastIntake](l.view(), key)); last.Index != 2 || last.Report.Height != 120 {
		t.Errorf("%+v", last)
	}
	if leaf := must(l.view().Leaf(state.LogIntake, 0)); string(leaf) != string(first) {
		t.Error("the log does not hold the transaction")
	}
}

// TestReportShrunk: within one start of the node no counter shrinks; only a later start begins anew.
func TestReportShrunk(t *testing.T) {
	l := newLedger(t)
	l.until(60)
	l.accept(l.report("party", nil))
	l.until(120)
	for name, change := range map[string]func(m *pb.ReportIntake){
		"an earlier start": func(m *pb.ReportIntake) { m.Start, m.Taken = 1, 100 },
		"taken":            func(m *pb.ReportIntake) { m.Taken-- },
		"from peers":       func(m *pb.ReportIntake) { m.FromPeers-- },
		"verified":         func(m *pb.ReportIntake) { m.Verified-- },
		"slips":            func(m *pb.ReportIntake) { m.Slips-- },
		"a code less":      func(m *pb.ReportIntake) { m.Refused[1].Count-- },
		"a code left out":  func(m *pb.ReportIntake) { m.Refused = m.Refused[:1] },
		"another code":     func(m *pb.ReportIntake) { m.Refused[0].Code++ },
	} {
		if got := l.block(0, l.report("party", change))[0]; got.Code != tx.CodeReportShrunk {
			t.Errorf("%s: %v", name, got)
		}
	}
	l.accept(l.report("party", func(m *pb.ReportIntake) {
		m.Slips++
		m.Refused = append([]pb.RefusalCount{{Code: 1, Count: 1}}, m.Refused...)
	}))
	l.until(180)
	l.accept(l.report("party", func(m *pb.ReportIntake) { *m = pb.ReportIntake{Start: 3, Height: m.Height} }))
}

// TestReporters: of a change of validators, those report who are present.
func TestReporters(t *testing.T) {
	l := newLedger(t)
	l.until(60)
	next := sortValidators([]pb.Validator{validator("league", 1), validator("league", 2), validator("party", 2), validator("party", 3)})
	l.resolve(pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{Validators: next}}})
	of := func(n int) []byte {
		return sign(validator("party", n).Name+" slip", &pb.ReportIntake{Start: 1, Height: app.IntakeDue(l.view().Height())})
	}
	first := must(state.MustLoad[pb.ValidatorEpochs](l.view(), state.KeyValidators)).Next.FirstHeight
	l.until(first - 2)
	l.refuse(tx.CodeNotAuthorised, of(3))
	checked := func(n int) error { return l.app.Check(l.view(), l.now*1e9, must(tx.Parse(of(n)))) }
	if checked(3) != nil || checked(1) == nil { // what a node asks for the first block of the epoch
		t.Error(checked(3), checked(1))
	}
	if got := l.block(1, of(1))[0]; got.Code != tx.CodeNotAuthorised {
		t.Error(got)
	}
	l.accept(of(3), of(2))
}
