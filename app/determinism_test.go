package app_test

import (
	"bytes"
	"crypto/rand"
	"runtime"
	"testing"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// recorded is a ledger whose blocks were kept, to be executed again.
type recorded struct {
	genesis *ledger
	blocks  []app.Block
	hashes  []state.Hash
}

// recording keeps the blocks of a ledger from here on.
func (l *ledger) recording() *recorded {
	r := &recorded{genesis: l}
	l.decided = func(b app.Block, hash state.Hash) {
		r.blocks, r.hashes = append(r.blocks, b), append(r.hashes, hash)
	}
	return r
}

// record runs an election and keeps the blocks as consensus would have decided them.
func record(t *testing.T) *recorded {
	l := newLedger(t)
	r := l.recording()
	voters, trustees := l.voting(6)
	shared := l.shared()
	for i, key := range voters {
		if style(i) == 1 {
			l.accept(cast(draft(shared, i, key, 1, []int{i % 2}), i, 1))
		} else {
			l.accept(cast(draft(shared, i, key, 1, []int{i % 3}, []int{i % 2}), i, 1))
		}
	}
	l.block(5)
	l.accept(cast(draft(shared, 0, voters[0], 2, []int{1, 2}, []int{1}), 0, 2))
	(&forum{ledger: l, members: voters, numbers: map[uint64]uint64{}}).discuss()
	l.close()
	l.accept(l.each(trustees, func(t *trustee) []byte { return l.partial(t, 0, 1) })[:5]...)
	l.until(tx.IntakeInterval)
	l.accept(l.report("party", nil), l.report("league", nil))
	return r
}

// recordPaper runs an election with an extension, a contest that is merged, and polling places that correct and are excused.
func recordPaper(t *testing.T) *recorded {
	l := newLedger(t)
	r := &recorded{genesis: l}
	l.decided = func(b app.Block, hash state.Hash) {
		r.blocks, r.hashes = append(r.blocks, b), append(r.hashes, hash)
	}
	l.rules = mergeRules(3)
	l.rules.ObjectionWindow = 10 * uint32(window)
	l.rules.PollingPlaces = []pb.PollingPlace{{Id: "aul", Title: "Aul", Styles: []uint32{0, 1}}, {Id: "camp", Title: "Camp", Styles: []uint32{2}}}
	voters, trustees := l.voting(6)
	shared := l.shared()
	for i, key := range voters[:5] {
		l.accept(cast(draft(shared, i, key, 1, []int{i % 3}), i, 1))
	}
	l.until(tx.IntakeInterval)
	l.accept(l.report("party", nil), l.report("league", nil))
	l.resolve(pb.Resolution{Reason: "no connection", Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{
		Election: id, Closing: l.election().Closing + 100, Cause: pb.EXTENSION_OUTAGE, From: 5, To: 61,
	}}})
	l.block(l.election().Closing - l.now)
	totals := &pb.PaperTotals{Election: id, Place: "aul", Entitled: 4, Issued: 4, Cast: 3, Contests: []pb.PaperContest{
		{Contest: 0, Valid: 2, Votes: []uint64{2, 0, 1}}, {Contest: 1, Valid: 1, Invalid: 2, Votes: []uint64{0, 1, 0}},
	}}
	l.resolve(paperResolution(totals))
	corrected := *totals
	corrected.Corrects, corrected.Spoiled = l.standing("aul"), 1
	l.resolve(paperResolution(&corrected))
	l.resolve(excuse("camp", nil))
	l.block(10 * window)
	l.accept(l.each(trustees, func(t *trustee) []byte { return l.partial(t, 0) })[:5]...)
	l.expectPhase(pb.PHASE_FINAL)
	return r
}

// recordNominations lets candidates enter, and opens an election of those who stand in which one is removed.
func recordNominations(t *testing.T) *recorded {
	l := newLedger(t)
	r := &recorded{genesis: l}
	l.decided = func(b app.Block, hash state.Hash) {
		r.blocks, r.hashes = append(r.blocks, b), append(r.hashes, hash)
	}
	const party, league = "party registrar 1", "league registrar 1"
	n := calling(l.now + 60)
	l.resolve(l.openingOf(n))
	aigul, bolat, dana := applying("mazhilis", "North", "Aigul"), applying("mazhilis", "South", "Bolat"), applying("mazhilis", "South", "Dana")
	erlan := applying("north", "North", "Erlan")
	l.accept(submit(party, aigul, bolat), submit("league officer 1", erlan, dana))
	l.accept(deciding(party, "", aigul, bolat, erlan), deciding(league, "", aigul, bolat, erlan, dana), deciding(party, "no member", dana))
	l.accept(withdrawing("candidate Bolat", bolat))
	l.block(n.WithdrawalsUntil - l.now)
	l.rules, _ = election.FormManifest(n, [32]byte(l.nominations().Document), []election.Standing{
		{Name: "Aigul", Application: [32]byte(applicationHash(aigul))}, {List: 1, Name: "Erlan", Application: [32]byte(applicationHash(erlan))},
	})
	l.voting(3)
	l.resolve(pb.Resolution{Reason: "a court says so", Decision: &pb.Resolution_RemoveCandidate{RemoveCandidate: &pb.RemoveCandidate{Election: id}}})
	n = calling(l.now + 60)
	n.Manifest.Election = "another"
	l.resolve(l.openingOf(n))
	l.resolve(cancellationOf("another"))
	l.block(n.WithdrawalsUntil - l.now)
	return r
}

// replay executes the blocks from their bytes on a fresh state, with fresh caches, and compares every AppHash.
func (r *recorded) replay(t *testing.T, restartEvery int) {
	t.Helper()
	backend := new(state.Memory)
	ledger := must(state.Open(backend))
	machine := app.New(chain)
	d := ledger.NewGenesis()
	machine.InitLedger(d, r.genesis.genesis, r.genesis.genesisHash())
	if err := ledger.Commit(must(d.Finish())); err != nil {
		t.Fatal(err)
	}
	for i, b := range r.blocks {
		if restartEvery > 0 && i%restartEvery == 0 {
			ledger, machine = must(state.Open(backend)), app.New(chain)
		}
		again := b
		again.Txs = nil
		for _, verdict := range b.Txs {
			if verdict.Refusal != nil {
				again.Txs = append(again.Txs, verdict)
				continue
			}
			p := must(tx.Parse(bytes.Clone(verdict.Verified.Parsed().Raw())))
			again.Txs = append(again.Txs, must(machine.Verify(ledger.Newest(), []*tx.Parsed{p}, rand.Reader))...)
		}
		d := ledger.NewDraft()
		must(machine.Execute(d, again))
		done := must(d.Finish())
		if done.AppHash() != r.hashes[i] {
			t.Fatalf("height %d: app hash %x, want %x", b.Height, done.AppHash(), r.hashes[i])
		}
		if err := ledger.Commit(done); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReplay: the same blocks give the same state with one processor and many, with warm and with cold caches, and after a restart
// at every height.
func TestReplay(t *testing.T) {
	r := record(t)
	for _, processors := range []int{1, 4} {
		before := runtime.GOMAXPROCS(processors)
		r.replay(t, 0)
		r.replay(t, 1)
		r.replay(t, 7)
		runtime.GOMAXPROCS(before)
	}
}

// TestAbandonedBlock: a block that is executed and then thrown away, as when consensus replays it after a crash, leaves no trace
// in the caches.
func TestAbandonedBlock(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(6)
	shared := l.shared()
	l.accept(cast(draft(shared, 0, voters[0], 1, []int{0}, []int{0}), 0, 1))
	p := must(tx.Parse(cast(draft(shared, 1, voters[1], 1, []int{0}, []int{0}), 1, 1)))
	verdicts := must(l.app.Verify(l.view(), []*tx.Parsed{p}, rand.Reader))
	var hashes []state.Hash
	for range 3 {
		d := l.state.NewDraft()
		must(l.app.Execute(d, app.Block{Height: d.Height(), Time: (l.now + 1) * 1e9, Txs: verdicts}))
		hashes = append(hashes, must(d.Finish()).AppHash())
	}
	if hashes[0] != hashes[1] || hashes[1] != hashes[2] {
		t.Fatal("executing a block again gives another state")
	}
}
