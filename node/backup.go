package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"votenode/abci"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/genesis"
	"votenode/node/signing"
	pb "votenode/proto/votenode/v1"
)

var (
	// ErrNoBackup says that a home has no snapshot yet that could be backed up.
	ErrNoBackup = errors.New("there is no certified snapshot yet")
	// ErrBackup says that a backup is not whole, or not of the ledger that it should be of.
	ErrBackup = errors.New("the backup cannot be used")
)

// maxProof bounds the proof of a snapshot in bytes: the genesis document, and an epoch a day for years.
const maxProof = 64 << 20

// Backup copies the newest snapshot of a home, whose node may run, with genesis document and approvals into a folder that is not there yet. It
// holds no key and no sign state. It returns the snapshot's height, and fails with ErrNoBackup before there is one.
func Backup(home, folder string) (int64, error) {
	h := Home(home)
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s is there already (%v); give a folder that is not", folder, err)
	}
	if _, err := os.Lstat(h.ConfigFile()); err != nil {
		return 0, fmt.Errorf("%s is no node's home: %w", home, err)
	}
	making, err := os.MkdirTemp(filepath.Dir(filepath.Clean(folder)), "."+filepath.Base(folder)+".")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(making) // fails after the rename
	height, err := copyNewest(h, making)
	if err != nil {
		return 0, err
	}
	for from, to := range map[string]string{h.GenesisFile(): "genesis", h.ApprovalsFile(): "approvals"} {
		if err := copyFile(from, filepath.Join(making, to)); err != nil {
			return 0, err
		}
	}
	if err := abci.SyncDir(making); err != nil {
		return 0, err
	}
	if err := os.Rename(making, folder); err != nil {
		return 0, err
	}
	return height, abci.SyncDir(filepath.Dir(filepath.Clean(folder)))
}

// copyNewest copies a snapshot. The node may remove it meanwhile, when newer ones are there.
func copyNewest(h Home, to string) (int64, error) {
	tried := int64(0)
	for {
		newest := int64(0)
		proofs, err := filepath.Glob(filepath.Join(h.snapshots(), "*", abci.ProofFile))
		if err != nil {
			return 0, err
		}
		for _, proof := range proofs {
			var height int64
			if _, err := fmt.Sscanf(filepath.Base(filepath.Dir(proof)), "%d", &height); err == nil {
				newest = max(newest, height)
			}
		}
		if newest == 0 {
			return 0, fmt.Errorf("%w in %s: a node makes one every store.snapshot_interval heights, and shows it once its state is certified", ErrNoBackup, h.snapshots())
		}
		from := filepath.Dir(filepath.Join(h.snapshots(), fmt.Sprintf("%012d", newest), abci.ProofFile))
		err = copyFolder(from, to)
		if !errors.Is(err, fs.ErrNotExist) || newest == tried {
			return newest, err
		}
		tried = newest
		if err := clearFolder(to); err != nil {
			return 0, err
		}
	}
}

func copyFolder(from, to string) error {
	names, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := copyFile(filepath.Join(from, name.Name()), filepath.Join(to, name.Name())); err != nil {
			return err
		}
	}
	return nil
}

func clearFolder(dir string) error {
	return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700))
}

// copyFile copies a file to a new one, synced.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// Restore makes the data of a home that has none out of a backup of the ledger with a genesis hash, everything verified, and gives the home the
// genesis document where it has none. It returns the height with which the node will begin. Keys and sign state are the home's own: it fails
// with ErrHasData, ErrLeftOver or ErrHasSigned, with ErrBackup where a file is missing or of another ledger, with ErrSnapshotProof, with state.ErrSnapshot or
// state.ErrChunk where the content is not that of the certified state, with an *UpgradeError where another program is needed, and with
// signing.ErrMoved or signing.ErrMoving. Then the home is as before, but for the document.
func Restore(home, folder string, genesisHash [32]byte, o Options) (height int64, err error) {
	n := newNode(home, o)
	if err := signing.CheckMoved(home); err != nil {
		return 0, err
	}
	if n.config, err = ReadConfig(n.home.ConfigFile()); err != nil {
		return 0, fmt.Errorf("%w; make the home with `node init` first", err)
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if err := n.openLog(); err != nil {
		return 0, err
	}
	if err := n.lockHome(); err != nil {
		return 0, err
	}
	if _, err := os.Stat(folder); err != nil {
		return 0, fmt.Errorf("the backup: %w", err)
	}
	if n.config.Store.Archive {
		return 0, fmt.Errorf("%w: store.archive keeps the state of every height, and a backup holds one: begin an archive with block 1", ErrBackup)
	}
	document, err := readBackup(folder, "genesis", 1<<20)
	if err != nil {
		return 0, err
	}
	if n.doc, err = genesis.Parse(document); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	if got := genesis.Hash(n.doc); got != genesisHash {
		return 0, fmt.Errorf("%w: it is of the ledger with the genesis hash %x, not %x", ErrBackup, got, genesisHash)
	}
	own, err := os.ReadFile(n.home.GenesisFile())
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return 0, err
	}
	if !fresh && !bytes.Equal(own, document) {
		return 0, fmt.Errorf("%w: the home has another genesis document", ErrBackup)
	}
	begin, err := n.readOrigin(folder)
	if err != nil {
		return 0, err
	}
	if fresh {
		approvals, err := readBackup(folder, "approvals", 1<<20)
		if err == nil {
			err = SetGenesis(home, document, approvals)
		}
		if err != nil {
			return 0, err
		}
	}
	return begin.state.Height, n.restore(folder, begin)
}

// readOrigin reads and verifies the proof of a backup.
func (n *Node) readOrigin(folder string) (*origin, error) {
	b, err := readBackup(folder, abci.ProofFile, maxProof)
	if err != nil {
		return nil, err
	}
	proof := new(pb.SnapshotProof)
	if err := election.Decode(b, proof); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshotProof, err)
	}
	return n.verifyOrigin(proof)
}

// restore takes in a backup's chunks beside the data and puts them in place.
func (n *Node) restore(folder string, o *origin) error {
	c, err := newNewcomer(n)
	if err != nil {
		return err
	}
	if err := n.takeAll(folder, o, c.restorer()); err != nil {
		return errors.Join(err, c.clear())
	}
	return c.adopt(o)
}

func (n *Node) takeAll(folder string, o *origin, r *abci.Restorer) error {
	manifest, err := readBackup(folder, abci.ManifestFile, state.MaxManifest)
	if err != nil {
		return err
	}
	if err := r.Begin(manifest, o.state.Height, o.state.AppHash); err != nil {
		return err
	}
	for i := 0; !r.Restored(); i++ {
		chunk, err := readBackup(folder, abci.ChunkName(i), state.MaxChunk)
		if err != nil {
			return err
		}
		if err := r.Take(chunk); err != nil {
			return fmt.Errorf("%s: %w", abci.ChunkName(i), err)
		}
	}
	return nil
}

// readBackup reads a file of a backup, of at most so many bytes.
func readBackup(folder, name string, most int) ([]byte, error) {
	f, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(b) > most {
		err = fmt.Errorf("%w: %s is longer than %d bytes", ErrBackup, name, most)
	}
	return b, err
}
