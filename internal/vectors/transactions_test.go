package vectors

import (
	"encoding/json"

	"github.com/cosmos/gogoproto/proto"

	"votenode/app/election"
	"votenode/app/tx"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

// transactionsFile is transactions.json: sections 2.4 to 2.7, chapter 9.
type transactionsFile struct {
	Comment      string              `json:"comment"`
	Chain        string              `json:"chain"`
	Transactions []transactionVector `json:"transactions"`
}

type transactionVector struct {
	Height int64    `json:"height"`
	Index  int      `json:"index"`
	Kind   uint32   `json:"kind"`
	Name   string   `json:"name"`
	Code   uint32   `json:"code"`
	Result string   `json:"code_name"`
	Units  uint64   `json:"units"`
	Bytes  hexBytes `json:"bytes"`
	Hash   hexBytes `json:"hash"`
	Body   hexBytes `json:"body"`
	// Signer and Signed are absent where a voter signs: see ballots.json.
	Signer    hexBytes        `json:"signer,omitempty"`
	Signed    hexBytes        `json:"sign_bytes,omitempty"`
	Signature hexBytes        `json:"signature"`
	Fields    json.RawMessage `json:"fields"`
	// Digest is the digest of spec 9.3 or 9.35 that goes with the kind, and of what.
	Digest *digestVector `json:"digest,omitempty"`
}

// digestVector is a digest with the bytes that are hashed.
type digestVector struct {
	Of    string   `json:"of"`
	Bytes hexBytes `json:"bytes"`
	Hash  hexBytes `json:"hash"`
}

func (w *world) transactionsFile() any {
	f := &transactionsFile{Comment: "every transaction of the record, as it stands in its block: sections 2.4 to 2.7, chapter 9", Chain: w.Genesis.ChainId}
	for _, p := range w.transactions {
		v := transactionVector{
			Height: p.height, Index: p.index, Kind: uint32(p.Kind()), Name: p.Kind().String(), Code: uint32(p.code), Result: p.code.String(),
			Units: p.Units(), Bytes: p.Raw(), Hash: hash(p.Raw()), Body: election.Encode(p.Body()), Signer: p.Signer(), Signature: p.Signature(),
			Fields: fields(p.Body()),
		}
		if len(p.Signer()) > 0 {
			v.Signed = framed("votenode/v1/transaction", []byte(f.Chain), number(uint64(v.Kind)), v.Body)
		}
		v.Digest = w.digestOf(p)
		f.Transactions = append(f.Transactions, v)
	}
	return f
}

func (w *world) digestOf(p *transaction) *digestVector {
	var d *digestVector
	switch m := p.Body().(type) {
	case *pb.ProposeResolution:
		d = &digestVector{Of: "resolution", Bytes: framed("votenode/v1/resolution", []byte(w.Genesis.ChainId), election.Encode(&m.Resolution))}
	case *pb.AuthorBlock:
		var hashes [][]byte
		for _, raw := range w.BlockAt(p.height).Txs[1:] {
			hashes = append(hashes, hash(raw))
		}
		d = &digestVector{Of: "content of this block", Bytes: framed("votenode/v1/block-content", hashes...)}
		if p.code != tx.CodeOK {
			return nil
		}
	default:
		return nil
	}
	d.Hash = hash(d.Bytes)
	return d
}

// fields returns a message with its names.
func fields(m proto.Message) json.RawMessage { return readable.FormatMessage(m) }
