package rules

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	pb "votenode/proto/votenode/v1"
)

// ParseNominations reads nominations that keep the rules of spec 16.1.
func ParseNominations(b []byte) (*pb.Nominations, error) {
	if len(b) > 524_288 {
		return nil, errors.New("length")
	}
	n := new(pb.Nominations)
	if err := Decode(b, n); err != nil {
		return nil, err
	}
	m := &n.Manifest
	switch {
	case n.ApplicationsUntil < 1 || n.ApplicationsUntil >= n.DecisionsUntil || n.DecisionsUntil > n.WithdrawalsUntil || n.WithdrawalsUntil > LastMoment:
		return nil, errors.New("deadlines")
	case m.Opening != 0 || m.Closing != 0:
		return nil, errors.New("opening or closing")
	case len(n.Lists) != len(m.Contests) || len(m.Styles) > 20_000 || len(m.Nominations) != 0 || m.RollOf != "":
		return nil, errors.New("lists, styles, nominations or roll of the manifest")
	case (n.YoungAge != 0 || n.YoungOn != "") && (n.YoungAge < 1 || n.YoungAge > 150 || !isDate(n.YoungOn)):
		return nil, errors.New("who is young")
	}
	ids, all := map[string]bool{}, uint64(0)
	for i, l := range n.Lists {
		c := &m.Contests[i]
		all += uint64(l.Most)
		if !isID(l.Id, 40) || ids[l.Id] || l.Most < 1 || l.Most > 200 || c.FirstSlot != 0 || len(c.Options)+len(c.Candidates) > 0 ||
			c.MaxSelections < 1 || c.MaxSelections > l.Most || c.MinSelections > c.MaxSelections || c.List != nil && c.List.YoungPercent != 0 && n.YoungAge == 0 {
			return nil, fmt.Errorf("list %d", i)
		}
		ids[l.Id] = true
	}
	if all > 20_000 {
		return nil, errors.New("number of candidates")
	}
	if err := places(m); err != nil {
		return nil, err
	}
	return n, fits(n)
}

// fits says whether the manifest keeps the rules of 8.1 where every list is full.
func fits(n *pb.Nominations) error {
	for _, s := range n.Manifest.Styles {
		for _, list := range s.Contests {
			if uint64(list) >= uint64(len(n.Lists)) {
				return errors.New("a style with an unknown list")
			}
		}
	}
	var all []Candidate
	slots := firstSlots(n)
	for i, l := range n.Lists {
		for j := range l.Most {
			hash := [32]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(j), 1}
			all = append(all, Candidate{List: l.Id, Name: fmt.Sprint(j), Application: hash})
		}
		if slots[i]+l.Most > 1_000 {
			return fmt.Errorf("list %d finds no slots", i)
		}
	}
	full, _ := FormManifest(n, [32]byte{}, all)
	if full == nil {
		return errors.New("no lists")
	}
	_, err := ParseManifest(Encode(full))
	return err
}

// isDate says whether s is a day, YYYY-MM-DD.
func isDate(s string) bool {
	_, err := time.Parse("2006-01-02", s)
	return err == nil && len(s) == 10
}

// Candidate is somebody who stands.
type Candidate struct {
	// List is the id of the list.
	List, Name   string
	Application  [32]byte
	Young, Woman bool
}

// FormManifest returns the manifest that nominations come to, nil where nobody stands, and the lists without candidates. Spec 16.5.
func FormManifest(n *pb.Nominations, hash [32]byte, standing []Candidate) (*pb.Manifest, []string) {
	byList := map[string][]Candidate{}
	for _, c := range standing {
		byList[c.List] = append(byList[c.List], c)
	}
	m := new(pb.Manifest)
	if err := Decode(Encode(&n.Manifest), m); err != nil {
		panic("recount: what was encoded decodes: " + err.Error())
	}
	slots, place := firstSlots(n), make([]int, len(n.Lists))
	var left []string
	contests := m.Contests
	m.Contests, m.Nominations = nil, hash[:]
	for i, l := range n.Lists {
		own := byList[l.Id]
		if place[i] = -1; len(own) == 0 {
			left = append(left, l.Id)
			continue
		}
		slices.SortFunc(own, func(a, b Candidate) int { return strings.Compare(a.Name, b.Name) })
		c := contests[i]
		c.FirstSlot = slots[i]
		for _, who := range own {
			c.Options = append(c.Options, who.Name)
			c.Candidates = append(c.Candidates, pb.Candidate{Application: slices.Clone(who.Application[:]), Young: who.Young, Woman: who.Woman})
		}
		if number := uint32(len(own)); number < c.MaxSelections {
			c.MaxSelections = number
			c.MinSelections = min(c.MinSelections, number)
		}
		place[i] = len(m.Contests)
		m.Contests = append(m.Contests, c)
	}
	gone := func(s pb.BallotStyle) bool {
		return !slices.ContainsFunc(s.Contests, func(list uint32) bool { return place[list] >= 0 })
	}
	number, remain := make([]int, len(m.Styles)), 0 // of the styles that remain, -1 for the others
	for i, s := range m.Styles {
		if number[i] = -1; !gone(s) {
			number[i] = remain
			remain++
		}
	}
	for i := range m.PollingPlaces {
		p := &m.PollingPlaces[i]
		p.Styles = slices.DeleteFunc(p.Styles, func(style uint32) bool { return number[style] < 0 })
		for j, style := range p.Styles {
			p.Styles[j] = uint32(number[style])
		}
	}
	m.PollingPlaces = slices.DeleteFunc(m.PollingPlaces, func(p pb.PollingPlace) bool { return len(p.Styles) == 0 })
	m.Styles = slices.DeleteFunc(m.Styles, gone)
	for i := range m.Styles {
		s := &m.Styles[i]
		s.Contests = slices.DeleteFunc(s.Contests, func(list uint32) bool { return place[list] < 0 })
		for j, list := range s.Contests {
			s.Contests[j] = uint32(place[list])
		}
	}
	if len(m.Contests) == 0 {
		return nil, left
	}
	return m, left
}

// firstSlots gives each list the lowest slots, as many as can stand on it, that no list before it has on a style of both. They may lie
// beyond the slots of an election. Spec 16.5.
func firstSlots(n *pb.Nominations) []uint32 {
	on := make([][]*big.Int, len(n.Lists)) // the slots that are used on the styles of each list
	for _, s := range n.Manifest.Styles {
		used := new(big.Int)
		for _, list := range s.Contests {
			on[list] = append(on[list], used)
		}
	}
	first := make([]uint32, len(n.Lists))
	for i, l := range n.Lists {
		used := new(big.Int)
		for _, u := range on[i] {
			used.Or(used, u)
		}
		for at := uint32(0); at < first[i]+l.Most; at++ {
			if used.Bit(int(at)) == 1 {
				first[i] = at + 1
			}
		}
		own := new(big.Int).Lsh(big.NewInt(1), uint(l.Most))
		own.Lsh(own.Sub(own, big.NewInt(1)), uint(first[i]))
		for _, u := range on[i] {
			u.Or(u, own)
		}
	}
	return first
}
