package election

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"math/bits"
	"slices"

	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// Bounds of nominations. Spec 16.1.
const (
	MaxNominations = 512 << 10 // bytes of the document
	MaxCandidates  = 20_000    // who can stand on all lists together
	MaxYoungAge    = 150       // years
)

// ParseNominations decodes and checks the document of nominations. It fails with ErrNotCanonical or with a sentence that names the broken
// rule.
func ParseNominations(b []byte) (*pb.Nominations, error) {
	if len(b) > MaxNominations {
		return nil, fmt.Errorf("nominations have at most %d bytes, these have %d", MaxNominations, len(b))
	}
	n := new(pb.Nominations)
	if err := Decode(b, n); err != nil {
		return nil, err
	}
	if err := CheckNominations(n); err != nil {
		return nil, err
	}
	return n, nil
}

// CheckNominations holds nominations against all rules of spec 16.1. Whoever may stand in the end, a manifest can be formed of them.
func CheckNominations(n *pb.Nominations) error {
	if err := checkNominationTimes(n); err != nil {
		return err
	}
	if len(n.Lists) != len(n.Manifest.Contests) {
		return fmt.Errorf("there are %d lists for %d contests; there is one for each", len(n.Lists), len(n.Manifest.Contests))
	}
	if len(n.Manifest.Styles) > MaxStyles {
		return fmt.Errorf("there are %d ballot styles, at most %d are allowed", len(n.Manifest.Styles), MaxStyles)
	}
	if err := checkPlaces(&n.Manifest); err != nil {
		return err
	}
	if len(n.Manifest.Nominations) != 0 || n.Manifest.RollOf != "" {
		return fmt.Errorf("the manifest names nominations, or roll_of; it is formed of these, and its election has a roll of its own")
	}
	ids, most := make(map[string]bool, len(n.Lists)), uint64(0)
	for i := range n.Lists {
		l, c := &n.Lists[i], &n.Manifest.Contests[i]
		if err := CheckID(l.Id); err != nil {
			return fmt.Errorf("list %d: %w", i, err)
		}
		if ids[l.Id] {
			return fmt.Errorf("the list %q stands twice", l.Id)
		}
		ids[l.Id] = true
		if l.Most < 1 || l.Most > ballot.MaxPositions {
			return fmt.Errorf("list %q: 1 to %d candidates can stand, not %d", l.Id, ballot.MaxPositions, l.Most)
		}
		if most += uint64(l.Most); most > MaxCandidates {
			return fmt.Errorf("on all lists together at most %d candidates can stand", MaxCandidates)
		}
		if c.FirstSlot != 0 || len(c.Options) != 0 || len(c.Candidates) != 0 {
			return fmt.Errorf("list %q: slots, options and candidates come when the manifest is formed", l.Id)
		}
		if c.MaxSelections < 1 || c.MaxSelections > l.Most || c.MinSelections > c.MaxSelections {
			return fmt.Errorf("list %q: 0 <= min_selections <= max_selections, 1 <= max_selections <= most does not hold", l.Id)
		}
		if c.List != nil && c.List.YoungPercent > 0 && n.YoungAge == 0 {
			return fmt.Errorf("list %q asks for the young, and nobody says who they are", l.Id)
		}
	}
	full, _ := FormManifest(n, [32]byte{}, crowd(n))
	if full == nil {
		return fmt.Errorf("there is no list, or one needs a slot beyond the %d of an election", MaxSlots)
	}
	if err := CheckManifest(full); err != nil {
		return fmt.Errorf("with all lists full: %w", err)
	}
	return nil
}

// crowd are candidates who fill every list.
func crowd(n *pb.Nominations) []Standing {
	var all []Standing
	for i := range n.Lists {
		for j := range n.Lists[i].Most {
			name := fmt.Sprintf("%d %d", i, j)
			all = append(all, Standing{List: i, Name: name, Application: sha256.Sum256([]byte(name))})
		}
	}
	return all
}

func checkNominationTimes(n *pb.Nominations) error {
	if n.ApplicationsUntil <= 0 || n.DecisionsUntil <= n.ApplicationsUntil || n.WithdrawalsUntil < n.DecisionsUntil || n.WithdrawalsUntil > MaxTime {
		return fmt.Errorf("0 < applications_until < decisions_until <= withdrawals_until <= %d does not hold", int64(MaxTime))
	}
	if n.Manifest.Opening != 0 || n.Manifest.Closing != 0 {
		return fmt.Errorf("opening and closing are set by a resolution, once the election is there")
	}
	if n.YoungAge == 0 && n.YoungOn == "" {
		return nil
	}
	if n.YoungAge < 1 || n.YoungAge > MaxYoungAge || !isDay(n.YoungOn) {
		return fmt.Errorf("young_age is 1 to %d years and young_on a day YYYY-MM-DD, or both are left out", MaxYoungAge)
	}
	return nil
}

// isDay says whether s is a day of the Gregorian calendar, written YYYY-MM-DD.
func isDay(s string) bool {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	number := func(s string) (n int) {
		for _, c := range []byte(s) {
			if c < '0' || c > '9' {
				return -1
			}
			n = 10*n + int(c-'0')
		}
		return n
	}
	year, month, day := number(s[:4]), number(s[5:7]), number(s[8:])
	if year < 0 || month < 1 || month > 12 || day < 1 {
		return false
	}
	days := [12]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		days[1] = 29
	}
	return day <= days[month-1]
}

// Standing is a candidate whom every organisation has registered and who has not withdrawn.
type Standing struct {
	List        int // index of the list
	Name        string
	Application [32]byte // its hash
	Young       bool
	Woman       bool
}

// FormManifest returns the manifest of an election whose candidates stand, in any order, and the ids of the lists that are left out
// because nobody stands on them. Names stand once on a list, and no list has more candidates than it can. hash is that of the document.
// The manifest is nil where nobody stands on any list, or where a list finds no slots, which CheckNominations rules out. Spec 16.5.
func FormManifest(n *pb.Nominations, hash [32]byte, candidates []Standing) (m *pb.Manifest, leftOut []string) {
	candidates = slices.Clone(candidates)
	slices.SortFunc(candidates, func(a, b Standing) int {
		return cmp.Or(cmp.Compare(a.List, b.List), cmp.Compare(a.Name, b.Name))
	})
	slots, ok := nominationSlots(n)
	if !ok {
		return nil, nil
	}
	formed := n.Manifest
	formed.Nominations, formed.Contests, formed.Styles, formed.PollingPlaces = hash[:], nil, nil, nil
	contests := make(map[uint32]uint32, len(n.Lists)) // by list
	for i := range n.Lists {
		own := 0
		for own < len(candidates) && candidates[own].List == i {
			own++
		}
		if own == 0 {
			leftOut = append(leftOut, n.Lists[i].Id)
			continue
		}
		contests[uint32(i)] = uint32(len(formed.Contests))
		formed.Contests = append(formed.Contests, formContest(n.Manifest.Contests[i], slots[i], candidates[:own]))
		candidates = candidates[own:]
	}
	if len(formed.Contests) == 0 {
		return nil, leftOut
	}
	styles := make(map[uint32]uint32, len(n.Manifest.Styles)) // by place in the document
	for i, s := range n.Manifest.Styles {
		style := pb.BallotStyle{District: s.District}
		for _, list := range s.Contests {
			if c, stands := contests[list]; stands {
				style.Contests = append(style.Contests, c)
			}
		}
		if len(style.Contests) > 0 {
			styles[uint32(i)] = uint32(len(formed.Styles))
			formed.Styles = append(formed.Styles, style)
		}
	}
	for _, p := range n.Manifest.PollingPlaces {
		place := pb.PollingPlace{Id: p.Id, Title: p.Title}
		for _, style := range p.Styles {
			if s, remains := styles[style]; remains {
				place.Styles = append(place.Styles, s)
			}
		}
		if len(place.Styles) > 0 {
			formed.PollingPlaces = append(formed.PollingPlaces, place)
		}
	}
	return &formed, leftOut
}

// formContest makes a list with candidates a contest: nobody can select more candidates than there are.
func formContest(c pb.Contest, firstSlot uint32, candidates []Standing) pb.Contest {
	count := uint32(len(candidates))
	c.FirstSlot, c.MinSelections, c.MaxSelections = firstSlot, min(c.MinSelections, count), min(c.MaxSelections, count)
	for i := range candidates {
		s := &candidates[i]
		c.Options = append(c.Options, s.Name)
		c.Candidates = append(c.Candidates, pb.Candidate{Application: s.Application[:], Young: s.Young, Woman: s.Woman})
	}
	return c
}

// nominationSlots gives each list, in order, the lowest run of as many slots as it can have candidates that no earlier list on one of its
// styles has. So a list's slots do not depend on who stands. It returns false where a list finds none, or a style names no list.
func nominationSlots(n *pb.Nominations) ([]uint32, bool) {
	styles := make([][]int, len(n.Lists)) // by list
	for i := range n.Manifest.Styles {
		for _, list := range n.Manifest.Styles[i].Contests {
			if int64(list) >= int64(len(n.Lists)) {
				return nil, false
			}
			styles[list] = append(styles[list], i)
		}
	}
	taken := make([]slotSet, len(n.Manifest.Styles))
	first := make([]uint32, len(n.Lists))
	for i := range n.Lists {
		var all slotSet
		for _, s := range styles[i] {
			all.add(&taken[s])
		}
		at, ok := all.free(int(n.Lists[i].Most))
		if !ok {
			return nil, false
		}
		first[i] = uint32(at)
		for _, s := range styles[i] {
			taken[s].take(at, int(n.Lists[i].Most))
		}
	}
	return first, true
}

// slotSet is a set of slots of an election.
type slotSet [(MaxSlots + 63) / 64]uint64

func (s *slotSet) add(other *slotSet) {
	for i := range s {
		s[i] |= other[i]
	}
}

func (s *slotSet) take(first, n int) {
	for slot := first; slot < first+n; slot++ {
		s[slot/64] |= 1 << (slot % 64)
	}
}

// free returns the first slot of the lowest run of n slots that are not in the set, and whether there is one.
func (s *slotSet) free(n int) (first int, ok bool) {
	for slot := 0; slot < MaxSlots; {
		if word := s[slot/64] >> (slot % 64); word&1 == 1 {
			slot += bits.TrailingZeros64(^word)
			first = slot
			continue
		}
		if slot++; slot-first == n {
			return first, true
		}
	}
	return 0, false
}
