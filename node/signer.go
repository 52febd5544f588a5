package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

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
	// ErrSignStateOld says that the key has signed more than the sign state knows.
	ErrSignStateOld = errors.New("the sign state is older than this node's own signatures")
	// ErrSignStateForeign says that the sign state is that of another key.
	ErrSignStateForeign = errors.New("the sign state belongs to another key")
)

// signer holds the consensus key. It is CometBFT's FilePV, in its file formats, with what that lacks: the name of the new state
// file is on the disk before a signature leaves, so that no power cut brings the old state back; a state that is missing, old or
// another key's is refused at the start; and a key of a later epoch signs for the first time only when the epoch's announcement
// is certified (docs/spec section 7.6).
//
// CometBFT calls it from the consensus goroutine; mu is for health alone.
type signer struct {
	file *privval.FilePV
	dir  string // of the sign state
	// first is asked before the first signature of a key.
	first func() error

	mu     sync.Mutex
	failed error
	signed atomic.Int64 // height of the last signature
}

var _ cmttypes.PrivValidator = (*signer)(nil)

// commits is what the signer is checked against at the start.
type commits interface {
	Height() int64
	LoadSeenCommit(height int64) *cmttypes.Commit
	LoadBlockCommit(height int64) *cmttypes.Commit
}

// openSigner loads key and sign state, and holds the state against the key and against the commits of the stored blocks.
func openSigner(keyFile, stateFile string, stored commits) (*signer, error) {
	var key privval.FilePVKey
	if err := readJSON(keyFile, &key); err != nil {
		return nil, fmt.Errorf("the consensus key: %w", err)
	}
	if key.PrivKey == nil {
		return nil, fmt.Errorf("the consensus key: %s holds none", keyFile)
	}
	var last privval.FilePVLastSignState
	err := readJSON(stateFile, &last)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s, next to %d stored blocks; a key without it may sign twice: take the file from this node's disk, or retire the key", ErrSignStateMissing, stateFile, stored.Height())
	}
	if err != nil {
		return nil, fmt.Errorf("the sign state: %w", err)
	}
	public := key.PrivKey.PubKey()
	if len(last.SignBytes) > 0 && !public.VerifySignature(last.SignBytes, last.Signature) {
		return nil, fmt.Errorf("%w: %s", ErrSignStateForeign, stateFile)
	}
	if err := checkSignState(&last, public.Address(), stored); err != nil {
		return nil, err
	}
	s := &signer{file: privval.LoadFilePV(keyFile, stateFile), dir: filepath.Dir(stateFile)}
	s.signed.Store(last.Height)
	return s, nil
}

// signStateDepth is how many heights back the stored commits are searched for the key's newest signature.
const signStateDepth = 1_000

// stepPrecommit is FilePV's number of the last step of a round.
const stepPrecommit = 3

// checkSignState finds the newest precommit of the key in the stored commits, and refuses a state from before it.
func checkSignState(last *privval.FilePVLastSignState, address crypto.Address, stored commits) error {
	for h := stored.Height(); h > 0 && h > stored.Height()-signStateDepth; h-- {
		for _, commit := range []*cmttypes.Commit{stored.LoadSeenCommit(h), stored.LoadBlockCommit(h)} {
			if commit == nil || !signedBy(commit, address) {
				continue
			}
			if last.Height < h || last.Height == h && (last.Round < commit.Round || last.Round == commit.Round && last.Step < stepPrecommit) {
				return fmt.Errorf("%w: it ends at %d/%d/%d, but the key signed %d/%d/%d; never restore a sign state: retire the key", ErrSignStateOld, last.Height, last.Round, last.Step, h, commit.Round, stepPrecommit)
			}
			return nil
		}
	}
	return nil
}

func signedBy(commit *cmttypes.Commit, address crypto.Address) bool {
	for _, s := range commit.Signatures {
		if len(s.Signature) > 0 && s.ValidatorAddress.String() == address.String() {
			return true
		}
	}
	return false
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := cmtjson.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// GetPubKey implements PrivValidator.
func (s *signer) GetPubKey() (crypto.PubKey, error) { return s.file.GetPubKey() }

// SignVote implements PrivValidator.
func (s *signer) SignVote(chainID string, vote *cmtproto.Vote) error {
	err := s.sign(vote.Height, func() error { return s.file.SignVote(chainID, vote) })
	if err != nil {
		vote.Signature, vote.ExtensionSignature = nil, nil
	}
	return err
}

// SignProposal implements PrivValidator.
func (s *signer) SignProposal(chainID string, proposal *cmtproto.Proposal) error {
	err := s.sign(proposal.Height, func() error { return s.file.SignProposal(chainID, proposal) })
	if err != nil {
		proposal.Signature = nil
	}
	return err
}

// sign signs, and returns when the sign state is on the disk. FilePV writes the new state to a file of another name, synced, and
// renames it; syncing the folder makes the name last. After a failed sync nothing is known of the disk, and nothing is signed.
func (s *signer) sign(height int64, do func() error) error {
	if err := s.fault(); err != nil {
		return err
	}
	if s.signed.Load() == 0 {
		if err := s.first(); err != nil {
			return fmt.Errorf("this key does not sign yet: %w", err)
		}
	}
	if err := do(); err != nil {
		return err
	}
	if err := abci.SyncDir(s.dir); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed = fmt.Errorf("the sign state may not be on the disk, nothing is signed any more: %w", err)
		return s.failed
	}
	s.signed.Store(height)
	return nil
}

// fault returns why the signer signs no more, nil where it does.
func (s *signer) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}
