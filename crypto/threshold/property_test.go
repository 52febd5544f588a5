package threshold

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"pgregory.net/rapid"
)

// drawBoard runs a ceremony of a random size, with gaps in the indices where trustees were silent or ejected. Shares are
// not encrypted here: newBoard does that.
func drawBoard(t *rapid.T, organisation string, slots int) *board {
	quorum := rapid.IntRange(2, 4).Draw(t, "quorum")
	n := rapid.IntRange(2*quorum-1, 2*quorum+2).Draw(t, "trustees")
	c := Ceremony{"chain", "election", organisation, rapid.Uint32().Draw(t, "attempt"), slots, quorum}
	b := &board{Ceremony: c, polynomials: map[uint32]*Polynomials{}, shares: map[uint32]*Share{}}
	index := uint32(0)
	for range n {
		index += rapid.Uint32Range(1, 3).Draw(t, "gap")
		b.indices = append(b.indices, index)
		p, commitments := deal(c, index)
		b.polynomials[index] = p
		b.commitments = append(b.commitments, commitments)
	}
	for _, receiver := range b.indices {
		var received []*Share
		for _, p := range b.polynomials {
			received = append(received, must(p.Share(receiver)))
		}
		b.shares[receiver] = must(SumShares(received))
	}
	b.key = must(c.NewOrganisationKey(b.indices, b.commitments))
	return b
}

// TestTallyProperty: elections of any shape, ballots summed one by one, opened by any subset of at least a quorum in each
// organisation, give what a naive recount of the plain ballots gives; one trustee fewer anywhere gives nothing.
func TestTallyProperty(t *testing.T) {
	table := NewLogTable(100)
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(1, 5).Draw(t, "slots")
		var boards []*board
		var parts []*OrganisationKey
		for o := range rapid.IntRange(1, 3).Draw(t, "organisations") {
			b := drawBoard(t, fmt.Sprint("organisation", o), slots)
			boards, parts = append(boards, b), append(parts, b.key)
		}
		keys := must(JointKeys(parts))
		digest := KeyDigest("chain", "election", parts)
		first := rapid.IntRange(0, slots-1).Draw(t, "first slot")
		count := rapid.IntRange(1, slots-first).Draw(t, "options")

		// Ballots, the encrypted sum, and the naive recount.
		recount := make([]uint64, count)
		a0, a := curve.NewRistrettoPoint(), make([]*curve.RistrettoPoint, count)
		for j := range a {
			a[j] = curve.NewRistrettoPoint()
		}
		for range rapid.IntRange(1, 5).Draw(t, "ballots") {
			votes := make([]uint64, count)
			for j := range votes {
				votes[j] = rapid.Uint64Range(0, 1).Draw(t, "vote")
				recount[j] += votes[j]
			}
			c0, c := encryptSum(votes, keys[first:first+count])
			a0.Add(a0, c0)
			for j := range a {
				a[j].Add(a[j], c[j])
			}
		}

		var organisations, short []QuorumShares
		for o, b := range boards {
			q := QuorumShares{Quorum: b.Quorum}
			present := rapid.Permutation(b.indices).Draw(t, "order")
			present = present[:rapid.IntRange(b.Quorum, len(present)).Draw(t, "present")]
			for _, i := range present {
				st := &TallyStatement{"chain", "election", digest, 1, b.Organisation, i, a0, a, b.key.Trustee(i)[first : first+count]}
				pd := must(ProvePartial(st, must(b.shares[i].Range(first, count)), rand.Reader))
				if err := VerifyPartial(st, pd); err != nil {
					t.Fatalf("%s, trustee %d: %v", b.Organisation, i, err)
				}
				q.Trustees = append(q.Trustees, TrusteeShares{i, pd.Shares})
			}
			organisations = append(organisations, q)
			if o == 0 { // k - 1 shares, combined as if the quorum were smaller
				q = QuorumShares{Quorum: b.Quorum - 1, Trustees: q.Trustees[:b.Quorum-1]}
			}
			short = append(short, q)
		}
		sums := must(Combine(a0, a, organisations))
		for j, want := range recount {
			if got, ok := table.Solve(sums[j], 100); !ok || got != want {
				t.Fatalf("option %d: got %d, %v, want %d", j, got, ok, want)
			}
		}
		if sums, err := Combine(a0, a, short); err == nil {
			if _, ok := table.Solve(sums[0], 100); ok {
				t.Fatal("opened by fewer than a quorum")
			}
		}
	})
}

// TestKeyProperty: every quorum of trustees of every shape holds exactly the organisation's key.
func TestKeyProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBoard(t, "party", rapid.IntRange(1, 3).Draw(t, "slots"))
		quorum := rapid.Permutation(b.indices).Draw(t, "order")[:b.Quorum]
		weights := lagrange(quorum)
		for j := range b.Slots {
			sum := scalar.New()
			for i, index := range quorum {
				sum.Add(sum, scalar.New().Mul(weights[i], b.shares[index].scalars[j]))
			}
			if sum.Equal(b.secret(j)) != 1 {
				t.Fatalf("quorum %v does not hold the key of slot %d", quorum, j)
			}
		}
		for _, i := range b.indices {
			if !b.shares[i].matches(b.key.Trustee(i)) {
				t.Fatalf("keys of trustee %d do not match its share", i)
			}
		}
	})
}

func TestMulSmall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint32().Draw(t, "n")
		p := times(rapid.Uint64().Draw(t, "p"))
		if mulSmall(p, n).Equal(curve.NewRistrettoPoint().Mul(p, scalar.NewFromUint64(uint64(n)))) != 1 {
			t.Fatalf("%d p is wrong", n)
		}
	})
}
