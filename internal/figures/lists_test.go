package figures

import (
	"crypto/sha256"
	"errors"
	"math/bits"
	"os"
	"reflect"
	"testing"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount"
)

// TestListsOfRealFigures puts seats and quotas on top of the figures of a real primary, where they lie beside the checkout: who is young and who is a woman
// follows from a hash. The lists of both programs are the same, and where there are few candidates no other list is better.
func TestListsOfRealFigures(t *testing.T) {
	b, err := os.ReadFile(realFigures)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip(realFigures, "is not here")
	} else if err != nil {
		t.Fatal(err)
	}
	r := replay(t, string(b))
	seed := sha256.Sum256([]byte("seed"))
	lists, ties, substitutions, brute := 0, 0, 0, 0
	for i := range r.Contests {
		c := r.Contests[i]
		for _, option := range c.Options {
			h := sha256.Sum256([]byte(c.Title + "/" + option))
			c.Candidates = append(c.Candidates, pb.Candidate{Young: h[0] < 80, Woman: h[1] < 110})
		}
		for seats := uint32(1); seats <= uint32(len(c.Options))+1; seats++ {
			for _, percent := range [][2]uint32{{20, 0}, {20, 30}, {50, 50}, {100, 100}} {
				c.List = &pb.ListRule{Seats: seats, Outside: seats / 6, YoungPercent: percent[0], WomanPercent: percent[1]}
				list := election.FormList(&c, r.Votes[i], nil, election.Lot{Seed: seed[:], Contest: uint32(i)})
				if again := recount.List(uint32(i), &c, r.Votes[i], nil, seed[:]); !reflect.DeepEqual(list, again) {
					t.Fatalf("%s, rule %v: %v, by the recount %v", c.Title, c.List, list, again)
				}
				if len(c.Options) <= 10 {
					checkBest(t, &c, r.Votes[i], list)
					brute++
				}
				lists, ties, substitutions = lists+1, ties+len(list.Ties), substitutions+len(list.Substitutions)
			}
		}
	}
	t.Logf("%d lists of %d contests, %d of them held against all sets; %d ties, %d substitutions", lists, len(r.Contests), brute, ties, substitutions)
	if ties == 0 || substitutions == 0 {
		t.Error("no ties or no substitutions")
	}
}

// checkBest looks at all sets of as many candidates as are on a list: none misses the quotas by fewer, and none that misses them by as few has more votes on the
// first place on which it has others. Ties are left to the lists.
func checkBest(t *testing.T, c *pb.Contest, votes []uint64, list *pb.List) {
	t.Helper()
	missing := func(set uint) uint32 {
		young, women := list.YoungRequired, list.WomanRequired
		for i, candidate := range c.Candidates {
			if set>>i&1 == 1 && candidate.Young && young > 0 {
				young--
			}
			if set>>i&1 == 1 && candidate.Woman && women > 0 {
				women--
			}
		}
		return young + women
	}
	own := uint(0)
	for _, p := range list.Places {
		own |= 1 << p.Option
	}
	if missing(own) != list.YoungMissing+list.WomanMissing {
		t.Fatalf("%s, rule %v: the list misses the quotas by %d", c.Title, c.List, missing(own))
	}
	for set := range uint(1) << len(c.Options) {
		if bits.OnesCount(set) != len(list.Places) {
			continue
		}
		if least := missing(set); least < missing(own) || least == missing(own) && highest(set&^own, votes) > highest(own&^set, votes) {
			t.Fatalf("%s, rule %v: the set %b is better than %b", c.Title, c.List, set, own)
		}
	}
}

// highest returns the most votes that somebody in a set has, one more than they are, and 0 for nobody.
func highest(set uint, votes []uint64) (most uint64) {
	for i, n := range votes {
		if set>>i&1 == 1 {
			most = max(most, n+1)
		}
	}
	return most
}
