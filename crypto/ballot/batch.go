package ballot

import (
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// equations is the number of equations that a ballot must satisfy, weightSize the length of a weight in bytes.
const (
	equations  = 5
	weightSize = 16
)

// weights are the random factors of one ballot's equations, each below 2^128.
type weights [equations]scalar.Scalar

// VerifyBatch checks many ballots at once and returns for each nil, ErrSignature or ErrProof (section 3.8).
//
// Every equation of every ballot has its own 128-bit weight, drawn from rand once the batch is fixed, 80 bytes a ballot. A
// valid ballot never fails; an invalid one passes with probability 2^-128; neither depends on the other ballots. The error is
// that of rand, or ErrElection where the caller mixed elections, and says nothing about any ballot. Variable time.
func (e *Election) VerifyBatch(ballots []*EncryptedBallot, rand io.Reader) (faults []error, err error) {
	for _, b := range ballots {
		if b.election != e {
			return nil, ErrElection
		}
	}
	w, err := drawWeights(len(ballots), rand)
	if err != nil {
		return nil, err
	}
	faults = make([]error, len(ballots))
	if residue := e.residue(ballots, w); !residue.IsIdentity() {
		e.search(ballots, w, residue, faults)
	}
	return faults, nil
}

// search sets the faults of the bad ballots, given their weighted residue, which is not the identity. Signatures are checked one by one
// first: anybody can bring a bad one, and found by bisection each would cost many times as much. A bad proof takes a voter.
func (e *Election) search(ballots []*EncryptedBallot, w []weights, residue *curve.RistrettoPoint, faults []error) {
	var signed, unsigned part
	for i, b := range ballots {
		if faults[i] = VerifySignature(b); faults[i] == nil {
			signed.add(i, b, w[i])
		} else {
			unsigned.add(i, b, w[i])
		}
	}
	switch left := signed.ballots; {
	case len(left) == 0:
		return
	case len(unsigned.ballots) == 0:
	case len(left) < len(unsigned.ballots):
		residue = e.residue(left, signed.w)
	default:
		residue = curve.NewRistrettoPoint().Sub(residue, e.residue(unsigned.ballots, unsigned.w))
	}
	found := make([]error, len(signed.ballots))
	e.bisect(signed.ballots, signed.w, residue, found)
	for i, at := range signed.at {
		faults[at] = found[i]
	}
}

// part is a part of a batch, with the places in it.
type part struct {
	at      []int
	ballots []*EncryptedBallot
	w       []weights
}

func (p *part) add(at int, b *EncryptedBallot, w weights) {
	p.at, p.ballots, p.w = append(p.at, at), append(p.ballots, b), append(p.w, w)
}

// drawWeights draws independent weights for n ballots.
func drawWeights(n int, rand io.Reader) ([]weights, error) {
	random := make([]byte, n*equations*weightSize)
	if _, err := io.ReadFull(rand, random); err != nil {
		return nil, fmt.Errorf("ballot: random source: %w", err)
	}
	w := make([]weights, n)
	for i := range n * equations {
		var b [scalar.ScalarSize]byte
		copy(b[:], random[i*weightSize:(i+1)*weightSize])
		if _, err := w[i/equations][i%equations].SetCanonicalBytes(b[:]); err != nil {
			panic("ballot: a number below 2^128 is always canonical: " + err.Error())
		}
	}
	return w, nil
}

// fewBallots are so few that, where both halves hold a bad one, each is verified alone: where many are bad that costs less than to bisect on.
const fewBallots = 32

// bisect sets the faults of the bad ballots, whose signatures hold, given their weighted residue. The residue of the second half is that of the whole
// less that of the first half, so each level costs half a batch.
func (e *Election) bisect(ballots []*EncryptedBallot, w []weights, residue *curve.RistrettoPoint, faults []error) {
	if residue.IsIdentity() {
		return
	}
	if len(ballots) == 1 {
		faults[0] = ErrProof
		return
	}
	mid := len(ballots) / 2
	left := e.residue(ballots[:mid], w[:mid])
	right := curve.NewRistrettoPoint().Sub(residue, left)
	if len(ballots) <= fewBallots && !left.IsIdentity() && !right.IsIdentity() {
		for i := range ballots {
			if !e.residue(ballots[i:i+1], w[i:i+1]).IsIdentity() {
				faults[i] = ErrProof
			}
		}
		return
	}
	e.bisect(ballots[:mid], w[:mid], left, faults[:mid])
	e.bisect(ballots[mid:], w[mid:], right, faults[mid:])
}

// accumulator collects the coefficients of one multiscalar multiplication: those of the points that each ballot has for itself,
// and those of the generators that all share, which stand on the right sides and are subtracted at the end.
type accumulator struct {
	g, h    scalar.Scalar
	k, keys []scalar.Scalar // by position from 0, by slot
	used    []bool          // by slot

	scalars []*scalar.Scalar
	points  []*curve.RistrettoPoint
}

// own adds s p.
func (acc *accumulator) own(s *scalar.Scalar, p *curve.RistrettoPoint) {
	acc.scalars, acc.points = append(acc.scalars, s), append(acc.points, p)
}

// residue returns sum over ballots and equations of weight times (left side - right side): the identity for valid ballots.
func (e *Election) residue(ballots []*EncryptedBallot, w []weights) *curve.RistrettoPoint {
	acc := &accumulator{
		k: make([]scalar.Scalar, len(e.k)), keys: make([]scalar.Scalar, len(e.keys)), used: make([]bool, len(e.keys)),
	}
	for i, b := range ballots {
		acc.addBits(b, &w[i][0], &w[i][1])
		acc.addCiphertext(b, &w[i][2], &w[i][3])
		acc.addSignature(b, &w[i][4])
	}
	shared := []*scalar.Scalar{minus(&acc.g), minus(&acc.h)}
	tables := []*curve.ExpandedRistrettoPoint{e.gTable, e.hTable}
	for i := range acc.k {
		shared, tables = append(shared, minus(&acc.k[i])), append(tables, e.kTable[i])
	}
	for j, used := range acc.used {
		if used {
			shared, tables = append(shared, minus(&acc.keys[j])), append(tables, e.keysTable[j])
		}
	}
	return curve.NewRistrettoPoint().ExpandedMultiscalarMulVartime(shared, tables, acc.scalars, acc.points)
}

// addBits adds the first two equations:
//
//	u (x B + A) = u (zA H + sum f_i K_i)
//	v (x C + D) = v (zC H + sum f_i (x - f_i) K_i)
func (acc *accumulator) addBits(b *EncryptedBallot, u, v *scalar.Scalar) {
	var t scalar.Scalar
	ux, vx, negV := scalar.New().Mul(u, b.x), scalar.New().Mul(v, b.x), minus(v)
	acc.own(ux, b.b)
	acc.own(u, b.a)
	acc.own(vx, b.c)
	acc.own(v, b.d)
	acc.h.Add(&acc.h, t.Mul(u, b.zA))
	acc.h.Add(&acc.h, t.Mul(v, b.zC))
	uvx := scalar.New().Add(u, vx)
	for i, f := range b.f {
		// u f_i + v f_i (x - f_i) = f_i ((u + v x) - v f_i)
		t.Mul(negV, f)
		t.Add(&t, uvx)
		t.Mul(&t, f)
		acc.k[i].Add(&acc.k[i], &t)
	}
}

// addCiphertext adds the next two:
//
//	u (x C_0 + T0) = u zr G
//	v (x sum rho_j C_j + T1) = v ((sum rho_j f_j) G + zr sum rho_j P_j)
func (acc *accumulator) addCiphertext(b *EncryptedBallot, u, v *scalar.Scalar) {
	var t scalar.Scalar
	acc.own(scalar.New().Mul(u, b.x), b.ciphertext.c0)
	acc.own(u, b.t0)
	acc.own(v, b.t1)
	acc.g.Add(&acc.g, t.Mul(u, b.zR))
	vRho := *v
	for i, j := range b.ciphertext.style.optionAt {
		if j < 0 {
			continue
		}
		vRho.Mul(&vRho, b.rho) // v rho_j
		acc.own(scalar.New().Mul(&vRho, b.x), b.ciphertext.c[j])
		acc.g.Add(&acc.g, t.Mul(&vRho, b.f[i]))
		slot := b.ciphertext.style.slots[j]
		acc.used[slot] = true
		acc.keys[slot].Add(&acc.keys[slot], t.Mul(&vRho, b.zR))
	}
}

// addSignature adds the last, turned round: u (R + e V) = u s G.
func (acc *accumulator) addSignature(b *EncryptedBallot, u *scalar.Scalar) {
	var t scalar.Scalar
	acc.own(u, b.nonce)
	acc.own(scalar.New().Mul(u, b.e), b.statement.Voter.point)
	acc.g.Add(&acc.g, t.Mul(u, b.s))
}
