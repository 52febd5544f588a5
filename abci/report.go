package abci

import (
	"cmp"
	"crypto/rand"
	"slices"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// reports is what this node knows of its own reports.
type reports struct {
	start  uint64   // that the next one names
	height int64    // of the newest one that was made, or found on the ledger
	hash   [32]byte // of the newest one that was made
}

// ReportIntake puts this node's report of its intake into the pool where one is due and the node is a validator, and takes out the one
// before, which no block takes any more. It is cheap where none is due, and for one goroutine at a time. What it puts in comes
// past the lines and the limits of the pool, and is not counted: a full pool is what there is to report. Spec 9.36.
func (a *Application) ReportIntake() error {
	view := a.ledger.Newest()
	if view == nil {
		return nil
	}
	due := app.IntakeDue(view.Height())
	if due <= a.reports.height {
		return nil
	}
	epochs, err := state.MustLoad[pb.ValidatorEpochs](view, state.KeyValidators)
	if err != nil || a.signsIn(epochs, view.Height()+1) != nil {
		return err
	}
	last, err := state.Load[pb.LastIntake](view, state.IntakeKey(a.options.Validator))
	if err != nil {
		return err
	}
	if last != nil && last.Report.Height >= due {
		a.reports.height = last.Report.Height
		return nil
	}
	return a.report(view, a.reportOf(last, due))
}

// reportOf returns the report of a height. Where the ledger holds one of a start that this home does not know, as after it was set back
// to an older copy, it names a later start. So it does in its first report where it has the number of a start that has reported.
func (a *Application) reportOf(last *pb.LastIntake, height int64) *pb.ReportIntake {
	m := a.counts.now().counters()
	m.Start, m.Height = a.reports.start, height
	first := a.reports.hash == [32]byte{}
	if last != nil && (app.IntakeShrinks(&last.Report, m) || first && last.Report.Start == m.Start) {
		m.Start = last.Report.Start + 1
		a.reports.start = m.Start
	}
	return m
}

// counters returns a report of what was counted, of no start and height yet.
func (i Intake) counters() *pb.ReportIntake {
	m := &pb.ReportIntake{Taken: i.Taken, FromPeers: i.FromPeers, Verified: i.Verified, Slips: i.Slips}
	for code, n := range i.Refused {
		m.Refused = append(m.Refused, pb.RefusalCount{Code: uint32(code), Count: n})
	}
	slices.SortFunc(m.Refused, func(a, b pb.RefusalCount) int { return cmp.Compare(a.Code, b.Code) })
	return m
}

// report signs a report and has it wait for a block.
func (a *Application) report(view state.View, m *pb.ReportIntake) error {
	p, err := tx.Parse(tx.Sign(a.app.Chain(), m, a.options.SlipKey))
	if err != nil {
		return err
	}
	verdicts, err := a.app.Verify(view, []*tx.Parsed{p}, rand.Reader)
	if err != nil {
		return err
	}
	if refusal := verdicts[0].Refusal; refusal != nil {
		return refusal
	}
	a.drop(a.reports.hash)
	a.pool.addOwn(verdicts[0].Verified, view.Height())
	a.reports.height, a.reports.hash = m.Height, p.Hash()
	return nil
}
