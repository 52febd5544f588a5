package demo

import (
	"context"
	"fmt"
)

// compareStates finds all nodes in the same state.
func (r *run) compareStates(ctx context.Context) error {
	a, err := r.network.Agree(ctx)
	if err != nil {
		return err
	}
	r.report.States = &States{Height: a.Height, Nodes: a.Nodes, AppHash: fmt.Sprintf("%x", a.AppHash)}
	r.say("%d nodes have the same app hash after height %d", a.Nodes, a.Height)
	return nil
}
