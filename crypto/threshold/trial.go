package threshold

import (
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// TrialBase returns the point T that is decrypted on trial. It is a hash to the group, so nobody knows its logarithm, and
// whoever shows x T has used x. Every trustee's software computes it itself. Section 4.9.
func TrialBase(chain, election string, keyDigest [32]byte) *curve.RistrettoPoint {
	return group.HashToGroup(transcript.LabelTrialBase,
		transcript.Frame(transcript.LabelTrialBase, []byte(chain), []byte(election), keyDigest[:]))
}

// TrialStatement is what a trial decryption speaks about. Keys are P_{o,i,j} of this trustee for all slots.
type TrialStatement struct {
	Chain, Election string
	KeyDigest       [32]byte
	Organisation    string
	Trustee         uint32
	Keys            []*curve.RistrettoPoint
}

func (st *TrialStatement) base() *curve.RistrettoPoint {
	return TrialBase(st.Chain, st.Election, st.KeyDigest)
}

// equality draws lambda from the whole statement and the shares. Section 4.9.
func (st *TrialStatement) equality(base *curve.RistrettoPoint, shares []*curve.RistrettoPoint) (equality, error) {
	t := start(transcript.LabelTrial, st.Chain, st.Election)
	t.Append("key-digest", st.KeyDigest[:])
	t.Append("organisation", []byte(st.Organisation))
	t.AppendUint64("trustee", uint64(st.Trustee))
	t.Append("T", group.PointBytes(base))
	return decryption(t, st.Trustee, base, newRow(st.Keys), newRow(shares))
}

// ProveTrial computes a trustee's shares x_{i,j} T for all slots with their proof. It fails with ErrShare if the share
// does not belong to the statement's keys, with ErrIndex, ErrLength or group.ErrIdentity if the statement is malformed, or
// with the error of random. Constant time. Section 4.9.
func ProveTrial(st *TrialStatement, share *Share, random io.Reader) (*PartialDecryption, error) {
	base := st.base()
	shares, err := decryptionShares(share, st.Keys, base)
	if err != nil {
		return nil, err
	}
	e, err := st.equality(base, shares)
	if err != nil {
		return nil, err
	}
	proof, err := e.prove(share.scalars, random)
	if err != nil {
		return nil, err
	}
	return &PartialDecryption{Shares: shares, Proof: proof}, nil
}

// VerifyTrial checks a trustee's trial decryption. It fails with ErrProof, or with ErrIndex, ErrLength or
// group.ErrIdentity if statement or shares are malformed. Section 4.9.
func VerifyTrial(st *TrialStatement, pd *PartialDecryption) error {
	e, err := st.equality(st.base(), pd.Shares)
	if err != nil {
		return err
	}
	return e.verify(pd.Proof)
}

// CheckTrial combines an organisation's verified trial shares, any order, at least a quorum of them. For the quorum of
// the lowest indices and the quorum of the highest (the same where there are no more) and for every slot
//
//	sum over i of L_i P_{o,i,j} = P_{o,j}        sum over i of L_i S_{i,j} is the same point for both quorums
//
// With the proofs, S_{i,j} = x_{i,j} T where P_{o,i,j} = x_{i,j} G, the first line says that the combined point is
// p_{o,j} T for the p_{o,j} with P_{o,j} = p_{o,j} G: the organisation can open what is encrypted to its key. It fails with
// ErrTrial, or with ErrQuorum, ErrIndex or ErrLength. Section 4.9.
func (k *OrganisationKey) CheckTrial(shares []TrusteeShares) error {
	q := QuorumShares{Quorum: k.Quorum, Trustees: shares}
	trustees, err := q.sorted(len(k.Keys))
	if err != nil {
		return err
	}
	keys := make([]TrusteeShares, len(trustees))
	for i, trustee := range trustees {
		keys[i] = TrusteeShares{Index: trustee.Index, Shares: k.Trustee(trustee.Index)}
		if len(keys[i].Shares) != len(k.Keys) {
			return ErrIndex
		}
	}
	last := len(trustees) - k.Quorum
	low, high := coefficients(trustees[:k.Quorum]), coefficients(trustees[last:])
	for j, key := range k.Keys {
		if interpolate(low, keys[:k.Quorum], j).Equal(key) != 1 ||
			interpolate(high, keys[last:], j).Equal(key) != 1 ||
			interpolate(low, trustees[:k.Quorum], j).Equal(interpolate(high, trustees[last:], j)) != 1 {
			return ErrTrial
		}
	}
	return nil
}
