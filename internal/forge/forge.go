// Package forge is a dishonest voter's program: it makes ballots that no honest one makes, with the mathematics done as well as it can
// be. A ballot may take an option twice, take too many, or use a randomness again; the proof follows the prover of
// docs/spec/03-ballot.md line by line, on whatever it is given. Tests, the demo and the benchmark of floods send its ballots straight to
// the nodes.
//
// It is written from the specification and shares no code with crypto/ballot's prover, so an honest ballot of it that
// verifies checks the specification, too. It is not constant time: only these import it.
package forge

import (
	"errors"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/ballot"
	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// Ballot is what a forged ballot claims and holds.
type Ballot struct {
	Statement ballot.Statement
	// Values holds, for each contest of the style, what each option gets: 0 or 1 on an honest ballot.
	Values [][]uint64
	// Randomness is r. Honest programs never use one twice.
	Randomness *scalar.Scalar
	// Key signs; it need not be that of the statement.
	Key *ballot.SecretKey
}

// Scalar draws a scalar from 64 bytes of rand. It fails when rand does.
func Scalar(rand io.Reader) (*scalar.Scalar, error) {
	var wide [64]byte
	if _, err := io.ReadFull(rand, wide[:]); err != nil {
		return nil, fmt.Errorf("forge: random source: %w", err)
	}
	return group.ReduceScalar(wide), nil
}

// Make encrypts, proves and signs b in the election of p, with masks from rand. It fails only when rand does or when the
// values do not fit the style.
func Make(p ballot.Parameters, b Ballot, rand io.Reader) (ciphertext, proof, signature []byte, err error) {
	m := &maker{p: p, b: b, rand: rand}
	if err := m.layOut(); err != nil {
		return nil, nil, nil, err
	}
	ciphertext = m.encrypt()
	proof = m.prove(ciphertext)
	signature, err = Sign(p, b.Statement, ciphertext, proof, b.Key, rand)
	return ciphertext, proof, signature, errors.Join(m.err, err)
}

// Sign signs any ciphertext and proof as a ballot of the statement, whether they belong to it or not: R || s with R = kG,
// s = k + e v (section 3.9). It fails only when rand does.
func Sign(p ballot.Parameters, st ballot.Statement, ciphertext, proof []byte, key *ballot.SecretKey, rand io.Reader) ([]byte, error) {
	v, err := group.ParseScalar(key.Bytes())
	if err != nil {
		return nil, err
	}
	k, err := Scalar(rand)
	if err != nil {
		return nil, err
	}
	t := begin(p, st, ciphertext)
	t.Append("commitments", proof[:4*group.PointSize])
	t.Challenge("rho")
	t.Append("openings", proof[4*group.PointSize:6*group.PointSize])
	t.Challenge("x")
	t.Append("responses", proof[6*group.PointSize:])
	nonce := group.PointBytes(basepoint(k))
	t.Append("nonce", nonce)
	e := group.ReduceScalar(t.Challenge("signature"))
	return append(nonce, group.ScalarBytes(plus(k, times(e, v)))...), nil
}

// maker holds one ballot by position: the options and dummies of each contest in order.
type maker struct {
	p        ballot.Parameters
	b        Ballot
	rand     io.Reader
	err      error // of rand
	contests []ballot.Contest
	bits     []*scalar.Scalar
	slot     []int // by position, -1 for a dummy
}

// layOut gives the dummies of a contest as many ones as its options leave to the greatest number, where they leave any.
func (m *maker) layOut() error {
	m.contests = m.p.Styles[m.b.Statement.Style].Contests
	if len(m.b.Values) != len(m.contests) {
		return fmt.Errorf("forge: values for %d contests of %d", len(m.b.Values), len(m.contests))
	}
	for i, c := range m.contests {
		if len(m.b.Values[i]) != c.Options {
			return fmt.Errorf("forge: contest %d: %d values for %d options", i, len(m.b.Values[i]), c.Options)
		}
		taken := 0
		for o, v := range m.b.Values[i] {
			m.bits, m.slot = append(m.bits, scalar.NewFromUint64(v)), append(m.slot, c.FirstSlot+o)
			taken += int(v)
		}
		for range c.Max - c.Min {
			bit := scalar.New()
			if taken < c.Max {
				bit = scalar.One()
				taken++
			}
			m.bits, m.slot = append(m.bits, bit), append(m.slot, -1)
		}
	}
	return nil
}

// C_0 = rG    C_j = b_j G + r P_j
func (m *maker) encrypt() []byte {
	r := m.b.Randomness
	out := group.PointBytes(basepoint(r))
	for i, j := range m.slot {
		if j >= 0 {
			c := sum([]*scalar.Scalar{r}, []*curve.RistrettoPoint{m.p.Keys[j]})
			out = append(out, group.PointBytes(c.Add(c, basepoint(m.bits[i])))...)
		}
	}
	return out
}

// prove returns the proof of section 3.6.
func (m *maker) prove(ciphertext []byte) []byte {
	t := begin(m.p, m.b.Statement, ciphertext)
	h, k := m.generator(0), make([]*curve.RistrettoPoint, len(m.bits))
	for i := range k {
		k[i] = m.generator(i + 1)
	}
	pedersen := func(r *scalar.Scalar, s []*scalar.Scalar) []byte {
		return group.PointBytes(sum(append([]*scalar.Scalar{r}, s...), append([]*curve.RistrettoPoint{h}, k...)))
	}
	a := m.masks()
	signed, squares := make([]*scalar.Scalar, len(a)), make([]*scalar.Scalar, len(a))
	for i := range a {
		signed[i] = times(a[i], minus(scalar.One(), plus(m.bits[i], m.bits[i])))
		squares[i] = minus(scalar.New(), times(a[i], a[i]))
	}
	rA, rB, rC, rD, s := m.draw(), m.draw(), m.draw(), m.draw(), m.draw()
	proof := append(pedersen(rA, a), pedersen(rB, m.bits)...)
	proof = append(append(proof, pedersen(rC, signed)...), pedersen(rD, squares)...)
	t.Append("commitments", proof)
	rho := group.ReduceScalar(t.Challenge("rho"))

	// T0 = s G    T1 = (sum_j rho_j a_j) G + s (sum_j rho_j P_j)
	power, folded := scalar.One(), scalar.New()
	var weights []*scalar.Scalar
	var keys []*curve.RistrettoPoint
	for i, j := range m.slot {
		if j >= 0 {
			power = times(power, rho)
			folded = plus(folded, times(power, a[i]))
			weights, keys = append(weights, times(s, power)), append(keys, m.p.Keys[j])
		}
	}
	t1 := sum(weights, keys)
	openings := append(group.PointBytes(basepoint(s)), group.PointBytes(t1.Add(t1, basepoint(folded)))...)
	t.Append("openings", openings)
	x := group.ReduceScalar(t.Challenge("x"))

	// f_i = b_i x + a_i    zA = rB x + rA    zC = rC x + rD    zr = r x + s
	var responses []byte
	at := 0
	for _, c := range m.contests {
		end := at + c.Options + c.Max - c.Min
		for i := at; i < end-1; i++ {
			responses = append(responses, group.ScalarBytes(plus(times(m.bits[i], x), a[i]))...)
		}
		at = end
	}
	for _, z := range [][2]*scalar.Scalar{{rB, rA}, {rC, rD}, {m.b.Randomness, s}} {
		responses = append(responses, group.ScalarBytes(plus(times(z[0], x), z[1]))...)
	}
	return append(append(proof, openings...), responses...)
}

// begin returns the transcript as section 3.5 has it before the proof.
func begin(p ballot.Parameters, st ballot.Statement, ciphertext []byte) *transcript.Transcript {
	t := transcript.New(transcript.LabelBallot)
	t.AppendUint64("version", transcript.Version)
	t.Append("chain", []byte(p.Chain))
	t.Append("election", []byte(p.Election))
	t.Append("manifest", p.Manifest[:])
	t.Append("roll-root", p.RollRoot[:])
	t.Append("key-digest", p.KeyDigest[:])
	t.AppendUint64("style", uint64(st.Style))
	t.AppendUint64("roll-index", st.RollIndex)
	t.Append("voter", st.Voter.Bytes())
	t.AppendUint64("sequence", st.Sequence)
	t.Append("ciphertext", ciphertext)
	return t
}

// generator returns H for 0 and K_i for i (section 3.3).
func (m *maker) generator(i int) *curve.RistrettoPoint {
	const label = transcript.LabelBallotGenerator
	return group.HashToGroup(label, transcript.Frame(label, []byte(m.p.Chain), []byte(m.p.Election), transcript.Uint64(uint64(i))))
}

// masks are random but for the last of each contest, which makes their sum 0.
func (m *maker) masks() []*scalar.Scalar {
	var masks []*scalar.Scalar
	for _, c := range m.contests {
		last := scalar.New()
		for range c.Options + c.Max - c.Min - 1 {
			a := m.draw()
			masks = append(masks, a)
			last = minus(last, a)
		}
		masks = append(masks, last)
	}
	return masks
}

// draw returns a random scalar; a failing source is reported once the ballot is made.
func (m *maker) draw() *scalar.Scalar {
	s, err := Scalar(m.rand)
	if err != nil {
		m.err = err
		return scalar.One()
	}
	return s
}

func basepoint(s *scalar.Scalar) *curve.RistrettoPoint {
	return curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, s)
}

func sum(s []*scalar.Scalar, p []*curve.RistrettoPoint) *curve.RistrettoPoint {
	return curve.NewRistrettoPoint().MultiscalarMul(s, p)
}

func plus(a, b *scalar.Scalar) *scalar.Scalar  { return scalar.New().Add(a, b) }
func minus(a, b *scalar.Scalar) *scalar.Scalar { return scalar.New().Sub(a, b) }
func times(a, b *scalar.Scalar) *scalar.Scalar { return scalar.New().Mul(a, b) }
