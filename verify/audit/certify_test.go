package audit_test

import (
	"strings"
	"testing"

	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// failureOf audits what a ledger has so far and returns the first failed check, "" where it passes.
func failureOf(t *testing.T, l *rehearsal.Ledger) string {
	t.Helper()
	hash := genesis.Hash(l.Genesis)
	failed := run(t, l.Record(l.Blocks), &hash).Failure()
	if failed == nil {
		return ""
	}
	return failed.String()
}

// An election that comes to its end while one organisation does not certify: the record passes once a later height is certified.
func TestEndIsCertified(t *testing.T) {
	l := rehearsal.New(t)
	l.Make(1)
	l.Create(rehearsal.Manifest("primary"))
	l.Absent["party validator 2"] = true
	l.Resolve(&pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: "primary"}}})
	for range 4 {
		l.Make(1)
	}
	if got := failureOf(t, l); !strings.Contains(got, "(certified)") || !strings.Contains(got, `"primary"`) {
		t.Errorf("while nothing is certified: %q", got)
	}
	l.Absent["party validator 2"] = false
	l.Make(1)
	l.Make(1)
	if got := failureOf(t, l); got != "" {
		t.Errorf("once a later height is certified: %s", got)
	}
}

// An epoch that no certified state announces before it begins.
func TestEpochIsCertified(t *testing.T) {
	for name, c := range map[string]struct {
		away uint64 // heights behind the announcement that are not certified
		want string
	}{
		"announced in time": {4, ""},
		"not announced":     {6, "no certified state"},
	} {
		t.Run(name, func(t *testing.T) {
			l := rehearsal.New(t)
			l.Make(1)
			l.Make(1)
			next := rehearsal.Sorted(rehearsal.Validator("league", 1), rehearsal.Validator("league", 2), rehearsal.Validator("party", 1), rehearsal.Validator("party", 3))
			l.Resolve(&pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{Validators: next}}})
			l.Absent["league validator 1"] = true
			for range c.away {
				l.Make(1)
			}
			l.Absent["league validator 1"] = false
			for range l.Genesis.Parameters.Handover - c.away + 3 {
				l.Make(1)
			}
			got := failureOf(t, l)
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

// Who did not sign, and which organisation did not certify by itself, is on the record, and is no fault.
func TestAbsences(t *testing.T) {
	e, _ := story()
	report := run(t, e.Ledger.Record(e.Blocks), nil)
	if len(report.Missing) != 1 || report.Missing[0].Validator != "party validator 2" || report.Missing[0].Count != 2 || len(report.Missing[0].Ranges) != 1 {
		t.Fatalf("missing: %+v", report.Missing)
	}
	away := report.Missing[0].Ranges[0]
	if len(report.Uncertified) != 1 || report.Uncertified[0].Organisation != "party" || report.Uncertified[0].Ranges[0].From != away.From-1 {
		t.Errorf("away at %v, uncertified: %+v", away, report.Uncertified)
	}
	if report.Certified != report.Height-2 {
		t.Errorf("certified up to %d of %d", report.Certified, report.Height)
	}
}
