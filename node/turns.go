package node

import (
	"bytes"
	"errors"
	"sync"

	cmtstate "github.com/cometbft/cometbft/state"
)

// turns foretells which blocks this node is to propose, each in the first round of its height. It goes by CometBFT's own rule, and as far as
// validators do not change.
type turns struct {
	states  cmtstate.Store // set before the node runs
	address []byte

	mu      sync.Mutex
	height  int64  // of the newest block when it was reckoned
	through int64  // up to which height
	own     []bool // by height, from height+1 on
}

// errNoTurns says that the node does not run yet.
var errNoTurns = errors.New("the node does not take part yet")

// between returns how many blocks of greater heights than after, and up to through, this node is to propose.
func (t *turns) between(after, through int64) (n int, err error) {
	if t.states == nil {
		return 0, errNoTurns
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if after < t.height || t.height == 0 || after > t.height+1 || through > t.through {
		if err := t.reckon(through); err != nil {
			return 0, err
		}
	}
	for h := after + 1; h <= through; h++ {
		if i := h - t.height - 1; i >= 0 && i < int64(len(t.own)) && t.own[i] {
			n++
		}
	}
	return n, nil
}

// reckon goes through the heights behind the newest block.
func (t *turns) reckon(through int64) error {
	s, err := t.states.Load()
	if err != nil {
		return err
	}
	if s.IsEmpty() {
		return errNoTurns
	}
	t.height, t.through, t.own = s.LastBlockHeight, through, nil
	set := s.Validators.Copy()
	for h := t.height + 1; h <= through; h++ {
		t.own = append(t.own, bytes.Equal(set.GetProposer().Address, t.address))
		if h == t.height+1 {
			set = s.NextValidators.Copy()
		} else {
			set.IncrementProposerPriority(1)
		}
	}
	return nil
}
