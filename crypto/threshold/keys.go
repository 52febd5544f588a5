package threshold

import (
	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// TrusteeKeys are the public halves of one trustee's share: P_{o,i,j} = x_{i,j} G for every slot j.
type TrusteeKeys struct {
	Index uint32
	Keys  []*curve.RistrettoPoint
}

// OrganisationKey is an organisation's part of the election key: P_{o,j} for every slot j, and what its trustees'
// decryptions are checked against. Trustees are those who finished the ceremony, ascending by index.
type OrganisationKey struct {
	Organisation string
	Quorum       int
	Keys         []*curve.RistrettoPoint
	Trustees     []TrusteeKeys
}

// NewOrganisationKey computes an organisation's key from the commitments of all qualified dealers, indices ascending,
// commitments[d] being those of dealer indices[d]. It fails with ErrQuorum, ErrIndex or ErrLength. Section 4.7.
//
//	P_{o,j} = sum over d of C_{d,j,0}        P_{o,i,j} = sum over d and t of i^t C_{d,j,t}
func (c Ceremony) NewOrganisationKey(indices []uint32, commitments []*Commitments) (*OrganisationKey, error) {
	if err := CheckQuorum(c.Quorum, len(indices)); err != nil {
		return nil, err
	}
	if err := checkIndices(indices); err != nil {
		return nil, err
	}
	sum, err := c.sum(commitments)
	if err != nil || len(commitments) != len(indices) {
		return nil, ErrLength
	}
	key := &OrganisationKey{Organisation: c.Organisation, Quorum: c.Quorum, Keys: make([]*curve.RistrettoPoint, c.Slots)}
	for j, row := range sum.slots {
		key.Keys[j] = row[0]
	}
	for _, index := range indices {
		key.Trustees = append(key.Trustees, TrusteeKeys{Index: index, Keys: sum.at(index)})
	}
	return key, nil
}

// sum adds the commitments of all dealers, slot by slot and power by power.
func (c Ceremony) sum(commitments []*Commitments) (*Commitments, error) {
	sum := &Commitments{slots: make([][]*curve.RistrettoPoint, c.Slots)}
	for j := range sum.slots {
		sum.slots[j] = make([]*curve.RistrettoPoint, c.Quorum)
		for t := range sum.slots[j] {
			sum.slots[j][t] = curve.NewRistrettoPoint()
			for _, dealer := range commitments {
				if len(dealer.slots) != c.Slots || len(dealer.slots[j]) != c.Quorum {
					return nil, ErrLength
				}
				sum.slots[j][t].Add(sum.slots[j][t], dealer.slots[j][t])
			}
		}
	}
	return sum, nil
}

// Trustee returns the keys of the trustee with this index, or nil.
func (k *OrganisationKey) Trustee(index uint32) []*curve.RistrettoPoint {
	for _, trustee := range k.Trustees {
		if trustee.Index == index {
			return trustee.Keys
		}
	}
	return nil
}

// check says whether the part is well formed and has no identity in it.
func (k *OrganisationKey) check(slots int) error {
	if err := CheckQuorum(k.Quorum, len(k.Trustees)); err != nil {
		return err
	}
	indices := make([]uint32, len(k.Trustees))
	for i, trustee := range k.Trustees {
		indices[i] = trustee.Index
		if len(trustee.Keys) != slots {
			return ErrLength
		}
		if hasIdentity(trustee.Keys) {
			return ErrKeys
		}
	}
	if len(k.Keys) != slots {
		return ErrLength
	}
	if hasIdentity(k.Keys) {
		return ErrKeys
	}
	return checkIndices(indices)
}

// JointKeys returns P_j = sum over organisations of P_{o,j}, under which ballots are encrypted. Organisations are sorted
// by id. It fails with ErrQuorum, ErrIndex or ErrLength where a part is malformed, and with ErrKeys where a key of
// anybody is the identity or two joint keys are equal. Section 4.7.
func JointKeys(organisations []*OrganisationKey) ([]*curve.RistrettoPoint, error) {
	if len(organisations) == 0 {
		return nil, ErrLength
	}
	slots := len(organisations[0].Keys)
	keys := make([]*curve.RistrettoPoint, slots)
	for j := range keys {
		keys[j] = curve.NewRistrettoPoint()
	}
	for i, o := range organisations {
		if i > 0 && o.Organisation <= organisations[i-1].Organisation {
			return nil, ErrIndex
		}
		if err := o.check(slots); err != nil {
			return nil, err
		}
		for j := range keys {
			keys[j].Add(keys[j], o.Keys[j])
		}
	}
	seen := make(map[string]bool, slots)
	for _, key := range keys {
		encoded := string(group.PointBytes(key))
		if key.IsIdentity() || seen[encoded] {
			return nil, ErrKeys
		}
		seen[encoded] = true
	}
	return keys, nil
}

// KeyDigest returns the digest of an election's keys: every organisation's part with its quorum and its trustees' keys.
// The joint keys follow from it. Ballots, trial and partial decryptions are bound to it. Section 4.7.
func KeyDigest(chain, election string, organisations []*OrganisationKey) [32]byte {
	items := [][]byte{[]byte(chain), []byte(election), transcript.Uint64(uint64(len(organisations)))}
	for _, o := range organisations {
		items = append(items, []byte(o.Organisation), transcript.Uint64(uint64(o.Quorum)), PointsBytes(o.Keys),
			transcript.Uint64(uint64(len(o.Trustees))))
		for _, trustee := range o.Trustees {
			items = append(items, transcript.Uint64(uint64(trustee.Index)), PointsBytes(trustee.Keys))
		}
	}
	return transcript.Digest(transcript.LabelKeyDigest, items...)
}
