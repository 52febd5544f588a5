package app

import (
	"fmt"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// IndexEntry returns the entry of the unauthenticated index that belongs to a leaf of a log, a nil key where none does: what
// record and applyAddRollEntries write. It fails with state.ErrCorrupted where the leaf is none that they append.
func (a *App) IndexEntry(log string, index uint64, leaf []byte) (key, value []byte, err error) {
	id, _, ok := strings.Cut(strings.TrimPrefix(log, state.ElectionKey("")), "/")
	switch {
	case ok && log == state.LogRoll(id):
		var entry pb.RollEntry
		if err := election.Decode(leaf, &entry); err != nil {
			return nil, nil, fmt.Errorf("%w: leaf %d of log %s: %w", state.ErrCorrupted, index, log, err)
		}
		return state.RollIndexKey(id, entry.Key), transcript.Uint64(index), nil
	case ok && log == state.LogBallots(id):
		parsed, err := tx.Parse(leaf)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: leaf %d of log %s: %w", state.ErrCorrupted, index, log, err)
		}
		c := parsed.Cast()
		if c == nil {
			return nil, nil, fmt.Errorf("%w: leaf %d of log %s is a %v", state.ErrCorrupted, index, log, parsed.Kind())
		}
		code := c.Code(a.chain)
		return state.CodeIndexKey(id, code[:]), transcript.Uint64(index), nil
	}
	return nil, nil, nil
}
