package audit

import (
	"bytes"
	"errors"
	"fmt"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/tx"
	"votenode/verify/record"
)

// block is a block on its way through the checks.
type block struct {
	*cmttypes.Block
	at *record.Block
	id cmttypes.BlockID
	// parsed are the transactions in order, nil where the verdict says why it could not be read.
	parsed   []*tx.Parsed
	verdicts []tx.Verdict // the zero verdict is none yet
}

// maxTransactions bounds the transactions of a block: no parameters allow more than ten million units, and each takes ten.
const maxTransactions = 1_000_000

// parseBlock reads the one canonical encoding of a block whose parts are well formed. Whether the parts belong together is asked
// later.
func parseBlock(at *record.Block) (*block, error) {
	var m cmtproto.Block
	if err := m.Unmarshal(at.Raw); err != nil {
		return nil, err
	}
	if m.LastCommit == nil {
		return nil, errors.New("it has no LastCommit")
	}
	if n := len(m.Data.Txs); n > maxTransactions {
		return nil, fmt.Errorf("%d transactions are more than any block can have", n)
	}
	header, err := cmttypes.HeaderFromProto(&m.Header)
	if err != nil {
		return nil, err
	}
	data, err := cmttypes.DataFromProto(&m.Data)
	if err != nil {
		return nil, err
	}
	commit, err := cmttypes.CommitFromProto(m.LastCommit)
	if err != nil {
		return nil, err
	}
	b := &block{Block: &cmttypes.Block{Header: header, Data: data, LastCommit: commit}, at: at}
	if err := b.Evidence.FromProto(&m.Evidence); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	again, err := b.ToProto()
	if err != nil {
		return nil, err
	}
	if encoded, err := again.Marshal(); err != nil || !bytes.Equal(encoded, at.Raw) {
		return nil, errors.New("it is not in its canonical encoding")
	}
	hash := header.Hash()
	if len(hash) != 32 {
		return nil, errors.New("its header names no validators")
	}
	parts := cmttypes.NewPartSetFromData(at.Raw, cmttypes.BlockPartSizeBytes)
	b.id = cmttypes.BlockID{Hash: hash, PartSetHeader: parts.Header()}
	b.parse()
	return b, nil
}

// parse reads the transactions.
func (b *block) parse() {
	b.parsed, b.verdicts = make([]*tx.Parsed, len(b.Txs)), make([]tx.Verdict, len(b.Txs))
	for i, raw := range b.Txs {
		p, err := tx.Parse(raw)
		var refusal *tx.Refusal
		if errors.As(err, &refusal) {
			b.verdicts[i] = tx.Refused(refusal)
			continue
		}
		b.parsed[i] = p
	}
}

// forget gives back the contents of a block that has gone through all checks: the next one asks for its header and its id only.
func (b *block) forget() {
	b.at, b.parsed, b.verdicts, b.Data = nil, nil, nil, cmttypes.Data{}
}
