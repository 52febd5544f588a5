// Package receipt verifies, from the genesis hash alone, that a ballot is recorded on the ledger, and says what becomes of it.
//
// A receipt proves recording, never content: what it shows of the ballot is the ciphertext that stands on the ledger anyway. The
// package has no network, no disk and no clock: the caller hands in the bytes, the voter's roll index and the local time.
//
// Source: docs/spec/12-slips-and-receipts.md, sections 12.4 and 12.5.
package receipt

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// ErrMismatch says that the parts of a receipt do not belong together, or not to the voter who asks.
var ErrMismatch = errors.New("the receipt does not fit")

// Standing is what a state says of a recorded ballot.
type Standing int

// The standings of a ballot.
const (
	// Counts: it is the voter's last ballot, and voting is open.
	Counts Standing = iota + 1
	// Counted: it was the voter's last ballot at closing.
	Counted
	// Superseded: a later ballot of the voter stands in its place.
	Superseded
	// Revoked: both organisations have revoked the voter's entry, its ballot is subtracted.
	Revoked
	// Cancelled: the election was cancelled, and nothing of it counts.
	Cancelled
)

// Finding is what a receipt proves.
type Finding struct {
	// Chain, Election, RollIndex and Sequence name the ballot, and Code is its confirmation code.
	Chain     string
	Election  string
	RollIndex uint64
	Sequence  uint64
	Code      [32]byte
	// LogIndex is the ballot's place in the ballot log.
	LogIndex uint64
	// Standing in the state, and the number of the voter's last recorded ballot where that is another one.
	Standing Standing
	Last     uint64
	// State is the state that shows it: its height, and who signed for it; Certified, or Committed only, or neither.
	State *certified.State
}

// ErrUnsigned says that too few have signed for a state: it is neither certified nor committed.
var ErrUnsigned = errors.New("the state is neither certified nor committed")

// Verify verifies a receipt for the voter with a roll index, by the local time. It fails with the errors of
// certified.FromLedgerState, with state.ErrProof, ErrUnsigned or ErrMismatch. Spec 12.5.
func Verify(genesisHash [32]byte, voter uint64, now time.Time, r *pb.Receipt) (*Finding, error) {
	_, shown, err := certified.FromLedgerState(genesisHash, r.GetLedger())
	if err != nil {
		return nil, err
	}
	if !shown.Committed && !shown.Certified {
		return nil, fmt.Errorf("%w: %s", ErrUnsigned, shown.Signers())
	}
	if err := shown.CheckTime(now); err != nil {
		return nil, err
	}
	if err := election.CheckID(r.Election); err != nil {
		return nil, fmt.Errorf("%w: %q is no id of an election", ErrMismatch, r.Election)
	}
	cast, err := recorded(shown, r)
	if err != nil {
		return nil, err
	}
	if cast.RollIndex != voter {
		return nil, fmt.Errorf("%w: it is of the voter with the roll index %d, not %d", ErrMismatch, cast.RollIndex, voter)
	}
	f := &Finding{
		Chain: shown.Child.ChainID, Election: r.Election, RollIndex: voter, Sequence: cast.Sequence, LogIndex: r.LogIndex, State: shown,
		Code: cast.Code(shown.Child.ChainID),
	}
	return f, f.stand(r)
}

// recorded verifies that the ballot stands in the log of its election, and returns it.
func recorded(shown *certified.State, r *pb.Receipt) (*tx.Cast, error) {
	if err := included(shown, state.LogKey(state.LogBallots(r.Election)), r.Ballots, r.LogIndex, r.Ballot, r.BallotPath); err != nil {
		return nil, fmt.Errorf("ballot log: %w", err)
	}
	parsed, err := tx.Parse(r.Ballot)
	if err != nil {
		return nil, fmt.Errorf("%w: the ballot: %w", ErrMismatch, err)
	}
	cast := parsed.Cast()
	if cast == nil || cast.Election != r.Election {
		return nil, fmt.Errorf("%w: the transaction casts no ballot in %q", ErrMismatch, r.Election)
	}
	return cast, nil
}

// included verifies a record that holds a head, and a leaf under that head.
func included(shown *certified.State, key string, record *pb.RecordProof, index uint64, leaf []byte, path [][]byte) error {
	value, err := state.VerifyRecord(shown.AppHash, key, record)
	if err != nil {
		return err
	}
	head, err := state.ParseHead(value)
	if err != nil {
		return err
	}
	return state.VerifyInclusion(head, index, leaf, path)
}

// stand finds what the voter's leaf and the phase of the election say of the ballot.
func (f *Finding) stand(r *pb.Receipt) error {
	if err := included(f.State, state.VotersKey(f.Election), r.Voters, f.RollIndex, r.Voter, r.VoterPath); err != nil {
		return fmt.Errorf("voters' tree: %w", err)
	}
	leaf, record := new(pb.Voter), new(pb.Election)
	if err := election.Decode(r.Voter, leaf); err != nil {
		return fmt.Errorf("%w: the voter's leaf: %w", ErrMismatch, err)
	}
	value, err := state.VerifyRecord(f.State.AppHash, state.ElectionKey(f.Election), r.ElectionRecord)
	if err != nil {
		return fmt.Errorf("election: %w", err)
	}
	if err := election.Decode(value, record); err != nil {
		return fmt.Errorf("%w: the election: %w", ErrMismatch, err)
	}
	if leaf.Sequence != f.Sequence {
		f.Last = leaf.Sequence
	}
	last := leaf.LogIndex == f.LogIndex
	switch {
	case last != (leaf.Sequence == f.Sequence) || last != bytes.Equal(leaf.Code, f.Code[:]) || leaf.LogIndex < f.LogIndex || leaf.Sequence < f.Sequence:
		return fmt.Errorf("%w: the voter's leaf names ballot %d at %d of the log, and this is ballot %d at %d", ErrMismatch,
			leaf.Sequence, leaf.LogIndex, f.Sequence, f.LogIndex)
	case record.Phase == pb.PHASE_CANCELLED:
		f.Standing = Cancelled
	case leaf.Status == pb.VOTER_REVOKED:
		f.Standing = Revoked
	case !last:
		f.Standing = Superseded
	case record.Phase == pb.PHASE_VOTING:
		f.Standing = Counts
	case record.Phase == pb.PHASE_CLOSED || record.Phase == pb.PHASE_DECRYPTING || record.Phase == pb.PHASE_FINAL:
		f.Standing = Counted
	default:
		return fmt.Errorf("%w: a ballot in the phase %s", ErrMismatch, election.PhaseName(record.Phase))
	}
	return nil
}
