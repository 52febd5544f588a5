package app

import (
	"strconv"

	"votenode/app/election"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// maxLists is how many lists are formed at the end of one block: each orders at most 200 candidates. Spec 17.4.
const maxLists = 1_000

// queueLists queues the lists of contests that were just decided.
func (x *execution) queueLists(id string, m *pb.Manifest, contests []uint32) error {
	var fresh []uint32
	for _, contest := range contests {
		if m.Contests[contest].List != nil {
			fresh = append(fresh, contest)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	queue, err := state.Load[pb.ListQueue](x, state.ListQueueKey(id))
	if err != nil {
		return err
	}
	if queue == nil {
		queue = new(pb.ListQueue)
	}
	queue.Contests = append(queue.Contests, fresh...)
	x.save(state.ListQueueKey(id), queue)
	return nil
}

// listsFormed says whether no list of an election is missing and its lot block is fixed, where there are lists.
func (r *reading) listsFormed(id string) (bool, error) {
	lot, err := state.Load[pb.Lot](r, state.LotKey(id))
	if err != nil || lot == nil {
		return err == nil, err
	}
	queue, err := state.Load[pb.ListQueue](r, state.ListQueueKey(id))
	return lot.Fixed && queue == nil, err
}

// advanceLists fixes the lot block, and forms the lists of decided contests in the order in which they were queued, as many
// as a block may. Spec 17.4.
func (x *execution) advanceLists(id string, e *pb.Election) error {
	if e.Phase != pb.PHASE_CLOSED && e.Phase != pb.PHASE_DECRYPTING {
		return nil
	}
	lot, err := state.Load[pb.Lot](x, state.LotKey(id))
	if err != nil || lot == nil {
		return err
	}
	if err := x.fixLot(id, e, lot); err != nil || e.Phase == pb.PHASE_CLOSED {
		return err
	}
	if err := x.formLists(id, e, lot); err != nil {
		return err
	}
	return x.finishWhenDecided(id, e)
}

// formLists forms the lists that wait. Those in which a tie matters are put aside until the lot is drawn.
func (x *execution) formLists(id string, e *pb.Election, lot *pb.Lot) error {
	queue, err := state.Load[pb.ListQueue](x, state.ListQueueKey(id))
	if err != nil || queue == nil {
		return err
	}
	if len(lot.Seed) > 0 {
		queue.Contests, queue.Tied = append(queue.Contests, queue.Tied...), nil
	}
	if len(queue.Contests) == 0 {
		return nil
	}
	m, err := x.manifest(x, e.Manifest)
	if err != nil {
		return err
	}
	removed, err := x.removedOptions(id)
	if err != nil {
		return err
	}
	for ; len(queue.Contests) > 0 && x.formed < maxLists; x.formed++ {
		contest := queue.Contests[0]
		queue.Contests = queue.Contests[1:]
		list, err := x.list(id, contest, &m.Contests[contest], removed[contest], lot.Seed)
		if err != nil {
			return err
		}
		if list == nil {
			queue.Tied = append(queue.Tied, contest)
			continue
		}
		x.save(state.ListKey(id, contest), list)
		x.emit("list", "election", id, "contest", strconv.FormatUint(uint64(contest), 10))
	}
	if len(queue.Contests)+len(queue.Tied) == 0 {
		x.DeleteRecord(state.ListQueueKey(id))
	} else {
		x.save(state.ListQueueKey(id), queue)
	}
	return nil
}

// list returns the list of a decided contest, nil where it needs a lot that is not drawn.
func (x *execution) list(id string, contest uint32, c *pb.Contest, removed map[uint32]bool, seed []byte) (*pb.List, error) {
	result, err := state.MustLoad[pb.Result](x, state.ResultKey(id, contest))
	if err != nil {
		return nil, err
	}
	if result.Status == pb.RESULT_WITHHELD {
		return &pb.List{Status: pb.LIST_WITHHELD, Seats: c.List.Seats, Outside: c.List.Outside}, nil
	}
	return election.FormList(c, votesOf(result), removed, election.Lot{Seed: seed, Contest: contest}), nil
}

// removedOptions returns those that were removed from an election, by contest.
func (r *reading) removedOptions(id string) (map[uint32]map[uint32]bool, error) {
	record, err := state.Load[pb.RemovedCandidates](r, state.RemovedKey(id))
	if err != nil || record == nil {
		return nil, err
	}
	all := make(map[uint32]map[uint32]bool)
	for _, c := range record.Removed {
		if all[c.Contest] == nil {
			all[c.Contest] = make(map[uint32]bool)
		}
		all[c.Contest][c.Option] = true
	}
	return all, nil
}
