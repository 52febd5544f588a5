package certified

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cometbft/cometbft/crypto/tmhash"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

// Bounds of what is read. Spec 6.3.
const (
	// MaxChildren is the number of signed children in one certified state: blocks and rounds.
	MaxChildren = 32
	// MaxHeaderBytes is the length of an encoded header.
	MaxHeaderBytes = 1024
	// MaxStateBytes is the length of an encoded CertifiedState.
	MaxStateBytes = 1 << 20
	// MaxLeafBytes is the length of an encoded leaf of the blocks log.
	MaxLeafBytes = 1 << 20
	// MaxEpochProofBytes is the length of an encoded EpochProof.
	MaxEpochProofBytes = 2 << 20
)

// ErrMalformed says that bytes or a message are not of the form that spec 6.3 gives them.
var ErrMalformed = errors.New("malformed evidence")

// ParseState reads the canonical encoding of a CertifiedState, at most MaxStateBytes. It fails with ErrMalformed. Nothing
// is verified yet.
func ParseState(b []byte) (*pb.CertifiedState, error) {
	s := new(pb.CertifiedState)
	return s, decode(b, MaxStateBytes, s)
}

// ParseEpochProof reads the canonical encoding of an EpochProof, at most MaxEpochProofBytes. It fails with ErrMalformed.
// Nothing is verified yet.
func ParseEpochProof(b []byte) (*pb.EpochProof, error) {
	p := new(pb.EpochProof)
	return p, decode(b, MaxEpochProofBytes, p)
}

func decode(b []byte, most int, m election.Message) error {
	if len(b) > most {
		return fmt.Errorf("%w: %d bytes; at most %d are read", ErrMalformed, len(b), most)
	}
	if err := election.Decode(b, m); err != nil {
		return fmt.Errorf("%w: %T: %w", ErrMalformed, m, err)
	}
	return nil
}

// parseHeader reads the one canonical encoding of a header that CometBFT would accept in a block, and returns it with its
// hash. Spec 6.3.
func parseHeader(b []byte) (*cmttypes.Header, hash, error) {
	if len(b) > MaxHeaderBytes {
		return nil, hash{}, fmt.Errorf("%w: a header of %d bytes; at most %d are read", ErrMalformed, len(b), MaxHeaderBytes)
	}
	var message cmtproto.Header
	if err := message.Unmarshal(b); err != nil {
		return nil, hash{}, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	if again, err := message.Marshal(); err != nil || !bytes.Equal(again, b) {
		return nil, hash{}, fmt.Errorf("%w: the header is not in its canonical encoding", ErrMalformed)
	}
	header, err := cmttypes.HeaderFromProto(&message)
	if err != nil {
		return nil, hash{}, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	digest := header.Hash()
	if len(digest) != len(hash{}) {
		return nil, hash{}, fmt.Errorf("%w: the header names no validators", ErrMalformed)
	}
	return &header, hash(digest), nil
}

type hash = [tmhash.Size]byte

// FromCommit converts a header and the commit of its height, as it stands in the next block: precommits for the block, in
// ascending order of address; absent ones and those for nil stay behind, and so does one whose time does not fit 64-bit
// nanoseconds, which no honest validator signs. Nothing is verified. It fails with ErrMalformed where header and commit do
// not belong together.
func FromCommit(header *cmttypes.Header, commit *cmttypes.Commit) (*pb.SignedHeader, error) {
	if commit.Height != header.Height || !bytes.Equal(commit.BlockID.Hash, header.Hash()) {
		return nil, fmt.Errorf("%w: the commit of height %d is not for the header of height %d", ErrMalformed, commit.Height, header.Height)
	}
	encoded, err := header.ToProto().Marshal()
	if err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	signed := &pb.SignedHeader{
		Header:     encoded,
		PartsTotal: commit.BlockID.PartSetHeader.Total,
		PartsHash:  commit.BlockID.PartSetHeader.Hash,
		Round:      commit.Round,
	}
	for _, s := range commit.Signatures {
		nanoseconds := s.Timestamp.UnixNano()
		if s.BlockIDFlag != cmttypes.BlockIDFlagCommit || !time.Unix(0, nanoseconds).Equal(s.Timestamp) {
			continue
		}
		signed.Precommits = append(signed.Precommits, &pb.Precommit{
			Address: s.ValidatorAddress, Time: nanoseconds, Signature: s.Signature,
		})
	}
	slices.SortFunc(signed.Precommits, func(a, b *pb.Precommit) int { return bytes.Compare(a.Address, b.Address) })
	return signed, nil
}

// checkForm bounds a certified state before any work is done on it. Spec 6.3.
func checkForm(s *pb.CertifiedState) error {
	if n := len(s.GetChildren()); n < 1 || n > MaxChildren {
		return fmt.Errorf("%w: %d children; 1 to %d are read", ErrMalformed, n, MaxChildren)
	}
	for i, child := range s.Children {
		if err := checkChild(child); err != nil {
			return fmt.Errorf("%w: child %d: %w", ErrMalformed, i, err)
		}
	}
	return nil
}

func checkChild(child *pb.SignedHeader) error {
	switch {
	case child == nil:
		return errors.New("it is missing")
	case child.PartsTotal == 0 || len(child.PartsHash) != tmhash.Size:
		return errors.New("its block id has no part set header")
	case child.Round < 0:
		return fmt.Errorf("round %d", child.Round)
	case len(child.Precommits) > organisation.MaxValidators:
		return fmt.Errorf("%d precommits; at most %d are read", len(child.Precommits), organisation.MaxValidators)
	}
	for i, p := range child.Precommits {
		if p == nil || len(p.Address) != organisation.AddressSize || len(p.Signature) != signatureSize {
			return fmt.Errorf("precommit %d has an address or signature of a wrong length", i)
		}
		if i > 0 && bytes.Compare(child.Precommits[i-1].Address, p.Address) >= 0 {
			return fmt.Errorf("precommit %d is not in strictly ascending order of address", i)
		}
	}
	return nil
}

// voteBytes returns what a precommit for a child signs: CometBFT's length-prefixed canonical vote. Spec 6.2.
func voteBytes(chainID string, height int64, child *pb.SignedHeader, header hash, nanoseconds int64) []byte {
	return cmttypes.VoteSignBytes(chainID, &cmtproto.Vote{
		Type:   cmtproto.PrecommitType,
		Height: height,
		Round:  child.Round,
		BlockID: cmtproto.BlockID{
			Hash:          header[:],
			PartSetHeader: cmtproto.PartSetHeader{Total: child.PartsTotal, Hash: child.PartsHash},
		},
		Timestamp: time.Unix(0, nanoseconds).UTC(),
	})
}
