package certified_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	pb "votenode/proto/votenode/v1"
)

// What CometBFT signs and hashes, rebuilt by hand as spec 6.2 has it.

// tree is MTH of spec 5.1.
func tree(leaves [][]byte) []byte {
	switch n := len(leaves); n {
	case 0:
		h := sha256.Sum256(nil)
		return h[:]
	case 1:
		h := sha256.Sum256(append([]byte{0}, leaves[0]...))
		return h[:]
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		h := sha256.Sum256(slices.Concat([]byte{1}, tree(leaves[:k]), tree(leaves[k:])))
		return h[:]
	}
}

func varint(field byte, n uint64) []byte {
	if n == 0 {
		return nil
	}
	return binary.AppendUvarint([]byte{field << 3}, n)
}

func bytesField(field byte, b []byte) []byte {
	return append(binary.AppendUvarint([]byte{field<<3 | 2}, uint64(len(b))), b...)
}

func TestHeaderHash(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(3)
	for _, h := range w.headers[2:] {
		id := slices.Concat(
			bytesField(1, h.LastBlockID.Hash),
			bytesField(2, slices.Concat(varint(1, uint64(h.LastBlockID.PartSetHeader.Total)), bytesField(2, h.LastBlockID.PartSetHeader.Hash))))
		leaves := [][]byte{
			slices.Concat(varint(1, h.Version.Block), varint(2, h.Version.App)),
			bytesField(1, []byte(h.ChainID)),
			varint(1, uint64(h.Height)),
			slices.Concat(varint(1, uint64(h.Time.Unix())), varint(2, uint64(h.Time.Nanosecond()))),
			id,
		}
		for _, field := range [][]byte{
			h.LastCommitHash, h.DataHash, h.ValidatorsHash, h.NextValidatorsHash, h.ConsensusHash, h.AppHash, h.LastResultsHash, h.EvidenceHash, h.ProposerAddress,
		} {
			leaves = append(leaves, bytesField(1, field))
		}
		if !bytes.Equal(tree(leaves), h.Hash()) {
			t.Fatalf("height %d: another hash", h.Height)
		}
	}
}

func TestValidatorsHash(t *testing.T) {
	for _, parties := range [][]party{equal, {{"league", []int64{5, 1000000, 300}}, {"party", []int64{5, 5, 999999}}}} {
		list := newWorld(t, equal).epochs[0].Validators
		list = slices.Clone(list)
		for i := range list {
			list[i].Power = parties[i%2].powers[i%3]
		}
		slices.SortFunc(list, func(a, b pb.Validator) int {
			if a.Power != b.Power {
				return int(b.Power - a.Power)
			}
			x, y := sha256.Sum256(a.Key), sha256.Sum256(b.Key)
			return bytes.Compare(x[:20], y[:20])
		})
		var leaves [][]byte
		for _, v := range list {
			leaves = append(leaves, slices.Concat(bytesField(1, bytesField(1, v.Key)), varint(2, uint64(v.Power))))
		}
		if !bytes.Equal(tree(leaves), validatorsHash(list)) {
			t.Fatalf("%v: another hash", parties)
		}
	}
}

// TestCanonicalVote rebuilds the signed bytes by hand, as spec 6.2 has them.
func TestCanonicalVote(t *testing.T) {
	h := newWorld(t, equal).next()
	h.Height, h.LastBlockID = 300, blockID(h)
	id := blockID(h)
	for _, round := range []int32{0, 5} {
		var vote []byte
		vote = append(vote, 0x08, 2)                         // 1: type, precommit
		vote = append(vote, 0x11, 0x2c, 1, 0, 0, 0, 0, 0, 0) // 2: height, sfixed64
		if round != 0 {                                      //
			vote = append(vote, 0x19, 5, 0, 0, 0, 0, 0, 0, 0) // 3: round, sfixed64, absent when 0
		}
		vote = append(vote, 0x22, 72, 0x0a, 32) // 4: block id; 1: hash
		vote = append(vote, id.Hash...)
		vote = append(vote, 0x12, 36, 0x08, 2, 0x12, 32) // 2: part set header; 1: total; 2: hash
		vote = append(vote, id.PartSetHeader.Hash...)
		at := time.Unix(start+1, 7).UTC()
		vote = append(vote, 0x2a, 8, 0x08, 0x81, 0xa4, 0xa7, 0xda, 0x06, 0x10, 7) // 5: timestamp; seconds, nanoseconds
		vote = append(vote, 0x32, 8)                                              // 6: chain id
		vote = append(vote, chainID...)
		want := append([]byte{byte(len(vote))}, vote...)
		got := cmttypes.VoteSignBytes(chainID, &cmtproto.Vote{
			Type: cmtproto.PrecommitType, Height: 300, Round: round, BlockID: id.ToProto(), Timestamp: at,
		})
		if !bytes.Equal(got, want) {
			t.Fatalf("round %d:\n%x\n%x", round, got, want)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	w := newWorld(b, []party{{"league", slices.Repeat([]int64{1}, 10)}, {"party", slices.Repeat([]int64{1}, 10)}})
	s := w.certify(2)
	for b.Loop() {
		must(w.trust.Verify(s))
	}
}
