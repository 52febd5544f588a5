package testnet

import (
	"path/filepath"
	"testing"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// ConsensusKey returns the key with which the node signs blocks: what a liar would do with it is for tests to find out.
func (e *Node) ConsensusKey() cmted25519.PrivKey {
	path := filepath.Join(e.Home, "keys", "consensus.json")
	return privval.LoadFilePVEmptyState(path, "").Key.PrivKey.(cmted25519.PrivKey)
}

// SignHeader returns a header, changed, with the precommits of keys that sign whatever they are given.
func SignHeader(t testing.TB, header []byte, change func(h *cmttypes.Header), keys ...cmted25519.PrivKey) *pb.SignedHeader {
	t.Helper()
	var message cmtproto.Header
	if err := message.Unmarshal(header); err != nil {
		t.Fatal(err)
	}
	h, err := cmttypes.HeaderFromProto(&message)
	if err != nil {
		t.Fatal(err)
	}
	change(&h)
	commit := &cmttypes.Commit{Height: h.Height, BlockID: cmttypes.BlockID{
		Hash: h.Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: h.Hash()},
	}}
	for i, key := range keys {
		commit.Signatures = append(commit.Signatures, cmttypes.CommitSig{
			BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: key.PubKey().Address(), Timestamp: h.Time,
		})
		if commit.Signatures[i].Signature, err = key.Sign(commit.VoteSignBytes(h.ChainID, int32(i))); err != nil {
			t.Fatal(err)
		}
	}
	signed, err := certified.FromCommit(&h, commit)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
