package ballot

import (
	"errors"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

var (
	// ErrSignature says that the voter did not sign: equation 5 fails (section 3.7).
	ErrSignature = errors.New("ballot: not signed by the voter")
	// ErrProof says that the voter signed a ballot whose proof is not valid: one of the equations 1 to 4 fails.
	ErrProof = errors.New("ballot: proof not valid")
	// ErrElection says that a ballot was parsed for another election.
	ErrElection = errors.New("ballot: parsed for another election")
)

// Verify checks one ballot equation by equation as section 3.7 has them. It is the reference for VerifyBatch, which is faster
// even for one ballot. It fails with ErrElection, ErrSignature or ErrProof, which names the equation. Variable time.
func (e *Election) Verify(b *EncryptedBallot) error {
	if b.election != e {
		return ErrElection
	}
	if err := VerifySignature(b); err != nil {
		return err
	}
	for i, equation := range e.equations(b) {
		if !vanishes(equation) {
			return fmt.Errorf("%w: equation %d, %s", ErrProof, i+1, equationNames[i])
		}
	}
	return nil
}

// equationNames say what the equations 1 to 4 show.
var equationNames = [4]string{"the commitment to the selections", "selections of 0 or 1", "the randomness", "the ciphertext"}

// equations returns the equations 1 to 4 of a ballot, right side less left side: each holds where its terms vanish.
func (e *Election) equations(b *EncryptedBallot) [4]terms {
	s, k := b.ciphertext.style, e.k[:len(b.f)]
	negOne, negX := minus(scalar.One()), minus(b.x)

	// x B + A = zA H + sum f_i K_i
	first := terms{{negX, b.b}, {negOne, b.a}, {b.zA, e.h}}.and(b.f, k)

	// x C + D = zC H + sum f_i (x - f_i) K_i
	products := make([]*scalar.Scalar, len(b.f))
	for i, f := range b.f {
		products[i] = scalar.New().Sub(b.x, f)
		products[i].Mul(products[i], f)
	}
	second := terms{{negX, b.c}, {negOne, b.d}, {b.zC, e.h}}.and(products, k)

	// x C_0 + T0 = zr G
	third := terms{{negX, b.ciphertext.c0}, {negOne, b.t0}, {b.zR, curve.RISTRETTO_BASEPOINT_POINT}}

	// x sum rho_j C_j + T1 = (sum rho_j f_j) G + zr sum rho_j P_j
	rhoJ, g, fourth := scalar.One(), scalar.New(), terms{{negOne, b.t1}}
	for i, j := range s.optionAt {
		if j < 0 {
			continue
		}
		rhoJ = scalar.New().Mul(rhoJ, b.rho)
		g.Add(g, scalar.New().Mul(rhoJ, b.f[i]))
		fourth = append(fourth, term{scalar.New().Mul(rhoJ, negX), b.ciphertext.c[j]})
		fourth = append(fourth, term{scalar.New().Mul(rhoJ, b.zR), e.keys[s.slots[j]]})
	}
	return [4]terms{first, second, third, append(fourth, term{g, curve.RISTRETTO_BASEPOINT_POINT})}
}

// VerifySignature checks the signature of a ballot alone, without its proof: s G = R + e V. It fails with ErrSignature.
// Variable time.
func VerifySignature(b *EncryptedBallot) error {
	return verifySchnorr(b.statement.Voter, b.nonce, b.s, b.e)
}

// CheckSignature checks the signature of a ballot that is not decoded, equation 5 alone: s G = R + e V. e is a hash of the ballot's bytes
// (section 3.5), so of its points only R is decoded, and it costs a fraction of ParseBallot. nil says that the voter signed these bytes,
// and nothing of what they are: the rest may be no ballot at all. Of a ballot that parses it fails exactly where VerifyBatch fails with
// ErrSignature.
//
// It fails with ErrStyle, ErrLength, group.ErrPoint, group.ErrIdentity or group.ErrScalar where ParseBallot refuses the ballot, too,
// and with ErrSignature. Variable time.
func (e *Election) CheckSignature(st Statement, ciphertext, proof, signature []byte) error {
	if err := st.Voter.check(); err != nil {
		return err
	}
	s, err := e.style(st.Style)
	if err != nil {
		return err
	}
	if len(ciphertext) != s.CiphertextSize() || len(proof) != s.ProofSize() {
		return fmt.Errorf("%w: ciphertext and proof of %d and %d bytes, want %d and %d", ErrLength, len(ciphertext), len(proof), s.CiphertextSize(), s.ProofSize())
	}
	nonce, response, err := parseSignature(signature)
	if err != nil {
		return err
	}
	_, _, challenge := e.challenges(st, ciphertext, proof, signature)
	return verifySchnorr(st.Voter, nonce, response, challenge)
}

// term is a summand s p.
type term struct {
	s *scalar.Scalar
	p *curve.RistrettoPoint
}

type terms []term

// and appends s_i p_i for all i.
func (ts terms) and(s []*scalar.Scalar, p []*curve.RistrettoPoint) terms {
	for i := range s {
		ts = append(ts, term{s[i], p[i]})
	}
	return ts
}

// vanishes says whether the terms add up to the identity.
func vanishes(ts terms) bool {
	s, p := make([]*scalar.Scalar, len(ts)), make([]*curve.RistrettoPoint, len(ts))
	for i, t := range ts {
		s[i], p[i] = t.s, t.p
	}
	return curve.NewRistrettoPoint().MultiscalarMulVartime(s, p).IsIdentity()
}

// minus returns -s. Constant time.
func minus(s *scalar.Scalar) *scalar.Scalar { return scalar.New().Neg(s) }
