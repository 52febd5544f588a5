package bench

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"votenode/internal/scribe"
	"votenode/verify/audit"
)

// TestMeasureAudit asks for what the numbers are of, not how large they are.
func TestMeasureAudit(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "record")
	r, err := MeasureAudit(context.Background(), AuditPlan{Ballots: 4, Options: 3, Blocks: 2, Record: folder})
	if err != nil {
		t.Fatal(err)
	}
	if r.Failure() != nil || r.Audit != "passed" || r.VotingBlocks != 2 || r.Blocks <= 2 || r.Validators != 8 || r.RecordBytes == 0 || r.AuditSeconds <= 0 || r.ProcessorSeconds < 0 || r.ToVerification < 0 {
		t.Errorf("%+v", r)
	}
	var names []string
	sum := 0.0
	for _, s := range r.Stages {
		names, sum = append(names, s.Name), sum+s.Seconds
	}
	if want := []string{"files", "read", "verify", "chain", "replay", "recount", "report"}; !slices.Equal(names, want) {
		t.Errorf("stages %v", names)
	}
	if sum <= 0 || sum > r.AuditSeconds {
		t.Errorf("stages of %f s in an audit of %f s", sum, r.AuditSeconds)
	}
	if _, err := os.Stat(folder); err != nil {
		t.Error("the record was not kept", err)
	}
	var text bytes.Buffer
	if err := r.Write(&text); err != nil || !bytes.Contains(text.Bytes(), []byte("audit: passed")) {
		t.Error(text.String(), err)
	}
}

// TestAuditFault: whatever an auditor finds that is not what the ballots come to is a fault.
func TestAuditFault(t *testing.T) {
	written := &scribe.Written{Height: 9, Votes: []uint64{2, 1}}
	right := func() *audit.Report {
		return &audit.Report{Height: 9, Elections: []audit.Election{{Recorded: 3, Counted: 3, Certified: true, Contests: []audit.Contest{
			{Status: "opened", Options: []audit.Option{{Votes: 2}, {Votes: 1}}},
		}}}}
	}
	if err := auditFault(right(), written); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(r *audit.Report){
		"failed check": func(r *audit.Report) { r.Checks = []audit.Check{{Number: 6, Outcome: "failed"}} },
		"no election":  func(r *audit.Report) { r.Elections = nil },
		"short":        func(r *audit.Report) { r.Height = 8 },
		"open":         func(r *audit.Report) { r.Elections[0].Contests[0].Status = "withheld" },
		"uncertified":  func(r *audit.Report) { r.Elections[0].Certified = false },
		"lost ballot":  func(r *audit.Report) { r.Elections[0].Counted = 2 },
		"other votes":  func(r *audit.Report) { r.Elections[0].Contests[0].Options[0].Votes = 1 },
	} {
		r := right()
		spoil(r)
		if auditFault(r, written) == nil {
			t.Errorf("%s: no fault", name)
		}
	}
}
