package ballot

import (
	"errors"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// ErrLength says that a ciphertext, proof, signature or sum has not exactly the length that its style prescribes.
var ErrLength = errors.New("ballot: wrong length")

// Statement says whose ballot it is: everything that a ballot's transcript holds beside the election and the ciphertext.
type Statement struct {
	// Style is the index of the ballot style.
	Style uint32
	// RollIndex is the voter's place in the roll.
	RollIndex uint64
	// Voter is the key that stands there.
	Voter PublicKey
	// Sequence is the voter's number for this ballot.
	Sequence uint64
}

// Ciphertext is a decoded ciphertext: C_0 = rG and C_j = b_j G + r P_j for each option in ballot order. Immutable.
type Ciphertext struct {
	style *style
	c0    *curve.RistrettoPoint
	c     []*curve.RistrettoPoint
}

// ParseCiphertext decodes the ciphertext of a ballot of this style, without proof. It fails with ErrStyle, ErrLength,
// group.ErrPoint or group.ErrIdentity.
func (e *Election) ParseCiphertext(styleIndex uint32, b []byte) (*Ciphertext, error) {
	s, err := e.style(styleIndex)
	if err != nil {
		return nil, err
	}
	if len(b) != s.CiphertextSize() {
		return nil, fmt.Errorf("%w: ciphertext of %d bytes, want %d", ErrLength, len(b), s.CiphertextSize())
	}
	points, err := parsePoints(b)
	if err != nil {
		return nil, fmt.Errorf("ciphertext: %w", err)
	}
	return &Ciphertext{style: s, c0: points[0], c: points[1:]}, nil
}

// parsePoints decodes len(b)/32 points, none the identity.
func parsePoints(b []byte) ([]*curve.RistrettoPoint, error) {
	points := make([]*curve.RistrettoPoint, len(b)/group.PointSize)
	for i := range points {
		p, err := group.ParsePoint(b[i*group.PointSize : (i+1)*group.PointSize])
		if err != nil {
			return nil, fmt.Errorf("point %d: %w", i, err)
		}
		points[i] = p
	}
	return points, nil
}

// encrypt returns the ciphertext bytes for one bit per position (section 3.4). Constant time in bits and r.
func (e *Election) encrypt(s *style, bits []byte, r *scalar.Scalar) []byte {
	// C_0 = rG
	p := curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, r)
	out := appendPoints(make([]byte, 0, s.CiphertextSize()), p)
	identity, bG := curve.NewRistrettoPoint().Identity(), curve.NewRistrettoPoint()
	for i, j := range s.optionAt {
		if j < 0 {
			continue
		}
		// C_j = b_j G + r P_j
		bG.ConditionalSelect(identity, curve.RISTRETTO_BASEPOINT_POINT, int(bits[i]))
		p.Mul(e.keys[s.slots[j]], r)
		out = appendPoints(out, p.Add(p, bG))
	}
	return out
}

// statement returns the transcript up to and including the ciphertext (section 3.5).
func (e *Election) statement(st Statement, ciphertext []byte) *transcript.Transcript {
	t := e.context(st)
	t.Append("ciphertext", ciphertext)
	return t
}

// context returns the transcript up to and including the sequence number.
func (e *Election) context(st Statement) *transcript.Transcript {
	t := e.prefix.Clone()
	t.AppendUint64("style", uint64(st.Style))
	t.AppendUint64("roll-index", st.RollIndex)
	t.Append("voter", st.Voter.bytes[:])
	t.AppendUint64("sequence", st.Sequence)
	return t
}
