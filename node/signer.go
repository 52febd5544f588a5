package node

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cometbft/cometbft/crypto"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/node/signing"
)

var (
	// ErrSignStateMissing says that nothing tells what the consensus key has signed.
	ErrSignStateMissing = signing.ErrSignStateMissing
	// ErrSignStateOld says that the key has signed more than the sign state knows.
	ErrSignStateOld = errors.New("the sign state is older than this node's own signatures")
	// ErrSignStateForeign says that the sign state is that of another key.
	ErrSignStateForeign = signing.ErrSignStateForeign
)

// signer says when the consensus key signs, wherever that is (package signing): a key whose state is old, or that signed on a branch which was
// abandoned, is retired; and a key of a later epoch signs for the first time only when the epoch's announcement is certified (docs/spec
// section 7.6).
//
// CometBFT calls it from the consensus goroutine; mu is for health alone. Where a signature is refused CometBFT logs the error and
// goes on without it: it still follows the chain.
type signer struct {
	key    signing.Key
	home   Home
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

// openSigner holds what a key has signed against the stored blocks. With a key that is retired, or must be, it returns a signer that
// refuses: the node runs on without signing.
func openSigner(h Home, key signing.Key, stored chain, log *slog.Logger) (*signer, error) {
	last := key.Last()
	s := &signer{key: key, home: h, stored: stored, log: log}
	s.signed.Store(last.Height)
	retired, err := readRetired(h.retired())
	if err != nil {
		return nil, err
	}
	if retired != nil {
		log.Error("nothing is signed", "reason", s.stop(retired))
		return s, nil
	}
	if err := signing.ReadState(h.decided(), &s.decided); err != nil {
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

// signStateDepth is how many heights back the stored commits are searched at the start; before the first signature all that are
// newer than the sign state are. So far back the commits that this node saw are searched too, which may hold more than the blocks'.
const signStateDepth = 1_000

// checkSignState finds the newest precommit of the key in the stored commits of a height and those after it, and refuses a sign state
// from before it. Commits below the sign state's height cannot refuse it, so a validator that signs regularly reads one or two, and
// one that was away reads once what it missed.
func (s *signer) checkSignState(from int64) error {
	last, address := s.key.Last(), s.key.Public().Address()
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
			if found := (signing.Position{Height: h, Round: commit.Round, Step: signing.StepPrecommit}); last.Before(found) {
				return fmt.Errorf("%w: it ends at %v, but the key signed %v; it was restored, and the key may sign twice: %s", ErrSignStateOld, last, found, remedy)
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

// GetPubKey implements PrivValidator.
func (s *signer) GetPubKey() (crypto.PubKey, error) { return s.key.Public(), nil }

// SignVote implements PrivValidator.
func (s *signer) SignVote(chainID string, vote *cmtproto.Vote) error {
	err := s.sign(vote.Height, func() error { return s.key.SignVote(chainID, vote) })
	if err != nil {
		vote.Signature, vote.ExtensionSignature = nil, nil
	}
	return err
}

// SignProposal implements PrivValidator.
func (s *signer) SignProposal(chainID string, proposal *cmtproto.Proposal) error {
	err := s.sign(proposal.Height, func() error { return s.key.SignProposal(chainID, proposal) })
	if err != nil {
		proposal.Signature = nil
	}
	return err
}

// sign signs if the chain allows it. What is not known to be on the disk ends signing; all else that keeps the key from signing may pass.
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
	err := do()
	if errors.Is(err, signing.ErrNotOnDisk) {
		return s.stop(err)
	}
	s.hold(err)
	if err == nil {
		s.signed.Store(height)
	}
	return err
}

// may says, before the first signature of a height, whether the key may sign on the stored chain, and remembers the block on which
// it does. The first time in a process is when the node has caught up with the others: then the commits that came since the start
// are searched for signatures that the sign state does not know, and afterwards those of each new block.
func (s *signer) may(height int64) error {
	from := s.key.Last().Height
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
