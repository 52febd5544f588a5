// Package threshold is the mathematics of the election key: how the trustees of each organisation make their part of it
// without anybody ever holding it, how they show before the election that it works, and how they open a sum at the end.
//
// Key generation is Feldman's (1987) inside every organisation, for all slots at once, with hashes before commitments, a
// proof of possession over all slots, and shares encrypted with HPKE (RFC 9180) to single-use keys whose private half is
// the complaint. Decryption is threshold ElGamal with one Chaum-Pedersen proof for all slots of a contest. The package
// knows neither phases nor deadlines nor who may speak: that is app's. It opens what it is given; that only the sum which
// consensus fixed is ever given to a trustee's secret is the duty of client/trustee.
//
// Functions that take a secret compute with it in constant time; all others run in variable time over public data.
// Source: docs/spec/04-keys-and-tally.md, whose sections the comments cite.
package threshold

import (
	"errors"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
)

var (
	// ErrQuorum says that a quorum does not fit the number of trustees, or that fewer than a quorum are there.
	ErrQuorum = errors.New("threshold: wrong quorum")
	// ErrIndex says that a trustee's index is 0, stands twice, is unknown or out of order, or an organisation out of order.
	ErrIndex = errors.New("threshold: wrong trustee index")
	// ErrLength says that something does not have one element for each slot, or bytes not the length they must have.
	ErrLength = errors.New("threshold: wrong length")
	// ErrProof says that a proof does not hold for its statement.
	ErrProof = errors.New("threshold: proof does not hold")
	// ErrShare says that a share does not open or does not match the commitments or keys it belongs to.
	ErrShare = errors.New("threshold: share does not match")
	// ErrReceiverKey says that a single-use key is not a canonical X25519 key or is of small order.
	ErrReceiverKey = errors.New("threshold: not a usable receiver key")
	// ErrComplaintKey says that the private key of a complaint is not that of the published receiver key.
	ErrComplaintKey = errors.New("threshold: complaint key does not match the published one")
	// ErrKeys says that joint keys are degenerate: one is the identity, or two are equal.
	ErrKeys = errors.New("threshold: degenerate keys")
	// ErrTrial says that the shares of a trial decryption do not combine to the key.
	ErrTrial = errors.New("threshold: trial decryption does not combine")
)

// CheckQuorum says whether k of n trustees may hold a key: 2 <= k and n >= 2k - 1, so that k - 1 dishonest ones can
// neither open nor block. It fails with ErrQuorum. Section 4.1.
func CheckQuorum(quorum, trustees int) error {
	if quorum < 2 || trustees < 2*quorum-1 {
		return ErrQuorum
	}
	return nil
}

// ParsePoints decodes n concatenated points of 32 bytes, none of them the identity. It fails with ErrLength, or with the
// errors of group.ParsePoint.
func ParsePoints(b []byte, n int) ([]*curve.RistrettoPoint, error) {
	if n < 0 || len(b)%group.PointSize != 0 || len(b)/group.PointSize != n {
		return nil, ErrLength
	}
	points := make([]*curve.RistrettoPoint, n)
	for i := range points {
		p, err := group.ParsePoint(b[i*group.PointSize : (i+1)*group.PointSize])
		if err != nil {
			return nil, err
		}
		points[i] = p
	}
	return points, nil
}

// PointsBytes returns the concatenated encodings of points, 32 bytes each: how rows of points stand in records and hashes.
func PointsBytes(points []*curve.RistrettoPoint) []byte {
	out := make([]byte, 0, len(points)*group.PointSize)
	for _, p := range points {
		out = append(out, group.PointBytes(p)...)
	}
	return out
}

// lagrange returns for distinct indices i_1..i_k the coefficients L_a = prod over b != a of i_b / (i_b - i_a), with which
// f(0) = sum L_a f(i_a) for every polynomial f of degree below k. Public data. Section 4.1.
func lagrange(indices []uint32) []*scalar.Scalar {
	out := make([]*scalar.Scalar, len(indices))
	for a, ia := range indices {
		numerator, denominator := scalar.One(), scalar.One()
		for b, ib := range indices {
			if a == b {
				continue
			}
			numerator.Mul(numerator, scalar.NewFromUint64(uint64(ib)))
			difference := scalar.New().Sub(scalar.NewFromUint64(uint64(ib)), scalar.NewFromUint64(uint64(ia)))
			denominator.Mul(denominator, difference)
		}
		out[a] = numerator.Mul(numerator, denominator.Invert(denominator))
	}
	return out
}

// powers returns lambda, lambda^2, ..., lambda^n.
func powers(lambda *scalar.Scalar, n int) []*scalar.Scalar {
	out := make([]*scalar.Scalar, n)
	power := scalar.One()
	for i := range out {
		power = scalar.New().Mul(power, lambda)
		out[i] = power
	}
	return out
}

// checkIndices says whether indices are strictly ascending from at least 1. It fails with ErrIndex.
func checkIndices(indices []uint32) error {
	for i, index := range indices {
		if index == 0 || i > 0 && index <= indices[i-1] {
			return ErrIndex
		}
	}
	return nil
}

func hasIdentity(points []*curve.RistrettoPoint) bool {
	return slices.ContainsFunc(points, (*curve.RistrettoPoint).IsIdentity)
}
