package audit_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"votenode/genesis"
	"votenode/verify/audit"
)

var (
	update    = flag.Bool("update", false, "rewrite the report in testdata")
	recordNew = flag.Bool("record", false, "write the record in testdata from a new election, and the report on it")
)

// TestVectors audits a record that is checked in, and compares the report with the one beside it: for a second auditor, and to show when
// a change of the program would read old records otherwise.
func TestVectors(t *testing.T) {
	folder, file := filepath.Join("testdata", "record"), filepath.Join("testdata", "report.json")
	if *recordNew {
		e, _ := story()
		for name, f := range e.Ledger.Record(e.Blocks) {
			if err := os.WriteFile(filepath.Join(folder, name), f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	document, err := os.ReadFile(filepath.Join(folder, "genesis.pb"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := genesis.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	hash := genesis.Hash(doc)
	report := run(t, os.DirFS(folder), &hash)
	if failed := report.Failure(); failed != nil {
		t.Fatalf("%v; if the rules were changed on purpose, make the record anew with -record", failed)
	}
	got, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update || *recordNew {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the report is\n%s", got)
	}
	if back := new(audit.Report); json.Unmarshal(want, back) != nil || !back.Passed {
		t.Error("the report does not read back")
	}
}
