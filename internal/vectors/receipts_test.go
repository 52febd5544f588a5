package vectors

import (
	"fmt"
	"strings"
	"time"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
	"votenode/verify/prooffile"
	"votenode/verify/receipt"
	"votenode/verify/slip"
)

// receiptsFile is receipts.json: chapter 12, section 6.10.
type receiptsFile struct {
	Comment     string          `json:"comment"`
	GenesisHash hexBytes        `json:"genesis_hash"`
	Now         int64           `json:"now"` // unix seconds by the verifier's clock
	States      []stateFile     `json:"states"`
	Receipts    []receiptVector `json:"receipts"`
	Promises    []promiseVector `json:"promises"`
	Cases       []caseVector    `json:"slip_cases"`
}

// proofFile is a file of spec 12.6 in both forms.
type proofFile struct {
	Bytes hexBytes `json:"bytes"`
	JSON  string   `json:"json"`
}

// shownState is what a file shows of a state.
type shownState struct {
	Height    int64    `json:"height"`
	Epoch     uint64   `json:"epoch"`
	BlockHash hexBytes `json:"block_hash"`
	AppHash   hexBytes `json:"app_hash"`
	Certified bool     `json:"certified"`
	Committed bool     `json:"committed"`
}

type stateFile struct {
	State shownState `json:"state"`
	proofFile
}

type receiptVector struct {
	// RollIndex is what the voter brings.
	RollIndex uint64     `json:"roll_index"`
	LogIndex  uint64     `json:"log_index"`
	Sequence  uint64     `json:"sequence"`
	Code      hexBytes   `json:"confirmation_code"`
	Standing  string     `json:"standing"`
	Last      uint64     `json:"last_sequence,omitempty"`
	State     shownState `json:"state"`
	proofFile
}

// promiseVector is a slip with its ballot, and what the slip key signs.
type promiseVector struct {
	Name      string   `json:"name"`
	Ballot    place    `json:"ballot"`
	Validator string   `json:"validator"`
	SlipKey   hexBytes `json:"slip_key"`
	Issued    int64    `json:"issued"`
	Promised  int64    `json:"promised"`
	Slip      hexBytes `json:"slip"`
	Signed    hexBytes `json:"sign_bytes"`
	Signature hexBytes `json:"signature"`
	proofFile
}

type caseVector struct {
	Promise string `json:"promise"`
	Verdict string `json:"verdict"`
	// How is the number of the line of spec 12.3 by which a promise is kept.
	How int `json:"how,omitempty"`
	// Judged is the height of the judged state, Block that of the block that leaves the ballot out.
	Judged int64      `json:"judged"`
	Block  int64      `json:"block,omitempty"`
	State  shownState `json:"state"`
	proofFile
}

// later is a verifier's clock, behind all blocks.
const later = rehearsal.Start + 1_000_000

// shownReceipts are the places in the ballot log whose receipts are shown in the states after some heights.
var shownReceipts = []struct {
	index  uint64
	height int64
}{{3, 35}, {3, 36}, {0, 36}, {0, 45}, {1, 86}, {5, 86}, {3, 80}}

// promises are made by validators of the record, whose keys follow from their names. The record has the ballots; nobody promised them.
// author stands for the validator that made block 34.
var promises = []struct {
	name             string
	ballot           place
	validator        string
	issued, promised int64
	height           int64 // of the state that shows what became of it
}{
	{"recorded", place{34, 4}, "league validator 1", 33, 63, 45},
	{"another ballot of the voter recorded since", place{37, 0}, "league validator 2", 37, 67, 45},
	{"the voter was revoked", place{47, 0}, "party validator 1", 40, 60, 86},
	{"the number was spoiled", place{41, 0}, "league validator 1", 38, 41, 50},
	{"voting ended", place{37, 0}, "league validator 2", 64, 81, 86},
	{"not yet", place{42, 0}, "party validator 1", 39, 69, 41},
	{"left out by its block", place{41, 0}, "author", 33, 38, 45},
	{"no block of the validator", place{41, 0}, "not author", 33, 36, 45},
	{"issued at height 1", place{34, 4}, "league validator 1", 1, 45, 45},
}

func (w *world) receiptsFile() any {
	genesisHash := genesis.Hash(w.Genesis)
	f := &receiptsFile{
		Comment:     "states, receipts, promises and what became of them as files, in both forms: chapter 12 and section 6.10",
		GenesisHash: genesisHash[:], Now: later,
	}
	for _, h := range []int64{1, 36, 86} {
		_, s, err := certified.FromLedgerState(genesisHash, w.LedgerState(h))
		w.must(err)
		f.States = append(f.States, stateFile{shownOf(s), fileOf(prooffile.OfState(w.LedgerState(h)))})
	}
	for _, r := range shownReceipts {
		f.Receipts = append(f.Receipts, w.receiptVector(r.index, r.height))
	}
	for _, p := range promises {
		promise, shown := w.promise(p.name)
		f.Promises = append(f.Promises, shown)
		c := must(slip.NewCase(w, w.LedgerState(p.height), w.at(p.height), promise))
		found := must(slip.Judge(genesisHash, time.Unix(later, 0), c))
		f.Cases = append(f.Cases, caseVector{
			p.name, found.Verdict.String(), lineOf(found), found.Judged, found.Height, shownOf(found.State), fileOf(prooffile.OfSlipCase(c)),
		})
	}
	return f
}

// lineOf returns the line of spec 12.3 by which a promise is kept, 0 where it is not.
func lineOf(f *slip.Finding) int {
	if f.Verdict != slip.Kept {
		return 0
	}
	for i, words := range []string{"the ballot is recorded", "ballot ", "the voter's entry", "the voter has challenged", "the election is"} {
		if strings.HasPrefix(f.How, words) {
			return i + 1
		}
	}
	panic(f.How)
}

func fileOf(p *pb.ProofFile) proofFile {
	return proofFile{prooffile.Bytes(p), string(must(prooffile.JSON(p)))}
}

func shownOf(s *certified.State) shownState {
	return shownState{s.Height, s.Epoch, hexBytes(s.BlockID.Hash), s.AppHash[:], s.Certified, s.Committed}
}

// receipt makes the receipt of a place of the ballot log in the state after a height.
func (w *world) receipt(index uint64, height int64) *pb.Receipt {
	return must(receipt.New(w.LedgerState(height), w.at(height), primary, index))
}

func (w *world) receiptVector(index uint64, height int64) receiptVector {
	r := w.receipt(index, height)
	voter := must(tx.Parse(r.Ballot)).Body().(*pb.CastBallot).RollIndex
	found := must(receipt.Verify(genesis.Hash(w.Genesis), voter, time.Unix(later, 0), r))
	return receiptVector{
		voter, index, found.Sequence, found.Code[:], found.Standing.String(), found.Last, shownOf(found.State), fileOf(prooffile.OfReceipt(r)),
	}
}

// promise makes the promise with a name.
func (w *world) promise(name string) (*pb.Promise, promiseVector) {
	for _, p := range promises {
		if p.name != name {
			continue
		}
		raw := w.BlockAt(p.ballot.Height).Txs[p.ballot.Index]
		cast := must(tx.Parse(raw)).Body().(*pb.CastBallot)
		code := ballot.ConfirmationCode(w.Genesis.ChainId, primary, cast.Style, cast.RollIndex, cast.Sequence, cast.Ciphertext)
		v := w.promiser(p.validator, p.issued)
		promise := &pb.Promise{Ballot: raw, Slip: &pb.AcceptanceSlip{
			ChainId: w.Genesis.ChainId, Election: primary, RollIndex: cast.RollIndex, Sequence: cast.Sequence, Code: code[:], Validator: v.Key,
			Issued: p.issued, Promised: p.promised,
		}}
		shown := promiseVector{
			Name: name, Ballot: p.ballot, Validator: v.Name, SlipKey: v.SlipKey, Issued: p.issued, Promised: p.promised,
			Signed: framed("votenode/v1/slip", election.Encode(promise.Slip), hash(raw)),
		}
		slip.Sign(promise, keyOf(v.SlipKey))
		shown.Slip, shown.Signature = election.Encode(promise.Slip), promise.Slip.Signature
		shown.proofFile = fileOf(prooffile.OfPromise(promise))
		return promise, shown
	}
	panic("no promise has this name")
}

// promiser returns the validator that a promise names.
func (w *world) promiser(name string, height int64) *pb.Validator {
	author := w.of(tx.KindAuthorBlock)[0].Body().(*pb.AuthorBlock).Proposer
	for _, v := range w.trust.At(height).Validators() {
		address := organisation.ConsensusAddress(v.Key)
		made := string(address[:]) == string(author)
		if v.Name == name || name == "author" && made || name == "not author" && !made && strings.HasPrefix(v.Name, "party") {
			return &v
		}
	}
	panic(fmt.Sprintf("%s is no validator of height %d", name, height))
}
