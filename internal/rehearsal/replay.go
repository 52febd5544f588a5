package rehearsal

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/record"
)

// Replay returns the ledger whose blocks a record holds. before is called with each block, which the ledger then still lacks. What
// headers say of state and results must be what comes of the blocks.
func Replay(t testing.TB, files fs.FS, before func(l *Ledger, next *cmttypes.Block)) *Ledger {
	t.Helper()
	folder := must(record.Open(files))
	doc := must(genesis.Parse(must(folder.Genesis())))
	l := New(t, func(g *pb.Genesis) { *g = *doc })
	blocks := folder.Blocks()
	defer blocks.Close()
	for {
		at, err := blocks.Next()
		if errors.Is(err, io.EOF) {
			return l
		}
		l.must(err)
		var m cmtproto.Block
		l.must(m.Unmarshal(at.Raw))
		b := must(cmttypes.BlockFromProto(&m))
		if appHash := l.View().AppHash(); !bytes.Equal(b.AppHash, appHash[:]) || !bytes.Equal(b.LastResultsHash, l.resultsHash) {
			t.Fatalf("block %d attests another state, or other results", b.Height)
		}
		before(l, b)
		l.now = b.Time
		l.add(b)
	}
}
