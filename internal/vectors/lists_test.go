package vectors

import (
	"encoding/json"
	"slices"

	"votenode/app/election"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// listsFile is lists.json: chapter 17.
type listsFile struct {
	Comment string    `json:"comment"`
	Lot     lotVector `json:"lot"`
	// Lists are the lists of the election, in the order of its contests, and then worked examples under the same seed.
	Lists []listVector `json:"lists"`
}

// lotVector is the lot of the election.
type lotVector struct {
	Chain      string          `json:"chain"`
	Election   string          `json:"election"`
	Round      uint32          `json:"round"`
	Parts      []lotPartVector `json:"parts"`
	Height     int64           `json:"height"`
	HeaderHash hexBytes        `json:"header_hash"`
	Seed       digestVector    `json:"seed"`
}

type lotPartVector struct {
	Organisation string       `json:"organisation"`
	Secret       hexBytes     `json:"secret"`
	Commitment   digestVector `json:"commitment"`
}

// lotDigest returns a digest of 17.3.
func lotDigest(of, label string, items ...[]byte) digestVector {
	b := framed(label, items...)
	return digestVector{Of: of, Bytes: b, Hash: hash(b)}
}

// listVector is a rule with candidates and votes, and the list that follows.
type listVector struct {
	Name       string            `json:"name"`
	Contest    uint32            `json:"contest"`
	Rule       ruleVector        `json:"rule"`
	Candidates []candidateVector `json:"candidates"`
	Fields     json.RawMessage   `json:"fields"`
	// Bytes is the encoding of the list.
	Bytes hexBytes `json:"bytes"`
}

type ruleVector struct {
	Seats        uint32 `json:"seats"`
	Outside      uint32 `json:"outside"`
	YoungPercent uint32 `json:"young_percent"`
	WomanPercent uint32 `json:"woman_percent"`
}

// candidateVector is an option. Lot is the digest by which those with the same votes are ordered.
type candidateVector struct {
	Young   bool     `json:"young"`
	Woman   bool     `json:"woman"`
	Votes   uint64   `json:"votes"`
	Removed bool     `json:"removed"`
	Lot     hexBytes `json:"lot"`
}

const (
	neither = iota
	young
	woman
	both
)

// examples are the worked examples: votes by option, with what each option counts for.
var examples = []struct {
	name    string
	rule    ruleVector
	kinds   []int
	votes   []uint64
	removed []uint32
}{
	{"no quota: by votes", ruleVector{Seats: 3}, []int{neither, young, woman, both}, []uint64{5, 9, 7, 8}, nil},
	{"a fifth of six is two: the second young candidate for the last place", ruleVector{Seats: 6, YoungPercent: 20},
		[]int{neither, neither, young, neither, woman, neither, woman, young}, []uint64{80, 70, 60, 50, 40, 30, 20, 10}, nil},
	{"who counts for both spares two substitutions", ruleVector{Seats: 4, Outside: 1, YoungPercent: 20, WomanPercent: 30},
		[]int{neither, neither, neither, young, woman, both}, []uint64{60, 50, 40, 30, 20, 10}, nil},
	{"two who count for both let one stay who stands in front", ruleVector{Seats: 4, YoungPercent: 50, WomanPercent: 50},
		[]int{neither, neither, woman, young, both, both}, []uint64{60, 50, 40, 30, 20, 10}, nil},
	{"a woman makes room for one who is young, too", ruleVector{Seats: 3, YoungPercent: 30, WomanPercent: 60},
		[]int{neither, woman, woman, young, both}, []uint64{50, 40, 30, 20, 10}, nil},
	{"quotas that cannot both be met", ruleVector{Seats: 2, YoungPercent: 100, WomanPercent: 100},
		[]int{neither, young, woman, young}, []uint64{40, 30, 20, 10}, nil},
	{"too few candidates: places stay empty", ruleVector{Seats: 5, Outside: 1, YoungPercent: 50}, []int{neither, young, neither}, []uint64{3, 2, 1}, []uint32{2}},
	{"one who was removed", ruleVector{Seats: 2, WomanPercent: 50}, []int{woman, neither, neither, woman}, []uint64{40, 30, 20, 10}, []uint32{0}},
	{"a tie for the last place", ruleVector{Seats: 2}, []int{neither, neither, neither, neither}, []uint64{2, 1, 1, 1}, nil},
	{"a tie that a quota makes matter", ruleVector{Seats: 1, YoungPercent: 1}, []int{neither, young, young}, []uint64{2, 1, 1}, nil},
	{"a tie behind the list does not matter", ruleVector{Seats: 1}, []int{neither, neither, neither}, []uint64{2, 1, 1}, nil},
	{"no votes at all", ruleVector{Seats: 3, YoungPercent: 34}, []int{neither, young, neither, young}, []uint64{0, 0, 0, 0}, nil},
	{"every place is filled outside", ruleVector{Seats: 2, Outside: 2, YoungPercent: 100}, []int{neither, young}, []uint64{2, 1}, nil},
}

func (w *world) listsFile() any {
	lot := load[pb.Lot](w, w.last(), state.LotKey(primary))
	f := &listsFile{Comment: "the lot of the election, its lists, and worked examples: chapter 17", Lot: lotVector{
		Chain: w.Genesis.ChainId, Election: primary, Round: lot.Round, Height: lot.Height, HeaderHash: lot.HeaderHash,
	}}
	items := [][]byte{[]byte(w.Genesis.ChainId), []byte(primary), number(uint64(lot.Round)), lot.HeaderHash}
	for _, p := range lot.Parts {
		commitment := lotDigest("commitment", "votenode/v1/lot-commitment", []byte(w.Genesis.ChainId), []byte(primary), []byte(p.Organisation), number(uint64(lot.Round)), p.Secret)
		w.same("commitment", commitment.Hash, p.Commitment)
		f.Lot.Parts = append(f.Lot.Parts, lotPartVector{p.Organisation, p.Secret, commitment})
		items = append(items, p.Secret)
	}
	f.Lot.Seed = lotDigest("seed", "votenode/v1/lot-seed", items...)
	w.same("seed", f.Lot.Seed.Hash, lot.Seed)
	for i := range w.manifest.Contests {
		contest, result := uint32(i), load[pb.Result](w, w.last(), state.ResultKey(primary, uint32(i)))
		v := listOf(lot.Seed, w.manifest.Contests[i].Title, contest, &w.manifest.Contests[i], result.Votes, nil)
		w.same("list", v.Bytes, must(w.at(w.last()).Record(state.ListKey(primary, contest))))
		f.Lists = append(f.Lists, v)
	}
	for _, e := range examples {
		rule := pb.ListRule{Seats: e.rule.Seats, Outside: e.rule.Outside, YoungPercent: e.rule.YoungPercent, WomanPercent: e.rule.WomanPercent}
		c := &pb.Contest{List: &rule}
		for _, kind := range e.kinds {
			c.Candidates = append(c.Candidates, pb.Candidate{Young: kind&young > 0, Woman: kind&woman > 0})
		}
		f.Lists = append(f.Lists, listOf(lot.Seed, e.name, 0, c, e.votes, e.removed))
	}
	return f
}

// same compares what is put together here with what the record holds.
func (w *world) same(what string, here, there hexBytes) {
	w.t.Helper()
	if !slices.Equal(here, there) {
		w.t.Fatalf("%s: %x, the record has %x", what, here, there)
	}
}

func listOf(seed []byte, name string, contest uint32, c *pb.Contest, votes []uint64, removed []uint32) listVector {
	v, gone := listVector{Name: name, Contest: contest, Rule: ruleVector{c.List.Seats, c.List.Outside, c.List.YoungPercent, c.List.WomanPercent}}, map[uint32]bool{}
	for _, option := range removed {
		gone[option] = true
	}
	for i, candidate := range c.Candidates {
		lot := hash(framed("votenode/v1/lot-order", seed, number(uint64(contest)), number(uint64(i))))
		v.Candidates = append(v.Candidates, candidateVector{candidate.Young, candidate.Woman, votes[i], gone[uint32(i)], lot})
	}
	list := election.FormList(c, votes, gone, election.Lot{Seed: seed, Contest: contest})
	v.Fields, v.Bytes = fields(list), election.Encode(list)
	return v
}
