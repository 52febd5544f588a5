package store

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cometbft/cometbft/crypto/merkle"
	"github.com/cometbft/cometbft/crypto/tmhash"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"

	"votenode/app/state"
)

// CometBFT's own proof runtime, which its light clients use, verifies our proofs, and its map of records has our AppHash.
func TestCometBFTVerifiesRecords(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 8, 9, 100} {
		l := openLedger(t, new(state.Memory))
		d := l.NewGenesis()
		records := map[string][]byte{}
		for i := range n {
			key, value := fmt.Sprintf("election/%d/sum/%05d", i%3, i), make([]byte, 7*i)
			records[key] = value
			d.SetRecord(key, value)
		}
		b, err := d.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Commit(b); err != nil {
			t.Fatal(err)
		}
		keys := slices.Sorted(maps.Keys(records))
		var leaves [][]byte
		for _, key := range keys {
			leaf := append(binary.AppendUvarint(nil, uint64(len(key))), key...)
			leaves = append(leaves, append(append(leaf, tmhash.Size), tmhash.Sum(records[key])...))
		}
		root, proofs := merkle.ProofsFromByteSlices(leaves)
		if appHash := b.AppHash(); string(root) != string(appHash[:]) {
			t.Fatalf("%d records: AppHash %x, CometBFT says %x", n, appHash, root)
		}
		for i, key := range keys {
			value := records[key]
			p, err := l.Newest().ProveRecord(key)
			if err != nil {
				t.Fatal(err)
			}
			index, total, err := l.Newest().Place(key)
			if err != nil {
				t.Fatal(err)
			}
			op := merkle.NewValueOp([]byte(key), &merkle.Proof{
				Total: int64(total), Index: int64(index), LeafHash: proofs[i].LeafHash, Aunts: p.Leaves[0].Path,
			})
			ops := &cmtcrypto.ProofOps{Ops: []cmtcrypto.ProofOp{op.ProofOp()}}
			path := merkle.KeyPath{}.AppendKey([]byte(key), merkle.KeyEncodingURL).String()
			if err := merkle.DefaultProofRuntime().VerifyValue(ops, root, path, p.Leaves[0].Value); err != nil {
				t.Fatalf("%d records, %s: %v", n, key, err)
			}
			if err := merkle.DefaultProofRuntime().VerifyValue(ops, root, path, append(value, 1)); err == nil {
				t.Fatalf("%d records, %s: another value passes", n, key)
			}
		}
	}
}
