package vectors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"reflect"
	"slices"
)

// checkLists computes the lot from the secrets, and finds each list among all sets of candidates.
func (v *vectors) checkLists() error {
	lot := &v.lists.Lot
	items := [][]byte{[]byte(lot.Chain), []byte(lot.Election), number(uint64(lot.Round)), lot.HeaderHash}
	for _, p := range lot.Parts {
		if err := p.Commitment.isOf(framed("votenode/v1/lot-commitment", []byte(lot.Chain), []byte(lot.Election), []byte(p.Organisation), number(uint64(lot.Round)), p.Secret)); err != nil {
			return fmt.Errorf("commitment of %s: %w", p.Organisation, err)
		}
		items = append(items, p.Secret)
	}
	if err := lot.Seed.isOf(framed("votenode/v1/lot-seed", items...)); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if block := v.blocks.Blocks[lot.Height-1]; !bytes.Equal(block.Hash, lot.HeaderHash) {
		return fmt.Errorf("the lot block %d has the hash %x", lot.Height, block.Hash)
	}
	for i := range v.lists.Lists {
		if err := v.lists.Lists[i].check(lot.Seed.Hash); err != nil {
			return fmt.Errorf("list %q: %w", v.lists.Lists[i].Name, err)
		}
	}
	return nil
}

// isOf says whether it is the digest of these bytes.
func (d *digestVector) isOf(b []byte) error {
	if !bytes.Equal(d.Bytes, b) || !bytes.Equal(d.Hash, hash(b)) {
		return errors.New("bytes or hash are others")
	}
	return nil
}

// check finds the list by looking at every set of as many candidates, and compares its fields and its encoding.
func (v *listVector) check(seed []byte) error {
	var field []int
	for i, c := range v.Candidates {
		if !bytes.Equal(c.Lot, hash(framed("votenode/v1/lot-order", seed, number(uint64(v.Contest)), number(uint64(i))))) {
			return fmt.Errorf("lot of candidate %d", i)
		}
		if !c.Removed {
			field = append(field, i)
		}
	}
	slices.SortFunc(field, func(a, b int) int {
		if x, y := v.Candidates[a].Votes, v.Candidates[b].Votes; x != y {
			return int(y) - int(x)
		}
		return bytes.Compare(v.Candidates[a].Lot, v.Candidates[b].Lot)
	})
	n := min(int(v.Rule.Seats-v.Rule.Outside), len(field))
	needYoung, needWomen := (int(v.Rule.YoungPercent)*n+99)/100, (int(v.Rule.WomanPercent)*n+99)/100
	lacks := func(set int) (young, women int) {
		young, women = needYoung, needWomen
		for at, i := range field {
			if set>>at&1 == 1 && v.Candidates[i].Young {
				young--
			}
			if set>>at&1 == 1 && v.Candidates[i].Woman {
				women--
			}
		}
		return max(young, 0), max(women, 0)
	}
	best := -1
	for set := range 1 << len(field) {
		if bits.OnesCount(uint(set)) != n {
			continue
		}
		if best < 0 {
			best = set
			continue
		}
		y, w := lacks(set)
		leastY, leastW := lacks(best)
		if y+w < leastY+leastW || y+w == leastY+leastW && bits.Reverse64(uint64(set)) > bits.Reverse64(uint64(best)) {
			best = set
		}
	}
	var shown shownList
	if err := strict(v.Fields, &shown); err != nil {
		return err
	}
	found := v.found(field, best, n, lacks)
	found.YoungRequired, found.WomanRequired = uint64(needYoung), uint64(needWomen)
	if !reflect.DeepEqual(&shown, found) {
		return fmt.Errorf("the fields are\n%+v, found is\n%+v", shown, found)
	}
	if !bytes.Equal(v.Bytes, found.bytes()) {
		return errors.New("its encoding is another")
	}
	return nil
}

// shownList is List as its fields are shown.
type shownList struct {
	Status        string              `json:"status"`
	Seats         uint64              `json:"seats"`
	Outside       uint64              `json:"outside"`
	Places        []shownPlace        `json:"places"`
	Substitutions []shownSubstitution `json:"substitutions"`
	Empty         uint64              `json:"empty"`
	YoungRequired uint64              `json:"young_required"`
	WomanRequired uint64              `json:"woman_required"`
	YoungMissing  uint64              `json:"young_missing"`
	WomanMissing  uint64              `json:"woman_missing"`
	Ties          []shownTie          `json:"ties"`
}

type shownPlace struct {
	Option      uint64 `json:"option"`
	Votes       uint64 `json:"votes"`
	Substituted bool   `json:"substituted"`
}

type shownSubstitution struct {
	Out    uint64 `json:"out"`
	In     uint64 `json:"in"`
	Reason string `json:"reason"`
	Place  uint64 `json:"place"`
}

type shownTie struct {
	Votes   uint64   `json:"votes"`
	Options []uint64 `json:"options"`
}

// reasons are the names of the reasons, by number.
var reasons = []string{"SUBSTITUTION_NONE", "SUBSTITUTION_YOUNG", "SUBSTITUTION_WOMAN", "SUBSTITUTION_BOTH"}

// found returns the list of a set of candidates: without what the quotas require.
func (v *listVector) found(field []int, best, n int, lacks func(set int) (young, women int)) *shownList {
	noYoung, noWomen := lacks(best)
	l := &shownList{
		Status: "LIST_FORMED", Seats: uint64(v.Rule.Seats), Outside: uint64(v.Rule.Outside), Empty: uint64(int(v.Rule.Seats-v.Rule.Outside) - n),
		YoungMissing: uint64(noYoung), WomanMissing: uint64(noWomen), Places: []shownPlace{}, Substitutions: []shownSubstitution{}, Ties: []shownTie{},
	}
	lackYoung, lackWomen := lacks(1<<n - 1)
	out := n
	for at, i := range field {
		if best>>at&1 == 0 {
			continue
		}
		l.Places = append(l.Places, shownPlace{uint64(i), v.Candidates[i].Votes, at >= n})
		if at < n {
			continue
		}
		for out--; best>>out&1 == 1; out-- {
		}
		reason := 0
		if v.Candidates[i].Young && lackYoung > 0 {
			reason |= young
		}
		if v.Candidates[i].Woman && lackWomen > 0 {
			reason |= woman
		}
		l.Substitutions = append(l.Substitutions, shownSubstitution{uint64(field[out]), uint64(i), reasons[reason], uint64(out + 1)})
	}
	for from, to := 0, 0; from < len(field); from = to {
		for to = from; to < len(field) && v.Candidates[field[to]].Votes == v.Candidates[field[from]].Votes; to++ {
		}
		if to-from < 2 || from >= n && best>>from&(1<<(to-from)-1) == 0 {
			continue
		}
		tie := shownTie{Votes: v.Candidates[field[from]].Votes}
		for _, i := range field[from:to] {
			tie.Options = append(tie.Options, uint64(i))
		}
		l.Ties = append(l.Ties, tie)
	}
	return l
}

// bytes encodes the list by 2.2.
func (l *shownList) bytes() []byte {
	number := func(b []byte, field, n uint64) []byte {
		if n == 0 {
			return b
		}
		return binary.AppendUvarint(binary.AppendUvarint(b, field<<3), n)
	}
	part := func(b []byte, field uint64, content []byte) []byte {
		return append(binary.AppendUvarint(binary.AppendUvarint(b, field<<3|2), uint64(len(content))), content...)
	}
	b := number(number(number(nil, 1, 1), 2, l.Seats), 3, l.Outside)
	for _, p := range l.Places {
		content := number(number(nil, 1, p.Option), 2, p.Votes)
		if p.Substituted {
			content = number(content, 3, 1)
		}
		b = part(b, 4, content)
	}
	for _, s := range l.Substitutions {
		content := number(number(nil, 1, s.Out), 2, s.In)
		b = part(b, 5, number(number(content, 3, uint64(slices.Index(reasons, s.Reason))), 4, s.Place))
	}
	b = number(number(b, 6, l.Empty), 7, l.YoungRequired)
	b = number(number(number(b, 8, l.WomanRequired), 9, l.YoungMissing), 10, l.WomanMissing)
	for _, t := range l.Ties {
		var options []byte
		for _, o := range t.Options {
			options = binary.AppendUvarint(options, o)
		}
		b = part(b, 11, part(number(nil, 1, t.Votes), 2, options))
	}
	return b
}
