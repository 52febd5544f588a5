package ballot

import (
	"errors"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// The five equations of section 3.7 by name. ErrElection says that a ballot was parsed for another election.
var (
	ErrBits       = errors.New("ballot: the selections are not committed to (equation 1)")
	ErrProducts   = errors.New("ballot: a selection is neither 0 nor 1 (equation 2)")
	ErrNonce      = errors.New("ballot: the randomness is not known (equation 3)")
	ErrCiphertext = errors.New("ballot: the ciphertext does not hold the selections (equation 4)")
	ErrSignature  = errors.New("ballot: bad signature (equation 5)")
	ErrElection   = errors.New("ballot: parsed for another election")
)

// Verify checks one ballot equation by equation and names the first that fails. It is the reference for VerifyBatch, which is
// faster even for one ballot. Variable time.
func (e *Election) Verify(b *EncryptedBallot) error {
	if b.election != e {
		return ErrElection
	}
	s, k := b.ciphertext.style, e.k[:len(b.f)]
	one, negX := scalar.One(), scalar.New().Neg(b.x)

	// x B + A = zA H + sum f_i K_i
	if !sum(terms{{negX, b.b}, {minus(one), b.a}, {b.zA, e.h}}.and(b.f, k)) {
		return ErrBits
	}
	// x C + D = zC H + sum f_i (x - f_i) K_i
	products := make([]*scalar.Scalar, len(b.f))
	for i, f := range b.f {
		products[i] = scalar.New().Sub(b.x, f)
		products[i].Mul(products[i], f)
	}
	if !sum(terms{{negX, b.c}, {minus(one), b.d}, {b.zC, e.h}}.and(products, k)) {
		return ErrProducts
	}
	// x C_0 + T0 = zr G
	if !sum(terms{{negX, b.ciphertext.c0}, {minus(one), b.t0}, {b.zR, curve.RISTRETTO_BASEPOINT_POINT}}) {
		return ErrNonce
	}
	// x sum rho_j C_j + T1 = (sum rho_j f_j) G + zr sum rho_j P_j
	rhoJ, g, ts := scalar.One(), scalar.New(), terms{{minus(one), b.t1}}
	for i, j := range s.optionAt {
		if j < 0 {
			continue
		}
		rhoJ = scalar.New().Mul(rhoJ, b.rho)
		g.Add(g, scalar.New().Mul(rhoJ, b.f[i]))
		ts = append(ts, term{scalar.New().Mul(rhoJ, negX), b.ciphertext.c[j]})
		ts = append(ts, term{scalar.New().Mul(rhoJ, b.zR), e.keys[s.slots[j]]})
	}
	if !sum(append(ts, term{g, curve.RISTRETTO_BASEPOINT_POINT})) {
		return ErrCiphertext
	}
	return VerifySignature(b)
}

// VerifySignature checks the signature of a ballot alone, without its proof: s G = R + e V. It fails with ErrSignature.
// Variable time.
func VerifySignature(b *EncryptedBallot) error {
	return verifySchnorr(b.statement.Voter, b.nonce, b.s, b.e)
}

type term struct {
	s *scalar.Scalar
	p *curve.RistrettoPoint
}

type terms []term

func (ts terms) and(s []*scalar.Scalar, p []*curve.RistrettoPoint) terms {
	for i := range s {
		ts = append(ts, term{s[i], p[i]})
	}
	return ts
}

// sum says whether the terms add up to the identity.
func sum(ts terms) bool {
	s, p := make([]*scalar.Scalar, len(ts)), make([]*curve.RistrettoPoint, len(ts))
	for i, t := range ts {
		s[i], p[i] = t.s, t.p
	}
	return curve.NewRistrettoPoint().MultiscalarMulVartime(s, p).IsIdentity()
}

func minus(s *scalar.Scalar) *scalar.Scalar { return scalar.New().Neg(s) }
