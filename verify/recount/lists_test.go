package recount_test

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount"
)

// TestLists: the two programs form the same lists, of any contest, with a lot and without.
func TestLists(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, rapid.SampledFrom([]int{4, 40}).Draw(t, "at most")).Draw(t, "candidates")
		c, votes, removed := new(pb.Contest), make([]uint64, n), map[uint32]bool{}
		most := rapid.SampledFrom([]uint64{0, 2, 20, 1 << 40}).Draw(t, "most")
		for i := range n {
			c.Candidates = append(c.Candidates, pb.Candidate{Young: rapid.Bool().Draw(t, "young"), Woman: rapid.Bool().Draw(t, "woman")})
			votes[i] = rapid.Uint64Range(0, most).Draw(t, "votes")
			removed[uint32(i)] = rapid.IntRange(0, 9).Draw(t, "removed") == 0
		}
		seats := rapid.Uint32Range(1, uint32(n+2)).Draw(t, "seats")
		c.List = &pb.ListRule{
			Seats: seats, Outside: rapid.Uint32Range(0, min(seats, 5)).Draw(t, "outside"),
			YoungPercent: rapid.Uint32Range(0, 100).Draw(t, "young percent"), WomanPercent: rapid.Uint32Range(0, 100).Draw(t, "woman percent"),
		}
		var seed []byte
		if rapid.Bool().Draw(t, "drawn") {
			seed = bytes.Repeat([]byte{rapid.Byte().Draw(t, "seed")}, 32)
		}
		want := election.FormList(c, votes, removed, election.Lot{Seed: seed, Contest: 5})
		if got := recount.List(5, c, votes, removed, seed); !reflect.DeepEqual(got, want) {
			t.Fatalf("candidates %v, votes %v, removed %v, rule %v: %v, by the recount %v", c.Candidates, votes, removed, c.List, want, got)
		}
	})
}

// BenchmarkList forms the list that costs the recount most: 200 candidates, fifty of each kind.
func BenchmarkList(b *testing.B) {
	c, votes := &pb.Contest{List: &pb.ListRule{Seats: 100, YoungPercent: 60, WomanPercent: 60}}, make([]uint64, 200)
	for i := range votes {
		c.Candidates = append(c.Candidates, pb.Candidate{Young: i%2 == 0, Woman: i%4 < 2})
		votes[i] = uint64(i * 7919 % 1000)
	}
	seed := make([]byte, 32)
	b.Run("app", func(b *testing.B) {
		for range b.N {
			election.FormList(c, votes, nil, election.Lot{Seed: seed})
		}
	})
	b.Run("recount", func(b *testing.B) {
		for range b.N {
			recount.List(0, c, votes, nil, seed)
		}
	})
}
