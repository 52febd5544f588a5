package election

import (
	"bytes"
	"cmp"
	"slices"

	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// HasList says whether a list is formed from any contest of a manifest.
func HasList(m *pb.Manifest) bool {
	return slices.ContainsFunc(m.Contests, func(c pb.Contest) bool { return c.List != nil })
}

// Lot decides between candidates with the same votes. Spec 17.3.
type Lot struct {
	// Seed has 32 bytes, or none before the lot is known.
	Seed []byte
	// Contest is the index of the contest.
	Contest uint32
}

// LotCommitment returns the commitment of an organisation to its secret of 32 bytes for a round. Spec 17.3.
func LotCommitment(chain, election, organisation string, round uint32, secret []byte) [32]byte {
	return transcript.Digest(transcript.LabelLotCommitment, []byte(chain), []byte(election), []byte(organisation), transcript.Uint64(uint64(round)), secret)
}

// LotSeed returns the seed of a round of an election's lot from the header hash of the lot block and the secrets, sorted by organisation. Spec 17.3.
func LotSeed(chain, election string, round uint32, headerHash []byte, secrets [][]byte) [32]byte {
	items := append([][]byte{[]byte(chain), []byte(election), transcript.Uint64(uint64(round)), headerHash}, secrets...)
	return transcript.Digest(transcript.LabelLotSeed, items...)
}

// LotMissing returns the organisations that have committed and not revealed, in order.
func LotMissing(lot *pb.Lot) []string {
	var missing []string
	for i := range lot.Parts {
		if len(lot.Parts[i].Secret) == 0 {
			missing = append(missing, lot.Parts[i].Organisation)
		}
	}
	return missing
}

// LotTurn says whether an organisation may reveal its secret: those that kept theirs in more rounds have revealed. Spec 17.3.
func LotTurn(lot *pb.Lot, part *pb.LotPart) bool {
	return !slices.ContainsFunc(lot.Parts, func(p pb.LotPart) bool { return p.Kept > part.Kept && len(p.Secret) == 0 })
}

// place returns what candidates with the same votes are ordered by.
func (l Lot) place(option uint32) []byte {
	if len(l.Seed) == 0 {
		return nil
	}
	d := transcript.Digest(transcript.LabelLotOrder, l.Seed, transcript.Uint64(uint64(l.Contest)), transcript.Uint64(uint64(option)))
	return d[:]
}

// ranked is a candidate in the order of votes.
type ranked struct {
	option       uint32
	votes        uint64
	lot          []byte
	young, woman bool
}

// FormList forms the list of a contest that has a rule: of all lists of as many candidates as there are places, or of all candidates where
// there are fewer, those that miss the quotas by the fewest candidates, and of these the one that keeps those in front. votes are by option,
// removed are options that stand on no list. It returns nil where a tie matters and the lot is not known. Spec 17.2.
func FormList(c *pb.Contest, votes []uint64, removed map[uint32]bool, lot Lot) *pb.List {
	order := rank(c, votes, removed, lot)
	size := min(int(c.List.Seats-c.List.Outside), len(order))
	need := counts{young: required(c.List.YoungPercent, size), women: required(c.List.WomanPercent, size)}
	chosen := choose(order, size, need)
	ties := tiesThatMatter(order, chosen, size)
	if len(ties) > 0 && len(lot.Seed) == 0 {
		return nil
	}
	list := &pb.List{
		Status: pb.LIST_FORMED, Seats: c.List.Seats, Outside: c.List.Outside, Empty: c.List.Seats - c.List.Outside - uint32(size),
		YoungRequired: need.young, WomanRequired: need.women, Ties: ties,
	}
	var has counts
	for i, r := range order {
		if chosen[i] {
			has = has.with(r)
			list.Places = append(list.Places, pb.ListPlace{Option: r.option, Votes: r.votes, Substituted: i >= size})
		}
	}
	list.Substitutions = substitutions(order, chosen, size, need)
	list.YoungMissing, list.WomanMissing = missing(need.young, has.young), missing(need.women, has.women)
	return list
}

// rank orders the candidates who may stand on the list: by votes, then by the lot; by option where it is not known.
func rank(c *pb.Contest, votes []uint64, removed map[uint32]bool, lot Lot) []ranked {
	var order []ranked
	for i := range c.Candidates {
		if option := uint32(i); !removed[option] {
			order = append(order, ranked{option, votes[i], lot.place(option), c.Candidates[i].Young, c.Candidates[i].Woman})
		}
	}
	slices.SortStableFunc(order, func(a, b ranked) int { return cmp.Or(cmp.Compare(b.votes, a.votes), bytes.Compare(a.lot, b.lot)) })
	return order
}

// required is a share of so many places, rounded up.
func required(percent uint32, places int) uint32 { return (percent*uint32(places) + 99) / 100 }

func missing(required, there uint32) uint32 { return required - min(required, there) }

// counts are numbers of young candidates and of women; who is both counts in both.
type counts struct{ young, women uint32 }

func (n counts) with(r ranked) counts {
	if r.young {
		n.young++
	}
	if r.woman {
		n.women++
	}
	return n
}

// choose says of each candidate whether it is on the list. It asks the candidates in their order, and takes each with whom the quotas can
// still be met as well as without: so nobody is left out for the sake of one behind unless every such list leaves somebody before it out.
func choose(order []ranked, size int, need counts) []bool {
	chosen := make([]bool, len(order))
	var behind supply
	for _, r := range order {
		behind.add(r, 1)
	}
	var has counts
	free := size
	least := behind.shortfall(need, has, free)
	for i, r := range order {
		behind.add(r, -1)
		if free > 0 && behind.shortfall(need, has.with(r), free-1) == least {
			chosen[i], has, free = true, has.with(r), free-1
		}
	}
	return chosen
}

// supply are the candidates who can still be taken, by what they count for.
type supply struct{ both, young, women int }

func (s *supply) add(r ranked, n int) {
	switch {
	case r.young && r.woman:
		s.both += n
	case r.young:
		s.young += n
	case r.woman:
		s.women += n
	}
}

// shortfall returns by how many candidates, of both quotas together, a list misses them at least, if so many are on it and so many more of the
// supply are taken. Who counts for both is never worse than anybody else, so these are taken first; of the others one makes up for one.
func (s *supply) shortfall(need, has counts, free int) int {
	both := min(s.both, free)
	young := max(0, int(need.young)-int(has.young)-both)
	women := max(0, int(need.women)-int(has.women)-both)
	return young + women - min(free-both, min(s.young, young)+min(s.women, women))
}

// tiesThatMatter returns the groups of candidates with the same votes of whom one is on the list or among the first, in their order.
func tiesThatMatter(order []ranked, chosen []bool, size int) []pb.Tie {
	var ties []pb.Tie
	for from, to := 0, 0; from < len(order); from = to {
		for to = from; to < len(order) && order[to].votes == order[from].votes; to++ {
		}
		if to-from < 2 || from >= size && !slices.Contains(chosen[from:to], true) {
			continue
		}
		tie := pb.Tie{Votes: order[from].votes}
		for _, r := range order[from:to] {
			tie.Options = append(tie.Options, r.option)
		}
		ties = append(ties, tie)
	}
	return ties
}

// substitutions pairs those among the first who are not on the list, from the last up, with those on the list who are not among the first,
// in their order.
func substitutions(order []ranked, chosen []bool, size int, need counts) []pb.Substitution {
	var first counts
	for _, r := range order[:size] {
		first = first.with(r)
	}
	var all []pb.Substitution
	in := size
	for out := size - 1; out >= 0; out-- {
		if chosen[out] {
			continue
		}
		for !chosen[in] {
			in++
		}
		s := pb.Substitution{Out: order[out].option, In: order[in].option, Place: uint32(out + 1)}
		if order[in].young && first.young < need.young {
			s.Reason |= pb.SUBSTITUTION_YOUNG
		}
		if order[in].woman && first.women < need.women {
			s.Reason |= pb.SUBSTITUTION_WOMAN
		}
		all = append(all, s)
		in++
	}
	return all
}
