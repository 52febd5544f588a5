package certified

import (
	"crypto/sha256"
	"fmt"

	"votenode/app/election"
	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

// maxGenesisBytes is the length of a genesis document. Spec 1.7.
const maxGenesisBytes = 1 << 20

// FromLedgerState verifies a state from the genesis hash alone, and returns it with the trust that it ends in. Whether the state is
// certified, committed or neither is left to the caller: every epoch on the way is certified. It fails with ErrMalformed,
// ErrMismatch, ErrSignature, ErrNotCertified, ErrEpoch or state.ErrProof. Spec 6.10.
func FromLedgerState(genesisHash [sha256.Size]byte, s *pb.LedgerState) (*Trust, *State, error) {
	if len(s.GetGenesis()) > maxGenesisBytes {
		return nil, nil, fmt.Errorf("%w: a genesis document of %d bytes; at most %d are read", ErrMalformed, len(s.Genesis), maxGenesisBytes)
	}
	if got := sha256.Sum256(s.GetGenesis()); got != genesisHash {
		return nil, nil, fmt.Errorf("%w: it belongs to the ledger with the genesis hash %x, not %x", ErrMismatch, got, genesisHash)
	}
	doc := new(pb.Genesis)
	if err := election.Decode(s.Genesis, doc); err != nil {
		return nil, nil, fmt.Errorf("%w: the genesis document: %w", ErrMalformed, err)
	}
	trust, err := FromGenesis(doc)
	if err != nil {
		return nil, nil, err
	}
	for i, proof := range s.Epochs {
		if trust, err = trust.Advance(proof); err != nil {
			return nil, nil, fmt.Errorf("epoch %d: %w", organisation.FirstEpochNumber+1+uint64(i), err)
		}
	}
	state, err := trust.Inspect(s.State)
	if err != nil {
		return nil, nil, err
	}
	if state.set != trust.Newest() {
		return nil, nil, fmt.Errorf("%w: the proofs go on to epoch %d, behind the state's %d", ErrMismatch, trust.Newest().Epoch(), state.Epoch)
	}
	return trust, state, nil
}
