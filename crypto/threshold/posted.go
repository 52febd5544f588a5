package threshold

import (
	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/crypto/group"
)

// PostedPartial is a partial decryption as a ledger holds it, in encodings. Verifying it makes none of them again and does not decode what
// is only hashed, which is most of the work of VerifyPartial.
type PostedPartial struct {
	Chain, Election string
	KeyDigest       [32]byte
	Contest         uint32
	Organisation    string
	Trustee         uint32
	// Sum is A_0 and all A_j, 32 bytes each. The caller answers for the A_j being canonical: a ledger's own sums are.
	Sum []byte
	// Keys are P_{o,i,j} of this trustee for the slots of the contest.
	Keys Row
	// Shares are S_j, 32 bytes each, Proof ProofSize bytes.
	Shares, Proof []byte
}

// Verify checks a partial decryption as VerifyPartial does that is parsed by ParsePartialDecryption. It fails with ErrProof, or with
// ErrIndex, ErrLength, group.ErrPoint or group.ErrIdentity. Section 4.10.
func (p *PostedPartial) Verify() error {
	if len(p.Proof) != ProofSize || len(p.Sum) != group.PointSize*(1+len(p.Keys.points)) {
		return ErrLength
	}
	shares, err := ParseRow(p.Shares, len(p.Keys.points))
	if err != nil {
		return err
	}
	a0, a := p.Sum[:group.PointSize], p.Sum[group.PointSize:]
	base, err := group.ParsePointOrIdentity(a0)
	if err != nil {
		return err
	}
	st := TallyStatement{
		Chain: p.Chain, Election: p.Election, KeyDigest: p.KeyDigest, Contest: p.Contest, Organisation: p.Organisation, Trustee: p.Trustee,
	}
	e, err := decryption(st.start(a0, a), p.Trustee, base, p.Keys, shares)
	if err != nil {
		return err
	}
	return e.verify(Proof(p.Proof))
}

// Row is points with their encodings, neither of which changes.
type Row struct {
	points  []*curve.RistrettoPoint
	encoded []byte
}

func newRow(points []*curve.RistrettoPoint) Row { return Row{points, PointsBytes(points)} }

// ParseRow decodes n points, 32 bytes each, none the identity. It keeps the bytes, which must not be changed. It fails as ParsePoints.
func ParseRow(b []byte, n int) (Row, error) {
	points, err := ParsePoints(b, n)
	return Row{points, b}, err
}

// Range returns the n points from first on. It fails with ErrLength where the row has not so many.
func (r Row) Range(first, n int) (Row, error) {
	if first < 0 || n < 0 || first > len(r.points) || n > len(r.points)-first {
		return Row{}, ErrLength
	}
	return Row{r.points[first:][:n], r.encoded[group.PointSize*first:][:group.PointSize*n]}, nil
}
