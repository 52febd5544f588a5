package audit_test

import (
	"slices"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/tx"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// All validators together count a support twice, let a revoked member support, leave out a comment that a resolution has removed, or put other
// words into its place: the record that they sign again does not pass.
func TestTamperedInitiatives(t *testing.T) {
	e, _ := story()
	supported, at := find(t, tx.KindSupportInitiative)
	commented, _ := find(t, tx.KindPostComment)
	rude := slices.IndexFunc(e.Blocks[commented-1].Txs, func(raw cmttypes.Tx) bool {
		p, err := tx.Parse(raw)
		if err != nil {
			return false
		}
		m, ok := p.Body().(*pb.PostComment)
		return ok && m.Initiative == 1
	})
	if rude < 0 {
		t.Fatal("the story has no comment that is removed")
	}
	for name, c := range map[string]struct {
		height int
		change func(b *cmttypes.Block)
		want   []string
	}{
		"a support twice": {supported, func(b *cmttypes.Block) {
			b.Txs = append(b.Txs, e.Support(3, 9, 0, false))
		}, []string{"results"}},
		"a support of a revoked member": {supported, func(b *cmttypes.Block) { b.Txs[at] = e.Support(1, 1, 0, false) }, []string{"results"}},
		"a support of another member":   {supported, func(b *cmttypes.Block) { b.Txs[at] = e.Support(6, 1, 0, false) }, []string{"results"}},
		"a removed comment left out":    {commented, func(b *cmttypes.Block) { b.Txs = slices.Delete(b.Txs, rude, rude+1) }, []string{"results"}},
		"a removed comment reworded":    {commented, func(b *cmttypes.Block) { b.Txs[rude] = e.Comment(2, 2, 1, "How kind.") }, []string{"state"}},
	} {
		t.Run(name, func(t *testing.T) {
			blocks := rehearsal.Clone(e.Blocks)
			c.change(blocks[c.height-1])
			e.Ledger.Seal(blocks)
			caught(t, e.Ledger.Record(blocks), c.want...)
		})
	}
}
