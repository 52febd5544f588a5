package rules

import (
	"errors"
	"fmt"
	"slices"

	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// LastMoment is the latest moment of an opening or closing, unix seconds: the end of the year 2199.
const LastMoment = 7_258_118_399

// ParseManifest reads a manifest that keeps the rules of spec 8.1.
func ParseManifest(b []byte) (*pb.Manifest, error) {
	if len(b) > 8<<20 {
		return nil, errors.New("length")
	}
	m := new(pb.Manifest)
	if err := Decode(b, m); err != nil {
		return nil, err
	}
	const year = 31_622_400
	switch {
	case !isID(m.Election, 40) || !IsText(m.Title, 200):
		return nil, errors.New("election or title")
	case (m.Opening != 0 || m.Closing != 0) && (m.Opening <= 0 || m.Closing <= m.Opening || m.Closing > LastMoment):
		return nil, errors.New("times")
	case m.RevoteInterval < 1 || m.RevoteInterval > year || m.ObjectionWindow > year || m.CeremonyStep < 1 || m.CeremonyStep > year:
		return nil, errors.New("durations")
	case m.RollOf != "" && (!isID(m.RollOf, 40) || m.RollOf == m.Election):
		return nil, errors.New("roll_of")
	case (m.OpenChoices || m.RollOf != "") && len(m.PollingPlaces) > 0:
		return nil, errors.New("polling places")
	case m.OpenMin < 1:
		return nil, errors.New("open_min")
	case len(m.Nominations) != 0 && len(m.Nominations) != 32 || m.RemovedVotes != 0:
		return nil, errors.New("nominations or removed_votes")
	case len(m.Contests) < 1 || len(m.Contests) > 20_000 || len(m.Styles) < 1 || len(m.Styles) > 20_000:
		return nil, errors.New("numbers of contests and styles")
	}
	for i := range m.Contests {
		if !isContest(&m.Contests[i]) || m.OpenChoices && (m.Contests[i].List != nil || m.Contests[i].Merge != 0) {
			return nil, fmt.Errorf("contest %d", i)
		}
	}
	standing, districts := make([]bool, len(m.Contests)), map[string]bool{}
	for i := range m.Styles {
		s := &m.Styles[i]
		if !IsText(s.District, 200) || districts[s.District] || !isStyle(m, s, standing) {
			return nil, fmt.Errorf("style %d", i)
		}
		districts[s.District] = true
	}
	for i, stands := range standing {
		if !stands {
			return nil, fmt.Errorf("contest %d stands on no style", i)
		}
	}
	for i := range m.Contests {
		if !mayMerge(m, i) {
			return nil, fmt.Errorf("contest %d is merged wrongly", i)
		}
	}
	if merging(m) > 50_000 {
		return nil, errors.New("options of contests that are merged")
	}
	if err := places(m); err != nil {
		return nil, err
	}
	return m, totals(m)
}

// merging counts the options of all contests that are merged or merged into. Spec 8.10.
func merging(m *pb.Manifest) int {
	concerned, options := map[uint32]bool{}, 0
	for i := range m.Contests {
		if into := m.Contests[i].Merge; into > 0 {
			concerned[uint32(i)], concerned[into-1] = true, true
		}
	}
	for i := range concerned {
		options += len(m.Contests[i].Options)
	}
	return options
}

// mayMerge follows the contests into which one may be merged: each is earlier and asks the same, and there are at most eight. Spec 8.10.
func mayMerge(m *pb.Manifest, at int) bool {
	for step := 0; m.Contests[at].Merge > 0; step++ {
		next := uint64(m.Contests[at].Merge) - 1
		if step == 8 || next >= uint64(at) || !asksTheSame(&m.Contests[at], &m.Contests[next]) {
			return false
		}
		at = int(next)
	}
	return true
}

func asksTheSame(a, b *pb.Contest) bool {
	sameCandidate := func(x, y pb.Candidate) bool {
		return string(x.Application) == string(y.Application) && x.Young == y.Young && x.Woman == y.Woman
	}
	sameList := a.List == nil && b.List == nil || a.List != nil && b.List != nil && *a.List == *b.List
	return a.FirstSlot == b.FirstSlot && a.MinSelections == b.MinSelections && a.MaxSelections == b.MaxSelections &&
		slices.Equal(a.Options, b.Options) && slices.EqualFunc(a.Candidates, b.Candidates, sameCandidate) && sameList
}

// places checks the polling places. Spec 18.1.
func places(m *pb.Manifest) error {
	if len(m.PollingPlaces) > 10_000 {
		return errors.New("number of polling places")
	}
	last := ""
	for _, p := range m.PollingPlaces {
		ordered := len(p.Styles) > 0
		for i, style := range p.Styles {
			ordered = ordered && uint64(style) < uint64(len(m.Styles)) && (i == 0 || style > p.Styles[i-1])
		}
		if !isID(p.Id, 40) || p.Id <= last || !IsText(p.Title, 200) || !ordered {
			return fmt.Errorf("polling place %q", p.Id)
		}
		last = p.Id
	}
	return nil
}

// totals says whether what is counted in each polling place fits a transaction, whatever transaction_bytes are. Spec 18.1.
func totals(m *pb.Manifest) error {
	last, all := make([]int, len(m.Contests)), 0 // the last place, from 1, that serves a contest
	for i, p := range m.PollingPlaces {
		contests, options := 0, 0
		for _, style := range p.Styles {
			if all += len(m.Styles[style].Contests); all > 5_000_000 {
				return errors.New("contests of polling places")
			}
			for _, c := range m.Styles[style].Contests {
				if last[c] != i+1 {
					last[c], contests, options = i+1, contests+1, options+len(m.Contests[c].Options)
				}
			}
		}
		if 2_048+20*contests+4*options > 163_840 {
			return fmt.Errorf("polling place %q: %d contests with %d options", p.Id, contests, options)
		}
	}
	return nil
}

func isContest(c *pb.Contest) bool {
	n, seen := len(c.Options), map[string]bool{}
	for _, o := range c.Options {
		if !IsText(o, 200) || seen[o] {
			return false
		}
		seen[o] = true
	}
	return IsText(c.Title, 200) && n >= 1 && n <= 200 && uint64(c.FirstSlot)+uint64(n) <= 1_000 &&
		c.MaxSelections >= 1 && uint64(c.MaxSelections) <= uint64(n) && c.MinSelections <= c.MaxSelections && isPrimary(c)
}

// isPrimary checks the candidates and the rule of a list, which a contest need not have.
func isPrimary(c *pb.Contest) bool {
	seen := map[string]bool{}
	for i := range c.Candidates {
		switch a := string(c.Candidates[i].Application); {
		case a == "":
		case len(a) != 32 || seen[a]:
			return false
		default:
			seen[a] = true
		}
	}
	l := c.List
	if len(c.Candidates) == 0 {
		return l == nil
	}
	return len(c.Candidates) == len(c.Options) &&
		(l == nil || l.Seats >= 1 && l.Seats <= 1_000 && l.Outside <= l.Seats && l.YoungPercent <= 100 && l.WomanPercent <= 100)
}

// isStyle checks a style and marks its contests as standing.
func isStyle(m *pb.Manifest, s *pb.BallotStyle, standing []bool) bool {
	slots, positions := map[uint32]bool{}, uint32(0)
	for i, index := range s.Contests {
		if uint64(index) >= uint64(len(m.Contests)) || i > 0 && index <= s.Contests[i-1] {
			return false
		}
		c := &m.Contests[index]
		for j := range uint32(len(c.Options)) {
			if slots[c.FirstSlot+j] {
				return false
			}
			slots[c.FirstSlot+j] = true
		}
		positions += uint32(len(c.Options)) + c.MaxSelections - c.MinSelections
		standing[index] = true
	}
	return len(s.Contests) > 0 && positions <= 200
}

// Slots returns the number of slots: one more than the last one used. Spec 8.1.
func Slots(m *pb.Manifest) int {
	n := 0
	for i := range m.Contests {
		n = max(n, int(m.Contests[i].FirstSlot)+len(m.Contests[i].Options))
	}
	return n
}

// Styles returns the shapes of the ballots.
func Styles(m *pb.Manifest) []ballot.Style {
	styles := make([]ballot.Style, len(m.Styles))
	for i := range m.Styles {
		for _, index := range m.Styles[i].Contests {
			c := &m.Contests[index]
			styles[i].Contests = append(styles[i].Contests, ballot.Contest{
				FirstSlot: int(c.FirstSlot), Options: len(c.Options), Min: int(c.MinSelections), Max: int(c.MaxSelections),
			})
		}
	}
	return styles
}
