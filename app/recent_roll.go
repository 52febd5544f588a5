package app

import (
	"sync"

	pb "votenode/proto/votenode/v1"
)

// recentEntries is how many entries of rolls are remembered at least, and half of the most.
const recentEntries = 1 << 15

// rollPlace names an entry of a sealed roll for ever: the root fixes the roll.
type rollPlace struct {
	root  [32]byte
	index uint64
}

// recentRoll remembers the entries of sealed rolls that were asked for last: the same voter is looked up when a ballot is checked, when
// it is verified and when it is recorded. It is safe for concurrent use.
type recentRoll struct {
	mu         sync.Mutex
	young, old map[rollPlace]*pb.RollEntry // new ones come to young; when that is full, it becomes old
}

// get returns an entry, nil where it is not remembered.
func (r *recentRoll) get(place rollPlace) *pb.RollEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry := r.young[place]; entry != nil {
		return entry
	}
	return r.old[place]
}

func (r *recentRoll) put(place rollPlace, entry *pb.RollEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.young == nil || len(r.young) >= recentEntries {
		r.young, r.old = map[rollPlace]*pb.RollEntry{}, r.young
	}
	r.young[place] = entry
}
