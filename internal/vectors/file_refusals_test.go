package vectors

import (
	"bytes"
	"slices"

	"votenode/app/election"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

// slipBy changes a slip and has a key sign it: all that is wrong with it is what was changed. Without a name it is the promising
// validator's own.
func slipBy(name string, change func(g *good, p *pb.Promise)) func(*good, *pb.ProofFile) {
	return func(g *good, f *pb.ProofFile) {
		p := f.GetSlipCase().Promise
		key := keyOf(g.promiser(rehearsal.Validator("league", 1).Name, p.Slip.Issued).SlipKey)
		if name != "" {
			key = rehearsal.Key(name)
		}
		change(g, p)
		slip.Sign(p, key)
	}
}

func slipSigned(change func(s *pb.AcceptanceSlip)) func(*good, *pb.ProofFile) {
	return slipBy("", func(_ *good, p *pb.Promise) { change(p.Slip) })
}

// slipFaults are about the case of a promise that league validator 1 made at height 33 and that is kept.
var slipFaults = []fault{
	{"a slip for another code, signed", "12.1", "slip", slipSigned(func(s *pb.AcceptanceSlip) { s.Code[0] ^= 1 })},
	{"a slip for another roll index, signed", "12.1", "slip", slipSigned(func(s *pb.AcceptanceSlip) { s.RollIndex++ })},
	{"a slip for another number, signed", "12.1", "slip", slipSigned(func(s *pb.AcceptanceSlip) { s.Sequence++ })},
	{"a slip for another election, signed", "12.1", "slip", slipSigned(func(s *pb.AcceptanceSlip) { s.Election = "another" })},
	{"a slip of another chain, signed", "12.1", "slip", slipSigned(func(s *pb.AcceptanceSlip) { s.ChainId = "another" })},
	{"a slip and its code of another chain, signed", "12.1", "slip", slipBy("", func(_ *good, p *pb.Promise) {
		c := must(tx.Parse(p.Ballot)).Body().(*pb.CastBallot)
		code := ballot.ConfirmationCode("another", c.Election, c.Style, c.RollIndex, c.Sequence, c.Ciphertext)
		p.Slip.ChainId, p.Slip.Code = "another", code[:]
	})},
	{"a slip that the slip key of another validator signed", "12.1", "slip", slipBy("league validator 2 slip", func(*good, *pb.Promise) {})},
	{"a slip that the consensus key signed", "12.1", "slip", slipBy("league validator 1", func(*good, *pb.Promise) {})},
	{"a slip that names another validator, signed", "12.1", "slip", slipSigned(func(s *pb.AcceptanceSlip) {
		s.Validator = rehearsal.Validator("league", 2).Key
	})},
	{"a slip of a validator of a later epoch, signed", "12.1", "slip", func(g *good, f *pb.ProofFile) {
		p := f.GetSlipCase().Promise
		newcomer := g.newcomer()
		p.Slip.Validator = newcomer.Key
		slip.Sign(p, keyOf(newcomer.SlipKey))
	}},
	{"a slip of height 0, signed", "12.1", "slip", slipSigned(func(s *pb.AcceptanceSlip) { s.Issued = 0 })},
	{"a slip that promises the height of issue, signed", "12.1", "slip", slipSigned(func(s *pb.AcceptanceSlip) { s.Promised = s.Issued })},
	{"a slip that promises 1,001 heights, signed", "12.1", "slip", slipSigned(func(s *pb.AcceptanceSlip) { s.Promised = s.Issued + 1_001 })},
	{"a slip of a height that has not come, signed", "12.3", "ahead", slipSigned(func(s *pb.AcceptanceSlip) { s.Issued = 46 })},
	{"a slip for a challenge, signed", "12.1", "slip", slipBy("", func(g *good, p *pb.Promise) { p.Ballot = g.of(tx.KindSpoilBallot)[0].Raw() })},
	{"a slip for another ballot, signed", "12.1", "slip", slipBy("", func(g *good, p *pb.Promise) { p.Ballot = g.BlockAt(34).Txs[1] })},
	{"the block before another height", "12.3", "case", func(g *good, f *pb.ProofFile) { f.GetSlipCase().Before = g.slipCase(1).Before }},
	{"the judged state shown twice", "12.3", "case", func(g *good, f *pb.ProofFile) { f.GetSlipCase().Judged = g.slipCase(turnsCase).Judged }},
	{"an empty block where the judged state is the ledger's", "12.3", "case", func(_ *good, f *pb.ProofFile) { f.GetSlipCase().Judged = new(pb.EarlierBlock) }},
	{"another voter's leaf", "12.3", "proof", func(g *good, f *pb.ProofFile) {
		f.GetSlipCase().Voter, f.GetSlipCase().VoterPath = g.slipCase(1).Voter, g.slipCase(1).VoterPath
	}},
	{"the election in an earlier state", "12.3", "proof", func(g *good, f *pb.ProofFile) {
		f.GetSlipCase().ElectionRecord = g.slipCase(turnsCase).ElectionRecord
	}},
	{"a state that is committed only", "12.3", "not certified", func(_ *good, f *pb.ProofFile) {
		c := f.GetSlipCase().Ledger.State.Children[0]
		c.Precommits = c.Precommits[:3]
	}},
}

// newcomer returns a validator of the second epoch that is none of the first.
func (w *world) newcomer() *pb.Validator {
	for _, v := range w.trust.Newest().Validators() {
		if !slices.ContainsFunc(w.trust.At(1).Validators(), func(old pb.Validator) bool { return bytes.Equal(old.Key, v.Key) }) {
			return &v
		}
	}
	panic("the validators are those of genesis")
}

// spoiledFaults are about the case of a promise that is kept because the number was spoiled, and the voter had not voted yet.
var spoiledFaults = []fault{
	{"what is spoiled, said to be absent", "12.3", "proof", func(_ *good, f *pb.ProofFile) { f.GetSlipCase().Spoiled.Absent = true }},
	{"what is spoiled, in an earlier state", "12.3", "proof", func(g *good, f *pb.ProofFile) { f.GetSlipCase().Spoiled = g.slipCase(brokenCase).Spoiled }},
	{"nothing of what is spoiled", "12.3", "proof", func(_ *good, f *pb.ProofFile) { f.GetSlipCase().Spoiled = nil }},
	{"the state of another height judged", "12.3", "case", func(g *good, f *pb.ProofFile) {
		c := f.GetSlipCase()
		c.Judged = must(slip.NewCase(g, c.Ledger, g.at(50), g.reissued(c.Promise, 38, 42))).Judged
	}},
	{"a judged state with the header of another block", "6.6", "mismatch", func(g *good, f *pb.ProofFile) {
		f.GetSlipCase().Judged.Header = g.slipCase(brokenCase).Judged.Header
	}},
}

// reissued returns a promise for other heights, signed.
func (w *world) reissued(p *pb.Promise, issued, promised int64) *pb.Promise {
	own := must(slip.Parse(election.Encode(p.Slip)))
	own.Issued, own.Promised = issued, promised
	out := &pb.Promise{Slip: own, Ballot: p.Ballot}
	for _, v := range w.trust.At(issued).Validators() {
		if bytes.Equal(v.Key, own.Validator) {
			slip.Sign(out, keyOf(v.SlipKey))
		}
	}
	return out
}

var pendingFaults = []fault{
	{"a block shown beside a promise that is pending", "12.3", "case", func(g *good, f *pb.ProofFile) { f.GetSlipCase().Blocks = g.slipCase(brokenCase).Blocks }},
}

// window puts other heights into a promise that a block broke, and leaves that block.
func window(issued, promised int64) func(*good, *pb.ProofFile) {
	return func(g *good, f *pb.ProofFile) {
		c := f.GetSlipCase()
		own := must(slip.NewCase(g, c.Ledger, g.at(45), g.reissued(c.Promise, issued, promised)))
		own.Blocks = c.Blocks
		*c = *own
	}
}

// guilty changes the block that leaves the ballot out.
func guilty(change func(g *good, c *pb.SlipCase, b *pb.ProposedBlock)) func(*good, *pb.ProofFile) {
	return func(g *good, f *pb.ProofFile) { change(g, f.GetSlipCase(), f.GetSlipCase().Blocks[0]) }
}

var brokenFaults = []fault{
	{"a guilty block at the height of issue", "12.3", "case", window(34, 38)},
	{"a guilty block behind the height promised", "12.3", "case", window(30, 33)},
	{"the guilty block twice", "12.3", "case", guilty(func(_ *good, c *pb.SlipCase, b *pb.ProposedBlock) { c.Blocks = append(c.Blocks, b) })},
	{"a block behind the guilty one", "12.3", "case", guilty(func(g *good, c *pb.SlipCase, _ *pb.ProposedBlock) {
		c.Blocks = append(c.Blocks, g.slipCase(turnsCase).Blocks[1])
	})},
	{"no block shown", "12.3", "case", guilty(func(_ *good, c *pb.SlipCase, _ *pb.ProposedBlock) { c.Blocks = nil })},
	{"transactions that the author signed and the block lacks", "12.3", "proof", guilty(func(g *good, _ *pb.SlipCase, b *pb.ProposedBlock) {
		b.Author, b.Others = g.authored(b.Author, func(*pb.AuthorBlock) {}), nil
	})},
	{"the guilty block without its first transaction", "12.3", "proof", guilty(func(_ *good, _ *pb.SlipCase, b *pb.ProposedBlock) { b.Author = nil })},
	{"the guilty block without the others", "12.3", "proof", guilty(func(_ *good, _ *pb.SlipCase, b *pb.ProposedBlock) { b.Others = nil })},
	{"the guilty block without the election", "12.3", "proof", guilty(func(_ *good, _ *pb.SlipCase, b *pb.ProposedBlock) { b.ElectionRecord = nil })},
	{"the guilty block without the parameters", "12.3", "proof", guilty(func(_ *good, _ *pb.SlipCase, b *pb.ProposedBlock) { b.Parameters = nil })},
	{"the guilty block with the election in the judged state", "12.3", "proof", guilty(func(_ *good, c *pb.SlipCase, b *pb.ProposedBlock) {
		b.ElectionRecord = c.ElectionRecord
	})},
	{"the guilty block in the place of another's", "12.3", "case", guilty(func(g *good, _ *pb.SlipCase, b *pb.ProposedBlock) {
		b.Block = g.slipCase(turnsCase).Blocks[1].Block
	})},
}

var firstFaults = []fault{
	{"a block before height 1", "12.3", "case", func(g *good, f *pb.ProofFile) { f.GetSlipCase().Before = g.slipCase(keptCase).Before }},
}

// authored returns an AuthorBlock that is changed, of a block without other transactions, signed by the same key.
func (w *world) authored(raw []byte, change func(m *pb.AuthorBlock)) []byte {
	p := must(tx.Parse(bytes.Clone(raw)))
	m := p.Body().(*pb.AuthorBlock)
	m.Content = hash(framed("votenode/v1/block-content"))
	change(m)
	return tx.Sign(rehearsal.Chain, m, keyOf(p.Signer()))
}
