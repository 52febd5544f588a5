package signing

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/crypto"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/abci"
)

var (
	// ErrSignStateMissing says that nothing tells what the consensus key has signed.
	ErrSignStateMissing = errors.New("the sign state is missing")
	// ErrSignStateForeign says that the sign state is that of another key.
	ErrSignStateForeign = errors.New("the sign state belongs to another key")
	// ErrNotOnDisk says that what is signed may not be on the disk: nothing is signed any more before a restart.
	ErrNotOnDisk = errors.New("the sign state may not be on the disk, nothing is signed any more")
)

// Key is a consensus key. Its methods but Public are for one goroutine at a time.
type Key interface {
	cmttypes.PrivValidator
	// Public returns the public key.
	Public() crypto.PubKey
	// Last returns the newest position for which a signature may have left.
	Last() Position
}

// Position is a place at which a key signs once.
type Position struct {
	Height int64
	Round  int32
	Step   int8
}

// The steps of a round, in their order, by CometBFT's numbers.
const (
	StepPropose int8 = iota + 1
	StepPrevote
	StepPrecommit
)

// Before says whether p comes before q.
func (p Position) Before(q Position) bool {
	if p.Height != q.Height {
		return p.Height < q.Height
	}
	if p.Round != q.Round {
		return p.Round < q.Round
	}
	return p.Step < q.Step
}

// String returns height/round/step.
func (p Position) String() string { return fmt.Sprintf("%d/%d/%d", p.Height, p.Round, p.Step) }

// FileKey is CometBFT's FilePV, in its file formats, with what that lacks: the name of the new state file is on the disk before a
// signature leaves, so that no power cut brings the old state back, and a state that is missing or another key's is refused.
type FileKey struct {
	pv     *privval.FilePV
	dir    string // of the sign state
	failed error
}

var _ Key = (*FileKey)(nil)

// OpenFileKey loads a key and its sign state. It fails with ErrSignStateMissing and ErrSignStateForeign.
func OpenFileKey(keyPath, statePath string) (*FileKey, error) {
	var key privval.FilePVKey
	if err := ReadJSON(keyPath, &key); err != nil {
		return nil, fmt.Errorf("the consensus key: %w", err)
	}
	if key.PrivKey == nil {
		return nil, fmt.Errorf("the consensus key: %s holds none", keyPath)
	}
	var last privval.FilePVLastSignState
	if err := ReadState(statePath, &last); err != nil {
		return nil, err
	}
	if len(last.SignBytes) > 0 && !key.PrivKey.PubKey().VerifySignature(last.SignBytes, last.Signature) {
		return nil, fmt.Errorf("%w: %s", ErrSignStateForeign, statePath)
	}
	return &FileKey{pv: privval.LoadFilePV(keyPath, statePath), dir: filepath.Dir(statePath)}, nil
}

// ReadState reads a file that every folder has from its making on, and without which a key may sign twice. It fails with
// ErrSignStateMissing.
func ReadState(path string, v any) error {
	err := ReadJSON(path, v)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s; a key without it may sign twice: take the file from this machine's disk, or retire the key", ErrSignStateMissing, path)
	}
	if err != nil {
		return fmt.Errorf("the sign state: %w", err)
	}
	return nil
}

// ReadJSON reads a file in CometBFT's JSON.
func ReadJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := cmtjson.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Public implements Key.
func (k *FileKey) Public() crypto.PubKey { return k.pv.Key.PubKey }

// GetPubKey implements PrivValidator.
func (k *FileKey) GetPubKey() (crypto.PubKey, error) { return k.Public(), nil }

// Last implements Key.
func (k *FileKey) Last() Position {
	s := &k.pv.LastSignState
	return Position{s.Height, s.Round, s.Step}
}

// Fault returns why nothing is signed any more, nil where it is.
func (k *FileKey) Fault() error { return k.failed }

// SignVote implements PrivValidator. It fails with ErrNotOnDisk.
func (k *FileKey) SignVote(chainID string, vote *cmtproto.Vote) error {
	err := k.sign(func() error { return k.pv.SignVote(chainID, vote) })
	if err != nil {
		vote.Signature, vote.ExtensionSignature = nil, nil
	}
	return err
}

// SignProposal implements PrivValidator. It fails with ErrNotOnDisk.
func (k *FileKey) SignProposal(chainID string, proposal *cmtproto.Proposal) error {
	err := k.sign(func() error { return k.pv.SignProposal(chainID, proposal) })
	if err != nil {
		proposal.Signature = nil
	}
	return err
}

// sign signs, and returns when the sign state is on the disk. FilePV writes the new state to a file of another name, synced, and
// renames it; syncing the folder makes the name last. Where FilePV cannot write it panics. After a failure nothing is known of the disk.
func (k *FileKey) sign(do func() error) (err error) {
	if k.failed != nil {
		return k.failed
	}
	defer func() {
		if cause := recover(); cause != nil {
			k.failed = fmt.Errorf("%w: %v", ErrNotOnDisk, cause)
			err = k.failed
		}
	}()
	if err := do(); err != nil {
		return err
	}
	if err := abci.SyncDir(k.dir); err != nil {
		k.failed = fmt.Errorf("%w: %w", ErrNotOnDisk, err)
	}
	return k.failed
}
