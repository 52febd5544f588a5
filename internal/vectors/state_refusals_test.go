package vectors

import (
	"bytes"
	"crypto/ed25519"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/organisation"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// sign changes a child, and has the validators of its height whose precommits it holds sign what it has become.
func (w *world) sign(c *pb.SignedHeader, change func(h *cmttypes.Header)) {
	var m cmtproto.Header
	w.must(m.Unmarshal(c.Header))
	header := must(cmttypes.HeaderFromProto(&m))
	validators := w.trust.At(header.Height).Validators()
	change(&header)
	c.Header = must(header.ToProto().Marshal())
	for _, v := range validators {
		address := organisation.ConsensusAddress(v.Key)
		for _, p := range c.Precommits {
			if !bytes.Equal(p.Address, address[:]) {
				continue
			}
			p.Signature = ed25519.Sign(rehearsal.Key(v.Name), cmttypes.VoteSignBytes(rehearsal.Chain, &cmtproto.Vote{
				Type: cmtproto.PrecommitType, Height: header.Height, Round: c.Round, Timestamp: time.Unix(0, p.Time).UTC(),
				BlockID: cmtproto.BlockID{
					Hash: header.Hash(), PartSetHeader: cmtproto.PartSetHeader{Total: c.PartsTotal, Hash: c.PartsHash},
				},
			}))
		}
	}
}

// headerSigned changes the header of a receipt's only child, and has it signed.
func headerSigned(change func(h *cmttypes.Header)) func(*good, *pb.ProofFile) {
	return func(g *good, p *pb.ProofFile) { g.sign(child(p), change) }
}

// childCopied returns a child like another.
func childCopied(c *pb.SignedHeader) *pb.SignedHeader {
	own := *c
	own.Precommits = nil
	for _, p := range c.Precommits {
		precommit := *p
		own.Precommits = append(own.Precommits, &precommit)
	}
	return &own
}

// signedFaults are about evidence that the validators have signed as it is: nothing but the rule that is named refuses it.
var signedFaults = []fault{
	{"a header of another chain, signed", "6.3", "mismatch", headerSigned(func(h *cmttypes.Header) { h.ChainID = "another" })},
	{"a header of height 1, signed", "6.3", "mismatch", headerSigned(func(h *cmttypes.Header) { h.Height = 1 })},
	{"a header with another ValidatorsHash, signed", "6.3", "mismatch", headerSigned(func(h *cmttypes.Header) { h.ValidatorsHash = []byte(hash(nil)) })},
	{"a header without AppHash, signed", "6.3", "mismatch", headerSigned(func(h *cmttypes.Header) { h.AppHash = nil })},
	{"a header whose LastBlockID has no parts, signed", "6.3", "mismatch", headerSigned(func(h *cmttypes.Header) {
		h.LastBlockID.PartSetHeader = cmttypes.PartSetHeader{}
	})},
	{"a header of another block protocol, signed", "6.3", "malformed", headerSigned(func(h *cmttypes.Header) { h.Version.Block = 10 })},
	{"two children that attest different states, signed", "6.3", "mismatch", func(g *good, p *pb.ProofFile) {
		other := childCopied(child(p))
		g.sign(other, func(h *cmttypes.Header) { h.AppHash = []byte(hash(nil)) })
		p.GetReceipt().Ledger.State.Children = append(p.GetReceipt().Ledger.State.Children, other)
	}},
	{"two validators of four in three rounds, signed", "6.3", "unsigned", func(g *good, p *pb.ProofFile) {
		child(p).Precommits = child(p).Precommits[:2]
		for range 2 {
			s := p.GetReceipt().Ledger.State
			next := childCopied(s.Children[len(s.Children)-1])
			next.Round++
			g.sign(next, func(*cmttypes.Header) {})
			s.Children = append(s.Children, next)
		}
	}},
	{"epochs beyond that of the state", "6.10", "mismatch", func(g *good, p *pb.ProofFile) {
		p.GetReceipt().Ledger.Epochs = g.LedgerState(71).Epochs
	}},
	{"no child", "6.3", "malformed", func(_ *good, p *pb.ProofFile) { p.GetReceipt().Ledger.State.Children = nil }},
	{"33 children", "6.3", "malformed", func(_ *good, p *pb.ProofFile) {
		for s := p.GetReceipt().Ledger.State; len(s.Children) < 33; {
			s.Children = append(s.Children, child(p))
		}
	}},
	{"a block id without parts, signed", "6.3", "malformed", func(g *good, p *pb.ProofFile) {
		child(p).PartsTotal = 0
		g.sign(child(p), func(*cmttypes.Header) {})
	}},
	{"a round below 0, signed", "6.3", "malformed", func(g *good, p *pb.ProofFile) {
		child(p).Round = -1
		g.sign(child(p), func(*cmttypes.Header) {})
	}},
	{"a precommit twice", "6.3", "malformed", func(_ *good, p *pb.ProofFile) {
		c := child(p)
		c.Precommits = append(c.Precommits[:1:1], c.Precommits...)
	}},
	{"an address of 19 bytes", "6.3", "malformed", func(_ *good, p *pb.ProofFile) { child(p).Precommits[0].Address = child(p).Precommits[0].Address[1:] }},
}
