package certified_test

import (
	"math/bits"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// What it takes to certify two branches (spec 6.7), tried exhaustively on small networks with real signatures.
//
// Whatever everybody does comes down to two sets of keys: those that sign a child on branch A, and those on branch B. An honest
// key is in one of the two at most; the cheaters are those in both. (A cheater that signs one branch does what an honest key may
// do, so it is counted as one.) So the pairs of sets are all assignments of honest keys and all choices of cheaters at once. For
// every set and each branch the verdict is that of Trust.Inspect over signed evidence, in several rounds.
//
// Certification asks every organisation for itself and the same, and takes no account of its id. So networks that differ in the
// order of organisations only are one, and powers matter only within an organisation: 12 each, divided equally or not, keep every
// network below the power cap.

// divisions of 12 in equal parts, and unequal ones; those that meet 2/3, 3/4 or the bounds of 6.7 exactly are among them. The last
// but two divides 10: 8 of it are exactly 4/5, and 6 exactly the bound for 4/5.
var (
	equalDivisions   = [][]int64{{12}, {6, 6}, {4, 4, 4}, {3, 3, 3, 3}}
	unequalDivisions = [][]int64{{7, 5}, {6, 4, 2}, {4, 4, 2}, {5, 4, 2, 1}, {9, 1, 1, 1}}
)

// branches are two children of height 3 that cannot both be honest, signed by the first epoch of a document.
type branches struct {
	trust *certified.Trust
	list  []pb.Validator
	votes [2][]*pb.SignedHeader    // by branch and validator: signed by this one alone
	state [2][]*certified.State    // by branch and set of signers
	child [2]*cmttypes.Header      // by branch
	spare [2]map[int]*pb.Precommit // by branch and validator: once more, in another round
}

const spareRound = 7

func newBranches(t *testing.T, parties []party, certify pb.Fraction, sibling func(h *cmttypes.Header)) *branches {
	doc := document(parties)
	doc.Parameters.Certify, doc.Parameters.PowerCap = certify, pb.Fraction{Numerator: 665, Denominator: 1000}
	n := &branches{trust: must(certified.FromGenesis(doc)), list: organisation.FirstEpoch(doc).Validators}
	w := newWorld(t, equal)
	w.grow(3)
	a := *w.headers[3]
	a.ValidatorsHash = validatorsHash(n.list)
	b := a
	sibling(&b)
	n.child = [2]*cmttypes.Header{&a, &b}
	for side, h := range n.child {
		n.spare[side] = map[int]*pb.Precommit{}
		for i, v := range n.list {
			n.votes[side] = append(n.votes[side], signed(h, int32(i%2), v.Name))
			if i%3 == 0 {
				n.spare[side][i] = vote(v.Name, h, spareRound, nil)
			}
		}
		for set := range 1 << len(n.list) {
			s, err := n.trust.Inspect(n.evidence(side, set))
			if err != nil {
				t.Fatal(err)
			}
			n.state[side] = append(n.state[side], s)
		}
	}
	return n
}

// evidence holds the precommits of a set of validators: of each in round 0 or 1, and of every third in one more round.
func (n *branches) evidence(side, set int) *pb.CertifiedState {
	var children []*pb.SignedHeader
	for _, round := range []int32{0, 1, spareRound} {
		child := signed(n.child[side], round)
		for i := range n.list {
			if set>>i&1 == 0 {
				continue
			}
			if own := n.votes[side][i]; own.Round == round {
				child.Precommits = append(child.Precommits, own.Precommits...)
			} else if again := n.spare[side][i]; again != nil && round == spareRound {
				child.Precommits = append(child.Precommits, again)
			}
		}
		sortPrecommits(child)
		children = append(children, child)
	}
	return certificate(children...)
}

// power sums up the validators of a set that are of an organisation.
func (n *branches) power(id string, set int) int64 {
	sum := int64(0)
	for i, v := range n.list {
		if set>>i&1 == 1 && v.Organisation == id {
			sum += v.Power
		}
	}
	return sum
}

// mayCertifyTwice says whether the cheaters of one organisation and its honest rest can sign two branches with enough power each:
// whether the honest ones can be divided so that, with the cheaters, both parts have at least the least power above the share.
func (n *branches) mayCertifyTwice(id string, cheaters int, certify pb.Fraction) bool {
	all := 1<<len(n.list) - 1
	total, c := n.power(id, all), n.power(id, cheaters)
	least := total*int64(certify.Numerator)/int64(certify.Denominator) + 1
	for part := range 1 << len(n.list) {
		if part&cheaters != 0 {
			continue
		}
		if own := c + n.power(id, part); own >= least && total+c-own >= least {
			return true
		}
	}
	return false
}

// beyondBound says whether c / total > 2 * certify - 1.
func beyondBound(c, total int64, certify pb.Fraction) bool {
	return c*int64(certify.Denominator) > total*(2*int64(certify.Numerator)-int64(certify.Denominator))
}

// check goes through every pair of sets of signers.
func (n *branches) check(t *testing.T, parties []party, certify pb.Fraction, fields ...string) {
	sets := 1 << len(n.list)
	beyond, may := make([]bool, sets), make([]bool, sets) // by set of cheaters
	for cheaters := range sets {
		beyond[cheaters], may[cheaters] = true, true
		for _, p := range parties {
			total, c := n.power(p.id, sets-1), n.power(p.id, cheaters)
			exceeds := beyondBound(c, total, certify)
			possible := n.mayCertifyTwice(p.id, cheaters, certify)
			if possible && !exceeds {
				t.Fatalf("the definition itself is broken: %s, %b", p.id, cheaters)
			}
			beyond[cheaters], may[cheaters] = beyond[cheaters] && exceeds, may[cheaters] && possible
		}
	}
	// The report says of every set of signers of both sides whether it is beyond the bound, organisation by organisation.
	for cheaters := range sets {
		fork, err := certified.FindFork(n.state[0][cheaters], n.state[1][cheaters])
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range fork.Organisations {
			if c, total := n.power(o.Organisation, cheaters), n.power(o.Organisation, sets-1); o.Power != c || o.Total != total || o.Enough != beyondBound(c, total, certify) {
				t.Fatalf("%b signed both: %+v", cheaters, o)
			}
		}
	}
	reported := make([]bool, sets)
	for a := range sets {
		for b := range sets {
			if !n.state[0][a].Certified || !n.state[1][b].Certified {
				continue
			}
			cheaters := a & b
			if !beyond[cheaters] {
				t.Fatalf("%b cheat, within the bound somewhere, and certify two branches", cheaters)
			}
			if reported[cheaters] {
				continue
			}
			reported[cheaters] = true
			fork, err := certified.FindFork(n.state[0][a], n.state[1][b])
			if err != nil {
				t.Fatal(err)
			}
			checkFork(t, fork, n.names(cheaters), fields...)
		}
	}
	for cheaters := range sets {
		if reported[cheaters] != may[cheaters] {
			t.Fatalf("%b cheat: two branches certified: %v, possible by the powers: %v", cheaters, reported[cheaters], may[cheaters])
		}
	}
}

func (n *branches) names(set int) []string {
	var list []string
	for i, v := range n.list {
		if set>>i&1 == 1 {
			list = append(list, v.Name)
		}
	}
	return list
}

// quorums tries one network. Every other one forks in the state after one block, and not in the block.
func quorums(t *testing.T, certify pb.Fraction, divisions ...[]int64) {
	t.Helper()
	var parties []party
	size := 0
	for i, powers := range divisions {
		parties = append(parties, party{[]string{"elders", "league", "party"}[i], powers})
		size += len(powers)
	}
	field, sibling := "LastBlockID", func(h *cmttypes.Header) { h.LastBlockID.Hash = digest("fork") }
	if size%2 == 0 {
		field, sibling = "AppHash", func(h *cmttypes.Header) { h.AppHash = digest("fork") }
	}
	newBranches(t, parties, certify, sibling).check(t, parties, certify, field)
}

var twoThirds = pb.Fraction{Numerator: 2, Denominator: 3}

func TestQuorumsOfTwo(t *testing.T) {
	for i, first := range equalDivisions {
		for _, second := range equalDivisions[i:] {
			quorums(t, twoThirds, first, second)
		}
	}
	for i, first := range unequalDivisions {
		quorums(t, twoThirds, first, equalDivisions[i%4])
		quorums(t, twoThirds, first, unequalDivisions[(i+1)%len(unequalDivisions)])
	}
}

func TestQuorumsOfThree(t *testing.T) {
	three := equalDivisions[:3]
	for i, first := range three {
		for j, second := range three[i:] {
			for _, third := range three[i+j:] {
				quorums(t, twoThirds, first, second, third)
			}
		}
	}
	quorums(t, twoThirds, unequalDivisions[0], unequalDivisions[1], unequalDivisions[2])
}

func TestQuorumsOfOtherShares(t *testing.T) {
	for _, certify := range []pb.Fraction{{Numerator: 3, Denominator: 4}, {Numerator: 4, Denominator: 5}, {Numerator: 5, Denominator: 7}} {
		for _, division := range append(equalDivisions[1:], unequalDivisions...) {
			quorums(t, certify, division, []int64{6, 6})
		}
	}
}

// TestLeastCheaters: of n validators with equal powers, c can help two branches to a certificate exactly if c >= 2 * need - n, with
// need = floor(n * certify) + 1. Where n leaves the remainder 1 by 3 and certify is 2/3 this is the bound of 6.7 itself, the least
// c above n/3; for other n it is more, by rounding.
func TestLeastCheaters(t *testing.T) {
	for _, test := range []struct{ validators, cheaters, bound int }{
		{1, 1, 1}, {2, 2, 1}, {3, 3, 2}, {4, 2, 2}, {5, 3, 2}, {6, 4, 3}, {7, 3, 3}, {10, 4, 4},
	} {
		n := &branches{}
		for range test.validators {
			n.list = append(n.list, pb.Validator{Organisation: "party", Power: 1})
		}
		least, bound := 0, 0
		for c := test.validators; c >= 0; c-- {
			if n.mayCertifyTwice("party", 1<<c-1, twoThirds) {
				least = c
			}
			if 3*c > test.validators {
				bound = c
			}
		}
		if formula := 2*(test.validators*2/3+1) - test.validators; least != test.cheaters || least != formula || bound != test.bound {
			t.Errorf("%d validators: %d cheaters suffice, the formula says %d, the bound %d", test.validators, least, formula, bound)
		}
	}
}

// TestCommittedTwice: one organisation is wholly dishonest, and the other's honest validators stand half on either branch. Both
// branches are committed, neither is certified, and the report names the dishonest ones and nobody else.
func TestCommittedTwice(t *testing.T) {
	parties := equal
	n := newBranches(t, parties, twoThirds, func(h *cmttypes.Header) { h.LastBlockID.Hash = digest("fork") })
	var league, half int
	for i, v := range n.list {
		if v.Organisation == "league" {
			league |= 1 << i
		} else if bits.OnesCount(uint(half)) < 2 {
			half |= 1 << i
		}
	}
	rest := 1<<len(n.list) - 1 - league - half
	one := func(side, set int) *certified.State { // all in one round, as a commit is
		s, err := n.trust.Inspect(certificate(signed(n.child[side], 3, n.names(set)...)))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b := one(0, league|half), one(1, league|rest)
	if !a.Committed || !b.Committed || a.Certified || b.Certified {
		t.Fatalf("%+v\n%+v", a, b)
	}
	fork, err := certified.FindFork(a, b)
	if err != nil {
		t.Fatal(err)
	}
	checkFork(t, fork, n.names(league), "LastBlockID")
	if !fork.Organisations[0].Enough || fork.Organisations[1].Enough || fork.Organisations[1].Power != 0 {
		t.Errorf("%+v", fork.Organisations)
	}
	// However the honest ones divide, and with one cheater among them, there are never two certificates.
	for cheater := range n.list {
		if league>>cheater&1 == 1 {
			continue
		}
		for part := range 1 << len(n.list) {
			a, b := league|part|1<<cheater, (league|^part|1<<cheater)&(1<<len(n.list)-1)
			if n.state[0][a].Certified && n.state[1][b].Certified {
				t.Fatalf("one cheater of the party and the league certify %b and %b", a, b)
			}
		}
	}
}
