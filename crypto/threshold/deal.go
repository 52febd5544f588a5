package threshold

import (
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// Ceremony names one attempt of one organisation's key generation. All of it is bound into every hash, proof and
// encryption of the attempt, so nothing can be carried from one ceremony to another. Section 4.2.
type Ceremony struct {
	Chain, Election, Organisation string
	Attempt                       uint32
	Slots                         int // number of slots of the election, at least 1
	Quorum                        int // k of this organisation, at least 2
}

// items are the framed items that name the ceremony and one of its dealers.
func (c Ceremony) items(dealer uint32) [][]byte {
	return [][]byte{
		[]byte(c.Chain), []byte(c.Election), []byte(c.Organisation), transcript.Uint64(uint64(c.Attempt)),
		transcript.Uint64(uint64(c.Slots)), transcript.Uint64(uint64(c.Quorum)), transcript.Uint64(uint64(dealer)),
	}
}

// Polynomials is a dealer's secret of one attempt: for each slot j a polynomial f_j of degree k - 1. It belongs to its
// dealer's disk, encrypted, and nowhere else; it is erased when the attempt is over.
type Polynomials struct {
	slots [][]*scalar.Scalar // [slot][power], every row k long
}

// Deal draws a dealer's polynomials for all slots. All coefficients come from one extendable hash over fresh bytes of
// random, the dealer's long-term secret (its signing key, any length, so that a weak random source alone does not give
// them away) and the ceremony. It fails only if random fails. Constant time. Section 4.3.
func (c Ceremony) Deal(dealer uint32, secret []byte, random io.Reader) (*Polynomials, error) {
	stream, err := hedge(transcript.LabelDealRandomness, random, append([][]byte{secret}, c.items(dealer)...)...)
	if err != nil {
		return nil, err
	}
	p := &Polynomials{slots: make([][]*scalar.Scalar, c.Slots)}
	for j := range p.slots {
		p.slots[j] = make([]*scalar.Scalar, c.Quorum)
		for t := range p.slots[j] {
			p.slots[j][t] = stream()
		}
	}
	return p, nil
}

// ParsePolynomials decodes Slots x Quorum scalars of 32 bytes. It fails with ErrLength or group.ErrScalar.
func (c Ceremony) ParsePolynomials(b []byte) (*Polynomials, error) {
	all, err := parseScalars(b, c.Slots*c.Quorum)
	if err != nil {
		return nil, err
	}
	p := &Polynomials{slots: make([][]*scalar.Scalar, c.Slots)}
	for j := range p.slots {
		p.slots[j] = all[j*c.Quorum : (j+1)*c.Quorum]
	}
	return p, nil
}

// Bytes returns the coefficients, 32 bytes each, by slot and then by power. A secret.
func (p *Polynomials) Bytes() []byte {
	var out []byte
	for _, f := range p.slots {
		out = append(out, scalarsBytes(f)...)
	}
	return out
}

// Commitments returns C_{j,t} = f_{j,t} G for every slot j and power t. Constant time. Section 4.3.
func (p *Polynomials) Commitments() *Commitments {
	c := &Commitments{slots: make([][]*curve.RistrettoPoint, len(p.slots))}
	for j, f := range p.slots {
		c.slots[j] = make([]*curve.RistrettoPoint, len(f))
		for t, coefficient := range f {
			c.slots[j][t] = curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, coefficient)
		}
		c.encoded = append(c.encoded, PointsBytes(c.slots[j])...)
	}
	return c
}

// Share returns f_j(receiver) for every slot j. Index 0 would be the secret itself and fails with ErrIndex. Constant
// time in the polynomials. Section 4.5.
func (p *Polynomials) Share(receiver uint32) (*Share, error) {
	if receiver == 0 {
		return nil, ErrIndex
	}
	x := scalar.NewFromUint64(uint64(receiver))
	s := &Share{scalars: make([]*scalar.Scalar, len(p.slots))}
	for j, f := range p.slots {
		// f(x) = f_0 + x (f_1 + x (f_2 + ...))
		y := scalar.New()
		for t := len(f) - 1; t >= 0; t-- {
			y.Add(y.Mul(y, x), f[t])
		}
		s.scalars[j] = y
	}
	return s, nil
}

// Commitments are a dealer's public points C_{j,t}, exactly k for each slot and none of them the identity.
type Commitments struct {
	slots   [][]*curve.RistrettoPoint // [slot][power]
	encoded []byte
}

// ParseCommitments decodes Slots x Quorum points of 32 bytes, by slot and then by power. It fails with ErrLength,
// group.ErrPoint or group.ErrIdentity. Section 4.3.
func (c Ceremony) ParseCommitments(b []byte) (*Commitments, error) {
	all, err := ParsePoints(b, c.Slots*c.Quorum)
	if err != nil {
		return nil, err
	}
	out := &Commitments{slots: make([][]*curve.RistrettoPoint, c.Slots), encoded: append([]byte(nil), b...)}
	for j := range out.slots {
		out.slots[j] = all[j*c.Quorum : (j+1)*c.Quorum]
	}
	return out, nil
}

// Bytes returns the encoding, 32 bytes a point, by slot and then by power. The caller must not change it.
func (c *Commitments) Bytes() []byte { return c.encoded }

// Slot returns C_{j,0}, ..., C_{j,k-1}. The caller must not change them.
func (c *Commitments) Slot(j int) []*curve.RistrettoPoint { return c.slots[j] }

// at returns for every slot j the point f_j(index) G = sum over t of index^t C_{j,t}.
func (c *Commitments) at(index uint32) []*curve.RistrettoPoint {
	out := make([]*curve.RistrettoPoint, len(c.slots))
	for j, row := range c.slots {
		y := curve.NewRistrettoPoint()
		for t := len(row) - 1; t >= 0; t-- {
			y.Add(mulSmall(y, index), row[t])
		}
		out[j] = y
	}
	return out
}

// mulSmall returns n p by doubling and adding: for a small public n far cheaper than a scalar multiplication.
func mulSmall(p *curve.RistrettoPoint, n uint32) *curve.RistrettoPoint {
	out := curve.NewRistrettoPoint()
	for bit := uint32(1) << 31; bit > 0; bit >>= 1 {
		if bit > n {
			continue
		}
		out.Add(out, out)
		if n&bit != 0 {
			out.Add(out, p)
		}
	}
	return out
}

// DealHash returns the digest that a dealer announces before anybody's commitments are known. Section 4.4.
func (c Ceremony) DealHash(dealer uint32, commitments []byte) [32]byte {
	return transcript.Digest(transcript.LabelDealHash, append(c.items(dealer), commitments)...)
}

// Share holds one secret scalar for each slot: what one dealer gives one receiver, or, summed over all dealers, what a
// trustee decrypts with.
type Share struct {
	scalars []*scalar.Scalar
}

// ParseShare decodes one scalar of 32 bytes for each slot. It fails with ErrLength or group.ErrScalar.
func ParseShare(b []byte, slots int) (*Share, error) {
	scalars, err := parseScalars(b, slots)
	if err != nil {
		return nil, err
	}
	return &Share{scalars: scalars}, nil
}

// Bytes returns the scalars, 32 bytes for each slot. A secret. Constant time.
func (s *Share) Bytes() []byte { return scalarsBytes(s.scalars) }

// Range returns the share for the slots first, ..., first + count - 1: those of one contest. It fails with ErrLength.
func (s *Share) Range(first, count int) (*Share, error) {
	if first < 0 || count < 0 || first > len(s.scalars)-count {
		return nil, ErrLength
	}
	return &Share{scalars: s.scalars[first : first+count]}, nil
}

// SumShares returns a trustee's x_{i,j}: the sum over all qualified dealers of what each gave it, its own share of its
// own polynomials included. It fails with ErrLength. Constant time. Section 4.7.
func SumShares(shares []*Share) (*Share, error) {
	if len(shares) == 0 {
		return nil, ErrLength
	}
	sum := &Share{scalars: make([]*scalar.Scalar, len(shares[0].scalars))}
	for j := range sum.scalars {
		sum.scalars[j] = scalar.New()
	}
	for _, s := range shares {
		if len(s.scalars) != len(sum.scalars) {
			return nil, ErrLength
		}
		for j := range sum.scalars {
			sum.scalars[j].Add(sum.scalars[j], s.scalars[j])
		}
	}
	return sum, nil
}

// matches says whether x_j G = X_j for every slot j. Constant time in the share but for its outcome.
func (s *Share) matches(keys []*curve.RistrettoPoint) bool {
	if len(s.scalars) != len(keys) {
		return false
	}
	for j, x := range s.scalars {
		if curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, x).Equal(keys[j]) != 1 {
			return false
		}
	}
	return true
}

func parseScalars(b []byte, n int) ([]*scalar.Scalar, error) {
	if n < 0 || len(b)%group.ScalarSize != 0 || len(b)/group.ScalarSize != n {
		return nil, ErrLength
	}
	out := make([]*scalar.Scalar, n)
	for i := range out {
		s, err := group.ParseScalar(b[i*group.ScalarSize : (i+1)*group.ScalarSize])
		if err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}

func scalarsBytes(scalars []*scalar.Scalar) []byte {
	out := make([]byte, 0, len(scalars)*group.ScalarSize)
	for _, s := range scalars {
		out = append(out, group.ScalarBytes(s)...)
	}
	return out
}
