package threshold

import (
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// TestOrganisationKey compares keys computed from commitments with the secrets behind them.
func TestOrganisationKey(t *testing.T) {
	b := newBoard(t, Ceremony{"chain", "election", "party", 2, 3, 3}, 2, 3, 5, 7, 4_000_000_000)
	for j := range b.Slots {
		if curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, b.secret(j)).Equal(b.key.Keys[j]) != 1 {
			t.Errorf("P_%d is not the sum of the dealers' secrets", j)
		}
	}
	for _, i := range b.indices {
		if !b.shares[i].matches(b.key.Trustee(i)) {
			t.Errorf("trustee %d: keys do not belong to its share", i)
		}
	}
	if b.key.Trustee(1) != nil {
		t.Error("keys of somebody who is no trustee")
	}

	c := b.Ceremony
	for name, try := range map[string]struct {
		indices     []uint32
		commitments []*Commitments
		want        error
	}{
		"too few":             {b.indices[:4], b.commitments[:4], ErrQuorum},
		"one too few dealers": {b.indices, b.commitments[:4], ErrLength},
		"index 0":             {[]uint32{0, 3, 5, 7, 9}, b.commitments, ErrIndex},
		"index twice":         {[]uint32{2, 3, 3, 7, 9}, b.commitments, ErrIndex},
		"not ascending":       {[]uint32{3, 2, 5, 7, 9}, b.commitments, ErrIndex},
	} {
		_, err := c.NewOrganisationKey(try.indices, try.commitments)
		refuses(t, name, err, try.want)
	}
	c.Slots = 2
	_, err := c.NewOrganisationKey(b.indices, b.commitments)
	refuses(t, "wrong number of slots", err, ErrLength)
	c.Slots, c.Quorum = 3, 2
	_, err = c.NewOrganisationKey(b.indices, b.commitments)
	refuses(t, "wrong quorum", err, ErrLength)
}

func clone(o *OrganisationKey) *OrganisationKey {
	c := *o
	c.Keys = slices.Clone(o.Keys)
	c.Trustees = slices.Clone(o.Trustees)
	for i := range c.Trustees {
		c.Trustees[i].Keys = slices.Clone(c.Trustees[i].Keys)
	}
	return &c
}

func TestJointKeys(t *testing.T) {
	a := newBoard(t, Ceremony{"chain", "election", "a", 1, 2, 2}, 1, 2, 3).key
	b := newBoard(t, Ceremony{"chain", "election", "b", 1, 2, 2}, 1, 2, 3).key
	keys, err := JointKeys([]*OrganisationKey{a, b})
	check(t, err)
	for j, key := range keys {
		if key.Equal(curve.NewRistrettoPoint().Add(a.Keys[j], b.Keys[j])) != 1 {
			t.Errorf("P_%d is not the sum", j)
		}
	}
	minus := func(p *curve.RistrettoPoint) *curve.RistrettoPoint { return curve.NewRistrettoPoint().Neg(p) }
	for name, try := range map[string]struct {
		change func(a, b *OrganisationKey)
		want   error
	}{
		"joint identity":        {func(_, b *OrganisationKey) { b.Keys[1] = minus(a.Keys[1]) }, ErrKeys},
		"joint keys equal":      {func(_, b *OrganisationKey) { b.Keys[1] = curve.NewRistrettoPoint().Add(keys[0], minus(a.Keys[1])) }, ErrKeys},
		"part identity":         {func(_, b *OrganisationKey) { b.Keys[0] = curve.NewRistrettoPoint() }, ErrKeys},
		"trustee identity":      {func(a, _ *OrganisationKey) { a.Trustees[2].Keys[1] = curve.NewRistrettoPoint() }, ErrKeys},
		"not sorted":            {func(a, _ *OrganisationKey) { a.Organisation = "c" }, ErrIndex},
		"twice":                 {func(a, b *OrganisationKey) { a.Organisation = b.Organisation }, ErrIndex},
		"slots differ":          {func(_, b *OrganisationKey) { b.Keys = b.Keys[:1] }, ErrLength},
		"a trustee's differ":    {func(_, b *OrganisationKey) { b.Trustees[1].Keys = b.Trustees[1].Keys[:1] }, ErrLength},
		"quorum below 2":        {func(a, _ *OrganisationKey) { a.Quorum = 1 }, ErrQuorum},
		"quorum too great":      {func(a, _ *OrganisationKey) { a.Quorum = 3 }, ErrQuorum},
		"index of trustee zero": {func(a, _ *OrganisationKey) { a.Trustees[0].Index = 0 }, ErrIndex},
		"index twice":           {func(a, _ *OrganisationKey) { a.Trustees[1].Index = 1 }, ErrIndex},
	} {
		x, y := clone(a), clone(b)
		try.change(x, y)
		_, err := JointKeys([]*OrganisationKey{x, y})
		refuses(t, name, err, try.want)
	}
	_, err = JointKeys(nil)
	refuses(t, "nobody", err, ErrLength)
}

func TestKeyDigest(t *testing.T) {
	a := newBoard(t, Ceremony{"chain", "election", "a", 1, 2, 2}, 1, 2, 3).key
	b := newBoard(t, Ceremony{"chain", "election", "b", 1, 2, 2}, 1, 2, 3).key
	seen := map[[32]byte]string{}
	add := func(name string, digest [32]byte) {
		if before, ok := seen[digest]; ok {
			t.Errorf("%s has the digest of %s", name, before)
		}
		seen[digest] = name
	}
	add("base", KeyDigest("chain", "election", []*OrganisationKey{a, b}))
	add("chain", KeyDigest("chain2", "election", []*OrganisationKey{a, b}))
	add("election", KeyDigest("chain", "other", []*OrganisationKey{a, b}))
	add("framing", KeyDigest("chainelec", "tion", []*OrganisationKey{a, b}))
	add("order", KeyDigest("chain", "election", []*OrganisationKey{b, a}))
	add("one less", KeyDigest("chain", "election", []*OrganisationKey{a}))
	for name, change := range map[string]func(*OrganisationKey){
		"organisation":      func(o *OrganisationKey) { o.Organisation = "c" },
		"quorum":            func(o *OrganisationKey) { o.Quorum = 3 },
		"key":               func(o *OrganisationKey) { o.Keys[1] = times(1) },
		"key order":         func(o *OrganisationKey) { slices.Reverse(o.Keys) },
		"trustee's index":   func(o *OrganisationKey) { o.Trustees[2].Index = 4 },
		"trustee's key":     func(o *OrganisationKey) { o.Trustees[1].Keys[0] = times(1) },
		"one trustee fewer": func(o *OrganisationKey) { o.Trustees = o.Trustees[:2] },
	} {
		changed := clone(b)
		change(changed)
		add(name, KeyDigest("chain", "election", []*OrganisationKey{a, changed}))
	}
}

// TestLagrange recovers f(0) of a polynomial from every pair of points, far apart indices included.
func TestLagrange(t *testing.T) {
	indices := []uint32{1, 2, 9, 1 << 31, 1<<32 - 1}
	p, _ := deal(Ceremony{"chain", "election", "party", 1, 1, 2}, 1)
	for a := range indices {
		for b := range indices {
			if a == b {
				continue
			}
			pair := []uint32{indices[a], indices[b]}
			sum := scalar.New()
			for i, weight := range lagrange(pair) {
				sum.Add(sum, scalar.New().Mul(weight, must(p.Share(pair[i])).scalars[0]))
			}
			if sum.Equal(p.slots[0][0]) != 1 {
				t.Errorf("indices %v", pair)
			}
		}
	}
}
