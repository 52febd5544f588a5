package ballot

import (
	"crypto/sha3"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

var (
	// ErrSelections says that selections are repeated, outside the options, or too few or too many.
	ErrSelections = errors.New("ballot: selections not allowed by the contest")
	// ErrVoterKey says that a secret key does not belong to the statement's voter.
	ErrVoterKey = errors.New("ballot: secret key of another voter")
	// ErrSpent says that a draft was already cast or challenged.
	ErrSpent = errors.New("ballot: draft was already cast or challenged")
	// ErrChallengeMismatch says that a challenged ballot does not hold the opened selections: the program that made it is not
	// to be trusted.
	ErrChallengeMismatch = errors.New("ballot: the challenged ballot does not hold the opened selections")
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

// Draft is a ballot between encryption and the voter's choice to cast or to challenge it. It holds secrets and drops them with
// that choice. It is not safe for concurrent use.
type Draft struct {
	election   *Election
	statement  Statement
	style      *style
	ciphertext []byte
	code       [32]byte

	// Secrets, nil once spent.
	key    *SecretKey
	bits   []byte // one per position, 0 or 1
	r      *scalar.Scalar
	nonces *nonces
}

// Encrypt encrypts selections, for each contest of the style the indices of the selected options in any order, and proves and
// signs nothing yet. rand gives 64 bytes. It fails with ErrStyle, ErrVoterKey, ErrSelections or when rand does. Constant time
// in which options are selected.
func (e *Election) Encrypt(st Statement, selections [][]int, key *SecretKey, rand io.Reader) (*Draft, error) {
	s, err := e.style(st.Style)
	if err != nil {
		return nil, err
	}
	if !key.owns(st.Voter) {
		return nil, ErrVoterKey
	}
	bits, err := s.bits(selections)
	if err != nil {
		return nil, err
	}
	n, err := newNonces(rand, key, e.context(st).Challenge("randomness"), bits)
	if err != nil {
		return nil, err
	}
	d := &Draft{election: e, statement: st, style: s, key: key, bits: bits, nonces: n, r: n.next()}
	d.ciphertext = e.encrypt(s, bits, d.r)
	d.code = ConfirmationCode(e.chain, e.election, st.Style, st.RollIndex, st.Sequence, d.ciphertext)
	return d, nil
}

// bits returns one bit per position: 1 for each selected option, and for as many dummies of a contest as selections are
// missing to its greatest number. It fails with ErrSelections.
func (s *style) bits(selections [][]int) ([]byte, error) {
	if len(selections) != len(s.Contests) {
		return nil, fmt.Errorf("%w: %d contests, want %d", ErrSelections, len(selections), len(s.Contests))
	}
	bits := make([]byte, 0, s.positions)
	for i, c := range s.Contests {
		n := len(selections[i])
		if n < c.Min || n > c.Max {
			return nil, fmt.Errorf("%w: contest %d: %d to %d selections", ErrSelections, i, c.Min, c.Max)
		}
		for _, selection := range selections[i] {
			if selection < 0 || selection >= c.Options {
				return nil, fmt.Errorf("%w: contest %d: no such option", ErrSelections, i)
			}
		}
		selected := 0
		for o := range c.Options {
			bit := 0
			for _, selection := range selections[i] {
				bit |= subtle.ConstantTimeEq(int32(selection), int32(o))
			}
			bits, selected = append(bits, byte(bit)), selected+bit
		}
		if selected != n {
			return nil, fmt.Errorf("%w: contest %d: an option is repeated", ErrSelections, i)
		}
		for dummy := range c.Max - c.Min {
			bits = append(bits, byte(subtle.ConstantTimeLessOrEq(n+dummy+1, c.Max)))
		}
	}
	return bits, nil
}

// Code returns the confirmation code, the commitment that the voter sees before choosing.
func (d *Draft) Code() [32]byte { return d.code }

// Ciphertext returns the ciphertext.
func (d *Draft) Ciphertext() []byte { return append([]byte(nil), d.ciphertext...) }

// Cast proves and signs the ballot, some 5 ms for 30 options, and drops its secrets. It fails with ErrSpent.
func (d *Draft) Cast() (ciphertext, proof, signature []byte, err error) {
	if d.r == nil {
		return nil, nil, nil, ErrSpent
	}
	proof, signature = d.prove()
	d.drop()
	return d.Ciphertext(), proof, signature, nil
}

// Opening is what a challenge reveals: all that is needed to encrypt again.
type Opening struct {
	// Randomness is r, 32 little-endian bytes.
	Randomness [32]byte
	// Selections are the selected options by contest, ascending.
	Selections [][]int
}

// Challenge opens the ballot, which can then never be cast, and drops its secrets. Call it only once the ledger has recorded
// the SpoilBallot for this code. It fails with ErrSpent.
func (d *Draft) Challenge() (Opening, error) {
	if d.r == nil {
		return Opening{}, ErrSpent
	}
	o := Opening{Randomness: [32]byte(group.ScalarBytes(d.r)), Selections: make([][]int, len(d.style.Contests))}
	bits := d.bits
	for i, c := range d.style.Contests {
		o.Selections[i] = []int{}
		for option := range c.Options {
			if bits[option] == 1 {
				o.Selections[i] = append(o.Selections[i], option)
			}
		}
		bits = bits[c.positions():]
	}
	d.drop()
	return o, nil
}

// drop overwrites and forgets the secrets.
func (d *Draft) drop() {
	d.r.Zero()
	clear(d.bits)
	d.nonces.xof.Reset()
	d.key, d.bits, d.r, d.nonces = nil, nil, nil, nil
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
	proof = append(proof, group.PointBytes(e.pedersen(rA, masks, k))...)
	proof = append(proof, group.PointBytes(e.commitBits(rB, d.bits))...)
	proof = append(proof, group.PointBytes(e.pedersen(rC, signed, k))...)
	proof = append(proof, group.PointBytes(e.pedersen(rD, squares, k))...)
	t := e.statement(d.statement, d.ciphertext)
	rho := appendCommitments(t, proof)

	// T0 = s G    T1 = (sum_j rho_j a_j) G + s (sum_j rho_j P_j)
	t0 := curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, sMask)
	proof = append(proof, group.PointBytes(t0)...)
	proof = append(proof, group.PointBytes(e.foldMasks(s, rho, masks, sMask))...)
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
