package audit_test

import (
	"context"
	"slices"
	"testing"

	"votenode/verify/audit"
)

// TestStages: an audit begins with the files and ends with the report, and tells of every stage between.
func TestStages(t *testing.T) {
	e, _ := story()
	var told []audit.Stage
	report, err := audit.Run(context.Background(), e.Ledger.Record(e.Blocks), audit.Options{Stage: func(s audit.Stage) { told = append(told, s) }})
	if err != nil || !report.Passed {
		t.Fatal(report.Failure(), err)
	}
	if told[0] != audit.StageFiles || told[len(told)-1] != audit.StageReport {
		t.Errorf("begins with %v, ends with %v", told[0], told[len(told)-1])
	}
	names := map[string]bool{}
	for s := audit.StageFiles; s <= audit.StageReport; s++ {
		if !slices.Contains(told, s) {
			t.Errorf("nothing was told of %v", s)
		}
		names[s.String()] = true
	}
	if len(names) != 7 {
		t.Errorf("names: %v", names)
	}
}
