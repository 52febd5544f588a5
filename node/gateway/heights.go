package gateway

import (
	"fmt"
	"sort"

	"votenode/app/election"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// heights finds heights in the blocks log of one state: its leaf number h - 1 says when block h was made and how long the logs were
// after it. It remembers the last leaf, and is for one goroutine.
type heights struct {
	*state.Snapshot
	last  pb.BlockLeaf
	bytes int // of all leaves that were read
}

// leaf returns the leaf of a height from 1 to that of the state.
func (h *heights) leaf(height int64) (*pb.BlockLeaf, error) {
	if h.last.Height == height {
		return &h.last, nil
	}
	b, err := h.Leaf(state.LogBlocks, uint64(height-1))
	if err != nil {
		return nil, err
	}
	var leaf pb.BlockLeaf
	if err := election.Decode(b, &leaf); err != nil || leaf.Height != height {
		return nil, fmt.Errorf("%w: leaf %d of the blocks log is not of its height", state.ErrCorrupted, height-1)
	}
	h.last, h.bytes = leaf, h.bytes+len(b)
	return &leaf, nil
}

// first returns the leaf of the first height from low on for which holds is true, nil where there is none. What holds at a height holds at all
// greater ones. It looks at the near ones first, and at a number of leaves that grows with the logarithm of the distance.
func (h *heights) first(low int64, holds func(*pb.BlockLeaf) bool) (*pb.BlockLeaf, error) {
	for step := int64(1); ; step *= 2 {
		high := min(low+step-1, h.Height())
		if high < low {
			return nil, nil
		}
		leaf, err := h.leaf(high)
		if err != nil {
			return nil, err
		}
		if holds(leaf) {
			return h.between(low, high, holds)
		}
		low = high + 1
	}
}

// between is first where holds is true at high.
func (h *heights) between(low, high int64, holds func(*pb.BlockLeaf) bool) (*pb.BlockLeaf, error) {
	var failed error
	n := sort.Search(int(high-low), func(i int) bool {
		leaf, err := h.leaf(low + int64(i))
		if err != nil {
			failed = err
			return true
		}
		return holds(leaf)
	})
	if failed != nil {
		return nil, failed
	}
	return h.leaf(low + int64(n))
}

// began returns the leaf of the first block whose time has reached a moment, unix seconds; nil where there is none.
func (h *heights) began(seconds int64) (*pb.BlockLeaf, error) {
	return h.first(1, func(leaf *pb.BlockLeaf) bool { return leaf.Time >= seconds*1_000_000_000 })
}

// recorded returns the height, from low on, of the block that brought a leaf into a log.
func (h *heights) recorded(low int64, log string, index uint64) (int64, error) {
	leaf, err := h.first(low, func(leaf *pb.BlockLeaf) bool {
		i := sort.Search(len(leaf.Logs), func(i int) bool { return leaf.Logs[i].Log >= log })
		return i < len(leaf.Logs) && leaf.Logs[i].Log == log && leaf.Logs[i].Size_ > index
	})
	if err == nil && leaf == nil {
		err = fmt.Errorf("%w: the blocks log does not know leaf %d of log %s", state.ErrCorrupted, index, log)
	}
	if err != nil {
		return 0, err
	}
	return leaf.Height, nil
}
