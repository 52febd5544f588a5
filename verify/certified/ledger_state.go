package certified

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

// ErrAhead says that what is shown is of a time that has not come.
var ErrAhead = errors.New("it is ahead of its time")

// maxGenesisBytes is the length of a genesis document. Spec 1.7.
const maxGenesisBytes = 1 << 20

// FromLedgerState verifies a state from the genesis hash alone, and returns it with the trust that it ends in. Whether the state is
// certified, committed or neither is left to the caller: every epoch on the way is certified. It fails with ErrMalformed,
// ErrMismatch, ErrSignature, ErrNotCertified, ErrEpoch, state.ErrProof or, as Verify does and for committed states too, app.ErrProtocol. Spec 6.10.
func FromLedgerState(genesisHash [sha256.Size]byte, s *pb.LedgerState) (*Trust, *State, error) {
	return FromLedgerStateOf(genesisHash, s, app.Protocol)
}

// FromLedgerStateOf is FromLedgerState for a program that knows the rules of the protocol versions up to one.
func FromLedgerStateOf(genesisHash [sha256.Size]byte, s *pb.LedgerState, protocol uint64) (*Trust, *State, error) {
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
	trust, err := FromGenesisOf(doc, protocol)
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
	if err := state.known(); err != nil {
		return nil, nil, err
	}
	return trust, state, nil
}

// MaxAhead is how far the time of a state may be ahead of a verifier's clock.
const MaxAhead = 60 * time.Second

// CheckTime holds the time of a state against a verifier's clock. It fails with ErrAhead.
func (s *State) CheckTime(now time.Time) error {
	if ahead := s.Child.Time.Sub(now); ahead > MaxAhead {
		return fmt.Errorf("%w: its block is of %s, %s from now by this machine; check the clock", ErrAhead,
			s.Child.Time.UTC().Format(time.RFC3339), ahead.Round(time.Second))
	}
	return nil
}
