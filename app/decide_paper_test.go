package app_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// paperRules lets a village of both districts and a camp of the south vote on paper.
func paperRules() *pb.Manifest {
	m := manifest()
	m.PollingPlaces = []pb.PollingPlace{{Id: "aul", Title: "Aul", Styles: []uint32{0, 1}}, {Id: "camp", Title: "Camp", Styles: []uint32{1}}}
	return m
}

func campTotals() *pb.PaperTotals {
	return &pb.PaperTotals{
		Election: id, Place: "camp", Entitled: 10, Issued: 12, Spoiled: 2, Cast: 9,
		Contests: []pb.PaperContest{{Contest: 1, Valid: 8, Invalid: 1, Votes: []uint64{3, 5}}},
	}
}

func aulTotals() *pb.PaperTotals {
	return &pb.PaperTotals{
		Election: id, Place: "aul", Entitled: 5, Issued: 5, Cast: 5,
		Contests: []pb.PaperContest{
			{Contest: 0, Valid: 5, Votes: []uint64{5, 0, 4}},
			{Contest: 1, Valid: 4, Invalid: 1, Votes: []uint64{4, 0}},
		},
	}
}

func paperResolution(d *pb.PaperTotals) pb.Resolution {
	return pb.Resolution{Decision: &pb.Resolution_PaperTotals{PaperTotals: d}}
}

func excuse(place string, corrects []byte) pb.Resolution {
	return pb.Resolution{Reason: "no road", Decision: &pb.Resolution_ExcusePaper{ExcusePaper: &pb.ExcusePaper{Election: id, Place: place, Corrects: corrects}}}
}

// standing is the hash of the resolution that stands about a polling place.
func (l *ledger) standing(place string) []byte {
	return must(state.MustLoad[pb.PaperPlace](l.view(), state.PaperKey(id, place))).Resolution
}

// closedWithPaper brings an election with polling places to its closing.
func (l *ledger) closedWithPaper() []*trustee {
	l.t.Helper()
	l.rules = paperRules()
	l.rules.ObjectionWindow = 10 * uint32(window)
	voters, trustees := l.voting(3)
	shared := l.shared()
	l.accept(cast(draft(shared, 0, voters[0], 1, []int{0}, []int{0}), 0, 1), cast(draft(shared, 1, voters[1], 1, []int{0}, []int{1}), 1, 1))
	l.block(l.election().Closing - l.now)
	l.expectPhase(pb.PHASE_CLOSED)
	return trustees
}

func TestPaperRefusals(t *testing.T) {
	l := newLedger(t)
	l.closedWithPaper()
	for name, c := range map[string]struct {
		change func(d *pb.PaperTotals)
		want   tx.Code
	}{
		"another election":        {func(d *pb.PaperTotals) { d.Election = "other" }, tx.CodeUnknownElection},
		"another place":           {func(d *pb.PaperTotals) { d.Place = "town" }, tx.CodeUnknownPlace},
		"no contest":              {func(d *pb.PaperTotals) { d.Contests = nil }, tx.CodePaperContests},
		"another contest":         {func(d *pb.PaperTotals) { d.Contests[0].Contest = 0 }, tx.CodePaperContests},
		"an option too few":       {func(d *pb.PaperTotals) { d.Contests[0].Votes = []uint64{8} }, tx.CodePaperContests},
		"cast, not issued":        {func(d *pb.PaperTotals) { d.Cast = 11 }, tx.CodePaperIssued},
		"spoiled, not issued":     {func(d *pb.PaperTotals) { d.Spoiled = 4 }, tx.CodePaperIssued},
		"issued to others":        {func(d *pb.PaperTotals) { d.Entitled = 9 }, tx.CodePaperIssued},
		"valid, not cast":         {func(d *pb.PaperTotals) { d.Contests[0].Valid = 9; d.Contests[0].Votes[0]++ }, tx.CodePaperBallots},
		"invalid, not cast":       {func(d *pb.PaperTotals) { d.Contests[0].Invalid = 2 }, tx.CodePaperBallots},
		"more votes than ballots": {func(d *pb.PaperTotals) { d.Contests[0].Votes = []uint64{9, 0} }, tx.CodePaperVotes},
		"more votes in all":       {func(d *pb.PaperTotals) { d.Contests[0].Votes[0]++ }, tx.CodePaperVotes},
		"fewer votes in all":      {func(d *pb.PaperTotals) { d.Contests[0].Votes[0]-- }, tx.CodePaperVotes},
		"a count beyond all":      {func(d *pb.PaperTotals) { d.Contests[0].Votes[0] = math.MaxUint64 }, tx.CodeInvalidField},
		"corrects nothing":        {func(d *pb.PaperTotals) { d.Corrects = make([]byte, 32) }, tx.CodePaperCorrects},
		"half a hash":             {func(d *pb.PaperTotals) { d.Corrects = make([]byte, 16) }, tx.CodeInvalidField},
		"a contest twice":         {func(d *pb.PaperTotals) { d.Contests = append(d.Contests, d.Contests[0]) }, tx.CodeInvalidField},
	} {
		t.Run(name, func(t *testing.T) {
			d := campTotals()
			c.change(d)
			r := paperResolution(d)
			l.t = t
			l.refuse(c.want, l.propose("party officer 1", &r)[0])
		})
	}
	l.t = t
	silent := excuse("camp", nil)
	silent.Reason = ""
	l.refuse(tx.CodeInvalidField, l.propose("party officer 1", &silent)[0])
	unknown := excuse("town", nil)
	l.refuse(tx.CodeUnknownPlace, l.propose("party officer 1", &unknown)[0])
}

// TestLargestTotals: the totals of the largest polling place that a manifest may have go through under the least value of transaction_bytes,
// with all counts and texts as long as they can be.
func TestLargestTotals(t *testing.T) {
	l := newLedger(t)
	params := parameters()
	params.Limits.TransactionBytes = election.MaxTotals
	l.resolve(pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: params}}})
	place := pb.PollingPlace{Id: strings.Repeat("p", election.MaxIDLength), Title: "Place"}
	l.rules.Contests, l.rules.Styles = nil, nil
	totals := &pb.PaperTotals{Election: id, Place: place.Id, Entitled: tx.MaxPaper, Issued: tx.MaxPaper, Cast: tx.MaxPaper}
	const contests = 1_156 // all but the last with 30 options, that with 18: 2,048 + 20 * 1,156 + 4 * 34,668 bytes
	for i := range uint32(contests) {
		options := 30
		if i == contests-1 {
			options = 18
		}
		c := pb.Contest{Title: "Contest", MinSelections: uint32(options), MaxSelections: uint32(options)}
		p := pb.PaperContest{Contest: i, Valid: tx.MaxPaper}
		for j := range options {
			c.Options, p.Votes = append(c.Options, fmt.Sprint(j)), append(p.Votes, tx.MaxPaper)
		}
		totals.Contests = append(totals.Contests, p)
		l.rules.Contests = append(l.rules.Contests, c)
		l.rules.Styles = append(l.rules.Styles, pb.BallotStyle{District: fmt.Sprint(i), Contests: []uint32{i}})
		place.Styles = append(place.Styles, i)
	}
	l.rules.PollingPlaces = []pb.PollingPlace{place}
	l.voting(2)
	l.block(l.election().Closing - l.now)
	r := paperResolution(totals)
	r.Reason = strings.Repeat("r", 1_000)
	l.nonce = math.MaxUint64 - 3
	l.resolve(r)
	corrected := *totals
	corrected.Corrects = l.standing(place.Id)
	r = paperResolution(&corrected)
	r.Reason = strings.Repeat("r", 1_000)
	l.resolve(r)
	if got := must(state.MustLoad[pb.PaperSum](l.view(), state.PaperSumKey(id, contests-1))); got.Ballots != tx.MaxPaper || len(got.Votes) != 18 {
		t.Fatalf("%v", got)
	}
	wide := *totals // as if the contests were the last that a manifest may have, so that their numbers are longest
	wide.Election, wide.Corrects = strings.Repeat("e", election.MaxIDLength), corrected.Corrects
	wide.Spoiled = tx.MaxPaper
	wide.Contests = slices.Clone(totals.Contests)
	for i := range wide.Contests {
		wide.Contests[i].Contest, wide.Contests[i].Invalid = uint32(election.MaxContests-contests+i), tx.MaxPaper
	}
	r = paperResolution(&wide)
	r.Reason = strings.Repeat("r", 1_000)
	r.Nonce = math.MaxUint64
	if size := len(sign("party officer 1", &pb.ProposeResolution{Resolution: r})); size > election.MaxTotals || size < election.MaxTotals-2_048 {
		t.Fatalf("%d bytes", size)
	}
}

// TestPaperWaits: decryption waits until every polling place has reported or is excused, and what is corrected leaves the sums.
func TestPaperWaits(t *testing.T) {
	l := newLedger(t)
	trustees := l.closedWithPaper()
	l.resolve(paperResolution(campTotals()))
	l.resolve(paperResolution(aulTotals()))
	corrected := campTotals()
	corrected.Corrects = l.standing("camp")
	corrected.Contests[0].Votes = []uint64{2, 6}
	l.resolve(paperResolution(corrected))
	late := campTotals()
	late.Corrects = corrected.Corrects // not the one that stands
	again := paperResolution(late)
	l.refuse(tx.CodePaperCorrects, l.propose("party officer 1", &again)[0])
	l.resolve(excuse("aul", l.standing("aul")))
	aul := must(state.MustLoad[pb.PaperPlace](l.view(), state.PaperKey(id, "aul")))
	sum := must(state.MustLoad[pb.PaperSum](l.view(), state.PaperSumKey(id, 1)))
	if !aul.Excused || !reflect.DeepEqual(sum, &pb.PaperSum{Ballots: 8, Votes: []uint64{2, 6}, Invalid: 1}) {
		t.Fatalf("%v, %v", aul, sum)
	}
	l.block(10 * window)
	l.expectPhase(pb.PHASE_DECRYPTING)
	wrong := paperResolution(corrected)
	l.refuse(tx.CodeWrongPhase, l.propose("party officer 1", &wrong)[0])
	l.accept(l.each(trustees, func(t *trustee) []byte { return l.partial(t, 0, 1) })[:5]...)
	l.expectPhase(pb.PHASE_FINAL)
	want := &pb.Result{Status: pb.RESULT_OPENED, Ballots: 2, Votes: []uint64{1, 1}, PaperBallots: 8, PaperVotes: []uint64{2, 6}, PaperInvalid: 1}
	if got := l.result(1); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := app.VotesOf(l.result(1)); !reflect.DeepEqual(got, []uint64{3, 7}) {
		t.Errorf("%v votes in all", got)
	}
}

func TestPaperIsMissing(t *testing.T) {
	l := newLedger(t)
	l.closedWithPaper()
	l.resolve(paperResolution(campTotals()))
	l.block(10 * window)
	l.expectPhase(pb.PHASE_CLOSED)
	if open := l.election().PlacesOpen; open != 1 {
		t.Fatalf("%d polling places are open", open)
	}
	l.resolve(excuse("aul", nil))
	l.expectPhase(pb.PHASE_CLOSED)
	l.block(0)
	l.expectPhase(pb.PHASE_DECRYPTING)
}

// TestWithheldWithPaper: the part on paper is public in any case, and says nothing of the rest. Where there is no rest it is the result.
func TestWithheldWithPaper(t *testing.T) {
	for ballots, want := range []*pb.Result{
		{Status: pb.RESULT_OPENED, Votes: []uint64{0, 0}, PaperBallots: 8, PaperVotes: []uint64{3, 5}, PaperInvalid: 1},
		{Status: pb.RESULT_WITHHELD, Ballots: 1, PaperBallots: 8, PaperVotes: []uint64{3, 5}, PaperInvalid: 1},
	} {
		l := newLedger(t)
		l.rules = paperRules()
		l.rules.OpenMin = 3
		voters, _ := l.voting(3)
		shared := l.shared()
		for i, key := range voters[:ballots] {
			l.accept(cast(draft(shared, i, key, 1, []int{0}, []int{0}), i, 1))
		}
		l.block(l.election().Closing - l.now)
		l.resolve(paperResolution(campTotals()))
		l.resolve(excuse("aul", nil))
		l.block(window)
		got := l.result(1)
		if votes := app.VotesOf(got); !reflect.DeepEqual(got, want) || (votes != nil) != (ballots == 0) {
			t.Errorf("%v with the votes %v, want %v", got, votes, want)
		}
	}
}

// mergeRules has three districts that ask the same, each merged into the one before.
func mergeRules(openMin uint32) *pb.Manifest {
	m := manifest()
	m.OpenMin = openMin
	question := m.Contests[0]
	m.Contests, m.Styles = nil, nil
	for i, district := range []string{"region", "district", "village"} {
		question.Title, question.Merge = district, uint32(i)
		m.Contests = append(m.Contests, question)
		m.Styles = append(m.Styles, pb.BallotStyle{District: district, Contests: []uint32{uint32(i)}})
	}
	return m
}

func TestMerge(t *testing.T) {
	opened := func(ballots uint64, votes ...uint64) *pb.Result {
		return &pb.Result{Status: pb.RESULT_OPENED, Ballots: ballots, Votes: votes}
	}
	merged := func(ballots uint64, into uint32) *pb.Result {
		return &pb.Result{Status: pb.RESULT_MERGED, Ballots: ballots, MergedInto: into}
	}
	withheld := func(ballots uint64) *pb.Result { return &pb.Result{Status: pb.RESULT_WITHHELD, Ballots: ballots} }
	// Voters 0, 1, 3, 4 are of the region, 2 and 5 of the district; nobody is of the village. All choose the first option.
	for name, c := range map[string]struct {
		openMin, region, district int
		want                      []*pb.Result
	}{
		"one into the next":  {2, 3, 2, []*pb.Result{opened(3, 3, 0, 0), opened(2, 2, 0, 0), merged(0, 1)}},
		"all into the first": {3, 2, 2, []*pb.Result{opened(4, 4, 0, 0), merged(2, 0), merged(0, 1)}},
		"still too small":    {6, 3, 2, []*pb.Result{withheld(5), merged(2, 0), merged(0, 1)}},
		"a small target":     {2, 1, 1, []*pb.Result{opened(2, 2, 0, 0), merged(1, 0), merged(0, 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			l.rules = mergeRules(uint32(c.openMin))
			voters, trustees := l.voting(6)
			shared := l.shared()
			for i, key := range voters {
				left := &c.region
				if style(i) == 1 {
					left = &c.district
				}
				if *left--; *left >= 0 {
					l.accept(cast(draft(shared, i, key, 1, []int{0}), i, 1))
				}
			}
			l.block(l.election().Closing - l.now)
			l.block(window)
			var open []uint32
			for i, want := range c.want {
				if want.Status == pb.RESULT_OPENED {
					open = append(open, uint32(i))
				}
			}
			if len(open) > 0 {
				l.accept(l.each(trustees, func(t *trustee) []byte { return l.partial(t, open...) })[:5]...)
			}
			l.expectPhase(pb.PHASE_FINAL)
			for i, want := range c.want {
				if got := l.result(uint32(i)); !reflect.DeepEqual(got, want) {
					t.Errorf("contest %d: %v, want %v", i, got, want)
				}
			}
		})
	}
}

func TestExtensionRefusals(t *testing.T) {
	l := newLedger(t)
	l.voting(1)
	extend := func(change func(d *pb.ExtendElection)) []byte {
		d := &pb.ExtendElection{Election: id, Cause: pb.EXTENSION_OUTAGE, Closing: l.election().Closing + 10, From: 2, To: l.view().Height()}
		change(d)
		return l.propose("party officer 1", &pb.Resolution{Decision: &pb.Resolution_ExtendElection{ExtendElection: d}})[0]
	}
	l.refuse(tx.CodeInvalidField, extend(func(d *pb.ExtendElection) { d.Cause = pb.EXTENSION_NONE }))
	l.refuse(tx.CodeInvalidField, extend(func(d *pb.ExtendElection) { d.Cause = pb.EXTENSION_OTHER + 1 }))
	l.refuse(tx.CodeInvalidField, extend(func(d *pb.ExtendElection) { d.From, d.To = 0, 0 }))
	l.refuse(tx.CodeInvalidField, extend(func(d *pb.ExtendElection) { d.From = d.To + 1 }))
	l.refuse(tx.CodeInvalidField, extend(func(d *pb.ExtendElection) { d.To = d.From + 65_536 }))
	l.refuse(tx.CodeInvalidField, extend(func(d *pb.ExtendElection) { d.From, d.To = math.MinInt64, math.MaxInt64 }))
	l.refuse(tx.CodeInvalidSpan, extend(func(d *pb.ExtendElection) { d.To += 2 }))
	l.refuse(tx.CodeInvalidTimes, extend(func(d *pb.ExtendElection) { d.Closing -= 10 }))
	l.plant(func(w state.Writer) {
		for n := range 999 {
			state.Save(w, state.ExtensionKey(id, n+1), &pb.Extension{Cause: pb.EXTENSION_OTHER})
		}
	})
	l.refuse(tx.CodeExtensionLimit, extend(func(*pb.ExtendElection) {}))
}

// TestSigningIsForgotten: 2,048 windows of 64 heights are kept, and the extension of an outage before them is refused.
func TestSigningIsForgotten(t *testing.T) {
	l := newLedger(t)
	l.signed = func(key []byte) bool { return key[0]%2 == 0 }
	l.block(1)
	l.block(1)
	first, last := state.SigningKey(0), state.SigningKey(2_048)
	if r := must(state.MustLoad[pb.Signing](l.view(), first)); r.Time != l.now*1e9 || r.LongestGap != 1e9 || r.GapHeight != 2 {
		t.Fatalf("%v", r)
	}
	for height, kept := range map[int64]bool{64*2_048 - 1: true, 64*2_048 + 1: false} {
		b := l.next(1)
		b.Height = height
		d := l.state.NewDraft()
		must(l.app.Execute(d, b))
		if got := must(d.Record(first)) != nil; got != kept {
			t.Errorf("height %d: the first window is there: %v", height, got)
		}
		if got := must(d.Record(last)) != nil; got == kept {
			t.Errorf("height %d: the last window is there: %v", height, got)
		}
	}
}

func TestMergeAndPlaceRules(t *testing.T) {
	for name, change := range map[string]func(m *pb.Manifest){
		"into itself":          func(m *pb.Manifest) { m.Contests[1].Merge = 2 },
		"into a later one":     func(m *pb.Manifest) { m.Contests[0].Merge = 2 },
		"into none":            func(m *pb.Manifest) { m.Contests[1].Merge = math.MaxUint32 },
		"other options":        func(m *pb.Manifest) { m.Contests[1].Options = []string{"Aigul", "Bolat", "Erlan"} },
		"other slots":          func(m *pb.Manifest) { m.Contests[1].FirstSlot++ },
		"other selections":     func(m *pb.Manifest) { m.Contests[1].MaxSelections-- },
		"other candidates":     func(m *pb.Manifest) { m.Contests[1].Candidates = make([]pb.Candidate, 3) },
		"places out of order":  func(m *pb.Manifest) { m.PollingPlaces[0].Id = "z" },
		"a place twice":        func(m *pb.Manifest) { m.PollingPlaces[1].Id = "aul" },
		"a place without id":   func(m *pb.Manifest) { m.PollingPlaces[0].Id = "" },
		"a place without name": func(m *pb.Manifest) { m.PollingPlaces[0].Title = "" },
		"no style":             func(m *pb.Manifest) { m.PollingPlaces[0].Styles = nil },
		"an unknown style":     func(m *pb.Manifest) { m.PollingPlaces[0].Styles[1] = 3 },
		"styles out of order":  func(m *pb.Manifest) { m.PollingPlaces[0].Styles[1] = 0 },
		"too many places": func(m *pb.Manifest) {
			m.PollingPlaces = make([]pb.PollingPlace, election.MaxPlaces+1)
		},
		"too deep": func(m *pb.Manifest) {
			for i := uint32(3); i < 10; i++ {
				c := m.Contests[2]
				c.Merge = i
				m.Contests = append(m.Contests, c)
				m.Styles = append(m.Styles, pb.BallotStyle{District: string('a' + rune(i)), Contests: []uint32{i}})
			}
		},
	} {
		m := mergeRules(2)
		m.PollingPlaces = paperRules().PollingPlaces
		if err := election.CheckManifest(m); err != nil {
			t.Fatal(err)
		}
		if change(m); election.CheckManifest(m) == nil {
			t.Errorf("%s: it passes", name)
		}
	}
}
