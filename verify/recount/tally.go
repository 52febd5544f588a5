package recount

import (
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// part names one trustee's part in opening a contest.
type part struct {
	contest      uint32
	organisation string
	index        uint32
}

// beginTally withholds what is too small to be opened and queues what nothing is encrypted in. Spec 8.8.
func (r *Recount) beginTally(e *election) error {
	if err := e.countAgain(); err != nil {
		return err
	}
	e.tallying, e.paperSums = true, e.addUpPaper()
	ballots := e.merge()
	for contest := range e.sums {
		switch {
		case e.results[contest] != nil: // merged
		case ballots[contest] < uint64(e.manifest.OpenMin):
			e.decided(uint32(contest), &pb.Result{Status: pb.RESULT_WITHHELD, Ballots: ballots[contest]})
		case e.toOpen(uint32(contest)).A0.IsIdentity():
			e.queue = append(e.queue, uint32(contest))
		}
	}
	r.finish(e)
	return nil
}

// merge decides which contests are merged and adds their sums up; it returns the ballots that each contest has with those that were merged into
// it. A contest waits for nothing but later ones. Spec 8.10.
func (e *election) merge() []uint64 {
	ballots, groups := make([]uint64, len(e.sums)), make([][]int, len(e.sums)) // groups are the contests that were merged into one, at once or before
	for contest := len(e.sums) - 1; contest >= 0; contest-- {
		ballots[contest] += e.sums[contest].Count
		into := int(e.manifest.Contests[contest].Merge) - 1
		switch small := ballots[contest] < uint64(e.manifest.OpenMin); {
		case small && into >= 0:
			ballots[into] += ballots[contest]
			groups[into] = append(append(groups[into], contest), groups[contest]...)
			e.decided(uint32(contest), &pb.Result{Status: pb.RESULT_MERGED, Ballots: ballots[contest], MergedInto: uint32(into)})
		case !small && len(groups[contest]) > 0:
			sum := ballot.NewEncryptedTally(len(e.sums[contest].A))
			for _, member := range append(groups[contest], contest) {
				sum.Count += e.sums[member].Count
				sum.A0.Add(sum.A0, e.sums[member].A0)
				for option := range sum.A {
					sum.A[option].Add(sum.A[option], e.sums[member].A[option])
				}
			}
			e.joined[uint32(contest)] = sum
		}
	}
	return ballots
}

// toOpen returns the sum that is opened of a contest.
func (e *election) toOpen(contest uint32) *ballot.EncryptedTally {
	if sum := e.joined[contest]; sum != nil {
		return sum
	}
	return e.sums[contest]
}

// decided takes a result, with what stands on paper of the contest and of all that are merged into it. Spec 18.4.
func (e *election) decided(contest uint32, result *pb.Result) {
	e.results[contest] = result
	if e.manifest.Contests[contest].List != nil && result.Status != pb.RESULT_MERGED {
		e.listQueue.Contests = append(e.listQueue.Contests, contest)
	}
	for later := range e.results {
		if len(e.onPaper) == 0 {
			break
		}
		for at := uint32(later); ; at = e.results[at].MergedInto {
			if at == contest {
				e.addPaper(uint32(later), result)
				break
			}
			if e.results[at] == nil || e.results[at].Status != pb.RESULT_MERGED {
				break
			}
		}
	}
	if result.Ballots == 0 && result.Status == pb.RESULT_WITHHELD && len(result.PaperVotes) > 0 {
		result.Status, result.Votes = pb.RESULT_OPENED, make([]uint64, len(result.PaperVotes))
	}
}

// countAgain compares the number of ballots in every sum with the voters' list: as many voters count whose style has the contest.
func (e *election) countAgain() error {
	counts := make([]uint64, len(e.sums))
	err := e.roll.eachVoter(func(i uint64, v voter) error {
		if v.status != pb.VOTER_COUNTS {
			return nil
		}
		entry, err := e.roll.entry(i)
		if err != nil {
			return err
		}
		style, _ := e.style(entry)
		for _, contest := range e.manifest.Styles[style].Contests {
			counts[contest]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	for contest, sum := range e.sums {
		if sum.Count != counts[contest] {
			return contradiction("the sum of contest %d has %d ballots, and %d voters count", contest, sum.Count, counts[contest])
		}
	}
	return nil
}

// undecided counts the contests without a result.
func (e *election) undecided() uint32 {
	n := uint32(0)
	for _, result := range e.results {
		if result == nil {
			n++
		}
	}
	return n
}

// finish ends an election whose contests are decided and whose lists are formed. Spec 8.2.
func (r *Recount) finish(e *election) {
	waiting := e.hasList() && !e.lot.Fixed || len(e.listQueue.Contests)+len(e.listQueue.Tied) > 0
	if e.undecided() == 0 && !waiting {
		r.move(e, pb.PHASE_FINAL)
	}
}

// postPartials: spec 9.32.
func (r *Recount) postPartials(signer []byte, m *pb.PostPartials) error {
	e, _, index, err := r.trustee(m.Election, m.Organisation, signer, pb.PHASE_DECRYPTING)
	if err != nil {
		return err
	}
	var fresh []*pb.PartialDecryption
	for i := range m.Partials {
		p := &m.Partials[i]
		if uint64(p.Contest) >= uint64(len(e.results)) {
			return refuse(codeUnknownContest, "there is no contest %d", p.Contest)
		}
		if e.partials[part{p.Contest, m.Organisation, index}] != nil {
			continue
		}
		if e.results[p.Contest] != nil {
			return refuse(codeContestDecided, "contest %d has its result", p.Contest)
		}
		if err := r.checkPartial(e, m.Organisation, index, p); err != nil {
			return err
		}
		fresh = append(fresh, p)
	}
	if len(fresh) == 0 {
		return refuse(codeAlreadyDone, "trustee %d has posted these", index)
	}
	r.parts = true
	for _, p := range fresh {
		e.partials[part{p.Contest, m.Organisation, index}] = &pb.Partial{Shares: p.Shares, Proof: p.Proof}
		e.enqueue(p.Contest)
	}
	return nil
}

// checkPartial verifies one trustee's part of the sum of a contest. Spec 4.10.
func (r *Recount) checkPartial(e *election, organisation string, index uint32, p *pb.PartialDecryption) error {
	contest, sum := &e.manifest.Contests[p.Contest], e.toOpen(p.Contest)
	_, own := e.key(organisation, index)
	if own == nil {
		return refuse(codeTrusteeEjected, "trustee %d has no share of the key", index)
	}
	shares, err := threshold.ParsePartialDecryption(p.Shares, p.Proof, len(contest.Options))
	if err != nil {
		return refuse(codeDecryptionProof, "contest %d: %v", p.Contest, err)
	}
	statement := &threshold.TallyStatement{
		Chain: r.chain, Election: e.id, KeyDigest: e.digest, Contest: p.Contest, Organisation: organisation, Trustee: index,
		A0: sum.A0, A: sum.A, Keys: own.Keys[contest.FirstSlot:][:len(contest.Options)],
	}
	if err := threshold.VerifyPartial(statement, shares); err != nil {
		return refuse(codeDecryptionProof, "contest %d: %v", p.Contest, err)
	}
	return nil
}

// shares returns the parts of a contest that an organisation's trustees have posted.
func (e *election) shares(contest uint32, k *threshold.OrganisationKey) (threshold.QuorumShares, error) {
	q := threshold.QuorumShares{Quorum: k.Quorum}
	for _, t := range k.Trustees {
		p := e.partials[part{contest, k.Organisation, t.Index}]
		if p == nil {
			continue
		}
		points, err := threshold.ParsePoints(p.Shares, len(e.manifest.Contests[contest].Options))
		if err != nil {
			return q, contradiction("partial decryption of contest %d: %v", contest, err)
		}
		q.Trustees = append(q.Trustees, threshold.TrusteeShares{Index: t.Index, Shares: points})
	}
	return q, nil
}

// enqueue puts a contest into the queue once in each organisation a quorum has posted. Spec 8.9.
func (e *election) enqueue(contest uint32) {
	for _, queued := range e.queue {
		if queued == contest {
			return
		}
	}
	for _, k := range e.keys {
		posted := 0
		for _, t := range k.Trustees {
			if e.partials[part{contest, k.Organisation, t.Index}] != nil {
				posted++
			}
		}
		if posted < k.Quorum {
			return
		}
	}
	e.queue = append(e.queue, contest)
}

// advanceTally combines contests from the front of the queue: the first in any case, each further one while all of the block
// cost at most 6,000 together, or 1,000 where the block brought partial decryptions. Spec 8.9.
func (r *Recount) advanceTally(e *election) error {
	if e.phase != pb.PHASE_DECRYPTING || len(e.queue) == 0 {
		return nil
	}
	limit, done := uint64(6_000), 0
	if r.parts {
		limit = 1_000
	}
	for _, contest := range e.queue {
		cost := e.tallyCost(contest)
		if done > 0 && r.combined+cost > limit {
			break
		}
		r.combined += cost
		if err := r.openContest(e, contest); err != nil {
			return err
		}
		done++
	}
	e.queue = e.queue[done:]
	r.finish(e)
	return nil
}

// tallyCost is the number of options, and one more for every 262,144 votes that there may be. Spec 8.9.
func (e *election) tallyCost(contest uint32) uint64 {
	c := &e.manifest.Contests[contest]
	return uint64(len(c.Options)) + e.toOpen(contest).Count*uint64(c.MaxSelections)/262_144
}

// openContest opens the sum of a contest and finds the votes. Spec 4.11.
func (r *Recount) openContest(e *election, contest uint32) error {
	sum := e.toOpen(contest)
	var all []threshold.QuorumShares
	for _, k := range e.keys {
		q, err := e.shares(contest, k)
		if err != nil {
			return err
		}
		all = append(all, q)
	}
	points, err := threshold.Combine(sum.A0, sum.A, all)
	if err != nil {
		return contradiction("contest %d: %v", contest, err)
	}
	if r.logs == nil || r.searched < sum.Count {
		r.searched = max(1<<16, 2*sum.Count)
		r.logs = threshold.NewLogTable(r.searched)
	}
	result := &pb.Result{Status: pb.RESULT_OPENED, Ballots: sum.Count}
	for option, p := range points {
		votes, found := r.logs.Solve(p, sum.Count)
		if !found {
			return contradiction("option %d of contest %d has more votes than ballots", option, contest)
		}
		result.Votes = append(result.Votes, votes)
	}
	e.decided(contest, result)
	return nil
}
