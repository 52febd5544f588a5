package figures

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const header = "county,town,ballots,office,vote_for,candidate,votes\n"

func TestReadRefuses(t *testing.T) {
	long := strings.Repeat("x", 201)
	for _, c := range []struct {
		file string
		line int
		code Code
	}{
		{"", 0, NoFigures},
		{header, 1, NoFigures},
		{"town,county,ballots,office,vote_for,candidate,votes\n", 1, BadColumns},
		{"county,town,ballots,office,vote_for,candidate\n", 1, BadColumns},
		{header + "A,B,3,Mayor,1,Ann\n", 2, BadColumns},
		{header + "A,B,3,Mayor,1,Ann,2,1\n", 2, BadColumns},
		{header + "A,B,3,Mayor,1,An\"n,2\n", 2, BadQuoting},
		{header + "A,B,3,Mayor,1,\"Ann,2\n", 2, BadQuoting},
		{header + ",B,3,Mayor,1,Ann,2\n", 2, BadText},
		{header + "A,B,3,Mayor ,1,Ann,2\n", 2, BadText},
		{header + "A,B,3,Mayor,1," + long + ",2\n", 2, BadText},
		{header + "A,B,3,Mayor,1,\xff,2\n", 2, BadText},
		{header + "A,B,3,Mayor,1,Ann,-2\n", 2, BadNumber},
		{header + "A,B,3,Mayor,1,Ann,+2\n", 2, BadNumber},
		{header + "A,B,3,Mayor,1,Ann,02\n", 2, BadNumber},
		{header + "A,B,3,Mayor,1,Ann,2.0\n", 2, BadNumber},
		{header + "A,B,3,Mayor,1,Ann,\n", 2, BadNumber},
		{header + "A,B,3,Mayor,0,Ann,0\n", 2, BadNumber},
		{header + "A,B,4294967297,Mayor,1,Ann,1\n", 2, BadNumber},
		{header + "A,B,99999999999999999999,Mayor,1,Ann,1\n", 2, BadNumber},
		{header + "A,B,1000001,Mayor,1,Ann,1\n", 2, BadNumber},
		{header + "A,B,3,Mayor,1,Ann,2\nA,C,3,Mayor,1,Ann,2\nA,B,3,Mayor,1,Bob,1\n", 4, TownSplit},
		{header + "A,B,3,Mayor,1,Ann,2\nA,B,4,Mayor,1,Bob,1\n", 3, BallotsDiffer},
		{header + "A,B,3,Mayor,1,Ann,2\nA,B,3,Mayor,2,Bob,1\n", 3, VoteForDiffers},
		{header + "A,B,3,Mayor,1,Ann,2\nA,B,3,Judge,1,Ann,2\nA,B,3,Mayor,1,Ann,1\n", 4, CandidateTwice},
		{header + "A,B,3,Mayor,1,Ann,4\n", 2, VotesAboveBallots},
		{header + "A,B,3,Judge,1,Ann,3\nA,B,3,Mayor,1,Ann,2\nA,B,3,Mayor,1,Bob,2\nA,C,1,Judge,1,Ann,1\n", 3, VotesAboveChoices},
		{header + "A,B,3,Judge,1,Ann,3\nA,B,3,Mayor,2,Ann,2\n", 3, VoteForAboveCandidates},
		{header + "\n\nA,B,3,Mayor,1,Ann,4\n", 4, VotesAboveBallots},
	} {
		_, err := Read(strings.NewReader(c.file))
		var fault *Fault
		if !errors.As(err, &fault) {
			t.Errorf("%q: %v", c.file, err)
		} else if fault.Line != c.line || fault.Code != c.code || fault.Advice == "" {
			t.Errorf("%q: %v, want line %d, %s", c.file, err, c.line, c.code)
		}
	}
}

func TestChoose(t *testing.T) {
	towns := []Town{{Name: "a", Ballots: 3}, {Name: "b"}, {Name: "c", Ballots: 5}, {Name: "d", Ballots: 1}}
	for limit, want := range map[int]string{0: "acd", 1: "a", 3: "a", 4: "ac", 8: "ac", 9: "acd", 100: "acd"} {
		got := ""
		for _, town := range Choose(towns, limit) {
			got += town.Name
		}
		if got != want {
			t.Errorf("limit %d: %s, want %s", limit, got, want)
		}
	}
}

// An office is one contest where its candidates and choices agree, whatever their order, and another one where they do not.
func TestContests(t *testing.T) {
	r := replay(t, header+
		"A,B,3,Mayor,1,Ann,2\nA,B,3,Mayor,1,Bob,1\n"+
		"A,C,5,Mayor,1,Bob,3\nA,C,5,Mayor,1,Ann,1\n"+
		"D,E,9,Mayor,1,Eve,4\n"+
		"D,F,2,Mayor,2,Ann,2\nD,F,2,Mayor,2,Bob,1\n")
	if len(r.Contests) != 3 || r.Contests[1].Title != "Mayor (2)" || r.Contests[2].Title != "Mayor (3)" || r.Slots != 2 {
		t.Fatalf("contests %v, %d slots", r.Contests, r.Slots)
	}
	if !slices.Equal(r.Votes[0], []uint64{3, 4}) || !slices.Equal(r.Votes[1], []uint64{4}) || !slices.Equal(r.Votes[2], []uint64{2, 1}) {
		t.Fatalf("votes %v", r.Votes)
	}
	checkReplay(t, r)
}

// Any figures that can have happened are dealt out exactly.
func TestReplayOfAnyFigures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var file strings.Builder
		file.WriteString(header)
		for town := range rapid.IntRange(1, 6).Draw(t, "towns") {
			ballots := rapid.IntRange(1, 30).Draw(t, "ballots")
			for _, office := range rapid.SliceOfNDistinct(rapid.IntRange(0, 8), 1, 5, rapid.ID).Draw(t, "offices") {
				candidates := office%5 + 1
				voteFor := rapid.IntRange(1, candidates).Draw(t, "vote for")
				left := ballots * voteFor
				for c := range candidates {
					votes := rapid.IntRange(0, min(ballots, left)).Draw(t, "votes")
					left -= votes
					fmt.Fprintf(&file, "County,Town %d,%d,Office %d,%d,Candidate %d,%d\n", town, ballots, office, voteFor, c, votes)
				}
			}
		}
		checkReplay(t, replay(t, file.String()))
	})
}

// realFigures are those of a real primary.
var realFigures = filepath.Join("..", "..", "..", "shared", "data", "nh-2014-republican-primary.csv")

// The whole file of a real primary, where it lies beside the checkout.
func TestReplayOfRealFigures(t *testing.T) {
	b, err := os.ReadFile(realFigures)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip(realFigures, "is not here")
	} else if err != nil {
		t.Fatal(err)
	}
	r := replay(t, string(b))
	checkReplay(t, r)
	if len(r.Towns) != 310 || len(r.Contests) != 228 || r.Voters() != 123_444 || r.Slots != 44 {
		t.Errorf("%d towns, %d contests, %d ballots, %d slots", len(r.Towns), len(r.Contests), r.Voters(), r.Slots)
	}
}

func TestReplayOfExamples(t *testing.T) {
	files, err := filepath.Glob("../../genesis/examples/*.csv")
	if err != nil || len(files) == 0 {
		t.Fatal("no example figures", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		checkReplay(t, replay(t, string(b)))
	}
}

func replay(t rapid.TB, file string) *Replay {
	t.Helper()
	towns, err := Read(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return NewReplay(Choose(towns, 0))
}

// checkReplay holds a replay to the rules of a manifest, counts all ballots naively and compares with the figures of the towns.
func checkReplay(t rapid.TB, r *Replay) {
	t.Helper()
	checkManifest(t, r)
	figures := map[string]uint64{} // by office and candidate
	for _, town := range r.Towns {
		for _, office := range town.Offices {
			for _, c := range office.Candidates {
				figures[office.Name+"/"+c.Name] += uint64(c.Votes)
			}
		}
	}
	votes := make([][]uint64, len(r.Contests))
	for c, contest := range r.Contests {
		votes[c] = make([]uint64, len(contest.Options))
	}
	ballots := make([]int, len(r.Styles))
	for voter := range r.Voters() {
		style := r.Style(voter)
		ballots[style]++
		for k, options := range r.Selections(voter) {
			c := r.Styles[style].Contests[k]
			if len(options) > int(r.Contests[c].MaxSelections) || !slices.IsSorted(options) || len(slices.Compact(slices.Clone(options))) != len(options) {
				t.Fatalf("voter %d takes %v of contest %d", voter, options, c)
			}
			for _, option := range options {
				votes[c][option]++
			}
		}
	}
	for c, contest := range r.Contests {
		if !slices.Equal(votes[c], r.Votes[c]) {
			t.Fatalf("%s: dealt %v, figures %v", contest.Title, votes[c], r.Votes[c])
		}
		for option, n := range votes[c] {
			figures[r.Offices[c]+"/"+contest.Options[option]] -= n
		}
	}
	for key, left := range figures {
		if left != 0 {
			t.Fatalf("%s: %d votes are not dealt", key, int64(left))
		}
	}
	for i, town := range r.Towns {
		if ballots[i] != town.Ballots {
			t.Fatalf("%s: %d ballots dealt, %d in the figures", town.District(), ballots[i], town.Ballots)
		}
	}
}

// checkManifest restates the rules that a manifest must keep (docs/spec, manifest) in the slowest way.
func checkManifest(t rapid.TB, r *Replay) {
	t.Helper()
	for i, style := range r.Styles {
		positions := 0
		taken := map[uint32]bool{}
		for k, c := range style.Contests {
			if k > 0 && style.Contests[k-1] >= c {
				t.Fatalf("style %d: contests %v", i, style.Contests)
			}
			contest := r.Contests[c]
			if contest.MinSelections != 0 || contest.MaxSelections < 1 || int(contest.MaxSelections) > len(contest.Options) {
				t.Fatalf("contest %v", contest)
			}
			positions += len(contest.Options) + int(contest.MaxSelections)
			for o := range contest.Options {
				slot := contest.FirstSlot + uint32(o)
				if taken[slot] || int(slot) >= r.Slots {
					t.Fatalf("style %d: slot %d of %d twice", i, slot, r.Slots)
				}
				taken[slot] = true
			}
		}
		if positions == 0 || positions > 200 {
			t.Fatalf("style %d: %d positions", i, positions)
		}
	}
}

// FuzzRead: whatever is read can be replayed exactly.
func FuzzRead(f *testing.F) {
	f.Add(header + "A,B,3,Mayor,1,Ann,2\nA,B,3,Mayor,1,\"Bob, Jr.\",1\n")
	f.Add(header + "A,B,3,Mayor,2,Ann,3\nA,B,3,Mayor,2,Bob,3\nA,C,1,Mayor,2,Bob,1\nA,C,1,Mayor,2,Ann,0\n")
	f.Fuzz(func(t *testing.T, file string) {
		towns, err := Read(strings.NewReader(file))
		if err != nil {
			return
		}
		ballots := 0
		for _, town := range towns {
			ballots += town.Ballots
		}
		r := NewReplay(Choose(towns, 0))
		if r.Voters() != ballots {
			t.Fatalf("%d voters, %d ballots", r.Voters(), ballots)
		}
		for voter := range min(r.Voters(), 100) {
			r.Selections(voter)
		}
	})
}
