package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/cometbft/cometbft/crypto"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/crypto/tmhash"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/abci"
)

var (
	// ErrAbandonedBranch says that the chain is not the one on which this node has decided blocks and signed.
	ErrAbandonedBranch = errors.New("the key has signed on a branch that was abandoned")
	// ErrRetired says that the key never signs again in this home, whatever becomes of the data. It comes with the reason.
	ErrRetired = errors.New("the consensus key of this node is retired, nothing is signed with it any more")
)

// remedy is what a retired key needs.
const remedy = "retire the key by a ChangeValidators resolution that puts a fresh key, of a fresh home, in its place"

// decided is the last block that this node has decided before it signed at the next height. A precommit of height h attests its
// parent, the block of height h - 1, so a key whose precommits stand on two branches makes a certificate on both possible (docs/spec
// section 6.7). The file lies next to the sign state: it outlives the data, which may be lost and fetched again from others, who may
// be on another branch.
//
// Crash points. The file is on the disk, with its name, before the first signature of a height h is made; so
//
//   - killed before it is, nothing of height h was signed, and the block before still stands in the file, whose children were signed;
//   - killed between file and signature, the file names a block that CometBFT had stored, with a sync, before it asked for the
//     signature: with these data the next start finds the same block and goes on. Without them the key may be retired though it has
//     signed no child of that block, which is on the safe side;
//   - killed after the signature, the file already names the parent of what was signed.
//
// So the file's height is never below that of the sign state minus 1.
type decided struct {
	// Height is 0 before the first block.
	Height int64             `json:"height"`
	Hash   cmtbytes.HexBytes `json:"hash"`
}

// check asks what every such file keeps, next to a sign state of a height.
func (d decided) check(signed int64) error {
	if d.Height < 0 || d.Height == 0 && len(d.Hash) != 0 || d.Height > 0 && len(d.Hash) != tmhash.Size {
		return fmt.Errorf("height %d with a hash of %d bytes names no block; take the file from this node's disk, or retire the key", d.Height, len(d.Hash))
	}
	if d.Height < signed-1 {
		return fmt.Errorf("%w: the last block decided is said to be that of height %d, but the key has signed at height %d; take the file from this node's disk, or retire the key", ErrSignStateOld, d.Height, signed)
	}
	return nil
}

// on says whether the stored chain, which has got to the block's height, holds the block.
func (d decided) on(stored chain) error {
	if d.Height == 0 {
		return nil
	}
	found := "no block"
	if meta := stored.LoadBlockMeta(d.Height); meta != nil {
		if bytes.Equal(meta.BlockID.Hash, d.Hash) {
			return nil
		}
		found = "block " + meta.BlockID.Hash.String()
	}
	return fmt.Errorf("%w: this node decided block %v at height %d, the chain has %s there; %s", ErrAbandonedBranch, d.Hash, d.Height, found, remedy)
}

// decide remembers the stored block of a height as decided. What cannot be written is not known to be on the disk, and nothing is
// signed until a restart.
func (s *signer) decide(height int64) error {
	if height == s.decided.Height {
		return nil
	}
	meta := s.stored.LoadBlockMeta(height)
	if meta == nil {
		return fmt.Errorf("this key does not sign yet: block %d is not stored", height)
	}
	d := decided{Height: height, Hash: meta.BlockID.Hash}
	b, err := cmtjson.MarshalIndent(d, "", "  ")
	if err == nil {
		err = abci.WriteFile(s.home.decided(), b)
	}
	if err != nil {
		return s.stop(fmt.Errorf("the last block decided may not be on the disk, nothing is signed any more: %w", err))
	}
	s.decided = d
	return nil
}

// retire ends signing for good, and returns why. The mark is on the disk before anything else can happen to the data, and outlives
// them; where it cannot be written this process signs no more, and the next start finds the same again or has other data.
func (s *signer) retire(reason error) error {
	failed := s.stop(fmt.Errorf("%w: %w", ErrRetired, reason))
	if err := abci.WriteFile(s.home.retired(), []byte(reason.Error()+"\n")); err != nil {
		failed = s.stop(fmt.Errorf("%w; and this could not be written down: %v", failed, err))
	}
	s.log.Error("nothing is signed any more", "reason", failed)
	return failed
}

// readRetired returns why the key is retired, nil where it is not. The file's being there is the mark, whatever it holds.
func readRetired(path string) (reason, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("whether the consensus key is retired: %w", err)
	}
	return fmt.Errorf("%w: %s", ErrRetired, strings.TrimSpace(string(b))), nil
}

// standIn is the validator that CometBFT's node is made with; consensus gets the signer right after, before anything runs. CometBFT's
// block sync leaves out what a validator missed where this has a third of the power, rounded down: one of four, say. Such a node
// would take part in consensus at once, without a peer even, and sign at every height that it missed before it could find there what
// it has signed already. With another key block sync takes it for a node like all others, which fetches first and signs then.
type standIn struct{ key crypto.PubKey }

var _ cmttypes.PrivValidator = standIn{}

func newStandIn() standIn { return standIn{cmted25519.GenPrivKey().PubKey()} }

// errStandIn says that CometBFT asked the stand-in to sign.
var errStandIn = errors.New("the consensus key is not in its place")

// GetPubKey implements PrivValidator.
func (s standIn) GetPubKey() (crypto.PubKey, error) { return s.key, nil }

// SignVote implements PrivValidator.
func (standIn) SignVote(string, *cmtproto.Vote) error { return errStandIn }

// SignProposal implements PrivValidator.
func (standIn) SignProposal(string, *cmtproto.Proposal) error { return errStandIn }
