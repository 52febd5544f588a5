package rehearsal

import (
	"reflect"
	"slices"
	"testing"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// OnPaper gives the rules of Manifest two polling places, and the south a contest of its own, which is merged into that of the north where it
// has too few ballots.
func OnPaper(m *pb.Manifest) *pb.Manifest {
	south := m.Contests[0]
	south.Title, south.Merge = "Mazhilis, South", 1
	m.Contests = append(m.Contests, south)
	m.Styles[1].Contests = []uint32{1, 2}
	m.PollingPlaces = []pb.PollingPlace{
		{Id: "aul", Title: "Aul", Styles: []uint32{0, 1}},
		{Id: "camp", Title: "Camp", Styles: []uint32{1}},
	}
	return m
}

// Totals returns what was counted in a polling place: so many valid ballots, all for the first options, and one that is void.
func (e *Election) Totals(place string, valid uint64) *pb.PaperTotals {
	d := &pb.PaperTotals{Election: e.ID, Place: place, Entitled: valid + 2, Issued: valid + 3, Spoiled: 1, Cast: valid + 1}
	if standing := must(state.Load[pb.PaperPlace](e.View(), state.PaperKey(e.ID, place))); standing != nil {
		d.Corrects = standing.Resolution
	}
	for _, contest := range election.PlaceContests(e.Manifest, election.Place(e.Manifest, place)) {
		c := pb.PaperContest{Contest: contest, Valid: valid, Invalid: 1, Votes: make([]uint64, len(e.Manifest.Contests[contest].Options))}
		for option := range max(1, e.Manifest.Contests[contest].MinSelections) {
			c.Votes[option] = valid
		}
		d.Contests = append(d.Contests, c)
	}
	return d
}

// ResolveTotals lets all organisations resolve totals.
func (e *Election) ResolveTotals(d *pb.PaperTotals) {
	e.t.Helper()
	e.Resolve(&pb.Resolution{Reason: "counted by hand", Decision: &pb.Resolution_PaperTotals{PaperTotals: d}})
}

// Excuse lets all organisations excuse a polling place.
func (e *Election) Excuse(place string, corrects []byte) {
	e.t.Helper()
	e.Resolve(&pb.Resolution{Reason: "the road is closed", Decision: &pb.Resolution_ExcusePaper{
		ExcusePaper: &pb.ExcusePaper{Election: e.ID, Place: place, Corrects: corrects},
	}})
}

// Paper is an election with OnPaper: an outage, and an extension for it; a polling place that reports and corrects, and one that is excused;
// a contest that is too small and is merged into another. It calls watch, if given, with the founded ledger.
func Paper(t testing.TB, watch ...func(*Ledger)) *Election {
	t.Helper()
	e := stage(t, func(l *Ledger) {
		for _, f := range watch {
			f(l)
		}
	}, OnPaper(Manifest("primary")), 6, 3)
	e.MakeKeys()
	e.Begin()
	e.Accept(e.Vote(0, 1, []int{0, 2}, []int{0}), e.Vote(1, 1, []int{2}, []int{1}), e.Vote(2, 1, []int{1}, []int{0}))
	e.extended()
	e.Refuse(tx.CodeWrongPhase, e.totalling(e.Totals("aul", 4)))
	e.Make(e.Record().Closing - e.Now())
	e.Expect(pb.PHASE_CLOSED)
	e.Refuse(tx.CodeUnknownPlace, e.totalling(&pb.PaperTotals{Election: e.ID, Place: "town"}))
	e.ResolveTotals(e.Totals("aul", 4))
	again := e.Totals("aul", 3)
	again.Corrects = nil
	e.Refuse(tx.CodePaperCorrects, e.totalling(again))
	e.ResolveTotals(e.Totals("aul", 5))
	e.Make(int64(e.Manifest.ObjectionWindow))
	e.Expect(pb.PHASE_CLOSED)
	e.Excuse("camp", nil)
	e.Expect(pb.PHASE_CLOSED)
	e.Make(0)
	e.Expect(pb.PHASE_DECRYPTING)
	e.Refuse(tx.CodeWrongPhase, e.totalling(e.Totals("camp", 1)))
	alone := e.Of("party")[0].partialOf(0, must(e.View().Record(state.SumKey(e.ID, 0))))
	e.Refuse(tx.CodeDecryptionProof, Sign("party trustee 1", &pb.PostPartials{Election: e.ID, Organisation: "party", Partials: []pb.PartialDecryption{alone}}))
	merged := e.Of("party")[0].partialOf(2, must(e.View().Record(state.SumKey(e.ID, 2))))
	e.Refuse(tx.CodeContestDecided, Sign("party trustee 1", &pb.PostPartials{Election: e.ID, Organisation: "party", Partials: []pb.PartialDecryption{merged}}))
	for _, o := range Organisations {
		for _, trustee := range e.Of(o)[1:] {
			e.Accept(trustee.Open(0, 1))
		}
	}
	e.Expect(pb.PHASE_FINAL)
	e.Make(1)
	e.Make(1)
	for contest, want := range []*pb.Result{
		{Status: pb.RESULT_OPENED, Ballots: 3, Votes: []uint64{2, 0, 2}, PaperBallots: 10, PaperVotes: []uint64{10, 0, 0}, PaperInvalid: 2},
		{Status: pb.RESULT_OPENED, Ballots: 3, Votes: []uint64{1, 2}, PaperBallots: 5, PaperVotes: []uint64{5, 0}, PaperInvalid: 1},
		{Status: pb.RESULT_MERGED, Ballots: 1, PaperBallots: 5, PaperVotes: []uint64{5, 0, 0}, PaperInvalid: 1},
	} {
		if got := e.Result(uint32(contest)); !reflect.DeepEqual(got, want) {
			t.Fatalf("contest %d: %v, want %v", contest, got, want)
		}
	}
	return e
}

func (e *Election) totalling(d *pb.PaperTotals) []byte {
	raw, _ := e.Propose("party officer 1", &pb.Resolution{Decision: &pb.Resolution_PaperTotals{PaperTotals: d}})
	return raw
}

// oneSlipKey: a validator takes the place of another with its slip key, and reports less than that did. An extension tells no difference of the two.
func oneSlipKey(t testing.TB, watch func(*Ledger)) {
	e := stage(t, watch, Manifest("primary"), 2, 3)
	e.MakeKeys()
	e.Begin()
	report := func(taken uint64) {
		for e.Height()%tx.IntakeInterval != 1 {
			e.Make(0)
		}
		e.Accept(e.Report("league validator 1", 1, taken))
	}
	report(9)
	from := e.Height()
	heir := Validator("league", 3)
	heir.SlipKey = Validator("league", 1).SlipKey
	e.Change(Validator("league", 2), heir, Validator("party", 1), Validator("party", 2))
	report(4)
	e.Resolve(&pb.Resolution{Reason: "no connection", Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{
		Election: e.ID, Closing: e.Record().Closing + 60, Cause: pb.EXTENSION_OUTAGE, From: from, To: from + 1,
	}}})
	x := must(state.MustLoad[pb.Extension](e.View(), state.ExtensionKey(e.ID, 1)))
	at := slices.IndexFunc(x.Validators, func(v pb.ValidatorSpan) bool { return string(v.Key) == string(heir.Key) })
	if at < 0 || x.Validators[at].Before == nil || x.Validators[at].After == nil || x.Validators[at].Intake != nil {
		t.Fatalf("extension %v", x)
	}
}

// extended goes through an outage in which a validator is away and the network stands still, and makes up for it.
func (e *Election) extended() {
	e.t.Helper()
	for e.Height()%tx.IntakeInterval != 1 {
		e.Make(0)
	}
	e.Accept(e.Report("league validator 1", 1, 4))
	from := e.Height() + 1 // of the three heights that the next three blocks say it has missed the middle one
	e.Absent["party validator 2"] = true
	e.Make(1)
	e.Make(31)
	e.Make(1)
	e.Absent["party validator 2"] = false
	to := from
	for e.Height()%tx.IntakeInterval != 0 {
		e.Make(0)
	}
	e.Accept(e.Report("league validator 1", 1, 9))
	span := func(from, to, seconds int64) *pb.Resolution {
		return &pb.Resolution{Reason: "no connection", Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{
			Election: e.ID, Closing: e.Record().Closing + seconds, Cause: pb.EXTENSION_OUTAGE, From: from, To: to,
		}}}
	}
	raw, _ := e.Propose("party officer 1", span(from, e.Height()+1, 60))
	e.Refuse(tx.CodeInvalidSpan, raw)
	e.Resolve(span(from, to, 60))
	e.Resolve(&pb.Resolution{Reason: "a holiday", Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{
		Election: e.ID, Closing: e.Record().Closing + 1, Cause: pb.EXTENSION_OTHER,
	}}})
	x := must(state.MustLoad[pb.Extension](e.View(), state.ExtensionKey(e.ID, 1)))
	if x.LongestGap != 31e9 || x.GapHeight != to+1 {
		e.t.Fatalf("the longest gap is %d at height %d", x.LongestGap, x.GapHeight)
	}
	for i := range x.Validators {
		v := &x.Validators[i]
		away := slices.Equal(v.Key, Validator("party", 2).Key)
		if away != (v.Missed == 1) || !away && v.Missed != 0 {
			e.t.Fatalf("validator %x has missed %d heights", v.Key, v.Missed)
		}
		reported := slices.Equal(v.Key, Validator("league", 1).Key)
		if reported != (v.Intake != nil) || reported && (v.Intake.Taken != 5 || v.Before.Index != 0 || v.After.Index != 1) {
			e.t.Fatalf("validator %x: %v", v.Key, v)
		}
	}
}
