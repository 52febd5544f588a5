package ballot

import (
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// PublicKey is a voter's key V = vG. The zero value is no key and is refused wherever a key is used.
type PublicKey struct {
	bytes [group.PointSize]byte
	point *curve.RistrettoPoint
}

// ParsePublicKey decodes 32 bytes. It fails with group.ErrPoint or group.ErrIdentity.
func ParsePublicKey(b []byte) (PublicKey, error) {
	p, err := group.ParsePoint(b)
	if err != nil {
		return PublicKey{}, fmt.Errorf("voter key: %w", err)
	}
	return PublicKey{bytes: [group.PointSize]byte(b), point: p}, nil
}

// Bytes returns the canonical encoding, 32 bytes.
func (k PublicKey) Bytes() []byte { return append([]byte(nil), k.bytes[:]...) }

// check returns group.ErrIdentity for the zero value.
func (k PublicKey) check() error {
	if k.point == nil {
		return fmt.Errorf("voter key: %w", group.ErrIdentity)
	}
	return nil
}

// SecretKey is a voter's secret scalar v, never zero, with its public key.
type SecretKey struct {
	v      *scalar.Scalar
	public PublicKey
}

// GenerateKey draws a key from 64 bytes of rand. It fails when rand does.
func GenerateKey(rand io.Reader) (*SecretKey, error) {
	var wide [64]byte
	if _, err := io.ReadFull(rand, wide[:]); err != nil {
		return nil, fmt.Errorf("ballot: random source: %w", err)
	}
	return newSecretKey(group.ReduceScalar(wide))
}

// ParseSecretKey decodes the 32 bytes of SecretKey.Bytes. It fails with group.ErrScalar, for zero too.
func ParseSecretKey(b []byte) (*SecretKey, error) {
	v, err := group.ParseScalar(b)
	if err != nil {
		return nil, fmt.Errorf("voter secret: %w", err)
	}
	return newSecretKey(v)
}

func newSecretKey(v *scalar.Scalar) (*SecretKey, error) {
	if v.Equal(scalar.New()) == 1 {
		return nil, fmt.Errorf("voter secret: %w", group.ErrScalar)
	}
	p := curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, v)
	return &SecretKey{v: v, public: PublicKey{bytes: [group.PointSize]byte(group.PointBytes(p)), point: p}}, nil
}

// Public returns V = vG.
func (key *SecretKey) Public() PublicKey { return key.public }

// Bytes returns the canonical encoding of v, 32 little-endian bytes: a secret.
func (key *SecretKey) Bytes() []byte { return group.ScalarBytes(key.v) }

// owns says whether p is the public key of k. Constant time.
func (key *SecretKey) owns(p PublicKey) bool {
	return subtle.ConstantTimeCompare(key.public.bytes[:], p.bytes[:]) == 1
}

// sign returns the Schnorr signature R || s with R = kG and s = k + e v (section 3.9). challenge gives e for the 32 bytes of
// R. k is a fresh secret for each signature. Constant time in k and v.
func (key *SecretKey) sign(k *scalar.Scalar, challenge func(nonce []byte) *scalar.Scalar) []byte {
	nonce := group.PointBytes(curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, k))
	s := scalar.New().Mul(challenge(nonce), key.v)
	return append(nonce, group.ScalarBytes(s.Add(s, k))...)
}

// parseSignature decodes R || s. It fails with ErrLength, group.ErrPoint, group.ErrIdentity or group.ErrScalar.
func parseSignature(b []byte) (nonce *curve.RistrettoPoint, s *scalar.Scalar, err error) {
	if len(b) != SignatureSize {
		return nil, nil, fmt.Errorf("%w: signature of %d bytes, want %d", ErrLength, len(b), SignatureSize)
	}
	if nonce, err = group.ParsePoint(b[:group.PointSize]); err != nil {
		return nil, nil, fmt.Errorf("signature: %w", err)
	}
	if s, err = group.ParseScalar(b[group.PointSize:]); err != nil {
		return nil, nil, fmt.Errorf("signature: %w", err)
	}
	return nonce, s, nil
}

// appendNonce appends R and returns e.
func appendNonce(t *transcript.Transcript, nonce []byte) *scalar.Scalar {
	t.Append("nonce", nonce)
	return group.ReduceScalar(t.Challenge("signature"))
}

// signStatement signs what a transcript holds for a signer, 64 bytes (section 3.16). rand gives 64 bytes. It fails with ErrVoterKey where the
// key is not the signer's, or when rand does. Constant time in the key.
func (key *SecretKey) signStatement(signer PublicKey, t *transcript.Transcript, rand io.Reader) ([]byte, error) {
	if !key.owns(signer) {
		return nil, ErrVoterKey
	}
	n, err := newNonces(rand, key, t.Clone().Challenge("randomness"), nil)
	if err != nil {
		return nil, err
	}
	return key.sign(n.next(), func(nonce []byte) *scalar.Scalar { return appendNonce(t, nonce) }), nil
}

// verifyStatement checks what signStatement made. It fails with ErrLength, group.ErrPoint, group.ErrIdentity, group.ErrScalar or
// ErrSignature. Variable time.
func (k PublicKey) verifyStatement(t *transcript.Transcript, signature []byte) error {
	if err := k.check(); err != nil {
		return err
	}
	nonce, response, err := parseSignature(signature)
	if err != nil {
		return err
	}
	return verifySchnorr(k, nonce, response, appendNonce(t, signature[:group.PointSize]))
}

// verifySchnorr checks s G = R + e V. It fails with ErrSignature.
func verifySchnorr(voter PublicKey, nonce *curve.RistrettoPoint, s, e *scalar.Scalar) error {
	// R = s G - e V
	r := curve.NewRistrettoPoint().DoubleScalarMulBasepointVartime(scalar.New().Neg(e), voter.point, s)
	if r.Equal(nonce) != 1 {
		return ErrSignature
	}
	return nil
}
