package app

import (
	"fmt"
	"strconv"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// What the contests that are combined at the end of one block cost at most; of each election at least one is. A block that brings partial
// decryptions has their proofs to verify besides. Spec 8.9.
const (
	combineBudget          = 6_000
	combineBudgetWithParts = 1_000
)

// openingCost is what opening a contest costs, in options: to combine the shares of each, and to search its votes, of which there are
// at most ballots times selections. Spec 8.9.
func openingCost(contest *pb.Contest, ballots uint64) uint64 {
	const votes = 1 << 18 // whose search takes as long as combining an option
	return uint64(len(contest.Options)) + uint64(contest.MaxSelections)*ballots/votes
}

// logTable is the table in which votes are searched, as large as the greatest number of ballots so far asks for.
type logTable struct {
	*threshold.LogTable
	ballots uint64
}

// maxLogRange bounds the table to 2^16 entries.
const maxLogRange = 1 << 28

// grow makes the table large enough for sums of so many ballots: a million votes are found in at most 64 steps, fewer in fewer.
func (t *logTable) grow(ballots uint64) {
	for t.LogTable == nil || t.ballots < ballots {
		t.ballots = max(4*t.ballots, 1<<10)
		if t.ballots >= ballots {
			t.LogTable = threshold.NewLogTable(min(16*t.ballots, maxLogRange))
		}
	}
}

// beginDecryption merges and withholds what is too small to be opened, and queues the sums in which nothing is encrypted: they need no shares.
// Spec 8.8, 8.10.
func (x *execution) beginDecryption(id string, e *pb.Election, m *pb.Manifest) error {
	e.ContestsOpen = uint32(len(m.Contests))
	joined, err := x.mergeContests(id, e, m)
	if err != nil {
		return err
	}
	queue, most, withheld := new(pb.TallyQueue), uint64(0), []uint32(nil)
	for c := range joined {
		contest, j := uint32(c), &joined[c]
		switch {
		case j.merged:
			continue
		case j.ballots < uint64(m.OpenMin):
			result := &pb.Result{Status: pb.RESULT_WITHHELD, Ballots: j.ballots}
			if err := x.decide(id, e, m, contest, j.joined, result); err != nil {
				return err
			}
			withheld = append(withheld, contest)
			continue
		case j.plain:
			queue.Contests = append(queue.Contests, contest)
		}
		most = max(most, j.ballots)
	}
	if len(queue.Contests) > 0 {
		x.save(state.QueueKey(id), queue)
	}
	if e.ContestsOpen > 0 {
		x.logs.grow(most) // now, where a block has little else to do
	}
	x.save(state.ElectionKey(id), e)
	if err := x.queueLists(id, m, withheld); err != nil {
		return err
	}
	return x.finishWhenDecided(id, e)
}

// joinedContest is a contest with all that were merged into it.
type joinedContest struct {
	ballots uint64
	plain   bool                   // nothing is encrypted in the sum
	merged  bool                   // into another
	joined  bool                   // by others
	sum     *ballot.EncryptedTally // nil where it is neither
}

// mergeContests decides, from the last contest to the first, which contests are merged: what would be merged into a contest comes before it. The
// sum of each contest that is opened with others is written beside its own, which stays. Spec 8.10.
func (x *execution) mergeContests(id string, e *pb.Election, m *pb.Manifest) ([]joinedContest, error) {
	joined := make([]joinedContest, len(m.Contests))
	for c := range joined {
		sum, err := x.sum(id, uint32(c))
		if err != nil {
			return nil, err
		}
		joined[c].ballots, joined[c].plain = sum.Count, sum.Plain()
	}
	for c := len(joined) - 1; c >= 0; c-- {
		from, contest := &joined[c], uint32(c)
		if from.ballots >= uint64(m.OpenMin) || m.Contests[c].Merge == 0 {
			if from.joined && from.ballots >= uint64(m.OpenMin) {
				x.SetRecord(state.MergedSumKey(id, contest), from.sum.Bytes())
				from.plain = from.sum.A0.IsIdentity()
			}
			continue
		}
		into := m.Contests[c].Merge - 1
		if err := x.join(id, m, from, contest, &joined[into], into); err != nil {
			return nil, err
		}
		result := &pb.Result{Status: pb.RESULT_MERGED, Ballots: from.ballots, MergedInto: into}
		if err := x.decide(id, e, m, contest, from.joined, result); err != nil {
			return nil, err
		}
	}
	return joined, nil
}

// join adds a contest, with what was merged into it, to another.
func (x *execution) join(id string, m *pb.Manifest, from *joinedContest, contest uint32, to *joinedContest, into uint32) error {
	for _, j := range []struct {
		*joinedContest
		contest uint32
	}{{from, contest}, {to, into}} {
		if j.sum != nil {
			continue
		}
		key := state.SumKey(id, j.contest)
		value, err := x.Record(key)
		if err != nil {
			return err
		}
		if j.sum, err = ballot.ParseTally(len(m.Contests[j.contest].Options), value); err != nil {
			return fmt.Errorf("%w: sum %q: %w", state.ErrCorrupted, key, err)
		}
	}
	from.merged, to.joined = true, true
	to.ballots += from.ballots
	return to.sum.Join(from.sum)
}

// advanceDecryption combines contests in the order in which they became complete, as many as the budget of a block allows.
func (x *execution) advanceDecryption(id string, e *pb.Election) error {
	if e.Phase != pb.PHASE_DECRYPTING {
		return nil
	}
	queue, err := state.Load[pb.TallyQueue](x, state.QueueKey(id))
	if err != nil || queue == nil {
		return err
	}
	m, err := x.manifest(x, e.Manifest)
	if err != nil {
		return err
	}
	keys, err := state.MustLoad[pb.ElectionKeys](x, state.KeysKey(id))
	if err != nil {
		return err
	}
	openings, err := x.nextOpenings(id, m, keys, queue)
	if err != nil {
		return err
	}
	results := make([]*pb.Result, len(openings))
	err = inParallel(len(openings), func(i int) (err error) {
		if results[i], err = openings[i].result(x.logs.LogTable); err != nil {
			err = fmt.Errorf("%w: opening contest %d of %q: %w", state.ErrCorrupted, openings[i].contest, id, err)
		}
		return err
	})
	if err != nil {
		return err
	}
	for i, o := range openings {
		if err := x.decide(id, e, m, o.contest, o.joined, results[i]); err != nil {
			return err
		}
	}
	if err := x.queueLists(id, m, queue.Contests[:len(openings)]); err != nil {
		return err
	}
	if queue.Contests = queue.Contests[len(openings):]; len(queue.Contests) == 0 {
		x.DeleteRecord(state.QueueKey(id))
	} else {
		x.save(state.QueueKey(id), queue)
	}
	x.save(state.ElectionKey(id), e)
	return x.finishWhenDecided(id, e)
}

// opening is a sum with the shares that open it, as they stand in the records.
type opening struct {
	contest uint32
	options int
	sum     *ballot.TallyBytes
	joined  bool           // by contests that are merged into it
	shares  []postedShares // by organisation
}

// postedShares are those of the quorum of an organisation, in the order of its indices.
type postedShares struct {
	quorum  int
	indices []uint32
	shares  [][]byte
}

// nextOpenings reads the contests at the front of the queue that one block opens.
func (x *execution) nextOpenings(id string, m *pb.Manifest, keys *pb.ElectionKeys, queue *pb.TallyQueue) ([]opening, error) {
	var all []opening
	budget := uint64(combineBudget)
	if x.parts {
		budget = combineBudgetWithParts
	}
	for _, contest := range queue.Contests {
		o := opening{contest: contest, options: len(m.Contests[contest].Options)}
		sum, joined, err := x.sumToOpen(id, contest)
		if err != nil {
			return nil, err
		}
		cost := openingCost(&m.Contests[contest], sum.Count)
		if len(all) > 0 && x.combined+cost > budget {
			break
		}
		x.combined += cost
		x.logs.grow(sum.Count)
		o.sum, o.joined = sum, joined
		for i := range keys.Organisations {
			posted, err := x.quorumShares(id, contest, &keys.Organisations[i])
			if err != nil {
				return nil, err
			}
			o.shares = append(o.shares, posted)
		}
		all = append(all, o)
	}
	return all, nil
}

// quorumShares returns the proven shares of a contest from the lowest indices of an organisation, as many as its quorum where there are.
func (x *execution) quorumShares(id string, contest uint32, o *pb.OrganisationKeys) (postedShares, error) {
	posted := postedShares{quorum: int(o.Quorum)}
	prefix := state.PartialPrefix(id, contest) + o.Organisation + "/"
	err := x.Records(prefix, func(key string, value []byte) error {
		if len(posted.indices) == posted.quorum {
			return nil
		}
		var p pb.Partial
		if err := election.Decode(value, &p); err != nil {
			return err
		}
		index, err := strconv.ParseUint(strings.TrimPrefix(key, prefix), 10, 32)
		posted.indices, posted.shares = append(posted.indices, uint32(index)), append(posted.shares, p.Shares)
		return err
	})
	if err != nil {
		return posted, fmt.Errorf("%w: partial decryptions of contest %d of %q: %w", state.ErrCorrupted, contest, id, err)
	}
	return posted, nil
}

// result combines the shares and finds the votes. Every ballot and every share was proven, so whatever fails is nobody's share but a
// corrupted store, a sum outside its bounds too. It depends on nothing but the opening.
func (o *opening) result(logs *threshold.LogTable) (*pb.Result, error) {
	sum, err := o.sum.Parse(o.options)
	if err != nil {
		return nil, err
	}
	var all []threshold.QuorumShares
	for _, posted := range o.shares {
		q := threshold.QuorumShares{Quorum: posted.quorum}
		for i, index := range posted.indices {
			points, err := threshold.ParsePoints(posted.shares[i], o.options)
			if err != nil {
				return nil, err
			}
			q.Trustees = append(q.Trustees, threshold.TrusteeShares{Index: index, Shares: points})
		}
		all = append(all, q)
	}
	points, err := threshold.Combine(sum.A0, sum.A, all)
	if err != nil {
		return nil, err
	}
	result := &pb.Result{Status: pb.RESULT_OPENED, Ballots: sum.Count}
	for i, p := range points {
		votes, ok := logs.Solve(p, sum.Count)
		if !ok {
			return nil, fmt.Errorf("option %d has more votes than ballots", i)
		}
		result.Votes = append(result.Votes, votes)
	}
	return result, nil
}

// decide writes a result, with what was counted on paper: of this contest and, where it was joined by others, of those that are merged into it,
// whose results stand.
func (x *execution) decide(id string, e *pb.Election, m *pb.Manifest, contest uint32, joined bool, result *pb.Result) error {
	if err := x.addPaper(id, contest, result); err != nil {
		return err
	}
	for later := int(contest) + 1; joined && later < len(m.Contests); later++ {
		if m.Contests[later].Merge != contest+1 {
			continue
		}
		part, err := state.Load[pb.Result](x, state.ResultKey(id, uint32(later)))
		if err != nil {
			return err
		}
		if part != nil && part.Status == pb.RESULT_MERGED && part.PaperVotes != nil {
			addPaper(result, &pb.PaperSum{Ballots: part.PaperBallots, Votes: part.PaperVotes, Invalid: part.PaperInvalid})
		}
	}
	if result.Status == pb.RESULT_WITHHELD && result.Ballots == 0 && result.PaperVotes != nil { // there is nothing electronic to keep secret
		result.Status, result.Votes = pb.RESULT_OPENED, make([]uint64, len(result.PaperVotes))
	}
	x.save(state.ResultKey(id, contest), result)
	e.ContestsOpen--
	return nil
}

// finishWhenDecided ends an election of which every contest has a result and every list is formed. Spec 8.2.
func (x *execution) finishWhenDecided(id string, e *pb.Election) error {
	if e.ContestsOpen > 0 {
		return nil
	}
	formed, err := x.listsFormed(id)
	if formed {
		x.move(id, e, election.ContestsDecided)
	}
	return err
}
