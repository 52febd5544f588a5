package export_test

import (
	"bytes"
	"maps"
	"path/filepath"
	"testing"

	"votenode/client"
	"votenode/client/export"
	"votenode/internal/testnet"
	"votenode/verify/audit"
)

// Running nodes of two organisations give the same record, with blocks that were decided in later rounds because a validator was down, and
// the audit of what they serve passes.
func TestRunningNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	n := testnet.New(t, testnet.Options{})
	n.Start()
	n.WaitHeight(3)
	n.Stop(3)
	down := n.Nodes[0].Running().App().Tip().Height
	n.Nodes[0].WaitHeight(down + 6) // each validator has had its turn
	n.Start(3)
	n.WaitHeight(down + 10)
	late := false
	for height := down; height < down+7; height++ {
		late = late || n.Nodes[0].Running().Blocks().LoadBlock(height).LastCommit.Round > 0
	}
	if !late {
		t.Error("no block was decided in a later round")
	}

	height := down + 8
	parent := t.TempDir()
	var folders []map[string][]byte
	for _, each := range n.Nodes {
		ledger, err := client.Open(t.Context(), n.Hash, []string{each.Gateway()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(parent, each.Name)
		if _, err := export.Run(t.Context(), ledger, folder, export.Options{Height: height}); err != nil {
			t.Fatal(each.Name, err)
		}
		folders = append(folders, content(t, folder))
		if !maps.EqualFunc(folders[0], folders[len(folders)-1], bytes.Equal) {
			t.Errorf("%s and %s give two records", n.Nodes[0].Name, each.Name)
		}
	}
	ledger, err := client.Open(t.Context(), n.Hash, []string{n.Nodes[0].Gateway(), n.Nodes[2].Gateway()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := export.Open(t.Context(), ledger, export.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	report, err := audit.RunSource(t.Context(), s, audit.Options{GenesisHash: &n.Hash})
	if err != nil || !report.Passed || report.Height < down {
		t.Errorf("%v, %v", report.Failure(), err)
	}
}
