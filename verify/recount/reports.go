package recount

import (
	"fmt"
	"slices"

	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// reportEvery is the number of heights from one report of a validator to the next. Spec 9.36.
const reportEvery = 60

// reportIntake: spec 9.36.
func (r *Recount) reportIntake(raw, signer []byte, m *pb.ReportIntake) error {
	at := slices.IndexFunc(r.present.Validators, func(v pb.Validator) bool { return string(v.SlipKey) == string(signer) })
	if at < 0 {
		return refuse(codeNotAuthorised, "%x is no slip key", signer)
	}
	if m.Height != (r.height-1)/reportEvery*reportEvery {
		return refuse(codeReportHeight, "a report of height %d is not due in block %d", m.Height, r.height)
	}
	key := string(r.present.Validators[at].Key)
	if last := r.reported[key]; last != nil {
		switch {
		case last.Report.Height >= m.Height:
			return refuse(codeAlreadyDone, "it has reported at height %d", last.Report.Height)
		case m.Start < last.Report.Start || m.Start == last.Report.Start && !counted(&last.Report, m):
			return refuse(codeReportShrunk, "a counter has shrunk since height %d", last.Report.Height)
		}
	}
	r.reported[key] = &pb.LastIntake{Report: *m, Index: r.reports.size()}
	r.remember(signer, r.reported[key])
	r.reports.add(raw)
	return nil
}

// counted says whether no counter of a report is smaller than it was.
func counted(was, is *pb.ReportIntake) bool {
	now := map[uint32]uint64{}
	for _, c := range is.Refused {
		now[c.Code] = c.Count
	}
	for _, c := range was.Refused {
		if now[c.Code] < c.Count {
			return false
		}
	}
	return is.Taken >= was.Taken && is.FromPeers >= was.FromPeers && is.Verified >= was.Verified && is.Slips >= was.Slips
}

// reportRecords tells the newest report of each validator, and the head of the log of all. Spec 5.2.
func (r *Recount) reportRecords(emit Emit) {
	head(emit, Ledger, "log/intake", &r.reports)
	for key, last := range r.reported {
		emit(Ledger, fmt.Sprintf("intake/%x", key), rules.Encode(last))
	}
	for number, window := range r.windows {
		emit(Ledger, fmt.Sprintf("signing/%012d", number), rules.Encode(window))
	}
}
