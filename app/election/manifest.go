package election

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"votenode/app/text"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// Bounds of a manifest. Spec 8.1.
const (
	MaxIDLength   = 40           // characters of an election id
	MaxTextLength = 200          // bytes of a title, an option or a district
	MaxContests   = 20_000       // contests of an election
	MaxStyles     = 20_000       // ballot styles of an election
	MaxSlots      = 1_000        // slots of an election
	MaxSeats      = 1_000        // places of a list
	MaxPlaces     = 10_000       // polling places of an election
	MaxServed     = 5_000_000    // contests of the styles of all polling places, as often as they are named
	MaxTotals     = 160 << 10    // bytes of a transaction with the totals of a polling place: the least value of transaction_bytes
	MaxMerges     = 8            // contests that follow one another by Contest.merge
	MaxJoined     = 50_000       // options of all contests that are merged or merged into: one block adds their sums up
	MaxSeconds    = 366 * 86_400 // any duration of a manifest
	MaxManifest   = 8 << 20      // bytes of a manifest
)

// ManifestHash returns SHA-256 of the canonical encoding of a manifest.
func ManifestHash(m *pb.Manifest) [32]byte { return sha256.Sum256(Encode(m)) }

// ParseManifest decodes and checks a manifest. It fails with ErrNotCanonical or with a sentence that names the broken rule.
func ParseManifest(b []byte) (*pb.Manifest, error) {
	if len(b) > MaxManifest {
		return nil, fmt.Errorf("a manifest has at most %d bytes, this one has %d", MaxManifest, len(b))
	}
	m := new(pb.Manifest)
	if err := Decode(b, m); err != nil {
		return nil, err
	}
	if err := CheckManifest(m); err != nil {
		return nil, err
	}
	return m, nil
}

// CheckManifest holds a manifest against all rules of spec 8.1.
func CheckManifest(m *pb.Manifest) error {
	if err := CheckID(m.Election); err != nil {
		return err
	}
	if err := checkText("title", m.Title); err != nil {
		return err
	}
	if err := checkTimes(m); err != nil {
		return err
	}
	if n := len(m.Nominations); n != 0 && n != sha256.Size {
		return fmt.Errorf("nominations are named by their hash of %d bytes, or not at all", sha256.Size)
	}
	if m.RemovedVotes != pb.REMOVED_KEEP_VOTES {
		return fmt.Errorf("removed_votes has no meaning %d", m.RemovedVotes)
	}
	if m.RollOf != "" && (CheckID(m.RollOf) != nil || m.RollOf == m.Election) {
		return fmt.Errorf("roll_of is the id of another election, %q is not", m.RollOf)
	}
	if m.RollOf != "" && len(m.PollingPlaces) > 0 {
		return fmt.Errorf("polling places go with no roll_of: nobody can be struck for paper from the roll of another election")
	}
	if m.OpenChoices && (len(m.PollingPlaces) > 0 || slices.ContainsFunc(m.Contests, func(c pb.Contest) bool { return c.List != nil || c.Merge != 0 })) {
		return fmt.Errorf("open choices go with no polling places, lists or contests that are merged")
	}
	if len(m.Contests) == 0 || len(m.Contests) > MaxContests {
		return fmt.Errorf("a manifest has 1 to %d contests, this one has %d", MaxContests, len(m.Contests))
	}
	for i := range m.Contests {
		if err := checkContest(&m.Contests[i]); err != nil {
			return fmt.Errorf("contest %d: %w", i, err)
		}
	}
	if err := checkStyles(m); err != nil {
		return err
	}
	if err := checkMerges(m); err != nil {
		return err
	}
	if err := checkPlaces(m); err != nil {
		return err
	}
	return checkTotals(m)
}

// CheckID says whether s may be the id of an election or a chain: 1 to 40 characters of a-z, 0-9 and '-'.
func CheckID(s string) error { return text.CheckID(s, MaxIDLength) }

func checkText(what, s string) error {
	if err := text.Check(s, MaxTextLength); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func checkTimes(m *pb.Manifest) error {
	switch {
	case (m.Opening != 0 || m.Closing != 0) && CheckSchedule(m.Opening, m.Closing) != nil:
		return CheckSchedule(m.Opening, m.Closing)
	case m.RevoteInterval < 1 || m.RevoteInterval > MaxSeconds:
		return fmt.Errorf("revote_interval is 1 to %d seconds", MaxSeconds)
	case m.ObjectionWindow > MaxSeconds:
		return fmt.Errorf("objection_window is at most %d seconds", MaxSeconds)
	case m.CeremonyStep < 1 || m.CeremonyStep > MaxSeconds:
		return fmt.Errorf("ceremony_step is 1 to %d seconds", MaxSeconds)
	case m.OpenMin < 1:
		return fmt.Errorf("open_min is at least 1")
	}
	return nil
}

// MaxTime is the last moment that a schedule may name, unix seconds: the end of the year 2199.
const MaxTime = 7_258_118_399

// Moment writes a moment, unix seconds, for people.
func Moment(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// CheckSchedule says whether opening and closing, unix seconds, stand in order and in range.
func CheckSchedule(opening, closing int64) error {
	if opening <= 0 || closing <= opening || closing > MaxTime {
		return fmt.Errorf("the opening is before the closing, and that at most %s; they are %s and %s", Moment(MaxTime), Moment(opening), Moment(closing))
	}
	return nil
}

func checkContest(c *pb.Contest) error {
	if err := checkText("title", c.Title); err != nil {
		return err
	}
	n := len(c.Options)
	if n == 0 || n > ballot.MaxPositions {
		return fmt.Errorf("it has %d options; 1 to %d are allowed", n, ballot.MaxPositions)
	}
	if uint64(c.FirstSlot)+uint64(n) > MaxSlots {
		return fmt.Errorf("its last slot is beyond the %d slots of an election", MaxSlots)
	}
	if c.MaxSelections < 1 || int(c.MaxSelections) > n || c.MinSelections > c.MaxSelections {
		return fmt.Errorf("0 <= min_selections <= max_selections, 1 <= max_selections <= %d options does not hold", n)
	}
	seen := make(map[string]bool, n)
	for _, o := range c.Options {
		if err := checkText("option", o); err != nil {
			return err
		}
		if seen[o] {
			return fmt.Errorf("the option %q stands twice", o)
		}
		seen[o] = true
	}
	return checkCandidates(c)
}

// checkCandidates refuses candidates that are not one for each option, or of which one stands twice, and a rule that forms no list.
func checkCandidates(c *pb.Contest) error {
	if n := len(c.Candidates); n != 0 && n != len(c.Options) {
		return fmt.Errorf("it has %d candidates for %d options; there is one for each, or none", n, len(c.Options))
	}
	seen := make(map[string]bool, len(c.Candidates))
	for i := range c.Candidates {
		a := c.Candidates[i].Application
		if len(a) != 0 && len(a) != sha256.Size || len(a) != 0 && seen[string(a)] {
			return fmt.Errorf("candidate %d: an application is named by its hash of %d bytes, and stands once", i, sha256.Size)
		}
		seen[string(a)] = true
	}
	if c.List == nil {
		return nil
	}
	if len(c.Candidates) == 0 {
		return fmt.Errorf("a list is formed of candidates, and there are none")
	}
	if c.List.Seats < 1 || c.List.Seats > MaxSeats || c.List.Outside > c.List.Seats || c.List.YoungPercent > 100 || c.List.WomanPercent > 100 {
		return fmt.Errorf("a list has 1 to %d seats, at most as many outside, and shares of at most 100 percent", MaxSeats)
	}
	return nil
}

// CheckSelections says whether options of a contest, strictly ascending by index, are as many as it allows. Spec 9.50.
func CheckSelections(c *pb.Contest, options []uint32) error {
	if n := len(options); n < int(c.MinSelections) || n > int(c.MaxSelections) {
		return fmt.Errorf("%d options are chosen; %d to %d are allowed", n, c.MinSelections, c.MaxSelections)
	}
	if n := len(options); n > 0 && uint64(options[n-1]) >= uint64(len(c.Options)) {
		return fmt.Errorf("there are %d options, and option %d is chosen", len(c.Options), options[n-1])
	}
	return nil
}

// checkStyles refuses styles that are empty, unordered or too long, and contests of one style that share a slot. Contests that
// share a slot then have disjoint sets of styles.
func checkStyles(m *pb.Manifest) error {
	if len(m.Styles) == 0 || len(m.Styles) > MaxStyles {
		return fmt.Errorf("a manifest has 1 to %d ballot styles, this one has %d", MaxStyles, len(m.Styles))
	}
	used := make([]bool, len(m.Contests))
	districts := make(map[string]bool, len(m.Styles))
	for i := range m.Styles {
		s := &m.Styles[i]
		if err := checkText("district", s.District); err != nil {
			return fmt.Errorf("style %d: %w", i, err)
		}
		if districts[s.District] {
			return fmt.Errorf("style %d: the district %q stands twice", i, s.District)
		}
		districts[s.District] = true
		if err := checkStyle(m, s, used); err != nil {
			return fmt.Errorf("style %d: %w", i, err)
		}
	}
	for i, u := range used {
		if !u {
			return fmt.Errorf("contest %d stands on no ballot style", i)
		}
	}
	return nil
}

func checkStyle(m *pb.Manifest, s *pb.BallotStyle, used []bool) error {
	if len(s.Contests) == 0 {
		return fmt.Errorf("it has no contest")
	}
	var slots [MaxSlots]bool
	positions := 0
	for i, c := range s.Contests {
		if int64(c) >= int64(len(m.Contests)) || i > 0 && c <= s.Contests[i-1] {
			return fmt.Errorf("its contests are not strictly ascending indices of contests")
		}
		used[c] = true
		contest := &m.Contests[c]
		positions += len(contest.Options) + int(contest.MaxSelections-contest.MinSelections)
		for j := range contest.Options {
			slot := int(contest.FirstSlot) + j
			if slots[slot] {
				return fmt.Errorf("contest %d uses slot %d, which another contest of this style uses", c, slot)
			}
			slots[slot] = true
		}
	}
	if positions > ballot.MaxPositions {
		return fmt.Errorf("it has %d positions; at most %d are allowed", positions, ballot.MaxPositions)
	}
	return nil
}

// Joined returns the contests that Contest.merge joins with one, itself among them, ascending. Spec 8.10.
func Joined(m *pb.Manifest, contest uint32) (joined []uint32) {
	first := make([]uint32, len(m.Contests)) // the target of all targets of a contest; targets are earlier
	for c := range m.Contests {
		first[c] = uint32(c)
		if target := m.Contests[c].Merge; target != 0 {
			first[c] = first[target-1]
		}
	}
	for c := range first {
		if first[c] == first[contest] {
			joined = append(joined, uint32(c))
		}
	}
	return joined
}

// checkMerges refuses contests that would be merged into another that is not earlier, or asks something else. Spec 8.10.
func checkMerges(m *pb.Manifest) error {
	following := make([]int, len(m.Contests)) // how many follow one another from this contest on
	options, named := 0, make([]bool, len(m.Contests))
	for i := range m.Contests {
		c := &m.Contests[i]
		if c.Merge == 0 {
			continue
		}
		target := int64(c.Merge) - 1
		if target >= int64(i) {
			return fmt.Errorf("contest %d: it is merged into contest %d, which is no earlier one", i, target)
		}
		if !sameQuestion(c, &m.Contests[target]) {
			return fmt.Errorf("contest %d: only contests with the same slots, options, selections, candidates and list are merged, and contest %d differs", i, target)
		}
		if following[i] = following[target] + 1; following[i] > MaxMerges {
			return fmt.Errorf("contest %d: more than %d contests follow one another by merge", i, MaxMerges)
		}
		options += len(c.Options)
		if c = &m.Contests[target]; c.Merge == 0 && !named[target] {
			options += len(c.Options)
		}
		named[target] = true
	}
	if options > MaxJoined {
		return fmt.Errorf("contests that are merged or merged into have %d options together, at most %d are allowed", options, MaxJoined)
	}
	return nil
}

// sameQuestion says whether two contests differ in title and merge at most.
func sameQuestion(a, b *pb.Contest) bool {
	x, y := *a, *b
	x.Title, x.Merge, y.Title, y.Merge = "", 0, "", 0
	return bytes.Equal(Encode(&x), Encode(&y))
}

// checkPlaces refuses polling places that are malformed or out of order. Spec 18.1.
func checkPlaces(m *pb.Manifest) error {
	if len(m.PollingPlaces) > MaxPlaces {
		return fmt.Errorf("a manifest has at most %d polling places, this one has %d", MaxPlaces, len(m.PollingPlaces))
	}
	for i := range m.PollingPlaces {
		p := &m.PollingPlaces[i]
		if err := CheckID(p.Id); err != nil {
			return fmt.Errorf("polling place %d: %w", i, err)
		}
		if i > 0 && p.Id <= m.PollingPlaces[i-1].Id {
			return fmt.Errorf("polling place %q: polling places are strictly ascending by id", p.Id)
		}
		if err := checkText("title", p.Title); err != nil {
			return fmt.Errorf("polling place %q: %w", p.Id, err)
		}
		if len(p.Styles) == 0 {
			return fmt.Errorf("polling place %q: it serves no ballot style", p.Id)
		}
		for j, s := range p.Styles {
			if int64(s) >= int64(len(m.Styles)) || j > 0 && s <= p.Styles[j-1] {
				return fmt.Errorf("polling place %q: its styles are not strictly ascending indices of styles", p.Id)
			}
		}
	}
	return nil
}

// checkTotals refuses polling places whose totals no transaction would surely carry, and more contests of them than are quickly gone through.
// Spec 18.1.
func checkTotals(m *pb.Manifest) error {
	named := 0
	for i := range m.PollingPlaces {
		for _, s := range m.PollingPlaces[i].Styles {
			named += len(m.Styles[s].Contests)
		}
	}
	if named > MaxServed {
		return fmt.Errorf("the styles of all polling places name %d contests, at most %d are allowed", named, MaxServed)
	}
	servedBy := make([]int, len(m.Contests)) // by contest, the last place that serves it, from 1
	for i := range m.PollingPlaces {
		p := &m.PollingPlaces[i]
		size := 2_048 // of envelope, reason and all else but the contests, generously
		for _, s := range p.Styles {
			for _, c := range m.Styles[s].Contests {
				if servedBy[c] <= i {
					servedBy[c], size = i+1, size+20+4*len(m.Contests[c].Options)
				}
			}
		}
		if size > MaxTotals {
			return fmt.Errorf("polling place %q: its totals take %d bytes, at most %d are allowed", p.Id, size, MaxTotals)
		}
	}
	return nil
}

// Place returns the polling place with an id, nil where there is none.
func Place(m *pb.Manifest, id string) *pb.PollingPlace {
	i, ok := slices.BinarySearchFunc(m.PollingPlaces, id, func(p pb.PollingPlace, id string) int { return strings.Compare(p.Id, id) })
	if !ok {
		return nil
	}
	return &m.PollingPlaces[i]
}

// PlaceContests returns the contests of all styles that a polling place serves, strictly ascending.
func PlaceContests(m *pb.Manifest, p *pb.PollingPlace) []uint32 {
	served := make([]bool, len(m.Contests))
	for _, s := range p.Styles {
		for _, c := range m.Styles[s].Contests {
			served[c] = true
		}
	}
	var contests []uint32
	for c, is := range served {
		if is {
			contests = append(contests, uint32(c))
		}
	}
	return contests
}

// Slots returns the number of slots of an election: one more than the last slot that a contest uses.
func Slots(m *pb.Manifest) int {
	n := 0
	for i := range m.Contests {
		n = max(n, int(m.Contests[i].FirstSlot)+len(m.Contests[i].Options))
	}
	return n
}

// BallotStyles returns the shapes of the ballots of an election, by style index.
func BallotStyles(m *pb.Manifest) []ballot.Style {
	styles := make([]ballot.Style, len(m.Styles))
	for i := range m.Styles {
		for _, c := range m.Styles[i].Contests {
			contest := &m.Contests[c]
			styles[i].Contests = append(styles[i].Contests, ballot.Contest{
				FirstSlot: int(contest.FirstSlot), Options: len(contest.Options),
				Min: int(contest.MinSelections), Max: int(contest.MaxSelections),
			})
		}
	}
	return styles
}
