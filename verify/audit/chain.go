package audit

import (
	"bytes"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"
	cmttime "github.com/cometbft/cometbft/types/time"
	"github.com/cometbft/cometbft/version"

	"votenode/app"
	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

// firstVersion is the protocol version in the header of the first block. Spec 1.10.
const firstVersion = 1

// chain is what CometBFT's rules make of the blocks so far: what the next header has to say.
type chain struct {
	checks  checks
	id      string
	genesis time.Time

	height        int64
	last          *block
	lastSet       *cmttypes.ValidatorSet // of the last height
	set, nextSet  *cmttypes.ValidatorSet // of the next height and the one after it
	version       uint64                 // protocol version of the next height
	consensusHash []byte
	appHash       []byte // after the last height
	resultsHash   []byte // of the last height

	unverified int // pieces of evidence of a light client attack

	times []int64 // block times by height - 1, unix nanoseconds: evidence names them
	sets  []since // validator sets by first height
}

type since struct {
	height int64
	set    *cmttypes.ValidatorSet
}

func newChain(all checks, doc *pb.Genesis) *chain {
	var list []*cmttypes.Validator
	for _, v := range organisation.FirstEpoch(doc).Validators {
		list = append(list, cmttypes.NewValidator(ed25519.PubKey(v.Key), v.Power))
	}
	set := cmttypes.NewValidatorSet(list)
	return &chain{
		checks: all, id: doc.ChainId, genesis: time.Unix(doc.Time, 0).UTC(),
		set: set, nextSet: set, lastSet: cmttypes.NewValidatorSet(nil),
		version: firstVersion, consensusHash: consensusHash(&doc.Parameters), resultsHash: cmttypes.ABCIResults(nil).Hash(),
		sets: []since{{1, set}},
	}
}

// consensusHash is what CometBFT hashes of its consensus parameters: the greatest block and the gas, which is unlimited. Spec 1.10.
func consensusHash(p *pb.Parameters) []byte {
	params := cmttypes.ConsensusParams{Block: cmttypes.BlockParams{MaxBytes: int64(p.Limits.BlockBytes), MaxGas: -1}}
	return params.Hash()
}

// header checks all that a block's header says, but for the results of execution. Spec 11.2, checks 5 to 9.
func (c *chain) header(b *block) {
	h := b.Height
	c.checks.read(checkHeaders, 1)
	c.checks.expect(b.Version.Block == version.BlockProtocol && b.Version.App == c.version, checkHeaders,
		"height %d: version %d/%d instead of %d/%d", h, b.Version.Block, b.Version.App, version.BlockProtocol, c.version)
	c.checks.expect(b.ChainID == c.id, checkHeaders, "height %d: chain %q instead of %q", h, b.ChainID, c.id)
	c.checks.expect(c.set.HasAddress(b.ProposerAddress), checkHeaders, "height %d: the proposer %X is no validator", h, b.ProposerAddress)

	c.checks.read(checkChain, 1)
	var before cmttypes.BlockID
	if c.last != nil {
		before = c.last.id
	}
	c.checks.expect(b.LastBlockID.Equals(before), checkChain, "height %d: it follows another block than the one before it", h)

	c.checks.read(checkContents, 1)
	c.checks.expect(bytes.Equal(b.DataHash, b.Data.Hash()), checkContents, "height %d: the transactions do not hash to DataHash", h)
	c.checks.expect(bytes.Equal(b.LastCommitHash, b.LastCommit.Hash()), checkContents, "height %d: the commit does not hash to LastCommitHash", h)
	c.checks.expect(bytes.Equal(b.EvidenceHash, b.Evidence.Hash()), checkContents, "height %d: the evidence does not hash to EvidenceHash", h)

	c.checks.read(checkValidators, 1)
	c.checks.expect(bytes.Equal(b.ValidatorsHash, c.set.Hash()), checkValidators, "height %d: ValidatorsHash is not that of the validators in force", h)
	c.checks.expect(bytes.Equal(b.NextValidatorsHash, c.nextSet.Hash()), checkValidators, "height %d: NextValidatorsHash is not that of the next validators", h)
	c.checks.expect(bytes.Equal(b.ConsensusHash, c.consensusHash), checkValidators, "height %d: ConsensusHash is not that of the parameters in force", h)

	c.checks.read(checkTime, 1)
	if want, err := c.time(b); err != nil {
		c.checks.fault(checkTime, "height %d: %v", h, err)
	} else {
		c.checks.expect(b.Time.Equal(want), checkTime, "height %d: the time is %v instead of %v", h, b.Time, want)
		c.checks.expect(c.last == nil || b.Time.After(c.last.Time), checkTime, "height %d: the time is not after that of the block before", h)
	}
}

// time returns the time that a block must have: that of the genesis document, then the median of the precommits for the block before,
// weighted by power.
func (c *chain) time(b *block) (time.Time, error) {
	if c.last == nil {
		return c.genesis, nil
	}
	var weighted []*cmttime.WeightedTime
	total := int64(0)
	for _, s := range b.LastCommit.Signatures {
		if s.BlockIDFlag != cmttypes.BlockIDFlagCommit {
			continue
		}
		_, v := c.lastSet.GetByAddress(s.ValidatorAddress)
		if v == nil {
			return time.Time{}, fmt.Errorf("a precommit for the block before is by %X, who was no validator", s.ValidatorAddress)
		}
		weighted, total = append(weighted, cmttime.NewWeightedTime(s.Timestamp, v.VotingPower)), total+v.VotingPower
	}
	return cmttime.WeightedMedian(weighted, total), nil
}

// attested compares what a header says of the execution of the block before with what came of it here. Spec 11.2, checks 13 and 14.
func (c *chain) attested(b *block) {
	c.checks.read(checkResults, 0)
	c.checks.expect(bytes.Equal(b.LastResultsHash, c.resultsHash), checkResults,
		"height %d: the codes of the transactions are not those that LastResultsHash of the next header attests", b.Height-1)
	c.checks.read(checkState, 1)
	c.checks.expect(bytes.Equal(b.AppHash, c.appHash), checkState,
		"height %d: the state is not the one that AppHash of the next header attests", b.Height-1)
}

// precommits checks every signature of the commit of the block before, and that more than 2/3 of the power signed that block. The
// signatures of those who signed it may have been verified already. Spec 11.2, check 10.
func (c *chain) precommits(b *block, verified bool) {
	commit, h := b.LastCommit, b.Height-1
	if c.last == nil {
		c.checks.read(checkPrecommits, 0)
		c.checks.expect(commit.Height == 0 && commit.Round == 0 && commit.BlockID.IsZero() && commit.Size() == 0, checkPrecommits,
			"height 1: its commit is not empty")
		return
	}
	if commit.Height != h || !commit.BlockID.Equals(c.last.id) || commit.Size() != c.lastSet.Size() {
		c.checks.fault(checkPrecommits, "height %d: the commit in the next block is not for this block and its %d validators", h, c.lastSet.Size())
		return
	}
	power := int64(0)
	for i, s := range commit.Signatures {
		v := c.lastSet.Validators[i]
		if s.BlockIDFlag == cmttypes.BlockIDFlagAbsent {
			continue
		}
		c.checks.read(checkPrecommits, 1)
		counts := s.BlockIDFlag == cmttypes.BlockIDFlagCommit
		good := verified && counts || v.PubKey.VerifySignature(commit.VoteSignBytes(c.id, int32(i)), s.Signature)
		if !good || !bytes.Equal(s.ValidatorAddress, v.Address) {
			c.checks.fault(checkPrecommits, "height %d: the signature of validator %X does not verify", h, v.Address)
			continue
		}
		if counts {
			power += v.VotingPower
		}
	}
	total := c.lastSet.TotalVotingPower()
	c.checks.expect(3*power > 2*total, checkPrecommits, "height %d: signed by %d of %d of the power, more than 2/3 are needed", h, power, total)
}

// evidence checks what the block says against validators. Evidence of a light client attack is counted and not verified: nothing that
// an election rests on depends on it. Spec 11.2, check 11.
func (c *chain) evidence(b *block) {
	c.checks.read(checkEvidence, int64(len(b.Evidence.Evidence)))
	for _, e := range b.Evidence.Evidence {
		if err := c.piece(b, e); err != nil {
			c.checks.fault(checkEvidence, "height %d: %v", b.Height, err)
		}
	}
}

func (c *chain) piece(b *block, e cmttypes.Evidence) error {
	twice, ok := e.(*cmttypes.DuplicateVoteEvidence)
	if !ok {
		c.unverified++
		return nil
	}
	h := twice.VoteA.Height
	if h < 1 || h >= b.Height || twice.VoteB.Height != h {
		return fmt.Errorf("evidence of height %d", h)
	}
	set := c.setAt(h)
	_, v := set.GetByAddress(twice.VoteA.ValidatorAddress)
	switch {
	case v == nil || !bytes.Equal(twice.VoteB.ValidatorAddress, v.Address):
		return fmt.Errorf("evidence against %X, who was no validator at height %d", twice.VoteA.ValidatorAddress, h)
	case twice.VoteA.Round != twice.VoteB.Round || twice.VoteA.Type != twice.VoteB.Type || twice.VoteA.BlockID.Equals(twice.VoteB.BlockID):
		return fmt.Errorf("evidence against %X: its two votes do not contradict each other", v.Address)
	case v.VotingPower != twice.ValidatorPower || set.TotalVotingPower() != twice.TotalVotingPower || twice.Timestamp.UnixNano() != c.times[h-1]:
		return fmt.Errorf("evidence against %X: power or time are not those of height %d", v.Address, h)
	}
	for _, vote := range []*cmttypes.Vote{twice.VoteA, twice.VoteB} {
		if !v.PubKey.VerifySignature(cmttypes.VoteSignBytes(c.id, vote.ToProto()), vote.Signature) {
			return fmt.Errorf("evidence against %X: a signature does not verify", v.Address)
		}
	}
	return nil
}

func (c *chain) setAt(height int64) *cmttypes.ValidatorSet {
	found := c.sets[0].set
	for _, s := range c.sets {
		if s.height <= height {
			found = s.set
		}
	}
	return found
}

// commit returns who signed the block before, as CometBFT tells the application.
func (c *chain) commit(b *block) []app.CommitVote {
	if c.last == nil {
		return nil
	}
	votes := make([]app.CommitVote, c.lastSet.Size())
	for i, v := range c.lastSet.Validators {
		votes[i].Address = [20]byte(v.Address)
		votes[i].Signed = i < b.LastCommit.Size() && b.LastCommit.Signatures[i].BlockIDFlag == cmttypes.BlockIDFlagCommit
	}
	return votes
}

// advance goes to the next height with what the execution of the block gave.
func (c *chain) advance(b *block, r *executed) {
	c.height, c.last = b.Height, b
	c.times = append(c.times, b.Time.UnixNano())
	c.appHash, c.resultsHash = r.appHash[:], r.resultsHash
	if r.outcome.Version != 0 {
		c.version = r.outcome.Version
	}
	if r.outcome.Parameters != nil {
		c.consensusHash = consensusHash(r.outcome.Parameters)
	}
	c.lastSet, c.set = c.set, c.nextSet
	if len(r.outcome.ValidatorUpdates) == 0 {
		return
	}
	var changes []*cmttypes.Validator
	for _, u := range r.outcome.ValidatorUpdates {
		changes = append(changes, cmttypes.NewValidator(ed25519.PubKey(u.Key[:]), u.Power))
	}
	next := c.nextSet.Copy()
	if err := next.UpdateWithChangeSet(changes); err != nil {
		c.checks.fault(checkValidators, "height %d: CometBFT would refuse its validator updates: %v", b.Height, err)
		return
	}
	c.nextSet = next
	c.sets = append(c.sets, since{b.Height + 2, next})
}
