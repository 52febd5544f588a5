package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
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
// file is on the disk before a signature leaves, so that no power cut brings the old state back; a state that is missing or another
// key's is refused at the start; a key whose state is old, or that signed on a branch which was abandoned, is retired; and a key of a
// later epoch signs for the first time only when the epoch's announcement is certified (docs/spec section 7.6).
//
// CometBFT calls it from the consensus goroutine; mu is for health alone. Where a signature is refused CometBFT logs the error and
// goes on without it: it still follows the chain.
type signer struct {
	file   *privval.FilePV
	home   Home
	dir    string // of the sign state
	stored chain
	log    *slog.Logger
	// first is asked before the first signature of a key: whether it may begin, and since which height it is a validator's.
	first func() (int64, error)

	decided decided // as on the disk
	ready   int64   // height for which may has agreed; 0 before the first signature of this process

	mu     sync.Mutex
	failed error        // why nothing is signed any more
	held   error        // why nothing is signed at present
	signed atomic.Int64 // height of the last signature
}

var _ cmttypes.PrivValidator = (*signer)(nil)

// chain is what the signer is checked against: the stored blocks and the precommits for them.
type chain interface {
	Height() int64
	LoadBlockMeta(height int64) *cmttypes.BlockMeta
	LoadSeenCommit(height int64) *cmttypes.Commit
	LoadBlockCommit(height int64) *cmttypes.Commit
}

// openSigner loads key and sign state, and holds the state against the key and against the stored blocks. With a key that is retired,
// or must be, it returns a signer that refuses: the node runs on without signing.
func openSigner(h Home, stored chain, log *slog.Logger) (*signer, error) {
	var key privval.FilePVKey
	if err := readJSON(h.consensusKey(), &key); err != nil {
		return nil, fmt.Errorf("the consensus key: %w", err)
	}
	if key.PrivKey == nil {
		return nil, fmt.Errorf("the consensus key: %s holds none", h.consensusKey())
	}
	var last privval.FilePVLastSignState
	if err := readSignState(h.signState(), &last, stored); err != nil {
		return nil, err
	}
	if len(last.SignBytes) > 0 && !key.PrivKey.PubKey().VerifySignature(last.SignBytes, last.Signature) {
		return nil, fmt.Errorf("%w: %s", ErrSignStateForeign, h.signState())
	}
	s := &signer{
		file: privval.LoadFilePV(h.consensusKey(), h.signState()), home: h, dir: filepath.Dir(h.signState()), stored: stored, log: log,
	}
	s.signed.Store(last.Height)
	retired, err := readRetired(h.retired())
	if err != nil {
		return nil, err
	}
	if retired != nil {
		log.Error("nothing is signed", "reason", s.stop(retired))
		return s, nil
	}
	if err := readSignState(h.decided(), &s.decided, stored); err != nil {
		return nil, err
	}
	if err := s.decided.check(last.Height); err != nil {
		return nil, fmt.Errorf("%s: %w", h.decided(), err)
	}
	err = s.checkSignState(max(last.Height, stored.Height()-signStateDepth+1))
	if err == nil && stored.Height() >= s.decided.Height {
		err = s.decided.on(stored)
	}
	if err != nil {
		s.retire(err)
	}
	return s, nil
}

// readSignState reads a file that every home has from Init on.
func readSignState(path string, v any, stored chain) error {
	err := readJSON(path, v)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s, next to %d stored blocks; a key without it may sign twice: take the file from this node's disk, or retire the key", ErrSignStateMissing, path, stored.Height())
	}
	if err != nil {
		return fmt.Errorf("the sign state: %w", err)
	}
	return nil
}

// signStateDepth is how many heights back the stored commits are searched at the start; before the first signature all that are
// newer than the sign state are. So far back the commits that this node saw are searched too, which may hold more than the blocks'.
const signStateDepth = 1_000

// stepPrecommit is FilePV's number of the last step of a round.
const stepPrecommit = 3

// checkSignState finds the newest precommit of the key in the stored commits of a height and those after it, and refuses a sign state
// from before it. Commits below the sign state's height cannot refuse it, so a validator that signs regularly reads one or two, and
// one that was away reads once what it missed.
func (s *signer) checkSignState(from int64) error {
	last, address := &s.file.LastSignState, s.file.GetAddress()
	newest := s.stored.Height()
	for h := newest; h >= max(from, 1); h-- {
		commits := []*cmttypes.Commit{s.stored.LoadBlockCommit(h)}
		if h > newest-signStateDepth {
			commits = append(commits, s.stored.LoadSeenCommit(h))
		}
		for _, commit := range commits {
			if commit == nil || !signedBy(commit, address) {
				continue
			}
			if last.Height < h || last.Height == h && (last.Round < commit.Round || last.Round == commit.Round && last.Step < stepPrecommit) {
				return fmt.Errorf("%w: it ends at %d/%d/%d, but the key signed %d/%d/%d; it was restored, and the key may sign twice: %s", ErrSignStateOld, last.Height, last.Round, last.Step, h, commit.Round, stepPrecommit, remedy)
			}
			return nil
		}
	}
	return nil
}

func signedBy(commit *cmttypes.Commit, address crypto.Address) bool {
	for _, s := range commit.Signatures {
		if len(s.Signature) > 0 && bytes.Equal(s.ValidatorAddress, address) {
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
	if height != s.ready {
		err := s.may(height)
		s.hold(err)
		if err != nil {
			return err
		}
		s.ready = height
	}
	if err := do(); err != nil {
		return err
	}
	if err := abci.SyncDir(s.dir); err != nil {
		return s.stop(fmt.Errorf("the sign state may not be on the disk, nothing is signed any more: %w", err))
	}
	s.signed.Store(height)
	return nil
}

// may says, before the first signature of a height, whether the key may sign on the stored chain, and remembers the block on which
// it does. The first time in a process is when the node has caught up with the others: then the commits that came since the start
// are searched for signatures that the sign state does not know, and afterwards those of each new block.
func (s *signer) may(height int64) error {
	from := s.file.LastSignState.Height
	if from == 0 {
		var err error
		if from, err = s.first(); err != nil {
			return fmt.Errorf("this key does not sign yet: %w", err)
		}
	}
	if err := s.checkSignState(from); err != nil {
		return s.retire(err)
	}
	if height <= s.decided.Height {
		return fmt.Errorf("this key does not sign yet: the chain is at height %d, and this node has decided block %v of height %d; if it does not come, %s", height-1, s.decided.Hash, s.decided.Height, remedy)
	}
	if err := s.decided.on(s.stored); err != nil {
		return s.retire(err)
	}
	return s.decide(height - 1)
}

// stop ends signing, for this process at least, and returns why.
func (s *signer) stop(reason error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = reason
	return reason
}

func (s *signer) hold(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = reason
}

// fault returns why the signer signs no more, nil where it does.
func (s *signer) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// waits returns why the signer does not sign at present, nil where it does.
func (s *signer) waits() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}
