package rehearsal

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// Listed gives the rules of Manifest candidates and lists: two places of the first contest, of which one is for a young candidate and one for a
// woman, and a third that is filled outside; one place of the second for a young candidate.
func Listed(m *pb.Manifest) *pb.Manifest {
	aigul, bolat, dana := pb.Candidate{Woman: true}, pb.Candidate{Young: true}, pb.Candidate{Woman: true}
	m.Contests[0].Candidates = []pb.Candidate{aigul, bolat, dana}
	m.Contests[0].List = &pb.ListRule{Seats: 3, Outside: 1, YoungPercent: 20, WomanPercent: 30}
	m.Contests[1].Candidates = []pb.Candidate{{Young: true}, {Woman: true}}
	m.Contests[1].List = &pb.ListRule{Seats: 1, YoungPercent: 20}
	return m
}

// LotSecret returns the secret of an organisation for a round of the lot of an election, which follows from their names.
func LotSecret(election, organisation string, round uint32) []byte {
	secret := sha256.Sum256(fmt.Appendf(nil, "lot of %s by %s, round %d", election, organisation, round))
	return secret[:]
}

// lotRound returns the present round of the lot.
func (e *Election) lotRound() uint32 {
	if lot := e.Lot(); lot != nil {
		return lot.Round
	}
	return 1
}

// CommitLot returns an organisation's commitment to its secret for the present round.
func (e *Election) CommitLot(organisation string) []byte {
	round := e.lotRound()
	commitment := election.LotCommitment(Chain, e.ID, organisation, round, LotSecret(e.ID, organisation, round))
	return Sign(organisation+" officer 1", &pb.CommitLot{Election: e.ID, Commitment: commitment[:], Round: round})
}

// RevealLot returns an organisation's secret for the present round.
func (e *Election) RevealLot(organisation string) []byte {
	return Sign(organisation+" officer 2", &pb.RevealLot{Election: e.ID, Secret: LotSecret(e.ID, organisation, e.lotRound())})
}

// RenewLot is the decision to end a round of the lot without the secrets of some organisations.
func (e *Election) RenewLot(round uint32, missing ...string) *pb.Resolution {
	return &pb.Resolution{Reason: "the file is lost", Decision: &pb.Resolution_RenewLot{
		RenewLot: &pb.RenewLot{Election: e.ID, Round: round, Missing: missing},
	}}
}

// List returns the list of a contest, nil before it is formed.
func (e *Election) List(contest uint32) *pb.List {
	return must(state.Load[pb.List](e.View(), state.ListKey(e.ID, contest)))
}

// Lot returns the lot of the election, nil before anybody has committed.
func (e *Election) Lot() *pb.Lot { return must(state.Load[pb.Lot](e.View(), state.LotKey(e.ID))) }

// tooFew: two candidates for a list of four places and quotas that nobody can meet; another list in which a quota changes nothing, and
// no tie matters. One organisation never reveals its secret, and the election is final all the same. Validators of it stay away
// when the lot block is to be fixed.
func tooFew(t testing.TB, watch func(*Ledger)) {
	m := Manifest("primary")
	m.Contests[0].Candidates = []pb.Candidate{{Young: true}, {}, {}}
	m.Contests[0].List = &pb.ListRule{Seats: 9, Outside: 2, YoungPercent: 100, WomanPercent: 1}
	m.Contests[1].Candidates = []pb.Candidate{{Woman: true}, {}}
	m.Contests[1].List = &pb.ListRule{Seats: 2, Outside: 1, WomanPercent: 100}
	e := stage(t, watch, m, 6, 3)
	e.Accept(e.CommitLot("party"))
	e.Refuse(tx.CodeAlreadyDone, e.CommitLot("party"))
	e.Refuse(tx.CodeLotCommitted, Sign("party officer 2", &pb.CommitLot{Election: e.ID, Commitment: make([]byte, 32), Round: 1}))
	e.MakeKeys()
	e.Accept(Each(e.Everybody(), (*Trustee).Trial)...)
	e.Expect(pb.PHASE_KEY_CEREMONY)
	e.Accept(e.CommitLot("league"))
	e.Expect(pb.PHASE_READY)
	e.Schedule(e.Now()+20, e.Now()+200)
	e.Make(20)
	e.Fix()
	e.Accept(e.Vote(0, 1, []int{0, 1}, []int{0}), e.Vote(1, 1, []int{0}, []int{0}), e.Vote(2, 1, []int{1}), e.Vote(3, 1, []int{0, 1}, []int{1}), e.Vote(4, 1, []int{2}, []int{0}))
	e.Make(e.Record().Closing - e.Now())
	e.Absent["party validator 1"] = true
	e.Refuse(tx.CodeLotEarly, e.RevealLot("league"))
	e.Make(1)
	e.Absent["party validator 1"] = false
	closed := e.Height() - 2
	e.Make(int64(e.Manifest.ObjectionWindow))
	e.Make(1)
	if lot := e.Lot(); !lot.Fixed || lot.Height != closed+2 || string(lot.HeaderHash) != string(e.Blocks[lot.Height-1].Hash()) {
		t.Fatalf("closed at height %d: lot %v", closed, lot)
	}
	e.Refuse(tx.CodeLotSecret, Sign("party officer 1", &pb.RevealLot{Election: e.ID, Secret: LotSecret(e.ID, "league", 1)}))
	e.Accept(e.RevealLot("league"))
	for _, trustee := range e.Everybody() {
		if e.Record().Phase == pb.PHASE_DECRYPTING {
			e.Accept(trustee.Open(0, 1))
		}
	}
	e.Expect(pb.PHASE_FINAL)
	if list := e.List(0); list.Empty != 4 || len(list.Places) != 3 || list.YoungMissing != 2 || list.WomanMissing != 1 {
		t.Fatalf("list %v", list)
	}
	if list := e.List(1); len(list.Places) != 1 || len(list.Ties) != 0 || len(list.Substitutions) != 0 {
		t.Fatalf("list %v", list)
	}
}

// removedAndMerged: a candidate who is removed from a contest that is merged into another takes no place on the list of that; and a contest in
// which all votes are on paper has a result and a list.
func removedAndMerged(t testing.TB, watch func(*Ledger)) {
	e := stage(t, watch, OnPaper(Listed(Manifest("primary"))), 6, 3)
	e.Accept(e.CommitLot("party"), e.CommitLot("league"))
	e.MakeKeys()
	e.Begin()
	e.Resolve(&pb.Resolution{Reason: "a court says so", Decision: &pb.Resolution_RemoveCandidate{
		RemoveCandidate: &pb.RemoveCandidate{Election: e.ID, Contest: 2, Option: 1},
	}})
	again, _ := e.Propose("party officer 1", &pb.Resolution{Reason: "once more", Decision: &pb.Resolution_RemoveCandidate{
		RemoveCandidate: &pb.RemoveCandidate{Election: e.ID, Contest: 0, Option: 1},
	}})
	e.Refuse(tx.CodeAlreadyDone, again)
	e.Make(e.Record().Closing - e.Now())
	e.Expect(pb.PHASE_CLOSED)
	e.ResolveTotals(e.Totals("aul", 4))
	e.ResolveTotals(e.Totals("camp", 3))
	e.Make(int64(e.Manifest.ObjectionWindow))
	e.Make(1)
	for e.Record().Phase != pb.PHASE_FINAL {
		e.Make(1)
	}
	if r := e.Result(0); r.Status != pb.RESULT_OPENED || r.Ballots != 0 || len(r.Votes) != 3 || r.PaperBallots != 11 {
		t.Fatalf("result %v", r)
	}
	list := e.List(0)
	if list == nil || e.List(2) != nil || len(list.Places) != 2 || slices.ContainsFunc(list.Places, func(p pb.ListPlace) bool { return p.Option == 1 }) {
		t.Fatalf("list %v", list)
	}
}

// lostSecrets: a list waits for the lot, and secrets do not come. The first round ends without that of the league, which reveals first from
// then on; the second one without both; the third one is drawn.
func lostSecrets(t testing.TB, watch func(*Ledger)) {
	e := Tied(t, watch)
	e.Make(1)
	e.Make(e.Lot().Deadline - e.Now())
	notDue := func(round uint32) {
		raw, _ := e.Propose("party officer 1", e.RenewLot(round, "league", "party"))
		e.Refuse(tx.CodeLotNotDue, raw)
	}
	notDue(1) // no list waits
	e.WaitForLot()
	e.Refuse(tx.CodeLotCommitted, Sign("party officer 1", &pb.CommitLot{Election: e.ID, Commitment: make([]byte, 32), Round: 1}))
	for _, wrong := range []struct {
		code tx.Code
		r    *pb.Resolution
	}{
		{tx.CodeLotRound, e.RenewLot(2, "league", "party")}, {tx.CodeLotMissing, e.RenewLot(1, "party")}, {tx.CodeLotMissing, e.RenewLot(1)},
	} {
		raw, _ := e.Propose("party officer 1", wrong.r)
		e.Refuse(wrong.code, raw)
	}

	// What was approved while nobody had revealed does not hold once somebody has.
	raw, stale := e.Propose("party officer 1", e.RenewLot(1, "league", "party"))
	e.Accept(raw, Approve("party officer 2", stale), Approve("league officer 1", stale))
	e.Accept(e.RevealLot("party"), Approve("league officer 2", stale))
	if r := e.Resolution(stale); r.Status != pb.RESOLUTION_REFUSED || tx.Code(r.Code) != tx.CodeLotMissing {
		t.Fatalf("resolution %v with code %v", r.Status, tx.Code(r.Code))
	}
	raw, other := e.Propose("party officer 1", e.RenewLot(1, "league"))
	e.Accept(raw, Approve("party officer 2", other), Approve("league officer 1", other))
	first, reveal := e.CommitLot("party"), e.RevealLot("party")
	e.Resolve(e.RenewLot(1, "league"))
	e.expectRound(2, 1, 0)

	// Nothing of the first round holds in the second.
	e.Refuse(tx.CodeLotRound, first)
	e.Refuse(tx.CodeLotEarly, reveal)
	e.Accept(Approve("league officer 2", other))
	if r := e.Resolution(other); r.Status != pb.RESOLUTION_REFUSED || tx.Code(r.Code) != tx.CodeLotRound {
		t.Fatalf("resolution %v with code %v", r.Status, tx.Code(r.Code))
	}
	e.Accept(e.CommitLot("party"))
	e.Make(1)
	e.Refuse(tx.CodeAlreadyDone, e.CommitLot("party"))
	e.Accept(e.CommitLot("league"))
	if lot := e.Lot(); lot.Committed != e.Height() || lot.Height != 0 {
		t.Fatalf("height %d: lot %v", e.Height(), lot)
	}
	notDue(2) // the lot block is not fixed
	e.Make(1)
	if lot := e.Lot(); !lot.Fixed || lot.Height != lot.Committed+1 {
		t.Fatalf("height %d: lot %v", e.Height(), lot)
	}
	notDue(2) // nobody is late
	e.Refuse(tx.CodeLotSecret, reveal)
	e.Refuse(tx.CodeLotTurn, e.RevealLot("party"))
	e.Make(e.Lot().Deadline - e.Now())
	e.Resolve(e.RenewLot(2, "league", "party"))
	e.expectRound(3, 2, 0)

	e.Accept(e.CommitLot("party"), e.CommitLot("league"))
	e.Absent["league validator 1"] = true
	e.Make(1)
	e.Make(1)
	e.Absent["league validator 1"] = false
	e.Make(1)
	if lot := e.Lot(); !lot.Fixed || lot.Height != lot.Committed+2 {
		t.Fatalf("height %d: lot %v", e.Height(), lot)
	}
	e.Refuse(tx.CodeLotTurn, e.RevealLot("party"))
	e.Accept(e.RevealLot("league"), e.RevealLot("party"))
	e.Expect(pb.PHASE_FINAL)
	if list := e.List(0); list == nil || len(list.Ties) != 1 {
		t.Fatalf("list %v", list)
	}
	late, _ := e.Propose("party officer 1", e.RenewLot(3))
	e.Refuse(tx.CodeWrongPhase, late)
}

// Tied brings an election to its decryption, in which it will be found that the list of one contest needs the lot, and that of the other does not.
func Tied(t testing.TB, watch func(*Ledger)) *Election {
	t.Helper()
	e := stage(t, watch, Listed(Manifest("primary")), 6, 3)
	e.Accept(e.CommitLot("party"), e.CommitLot("league"))
	e.MakeKeys()
	e.Begin()
	e.Accept(e.Vote(0, 1, []int{0, 2}, []int{0}), e.Vote(1, 1, []int{1, 2}, []int{1}), e.Vote(3, 1, []int{}, []int{1}))
	e.end()
	return e
}

// WaitForLot decrypts an election that is tied, of which nobody has revealed.
func (e *Election) WaitForLot() {
	e.t.Helper()
	e.Accept(Each(e.Everybody()[:5], func(t *Trustee) []byte { return t.Open(0, 1) })...) // two of three suffice
	e.Make(1)
	if e.List(0) != nil || e.List(1) == nil || e.Record().Phase != pb.PHASE_DECRYPTING {
		e.t.Fatalf("lists %v and %v in phase %v", e.List(0), e.List(1), e.Record().Phase)
	}
}

// expectRound fails unless the lot is in a round, to which nobody has committed, and the organisations have kept so many secrets; the round before
// must stand.
func (e *Election) expectRound(round, league, party uint32) {
	e.t.Helper()
	lot := e.Lot()
	want := &pb.Lot{Round: round, Parts: []pb.LotPart{{Organisation: "league", Kept: league}, {Organisation: "party", Kept: party}}}
	ended := must(state.Load[pb.Lot](e.View(), state.LotRoundKey(e.ID, round-1)))
	if !reflect.DeepEqual(lot, want) || ended == nil || ended.Round != round-1 || !ended.Fixed || len(ended.Renewed) != 32 {
		e.t.Fatalf("height %d: lot %v behind %v", e.Height(), lot, ended)
	}
}

// manyLists: more lists than a block forms, of contests in which nobody votes.
func manyLists(t testing.TB, watch func(*Ledger)) {
	m := Manifest("primary")
	m.Contests, m.Styles, m.OpenMin = nil, nil, 1
	for i := range uint32(1_001) {
		m.Contests = append(m.Contests, pb.Contest{
			Title: fmt.Sprint(i), Options: []string{"Aigul"}, MaxSelections: 1, Candidates: []pb.Candidate{{}}, List: &pb.ListRule{Seats: 1},
		})
		m.Styles = append(m.Styles, pb.BallotStyle{District: fmt.Sprint(i), Contests: []uint32{i}})
	}
	e := stage(t, watch, m, 2, 3)
	e.Accept(e.CommitLot("party"), e.CommitLot("league"))
	e.MakeKeys()
	e.Begin()
	e.end()
	if e.List(999).Status != pb.LIST_WITHHELD || e.List(1_000) != nil {
		t.Fatal("a block forms 1,000 lists")
	}
	e.Make(1)
	e.Expect(pb.PHASE_FINAL)
}
