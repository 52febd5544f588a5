package vectors

import (
	"slices"
	"time"

	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
	"votenode/verify/slip"
)

// branchHeight is the height from which the branch has blocks of its own.
const branchHeight = 34

// branchFile shows what only blocks can show that validators made for these vectors: another ledger of the same genesis document and the
// same first 33 blocks. Sections 9.35, 12.3.
type branchFile struct {
	// Good are cases with what they show, Refused one change away from one that would show a guilty block.
	Good    []branchCase `json:"good"`
	Refused []branchCase `json:"refused"`
}

type branchCase struct {
	Name    string   `json:"name"`
	Section string   `json:"section"`
	Now     int64    `json:"now"`
	Block   int64    `json:"block"`
	Verdict string   `json:"verdict,omitempty"`
	Class   string   `json:"class,omitempty"`
	Bytes   hexBytes `json:"bytes"`
}

// promising makes all blocks of the branch, or its headers say so.
var promising = rehearsal.Validator("party", 1)

// authors are the first transactions of the branch's blocks, in order, each with one ballot behind it. The last block is guilty.
var authors = []struct {
	name   string
	key    string // that signs; the promising validator's slip key where there is none
	change func(w *world, m *pb.AuthorBlock)
}{
	{"an AuthorBlock that another slip key signed", "party validator 2 slip", func(*world, *pb.AuthorBlock) {}},
	{"an AuthorBlock that the consensus key signed", "party validator 1", func(*world, *pb.AuthorBlock) {}},
	{"an AuthorBlock of other transactions", "", func(_ *world, m *pb.AuthorBlock) { m.Content = hash(framed("votenode/v1/block-content")) }},
	{"an AuthorBlock of the height before", "", func(_ *world, m *pb.AuthorBlock) { m.Height-- }},
	{"an AuthorBlock of another proposer", "", func(_ *world, m *pb.AuthorBlock) {
		address := organisation.ConsensusAddress(rehearsal.Validator("party", 2).Key)
		m.Proposer = address[:]
	}},
	{"an AuthorBlock at the closing", "", func(w *world, m *pb.AuthorBlock) { m.Time = w.electionAt(branchHeight-1).Closing * 1_000_000_000 }},
	{"an AuthorBlock just before the closing", "", func(w *world, m *pb.AuthorBlock) {
		m.Time = w.electionAt(branchHeight-1).Closing*1_000_000_000 - 1
	}},
}

// growBranch makes the blocks of the branch. The other transaction is a ballot that is recorded in the first one.
func (w *world) growBranch() {
	other := w.BlockAt(branchHeight).Txs[1]
	for i, a := range authors {
		if i == len(authors)-1 {
			w.branch.Make(1) // by another, so that a case can end before the guilty block
		}
		height, address := w.branch.Height()+1, organisation.ConsensusAddress(promising.Key)
		m := &pb.AuthorBlock{
			Height: height, Proposer: address[:], Time: w.branch.Now() * 1_000_000_000, Content: hash(framed("votenode/v1/block-content", hash(other))),
		}
		a.change(w, m)
		key := a.key
		if key == "" {
			key = promising.Name + " slip"
		}
		w.branch.Proposer = &promising
		w.branch.Make(0, rehearsal.Sign(key, m), other)
	}
}

// promised returns the promise of the branch's validator for a ballot.
func promised(raw []byte, issued, height int64) *pb.Promise {
	c := must(tx.Parse(raw)).Body().(*pb.CastBallot)
	code := ballot.ConfirmationCode(rehearsal.Chain, c.Election, c.Style, c.RollIndex, c.Sequence, c.Ciphertext)
	p := &pb.Promise{Ballot: raw, Slip: &pb.AcceptanceSlip{
		ChainId: rehearsal.Chain, Election: c.Election, RollIndex: c.RollIndex, Sequence: c.Sequence, Code: code[:], Validator: promising.Key,
		Issued: issued, Promised: height,
	}}
	slip.Sign(p, rehearsal.Key(promising.Name+" slip"))
	return p
}

// long returns a ballot of a voter, as long as a ballot may be or the next longer one that can be made, whose proof is zeros: a slip
// does not ask for it.
func (w *world) long(raw []byte, above bool) []byte {
	limit := int(w.Genesis.Parameters.Limits.BallotBytes)
	var lengths [][]byte
	for words := limit/32 - 20; words < limit/32+2; words++ {
		for digits := range 9 {
			m := *must(tx.Parse(raw)).Body().(*pb.CastBallot)
			m.Sequence, m.Proof = 1<<(7*digits), make([]byte, 32*words)
			lengths = append(lengths, tx.Ballot(&m, make([]byte, 64)))
		}
	}
	slices.SortStableFunc(lengths, func(a, b []byte) int { return len(a) - len(b) })
	at := slices.IndexFunc(lengths, func(b []byte) bool { return len(b) > limit })
	if above {
		return lengths[at]
	}
	return lengths[at-1]
}

func (w *world) branchFile() *branchFile {
	w.growBranch()
	raw, last := w.BlockAt(41).Txs[0], w.branch.Height()
	w.branch.Make(1)
	ledger := w.branch.LedgerState(last + 1)
	newCase := func(raw []byte, issued, height int64) *pb.SlipCase {
		return must(slip.NewCase(w.branch, ledger, must(w.branch.StateAt(last+1)), promised(raw, issued, height)))
	}
	f := new(branchFile)
	show := func(name string, block int64, c *pb.SlipCase) {
		found := must(slip.Judge(genesis.Hash(w.Genesis), time.Unix(later, 0), c))
		if found.Height != block {
			w.t.Errorf("%s: %v, block %d", name, found.Verdict, found.Height)
		}
		f.Good = append(f.Good, branchCase{name, "12.3", later, block, found.Verdict.String(), "", prooffile.Bytes(prooffile.OfSlipCase(c))})
	}
	refuse := func(name, class string, block int64, c *pb.SlipCase) {
		b := prooffile.Bytes(prooffile.OfSlipCase(c))
		if err := w.judge(b, 0, later); classOf(err) != class {
			w.t.Errorf("%s: %q (%v), want %q", name, classOf(err), err, class)
		}
		f.Refused = append(f.Refused, branchCase{name, "12.3", later, block, "", class, b})
	}
	show("none of the blocks is guilty", 0, newCase(raw, branchHeight-1, last-1))
	show(authors[len(authors)-1].name, last, newCase(raw, last-1, last))
	show("a ballot that is not longer than ballot_bytes", last, newCase(w.long(raw, false), last-1, last))
	for i, a := range authors[:len(authors)-1] {
		height := branchHeight + int64(i)
		refuse(a.name, "case", height, w.accusing(newCase(raw, height-1, height+1), height))
	}
	refuse("a ballot that is longer than ballot_bytes", "case", last, w.accusing(newCase(w.long(raw, true), last-1, last+1), last))
	return f
}

// accusing leaves of a case the block of a height, with the records of a guilty one.
func (w *world) accusing(c *pb.SlipCase, height int64) *pb.SlipCase {
	before := must(w.branch.StateAt(height - 1))
	at := int(height - c.Promise.Slip.Issued - 1)
	if at >= len(c.Blocks) {
		w.t.Fatalf("block %d is not shown", height)
	}
	b := c.Blocks[at]
	b.ElectionRecord, b.Parameters = must(before.ProveRecord(state.ElectionKey(primary))), must(before.ProveRecord(state.KeyParameters))
	c.Blocks = []*pb.ProposedBlock{b}
	return c
}
