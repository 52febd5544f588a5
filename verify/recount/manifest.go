package recount

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// parseManifest reads a manifest that keeps the rules of spec 8.1.
func parseManifest(b []byte) (*pb.Manifest, error) {
	m := new(pb.Manifest)
	if err := decode(b, m); err != nil {
		return nil, err
	}
	const year = 31_622_400
	switch {
	case !isID(m.Election) || !isText(m.Title):
		return nil, errors.New("election or title")
	case (m.Opening != 0 || m.Closing != 0) && (m.Opening <= 0 || m.Closing <= m.Opening || m.Closing > lastMoment):
		return nil, errors.New("times")
	case m.RevoteInterval < 1 || m.RevoteInterval > year || m.ObjectionWindow > year || m.CeremonyStep < 1 || m.CeremonyStep > year:
		return nil, errors.New("durations")
	case m.OpenMin < 1:
		return nil, errors.New("open_min")
	case len(m.Contests) < 1 || len(m.Contests) > 20_000 || len(m.Styles) < 1 || len(m.Styles) > 20_000:
		return nil, errors.New("numbers of contests and styles")
	}
	for i := range m.Contests {
		if !isContest(&m.Contests[i]) {
			return nil, fmt.Errorf("contest %d", i)
		}
	}
	standing, districts := make([]bool, len(m.Contests)), map[string]bool{}
	for i := range m.Styles {
		s := &m.Styles[i]
		if !isText(s.District) || districts[s.District] || !isStyle(m, s, standing) {
			return nil, fmt.Errorf("style %d", i)
		}
		districts[s.District] = true
	}
	for i, stands := range standing {
		if !stands {
			return nil, fmt.Errorf("contest %d stands on no style", i)
		}
	}
	return m, nil
}

func isID(s string) bool {
	if len(s) < 1 || len(s) > 40 {
		return false
	}
	for _, c := range []byte(s) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func isText(s string) bool { return len(s) >= 1 && len(s) <= 200 && utf8.ValidString(s) }

func isContest(c *pb.Contest) bool {
	n, seen := len(c.Options), map[string]bool{}
	for _, o := range c.Options {
		if !isText(o) || seen[o] {
			return false
		}
		seen[o] = true
	}
	return isText(c.Title) && n >= 1 && n <= 200 && uint64(c.FirstSlot)+uint64(n) <= 1_000 &&
		c.MaxSelections >= 1 && uint64(c.MaxSelections) <= uint64(n) && c.MinSelections <= c.MaxSelections
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

// slotsOf returns the number of slots: one more than the last one used. Spec 8.1.
func slotsOf(m *pb.Manifest) int {
	n := 0
	for i := range m.Contests {
		n = max(n, int(m.Contests[i].FirstSlot)+len(m.Contests[i].Options))
	}
	return n
}

// stylesOf returns the shapes of the ballots.
func stylesOf(m *pb.Manifest) []ballot.Style {
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

// isMember checks name and key of a trustee. Spec 1.2 and 1.3.
func isMember(m *pb.Member) bool {
	if len(m.Name) < 1 || len(m.Name) > 80 || !utf8.ValidString(m.Name) {
		return false
	}
	for _, c := range m.Name {
		if c < 0x20 || c >= 0x7f && c <= 0x9f || c == 0x200e || c == 0x200f || c >= 0x2028 && c <= 0x202e ||
			c >= 0x2066 && c <= 0x2069 || c == 0xfeff {
			return false
		}
	}
	var encoded curve.CompressedEdwardsY
	if _, err := encoded.SetBytes(m.Key); err != nil || !encoded.IsCanonicalVartime() {
		return false
	}
	var point curve.EdwardsPoint
	_, err := point.SetCompressedY(&encoded)
	return err == nil && !point.IsSmallOrder()
}
