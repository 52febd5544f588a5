package ballot

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
)

// batchOf returns an election and n valid ballots of two styles, taking turns.
func batchOf(t fataler, n int) (*Election, []*EncryptedBallot) {
	e := testElection(t, 8, twoContests, Style{[]Contest{{FirstSlot: 2, Options: 2, Min: 1, Max: 1}}})
	ballots := make([]*EncryptedBallot, n)
	for i := range ballots {
		key := newKey(t)
		st := Statement{Style: uint32(i % 2), RollIndex: uint64(i), Voter: key.Public(), Sequence: 1}
		selections := [][]int{{i % 3}, {i % 5}}
		if i%2 == 1 {
			selections = [][]int{{i / 2 % 2}}
		}
		ballots[i] = parse(t, e, cast(t, e, st, selections, key))
	}
	return e, ballots
}

// spoilt returns a copy of b in which one equation fails.
func spoilt(b *EncryptedBallot, equation int) *EncryptedBallot {
	c := *b
	plusOne := func(s *scalar.Scalar) *scalar.Scalar { return scalar.New().Add(s, scalar.One()) }
	switch equation {
	case 0:
		c.zA = plusOne(b.zA)
	case 1:
		c.zC = plusOne(b.zC)
	case 2:
		c.t0 = add(b.t0, curve.RISTRETTO_BASEPOINT_POINT)
	case 3:
		c.t1 = add(b.t1, curve.RISTRETTO_BASEPOINT_POINT)
	case 4:
		c.s = plusOne(b.s)
	}
	return &c
}

// agree checks that the batch says of every ballot what Verify says of it alone.
func agree(t *testing.T, e *Election, ballots []*EncryptedBallot, bad map[int]bool) {
	t.Helper()
	faults, err := e.VerifyBatch(ballots, rand.Reader)
	if err != nil || len(faults) != len(ballots) {
		t.Fatalf("%d verdicts on %d ballots, %v", len(faults), len(ballots), err)
	}
	for i, fault := range faults {
		if (fault != nil) != bad[i] {
			t.Errorf("batch of %d, ballot %d: %v, bad %v", len(ballots), i, fault, bad[i])
		}
		// Good ones were verified alone before, see TestBatches.
		if bad[i] && errors.Is(fault, ErrSignature) != errors.Is(e.Verify(ballots[i]), ErrSignature) {
			t.Errorf("batch of %d, ballot %d: %v, alone %v", len(ballots), i, fault, e.Verify(ballots[i]))
		}
	}
}

// TestBatches: batches of many sizes, with none, each one, some and all of their ballots bad in each equation.
func TestBatches(t *testing.T) {
	largest := 1024
	if testing.Short() {
		largest = 64
	}
	e, all := batchOf(t, largest)
	for i, b := range all {
		if err := e.Verify(b); err != nil {
			t.Fatalf("ballot %d: %v", i, err)
		}
	}
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 3, 4, 7, 8, 9, 31, 32, 33, 64, 128, 1023, 1024} {
		if n > largest {
			continue
		}
		agree(t, e, all[:n], nil)
		if n == 0 {
			continue
		}
		positions := []int{0, n / 2, n - 1}
		if n <= 31 {
			positions = positions[:0]
			for i := range n {
				positions = append(positions, i)
			}
		}
		for _, at := range positions {
			for equation := range equations {
				if n > 9 && equation != (at+n)%equations {
					continue
				}
				batch := append([]*EncryptedBallot(nil), all[:n]...)
				batch[at] = spoilt(all[at], equation)
				agree(t, e, batch, map[int]bool{at: true})
			}
		}
		batch, bad := append([]*EncryptedBallot(nil), all[:n]...), make(map[int]bool)
		for range 1 + n/16 {
			at := random.IntN(n)
			batch[at], bad[at] = spoilt(all[at], random.IntN(equations)), true
		}
		agree(t, e, batch, bad)
		if n <= 64 {
			for at := range n {
				batch[at], bad[at] = spoilt(all[at], at%equations), true
			}
			agree(t, e, batch, bad)
		}
	}
}

// TestFaultsThatCancel: two ballots whose errors are opposite, and one whose errors in two equations are, cancel in a sum
// without weights. Each is found.
func TestFaultsThatCancel(t *testing.T) {
	e, ballots := batchOf(t, 3)
	g := curve.RISTRETTO_BASEPOINT_POINT
	up, down, both := *ballots[0], *ballots[2], *ballots[1]
	up.t0, down.t0 = add(up.t0, g), curve.NewRistrettoPoint().Sub(down.t0, g)
	both.t0, both.t1 = add(both.t0, g), curve.NewRistrettoPoint().Sub(both.t1, g)
	batch := []*EncryptedBallot{&up, &both, &down}

	ones := make([]weights, 3)
	for i := range ones {
		for j := range ones[i] {
			ones[i][j].One()
		}
	}
	if !e.residue(batch, ones).IsIdentity() {
		t.Error("the errors do not cancel: the test is wrong")
	}
	agree(t, e, batch, map[int]bool{0: true, 1: true, 2: true})
}

// TestOneWeightForTwoEquations forges a ballot with a thousand votes as all trustees together could, who know every p_j,
// against a verifier that gives equations 3 and 4 the same weight: their sum is then one equation for the one unknown zr.
// Independent weights find it.
func TestOneWeightForTwoEquations(t *testing.T) {
	p, secrets := testParameters(t, 8, twoContests)
	e, key := newElection(t, p), newKey(t)
	st := Statement{Voter: key.Public()}
	f := newForger(t, e, st, key, [][]int{{1}, {0}}, rand.Reader)
	f.v[1] = scalar.NewFromUint64(1000)
	f.after = func(f *forger, p *forged) {
		// x (c_0 + sum rho_j c_j) + t_0 + t_1 = sum rho_j f_j + zr (1 + sum rho_j p_j), all as multiples of G
		left, keys, power := scalar.New().Set(f.r0), scalar.One(), scalar.One()
		mask, folded := scalar.New(), scalar.New()
		for i, j := range f.s.optionAt {
			if j < 0 {
				continue
			}
			secret := secrets[f.s.slots[j]]
			power = scalar.New().Mul(power, p.rho)
			keys.Add(keys, scalar.New().Mul(power, secret))
			cj := linear(f.r[j], secret, f.v[j])
			left.Add(left, cj.Mul(cj, power))
			mask.Add(mask, scalar.New().Mul(power, f.masks[i]))
			folded.Add(folded, scalar.New().Mul(power, p.f[i]))
		}
		left.Mul(left, p.x)
		left.Add(left, linear(p.s, keys, mask)) // t_0 + t_1 = s (1 + sum rho_j p_j) + sum rho_j a_j
		left.Sub(left, folded)
		p.zR = left.Mul(left, keys.Invert(keys))
	}
	b := parse(t, e, f.forge(t).arrived(st))

	w, err := drawWeights(1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak := w[0]
	weak[3] = weak[2]
	if !e.residue([]*EncryptedBallot{b}, []weights{weak}).IsIdentity() {
		t.Error("the weak verifier refuses the forgery: the test is wrong")
	}
	if err := verifyBoth(t, e, b); !errors.Is(err, ErrProof) {
		t.Errorf("forged ballot: %v", err)
	}
}

// TestWeights: each weight has its own 16 bytes, and no more are read.
func TestWeights(t *testing.T) {
	random := make([]byte, 2*equations*weightSize+1)
	for i := range random {
		random[i] = byte(i + 1)
	}
	source := bytes.NewReader(random)
	w, err := drawWeights(2, source)
	if err != nil || source.Len() != 1 {
		t.Fatalf("%d bytes left, %v", source.Len(), err)
	}
	for i := range 2 * equations {
		want := append(bytes.Clone(random[i*weightSize:(i+1)*weightSize]), make([]byte, 16)...)
		if got := group.ScalarBytes(&w[i/equations][i%equations]); !bytes.Equal(got, want) {
			t.Errorf("weight %d is %x, want %x", i, got, want)
		}
	}
}

// TestVerdictsDoNotDependOnMates puts one bad and one good ballot into many batches.
func TestVerdictsDoNotDependOnMates(t *testing.T) {
	e, all := batchOf(t, 12)
	bad := spoilt(all[0], 3)
	for n := range 10 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			batch, faulty := []*EncryptedBallot{all[1]}, make(map[int]bool)
			for i := range n {
				mate := all[2+i]
				if i%3 == 1 {
					mate, faulty[len(batch)] = spoilt(mate, i%equations), true
				}
				batch = append(batch, mate)
			}
			faulty[len(batch)] = true
			agree(t, e, append(batch, bad), faulty)
		})
	}
}
