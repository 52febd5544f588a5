package rehearsal

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// Nominations returns the rules of small nominations: a list for both districts and one for each, and a third district whose list nobody
// wants. Applications are taken until a moment, decided on for 20 seconds more, and withdrawn for 20 more, unix seconds.
func Nominations(id string, until int64) *pb.Nominations {
	m := Manifest(id)
	m.Contests = []pb.Contest{
		{Title: "Mazhilis", MaxSelections: 2, List: &pb.ListRule{Seats: 3, Outside: 1, YoungPercent: 20, WomanPercent: 30}},
		{Title: "Maslikhat of the north", MinSelections: 1, MaxSelections: 1},
		{Title: "Maslikhat of the south", MinSelections: 1, MaxSelections: 2},
		{Title: "Maslikhat of the east", MaxSelections: 1},
	}
	m.Styles = []pb.BallotStyle{
		{District: "North", Contests: []uint32{0, 1}}, {District: "South", Contests: []uint32{0, 2}}, {District: "East", Contests: []uint32{3}},
	}
	return &pb.Nominations{
		Manifest: *m, ApplicationsUntil: until, DecisionsUntil: until + 20, WithdrawalsUntil: until + 40, YoungOn: "2026-03-01", YoungAge: 35,
		Lists: []pb.NominationList{{Id: "mazhilis", Most: 3}, {Id: "north", Most: 2}, {Id: "south", Most: 2}, {Id: "east", Most: 1}},
	}
}

// Apply returns the application of a candidate, signed with the key that belongs to the name "candidate" and the candidate's.
func Apply(nominations, list, district, name string, change ...func(*pb.Application)) *pb.SignedApplication {
	a := pb.Application{Nominations: nominations, List: list, District: district, Name: name}
	for _, f := range change {
		f(&a)
	}
	return tx.SignApplication(Chain, a, Key("candidate "+name))
}

// Submit returns the transaction that brings applications.
func Submit(signer string, applications ...*pb.SignedApplication) []byte {
	m := new(pb.SubmitApplications)
	for _, a := range applications {
		m.Applications = append(m.Applications, *a)
	}
	return Sign(signer, m)
}

// Decide returns what a registrar decides on applications: registered, or refused for a reason.
func Decide(signer, reason string, applications ...*pb.SignedApplication) []byte {
	m := &pb.DecideApplications{Nominations: applications[0].Application.Nominations}
	for _, a := range applications {
		m.Decisions = append(m.Decisions, pb.ApplicationDecision{Application: hashOf(a), Refused: reason})
	}
	slices.SortFunc(m.Decisions, func(a, b pb.ApplicationDecision) int { return bytes.Compare(a.Application, b.Application) })
	return Sign(signer, m)
}

func hashOf(a *pb.SignedApplication) []byte {
	hash := tx.ApplicationHash(Chain, &a.Application)
	return hash[:]
}

// WithdrawApplication returns the withdrawal of a candidate.
func WithdrawApplication(a *pb.SignedApplication) []byte {
	own := &a.Application
	return Sign("candidate "+own.Name, &pb.WithdrawApplication{Nominations: own.Nominations, Application: hashOf(a)})
}

// Open publishes nominations and opens them.
func (l *Ledger) Open(n *pb.Nominations) {
	l.t.Helper()
	hash := l.PublishDocument(election.Encode(n))
	l.Resolve(&pb.Resolution{Reason: "candidates are asked for", Decision: &pb.Resolution_OpenNominations{
		OpenNominations: &pb.OpenNominations{Nominations: hash},
	}})
}

// NominationsState returns the record of nominations.
func (l *Ledger) NominationsState(id string) *pb.NominationsState {
	return must(state.MustLoad[pb.NominationsState](l.View(), state.NominationsKey(id)))
}

// nominate: candidates apply, are registered and refused, withdraw and apply anew. The manifest that is formed of it makes an election, in
// which a candidate is removed. Other nominations are cancelled.
func nominate(t testing.TB, watch func(*Ledger)) {
	l := New(t)
	watch(l)
	l.Make(1)
	n := Nominations("primary", l.Now()+60)
	l.Open(n)
	young := func(a *pb.Application) { a.Young = true }
	woman := func(a *pb.Application) { a.Woman = true }
	anew := func(a *pb.Application) { a.Nonce = 1 }
	aigul := Apply("primary", "mazhilis", "North", "Aigul", young, woman)
	bolat := Apply("primary", "mazhilis", "South", "Bolat", func(a *pb.Application) { a.PutForwardBy = "the young of the south" })
	dana := Apply("primary", "mazhilis", "South", "Dana", woman)
	erlan := Apply("primary", "north", "North", "Erlan")
	farida := Apply("primary", "south", "South", "Farida", woman, young)
	gani := Apply("primary", "south", "South", "Gani")
	l.Accept(Submit("party registrar 1", aigul, bolat, erlan), Submit("league officer 2", aigul, dana, farida, gani))
	l.Refuse(tx.CodeAlreadyDone, Submit("league registrar 1", aigul, gani))
	l.Refuse(tx.CodeCandidateTwice, Submit("league registrar 1", Apply("primary", "north", "North", "Aigul")))
	l.Refuse(tx.CodeNotAuthorised, Submit("candidate Aigul", Apply("primary", "north", "North", "Hamit")))
	l.Accept(Decide("party registrar 1", "", aigul, bolat, dana, erlan, farida, gani), Decide("league registrar 1", "", aigul, bolat, farida))
	l.Accept(Decide("league registrar 1", "no member of the party", gani))
	hamit := Apply("primary", "north", "North", "Hamit")
	l.Accept(Submit("party registrar 1", hamit), Decide("party registrar 1", "no member", hamit), Decide("league registrar 1", "nor of ours", hamit))
	l.Accept(WithdrawApplication(farida), Decide("league registrar 1", "", erlan))
	l.Refuse(tx.CodeApplicationDecided, Decide("party registrar 1", "", dana, erlan))
	farida = Apply("primary", "south", "South", "Farida", woman, young, anew)
	gani = Apply("primary", "south", "South", "Gani", anew)
	l.Accept(Submit("party officer 3", gani, farida))
	l.Make(60)
	l.Refuse(tx.CodeNominationsClosed, Submit("party officer 3", Apply("primary", "north", "North", "Hamit")))
	l.Accept(Decide("party registrar 1", "", farida, gani), Decide("league registrar 1", "", farida, dana))
	l.Make(20)
	l.Refuse(tx.CodeNominationsClosed, Decide("league registrar 1", "", gani))
	l.Accept(WithdrawApplication(bolat))
	l.Make(20)
	l.Refuse(tx.CodeNominationsClosed, WithdrawApplication(dana))

	e := l.nominated(n, aigul, dana, erlan, farida)
	e.Enrol(3)
	e.Seal()
	e.Appoint(3)
	e.Accept(e.CommitLot("party"), e.CommitLot("league"))
	e.MakeKeys()
	e.Begin()
	e.Accept(e.Vote(0, 1, []int{0, 1}, []int{0}), e.Vote(1, 1, []int{1}, []int{0}), e.Vote(2, 1, []int{}, []int{0}))
	e.Resolve(&pb.Resolution{Reason: "no citizen", Decision: &pb.Resolution_RemoveCandidate{
		RemoveCandidate: &pb.RemoveCandidate{Election: "primary", Contest: 2, Option: 0},
	}})
	remove := &pb.Resolution{Reason: "a court says so", Decision: &pb.Resolution_RemoveCandidate{
		RemoveCandidate: &pb.RemoveCandidate{Election: "primary", Contest: 0, Option: 1},
	}}
	e.Resolve(remove)
	again, _ := e.Propose("party officer 1", remove)
	e.Refuse(tx.CodeAlreadyDone, again)
	e.end()
	for _, o := range Organisations {
		e.Accept(Each(e.Of(o), func(t *Trustee) []byte { return t.Open(0, 1) })[:2]...)
	}
	e.Expect(pb.PHASE_FINAL)
	l.cancelNominations()
}

// cancelNominations opens nominations and cancels them: nothing is taken any more, and no manifest is formed. Those whose manifest is formed
// cannot be cancelled.
func (l *Ledger) cancelNominations() {
	l.t.Helper()
	cancel := func(id, reason string) *pb.Resolution {
		return &pb.Resolution{Reason: reason, Decision: &pb.Resolution_CancelNominations{CancelNominations: &pb.CancelNominations{Nominations: id}}}
	}
	refuse := func(code tx.Code, r *pb.Resolution) {
		raw, _ := l.Propose("party officer 1", r)
		l.Refuse(code, raw)
	}
	n := Nominations("second", l.Now()+60)
	refuse(tx.CodeUnknownNominations, cancel("second", "too early"))
	l.Open(n)
	aigul, bolat := Apply("second", "north", "North", "Aigul"), Apply("second", "north", "North", "Bolat")
	l.Accept(Submit("party registrar 1", aigul, bolat), Decide("party registrar 1", "", aigul), Decide("league registrar 1", "", aigul))
	l.Resolve(cancel("second", "too few candidates"))
	l.Refuse(tx.CodeNominationsClosed, Submit("party registrar 1", Apply("second", "north", "North", "Dana")))
	l.Refuse(tx.CodeNominationsClosed, Decide("party registrar 1", "", bolat))
	l.Refuse(tx.CodeNominationsClosed, WithdrawApplication(aigul))
	refuse(tx.CodeAlreadyDone, cancel("second", "once more"))
	refuse(tx.CodeNominationsClosed, cancel("primary", "too late"))
	l.Make(100)
	if s := l.NominationsState("second"); s.Formed != 0 || s.Cancelled == 0 {
		l.t.Fatalf("%v", s)
	}
	refuse(tx.CodeManifestMismatch, &pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: l.Publish(Manifest("second"))}}})
}

// nominated checks the manifest that was formed of nominations, and creates its election. Another one is not let in.
func (l *Ledger) nominated(n *pb.Nominations, aigul, dana, erlan, farida *pb.SignedApplication) *Election {
	l.t.Helper()
	m := Manifest(n.Manifest.Election)
	m.Nominations = l.NominationsState(m.Election).Document
	m.Contests = []pb.Contest{
		{Title: "Mazhilis", Options: []string{"Aigul", "Dana"}, MaxSelections: 2, List: n.Manifest.Contests[0].List, Candidates: []pb.Candidate{
			{Application: hashOf(aigul), Young: true, Woman: true}, {Application: hashOf(dana), Woman: true},
		}},
		{Title: "Maslikhat of the north", FirstSlot: 3, Options: []string{"Erlan"}, MinSelections: 1, MaxSelections: 1, Candidates: []pb.Candidate{
			{Application: hashOf(erlan)},
		}},
		{Title: "Maslikhat of the south", FirstSlot: 3, Options: []string{"Farida"}, MinSelections: 1, MaxSelections: 1, Candidates: []pb.Candidate{
			{Application: hashOf(farida), Young: true, Woman: true},
		}},
	}
	m.Styles = []pb.BallotStyle{{District: "North", Contests: []uint32{0, 1}}, {District: "South", Contests: []uint32{0, 2}}}
	s, hash := l.NominationsState(m.Election), election.ManifestHash(m)
	if !bytes.Equal(s.Manifest, hash[:]) || fmt.Sprint(s.LeftOut) != "[east]" || s.Submitted != 9 || s.Refused != 2 || s.Withdrawn != 2 || s.Standing != 4 {
		l.t.Fatalf("%v", s)
	}
	other := *m
	other.Nominations = nil
	raw, _ := l.Propose("party officer 1", &pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: l.Publish(&other)}}})
	l.Refuse(tx.CodeManifestMismatch, raw)
	return l.Create(m)
}
