package app

import (
	"fmt"
	"strconv"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// combineBudget is how many options are combined at most at the end of one block; at least one contest is. Spec 8.9.
const combineBudget = 2_000

// logTableSize is the number of baby steps of the shared table: a count of a million takes some 250 giant steps.
const logTableSize = 1 << 12

// beginDecryption withholds what is too small to be opened and reads off the sums in which nothing is encrypted. Spec 8.8.
func (x *execution) beginDecryption(id string, e *pb.Election, m *pb.Manifest) error {
	e.ContestsOpen = uint32(len(m.Contests))
	for c := range m.Contests {
		contest := uint32(c)
		sum, err := x.sum(id, contest, len(m.Contests[c].Options))
		if err != nil {
			return err
		}
		switch {
		case sum.Count < uint64(m.OpenMin):
			x.decide(id, e, contest, &pb.Result{Status: pb.RESULT_WITHHELD, Ballots: sum.Count})
		case sum.A0.IsIdentity():
			if err := x.open(id, e, m, contest, nil); err != nil {
				return err
			}
		}
	}
	x.save(state.ElectionKey(id), e)
	x.finishWhenDecided(id, e)
	return nil
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
	budget, done := combineBudget, 0
	for _, contest := range queue.Contests {
		options := len(m.Contests[contest].Options)
		if done > 0 && options > budget {
			break
		}
		budget -= options
		done++
		shares, err := x.quorumShares(id, contest, options, keys)
		if err != nil {
			return err
		}
		if err := x.open(id, e, m, contest, shares); err != nil {
			return err
		}
	}
	queue.Contests = queue.Contests[done:]
	if len(queue.Contests) == 0 {
		x.DeleteRecord(state.QueueKey(id))
	} else {
		x.save(state.QueueKey(id), queue)
	}
	x.save(state.ElectionKey(id), e)
	x.finishWhenDecided(id, e)
	return nil
}

// quorumShares returns the proven shares of a contest by organisation.
func (x *execution) quorumShares(id string, contest uint32, options int, keys *pb.ElectionKeys) ([]threshold.QuorumShares, error) {
	var all []threshold.QuorumShares
	for i := range keys.Organisations {
		o := &keys.Organisations[i]
		q := threshold.QuorumShares{Quorum: int(o.Quorum)}
		prefix := state.PartialPrefix(id, contest) + o.Organisation + "/"
		err := x.Records(prefix, func(key string, value []byte) error {
			var p pb.Partial
			if err := election.Decode(value, &p); err != nil {
				return err
			}
			pd, err := threshold.ParsePartialDecryption(p.Shares, p.Proof, options)
			if err != nil {
				return err
			}
			index, err := strconv.ParseUint(strings.TrimPrefix(key, prefix), 10, 32)
			q.Trustees = append(q.Trustees, threshold.TrusteeShares{Index: uint32(index), Shares: pd.Shares})
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%w: partial decryptions of contest %d of %q: %w", state.ErrCorrupted, contest, id, err)
		}
		all = append(all, q)
	}
	return all, nil
}

// open combines the shares of a contest and records the votes. A sum outside its bounds is nobody's share: every ballot and
// every share was proven, so the store is corrupted.
func (x *execution) open(id string, e *pb.Election, m *pb.Manifest, contest uint32, shares []threshold.QuorumShares) error {
	options := len(m.Contests[contest].Options)
	sum, err := x.sum(id, contest, options)
	if err != nil {
		return err
	}
	points, err := threshold.Combine(sum.A0, sum.A, shares)
	if err != nil {
		return fmt.Errorf("%w: opening contest %d of %q: %w", state.ErrCorrupted, contest, id, err)
	}
	if x.logs == nil {
		x.logs = threshold.NewLogTable(logTableSize)
	}
	result := &pb.Result{Status: pb.RESULT_OPENED, Ballots: sum.Count}
	for i, p := range points {
		votes, ok := x.logs.Solve(p, sum.Count)
		if !ok {
			return fmt.Errorf("%w: option %d of contest %d of %q has more votes than ballots", state.ErrCorrupted, i, contest, id)
		}
		result.Votes = append(result.Votes, votes)
	}
	x.decide(id, e, contest, result)
	return nil
}

func (x *execution) decide(id string, e *pb.Election, contest uint32, result *pb.Result) {
	x.save(state.ResultKey(id, contest), result)
	e.ContestsOpen--
}

func (x *execution) finishWhenDecided(id string, e *pb.Election) {
	if e.ContestsOpen == 0 {
		x.move(id, e, election.ContestsDecided)
	}
}
