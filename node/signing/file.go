package signing

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/crypto"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/libs/protoio"
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
	// ErrSignStateDamaged says that the sign state is not as it was written.
	ErrSignStateDamaged = errors.New("the sign state is not as it was written: take the file from this machine's disk, or retire the key")
	// ErrPermissions says that others than its owner may read a secret key.
	ErrPermissions = errors.New("others may read this secret key")
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

// OpenFileKey loads a key and its sign state. It fails with ErrPermissions, ErrSignStateMissing, ErrSignStateForeign and ErrSignStateDamaged.
func OpenFileKey(keyPath, statePath string) (*FileKey, error) {
	key, err := ReadKey(keyPath)
	if err != nil {
		return nil, err
	}
	if key.PrivKey == nil {
		return nil, fmt.Errorf("the consensus key: %s holds none", keyPath)
	}
	last, err := readSignState(statePath)
	if err != nil {
		return nil, err
	}
	if len(last.SignBytes) > 0 && !key.PrivKey.PubKey().VerifySignature(last.SignBytes, last.Signature) {
		return nil, fmt.Errorf("%w: %s", ErrSignStateForeign, statePath)
	}
	return &FileKey{pv: privval.LoadFilePV(keyPath, statePath), dir: filepath.Dir(statePath)}, nil
}

// LastSigned returns where a key in a file signed last, by its sign state. It fails with ErrSignStateMissing and ErrSignStateDamaged.
func LastSigned(statePath string) (Position, error) {
	last, err := readSignState(statePath)
	return Position{last.Height, last.Round, last.Step}, err
}

// readSignState reads a sign state whose position is that of what was signed.
func readSignState(path string) (last privval.FilePVLastSignState, err error) {
	if err := ReadState(path, &last); err != nil {
		return last, err
	}
	var signed Position
	if len(last.SignBytes) > 0 {
		signed, err = signedPosition(last.SignBytes)
	}
	if claimed := (Position{last.Height, last.Round, last.Step}); err == nil && signed != claimed {
		err = fmt.Errorf("it says %v, and what was signed is %v", claimed, signed)
	}
	if err != nil {
		return last, fmt.Errorf("%w: %s: %w", ErrSignStateDamaged, path, err)
	}
	return last, nil
}

// signedPosition returns the position of what was signed, which is of one of two formats that no bytes have both.
func signedPosition(signed []byte) (Position, error) {
	var vote cmtproto.CanonicalVote
	if err := protoio.UnmarshalDelimited(signed, &vote); err == nil {
		switch vote.Type {
		case cmtproto.PrevoteType:
			return Position{vote.Height, int32(vote.Round), StepPrevote}, nil
		case cmtproto.PrecommitType:
			return Position{vote.Height, int32(vote.Round), StepPrecommit}, nil
		}
	}
	var proposal cmtproto.CanonicalProposal
	err := protoio.UnmarshalDelimited(signed, &proposal)
	if err == nil && proposal.Type != cmtproto.ProposalType {
		err = fmt.Errorf("what was signed is of the type %d", proposal.Type)
	}
	return Position{proposal.Height, int32(proposal.Round), StepPropose}, err
}

// ReadState reads a file that every folder has from its making on, and without which a key may sign twice: exactly as this program wrote
// it, for a file that somebody has shortened or emptied would be read as that of a fresh key. It fails with ErrSignStateMissing and
// ErrSignStateDamaged.
func ReadState(path string, v any) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s; a key without it may sign twice: take the file from this machine's disk, or retire the key", ErrSignStateMissing, path)
	}
	if err != nil {
		return fmt.Errorf("the sign state: %w", err)
	}
	var again []byte
	if err = cmtjson.Unmarshal(b, v); err == nil {
		again, err = cmtjson.MarshalIndent(v, "", "  ")
	}
	if err == nil && !bytes.Equal(bytes.TrimSpace(b), again) {
		err = errors.New("it is changed")
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrSignStateDamaged, path, err)
	}
	return nil
}

// ReadKey reads a consensus key, of which a file may hold the public part only. It fails with ErrPermissions.
func ReadKey(path string) (key privval.FilePVKey, err error) {
	if err = checkPrivate(path); err == nil {
		err = ReadJSON(path, &key)
	}
	if err != nil {
		err = fmt.Errorf("the consensus key: %w", err)
	}
	return key, err
}

// checkPrivate fails with ErrPermissions where group or others may read or write a file.
func checkPrivate(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%s: %w (mode %04o): if somebody has, replace it; else run chmod 600 %s", path, ErrPermissions, info.Mode().Perm(), path)
	}
	return err
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
