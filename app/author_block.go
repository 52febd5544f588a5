package app

import (
	"bytes"

	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// AuthorBlock: the validator that made a block says so, with its slip key. The header's proposer address says it too, but CometBFT
// lets whoever proposes in a round write any validator's address there. It has no effect. Spec 9.35.
func checkAuthorBlock(r *reading, p *tx.Parsed, m *pb.AuthorBlock) error {
	if m.Height != r.height {
		return tx.Refuse(tx.CodeAuthorship, "it speaks of block %d, not of %d", m.Height, r.height)
	}
	epochs, err := state.MustLoad[pb.ValidatorEpochs](r, state.KeyValidators)
	if err != nil {
		return err
	}
	author := ValidatorAt(epochs, r.height, m.Proposer)
	if author == nil || !bytes.Equal(author.SlipKey, p.Signer()) {
		return tx.Refuse(tx.CodeAuthorship, "%x is not the slip key of a validator of height %d with the address %x", p.Signer(), r.height, m.Proposer)
	}
	return nil
}

func applyAuthorBlock(*writing, *tx.Verified, *pb.AuthorBlock) error { return nil }

// ValidatorAt returns the validator with a consensus address (20 bytes) in the set of a height, nil where there is none. The record
// knows the set of a height that is not behind its present epoch, and before the first height that its next one cannot reach.
func ValidatorAt(epochs *pb.ValidatorEpochs, height int64, address []byte) *pb.Validator {
	set := validatorsAt(epochs, height)
	for i := range set {
		if own := organisation.ConsensusAddress(set[i].Key); bytes.Equal(own[:], address) {
			return &set[i]
		}
	}
	return nil
}

// validatorsAt returns the set of a height, as far as the record knows it.
func validatorsAt(epochs *pb.ValidatorEpochs, height int64) []pb.Validator {
	if epochs.Next.Number != 0 && height >= epochs.Next.FirstHeight {
		return epochs.Next.Validators
	}
	return epochs.Present.Validators
}

// BlockContent is the digest that an author signs: of the hashes of all other transactions of its block, in order. Spec 9.35.
func BlockContent(hashes [][32]byte) [32]byte {
	items := make([][]byte, len(hashes))
	for i := range hashes {
		items[i] = hashes[i][:]
	}
	return transcript.Digest(transcript.LabelBlockContent, items...)
}

// AuthorshipFault says what is wrong with what a proposed block says of its author, nil where its first transaction is the signature of
// the validator with the header's proposer address over this height and the others, and no other is an AuthorBlock. The signature
// itself is among the verdicts. It is a pure function of the block and the committed state; the error is the store's. Spec 7.2.
func (a *App) AuthorshipFault(v state.View, proposer []byte, txs []*tx.Parsed) (*tx.Refusal, error) {
	hashes := make([][32]byte, len(txs))
	for i, p := range txs {
		if own := p.Kind() == tx.KindAuthorBlock; own != (i == 0) {
			return tx.Refuse(tx.CodeAuthorship, "transaction %d is of the kind %v", i, p.Kind()), nil
		}
		hashes[i] = p.Hash()
	}
	if len(txs) == 0 {
		return tx.Refuse(tx.CodeAuthorship, "no transaction says who made the block"), nil
	}
	m := txs[0].Body().(*pb.AuthorBlock)
	if content := BlockContent(hashes[1:]); !bytes.Equal(m.Proposer, proposer) || !bytes.Equal(m.Content, content[:]) {
		return tx.Refuse(tx.CodeAuthorship, "%x signed for other transactions, or the header names %x", m.Proposer, proposer), nil
	}
	return refusalOf(checkAuthorBlock(&reading{App: a, View: v, height: v.Height() + 1}, txs[0], m))
}
