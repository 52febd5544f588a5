package vectors

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
	"votenode/verify/prooffile"
	"votenode/verify/receipt"
	"votenode/verify/slip"
)

// refusedFile is a file of spec 12.6 that must be refused. Class names the kind of error, Section where the rule stands.
type refusedFile struct {
	Name    string `json:"name"`
	Section string `json:"section"`
	// Of names the good file that it was: receipt or slip case, by its place in receipts.json.
	Of    string `json:"of"`
	Place int    `json:"place"`
	// RollIndex is what the voter brings, of a receipt; Now the verifier's clock.
	RollIndex *uint64  `json:"roll_index,omitempty"`
	Now       int64    `json:"now"`
	Class     string   `json:"class"`
	Bytes     hexBytes `json:"bytes"`
}

// classes are the errors by the names that README.md explains. The first that fits is meant.
var classes = []struct {
	name string
	err  error
}{
	{"file", prooffile.ErrFile}, {"malformed", certified.ErrMalformed}, {"signature", certified.ErrSignature}, {"epoch", certified.ErrEpoch},
	{"not certified", certified.ErrNotCertified}, {"proof", state.ErrProof}, {"slip", slip.ErrSlip}, {"case", slip.ErrCase},
	{"unsigned", receipt.ErrUnsigned}, {"receipt", receipt.ErrMismatch}, {"ahead", certified.ErrAhead}, {"mismatch", certified.ErrMismatch},
}

func classOf(err error) string {
	for _, c := range classes {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	return ""
}

// fault is a change of a file, and the class of the error that it must give.
type fault struct {
	name, section, class string
	change               func(g *good, p *pb.ProofFile)
}

// The good files that are changed, by their places in receipts.json: a receipt, one behind a change of the validators, and cases of which
// the first and the last promise are kept because the ballot is recorded.
const (
	changedReceipt, laterReceipt                                         = 0, 5
	keptCase, spoiledCase, pendingCase, brokenCase, turnsCase, firstCase = 0, 3, 5, 6, 7, 8
)

var receiptFaults = []fault{
	{"a ballot with a flipped bit", "12.5", "proof", func(_ *good, p *pb.ProofFile) { p.GetReceipt().Ballot[20] ^= 1 }},
	{"another place in the ballot log", "12.5", "proof", func(_ *good, p *pb.ProofFile) { p.GetReceipt().LogIndex-- }},
	{"a place behind the ballot log", "12.5", "proof", func(_ *good, p *pb.ProofFile) { p.GetReceipt().LogIndex = 7 }},
	{"a path with a hash too many", "5.6", "proof", func(_ *good, p *pb.ProofFile) {
		r := p.GetReceipt()
		r.BallotPath = append(r.BallotPath, r.BallotPath[0])
	}},
	{"a path without its last hash", "5.6", "proof", func(_ *good, p *pb.ProofFile) {
		r := p.GetReceipt()
		r.BallotPath = r.BallotPath[:len(r.BallotPath)-1]
	}},
	{"a path with a hash of 31 bytes", "5.6", "proof", func(_ *good, p *pb.ProofFile) { p.GetReceipt().BallotPath[0] = p.GetReceipt().BallotPath[0][1:] }},
	{"a voter who has not voted", "12.5", "proof", func(_ *good, p *pb.ProofFile) { p.GetReceipt().Voter = nil }},
	{"the record of another log", "5.6", "proof", func(_ *good, p *pb.ProofFile) { p.GetReceipt().Ballots.Key = "log/blocks" }},
	{"a record with another turn", "5.6", "proof", func(_ *good, p *pb.ProofFile) { p.GetReceipt().Ballots.Leaves[0].Turns ^= 1 }},
	{"a record with a turn too many", "5.6", "proof", func(_ *good, p *pb.ProofFile) { p.GetReceipt().Ballots.Leaves[0].Turns |= 1 << 40 }},
	{"a record that is said to be absent", "5.6", "proof", func(_ *good, p *pb.ProofFile) { p.GetReceipt().Voters.Absent = true }},
	{"another election", "12.5", "proof", func(_ *good, p *pb.ProofFile) { p.GetReceipt().Election = "another" }},
	{"no id of an election", "12.5", "receipt", func(_ *good, p *pb.ProofFile) { p.GetReceipt().Election = "../primary" }},
	{"another genesis document", "6.10", "mismatch", func(_ *good, p *pb.ProofFile) { p.GetReceipt().Ledger.Genesis[3] ^= 1 }},
	{"a precommit with a flipped bit", "6.3", "signature", func(_ *good, p *pb.ProofFile) { child(p).Precommits[0].Signature[0] ^= 1 }},
	{"a precommit of another round", "6.3", "signature", func(_ *good, p *pb.ProofFile) { child(p).Round++ }},
	{"a precommit by no validator", "6.3", "signature", func(_ *good, p *pb.ProofFile) { child(p).Precommits[0].Address = make([]byte, 20) }},
	{"precommits out of order", "6.3", "malformed", func(_ *good, p *pb.ProofFile) {
		list := child(p).Precommits
		list[0], list[1] = list[1], list[0]
	}},
	{"two precommits of four", "12.5", "unsigned", func(_ *good, p *pb.ProofFile) { child(p).Precommits = child(p).Precommits[:2] }},
	{"a header with another AppHash", "6.3", "signature", func(_ *good, p *pb.ProofFile) {
		c := child(p)
		at := bytes.LastIndex(c.Header, []byte{0x5a, 32}) // field 11, 32 bytes
		c.Header[at+2] ^= 1
	}},
}

var laterFaults = []fault{
	{"no proof of the second epoch", "6.5", "mismatch", func(_ *good, p *pb.ProofFile) { p.GetReceipt().Ledger.Epochs = nil }},
	{"a second epoch that three of four signed", "6.5", "not certified", func(_ *good, p *pb.ProofFile) {
		c := p.GetReceipt().Ledger.Epochs[0].State.Children[0]
		c.Precommits = c.Precommits[:3]
	}},
}

var keptFaults = []fault{
	{"a slip with a flipped bit", "12.1", "slip", func(_ *good, p *pb.ProofFile) { p.GetSlipCase().Promise.Slip.Signature[0] ^= 1 }},
	{"a slip that promises another height", "12.1", "slip", func(_ *good, p *pb.ProofFile) { p.GetSlipCase().Promise.Slip.Promised-- }},
	{"a slip that promises too late a height", "12.1", "slip", func(_ *good, p *pb.ProofFile) { p.GetSlipCase().Promise.Slip.Promised += 1_000 }},
	{"a slip by another validator", "12.1", "slip", func(_ *good, p *pb.ProofFile) { p.GetSlipCase().Promise.Slip.Validator[0] ^= 1 }},
	{"a slip for another code", "12.1", "slip", func(_ *good, p *pb.ProofFile) { p.GetSlipCase().Promise.Slip.Code[0] ^= 1 }},
	{"the ballot with another signature", "12.1", "slip", func(_ *good, p *pb.ProofFile) {
		b := p.GetSlipCase().Promise.Ballot
		b[len(b)-1] ^= 1
	}},
	{"no block before the height of issue", "12.3", "proof", func(_ *good, p *pb.ProofFile) { p.GetSlipCase().Before = nil }},
	{"blocks shown beside a promise that is kept", "12.3", "case", func(_ *good, p *pb.ProofFile) { p.GetSlipCase().Blocks = []*pb.ProposedBlock{{}} }},
	{"the voter's leaf left out", "12.3", "proof", func(_ *good, p *pb.ProofFile) { p.GetSlipCase().Voter = nil }},
	{"what is spoiled of another voter", "12.3", "proof", func(_ *good, p *pb.ProofFile) { p.GetSlipCase().Spoiled.Key = state.SpoiledKey(primary, 4) }},
}

var turnsFaults = []fault{
	{"the judged state left out", "12.3", "proof", func(_ *good, p *pb.ProofFile) { p.GetSlipCase().Judged = nil }},
	{"a block left out", "12.3", "case", func(_ *good, p *pb.ProofFile) { p.GetSlipCase().Blocks = p.GetSlipCase().Blocks[1:] }},
	{"the last block left out", "12.3", "case", func(_ *good, p *pb.ProofFile) {
		c := p.GetSlipCase()
		c.Blocks = c.Blocks[:len(c.Blocks)-1]
	}},
	{"transactions of another's block", "12.3", "case", func(_ *good, p *pb.ProofFile) { p.GetSlipCase().Blocks[0].Others = [][]byte{make([]byte, 32)} }},
}

func child(p *pb.ProofFile) *pb.SignedHeader { return p.GetReceipt().Ledger.State.Children[0] }

// bytesFaults are changes of the bytes of a file. Spec 12.6.
var bytesFaults = []struct {
	name   string
	change func(f proofFile) []byte
}{
	{"no bytes", func(proofFile) []byte { return nil }},
	{"a byte behind the file", func(f proofFile) []byte { return append(bytes.Clone(f.Bytes), 0) }},
	{"the last byte cut off", func(f proofFile) []byte { return f.Bytes[:len(f.Bytes)-1] }},
	{"JSON without the line feed", func(f proofFile) []byte { return []byte(f.JSON[:len(f.JSON)-1]) }},
	{"JSON with white space", func(f proofFile) []byte { return append([]byte("{ "), f.JSON[1:]...) }},
	{"JSON with a field that there is not", func(f proofFile) []byte { return append([]byte(`{"another":1,`), f.JSON[1:]...) }},
}

// judge verifies a file as its reader does.
func (w *world) judge(b []byte, voter uint64, now int64) error {
	p, err := prooffile.Parse(b)
	if err != nil {
		return err
	}
	if r := p.GetReceipt(); r != nil {
		_, err = receipt.Verify(genesis.Hash(w.Genesis), voter, time.Unix(now, 0), r)
		return err
	}
	_, err = slip.Judge(genesis.Hash(w.Genesis), time.Unix(now, 0), p.GetSlipCase())
	return err
}

// good are the files of receipts.json, of which parts are put into others.
type good struct {
	*world
	*receiptsFile
}

// slipCase returns the case at a place.
func (g *good) slipCase(place int) *pb.SlipCase {
	return must(prooffile.Parse(g.Cases[place].Bytes)).GetSlipCase()
}

func (w *world) refusedFiles() []refusedFile {
	good := &good{w, w.receiptsFile().(*receiptsFile)}
	of, behind := &good.Receipts[changedReceipt], &good.Receipts[laterReceipt]
	list := slices.Concat(
		good.faults("receipt", changedReceipt, of.proofFile, &of.RollIndex, slices.Concat(receiptFaults, signedFaults, forgedFaults)),
		good.faults("receipt", laterReceipt, behind.proofFile, &behind.RollIndex, slices.Concat(laterFaults, epochFaults)),
	)
	for _, c := range []struct {
		place int
		list  []fault
	}{
		{keptCase, slices.Concat(keptFaults, slipFaults)}, {spoiledCase, spoiledFaults}, {pendingCase, pendingFaults}, {brokenCase, brokenFaults},
		{turnsCase, turnsFaults}, {firstCase, firstFaults},
	} {
		list = append(list, good.faults("slip case", c.place, good.Cases[c.place].proofFile, nil, c.list)...)
	}
	for _, f := range bytesFaults {
		list = append(list, w.refusedFile(refusedFile{
			Name: f.name, Section: "12.6", Of: "receipt", Place: changedReceipt, RollIndex: &of.RollIndex, Now: later, Class: "file", Bytes: f.change(of.proofFile),
		}))
	}
	stranger, early := of.RollIndex+1, w.BlockAt(of.State.Height+1).Time.Unix()-61
	return append(list,
		w.refusedFile(refusedFile{"another voter's receipt", "12.5", "receipt", changedReceipt, &stranger, later, "receipt", of.Bytes}),
		w.refusedFile(refusedFile{"a state 61 seconds ahead", "12.5", "receipt", changedReceipt, &of.RollIndex, early, "ahead", of.Bytes}),
	)
}

func (g *good) faults(of string, place int, good proofFile, voter *uint64, list []fault) []refusedFile {
	var out []refusedFile
	for _, f := range list {
		p := new(pb.ProofFile)
		g.must(election.Decode(bytes.Clone(good.Bytes), p))
		f.change(g, p)
		out = append(out, g.refusedFile(refusedFile{f.name, f.section, of, place, voter, later, f.class, prooffile.Bytes(p)}))
	}
	return out
}

// refusedFile checks that a file is refused as is said.
func (w *world) refusedFile(f refusedFile) refusedFile {
	w.t.Helper()
	voter := uint64(0)
	if f.RollIndex != nil {
		voter = *f.RollIndex
	}
	if err := w.judge(f.Bytes, voter, f.Now); err == nil || classOf(err) != f.Class {
		w.t.Errorf("%s: %q (%v), want %q", f.Name, classOf(err), err, f.Class)
	}
	return f
}
