package node_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	dbm "github.com/cometbft/cometbft-db"
	sm "github.com/cometbft/cometbft/state"
	cmtstore "github.com/cometbft/cometbft/store"

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
	snapshots := filepath.Join(victim.Home, "data", "snapshots")
	above, below := fmt.Sprintf("%012d", before.LastBlock), fmt.Sprintf("%012d", before.LastBlock-1)
	for _, name := range []string{above, below} {
		if err := os.Mkdir(filepath.Join(snapshots, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}

	s := stopped(t, victim.Home)
	height, err := s.Rollback()
	if err != nil || height != before.LastBlock-1 {
		t.Fatal(height, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(snapshots, above)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the snapshot of the height that was taken back is still there", err)
	}
	if _, err := os.Stat(filepath.Join(snapshots, below)); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(snapshots, below)); err != nil { // there is nothing in it
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

	// Killed between the two renames: whoever opens it next goes on where it was left; but not with a copy that was in the making before them.
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
	if got := inspected(t, stopped(t, copyHome(t, twice))); got.AppHash != "" {
		t.Errorf("%+v", got)
	}
	if err := os.Mkdir(filepath.Join(data, "ledger-abandoned"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := inspected(t, stopped(t, twice)); got.Ledger != height || got.AppHash != after.AppHash {
		t.Errorf("%+v", got)
	}
}

// TestCannotRollBack: where the state before the newest block cannot be put in its place nothing is touched, and the reason is told.
func TestCannotRollBack(t *testing.T) {
	n := stoppedNetwork(t)
	for name, change := range map[string]func(home string){
		"an archive": func(home string) { configureHome(t, home, func(c *node.Config) { c.Store.Archive = true }) },
		"one block":  func(home string) { forgetBlocks(t, home) },
	} {
		home := copyHome(t, n.Nodes[0].Home)
		change(home)
		s := stopped(t, home)
		before := inspected(t, s)
		if _, err := s.Rollback(); !errors.Is(err, node.ErrCannotRollBack) {
			t.Errorf("%s: %v", name, err)
		}
		if after := inspected(t, s); after.Ledger != before.Ledger || after.Consensus != before.Consensus {
			t.Errorf("%s: %+v", name, after)
		}
		if _, err := os.Stat(filepath.Join(home, "data", "ledger-rolled-back")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something is left over: %v", name, err)
		}
	}
}

// forgetBlocks leaves a home that is not in use its newest block only, as one has that began with a snapshot of the height before.
func forgetBlocks(t *testing.T, home string) {
	t.Helper()
	dir := filepath.Join(home, "data", "comet")
	db := map[string]dbm.DB{}
	for _, name := range []string{"blockstore", "state"} {
		var err error
		if db[name], err = dbm.NewGoLevelDB(name, dir); err != nil {
			t.Fatal(err)
		}
		defer db[name].Close()
	}
	comet, err := sm.NewStore(db["state"], sm.StoreOptions{}).Load()
	if err != nil {
		t.Fatal(err)
	}
	blocks := cmtstore.NewBlockStore(db["blockstore"])
	if _, _, err := blocks.PruneBlocks(blocks.Height(), comet); err != nil {
		t.Fatal(err)
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
