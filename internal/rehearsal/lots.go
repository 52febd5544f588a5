package rehearsal

import (
	"crypto/sha256"
	"fmt"
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

// LotSecret returns the secret of an organisation for the lot of an election, which follows from their names.
func LotSecret(election, organisation string) []byte {
	secret := sha256.Sum256(fmt.Appendf(nil, "lot of %s by %s", election, organisation))
	return secret[:]
}

// CommitLot returns an organisation's commitment to its secret.
func (e *Election) CommitLot(organisation string) []byte {
	commitment := election.LotCommitment(Chain, e.ID, organisation, LotSecret(e.ID, organisation))
	return Sign(organisation+" officer 1", &pb.CommitLot{Election: e.ID, Commitment: commitment[:]})
}

// RevealLot returns an organisation's secret.
func (e *Election) RevealLot(organisation string) []byte {
	return Sign(organisation+" officer 2", &pb.RevealLot{Election: e.ID, Secret: LotSecret(e.ID, organisation)})
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
	e.Refuse(tx.CodeLotCommitted, Sign("party officer 2", &pb.CommitLot{Election: e.ID, Commitment: make([]byte, 32)}))
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
	e.Refuse(tx.CodeLotSecret, Sign("party officer 1", &pb.RevealLot{Election: e.ID, Secret: LotSecret(e.ID, "league")}))
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
