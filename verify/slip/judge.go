package slip

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// Verdict says what became of a promise.
type Verdict int

// The verdicts.
const (
	// Kept: by the height promised, or the one shown, the ledger holds the ballot or a later one of the voter, or the voter or the
	// organisations have made it impossible.
	Kept Verdict = iota + 1
	// Pending: not kept yet, and the height promised has not come.
	Pending
	// Broken: not kept, and a block that the validator made while it could leaves the ballot out.
	Broken
	// NoTurn: not kept, and no block that the validator made in time was decided. It blames nobody alone: whoever holds a third of the
	// power can refuse a proposer.
	NoTurn
)

// String names a verdict.
func (v Verdict) String() string {
	switch v {
	case Kept:
		return "kept"
	case Pending:
		return "pending"
	case Broken:
		return "broken"
	case NoTurn:
		return "turns without a block"
	}
	return fmt.Sprintf("verdict %d", int(v))
}

var (
	// ErrCase says that the parts of a case do not belong together, or do not show what became of the promise.
	ErrCase = errors.New("the case does not fit")
	// ErrEarly says that the certified state shown is of a height before that of the slip's issue.
	ErrEarly = fmt.Errorf("%w: the ledger has not come to the height of issue", certified.ErrAhead)
)

// Finding is the verdict on a promise.
type Finding struct {
	Verdict Verdict
	// How a promise was kept, in words; empty for the other verdicts.
	How string
	// Slip is what was promised, and Validator who promised it.
	Slip      *pb.AcceptanceSlip
	Validator pb.Validator
	// State is the certified state that shows it, and Judged the height whose state was judged.
	State  *certified.State
	Judged int64
	// Height of the block that leaves the ballot out, where the promise is broken.
	Height int64
}

// judge is the work on one case.
type judge struct {
	c      *pb.SlipCase
	slip   *pb.AcceptanceSlip
	cast   *tx.Cast
	size   int // of the transaction, bytes
	trust  *certified.Trust
	shown  *certified.State
	author *pb.Validator
}

// Judge gives the verdict that a case shows, by the local time. It fails with the errors of certified.FromLedgerState, with
// certified.ErrNotCertified or ErrAhead, with ErrEarly, state.ErrProof, ErrSlip or ErrCase. Spec 12.3.
func Judge(genesisHash [32]byte, now time.Time, c *pb.SlipCase) (*Finding, error) {
	j, err := open(genesisHash, now, c)
	if err != nil {
		return nil, err
	}
	judged := min(j.slip.Promised, j.shown.Height)
	root, err := j.rootAfter(judged)
	if err != nil {
		return nil, err
	}
	f := &Finding{Slip: j.slip, Validator: *j.author, State: j.shown, Judged: judged}
	if f.How, err = j.kept(root); err != nil {
		return nil, err
	}
	switch {
	case f.How != "":
		f.Verdict = Kept
	case judged < j.slip.Promised:
		f.Verdict = Pending
	default:
		if err := j.blame(f); err != nil {
			return nil, err
		}
		return f, nil
	}
	if len(c.Blocks) > 0 {
		return nil, fmt.Errorf("%w: blocks are shown, and the promise is %s", ErrCase, f.Verdict)
	}
	return f, nil
}

// open verifies the ledger's state, and that the slip is one of a validator of its time.
func open(genesisHash [32]byte, now time.Time, c *pb.SlipCase) (*judge, error) {
	trust, shown, err := certified.FromLedgerState(genesisHash, c.GetLedger())
	if err != nil {
		return nil, err
	}
	if !shown.Certified {
		return nil, fmt.Errorf("%w: block %d", certified.ErrNotCertified, shown.Height)
	}
	if err := shown.CheckTime(now); err != nil {
		return nil, err
	}
	j := &judge{c: c, slip: c.Promise.GetSlip(), trust: trust, shown: shown}
	if j.slip == nil {
		return nil, fmt.Errorf("%w: there is no slip", ErrSlip)
	}
	if j.slip.Issued > shown.Height {
		return nil, fmt.Errorf("%w: issued at %d, shown is %d", ErrEarly, j.slip.Issued, shown.Height)
	}
	if j.author, err = Promiser(trust, j.slip); err != nil {
		return nil, err
	}
	if err := Check(c.Promise, j.author.SlipKey); err != nil {
		return nil, err
	}
	if _, j.cast, err = ParseBallot(c.Promise.Ballot); err != nil {
		return nil, err
	}
	j.size = len(c.Promise.Ballot)
	return j, nil
}

// Promiser returns the validator that a slip names, in the set of the height of issue. It fails with ErrSlip where the slip is of
// another chain or that set has no such validator.
func Promiser(trust *certified.Trust, s *pb.AcceptanceSlip) (*pb.Validator, error) {
	if s.ChainId != trust.ChainID() {
		return nil, fmt.Errorf("%w: it is of the chain %q, not %q", ErrSlip, s.ChainId, trust.ChainID())
	}
	if set := trust.At(s.Issued); set != nil {
		for _, v := range set.Validators() {
			if bytes.Equal(v.Key, s.Validator) {
				return &v, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: %x is no validator of height %d", ErrSlip, s.Validator, s.Issued)
}

// rootAfter returns the AppHash of the state after a height, which the header of the next one carries.
func (j *judge) rootAfter(height int64) (state.Hash, error) {
	if height == j.shown.Height {
		if j.c.Judged != nil {
			return state.Hash{}, fmt.Errorf("%w: the judged state is shown twice", ErrCase)
		}
		return j.shown.AppHash, nil
	}
	header, err := j.shown.EarlierHeader(j.c.Judged.GetProof(), j.c.Judged.GetHeader())
	if err != nil {
		return state.Hash{}, fmt.Errorf("the judged state: %w", err)
	}
	if header.Height != height+1 {
		return state.Hash{}, fmt.Errorf("%w: block %d is shown in the place of %d", ErrCase, header.Height, height+1)
	}
	return stateBefore(header)
}

// stateBefore returns the root of the state before a block. A header is read with an AppHash of any length; only validators that all lie
// can have certified another than 32 bytes.
func stateBefore(header *cmttypes.Header) (state.Hash, error) {
	if len(header.AppHash) != state.HashSize {
		return state.Hash{}, fmt.Errorf("%w: the AppHash of block %d has %d bytes", ErrCase, header.Height, len(header.AppHash))
	}
	return state.Hash(header.AppHash), nil
}

// kept says how the promise is kept in a state, "" where it is not. Spec 12.3.
func (j *judge) kept(root state.Hash) (string, error) {
	before, err := j.recordedBefore()
	if err != nil {
		return "", err
	}
	voter, err := j.voter(root)
	if err != nil {
		return "", err
	}
	var e pb.Election
	if err := j.record(root, state.ElectionKey(j.slip.Election), j.c.ElectionRecord, &e); err != nil {
		return "", err
	}
	spoiled, err := j.spoiled(root)
	if err != nil {
		return "", err
	}
	switch {
	case bytes.Equal(voter.Code, j.slip.Code):
		return fmt.Sprintf("the ballot is recorded, at place %d of the ballot log", voter.LogIndex), nil
	case voter.Sequence != 0 && voter.LogIndex >= before:
		return fmt.Sprintf("ballot %d of the same voter was recorded since, at place %d of the ballot log", voter.Sequence, voter.LogIndex), nil
	case voter.Status == pb.VOTER_REVOKED:
		return "the voter's entry of the roll was revoked", nil
	case spoiled:
		return "the voter has challenged this ballot or another with its number, which bars it", nil
	case e.Phase != pb.PHASE_VOTING:
		return fmt.Sprintf("the election is %s", election.PhaseName(e.Phase)), nil
	}
	return "", nil
}

// recordedBefore returns the size of the ballot log after the block before the height of issue.
func (j *judge) recordedBefore() (uint64, error) {
	if j.slip.Issued == 1 {
		if j.c.Before != nil {
			return 0, fmt.Errorf("%w: there is no block before the first", ErrCase)
		}
		return 0, nil
	}
	leaf, err := j.shown.Earlier(j.c.Before)
	if err != nil {
		return 0, fmt.Errorf("the block before the height of issue: %w", err)
	}
	if leaf.Height != j.slip.Issued-1 {
		return 0, fmt.Errorf("%w: block %d is shown in the place of %d", ErrCase, leaf.Height, j.slip.Issued-1)
	}
	for _, l := range leaf.Logs {
		if l.Log == state.LogBallots(j.slip.Election) {
			return l.Size_, nil
		}
	}
	return 0, nil
}

// voter returns the voter's leaf in a state.
func (j *judge) voter(root state.Hash) (*pb.Voter, error) {
	value, err := state.VerifyRecord(root, state.VotersKey(j.slip.Election), j.c.Voters)
	if err != nil {
		return nil, err
	}
	head, err := state.ParseHead(value)
	if err != nil {
		return nil, err
	}
	if err := state.VerifyInclusion(head, j.slip.RollIndex, j.c.Voter, j.c.VoterPath); err != nil {
		return nil, fmt.Errorf("voters' tree: %w", err)
	}
	voter := new(pb.Voter)
	if err := election.Decode(j.c.Voter, voter); err != nil {
		return nil, fmt.Errorf("%w: the voter's leaf: %w", ErrCase, err)
	}
	return voter, nil
}

// record verifies a record and reads it.
func (j *judge) record(root state.Hash, key string, p *pb.RecordProof, into election.Message) error {
	value, err := state.VerifyRecord(root, key, p)
	if err == nil {
		if err = election.Decode(value, into); err != nil {
			err = fmt.Errorf("%w: record %q: %w", ErrCase, key, err)
		}
	}
	return err
}

// spoiled says whether the voter has barred the ballot's number or its first point.
func (j *judge) spoiled(root state.Hash) (bool, error) {
	key := state.SpoiledKey(j.slip.Election, j.slip.RollIndex)
	if j.c.Spoiled.GetAbsent() {
		return false, state.VerifyAbsence(root, key, j.c.Spoiled)
	}
	var list pb.Spoiled
	if err := j.record(root, key, j.c.Spoiled, &list); err != nil {
		return false, err
	}
	for i := range list.Ballots {
		if s := &list.Ballots[i]; s.Sequence == j.slip.Sequence || j.cast.Ballot != nil && bytes.Equal(s.NoncePoint, j.cast.Ballot.Ciphertext[:32]) {
			return true, nil
		}
	}
	return false, nil
}
