package vectors

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/internal/rehearsal"
)

// otherPrecommit is a precommit that no block of the record holds: for nil, or of a round above 0. Spec 6.2.
type otherPrecommit struct {
	Nil       bool     `json:"nil"`
	Height    int64    `json:"height"`
	Round     int32    `json:"round"`
	Time      int64    `json:"time"`
	Key       hexBytes `json:"key"`
	Signed    hexBytes `json:"sign_bytes"`
	Signature hexBytes `json:"signature"`
	// Leaf is that of LastCommitHash, Vote what a piece of evidence would hold, at place 0 of the set.
	Leaf hexBytes `json:"leaf"`
	Vote hexBytes `json:"vote"`
}

const otherHeight = 34

// otherPrecommits are by the first validator, for block 34 or nil. What they sign is CometBFT's own encoding.
func (w *world) otherPrecommits() (list []otherPrecommit) {
	b := w.BlockAt(otherHeight)
	first := w.validatorsOf(otherHeight).Validators[0]
	name := w.validator(otherHeight, first.Address).Name
	for _, c := range []struct {
		empty bool
		round int32
	}{{true, 0}, {true, 3}, {false, 3}, {false, math.MaxInt32}} {
		vote := &cmttypes.Vote{
			Type: cmtproto.PrecommitType, Height: otherHeight, Round: c.round, Timestamp: b.Time.Add(1500 * time.Millisecond), ValidatorAddress: first.Address,
		}
		flag := cmttypes.BlockIDFlagNil
		if !c.empty {
			vote.BlockID, flag = rehearsal.ID(b), cmttypes.BlockIDFlagCommit
		}
		signed := cmttypes.VoteSignBytes(w.Genesis.ChainId, vote.ToProto())
		vote.Signature = ed25519.Sign(rehearsal.Key(name), signed)
		leaf := (&cmttypes.CommitSig{BlockIDFlag: flag, ValidatorAddress: first.Address, Timestamp: vote.Timestamp, Signature: vote.Signature}).ToProto()
		list = append(list, otherPrecommit{
			c.empty, otherHeight, c.round, vote.Timestamp.UnixNano(), first.PubKey.Bytes(), signed, vote.Signature, must(leaf.Marshal()), must(vote.ToProto().Marshal()),
		})
	}
	return list
}

// checkOtherPrecommits puts them together from the text of spec 6.2.
func (v *vectors) checkOtherPrecommits() error {
	var list []error
	b := &v.blocks.Blocks[otherHeight-1]
	for i, p := range v.blocks.Other {
		id, flag := message{}.nested(2, nil), int64(3)
		if !p.Nil {
			id, flag = message{}.bytes(1, b.Hash).nested(2, message{}.varint(1, int64(b.Parts.Total)).bytes(2, b.Parts.Hash)), 2
		}
		at := message{}.varint(1, p.Time/1e9).varint(2, p.Time%1e9)
		vote := append(message{}.varint(1, 2), slices.Concat([]byte{2<<3 | 1}, littleEndian(uint64(p.Height)))...)
		if p.Round != 0 {
			vote = append(vote, slices.Concat([]byte{3<<3 | 1}, littleEndian(uint64(p.Round)))...)
		}
		if !p.Nil {
			vote = vote.nested(4, id)
		}
		vote = vote.nested(5, at).bytes(6, []byte(v.transactions.Chain))
		address := hash(p.Key)[:20]
		list = append(list, same("sign bytes", p.Signed, append([]byte{byte(len(vote))}, vote...)), signedBy("precommit", p.Key, p.Signed, p.Signature),
			same("leaf", p.Leaf, message{}.varint(1, flag).bytes(2, address).nested(3, at).bytes(4, p.Signature)),
			same("vote", p.Vote, message{}.varint(1, 2).varint(2, p.Height).varint(3, int64(p.Round)).nested(4, id).nested(5, at).bytes(6, address).bytes(8, p.Signature)))
		if !bytes.Equal(p.Key, v.setAt(p.Height).Validators[0].Key) || p.Round == 0 && !p.Nil {
			list = append(list, fmt.Errorf("precommit %d is not of the kind that is meant", i))
		}
	}
	if len(v.blocks.Other) < 4 {
		list = append(list, errors.New("precommits are missing"))
	}
	return errors.Join(list...)
}
