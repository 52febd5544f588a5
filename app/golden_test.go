package app_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

var (
	update    = flag.Bool("update", false, "rewrite what comes out in testdata/*.golden")
	recordNew = flag.Bool("record", false, "write testdata/*.golden from new ledgers; with -run TestGolden/NAME only one")
)

// goldens are the recorded ledgers, by the name of their file in testdata.
var goldens = map[string]func(t *testing.T) *recorded{
	"election": record, "lists": recordLists, "nominations": recordNominations, "paper": recordPaper, "polls": recordPolls, "roll": recordRoll,
}

// recordRoll records how a roll comes about: what one organisation signs alone, what both sign, what both strike and revoke.
func recordRoll(t *testing.T) *recorded {
	l := newLedger(t)
	r := &recorded{genesis: l}
	l.decided = func(b app.Block, hash state.Hash) {
		r.blocks, r.hashes = append(r.blocks, b), append(r.hashes, hash)
	}
	l.resolve(createElectionOf(l.publish(manifest())))
	part := &pb.AddRollEntries{Election: id}
	for i := range 4 {
		part.Entries = append(part.Entries, pb.RollEntry{Key: must(ballot.GenerateKey(rand.Reader)).Public().Bytes(), Style: style(i)})
	}
	part.Signatures = []pb.RollSignature{tx.SignRoll(chain, part, seeded("party registrar 1"))}
	l.refuse(tx.CodeNotCosigned, sign("party registrar 1", part))
	l.accept(enrol("league registrar 1", part))
	head := must(l.view().Head(state.LogRoll(id)))
	l.resolve(pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: id, Size_: 4, Root: head.Root[:], Struck: []pb.StruckVoter{
		{Voter: 0, Cause: pb.REVOCATION_PAPER}, {Voter: 2, Cause: pb.REVOCATION_KEY_LOST},
	}}}})
	l.resolve(pb.Resolution{Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: id, Voters: []uint64{2, 3}, Cause: pb.REVOCATION_LEFT}}})
	return r
}

// TestGolden executes the blocks of recorded ledgers and compares codes, events and app hashes with the files. A file is a
// script: what goes in are the lines genesis, block and tx; what comes out are the lines below them.
func TestGolden(t *testing.T) {
	for name, record := range goldens {
		t.Run(name, func(t *testing.T) { golden(t, "testdata/"+name+".golden", record) })
	}
}

func golden(t *testing.T, file string, record func(*testing.T) *recorded) {
	if *recordNew {
		writeGolden(t, file, run(t, inputs(record(t))))
	}
	if *update {
		writeGolden(t, file, run(t, must(os.ReadFile(file))))
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := run(t, want)
	if bytes.Equal(got, want) {
		return
	}
	gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Fatalf("line %d is\n%.200s\nwant\n%.200s", i+1, gotLines[i], wantLines[i])
		}
	}
	t.Fatalf("%d lines, want %d", len(gotLines), len(wantLines))
}

// inputs returns the input lines of a recorded ledger.
func inputs(r *recorded) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "genesis %x\n", election.Encode(r.genesis.genesis))
	for _, b := range r.blocks {
		fmt.Fprintf(&out, "block %d %d %x\n", b.Height, b.Time, b.Hash)
		for _, v := range b.Txs {
			fmt.Fprintf(&out, "tx %x\n", v.Verified.Parsed().Raw())
		}
	}
	return out.Bytes()
}

func writeGolden(t *testing.T, name string, file []byte) {
	if err := os.WriteFile(name, file, 0o644); err != nil {
		t.Fatal(err)
	}
}

// script executes the input lines of a golden file and writes them back with what comes out.
type script struct {
	t       *testing.T
	out     bytes.Buffer
	genesis *pb.Genesis
	app     *app.App
	ledger  *state.Ledger
	block   *app.Block
	kinds   []tx.Kind
}

func run(t *testing.T, file []byte) []byte {
	s := &script{t: t}
	lines := bufio.NewScanner(bytes.NewReader(file))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		switch verb {
		case "genesis":
			fmt.Fprintln(&s.out, lines.Text())
			s.found(must(hex.DecodeString(rest)))
		case "block":
			s.execute()
			fmt.Fprintln(&s.out, lines.Text())
			s.begin(rest)
		case "tx":
			fmt.Fprintln(&s.out, lines.Text())
			s.transaction(must(hex.DecodeString(rest)))
		}
	}
	s.execute()
	return s.out.Bytes()
}

func (s *script) found(document []byte) {
	s.genesis = new(pb.Genesis)
	if err := election.Decode(document, s.genesis); err != nil {
		s.t.Fatal(err)
	}
	s.app, s.ledger = app.New(s.genesis.ChainId), must(state.Open(new(state.Memory)))
	d := s.ledger.NewGenesis()
	s.app.InitLedger(d, s.genesis, (&ledger{genesis: s.genesis}).genesisHash())
	s.commit(d)
}

func (s *script) commit(d *state.Draft) {
	b := must(d.Finish())
	if err := s.ledger.Commit(b); err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(&s.out, "\tapp-hash %x\n", b.AppHash())
}

func (s *script) begin(line string) {
	s.block = new(app.Block)
	var hash []byte
	if _, err := fmt.Sscanf(line, "%d %d %x", &s.block.Height, &s.block.Time, &hash); err != nil {
		s.t.Fatal(err)
	}
	s.block.Hash = [32]byte(hash)
	epochs := must(state.MustLoad[pb.ValidatorEpochs](s.ledger.Newest(), state.KeyValidators))
	for _, v := range epochs.Present.Validators {
		s.block.LastCommit = append(s.block.LastCommit, app.CommitVote{Address: organisation.ConsensusAddress(v.Key), Signed: true})
	}
}

func (s *script) transaction(raw []byte) {
	p := must(tx.Parse(raw))
	s.kinds = append(s.kinds, p.Kind())
	s.block.Txs = append(s.block.Txs, must(s.app.Verify(s.ledger.Newest(), []*tx.Parsed{p}, rand.Reader))...)
}

func (s *script) execute() {
	if s.block == nil {
		return
	}
	d := s.ledger.NewDraft()
	outcome, err := s.app.Execute(d, *s.block)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, r := range outcome.Results {
		fmt.Fprintf(&s.out, "\t%v %v\n", s.kinds[i], r.Code)
	}
	for _, e := range outcome.Events {
		fmt.Fprintf(&s.out, "\tevent %s", e.Type)
		for _, a := range e.Attributes {
			fmt.Fprintf(&s.out, " %s=%q", a.Key, a.Value)
		}
		fmt.Fprintln(&s.out)
	}
	s.commit(d)
	s.block, s.kinds = nil, nil
}
