package receipt

import (
	"fmt"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// New makes the receipt of the ballot at a place of an election's ballot log, in a state that ledger shows: s is that state. It fails
// with state.ErrNotFound where the log has no such place yet.
func New(ledger *pb.LedgerState, s *state.Snapshot, election string, index uint64) (*pb.Receipt, error) {
	log := state.LogBallots(election)
	r := &pb.Receipt{Ledger: ledger, Election: election, LogIndex: index}
	head, err := s.Head(log)
	if err != nil {
		return nil, err
	}
	if r.Ballot, err = s.Leaf(log, index); err != nil {
		return nil, err
	}
	parsed, err := tx.Parse(r.Ballot)
	if err != nil {
		return nil, fmt.Errorf("%w: a ballot of the log: %w", state.ErrCorrupted, err)
	}
	voter := parsed.Cast().RollIndex
	if r.BallotPath, err = s.ProveInclusion(log, index, head.Size); err != nil {
		return nil, err
	}
	if r.Voter, err = s.Voter(election, voter); err != nil {
		return nil, err
	}
	if r.VoterPath, err = s.ProveVoter(election, voter); err != nil {
		return nil, err
	}
	if r.Ballots, err = s.ProveRecord(state.LogKey(log)); err != nil {
		return nil, err
	}
	if r.Voters, err = s.ProveRecord(state.VotersKey(election)); err != nil {
		return nil, err
	}
	r.ElectionRecord, err = s.ProveRecord(state.ElectionKey(election))
	return r, err
}
