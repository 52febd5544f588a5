package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/tx"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/audit"
	"votenode/verify/record"
)

// caught audits a changed record of the story and fails unless the first failed check has one of some names.
func caught(t *testing.T, files fstest.MapFS, names ...string) {
	t.Helper()
	e, _ := story()
	hash := genesis.Hash(e.Genesis)
	report := run(t, files, &hash)
	failed := report.Failure()
	if failed == nil {
		t.Fatalf("it passes; the failure of %q was expected", names)
	}
	if failed.Outcome != audit.Failed || !slices.Contains(names, failed.Name) {
		t.Fatalf("%v; expected one of %q", failed, names)
	}
}

// find returns the height of the first block that holds a transaction of a kind that took effect, and its place there.
func find(t *testing.T, kind tx.Kind) (height, index int) {
	t.Helper()
	e, _ := story()
	height, index = findIn(e.Ledger, kind)
	if height == 0 {
		t.Fatalf("the story has no %v", kind)
	}
	return height, index
}

// findIn is find for any ledger; the height is 0 where there is none.
func findIn(l *rehearsal.Ledger, kind tx.Kind) (height, index int) {
	for h, b := range l.Blocks {
		for i, raw := range b.Txs {
			if p, err := tx.Parse(raw); err == nil && p.Kind() == kind && l.Results[h][i].Code == tx.CodeOK {
				return h + 1, i
			}
		}
	}
	return 0, 0
}

// somewhere is find in the story, or in a scene where the story has none.
func somewhere(t *testing.T, kind tx.Kind) (l *rehearsal.Ledger, height, index int) {
	t.Helper()
	e, _ := story()
	if height, index = findIn(e.Ledger, kind); height > 0 {
		return e.Ledger, height, index
	}
	if height, index = findIn(nominated(), kind); height > 0 {
		return nominated(), height, index
	}
	t.Fatalf("there is no %v anywhere", kind)
	return nil, 0, 0
}

// nominated is a ledger on which candidates are nominated, held once for all tests; nobody changes it.
var nominated = sync.OnceValue(func() (l *rehearsal.Ledger) {
	rehearsal.Scenes["nominations"](testing.TB(held{}), func(founded *rehearsal.Ledger) { l = founded })
	return l
})

// TestRoundsOfLot: the report tells which rounds of a lot were ended, without whose secrets, and why.
func TestRoundsOfLot(t *testing.T) {
	var l *rehearsal.Ledger
	rehearsal.Scenes["lost secrets"](t, func(founded *rehearsal.Ledger) { l = founded })
	for range 3 { // until its end is certified
		l.Make(1)
	}
	hash := genesis.Hash(l.Genesis)
	report := run(t, l.Record(l.Blocks), &hash)
	if !report.Passed {
		t.Fatal(report.Failure())
	}
	var text bytes.Buffer
	report.Write(&text)
	for _, want := range []string{
		"\nround 1 of the lot: ended without the secrets of league, by resolution ", "\nround 2 of the lot: ended without the secrets of league, party, by resolution ",
		": the file is lost\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	if rounds := report.Elections[0].Rounds; len(rounds) != 2 || rounds[0].Height == 0 || rounds[1].Height <= rounds[0].Height {
		t.Errorf("%+v", rounds)
	}
}

// What is said of a candidate makes a difference, whoever signs it anew: a reason, a flag, a decision that is left out, and the time at which
// the manifest is formed.
func TestChangedNominations(t *testing.T) {
	l := nominated()
	hash := genesis.Hash(l.Genesis)
	report := run(t, l.Record(l.Blocks), &hash)
	if !report.Passed {
		t.Fatal(report.Failure())
	}
	var text bytes.Buffer
	report.Write(&text)
	for _, want := range []string{
		"\nnominations primary: 9 applications, 2 refused, 2 withdrawn, 4 stand; manifest ", "\nremoved: Dana of Mazhilis, by resolution ", ": a court says so\n",
		"\nnominations second: 2 applications, 0 refused, 0 withdrawn, 1 stand; cancelled by resolution ", ": too few candidates\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	for name, c := range map[string]struct {
		kind   tx.Kind
		change func(raw []byte) [][]byte
		want   string
	}{
		"a decision is dropped":   {tx.KindDecideApplications, func([]byte) [][]byte { return nil }, "results"},
		"a withdrawal is dropped": {tx.KindWithdrawApplication, func([]byte) [][]byte { return nil }, "results"},
		"a reason is added": {tx.KindDecideApplications, func(raw []byte) [][]byte {
			m := parsed(raw).Body().(*pb.DecideApplications)
			m.Decisions[0].Refused = "another reason"
			return [][]byte{rehearsal.Sign("party registrar 1", m)}
		}, "results"},
		"a candidate grows old": {tx.KindSubmitApplications, func(raw []byte) [][]byte {
			m := parsed(raw).Body().(*pb.SubmitApplications)
			a := m.Applications[0].Application
			a.Young = false
			m.Applications[0] = *tx.SignApplication(rehearsal.Chain, a, rehearsal.Key("candidate "+a.Name))
			return [][]byte{rehearsal.Sign("party registrar 1", m)}
		}, "results"},
		"a candidate has not signed": {tx.KindSubmitApplications, func(raw []byte) [][]byte {
			m := parsed(raw).Body().(*pb.SubmitApplications)
			m.Applications[0].Application.Young = false
			return [][]byte{rehearsal.Sign("party registrar 1", m)}
		}, "proposals"},
	} {
		t.Run(name, func(t *testing.T) {
			height, index := findIn(l, c.kind)
			blocks := rehearsal.Clone(l.Blocks)
			txs := &blocks[height-1].Data.Txs
			var changed []cmttypes.Tx
			for _, raw := range c.change((*txs)[index]) {
				changed = append(changed, raw)
			}
			*txs = slices.Replace(*txs, index, index+1, changed...)
			l.Seal(blocks)
			caught(t, l.Record(blocks), c.want)
		})
	}
}

func parsed(raw []byte) *tx.Parsed {
	p, err := tx.Parse(bytes.Clone(raw))
	if err != nil {
		panic(err)
	}
	return p
}

// An enemy with the keys of all validators changes one thing in the middle and has everything after it signed again.
func TestChangedAndSignedAgain(t *testing.T) {
	other := sha256.Sum256([]byte("other"))
	for name, c := range map[string]struct {
		change func(b *cmttypes.Block)
		want   string
	}{
		"application version":   {func(b *cmttypes.Block) { b.Version.App++ }, "headers"},
		"chain id":              {func(b *cmttypes.Block) { b.ChainID = "another" }, "headers"},
		"proposer":              {func(b *cmttypes.Block) { b.ProposerAddress = other[:20] }, "headers"},
		"validators":            {func(b *cmttypes.Block) { b.ValidatorsHash = other[:] }, "validators"},
		"next validators":       {func(b *cmttypes.Block) { b.NextValidatorsHash = other[:] }, "validators"},
		"parameters":            {func(b *cmttypes.Block) { b.ConsensusHash = other[:] }, "validators"},
		"time":                  {func(b *cmttypes.Block) { b.Time = b.Time.Add(time.Nanosecond) }, "time"},
		"time beyond reckoning": {func(b *cmttypes.Block) { b.Time = time.Date(9998, 1, 1, 0, 0, 0, 0, time.UTC) }, "time"},
		"time before all":       {func(b *cmttypes.Block) { b.Time = time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC) }, "time"},
		"time of precommits": {func(b *cmttypes.Block) {
			for i := range b.LastCommit.Signatures {
				b.LastCommit.Signatures[i].Timestamp = b.Time.Add(-time.Hour)
			}
		}, "time"},
		"time runs backwards": {func(b *cmttypes.Block) {
			b.Time = b.Time.Add(-time.Hour)
			for i := range b.LastCommit.Signatures {
				b.LastCommit.Signatures[i].Timestamp = b.Time
			}
		}, "time"},
		"state":           {func(b *cmttypes.Block) { b.AppHash = other[:] }, "state"},
		"results":         {func(b *cmttypes.Block) { b.LastResultsHash = other[:] }, "results"},
		"dropped ballot":  {func(b *cmttypes.Block) { b.Txs = b.Txs[:len(b.Txs)-1] }, "results"},
		"doubled ballot":  {func(b *cmttypes.Block) { b.Txs = append(b.Txs, b.Txs[0]) }, "results"},
		"swapped ballots": {func(b *cmttypes.Block) { b.Txs[0], b.Txs[1] = b.Txs[1], b.Txs[0] }, "state"},
		"two of four away": {func(b *cmttypes.Block) {
			for i := range 2 {
				b.LastCommit.Signatures[i] = cmttypes.NewCommitSigAbsent()
			}
		}, "precommits"},
		"two of four for nil": {func(b *cmttypes.Block) {
			for i := range 2 {
				b.LastCommit.Signatures[i].BlockIDFlag = cmttypes.BlockIDFlagNil
			}
		}, "precommits"},
		"commit of another height": {func(b *cmttypes.Block) { b.LastCommit.Height-- }, "precommits"},
		"a validator too few": {func(b *cmttypes.Block) {
			b.LastCommit.Signatures = b.LastCommit.Signatures[1:]
		}, "precommits"},
		"validators in another order": {func(b *cmttypes.Block) { slices.Reverse(b.LastCommit.Signatures) }, "precommits"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := story()
			height, _ := find(t, tx.KindCastBallot)
			blocks := rehearsal.Clone(e.Blocks)
			c.change(blocks[height-1])
			e.Ledger.Seal(blocks)
			caught(t, e.Ledger.Record(blocks), c.want)
		})
	}
}

// The same without new signatures: the block is another one than the next block names.
func TestChangedAndNotSigned(t *testing.T) {
	e, _ := story()
	height, _ := find(t, tx.KindCastBallot)
	for name, change := range map[string]func(b *cmttypes.Block){
		"state":     func(b *cmttypes.Block) { b.AppHash[3] ^= 1 },
		"results":   func(b *cmttypes.Block) { b.LastResultsHash[3] ^= 1 },
		"ballot":    func(b *cmttypes.Block) { b.Txs[0][100] ^= 1 },
		"signature": func(b *cmttypes.Block) { b.LastCommit.Signatures[1].Signature[5] ^= 1 },
		"proposer": func(b *cmttypes.Block) {
			for _, s := range b.LastCommit.Signatures {
				if !bytes.Equal(s.ValidatorAddress, b.ProposerAddress) {
					b.ProposerAddress = s.ValidatorAddress
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			blocks := rehearsal.Clone(e.Blocks)
			change(blocks[height-1])
			caught(t, e.Ledger.Record(blocks), "chain")
		})
	}
}

// Nobody has signed the last block; what it says is checked all the same.
func TestChangedLastBlock(t *testing.T) {
	e, _ := story()
	other := sha256.Sum256([]byte("other"))
	for name, c := range map[string]struct {
		change func(b *cmttypes.Block)
		want   string
	}{
		"state":           {func(b *cmttypes.Block) { b.AppHash = other[:] }, "state"},
		"results":         {func(b *cmttypes.Block) { b.LastResultsHash = other[:] }, "results"},
		"block before":    {func(b *cmttypes.Block) { b.LastBlockID.Hash = other[:] }, "chain"},
		"contents":        {func(b *cmttypes.Block) { b.DataHash = other[:] }, "contents"},
		"evidence":        {func(b *cmttypes.Block) { b.EvidenceHash = other[:] }, "contents"},
		"commit":          {func(b *cmttypes.Block) { b.LastCommitHash = other[:] }, "contents"},
		"time":            {func(b *cmttypes.Block) { b.Time = b.Time.Add(1) }, "time"},
		"next validators": {func(b *cmttypes.Block) { b.NextValidatorsHash = other[:] }, "validators"},
	} {
		t.Run(name, func(t *testing.T) {
			blocks := rehearsal.Clone(e.Blocks)
			c.change(blocks[len(blocks)-1])
			caught(t, e.Ledger.Record(blocks), c.want)
		})
	}
}

// A signature of a commit that does not verify, under headers that fit it.
func TestForgedPrecommit(t *testing.T) {
	e, _ := story()
	blocks := rehearsal.Clone(e.Blocks)
	last := len(blocks) - 1
	c := blocks[last].LastCommit
	c.Signatures[2].Signature = c.Signatures[1].Signature
	blocks[last].LastCommit = &cmttypes.Commit{Height: c.Height, Round: c.Round, BlockID: c.BlockID, Signatures: c.Signatures}
	blocks[last].LastCommitHash = blocks[last].LastCommit.Hash()
	caught(t, e.Ledger.Record(blocks), "precommits")
}

func TestForgedEvidence(t *testing.T) {
	e, _ := story()
	at := slices.IndexFunc(e.Blocks, func(b *cmttypes.Block) bool { return len(b.Evidence.Evidence) > 0 })
	for name, change := range map[string]func(d *cmttypes.DuplicateVoteEvidence){
		"signature": func(d *cmttypes.DuplicateVoteEvidence) { d.VoteB.Signature[7] ^= 1 },
		"power":     func(d *cmttypes.DuplicateVoteEvidence) { d.ValidatorPower++ },
		"total":     func(d *cmttypes.DuplicateVoteEvidence) { d.TotalVotingPower-- },
		"time":      func(d *cmttypes.DuplicateVoteEvidence) { d.Timestamp = d.Timestamp.Add(1) },
		"round":     func(d *cmttypes.DuplicateVoteEvidence) { d.VoteA.Round++ },
		"height":    func(d *cmttypes.DuplicateVoteEvidence) { d.VoteA.Height, d.VoteB.Height = 1_000, 1_000 },
		"validator": func(d *cmttypes.DuplicateVoteEvidence) {
			d.VoteA.ValidatorAddress = bytes.Repeat([]byte{1}, 20)
			d.VoteB.ValidatorAddress = d.VoteA.ValidatorAddress
		},
	} {
		t.Run(name, func(t *testing.T) {
			blocks := rehearsal.Clone(e.Blocks)
			change(blocks[at].Evidence.Evidence[0].(*cmttypes.DuplicateVoteEvidence))
			e.Ledger.Seal(blocks)
			caught(t, e.Ledger.Record(blocks), "evidence")
		})
	}
}

// One byte is changed in each part of a transaction of each kind, and everything is signed again. Form, signature and proof fail before
// anything else; a ballot that becomes one of nobody, or of no election, has another code than the next header attests.
func TestChangedTransactions(t *testing.T) {
	for _, kind := range tx.Kinds() {
		l, height, index := somewhere(t, kind)
		for part, change := range map[string]func(*pb.Envelope){
			"kind":              func(v *pb.Envelope) { v.Kind = v.Kind%15 + 1 },
			"body, first":       func(v *pb.Envelope) { v.Body[2] ^= 1 },
			"body, middle":      func(v *pb.Envelope) { v.Body[len(v.Body)/2] ^= 1 },
			"body, last":        func(v *pb.Envelope) { v.Body[len(v.Body)-1] ^= 1 },
			"signature, first":  func(v *pb.Envelope) { v.Signature[0] ^= 1 },
			"signature, second": func(v *pb.Envelope) { v.Signature[40] ^= 1 },
			"signer": func(v *pb.Envelope) {
				v.Signer = append([]byte{1}, v.Signer...)[:len(v.Signer)|1&^(len(v.Signer)>>5)]
			},
		} {
			t.Run(fmt.Sprintf("%v, %s", kind, part), func(t *testing.T) {
				t.Parallel()
				blocks := rehearsal.Clone(l.Blocks[:height+2])
				v := new(pb.Envelope)
				if err := election.Decode(blocks[height-1].Txs[index], v); err != nil {
					t.Fatal(err)
				}
				change(v)
				blocks[height-1].Txs[index] = election.Encode(v)
				l.Seal(blocks)
				caught(t, l.Record(blocks), "proposals", "results")
			})
		}
	}
}

// A choice that is left out, that stands once more, and one of a member who is not in the part that the poll is for: another code or
// another state than the next header attests.
func TestChangedChoices(t *testing.T) {
	e, _ := story()
	height, index := find(t, tx.KindCastChoice)
	poll := &rehearsal.Election{ID: "poll", Voters: e.Voters}
	for name, change := range map[string]func(b *cmttypes.Block){
		"left out":         func(b *cmttypes.Block) { b.Txs = slices.Delete(b.Txs, index, index+1) },
		"counted twice":    func(b *cmttypes.Block) { b.Txs = append(b.Txs, b.Txs[index]) },
		"outside the part": func(b *cmttypes.Block) { b.Txs[index] = poll.Choose(2, 1, 0) },
		"another choice":   func(b *cmttypes.Block) { b.Txs[index] = poll.Choose(0, 1, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			blocks := rehearsal.Clone(e.Blocks)
			change(blocks[height-1])
			e.Ledger.Seal(blocks)
			caught(t, e.Ledger.Record(blocks), "results", "state")
		})
	}
}

// A transaction that is signed again by its signer takes effect differently from what the validators attested.
func TestTransactionSignedAgain(t *testing.T) {
	e, _ := story()
	height, index := find(t, tx.KindProposeResolution)
	blocks := rehearsal.Clone(e.Blocks)
	p, err := tx.Parse(blocks[height-1].Txs[index])
	if err != nil {
		t.Fatal(err)
	}
	m := p.Body().(*pb.ProposeResolution)
	m.Resolution.Reason = "another reason"
	blocks[height-1].Txs[index] = rehearsal.Sign("party officer 1", m)
	e.Ledger.Seal(blocks)
	caught(t, e.Ledger.Record(blocks), "results", "state")
}

// A voter is added by the registrars of one organisation, or under the signature that another's gave to another part: the sender and all
// validators have signed it.
func TestRollOfOneOrganisation(t *testing.T) {
	e, _ := story()
	height, index := find(t, tx.KindAddRollEntries)
	for name, c := range map[string]struct {
		change func(m *pb.AddRollEntries)
		want   string
	}{
		"not signed":   {func(m *pb.AddRollEntries) { m.Signatures = m.Signatures[1:] }, "results"},
		"signed twice": {func(m *pb.AddRollEntries) { m.Signatures[0] = m.Signatures[1] }, "results"},
		"signed by officer": {func(m *pb.AddRollEntries) {
			m.Signatures[0] = tx.SignRoll(rehearsal.Chain, m, rehearsal.Key("league officer 1"))
		}, "results"},
		"another entry": {func(m *pb.AddRollEntries) { m.Entries[1].Style ^= 1 }, "proposals"},
	} {
		t.Run(name, func(t *testing.T) {
			blocks := rehearsal.Clone(e.Blocks)
			p, err := tx.Parse(blocks[height-1].Txs[index])
			if err != nil {
				t.Fatal(err)
			}
			m := p.Body().(*pb.AddRollEntries)
			c.change(m)
			blocks[height-1].Txs[index] = rehearsal.Sign("party registrar 1", m)
			e.Ledger.Seal(blocks)
			caught(t, e.Ledger.Record(blocks), c.want)
		})
	}
}

func TestBlocksOutOfPlace(t *testing.T) {
	e, _ := story()
	encoded := func() [][]byte {
		var all [][]byte
		for _, b := range e.Blocks {
			all = append(all, rehearsal.Encode(b))
		}
		return all
	}
	document, approvals := e.Files()
	height, _ := find(t, tx.KindCastBallot)
	for name, change := range map[string]func(all [][]byte) [][]byte{
		"first dropped":  func(all [][]byte) [][]byte { return all[1:] },
		"one dropped":    func(all [][]byte) [][]byte { return slices.Delete(all, height, height+1) },
		"one doubled":    func(all [][]byte) [][]byte { return slices.Insert(all, height, all[height]) },
		"two swapped":    func(all [][]byte) [][]byte { all[height], all[height+1] = all[height+1], all[height]; return all },
		"byte behind":    func(all [][]byte) [][]byte { all[height] = append(all[height], 0); return all },
		"unknown field":  func(all [][]byte) [][]byte { all[height] = append(all[height], 0xfa, 0x01, 0x01, 'x'); return all },
		"cut":            func(all [][]byte) [][]byte { all[height] = all[height][:len(all[height])-1]; return all },
		"no commit":      func(all [][]byte) [][]byte { all[height] = all[height][:100]; return all },
		"nothing inside": func(all [][]byte) [][]byte { all[height] = []byte{0x0a, 0}; return all },
	} {
		t.Run(name, func(t *testing.T) {
			caught(t, rehearsal.Folder(rehearsal.Chain, document, approvals, change(encoded())), "blocks")
		})
	}
	t.Run("fewer than the index names", func(t *testing.T) {
		files := rehearsal.Folder(rehearsal.Chain, document, approvals, encoded())
		index, err := record.ParseIndex(files[record.IndexName].Data)
		if err != nil {
			t.Fatal(err)
		}
		index.Height++
		files[record.IndexName].Data = index.Bytes()
		caught(t, files, "blocks")
	})
}

// A shorter record is a record, but does not certify the end, or does not show it.
func TestShorterRecord(t *testing.T) {
	e, _ := story()
	hash := genesis.Hash(e.Genesis)
	final := 1 + slices.IndexFunc(e.Events, func(told []app.Event) bool {
		return slices.ContainsFunc(told, func(e app.Event) bool {
			return slices.Contains(e.Attributes, app.Attribute{Key: "phase", Value: election.PhaseName(pb.PHASE_FINAL)})
		})
	})
	if final == 0 {
		t.Fatal("no election of the story is final")
	}
	for blocks, passes := range map[int]bool{len(e.Blocks) - 1: true, final + 3: true, final + 2: true, final + 1: false, final: true, final - 26: true, 2: true} {
		report := run(t, e.Ledger.Record(e.Blocks[:blocks]), &hash)
		failed := report.Failure()
		if report.Passed != passes || !passes && failed.Name != "certified" {
			t.Errorf("of the first %d blocks, the election being final after %d: %v", blocks, final, failed)
		}
	}
}

// Blocks of another ledger of the same name, and a whole other ledger.
func TestAnotherLedger(t *testing.T) {
	e, _ := story()
	other := rehearsal.New(t, func(g *pb.Genesis) { g.Parameters.ResolutionHeights++ })
	for range 5 {
		other.Make(1)
	}
	caught(t, other.Record(other.Blocks), "genesis")

	document, approvals := e.Files()
	_, theirs := other.Files()
	var blocks, own [][]byte
	for _, b := range other.Blocks {
		blocks = append(blocks, rehearsal.Encode(b))
	}
	for _, b := range e.Blocks {
		own = append(own, rehearsal.Encode(b))
	}
	caught(t, rehearsal.Folder(rehearsal.Chain, document, approvals, blocks), "state")
	caught(t, rehearsal.Folder(rehearsal.Chain, document, theirs, own), "approvals")
	caught(t, rehearsal.Folder(rehearsal.Chain, document, nil, own), "approvals")
	caught(t, rehearsal.Folder("another", document, approvals, own), "genesis")

	// Taken on trust, the other ledger passes, and the report says so.
	report := run(t, other.Record(other.Blocks), nil)
	if !report.Passed || !report.Trusted || !strings.Contains(report.Checks[1].Found, "on trust") {
		t.Errorf("%v, %+v", report.Failure(), report.Checks[1])
	}
}

// Every part of the genesis document is under the hash, and under the officers' approvals where no hash is known.
func TestChangedGenesis(t *testing.T) {
	e, _ := story()
	document, approvals := e.Files()
	var blocks [][]byte
	for _, b := range e.Blocks {
		blocks = append(blocks, rehearsal.Encode(b))
	}
	for name, change := range map[string]func(*pb.Genesis){
		"chain":   func(g *pb.Genesis) { g.ChainId = "another" },
		"time":    func(g *pb.Genesis) { g.Time++ },
		"title":   func(g *pb.Genesis) { g.Organisations[0].Organisation.Title = "another" },
		"quorum":  func(g *pb.Genesis) { g.Organisations[0].Organisation.OfficerQuorum = 1 },
		"officer": func(g *pb.Genesis) { g.Organisations[0].Organisation.Officers[0].Name = "another" },
		"power": func(g *pb.Genesis) {
			g.Organisations[0].Validators[0].Power, g.Organisations[1].Validators[0].Power = 9, 9
		},
		"parameters": func(g *pb.Genesis) { g.Parameters.ResolutionHeights++ },
		"malformed":  func(g *pb.Genesis) { g.Organisations = g.Organisations[:1] },
	} {
		t.Run(name, func(t *testing.T) {
			g := new(pb.Genesis)
			if err := election.Decode(document, g); err != nil {
				t.Fatal(err)
			}
			change(g)
			files := rehearsal.Folder(g.ChainId, genesis.Bytes(g), approvals, blocks)
			caught(t, files, "genesis")
			if failed := run(t, files, nil).Failure(); failed == nil || failed.Name != "approvals" && name != "malformed" {
				t.Errorf("taken on trust: %v", failed)
			}
		})
	}
}

// flipped returns a record in which one bit of the blocks is changed, under an index that fits.
func flipped(t testing.TB, at int) fstest.MapFS {
	e, _ := story()
	files := e.Ledger.Record(e.Blocks)
	content := files[record.BlocksName(1)].Data
	content[at%len(content)] ^= 1 << (at % 8)
	return reindexed(t, files)
}

// reindexed brings the hash of the blocks into the index.
func reindexed(t testing.TB, files fstest.MapFS) fstest.MapFS {
	t.Helper()
	index, err := record.ParseIndex(files[record.IndexName].Data)
	if err != nil {
		t.Fatal(err)
	}
	content := files[record.BlocksName(1)].Data
	hash := sha256.Sum256(content)
	index.Files[2].Bytes, index.Files[2].SHA256 = int64(len(content)), hex.EncodeToString(hash[:])
	files[record.IndexName].Data = index.Bytes()
	return files
}

// One bit is changed anywhere: something fails, and nothing but a check.
func TestFlippedBits(t *testing.T) {
	e, _ := story()
	size := len(e.Ledger.Record(e.Blocks)[record.BlocksName(1)].Data)
	n := 48
	if testing.Short() {
		n = 8
	}
	for i := range n {
		at := i*(size/n) + i
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			hash := genesis.Hash(e.Genesis)
			if report := run(t, flipped(t, at), &hash); report.Passed {
				t.Errorf("bit %d of byte %d was changed, and the audit passed", at%8, at)
			}
		})
	}
}

// All bits of the last block are covered, too.
func TestFlippedBitsOfTheLastBlock(t *testing.T) {
	e, _ := story()
	content := e.Ledger.Record(e.Blocks)[record.BlocksName(1)].Data
	last := len(rehearsal.Encode(e.Blocks[len(e.Blocks)-1]))
	step := 41
	if testing.Short() {
		step = 211
	}
	for at := len(content) - last - 8; at < len(content); at += step {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			hash := genesis.Hash(e.Genesis)
			if report := run(t, flipped(t, at), &hash); report.Passed {
				t.Errorf("bit %d of byte %d was changed, and the audit passed", at%8, at)
			}
		})
	}
}

// A length that promises more than there is takes no memory.
func TestHugeFrame(t *testing.T) {
	for _, n := range []uint64{0, 8<<20 + 1, 1 << 40, 1<<63 + 5, 1<<64 - 1} {
		e, _ := story()
		files := e.Ledger.Record(e.Blocks)
		binary.BigEndian.PutUint64(files[record.BlocksName(1)].Data, n)
		caught(t, reindexed(t, files), "blocks")
	}
}

// A crowd of transactions that no units allow takes no more memory than its bytes.
func TestCrowdedBlock(t *testing.T) {
	e, _ := story()
	blocks := rehearsal.Clone(e.Blocks[:5])
	blocks[2].Txs = make(cmttypes.Txs, 1_000_001)
	e.Ledger.Seal(blocks)
	caught(t, e.Ledger.Record(blocks), "blocks")
}
