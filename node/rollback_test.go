package node_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"votenode/node"
)

// TestRollback: a node that was taken back executes its newest block again, comes to the same state, and goes on with the others. Keys and sign
// state are what they were, and where nothing was executed there is nothing to take back.
func TestRollback(t *testing.T) {
	n := stoppedNetwork(t)
	victim := n.Nodes[0]
	before := inspected(t, stopped(t, copyHome(t, victim.Home)))
	signed := files(t, filepath.Join(victim.Home, "sign-state"))
	twice := copyHome(t, victim.Home)

	s := stopped(t, victim.Home)
	height, err := s.Rollback()
	if err != nil || height != before.LastBlock-1 {
		t.Fatal(height, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = stopped(t, victim.Home)
	after := inspected(t, s)
	if after.LastBlock != before.LastBlock || after.Ledger != height || after.Consensus != height || after.OldestLedger != height || after.AppHash != after.Expected {
		t.Errorf("%+v", after)
	}
	if faults, err := s.Verify(t.Context(), nil); faults != nil || err != nil {
		t.Error(faults, err)
	}
	if _, err := s.Rollback(); !errors.Is(err, node.ErrNothingToRollBack) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := files(t, filepath.Join(victim.Home, "sign-state")); got != signed {
		t.Error("the sign state has changed")
	}
	n.Start()
	n.WaitHeight(before.LastBlock + 3)
	n.RequireAgreement(before.LastBlock + 3)

	// Killed between the two renames: whoever opens it next goes on where it was left.
	s = stopped(t, twice)
	if _, err := s.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(twice, "data")
	if err := os.Rename(filepath.Join(data, "ledger"), filepath.Join(data, "ledger-rolled-back")); err != nil {
		t.Fatal(err)
	}
	if got := inspected(t, stopped(t, twice)); got.Ledger != height || got.AppHash != after.AppHash {
		t.Errorf("%+v", got)
	}
}

// files returns names and contents of the files in a folder.
func files(t *testing.T, dir string) (all string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all += e.Name() + "\x00" + string(b) + "\x00"
	}
	return all
}
