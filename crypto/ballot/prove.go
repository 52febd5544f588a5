package ballot

import (
	"crypto/sha3"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// nonces is the stream of secret scalars of one ballot or spoiling signature (section 3.10).
type nonces struct{ xof *sha3.SHAKE }

// newNonces starts SHAKE256 over 64 fresh bytes, the voter's secret key, the digest of the statement and the selections, so
// that neither a weak source nor a repeated statement repeats a scalar for other selections. It fails when rand does.
func newNonces(rand io.Reader, key *SecretKey, statement [transcript.ChallengeSize]byte, selections []byte) (*nonces, error) {
	var fresh [64]byte
	if _, err := io.ReadFull(rand, fresh[:]); err != nil {
		return nil, fmt.Errorf("ballot: random source: %w", err)
	}
	n := &nonces{xof: sha3.NewSHAKE256()}
	n.xof.Write(transcript.Frame(transcript.LabelBallotRandomness, fresh[:], key.Bytes(), statement[:], selections))
	return n, nil
}

// next returns the next 64 bytes of the stream modulo the group order.
func (n *nonces) next() *scalar.Scalar {
	var wide [64]byte
	n.xof.Read(wide[:])
	return group.ReduceScalar(wide)
}

// prove runs the prover of section 3.6 and signs (section 3.9). Constant time in bits, masks, r and the key.
func (d *Draft) prove() (proof, signature []byte) {
	e, s := d.election, d.style
	rA, rB, rC, rD, sMask := d.nonces.next(), d.nonces.next(), d.nonces.next(), d.nonces.next(), d.nonces.next()
	masks := d.masks()
	k := e.k[:s.positions]

	// A = rA H + sum a_i K_i    C = rC H + sum a_i (1 - 2 b_i) K_i    D = rD H - sum a_i^2 K_i
	signed, squares := make([]*scalar.Scalar, len(masks)), make([]*scalar.Scalar, len(masks))
	for i, a := range masks {
		negA := minus(a)
		signed[i], squares[i] = scalar.New(), scalar.New().Mul(a, negA)
		signed[i].ConditionalSelect(a, negA, int(d.bits[i]))
	}
	proof = appendPoints(nil,
		e.pedersen(rA, masks, k), e.commitBits(rB, d.bits), e.pedersen(rC, signed, k), e.pedersen(rD, squares, k))
	t := e.statement(d.statement, d.ciphertext)
	rho := appendCommitments(t, proof)

	// T0 = s G    T1 = (sum_j rho_j a_j) G + s (sum_j rho_j P_j)
	t0 := curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, sMask)
	proof = appendPoints(proof, t0, e.foldMasks(s, rho, masks, sMask))
	x := appendOpenings(t, proof[commitmentsEnd:])

	// f_i = b_i x + a_i    zA = rB x + rA    zC = rC x + rD    zr = r x + s
	at := 0
	for _, c := range s.Contests {
		for i := at; i < at+c.positions()-1; i++ {
			f := scalar.New()
			f.ConditionalSelect(f, x, int(d.bits[i]))
			proof = append(proof, group.ScalarBytes(f.Add(f, masks[i]))...)
		}
		at += c.positions()
	}
	for _, z := range [][2]*scalar.Scalar{{rB, rA}, {rC, rD}, {d.r, sMask}} {
		response := scalar.New().Mul(z[0], x)
		proof = append(proof, group.ScalarBytes(response.Add(response, z[1]))...)
	}
	return proof, d.key.sign(d.nonces.next(), func(nonce []byte) *scalar.Scalar {
		return appendResponses(t, proof[openingsEnd:], nonce)
	})
}

// appendPoints appends the encodings of points, 32 bytes each.
func appendPoints(dst []byte, points ...*curve.RistrettoPoint) []byte {
	for _, p := range points {
		dst = append(dst, group.PointBytes(p)...)
	}
	return dst
}

// masks draws a_i for every position; in each contest the last makes the sum 0.
func (d *Draft) masks() []*scalar.Scalar {
	var masks []*scalar.Scalar
	for _, c := range d.style.Contests {
		last := scalar.New()
		for range c.positions() - 1 {
			a := d.nonces.next()
			masks = append(masks, a)
			last.Sub(last, a)
		}
		masks = append(masks, last)
	}
	return masks
}

// pedersen returns r H + sum s_i K_i. Constant time.
func (e *Election) pedersen(r *scalar.Scalar, s []*scalar.Scalar, k []*curve.RistrettoPoint) *curve.RistrettoPoint {
	scalars := append([]*scalar.Scalar{r}, s...)
	points := append([]*curve.RistrettoPoint{e.h}, k...)
	return curve.NewRistrettoPoint().MultiscalarMul(scalars, points)
}

// commitBits returns B = r H + sum b_i K_i. Constant time.
func (e *Election) commitBits(r *scalar.Scalar, bits []byte) *curve.RistrettoPoint {
	b := curve.NewRistrettoPoint().Mul(e.h, r)
	identity, chosen := curve.NewRistrettoPoint().Identity(), curve.NewRistrettoPoint()
	for i, bit := range bits {
		chosen.ConditionalSelect(identity, e.k[i], int(bit))
		b.Add(b, chosen)
	}
	return b
}

// foldMasks returns T1 = (sum_j rho_j a_j) G + s (sum_j rho_j P_j). Constant time in the masks and s; rho is public.
func (e *Election) foldMasks(st *style, rho *scalar.Scalar, masks []*scalar.Scalar, s *scalar.Scalar) *curve.RistrettoPoint {
	rhoJ, folded := scalar.One(), scalar.New()
	var rhos []*scalar.Scalar
	var keys []*curve.RistrettoPoint
	for i, j := range st.optionAt {
		if j < 0 {
			continue
		}
		rhoJ = scalar.New().Mul(rhoJ, rho)
		folded.Add(folded, scalar.New().Mul(rhoJ, masks[i]))
		rhos, keys = append(rhos, rhoJ), append(keys, e.keys[st.slots[j]])
	}
	key := curve.NewRistrettoPoint().MultiscalarMulVartime(rhos, keys)
	t1 := curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, folded)
	return t1.Add(t1, key.Mul(key, s))
}
