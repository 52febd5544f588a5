package abci

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// commitClock remembers by which local time this node committed the newest block: the ballot-edge rule of proposals goes by it
// (docs/spec section 7.3), so that a node answers alike in every round of a height, also after a restart in the middle.
//
// It is kept in a file of its own, outside the state, and is written before the ledger commits the height. If the node is
// killed between the two, it has not voted at the next height yet; the block is committed again and the first time stays.
// It belongs to the consensus goroutine.
type commitClock struct {
	path string
	last commitTime
}

// commitTime is the content of the file.
type commitTime struct {
	Height int64 `json:"height"`
	// Time of the commit by the local clock, unix nanoseconds.
	Time int64 `json:"time"`
}

// openCommitClock reads the file; a missing one is a node that has committed nothing.
func openCommitClock(path string) (*commitClock, error) {
	c := &commitClock{path: path}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &c.last)
	}
	if err != nil {
		return nil, fmt.Errorf("the time of the last commit in %s: %w; remove the file to take the present time instead", path, err)
	}
	return c, nil
}

// at returns the local time of the commit of a height. Where it is not known, the present time takes its place, for good.
func (c *commitClock) at(height, now int64) (int64, error) {
	if err := c.set(height, now); err != nil {
		return 0, err
	}
	return c.last.Time, nil
}

// set records the commit of a height, unless it is recorded already.
func (c *commitClock) set(height, now int64) error {
	if c.last.Height == height && c.last.Time != 0 {
		return nil
	}
	next := commitTime{height, now}
	b, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := WriteFile(c.path, b); err != nil {
		return err
	}
	c.last = next
	return nil
}
