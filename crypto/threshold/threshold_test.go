package threshold

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// board is an organisation with all its trustees' secrets, after a ceremony in which everybody was honest.
type board struct {
	Ceremony
	indices     []uint32
	polynomials map[uint32]*Polynomials
	commitments []*Commitments
	shares      map[uint32]*Share // summed
	key         *OrganisationKey
}

// newBoard runs a whole ceremony through the encryption.
func newBoard(t testing.TB, c Ceremony, indices ...uint32) *board {
	t.Helper()
	b := &board{Ceremony: c, indices: indices, polynomials: map[uint32]*Polynomials{}, shares: map[uint32]*Share{}}
	for _, dealer := range indices {
		p := must(c.Deal(dealer, []byte("signing key"), rand.Reader))
		b.polynomials[dealer] = p
		b.commitments = append(b.commitments, must(c.ParseCommitments(p.Commitments().Bytes())))
	}
	for _, receiver := range indices {
		var received []*Share
		for i, dealer := range indices {
			if dealer == receiver {
				received = append(received, must(b.polynomials[dealer].Share(receiver)))
				continue
			}
			private, public, err := GenerateReceiverKey(rand.Reader)
			check(t, err)
			sealed := must(c.SealShare(dealer, receiver, b.commitments[i], public, b.polynomials[dealer]))
			received = append(received, must(c.OpenShare(dealer, receiver, b.commitments[i], private, sealed)))
		}
		b.shares[receiver] = must(SumShares(received))
	}
	b.key = must(c.NewOrganisationKey(indices, b.commitments))
	return b
}

// secret returns sum over dealers of f_{d,j}(0), which in an election nobody ever knows.
func (b *board) secret(j int) *scalar.Scalar {
	sum := scalar.New()
	for _, p := range b.polynomials {
		sum.Add(sum, p.slots[j][0])
	}
	return sum
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refuses fails the test unless err is want.
func refuses(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

func times(n uint64) *curve.RistrettoPoint {
	return curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, scalar.NewFromUint64(n))
}

// encryptSum returns A_0 and A_j for plain sums under the joint keys.
func encryptSum(votes []uint64, keys []*curve.RistrettoPoint) (*curve.RistrettoPoint, []*curve.RistrettoPoint) {
	r := must(scalar.New().SetRandom(rand.Reader))
	a := make([]*curve.RistrettoPoint, len(votes))
	for j, v := range votes {
		a[j] = curve.NewRistrettoPoint().Add(times(v), curve.NewRistrettoPoint().Mul(keys[j], r))
	}
	return curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, r), a
}

// TestElection runs keys, trial and tally of two organisations with different quorums.
func TestElection(t *testing.T) {
	const slots = 4
	party := newBoard(t, Ceremony{"chain", "election", "party", 1, slots, 2}, 1, 2, 4)
	league := newBoard(t, Ceremony{"chain", "election", "league", 3, slots, 3}, 1, 2, 3, 5, 6, 7)
	boards := []*board{league, party}
	parts := []*OrganisationKey{league.key, party.key}
	keys, err := JointKeys(parts)
	check(t, err)
	digest := KeyDigest("chain", "election", parts)

	for _, b := range boards {
		var shares []TrusteeShares
		for _, i := range b.indices {
			st := &TrialStatement{"chain", "election", digest, b.Organisation, i, b.key.Trustee(i)}
			pd, err := ProveTrial(st, b.shares[i], rand.Reader)
			check(t, err)
			pd, err = ParsePartialDecryption(PointsBytes(pd.Shares), pd.Proof[:], slots)
			check(t, err)
			check(t, VerifyTrial(st, pd))
			shares = append(shares, TrusteeShares{i, pd.Shares})
		}
		check(t, b.key.CheckTrial(shares))
	}

	votes := []uint64{7, 0, 1000}
	a0, a := encryptSum(votes, keys[1:])
	var organisations []QuorumShares
	for _, b := range boards {
		q := QuorumShares{Quorum: b.Quorum}
		for _, i := range b.indices {
			st := &TallyStatement{"chain", "election", digest, 5, b.Organisation, i, a0, a, b.key.Trustee(i)[1:]}
			pd, err := ProvePartial(st, must(b.shares[i].Range(1, 3)), rand.Reader)
			check(t, err)
			check(t, VerifyPartial(st, pd))
			q.Trustees = append(q.Trustees, TrusteeShares{i, pd.Shares})
		}
		slices.Reverse(q.Trustees)
		organisations = append(organisations, q)
	}
	sums, err := Combine(a0, a, organisations)
	check(t, err)
	table := NewLogTable(1000)
	for j, want := range votes {
		if got, ok := table.Solve(sums[j], 1000); !ok || got != want {
			t.Errorf("slot %d: got %d, %v, want %d", j, got, ok, want)
		}
	}
}
