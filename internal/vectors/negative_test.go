package vectors

import (
	cmttypes "github.com/cometbft/cometbft/types"
	"votenode/internal/rehearsal"
)

type refusedTransaction struct{}

func (w *world) try(l *rehearsal.Ledger, next *cmttypes.Block) {}
