package rehearsal

import (
	"maps"
	"slices"
	"testing"

	"votenode/app"
	"votenode/app/state"
)

// Fork returns a ledger that has the same blocks so far and goes on by itself, for another test. Nothing that the one does is seen by
// the other.
func (l *Ledger) Fork(t testing.TB) *Ledger {
	t.Helper()
	fork := *l
	fork.t, fork.App, fork.Absent, fork.Evidence, fork.Watch = t, app.NewOf(l.Genesis.ChainId, protocol), maps.Clone(l.Absent), nil, nil
	// Lists that grow are cut to their length, so that both grow into memory of their own.
	fork.Blocks, fork.Results, fork.Events = slices.Clip(l.Blocks), slices.Clip(l.Results), slices.Clip(l.Events)
	fork.states, fork.sets = slices.Clip(l.states), slices.Clip(l.sets)
	own := &archive{height: l.Height(), values: maps.Clone(l.archive.values)}
	for key, list := range own.values {
		own.values[key] = slices.Clip(list)
	}
	var err error
	fork.archive = own
	fork.ledger, err = state.Open(own)
	fork.must(err)
	return &fork
}

// Fork returns the election on a fork of its ledger.
func (e *Election) Fork(t testing.TB) *Election {
	t.Helper()
	fork := *e
	fork.Ledger, fork.Trustees = e.Ledger.Fork(t), nil
	for _, trustee := range e.Trustees {
		own := *trustee
		own.election = &fork
		fork.Trustees = append(fork.Trustees, &own)
	}
	return &fork
}
