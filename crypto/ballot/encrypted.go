package ballot

import (
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// EncryptedBallot is a decoded ballot with its challenges. That one exists says nothing about its validity: see Verify and
// VerifyBatch. Immutable.
type EncryptedBallot struct {
	election   *Election
	statement  Statement
	code       [32]byte
	ciphertext *Ciphertext

	a, b, c, d, t0, t1 *curve.RistrettoPoint
	f                  []*scalar.Scalar // by position, the last of each contest filled in
	zA, zC, zR         *scalar.Scalar
	nonce              *curve.RistrettoPoint // R
	s                  *scalar.Scalar

	rho, x, e *scalar.Scalar
}

// The parts of a proof by their place: A, B, C, D, then T0, T1, then f, zA, zC, zr (section 3.6).
const (
	commitmentsEnd = 4 * group.PointSize
	openingsEnd    = 6 * group.PointSize
)

// ParseBallot decodes a ballot and computes its challenges (sections 3.5 and 3.6). Lengths are exact, encodings canonical, no
// point is the identity. It fails with ErrStyle, ErrLength, group.ErrPoint, group.ErrIdentity or group.ErrScalar.
func (e *Election) ParseBallot(st Statement, ciphertext, proof, signature []byte) (*EncryptedBallot, error) {
	if err := st.Voter.check(); err != nil {
		return nil, err
	}
	s, err := e.style(st.Style)
	if err != nil {
		return nil, err
	}
	if len(proof) != s.ProofSize() {
		return nil, fmt.Errorf("%w: proof of %d bytes, want %d", ErrLength, len(proof), s.ProofSize())
	}
	b := &EncryptedBallot{election: e, statement: st}
	if b.nonce, b.s, err = parseSignature(signature); err != nil {
		return nil, err
	}
	if b.ciphertext, err = e.ParseCiphertext(st.Style, ciphertext); err != nil {
		return nil, err
	}
	points, err := parsePoints(proof[:openingsEnd])
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	b.a, b.b, b.c, b.d, b.t0, b.t1 = points[0], points[1], points[2], points[3], points[4], points[5]
	responses, err := parseScalars(proof[openingsEnd:])
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}

	b.rho, b.x, b.e = e.challenges(st, ciphertext, proof, signature)
	b.respond(responses)
	b.code = ConfirmationCode(e.chain, e.election, st.Style, st.RollIndex, st.Sequence, ciphertext)
	return b, nil
}

// ParseWithoutProof decodes what is counted of a ballot: statement, ciphertext and confirmation code. Whoever calls it knows that signature and
// proof hold, for it has verified these same bytes before. What it returns can be verified by nothing: VerifyBatch answers ErrElection. It fails
// as ParseBallot does for these parts.
func (e *Election) ParseWithoutProof(st Statement, ciphertext []byte) (*EncryptedBallot, error) {
	c, err := e.ParseCiphertext(st.Style, ciphertext)
	if err != nil {
		return nil, err
	}
	return &EncryptedBallot{
		statement: st, ciphertext: c, code: ConfirmationCode(e.chain, e.election, st.Style, st.RollIndex, st.Sequence, ciphertext),
	}, nil
}

// challenges returns rho, x and e of a ballot whose parts have the lengths that its style prescribes (section 3.5). They are hashes of
// bytes: nothing of the ballot needs to be decoded for them.
func (e *Election) challenges(st Statement, ciphertext, proof, signature []byte) (rho, x, c *scalar.Scalar) {
	t := e.statement(st, ciphertext)
	rho = appendCommitments(t, proof[:commitmentsEnd])
	x = appendOpenings(t, proof[commitmentsEnd:openingsEnd])
	return rho, x, appendResponses(t, proof[openingsEnd:], signature[:group.PointSize])
}

// respond distributes the scalars of a proof. In each contest f_last = max x - (the other f).
func (b *EncryptedBallot) respond(responses []*scalar.Scalar) {
	for _, c := range b.ciphertext.style.Contests {
		last := scalar.NewFromUint64(uint64(c.Max))
		last.Mul(last, b.x)
		last.Sub(last, scalar.New().Sum(responses[:c.positions()-1]))
		b.f = append(append(b.f, responses[:c.positions()-1]...), last)
		responses = responses[c.positions()-1:]
	}
	b.zA, b.zC, b.zR = responses[0], responses[1], responses[2]
}

// appendCommitments appends A, B, C, D and returns rho.
func appendCommitments(t *transcript.Transcript, abcd []byte) *scalar.Scalar {
	t.Append("commitments", abcd)
	return group.ReduceScalar(t.Challenge("rho"))
}

// appendOpenings appends T0, T1 and returns x.
func appendOpenings(t *transcript.Transcript, t0t1 []byte) *scalar.Scalar {
	t.Append("openings", t0t1)
	return group.ReduceScalar(t.Challenge("x"))
}

// appendResponses appends f, zA, zC, zr and the signature's R, and returns e.
func appendResponses(t *transcript.Transcript, responses, nonce []byte) *scalar.Scalar {
	t.Append("responses", responses)
	return appendNonce(t, nonce)
}

func parseScalars(b []byte) ([]*scalar.Scalar, error) {
	scalars := make([]*scalar.Scalar, len(b)/group.ScalarSize)
	for i := range scalars {
		s, err := group.ParseScalar(b[i*group.ScalarSize : (i+1)*group.ScalarSize])
		if err != nil {
			return nil, fmt.Errorf("scalar %d: %w", i, err)
		}
		scalars[i] = s
	}
	return scalars, nil
}

// Statement returns whose ballot it is.
func (b *EncryptedBallot) Statement() Statement { return b.statement }

// Code returns the confirmation code.
func (b *EncryptedBallot) Code() [32]byte { return b.code }

// Ciphertext returns the decoded ciphertext, for the sums.
func (b *EncryptedBallot) Ciphertext() *Ciphertext { return b.ciphertext }
