package threshold

import (
	"crypto/sha3"
	"io"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// ProofSize is the length of every proof of this package: challenge c and response s, 32 bytes each.
const ProofSize = 2 * group.ScalarSize

// Proof is a proof of possession, of a trial decryption or of a partial decryption: c || s.
type Proof [ProofSize]byte

// hedge returns a stream of secret scalars, each 64 bytes of SHAKE256 reduced modulo the order. The hash is over the
// label, 64 fresh bytes of random, and the items: secrets, and everything that the scalars will be used for. It fails
// only if random fails. Section 4.12.
func hedge(label string, random io.Reader, items ...[]byte) (func() *scalar.Scalar, error) {
	var fresh [64]byte
	if _, err := io.ReadFull(random, fresh[:]); err != nil {
		return nil, err
	}
	shake := sha3.NewSHAKE256()
	shake.Write(transcript.Frame(label, append([][]byte{fresh[:]}, items...)...))
	return func() *scalar.Scalar {
		var wide [64]byte
		shake.Read(wide[:])
		return group.ReduceScalar(wide)
	}, nil
}

// start begins the transcript of a proof. Section 4.2.
func start(label, chain, election string) *transcript.Transcript {
	t := transcript.New(label)
	t.AppendUint64("version", transcript.Version)
	t.Append("chain", []byte(chain))
	t.Append("election", []byte(election))
	return t
}

// equality is the statement that for each slot j one x_j gives x_j B = V_{B,j} for every base B: with one base a proof of
// knowledge (Schnorr), with two an equality of logarithms (Chaum-Pedersen). The transcript t already holds everything that
// the proof speaks about, and lambda, which was drawn from it. Sections 4.6 and 4.10.
//
//	V_B = sum over j of lambda^j V_{B,j}       y = sum over j of lambda^j x_j
//	R_B = k B    c = Hash(t, R_1, R_2...)      s = k + c y
//	verifier: R_B = s B - c V_B
type equality struct {
	t      *transcript.Transcript
	lambda [transcript.ChallengeSize]byte
	bases  []*curve.RistrettoPoint
	images [][]*curve.RistrettoPoint // [base][slot]
}

// newEquality draws lambda from a transcript that holds the whole statement.
func newEquality(t *transcript.Transcript, bases []*curve.RistrettoPoint, images ...[]*curve.RistrettoPoint) equality {
	return equality{t: t, lambda: t.Challenge("lambda"), bases: bases, images: images}
}

// prove makes the proof with the secrets x_j. It fails only if random fails. Constant time.
func (e equality) prove(x []*scalar.Scalar, random io.Reader) (Proof, error) {
	stream, err := hedge(transcript.LabelShareRandomness, random, scalarsBytes(x), e.lambda[:])
	if err != nil {
		return Proof{}, err
	}
	k := stream()
	commitments := make([]*curve.RistrettoPoint, len(e.bases))
	for i, base := range e.bases {
		commitments[i] = curve.NewRistrettoPoint().Mul(base, k)
	}
	c := e.challenge(commitments)
	// s = k + c sum lambda^j x_j
	y := scalar.New()
	for j, weight := range powers(group.ReduceScalar(e.lambda), len(x)) {
		y.Add(y, scalar.New().Mul(weight, x[j]))
	}
	s := scalar.New().Add(k, scalar.New().Mul(c, y))
	var proof Proof
	copy(proof[:group.ScalarSize], group.ScalarBytes(c))
	copy(proof[group.ScalarSize:], group.ScalarBytes(s))
	return proof, nil
}

// verify checks the proof. It fails with ErrProof, also where c or s is not canonical.
func (e equality) verify(proof Proof) error {
	c, err := group.ParseScalar(proof[:group.ScalarSize])
	if err != nil {
		return ErrProof
	}
	s, err := group.ParseScalar(proof[group.ScalarSize:])
	if err != nil {
		return ErrProof
	}
	// R_B = s B - sum over j of c lambda^j V_{B,j}
	weights := powers(group.ReduceScalar(e.lambda), len(e.images[0]))
	for _, w := range weights {
		w.Mul(w, scalar.New().Neg(c))
	}
	weights = append(weights, s)
	commitments := make([]*curve.RistrettoPoint, len(e.bases))
	for i, base := range e.bases {
		points := append(slices.Clone(e.images[i]), base)
		commitments[i] = curve.NewRistrettoPoint().MultiscalarMulVartime(weights, points)
	}
	if e.challenge(commitments).Equal(c) != 1 {
		return ErrProof
	}
	return nil
}

func (e equality) challenge(commitments []*curve.RistrettoPoint) *scalar.Scalar {
	t := e.t.Clone()
	t.Append("R", PointsBytes(commitments))
	return group.ReduceScalar(t.Challenge("c"))
}

// possession is the statement that the dealer knows the constant term of each of its polynomials. Section 4.6.
func (c Ceremony) possession(dealer uint32, commitments *Commitments) (equality, error) {
	if dealer == 0 {
		return equality{}, ErrIndex
	}
	if len(commitments.slots) != c.Slots {
		return equality{}, ErrLength
	}
	t := start(transcript.LabelPossession, c.Chain, c.Election)
	t.Append("organisation", []byte(c.Organisation))
	t.AppendUint64("attempt", uint64(c.Attempt))
	t.AppendUint64("slots", uint64(c.Slots))
	t.AppendUint64("quorum", uint64(c.Quorum))
	t.AppendUint64("dealer", uint64(dealer))
	t.Append("commitments", commitments.Bytes())
	constants := make([]*curve.RistrettoPoint, c.Slots)
	for j, row := range commitments.slots {
		constants[j] = row[0]
	}
	return newEquality(t, []*curve.RistrettoPoint{curve.RISTRETTO_BASEPOINT_POINT}, constants), nil
}

// ProvePossession proves that the dealer knows its part of every slot's key. It fails with ErrIndex, ErrLength or the
// error of random. Constant time. Section 4.6.
func (c Ceremony) ProvePossession(dealer uint32, p *Polynomials, commitments *Commitments, random io.Reader) (Proof, error) {
	e, err := c.possession(dealer, commitments)
	if err != nil {
		return Proof{}, err
	}
	constants := make([]*scalar.Scalar, len(p.slots))
	for j, f := range p.slots {
		constants[j] = f[0]
	}
	return e.prove(constants, random)
}

// VerifyPossession checks a dealer's proof of possession. It fails with ErrIndex, ErrLength or ErrProof. Section 4.6.
func (c Ceremony) VerifyPossession(dealer uint32, commitments *Commitments, proof Proof) error {
	e, err := c.possession(dealer, commitments)
	if err != nil {
		return err
	}
	return e.verify(proof)
}
