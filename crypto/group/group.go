// Package group is the one door through which outside bytes become points and scalars of ristretto255 (RFC 9496).
//
// Every decoder is strict: one encoding per element, the identity only where the caller asks for it by name. The arithmetic
// itself is that of curve25519-voi; this package adds no abstraction over it. Source: docs/spec/02-encodings.md.
package group

import (
	"crypto"
	_ "crypto/sha512" // registers crypto.SHA512
	"errors"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"github.com/oasisprotocol/curve25519-voi/primitives/h2c"
)

// PointSize and ScalarSize are the lengths of the encodings in bytes.
const (
	PointSize  = curve.CompressedPointSize
	ScalarSize = scalar.ScalarSize
)

var (
	// ErrPoint says that bytes are not the canonical encoding of a group element.
	ErrPoint = errors.New("not a canonical ristretto255 point")
	// ErrIdentity says that a point is the identity where it may not be.
	ErrIdentity = errors.New("the identity is not allowed here")
	// ErrScalar says that bytes are not the canonical encoding of a scalar below the group order.
	ErrScalar = errors.New("not a canonical ristretto255 scalar")
)

// ParsePoint decodes 32 bytes as a point. It fails with ErrPoint or ErrIdentity. Variable time: for public values.
func ParsePoint(b []byte) (*curve.RistrettoPoint, error) {
	p, err := ParsePointOrIdentity(b)
	if err != nil {
		return nil, err
	}
	if p.IsIdentity() {
		return nil, ErrIdentity
	}
	return p, nil
}

// ParsePointOrIdentity decodes 32 bytes as a point and lets the identity pass: for sums only. It fails with ErrPoint.
func ParsePointOrIdentity(b []byte) (*curve.RistrettoPoint, error) {
	var c curve.CompressedRistretto
	if _, err := c.SetBytes(b); err != nil {
		return nil, ErrPoint
	}
	p := curve.NewRistrettoPoint()
	if _, err := p.SetCompressed(&c); err != nil {
		return nil, ErrPoint
	}
	return p, nil
}

// PointBytes returns the canonical encoding of p, 32 bytes.
func PointBytes(p *curve.RistrettoPoint) []byte {
	var c curve.CompressedRistretto
	c.SetRistrettoPoint(p)
	return append([]byte(nil), c[:]...)
}

// ParseScalar decodes 32 little-endian bytes as a scalar below the group order. Zero passes. It fails with ErrScalar.
func ParseScalar(b []byte) (*scalar.Scalar, error) {
	s, err := scalar.NewFromCanonicalBytes(b)
	if err != nil {
		return nil, ErrScalar
	}
	return s, nil
}

// ScalarBytes returns the canonical encoding of s, 32 little-endian bytes. Constant time.
func ScalarBytes(s *scalar.Scalar) []byte {
	b, err := s.MarshalBinary()
	if err != nil {
		panic("group: a reduced scalar always encodes: " + err.Error())
	}
	return b
}

// ReduceScalar returns 64 uniform little-endian bytes modulo the group order. Constant time.
func ReduceScalar(b [64]byte) *scalar.Scalar {
	s, err := scalar.NewFromBytesModOrderWide(b[:])
	if err != nil {
		panic("group: 64 bytes always reduce: " + err.Error())
	}
	return s
}

// HashToGroup maps a message to a point whose logarithm nobody knows: ristretto255_XMD:SHA-512_R255MAP_RO_ of RFC 9380 with
// the domain label as DST. Labels are 1 to 255 bytes.
func HashToGroup(label string, msg []byte) *curve.RistrettoPoint {
	p, err := h2c.Ristretto255_XMD_R255MAP_RO(crypto.SHA512, []byte(label), msg)
	if err != nil {
		panic("group: label of a wrong length: " + err.Error())
	}
	return p
}
