package threshold

import (
	"cmp"
	"io"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// PartialDecryption is one trustee's part in opening a sum, or the trial: S_j = x_j A_0 for each slot j, none the
// identity, and one proof for all of them.
type PartialDecryption struct {
	Shares []*curve.RistrettoPoint
	Proof  Proof
}

// ParsePartialDecryption decodes the shares, 32 bytes for each slot, and the proof, ProofSize bytes. It fails with
// ErrLength, group.ErrPoint or group.ErrIdentity. Section 4.10.
func ParsePartialDecryption(shares, proof []byte, slots int) (*PartialDecryption, error) {
	if len(proof) != ProofSize {
		return nil, ErrLength
	}
	points, err := ParsePoints(shares, slots)
	if err != nil {
		return nil, err
	}
	return &PartialDecryption{Shares: points, Proof: Proof(proof)}, nil
}

// TallyStatement is what a partial decryption speaks about: which sum, by whom. A0 and A are the closed sums of the
// contest, A in slot order; A0 is not the identity (such a sum needs no shares), A may hold it. Keys are P_{o,i,j} of this
// trustee for the slots of the contest.
type TallyStatement struct {
	Chain, Election string
	KeyDigest       [32]byte
	Contest         uint32
	Organisation    string
	Trustee         uint32
	A0              *curve.RistrettoPoint
	A               []*curve.RistrettoPoint
	Keys            []*curve.RistrettoPoint
}

// equality draws lambda from the whole statement and the shares. Section 4.10.
func (st *TallyStatement) equality(shares []*curve.RistrettoPoint) (equality, error) {
	if len(st.A) != len(st.Keys) {
		return equality{}, ErrLength
	}
	t := st.start(group.PointBytes(st.A0), PointsBytes(st.A))
	return decryption(t, st.Trustee, st.A0, newRow(st.Keys), newRow(shares))
}

// start begins the transcript with all but the trustee's keys and shares, given the encodings of the sum.
func (st *TallyStatement) start(a0, a []byte) *transcript.Transcript {
	t := start(transcript.LabelDecryption, st.Chain, st.Election)
	t.Append("key-digest", st.KeyDigest[:])
	t.AppendUint64("contest", uint64(st.Contest))
	t.Append("organisation", []byte(st.Organisation))
	t.AppendUint64("trustee", uint64(st.Trustee))
	t.Append("A_0", a0)
	t.Append("A", a)
	return t
}

// decryption completes a transcript with the trustee's keys and shares: S_j = x_j base where X_j = x_j G.
func decryption(t *transcript.Transcript, trustee uint32, base *curve.RistrettoPoint, keys, shares Row) (equality, error) {
	if trustee == 0 {
		return equality{}, ErrIndex
	}
	if len(keys.points) == 0 || len(shares.points) != len(keys.points) {
		return equality{}, ErrLength
	}
	if base.IsIdentity() || hasIdentity(keys.points) || hasIdentity(shares.points) {
		return equality{}, group.ErrIdentity
	}
	t.Append("P", keys.encoded)
	t.Append("S", shares.encoded)
	return newEquality(t, []*curve.RistrettoPoint{curve.RISTRETTO_BASEPOINT_POINT, base}, keys.points, shares.points), nil
}

// decryptionShares returns x_j base for each slot after checking that the share is the one that belongs to keys, so that
// a trustee with a wrong file learns it before anybody blames it. It fails with ErrShare. Constant time.
func decryptionShares(share *Share, keys []*curve.RistrettoPoint, base *curve.RistrettoPoint) ([]*curve.RistrettoPoint, error) {
	if !share.matches(keys) {
		return nil, ErrShare
	}
	out := make([]*curve.RistrettoPoint, len(share.scalars))
	for j, x := range share.scalars {
		out[j] = curve.NewRistrettoPoint().Mul(base, x)
	}
	return out, nil
}

// ProvePartial computes a trustee's part in opening a contest, with its share for the slots of that contest. The caller
// answers for the sum being the certified one and the only one ever opened of this contest. It fails with ErrShare if the
// share does not belong to the statement's keys, with ErrIndex, ErrLength or group.ErrIdentity if the statement is
// malformed, or with the error of random. Constant time. Section 4.10.
func ProvePartial(st *TallyStatement, share *Share, random io.Reader) (*PartialDecryption, error) {
	shares, err := decryptionShares(share, st.Keys, st.A0)
	if err != nil {
		return nil, err
	}
	e, err := st.equality(shares)
	if err != nil {
		return nil, err
	}
	proof, err := e.prove(share.scalars, random)
	if err != nil {
		return nil, err
	}
	return &PartialDecryption{Shares: shares, Proof: proof}, nil
}

// VerifyPartial checks a partial decryption. It fails with ErrProof, or with ErrIndex, ErrLength or group.ErrIdentity if
// statement or shares are malformed. Section 4.10.
func VerifyPartial(st *TallyStatement, pd *PartialDecryption) error {
	e, err := st.equality(pd.Shares)
	if err != nil {
		return err
	}
	return e.verify(pd.Proof)
}

// TrusteeShares are the verified decryption shares of one trustee, one for each slot.
type TrusteeShares struct {
	Index  uint32
	Shares []*curve.RistrettoPoint
}

// QuorumShares are the verified decryption shares of one organisation, in any order, at least Quorum of them.
type QuorumShares struct {
	Quorum   int
	Trustees []TrusteeShares
}

// sorted returns the trustees ascending by index. It fails with ErrQuorum, ErrIndex or ErrLength.
func (q *QuorumShares) sorted(slots int) ([]TrusteeShares, error) {
	if q.Quorum < 2 || len(q.Trustees) < q.Quorum {
		return nil, ErrQuorum
	}
	trustees := slices.Clone(q.Trustees)
	slices.SortFunc(trustees, func(a, b TrusteeShares) int { return cmp.Compare(a.Index, b.Index) })
	indices := make([]uint32, len(trustees))
	for i, trustee := range trustees {
		if len(trustee.Shares) != slots {
			return nil, ErrLength
		}
		indices[i] = trustee.Index
	}
	return trustees, checkIndices(indices)
}

// coefficients returns the Lagrange coefficients of these trustees, in their order.
func coefficients(trustees []TrusteeShares) []*scalar.Scalar {
	indices := make([]uint32, len(trustees))
	for i, trustee := range trustees {
		indices[i] = trustee.Index
	}
	return lagrange(indices)
}

// Combine opens the sums of a contest: M_j = A_j - sum over organisations and over the k_o lowest indices of L_i S_{i,j},
// which is t_j G. Where A0 is the identity nothing was encrypted, organisations are ignored, and M_j = A_j. It fails with
// ErrQuorum, ErrIndex or ErrLength. Section 4.11.
func Combine(a0 *curve.RistrettoPoint, a []*curve.RistrettoPoint, organisations []QuorumShares) ([]*curve.RistrettoPoint, error) {
	if a0.IsIdentity() {
		return slices.Clone(a), nil
	}
	if len(organisations) == 0 {
		return nil, ErrQuorum
	}
	var weights []*scalar.Scalar
	var parts []TrusteeShares
	for _, o := range organisations {
		trustees, err := o.sorted(len(a))
		if err != nil {
			return nil, err
		}
		parts = append(parts, trustees[:o.Quorum]...)
		weights = append(weights, coefficients(trustees[:o.Quorum])...)
	}
	out := make([]*curve.RistrettoPoint, len(a))
	for j := range a {
		out[j] = curve.NewRistrettoPoint().Sub(a[j], interpolate(weights, parts, j))
	}
	return out, nil
}

// interpolate returns sum over i of L_i S_{i,j}.
func interpolate(weights []*scalar.Scalar, parts []TrusteeShares, j int) *curve.RistrettoPoint {
	points := make([]*curve.RistrettoPoint, len(parts))
	for i, part := range parts {
		points[i] = part.Shares[j]
	}
	return curve.NewRistrettoPoint().MultiscalarMulVartime(weights, points)
}
