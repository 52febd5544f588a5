package figures

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	pb "votenode/proto/votenode/v1"
)

// Replay is an election made from figures: who votes, on which ballot style, and how, so that the result is the figures. Voters are
// numbered from 0, town after town. It is immutable and safe for concurrent use.
type Replay struct {
	Towns []Town
	// Contests and Styles are those of the manifest; style i is that of Towns[i].
	Contests []pb.Contest
	Styles   []pb.BallotStyle
	// Slots is the number of slots that the contests use.
	Slots int
	// Offices is the name of each contest's office.
	Offices []string
	// Votes are the figures: by contest, then option, over all towns.
	Votes [][]uint64

	first  []int     // number of each town's first voter, and behind them the number of all voters
	choice [][][]int // votes by town, contest of its style, option
}

// NewReplay makes an election from towns as Choose returns them. A contest is an office with one number of choices and one set of
// candidates: towns that agree in all three share it.
func NewReplay(towns []Town) *Replay {
	r := &Replay{Towns: towns, first: []int{0}}
	index := map[string]int{}  // contest by office, choices and sorted candidates
	titles := map[string]int{} // contests of each office
	for i := range towns {
		town := &towns[i]
		votes := map[int][]int{} // by contest
		style := pb.BallotStyle{District: town.District()}
		for _, office := range town.Offices {
			key := contestKey(office)
			c, known := index[key]
			if !known {
				c = len(r.Contests)
				index[key] = c
				titles[office.Name]++
				r.Contests = append(r.Contests, newContest(office, titles[office.Name]))
				r.Offices = append(r.Offices, office.Name)
				r.Votes = append(r.Votes, make([]uint64, len(office.Candidates)))
			}
			style.Contests = append(style.Contests, uint32(c))
			votes[c] = byOption(&r.Contests[c], office)
			for option, n := range votes[c] {
				r.Votes[c][option] += uint64(n)
			}
		}
		slices.Sort(style.Contests)
		r.Styles = append(r.Styles, style)
		choice := make([][]int, len(style.Contests))
		for k, c := range style.Contests {
			choice[k] = votes[int(c)]
		}
		r.choice = append(r.choice, choice)
		r.first = append(r.first, r.first[i]+town.Ballots)
	}
	r.Slots = assignSlots(r.Contests, r.Styles)
	return r
}

func contestKey(office Office) string {
	names := make([]string, len(office.Candidates))
	for i, c := range office.Candidates {
		names[i] = c.Name
	}
	slices.Sort(names)
	return fmt.Sprintf("%q %d %q", office.Name, office.VoteFor, names)
}

// newContest makes the nth contest of an office; a ballot may leave it blank.
func newContest(office Office, nth int) pb.Contest {
	c := pb.Contest{Title: office.Name, MaxSelections: uint32(office.VoteFor)}
	if nth > 1 {
		c.Title = fmt.Sprintf("%s (%d)", strings.ToValidUTF8(office.Name[:min(len(office.Name), 190)], ""), nth)
	}
	for _, candidate := range office.Candidates {
		c.Options = append(c.Options, candidate.Name)
	}
	return c
}

// byOption puts an office's votes into the order of the contest's options.
func byOption(contest *pb.Contest, office Office) []int {
	votes := make([]int, len(contest.Options))
	for _, c := range office.Candidates {
		votes[slices.Index(contest.Options, c.Name)] = c.Votes
	}
	return votes
}

// assignSlots gives every contest its first slot, such that contests of one style never overlap, and returns the number of slots.
// First fit: the contests that meet most others come first, of these the longest, and each takes the lowest range that is free.
func assignSlots(contests []pb.Contest, styles []pb.BallotStyle) int {
	beside := make([]map[int]bool, len(contests)) // contests that stand on one ballot with this one
	for _, style := range styles {
		for _, c := range style.Contests {
			for _, other := range style.Contests {
				if beside[c] == nil {
					beside[c] = map[int]bool{}
				}
				beside[c][int(other)] = true
			}
		}
	}
	order := make([]int, len(contests))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(len(beside[b]), len(beside[a])), cmp.Compare(len(contests[b].Options), len(contests[a].Options)), cmp.Compare(a, b))
	})
	slots := 0
	var placed []int // ascending by first slot
	for _, c := range order {
		start := 0
		for _, other := range placed {
			first := int(contests[other].FirstSlot)
			if beside[c][other] && first < start+len(contests[c].Options) {
				start = max(start, first+len(contests[other].Options))
			}
		}
		contests[c].FirstSlot = uint32(start)
		slots = max(slots, start+len(contests[c].Options))
		at := sort.Search(len(placed), func(i int) bool { return contests[placed[i]].FirstSlot > uint32(start) })
		placed = slices.Insert(placed, at, c)
	}
	return slots
}

// Voters returns the number of voters, which is the number of ballots.
func (r *Replay) Voters() int { return r.first[len(r.Towns)] }

// Style returns the ballot style of a voter, 0 to Voters()-1.
func (r *Replay) Style(voter int) int {
	return sort.Search(len(r.Towns), func(i int) bool { return r.first[i+1] > voter })
}

// Selections returns how a voter votes: for each contest of the voter's style, in its order, the options taken, ascending.
//
// With n ballots in the town, the votes of a contest are laid out one candidate behind the other around a circle of n
// ballots. A candidate has at most n votes, so no ballot meets one twice; all have at most n*max, so no ballot gets more than max:
//
//	ballot j takes option i  <=>  (j - start_i) mod n < votes_i,   start_{i+1} = start_i + votes_i
func (r *Replay) Selections(voter int) [][]int {
	town := r.Style(voter)
	n, j := r.Towns[town].Ballots, voter-r.first[town]
	out := make([][]int, len(r.choice[town]))
	for k, votes := range r.choice[town] {
		start := k * 7 // contests begin at different ballots, so that blank choices do not all meet on the last ones
		for option, v := range votes {
			if ((j-start)%n+n)%n < v {
				out[k] = append(out[k], option)
			}
			start += v
		}
	}
	return out
}
