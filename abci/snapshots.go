package abci

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	abcitypes "github.com/cometbft/cometbft/abci/types"

	"votenode/app/election"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// SnapshotFormat is the number of the format of snapshots (docs/spec chapter 14).
const SnapshotFormat = 1

// keptSnapshots is how many proven snapshots stay: whoever has begun with one while the next is made can end with it.
const keptSnapshots = 2

// Snapshots are the snapshots of a node in a folder, each in a folder named by its height in 12 digits:
//
//	manifest    SnapshotManifest
//	000000 ...  the chunks
//	proof       SnapshotProof, from when the state is certified on; only then the snapshot is shown to others
//
// What is there does not change. A folder whose name begins with a dot is in the making, or was when the node was killed. Take and
// Prove are for one goroutine, everything else for any number beside it.
type Snapshots struct {
	dir string
}

// OpenSnapshots opens or creates the folder, and removes what was in the making.
func OpenSnapshots(dir string) (*Snapshots, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(name.Name(), ".") {
			if err := os.RemoveAll(filepath.Join(dir, name.Name())); err != nil {
				return nil, err
			}
		}
	}
	return &Snapshots{dir: dir}, nil
}

// Folder returns the folder of the snapshot of a height.
func (s *Snapshots) Folder(height int64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%012d", height))
}

// ChunkName returns the name of the file of a chunk.
func ChunkName(chunk int) string { return fmt.Sprintf("%06d", chunk) }

// The other files of a snapshot.
const (
	ManifestFile = "manifest"
	ProofFile    = "proof"
)

// Heights returns those of the snapshots, ascending; proven ones only where asked for.
func (s *Snapshots) Heights(proven bool) ([]int64, error) {
	names, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var heights []int64
	for _, name := range names {
		height, err := strconv.ParseInt(name.Name(), 10, 64)
		if err != nil {
			continue
		}
		if proven {
			if _, err := os.Lstat(filepath.Join(s.dir, name.Name(), ProofFile)); err != nil {
				continue
			}
		}
		heights = append(heights, height)
	}
	return heights, nil
}

// Take writes the snapshot of a state, with hard links to what it has in common with the one before. It fails with state.ErrPruned where
// the state is not kept any more.
func (s *Snapshots) Take(snapshot *state.Snapshot) error {
	heights, err := s.Heights(false)
	if err != nil {
		return err
	}
	before, from := (*pb.SnapshotManifest)(nil), ""
	if n := len(heights); n > 0 {
		if before, err = s.manifest(heights[n-1]); err != nil {
			return err
		}
		from = s.Folder(heights[n-1])
	}
	making := filepath.Join(s.dir, ".making")
	if err := errors.Join(os.RemoveAll(making), os.Mkdir(making, 0o700)); err != nil {
		return err
	}
	manifest, err := snapshot.Cut(before, func(chunk int, content []byte) error {
		return WriteFile(filepath.Join(making, ChunkName(chunk)), content)
	}, func(chunk, old int) error {
		return os.Link(filepath.Join(from, ChunkName(old)), filepath.Join(making, ChunkName(chunk)))
	})
	if err != nil {
		return errors.Join(err, os.RemoveAll(making))
	}
	encoded := election.Encode(manifest)
	if len(encoded) > state.MaxManifest {
		return errors.Join(fmt.Errorf("the manifest has %d bytes, at most %d can be sent", len(encoded), state.MaxManifest), os.RemoveAll(making))
	}
	if err := WriteFile(filepath.Join(making, ManifestFile), encoded); err != nil {
		return err
	}
	if err := os.Rename(making, s.Folder(snapshot.Height())); err != nil {
		return err
	}
	return SyncDir(s.dir)
}

func (s *Snapshots) manifest(height int64) (*pb.SnapshotManifest, error) {
	b, err := os.ReadFile(filepath.Join(s.Folder(height), ManifestFile))
	if err != nil {
		return nil, err
	}
	m := new(pb.SnapshotManifest)
	if err := election.Decode(b, m); err != nil {
		return nil, fmt.Errorf("the manifest of the snapshot of height %d: %w; remove its folder", height, err)
	}
	return m, nil
}

// Prove shows a snapshot to others from now on, and removes all but the newest proven ones.
func (s *Snapshots) Prove(height int64, proof *pb.SnapshotProof) error {
	if err := WriteFile(filepath.Join(s.Folder(height), ProofFile), election.Encode(proof)); err != nil {
		return err
	}
	proven, err := s.Heights(true)
	if err != nil || len(proven) <= keptSnapshots {
		return err
	}
	all, err := s.Heights(false)
	if err != nil {
		return err
	}
	for _, h := range all {
		if h < proven[len(proven)-keptSnapshots] {
			err = errors.Join(err, s.Drop(h))
		}
	}
	return err
}

// Drop removes a snapshot.
func (s *Snapshots) Drop(height int64) error {
	gone := filepath.Join(s.dir, ".gone")
	if err := os.Rename(s.Folder(height), gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// list returns the proven snapshots as CometBFT shows them.
func (s *Snapshots) list() (list []*abcitypes.Snapshot, err error) {
	heights, err := s.Heights(true)
	if err != nil {
		return nil, err
	}
	for _, height := range slices.Backward(heights) {
		manifest, err := os.ReadFile(filepath.Join(s.Folder(height), ManifestFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		shown, err := Offer(manifest)
		if err != nil {
			return nil, fmt.Errorf("the snapshot of height %d: %w; remove its folder", height, err)
		}
		list = append(list, shown)
	}
	return list, nil
}

// Offer returns a snapshot as CometBFT shows it, from its manifest.
func Offer(manifest []byte) (*abcitypes.Snapshot, error) {
	var m pb.SnapshotManifest
	if err := election.Decode(manifest, &m); err != nil {
		return nil, err
	}
	chunks := 0
	for _, tree := range m.Trees {
		chunks += len(tree.Parts)
	}
	hash := sha256.Sum256(manifest)
	return &abcitypes.Snapshot{Height: uint64(m.Height), Format: SnapshotFormat, Chunks: uint32(chunks), Hash: hash[:], Metadata: manifest}, nil
}

// ListSnapshots implements CometBFT's Application.
func (a *Application) ListSnapshots(context.Context, *abcitypes.RequestListSnapshots) (*abcitypes.ResponseListSnapshots, error) {
	list, err := a.options.Snapshots.list()
	return &abcitypes.ResponseListSnapshots{Snapshots: list}, err
}

// LoadSnapshotChunk implements CometBFT's Application. A chunk that is not there, or not any more, is an answer without bytes.
func (a *Application) LoadSnapshotChunk(_ context.Context, req *abcitypes.RequestLoadSnapshotChunk) (*abcitypes.ResponseLoadSnapshotChunk, error) {
	res := new(abcitypes.ResponseLoadSnapshotChunk)
	if req.Format != SnapshotFormat || req.Height > 1<<62 {
		return res, nil
	}
	content, err := os.ReadFile(filepath.Join(a.options.Snapshots.Folder(int64(req.Height)), ChunkName(int(req.Chunk))))
	if err == nil && len(content) > 0 {
		res.Chunk = content
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return res, err
}
