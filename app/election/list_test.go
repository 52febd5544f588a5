package election_test

import (
	"bytes"
	"math/bits"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

// best is the rule as 17.2 defines it, by looking at every set of candidates: order are the options in the order of votes, and the sets of
// `size` of them are compared. It shares no function with the rule.
func best(c *pb.Contest, order []uint32, size, young, women int) (set []uint32, short [2]int) {
	found := -1
	var least [2]int
	for candidate := range 1 << len(order) {
		if bits.OnesCount(uint(candidate)) != size {
			continue
		}
		miss := [2]int{young, women}
		for i, option := range order {
			if candidate>>i&1 == 1 {
				if c.Candidates[option].Young && miss[0] > 0 {
					miss[0]--
				}
				if c.Candidates[option].Woman && miss[1] > 0 {
					miss[1]--
				}
			}
		}
		// Of two sets the one is in front that has the first candidate whom only one has: the lower bit.
		better := found < 0 || miss[0]+miss[1] < least[0]+least[1]
		if !better && miss[0]+miss[1] == least[0]+least[1] {
			differ := candidate ^ found
			better = differ != 0 && candidate&differ&-differ != 0
		}
		if better {
			found, least = candidate, miss
		}
	}
	for i, option := range order {
		if found>>i&1 == 1 {
			set = append(set, option)
		}
	}
	return set, least
}

// percentOf is a share of which so many of so many places, rounded up, are exactly n.
func percentOf(n, places int) uint32 {
	if places == 0 {
		return 0
	}
	return uint32(100 * n / places)
}

func optionsOf(list *pb.List) (options []uint32) {
	for _, p := range list.Places {
		options = append(options, p.Option)
	}
	return options
}

// TestListAgreesWithBruteForce forms the lists of all kinds of six candidates, of all lengths, with all quotas.
func TestListAgreesWithBruteForce(t *testing.T) {
	const n = 6
	votes, order := []uint64{9, 8, 7, 6, 5, 4}, []uint32{0, 1, 2, 3, 4, 5}
	for kinds := range 1 << (2 * n) {
		c := &pb.Contest{Candidates: make([]pb.Candidate, n)}
		for i := range c.Candidates {
			c.Candidates[i] = pb.Candidate{Young: kinds>>(2*i)&1 == 1, Woman: kinds>>(2*i)&2 == 2}
		}
		for size := 1; size <= n; size++ {
			for young := 0; young <= size; young++ {
				for women := 0; women <= size; women++ {
					c.List = &pb.ListRule{Seats: uint32(size), YoungPercent: percentOf(young, size), WomanPercent: percentOf(women, size)}
					list := election.FormList(c, votes, nil, election.Lot{})
					if int(list.YoungRequired) != young || int(list.WomanRequired) != women {
						t.Fatalf("%d and %d are required, want %d and %d", list.YoungRequired, list.WomanRequired, young, women)
					}
					checkList(t, c, order, list, size)
				}
			}
		}
	}
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkList holds a list against all sets of candidates, and its substitutions against the list.
func checkList(t fataler, c *pb.Contest, order []uint32, list *pb.List, size int) {
	t.Helper()
	want, short := best(c, order, size, int(list.YoungRequired), int(list.WomanRequired))
	if got := optionsOf(list); !slices.Equal(got, want) {
		t.Fatalf("candidates %v, rule %v: list %v, want %v", c.Candidates, c.List, got, want)
	}
	if int(list.YoungMissing) != short[0] || int(list.WomanMissing) != short[1] {
		t.Fatalf("candidates %v, rule %v: %d young and %d women are missing, want %v", c.Candidates, c.List, list.YoungMissing, list.WomanMissing, short)
	}
	first := map[uint32]bool{}
	young, women := 0, 0
	for _, option := range order[:size] {
		first[option] = true
		if c.Candidates[option].Young {
			young++
		}
		if c.Candidates[option].Woman {
			women++
		}
	}
	for _, p := range list.Places {
		if p.Substituted == first[p.Option] {
			t.Fatalf("candidate %d is among the first: %v, and a substitute: %v", p.Option, first[p.Option], p.Substituted)
		}
	}
	last := uint32(size + 1)
	for _, s := range list.Substitutions {
		if s.Place >= last || order[s.Place-1] != s.Out {
			t.Fatalf("substitution %v: below place %d", s, last)
		}
		last = s.Place
		var reason pb.SubstitutionReason
		if c.Candidates[s.In].Young && young < int(list.YoungRequired) {
			reason |= pb.SUBSTITUTION_YOUNG
		}
		if c.Candidates[s.In].Woman && women < int(list.WomanRequired) {
			reason |= pb.SUBSTITUTION_WOMAN
		}
		if reason == pb.SUBSTITUTION_NONE || s.Reason != reason {
			t.Fatalf("candidates %v, rule %v: substitution %v, want reason %v", c.Candidates, c.List, s, reason)
		}
		delete(first, s.Out)
		first[s.In] = true
	}
	for _, option := range want {
		if !first[option] {
			t.Fatalf("the substitutions %v do not lead to %v", list.Substitutions, want)
		}
	}
}

// drawContest draws a contest with votes of which many are the same, and who was removed from it.
func drawContest(t *rapid.T) (*pb.Contest, []uint64, map[uint32]bool) {
	n := rapid.IntRange(1, 11).Draw(t, "candidates")
	c, votes, removed := new(pb.Contest), make([]uint64, n), map[uint32]bool{}
	most := rapid.SampledFrom([]uint64{0, 1, 3, 1000}).Draw(t, "most")
	for i := range n {
		c.Candidates = append(c.Candidates, pb.Candidate{Young: rapid.Bool().Draw(t, "young"), Woman: rapid.Bool().Draw(t, "woman")})
		votes[i] = rapid.Uint64Range(0, most).Draw(t, "votes")
		if rapid.IntRange(0, 5).Draw(t, "removed") == 0 {
			removed[uint32(i)] = true
		}
	}
	seats := rapid.Uint32Range(1, 12).Draw(t, "seats")
	c.List = &pb.ListRule{
		Seats: seats, Outside: rapid.Uint32Range(0, min(seats, 3)).Draw(t, "outside"),
		YoungPercent: rapid.Uint32Range(0, 100).Draw(t, "young percent"), WomanPercent: rapid.Uint32Range(0, 100).Draw(t, "woman percent"),
	}
	return c, votes, removed
}

func seed(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

// TestListsOfAnyContest holds lists with ties, removed candidates and too few candidates against all sets, in the order that the ties of the list say.
func TestListsOfAnyContest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, votes, removed := drawContest(t)
		list := election.FormList(c, votes, removed, election.Lot{Seed: seed(rapid.Byte().Draw(t, "seed")), Contest: 3})
		var order []uint32
		for option := range votes {
			if !removed[uint32(option)] {
				order = append(order, uint32(option))
			}
		}
		slices.SortStableFunc(order, func(a, b uint32) int { return int(votes[b]) - int(votes[a]) })
		for _, tie := range list.Ties {
			at := slices.IndexFunc(order, func(o uint32) bool { return votes[o] == tie.Votes })
			if !sameMembers(order[at:at+len(tie.Options)], tie.Options) {
				t.Fatalf("tie %v in the order %v", tie, order)
			}
			copy(order[at:], tie.Options)
		}
		places := int(c.List.Seats - c.List.Outside)
		size := min(places, len(order))
		if list.Empty != uint32(places-size) || list.YoungRequired != uint32((int(c.List.YoungPercent)*size+99)/100) {
			t.Fatalf("%d of %d places are empty, %d young required", list.Empty, places, list.YoungRequired)
		}
		checkList(t, c, order, list, size)
	})
}

func sameMembers(a, b []uint32) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// TestLotMattersWhereAListSaysSo: without a lot there is a list exactly where none of its ties matters, and then every lot gives this list.
func TestLotMattersWhereAListSaysSo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, votes, removed := drawContest(t)
		without := election.FormList(c, votes, removed, election.Lot{})
		with := election.FormList(c, votes, removed, election.Lot{Seed: seed(rapid.Byte().Draw(t, "seed"))})
		if (without == nil) != (len(with.Ties) > 0) {
			t.Fatalf("without a lot the list is %v, with one %v", without, with)
		}
		if without != nil && !reflect.DeepEqual(without, with) {
			t.Fatalf("no tie matters, and the lists are %v and %v", without, with)
		}
	})
}

// TestTieAmongThoseWhoMakeRoom: nobody of the tie is on the list, and the lot says who would be.
func TestTieAmongThoseWhoMakeRoom(t *testing.T) {
	c := &pb.Contest{Candidates: []pb.Candidate{{}, {}, {Young: true}}, List: &pb.ListRule{Seats: 1, YoungPercent: 20}}
	votes, outs := []uint64{5, 5, 1}, map[uint32]bool{}
	if list := election.FormList(c, votes, nil, election.Lot{}); list != nil {
		t.Fatalf("without a lot the list is %v", list)
	}
	for n := range byte(20) {
		list := election.FormList(c, votes, nil, election.Lot{Seed: seed(n)})
		if len(list.Ties) != 1 || list.Ties[0].Options[0] != list.Substitutions[0].Out || list.Places[0].Option != 2 {
			t.Fatalf("list %v", list)
		}
		outs[list.Substitutions[0].Out] = true
	}
	if len(outs) != 2 {
		t.Errorf("the lot always leaves out %v", outs)
	}
}

// TestLotDecides: another seed, another contest, gives another order, and each candidate the first place in about as many cases.
func TestLotDecides(t *testing.T) {
	c := &pb.Contest{Candidates: make([]pb.Candidate, 4), List: &pb.ListRule{Seats: 1}}
	first := map[uint32]int{}
	for n := range 200 {
		list := election.FormList(c, make([]uint64, 4), nil, election.Lot{Seed: seed(byte(n)), Contest: uint32(n % 2)})
		if len(list.Ties) != 1 || list.Ties[0].Options[0] != list.Places[0].Option {
			t.Fatalf("list %v", list)
		}
		first[list.Places[0].Option]++
	}
	for option := range uint32(4) {
		if first[option] < 25 {
			t.Errorf("candidate %d was first %d of 200 times", option, first[option])
		}
	}
}

// TestListOfTwoQuotas is the case in which going up from the lowest place, one quota after the other, gives another list: who counts for both keeps a
// better placed candidate on it.
func TestListOfTwoQuotas(t *testing.T) {
	young, woman := pb.Candidate{Young: true}, pb.Candidate{Woman: true}
	c := &pb.Contest{
		Candidates: []pb.Candidate{{}, {}, {}, young, woman, {Young: true, Woman: true}},
		List:       &pb.ListRule{Seats: 4, Outside: 1, YoungPercent: 20, WomanPercent: 30},
	}
	got := election.FormList(c, []uint64{60, 50, 40, 30, 20, 10}, nil, election.Lot{})
	want := &pb.List{
		Status: pb.LIST_FORMED, Seats: 4, Outside: 1,
		Places:        []pb.ListPlace{{Option: 0, Votes: 60}, {Option: 1, Votes: 50}, {Option: 5, Votes: 10, Substituted: true}},
		Substitutions: []pb.Substitution{{Out: 2, In: 5, Reason: pb.SUBSTITUTION_BOTH, Place: 3}},
		YoungRequired: 1, WomanRequired: 1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v\nwant %v", got, want)
	}
}
