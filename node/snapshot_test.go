package node_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/internal/testnet"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// snapshotNetwork returns a network whose nodes make snapshots at short intervals: of ten seconds at least, for CometBFT collects for five what
// peers offer, and two snapshots are kept.
func snapshotNetwork(t *testing.T, observers int) *testnet.Network {
	return testnet.New(t, testnet.Options{Observers: observers, Commit: 250 * time.Millisecond, Config: func(_ int, c *node.Config) {
		c.Store.SnapshotInterval = 40
	}})
}

// configure changes the configuration of a node that does not run.
func configure(t *testing.T, e *testnet.Node, change func(c *node.Config)) {
	t.Helper()
	configureHome(t, e.Home, change)
}

func configureHome(t *testing.T, home string, change func(c *node.Config)) {
	t.Helper()
	file := node.Home(home).ConfigFile()
	c, err := node.ReadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	change(&c)
	if err := os.WriteFile(file, c.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// syncFrom has a node begin with a snapshot.
func syncFrom(t *testing.T, e *testnet.Node, gateways ...*testnet.Node) {
	configure(t, e, func(c *node.Config) {
		for _, g := range gateways {
			c.Sync.Gateways = append(c.Sync.Gateways, g.Gateway())
		}
	})
}

// proven returns the folder of a node's newest proven snapshot, empty where there is none, and its height.
func proven(t *testing.T, e *testnet.Node) (folder string, height int64) {
	t.Helper()
	proofs, err := filepath.Glob(filepath.Join(e.Home, "data", "snapshots", "*", "proof"))
	if err != nil {
		t.Fatal(err)
	}
	if len(proofs) == 0 {
		return "", 0
	}
	folder = filepath.Dir(slices.Max(proofs))
	if _, err := fmt.Sscan(strings.TrimLeft(filepath.Base(folder), "0"), &height); err != nil {
		t.Fatal(err)
	}
	return folder, height
}

// folderFiles returns the content of a folder by name.
func folderFiles(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	names, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	content := map[string][]byte{}
	for _, name := range names {
		if content[name.Name()], err = os.ReadFile(filepath.Join(folder, name.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return content
}

// TestStateSync: all nodes make the same snapshot, to the byte; a node without data begins with it, agrees from there on, serves what it has, and
// says what it lacks; it starts again at any time, and a node whose key has signed does not begin so.
func TestStateSync(t *testing.T) {
	n := snapshotNetwork(t, 1)
	n.Start(0, 1, 2, 3)
	before := deliver(t, n.Nodes[0], document(n, 1))
	var height int64
	until(t, n.Nodes[0], "a proven snapshot", func() bool {
		_, height = proven(t, n.Nodes[0])
		return height > before
	})
	n.WaitHeight(height + 4)
	name := fmt.Sprintf("%012d", height)
	var first map[string][]byte
	for i, each := range n.Nodes[:4] {
		folder := filepath.Join(each.Home, "data", "snapshots", name)
		until(t, each, "the proof of the same snapshot", func() bool {
			_, err := os.Lstat(filepath.Join(folder, "proof"))
			return err == nil
		})
		content := folderFiles(t, folder)
		if i == 0 {
			first = content
			continue
		}
		if len(content) != len(first) {
			t.Fatalf("%s has %d files, not %d", each.Name, len(content), len(first))
		}
		for file := range first {
			if !bytes.Equal(content[file], first[file]) {
				t.Errorf("%s: %s differs", each.Name, file)
			}
		}
	}

	late := n.Nodes[4]
	syncFrom(t, late, n.Nodes[0], n.Nodes[2])
	n.Start(4)
	running := late.Running()
	base := running.App().Tip().Height
	if base < height {
		t.Fatalf("the node begins at height %d", base)
	}
	tip := n.Nodes[0].Running().App().Tip().Height
	n.RequireAgreement(max(tip, base) + 3)
	if running.Blocks().LoadBlock(base) != nil {
		t.Error("it has a block from before the snapshot: it did not begin with it")
	}
	for _, path := range []string{"/v1/blocks/1", "/v1/headers/1"} {
		if status, text := fetched(t, late, path); status != http.StatusGone || !strings.Contains(text, "began with a snapshot") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	until(t, late, "health", func() bool { return len(running.Health()) == 0 })
	want, err := n.Nodes[0].Running().App().Ledger().Newest().Record("chain")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := running.App().Ledger().Newest().Record("chain"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("its records differ: %v", err)
	}
	last := deliver(t, late, document(n, 2))
	n.RequireAgreement(last + 1)
	badBackups(t, n)
	// Again, and once more: it goes on from what it has.
	n.Stop(4)
	n.Start(4)
	n.RequireAgreement(deliver(t, late, document(n, 3)) + 1)
	// What it has stored is whole, and its newest block can be executed again.
	n.Stop(4)
	s := stopped(t, late.Home)
	i := inspected(t, s)
	if i.FirstBlock != base+1 {
		t.Errorf("%+v", i)
	}
	if faults, err := s.Verify(t.Context(), nil); faults != nil || err != nil {
		t.Error(faults, err)
	}
	if back, err := s.Rollback(); err != nil || back != i.LastBlock-1 {
		t.Error(back, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	lost := copyHome(t, late.Home)
	if err := os.RemoveAll(filepath.Join(lost, "data", "ledger")); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Open(t.Context(), lost, quiet); err == nil {
		t.Error("a node starts that cannot execute its blocks again")
	}
	if i := inspected(t, stopped(t, lost)); !strings.Contains(i.Next, fmt.Sprintf("lacks the blocks 1 to %d", base)) {
		t.Errorf("%+v", i)
	}
	n.Start(4)
	n.RequireAgreement(i.LastBlock + 3)
	if r, ok := late.Running().App().Results().Find(sha256.Sum256(document(n, 3))); !ok || r.Code != tx.CodeOK {
		t.Error("the result is not known")
	}
}

// badBackups restores what is no good backup, each into a home that stays as it was; then the good one, into the same.
func badBackups(t *testing.T, n *testnet.Network) {
	t.Helper()
	good := filepath.Join(t.TempDir(), "backup")
	if _, err := node.Backup(n.Nodes[0].Home, good); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Backup(n.Nodes[0].Home, good); err == nil {
		t.Error("a backup into a folder that is there")
	}
	home := filepath.Join(t.TempDir(), "home")
	if _, err := node.Backup(home, good+"-none"); err == nil {
		t.Error("a backup of no home")
	}
	config := node.DefaultConfig()
	if err := node.Init(home, config); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Backup(home, good+"-none"); !errors.Is(err, node.ErrNoBackup) {
		t.Error(err)
	}
	restore := func(from string) error {
		_, err := node.Restore(home, from, n.Hash, quiet)
		return err
	}
	content := folderFiles(t, good)
	for name, c := range map[string]struct {
		file   string
		change func(b []byte) []byte
		want   error
	}{
		"no manifest":        {"manifest", func([]byte) []byte { return nil }, node.ErrBackup},
		"a cut manifest":     {"manifest", func(b []byte) []byte { return b[:len(b)-1] }, state.ErrSnapshot},
		"another manifest":   {"manifest", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, state.ErrSnapshot},
		"no chunk":           {"000001", func([]byte) []byte { return nil }, node.ErrBackup},
		"a changed chunk":    {"000000", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, state.ErrChunk},
		"a cut chunk":        {"000001", func(b []byte) []byte { return b[:len(b)-1] }, state.ErrChunk},
		"a chunk twice":      {"000001", func([]byte) []byte { return content["000000"] }, state.ErrChunk},
		"a huge chunk":       {"000000", func([]byte) []byte { return make([]byte, state.MaxChunk+1) }, node.ErrBackup},
		"no proof":           {"proof", func([]byte) []byte { return nil }, node.ErrBackup},
		"a cut proof":        {"proof", func(b []byte) []byte { return b[:len(b)-1] }, node.ErrSnapshotProof},
		"a forged signature": {"proof", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, node.ErrSnapshotProof},
		"another document":   {"genesis", func(b []byte) []byte { return b[:len(b)-1] }, node.ErrBackup},
	} {
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.Mkdir(bad, 0o700); err != nil {
			t.Fatal(err)
		}
		for file, b := range content {
			if file == c.file {
				if b = c.change(bytes.Clone(b)); b == nil {
					continue
				}
			}
			if err := os.WriteFile(filepath.Join(bad, file), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := restore(bad); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		for _, path := range []string{"data/ledger", "data.new"} {
			if _, err := os.Lstat(filepath.Join(home, path)); err == nil {
				t.Errorf("%s: the home has %s", name, path)
			}
		}
	}
	// A home whose key has signed, and an archive, do not begin so.
	signed, err := os.ReadFile(filepath.Join(n.Nodes[0].Home, "sign-state", "decided.json"))
	if err != nil {
		t.Fatal(err)
	}
	decided := filepath.Join(home, "sign-state", "decided.json")
	fresh, err := os.ReadFile(decided)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(decided, signed)
	if err := restore(good); !errors.Is(err, node.ErrHasSigned) {
		t.Error(err)
	}
	write(decided, fresh)
	config.Store.Archive = true
	write(filepath.Join(home, "node.json"), config.Bytes())
	if err := restore(good); !errors.Is(err, node.ErrBackup) {
		t.Error(err)
	}
	config.Store.Archive = false
	write(filepath.Join(home, "node.json"), config.Bytes())
	// What a kill has left is dropped.
	if err := os.MkdirAll(filepath.Join(home, "data.new", "ledger"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(home, "data.new", "ledger", "MANIFEST"), []byte("half"))
	// What is left of earlier data is not, and is told before anything is taken in.
	left := filepath.Join(home, "data", "comet", "slips.db", "000001.log")
	if err := os.Mkdir(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	write(left, []byte("promises"))
	if err := restore(good); !errors.Is(err, node.ErrLeftOver) {
		t.Error(err)
	}
	if err := os.RemoveAll(filepath.Dir(left)); err != nil {
		t.Fatal(err)
	}
	if err := restore(good); err != nil {
		t.Error(err)
	}
	if err := restore(good); !errors.Is(err, node.ErrHasData) {
		t.Error(err)
	}
	withoutBlocks(t, home)
}

// withoutBlocks looks into a home that has a snapshot and no block after it: that is nothing wrong, unless there were blocks.
func withoutBlocks(t *testing.T, home string) {
	t.Helper()
	s := stopped(t, home)
	i := inspected(t, s)
	if want := fmt.Sprintf("it goes on from the snapshot of height %d, with block %d", i.Ledger, i.Ledger+1); i.LastBlock != 0 || i.Ledger == 0 || i.Next != want {
		t.Errorf("%+v", i)
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
	lost := copyHome(t, home)
	if err := os.RemoveAll(filepath.Join(lost, "data", "comet", "blockstore.db")); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Open(t.Context(), lost, quiet); !errors.Is(err, node.ErrDamaged) {
		t.Errorf("a node starts that has lost its blocks: %v", err)
	}
	s = stopped(t, lost)
	if i := inspected(t, s); !strings.Contains(i.Next, "it stops at once") {
		t.Errorf("%+v", i)
	}
	if faults, err := s.Verify(t.Context(), nil); err != nil || !errors.Is(errors.Join(faults...), node.ErrDamaged) {
		t.Error(faults, err)
	}
}

// quiet are the options of a node that says nothing.
var quiet = node.Options{Logger: slog.New(slog.DiscardHandler)}

// fetched asks a node's gateway.
func fetched(t *testing.T, e *testnet.Node, path string) (status int, text string) {
	t.Helper()
	res, err := http.Get("http://" + e.Gateway() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// TestSnapshotAcrossEpochs: peers with bad chunks do not keep a node from beginning; it knows the turns of proposers and the proofs of all validator
// sets, though one changed before the snapshot; a backup of a running node restores to the same; and a key that may have signed before the snapshot
// signs nothing.
func TestSnapshotAcrossEpochs(t *testing.T) {
	n := testnet.New(t, testnet.Options{Observers: 3, Commit: 250 * time.Millisecond, Config: func(_ int, c *node.Config) {
		c.Store.SnapshotInterval = 40
	}, Parameters: func(p *pb.Parameters) { p.Handover = 8 }})
	n.Start(0, 1, 2, 3, 4)
	n.WaitHeight(2)
	leaving, joining := n.Nodes[1], n.Nodes[4]
	replace(t, n, leaving, joining)
	running := n.Nodes[0].Running()
	var proofs []*pb.EpochProof
	until(t, n.Nodes[0], "the next epoch and a snapshot of it", func() bool {
		var err error
		if proofs, err = running.Epochs(); err != nil || len(proofs) == 0 {
			return false
		}
		_, height := proven(t, n.Nodes[0])
		epochs, err := certified.FromGenesis(n.Document)
		if err == nil {
			epochs, err = epochs.Follow(proofs)
		}
		return err == nil && height > epochs.Newest().FirstHeight()
	})
	leaving.Forget()

	folder, height := proven(t, n.Nodes[0])
	backup := filepath.Join(t.TempDir(), "backup")
	if got, err := node.Backup(n.Nodes[0].Home, backup); err != nil || got < height {
		t.Fatal(got, err)
	}
	if _, err := os.Lstat(filepath.Join(backup, "sign-state")); err == nil {
		t.Error("the backup holds a sign state")
	}
	// One of the peers sends its snapshots with a byte changed in every chunk.
	until(t, n.Nodes[2], "the proof of the same snapshot", func() bool {
		_, err := os.Lstat(filepath.Join(n.Nodes[2].Home, "data", "snapshots", filepath.Base(folder), "proof"))
		return err == nil
	})
	damageChunks(t, n.Nodes[2])

	late := n.Nodes[5]
	syncFrom(t, late, n.Nodes[0])
	n.Start(5)
	base := late.Running().App().Tip().Height
	n.RequireAgreement(n.Nodes[0].Running().App().Tip().Height + 2)
	if got, err := late.Running().Epochs(); err != nil || len(got) != len(proofs) {
		t.Errorf("%d proofs of epochs, %v", len(got), err)
	}
	sameTurns(t, n.Nodes[0], late, base)

	// The third observer is made a home with the key of a validator, as one does who has lost a disk and kept a copy of the key.
	restored := n.Nodes[6]
	copyKey(t, n.Nodes[3], restored)
	n.Stop(3)
	if _, err := node.Restore(restored.Home, backup, [32]byte{1}, quiet); !errors.Is(err, node.ErrBackup) {
		t.Fatal(err)
	}
	from, err := node.Restore(restored.Home, backup, n.Hash, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Restore(restored.Home, backup, n.Hash, quiet); !errors.Is(err, node.ErrHasData) {
		t.Fatal(err)
	}
	n.Start(6)
	n.RequireAgreement(n.Nodes[0].Running().App().Tip().Height + 2)
	sameTurns(t, n.Nodes[0], restored, from)
	until(t, restored, "what it says of its key", func() bool {
		return strings.Contains(strings.Join(restored.Running().Health(), "; "), "may have signed before the snapshot")
	})
}

// sameTurns requires that two nodes have the same validators with the same turns after a height.
func sameTurns(t *testing.T, a, b *testnet.Node, height int64) {
	t.Helper()
	for h := height; h <= height+3; h++ {
		want, err := a.Running().CometValidators(h)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Running().CometValidators(h); err != nil || got.String() != want.String() {
			t.Errorf("height %d: %v, not %v; %v", h, got, want, err)
		}
	}
}

// damageChunks changes a byte in every chunk that a node has.
func damageChunks(t *testing.T, e *testnet.Node) {
	t.Helper()
	chunks, err := filepath.Glob(filepath.Join(e.Home, "data", "snapshots", "*", "[0-9]*"))
	if err != nil || len(chunks) == 0 {
		t.Fatal(chunks, err)
	}
	for _, chunk := range chunks {
		b, err := os.ReadFile(chunk)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(chunk, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// copyKey puts the consensus key of a node into the fresh home of another one.
func copyKey(t *testing.T, from, to *testnet.Node) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(from.Home, "keys", "consensus.json"))
	if err == nil {
		err = os.WriteFile(filepath.Join(to.Home, "keys", "consensus.json"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
