package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"votenode/app/state"
	"votenode/internal/testnet"
	"votenode/node"
)

// stopped opens the home of a node that does not run.
func stopped(t *testing.T, home string) *node.Stopped {
	t.Helper()
	s, err := node.OpenStopped(home)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// copyHome copies a home that is not in use.
func copyHome(t *testing.T, home string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	if err := testnet.CopyHome(dir, home); err != nil {
		t.Fatal(err)
	}
	return dir
}

// stoppedNetwork is one that has made some blocks with transactions in them, and was stopped.
func stoppedNetwork(t *testing.T) *testnet.Network {
	t.Helper()
	n := testnet.New(t, testnet.Options{})
	n.Start()
	n.WaitHeight(3)
	height := deliver(t, n.Nodes[0], document(n, 1))
	n.WaitHeight(height + 3)
	n.Stop()
	return n
}

// TestInspect: what lies in a home is told, and is verified, and a running node keeps its stores.
func TestInspect(t *testing.T) {
	n := stoppedNetwork(t)
	home := n.Nodes[0].Home
	s := stopped(t, home)
	if err := n.Nodes[0].Start(); err == nil {
		t.Fatal("a node runs on stores that are open")
	}
	i, err := s.Inspect()
	if err != nil {
		t.Fatal(err)
	}
	if i.Chain != testnet.Chain || i.GenesisHash != fmt.Sprintf("%x", n.Hash) || i.FirstBlock != 1 || i.LastBlock < 6 || i.Ledger < i.LastBlock-1 ||
		i.Consensus < i.LastBlock-1 || i.OldestLedger != 0 || i.Signed < i.LastBlock || i.Decided < i.Signed-1 || i.Retired != "" || len(i.AppHash) != 64 ||
		i.Ledger == i.Consensus && i.AppHash != i.Expected || i.Bytes["ledger"] == 0 || i.Bytes["comet"] == 0 || i.Next == "" {
		t.Errorf("%+v", i)
	}
	read := int64(0)
	faults, err := s.Verify(t.Context(), func(done, all int64) {
		if read++; done != read || done > all {
			t.Errorf("%d of %d, after %d", done, all, read)
		}
	})
	if err != nil || faults != nil || read < 2*i.LastBlock-1 {
		t.Errorf("%v, %v; %d things read", faults, err, read)
	}
}

// TestFlippedBytes: one byte is flipped in each file of the home of a node that was killed, in turn. It is found, and the store is named; or it means
// nothing, and the home holds what it held.
func TestFlippedBytes(t *testing.T) {
	n := testnet.New(t, testnet.Options{})
	n.Start(1, 2, 3)
	killed := n.Nodes[0]
	if err := killed.StartProcess(); err != nil {
		t.Fatal(err)
	}
	n.Nodes[1].WaitHeight(3)
	height := deliver(t, n.Nodes[1], document(n, 1))
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	if err := killed.WaitGatewayHeight(ctx, height+3); err != nil {
		t.Fatal(err)
	}
	if err := killed.Kill(); err != nil {
		t.Fatal(err)
	}
	n.Stop(1, 2, 3)
	found := map[string]int{}
	if err := stopped(t, n.Nodes[1].Home).Close(); err != nil { // which has then all in tables, and the one that was killed has it in logs
		t.Fatal(err)
	}
	for _, each := range n.Nodes[:2] {
		original := stopped(t, copyHome(t, each.Home)) // opening it puts its files in order
		want := inspected(t, original)
		data := filepath.Join(each.Home, "data")
		err := filepath.WalkDir(data, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			content, err := os.ReadFile(name)
			used := len(bytes.TrimRight(content, "\x00")) // Badger maps its logs at twice their size
			if err != nil || used == 0 {
				return err
			}
			relative, err := filepath.Rel(data, name)
			if err != nil {
				return err
			}
			damaged := copyHome(t, each.Home)
			content[used/2] ^= 0x10
			if err := os.WriteFile(filepath.Join(damaged, "data", relative), content, 0o600); err != nil {
				return err
			}
			if fault := damage(t, damaged, original, want); fault != "" {
				found[filepath.Dir(relative)+" "+filepath.Ext(relative)]++
				t.Logf("%s, byte %d: %s", relative, used/2, fault)
			}
			return os.RemoveAll(damaged)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"ledger .sst", "comet/blockstore.db .ldb", "comet/blockstore.db .log", "comet/state.db .ldb", "comet/state.db .log"} {
		if found[kind] == 0 {
			t.Errorf("no damage was found in a file of the kind %s: %v", kind, found)
		}
	}
}

// damage says what is wrong with a home. Where nothing is found, "", it must hold what the original holds, but that the ledger may be at an
// earlier height: then blocks are executed again.
func damage(t *testing.T, home string, original *node.Stopped, want *node.Inspection) string {
	t.Helper()
	s, err := node.OpenStopped(home)
	if err != nil {
		return err.Error()
	}
	defer s.Close()
	faults, err := s.Verify(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if faults != nil {
		return errors.Join(faults...).Error()
	}
	got := inspected(t, s)
	if got.FirstBlock != want.FirstBlock || got.LastBlock != want.LastBlock || got.Consensus != want.Consensus || got.Ledger > want.Ledger {
		t.Errorf("%s: nobody says that something is wrong with %+v", home, got)
	}
	if got.AppHash == "" { // before genesis
		return ""
	}
	if d, height, err := node.Compare(original, s); d != nil || height != got.Ledger || err != nil {
		t.Errorf("%s: %+v at height %d, %v", home, d, height, err)
	}
	return ""
}

func inspected(t *testing.T, s *node.Stopped) *node.Inspection {
	t.Helper()
	i, err := s.Inspect()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// TestCompareStates: nodes of one ledger agree; where one was made to differ, height, record and leaf are named, from the homes and from lists.
func TestCompareStates(t *testing.T) {
	n := stoppedNetwork(t)
	a := stopped(t, n.Nodes[0].Home)
	if d, height, err := node.Compare(a, stopped(t, n.Nodes[1].Home)); err != nil || d != nil || height < 6 {
		t.Fatalf("%+v, %d, %v", d, height, err)
	}
	list, err := a.Records(5)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := list.Write(&file); err != nil {
		t.Fatal(err)
	}
	read, err := node.ReadRecords(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := node.FirstDifference(list, read); d != nil || err != nil {
		t.Errorf("%+v, %v", d, err)
	}
	lines := strings.SplitAfter(file.String(), "\n")
	for name, bad := range map[string]string{
		"nothing":      "",
		"cut":          strings.Join(lines[:len(lines)-2], ""),
		"swapped":      lines[0] + lines[2] + lines[1] + strings.Join(lines[3:], ""),
		"doubled":      lines[0] + lines[1] + strings.Join(lines[1:], ""),
		"another hash": strings.Replace(file.String(), `"value_sha256":"`, `"value_sha256":"00`, 1),
		"a field more": strings.Replace(file.String(), `{"key"`, `{"x":1,"key"`, 1),
	} {
		if _, err := node.ReadRecords(strings.NewReader(bad)); !errors.Is(err, node.ErrRecords) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.Records(1 << 40); !errors.Is(err, state.ErrPruned) {
		t.Error(err)
	}
	six, err := a.Records(6)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.FirstDifference(list, six); !errors.Is(err, node.ErrHeights) {
		t.Error(err)
	}
}
