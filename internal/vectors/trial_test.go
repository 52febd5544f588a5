package vectors

import (
	"bytes"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/app/tx"
	"votenode/crypto/group"
	pb "votenode/proto/votenode/v1"
)

// trialVector is the trial decryption.
type trialVector struct {
	Message hexBytes             `json:"message"`
	T       hexBytes             `json:"T"`
	Shares  []openedVector       `json:"shares"`
	Combine []combinationOfTrial `json:"combinations"`
}

// openedVector is what a trustee posted, of the trial or of a contest.
type openedVector struct {
	place
	Organisation string     `json:"organisation"`
	Trustee      uint32     `json:"trustee"`
	Keys         []hexBytes `json:"P"`
	Shares       []hexBytes `json:"S"`
	Proof        equality   `json:"proof"`
}

// combinationOfTrial is one of the two quorums of spec 4.9.
type combinationOfTrial struct {
	Organisation string         `json:"organisation"`
	Quorum       lagrangeVector `json:"quorum"`
	Keys         []hexBytes     `json:"keys"`
	Points       []hexBytes     `json:"points"`
}

// lagrangeVector is a quorum with its coefficients.
type lagrangeVector struct {
	Indices      []uint32   `json:"indices"`
	Coefficients []hexBytes `json:"coefficients"`
}

func (w *world) trialVector(f *ceremonyFile) trialVector {
	v := trialVector{Message: framed("votenode/v1/trial-base", []byte(f.Chain), []byte(primary), f.KeyDigest.Hash)}
	base := group.HashToGroup("votenode/v1/trial-base", v.Message)
	v.T = group.PointBytes(base)
	for _, p := range w.of(tx.KindPostTrial) {
		m := p.Body().(*pb.PostTrial)
		s := openedVector{place: *p.place(), Organisation: m.Organisation, Shares: parts(m.Shares)}
		o := f.organisation(m.Organisation)
		s.Trustee = o.indexOf(p.Signer())
		s.Keys = o.Trustees[s.Trustee-1].Keys
		t := newTranscript("votenode/v1/trial")
		w.begin(t, f.KeyDigest.Hash)
		t.item("organisation", []byte(m.Organisation))
		t.item("trustee", number(uint64(s.Trustee)))
		t.item("T", v.T)
		w.complete(t, &s, base, m.Proof)
		v.Shares = append(v.Shares, s)
	}
	for i := range f.Organisations {
		v.Combine = append(v.Combine, w.trialCombinations(&f.Organisations[i], v.Shares)...)
	}
	return v
}

func (f *ceremonyFile) organisation(id string) *organisationParts {
	return &f.Organisations[slices.IndexFunc(f.Organisations, func(o organisationParts) bool { return o.Organisation == id })]
}

// begin appends what the transcripts of trial and decryption begin with.
func (w *world) begin(t *transcriptVector, keyDigest hexBytes) {
	t.item("version", number(1))
	t.item("chain", []byte(w.Genesis.ChainId))
	t.item("election", []byte(primary))
	t.item("key-digest", keyDigest)
}

// complete appends keys and shares, and checks the proof.
func (w *world) complete(t *transcriptVector, s *openedVector, base *curve.RistrettoPoint, proof []byte) {
	w.t.Helper()
	t.item("P", slices.Concat(s.Keys...))
	t.item("S", slices.Concat(s.Shares...))
	s.Proof = w.equality(t, proof, []*curve.RistrettoPoint{curve.RISTRETTO_BASEPOINT_POINT, base}, s.Keys, s.Shares)
}

// trialCombinations are those of the lowest and of the highest indices. Spec 4.9.
func (w *world) trialCombinations(o *organisationParts, shares []openedVector) []combinationOfTrial {
	own := sharesOf(shares, o.Organisation)
	k := int(o.Quorum)
	var list []combinationOfTrial
	for _, quorum := range [][]*openedVector{own[:k], own[len(own)-k:]} {
		c := combinationOfTrial{Organisation: o.Organisation, Quorum: lagrange(quorum)}
		for j := range w.slots() {
			c.Keys = append(c.Keys, interpolate(c.Quorum, quorum, func(s *openedVector) hexBytes { return s.Keys[j] }))
			c.Points = append(c.Points, interpolate(c.Quorum, quorum, func(s *openedVector) hexBytes { return s.Shares[j] }))
			if !bytes.Equal(c.Keys[j], o.Keys[j]) || len(list) > 0 && !bytes.Equal(c.Points[j], list[0].Points[j]) {
				w.t.Fatal("the trial does not combine")
			}
		}
		list = append(list, c)
	}
	return list
}

// sharesOf returns the shares of an organisation, ascending by index.
func sharesOf(all []openedVector, organisation string) []*openedVector {
	var own []*openedVector
	for i := range all {
		if all[i].Organisation == organisation {
			own = append(own, &all[i])
		}
	}
	slices.SortFunc(own, func(a, b *openedVector) int { return int(a.Trustee) - int(b.Trustee) })
	return own
}

// lagrange returns L_a = product over b != a of i_b / (i_b - i_a). Spec 4.1.
func lagrange(quorum []*openedVector) lagrangeVector {
	var v lagrangeVector
	for a := range quorum {
		l := scalar.One()
		for b := range quorum {
			if a == b {
				continue
			}
			ia, ib := scalar.NewFromUint64(uint64(quorum[a].Trustee)), scalar.NewFromUint64(uint64(quorum[b].Trustee))
			difference := scalar.New().Sub(ib, ia)
			l.Mul(l, scalar.New().Mul(ib, difference.Invert(difference)))
		}
		v.Indices, v.Coefficients = append(v.Indices, quorum[a].Trustee), append(v.Coefficients, group.ScalarBytes(l))
	}
	return v
}

func interpolate(l lagrangeVector, quorum []*openedVector, point func(*openedVector) hexBytes) hexBytes {
	var points []*curve.RistrettoPoint
	for _, s := range quorum {
		points = append(points, pointOf(point(s)))
	}
	return combine(l.Coefficients, points)
}
