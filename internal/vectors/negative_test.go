package vectors

import (
	"bytes"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/tx"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// negativeFile is negative.json: what must be refused, each one change away from something good.
type negativeFile struct {
	Comment      string               `json:"comment"`
	Transactions []refusedTransaction `json:"transactions"`
	Signatures   []signatureVector    `json:"signatures"`
	Keys         []publicKeyVector    `json:"keys"`
	Proofs       *refusedProofs       `json:"proofs"`
	Files        []refusedFile        `json:"files"`
	Branch       *branchFile          `json:"branch"`
}

// refusedTransaction stands in the place of a good one, in the same block, and has another code there.
type refusedTransaction struct {
	Name    string   `json:"name"`
	Section string   `json:"section"`
	Height  int64    `json:"height"`
	Index   int      `json:"index"`
	Code    tx.Code  `json:"code"`
	Result  string   `json:"code_name"`
	Bytes   hexBytes `json:"bytes"`
}

// change makes another transaction of one. It owns p, which is a copy.
type change func(w *world, p *tx.Parsed) []byte

// bytesOf changes the bytes of a transaction.
func bytesOf(f func(raw []byte) []byte) change {
	return func(_ *world, p *tx.Parsed) []byte { return f(bytes.Clone(p.Raw())) }
}

// envelope changes what stands in the envelope and leaves the signature as it is.
func envelope(f func(e *pb.Envelope)) change {
	return func(w *world, p *tx.Parsed) []byte {
		e := new(pb.Envelope)
		w.must(election.Decode(bytes.Clone(p.Raw()), e))
		f(e)
		return election.Encode(e)
	}
}

// signed changes the body and has the same key sign it again.
func signed[M any, P interface {
	*M
	election.Message
}](f func(m *M)) change {
	return func(_ *world, p *tx.Parsed) []byte {
		m := any(p.Body()).(*M)
		f(m)
		return tx.Sign(rehearsal.Chain, P(m), keyOf(p.Signer()))
	}
}

// enrolled changes a part of a roll and has all registrars sign it anew.
func enrolled(f func(m *pb.AddRollEntries)) change {
	return func(_ *world, p *tx.Parsed) []byte {
		m := p.Body().(*pb.AddRollEntries)
		f(m)
		return rehearsal.Enrol("party registrar 1", m)
	}
}

// voted changes the body of a ballot and leaves the voter's signature as it is: nobody has the voter's key.
func voted(f func(m *pb.CastBallot)) change {
	return func(_ *world, p *tx.Parsed) []byte {
		m := p.Body().(*pb.CastBallot)
		f(m)
		return tx.Ballot(m, p.Signature())
	}
}

// by has another key sign the same body.
func by(name string) change {
	return func(_ *world, p *tx.Parsed) []byte { return tx.Sign(rehearsal.Chain, p.Body(), rehearsal.Key(name)) }
}

// another brings a transaction of the same block, or of an earlier one, instead.
func another(height int64, index int) change {
	return func(w *world, _ *tx.Parsed) []byte { return w.blocks[height-1].Txs[index] }
}

// then changes what another change has made.
func (c change) then(next change) change {
	return func(w *world, p *tx.Parsed) []byte { return next(w, must(tx.Parse(bytes.Clone(c(w, p))))) }
}

// resolved changes the resolution that is proposed.
func resolved(f func(r *pb.Resolution)) change {
	return signed(func(m *pb.ProposeResolution) { f(&m.Resolution) })
}

// try puts changed transactions into the place of good ones before their block is made.
func (w *world) try(l *rehearsal.Ledger, next *cmttypes.Block) {
	w.blocks = append(w.blocks, next)
	if next.Height == branchHeight {
		w.branch = l.Fork(w.t)
	}
	for at, c := range refusals {
		if c.height != next.Height {
			continue
		}
		if c.index >= len(next.Txs) {
			w.t.Fatalf("%s: block %d has no transaction %d; if the record was made anew, name the one that is meant", c.name, c.height, c.index)
		}
		original := must(tx.Parse(bytes.Clone(next.Txs[c.index])))
		raw := c.change(w, original)
		b := rehearsal.Clone([]*cmttypes.Block{next})[0]
		b.Txs[c.index] = raw
		got := l.Try(b)[c.index]
		if got.Code != c.want || bytes.Equal(raw, next.Txs[c.index]) {
			w.t.Errorf("%s: %v (%s), want %v", c.name, got.Code, got.Detail, c.want)
		}
		w.refused[at] = refusedTransaction{c.name, c.section, c.height, c.index, got.Code, got.Code.String(), raw}
	}
}

func (w *world) negativeFile() any {
	return &negativeFile{
		Comment:      "what must be refused, each one change away from something good: the sections are named",
		Transactions: w.refused, Signatures: w.signatureVectors(), Keys: w.publicKeyVectors(), Proofs: w.refusedProofs(), Files: w.refusedFiles(), Branch: w.branchFile(),
	}
}
