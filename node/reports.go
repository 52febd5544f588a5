package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"votenode/abci"
)

// countStart counts a start of the node in a file, and returns its number once that is on the disk. A missing file counts from 1.
func countStart(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = []byte("0"), nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%s holds no number of starts (%w); remove the file to count on from what the ledger knows", path, err)
	}
	return n + 1, abci.WriteFile(path, fmt.Appendln(nil, n+1))
}

// reportIntake has the application report what it was asked to take in, whenever that is due, until ctx is done. A node that fetches
// blocks reports nothing: what would be due has passed.
func (n *Node) reportIntake(ctx context.Context) error {
	for {
		advanced := n.app.Advanced()
		if !n.CatchingUp() {
			if err := n.app.ReportIntake(); err != nil {
				n.log.Error("reporting the intake", "height", n.app.Tip().Height, "error", err)
			}
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
