package threshold

import (
	"crypto/rand"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// opened is a small contest, ready to be opened by trustee 1.
func opened(t testing.TB) (*board, *TallyStatement) {
	b := newBoard(t, Ceremony{"chain", "election", "party", 1, 3, 2}, 1, 2, 3)
	a0, a := encryptSum([]uint64{3, 0, 5}, b.key.Keys)
	return b, &TallyStatement{"chain", "election", [32]byte{1}, 4, "party", 1, a0, a, b.key.Trustee(1)}
}

// otherStatements are st with one field changed each.
func otherStatements(b *board, st *TallyStatement) map[string]*TallyStatement {
	out := map[string]*TallyStatement{}
	for name, change := range map[string]func(*TallyStatement){
		"chain":            func(s *TallyStatement) { s.Chain = "chain2" },
		"election":         func(s *TallyStatement) { s.Election = "other" },
		"framing":          func(s *TallyStatement) { s.Chain, s.Election = "chainelec", "tion" },
		"key digest":       func(s *TallyStatement) { s.KeyDigest[31] ^= 1 },
		"contest":          func(s *TallyStatement) { s.Contest++ },
		"organisation":     func(s *TallyStatement) { s.Organisation = "league" },
		"trustee":          func(s *TallyStatement) { s.Trustee = 2 },
		"trustee and keys": func(s *TallyStatement) { s.Trustee, s.Keys = 2, b.key.Trustee(2) },
		"A_0":              func(s *TallyStatement) { s.A0 = times(9) },
		"an A_j":           func(s *TallyStatement) { s.A[1] = times(9) },
		"an A_j identity":  func(s *TallyStatement) { s.A[1] = curve.NewRistrettoPoint() },
		"order of A":       func(s *TallyStatement) { slices.Reverse(s.A) },
		"a key":            func(s *TallyStatement) { s.Keys[2] = times(9) },
		"order of keys":    func(s *TallyStatement) { slices.Reverse(s.Keys) },
	} {
		c := *st
		c.A, c.Keys = slices.Clone(st.A), slices.Clone(st.Keys)
		change(&c)
		out[name] = &c
	}
	return out
}

// verifyBoth verifies a partial decryption, and its encodings, which must come to the same.
func verifyBoth(t *testing.T, st *TallyStatement, pd *PartialDecryption) error {
	t.Helper()
	err := VerifyPartial(st, pd)
	posted := PostedPartial{
		Chain: st.Chain, Election: st.Election, KeyDigest: st.KeyDigest, Contest: st.Contest, Organisation: st.Organisation, Trustee: st.Trustee,
		Sum: append(group.PointBytes(st.A0), PointsBytes(st.A)...), Keys: newRow(st.Keys),
		Shares: PointsBytes(pd.Shares), Proof: pd.Proof[:],
	}
	if encoded := posted.Verify(); encoded != err {
		t.Errorf("%v where the encodings give %v", err, encoded)
	}
	return err
}

func TestPartialSoundness(t *testing.T) {
	b, st := opened(t)
	pd, err := ProvePartial(st, b.shares[1], rand.Reader)
	check(t, err)
	check(t, verifyBoth(t, st, pd))
	seen := map[[transcript.ChallengeSize]byte]string{must(st.equality(pd.Shares)).lambda: "itself"}
	for name, other := range otherStatements(b, st) {
		refuses(t, "moved to another "+name, verifyBoth(t, other, pd), ErrProof)
		lambda := must(other.equality(pd.Shares)).lambda
		if before, ok := seen[lambda]; ok {
			t.Errorf("another %s has the lambda of %s", name, before)
		}
		seen[lambda] = name
	}
	for i := range ProofSize {
		changed := *pd
		changed.Proof[i] ^= 1
		refuses(t, "changed proof", verifyBoth(t, st, &changed), ErrProof)
	}
	notCanonical := *pd
	notCanonical.Proof = addOrder(pd.Proof)
	refuses(t, "proof not canonical", verifyBoth(t, st, &notCanonical), ErrProof)

	with := func(change func(shares []*curve.RistrettoPoint)) *PartialDecryption {
		shares := slices.Clone(pd.Shares)
		change(shares)
		return &PartialDecryption{Shares: shares, Proof: pd.Proof}
	}
	for j := range pd.Shares {
		refuses(t, "a wrong share", verifyBoth(t, st, with(func(s []*curve.RistrettoPoint) { s[j] = times(3) })), ErrProof)
		refuses(t, "identity share", verifyBoth(t, st, with(func(s []*curve.RistrettoPoint) { s[j] = curve.NewRistrettoPoint() })), group.ErrIdentity)
	}
	refuses(t, "shares swapped", verifyBoth(t, st, with(slices.Reverse[[]*curve.RistrettoPoint])), ErrProof)
	refuses(t, "a share short", verifyBoth(t, st, &PartialDecryption{pd.Shares[:2], pd.Proof}), ErrLength)
	refuses(t, "a share more", verifyBoth(t, st, &PartialDecryption{append(pd.Shares[:3:3], times(1)), pd.Proof}), ErrLength)

	// Statements that must never come to a proof.
	malformed := func(change func(*TallyStatement)) *TallyStatement {
		c := *st
		c.A, c.Keys = slices.Clone(st.A), slices.Clone(st.Keys)
		change(&c)
		return &c
	}
	refuses(t, "A_0 identity", verifyBoth(t, malformed(func(s *TallyStatement) { s.A0 = curve.NewRistrettoPoint() }), pd), group.ErrIdentity)
	refuses(t, "key identity", verifyBoth(t, malformed(func(s *TallyStatement) { s.Keys[0] = curve.NewRistrettoPoint() }), pd), group.ErrIdentity)
	refuses(t, "trustee 0", verifyBoth(t, malformed(func(s *TallyStatement) { s.Trustee = 0 }), pd), ErrIndex)
	refuses(t, "A and keys differ", verifyBoth(t, malformed(func(s *TallyStatement) { s.A = s.A[:2] }), pd), ErrLength)
	empty := malformed(func(s *TallyStatement) { s.A, s.Keys = nil, nil })
	refuses(t, "nothing to prove", verifyBoth(t, empty, &PartialDecryption{Proof: pd.Proof}), ErrLength)
	_, err = ProvePartial(malformed(func(s *TallyStatement) { s.A0 = curve.NewRistrettoPoint() }), b.shares[1], rand.Reader)
	refuses(t, "proving for the identity", err, group.ErrIdentity)
	_, err = ProvePartial(st, b.shares[2], rand.Reader)
	refuses(t, "another trustee's share", err, ErrShare)
	if _, err = ProvePartial(st, b.shares[1], brokenReader{}); err == nil {
		t.Error("proof without randomness")
	}
}

// TestPartialForgeries are attempts to prove shares that are not x_j A_0.
func TestPartialForgeries(t *testing.T) {
	b, st := opened(t)
	x := b.shares[1].scalars
	wrong := must(decryptionShares(b.shares[1], st.Keys, st.A0))
	wrong[1] = curve.NewRistrettoPoint().Add(wrong[1], times(1)) // one vote less for option 1
	e := must(st.equality(wrong))

	refuses(t, "one proof for all slots, one slot wrong", e.verify(must(e.prove(x, rand.Reader))), ErrProof)
	claimed := slices.Clone(x)
	claimed[1] = scalar.New().Add(x[1], scalar.One())
	refuses(t, "another secret for the wrong slot", e.verify(must(e.prove(claimed, rand.Reader))), ErrProof)

	// Chosen challenge: c and s first, R from them. It verifies only if the hash happens to give c.
	var chosen Proof
	copy(chosen[:32], group.ScalarBytes(scalar.NewFromUint64(5)))
	copy(chosen[32:], group.ScalarBytes(scalar.NewFromUint64(6)))
	refuses(t, "chosen challenge", e.verify(chosen), ErrProof)
	refuses(t, "zero proof", e.verify(Proof{}), ErrProof)

	// A proof for another sum: all S_j = x_j A'_0, proven for A_0.
	other := *st
	other.A0 = times(12345)
	pd := must(ProvePartial(&other, b.shares[1], rand.Reader))
	refuses(t, "shares of another sum", verifyBoth(t, st, pd), ErrProof)
	elsewhere := must(st.equality(pd.Shares))
	refuses(t, "shares of another sum, proof made anew", elsewhere.verify(must(elsewhere.prove(x, rand.Reader))), ErrProof)
}

// TestWeakLambda shows why lambda depends on the shares: with weights known beforehand two slots are shifted against each
// other, votes move from one option to another, and the proof holds. Ours does not.
func TestWeakLambda(t *testing.T) {
	b, st := opened(t)
	x := b.shares[1].scalars
	weak := transcript.New("weak") // without the shares
	weak.Append("P", PointsBytes(st.Keys))
	lambda := group.ReduceScalar(weak.Clone().Challenge("lambda"))

	// S_1 + lambda G and S_2 - G: lambda^1 lambda G - lambda^2 G = 0.
	shares := must(decryptionShares(b.shares[1], st.Keys, st.A0))
	shares[0] = curve.NewRistrettoPoint().Add(shares[0], curve.NewRistrettoPoint().Mul(curve.RISTRETTO_BASEPOINT_POINT, lambda))
	shares[1] = curve.NewRistrettoPoint().Sub(shares[1], times(1))
	bases := []*curve.RistrettoPoint{curve.RISTRETTO_BASEPOINT_POINT, st.A0}
	e := newEquality(weak, bases, st.Keys, shares)
	if e.verify(must(e.prove(x, rand.Reader))) != nil {
		t.Fatal("the demonstration is wrong: the attack fails against the weak variant")
	}
	ours := must(st.equality(shares))
	refuses(t, "shifted shares", ours.verify(must(ours.prove(x, rand.Reader))), ErrProof)

	// The same with the lambda that ours has for the true shares, which would pass if lambda did not depend on them.
	shares = must(decryptionShares(b.shares[1], st.Keys, st.A0))
	lambda = group.ReduceScalar(must(st.equality(shares)).lambda)
	shares[0] = curve.NewRistrettoPoint().Add(shares[0], curve.NewRistrettoPoint().Mul(curve.RISTRETTO_BASEPOINT_POINT, lambda))
	shares[1] = curve.NewRistrettoPoint().Sub(shares[1], times(1))
	ours = must(st.equality(shares))
	refuses(t, "shares shifted by our lambda", ours.verify(must(ours.prove(x, rand.Reader))), ErrProof)
}

// TestTrialIsNotATally: the labels keep the two proofs apart even where base, keys and everything else are the same.
func TestTrialIsNotATally(t *testing.T) {
	b, st := opened(t)
	trial := &TrialStatement{st.Chain, st.Election, st.KeyDigest, st.Organisation, st.Trustee, st.Keys}
	pd := must(ProveTrial(trial, b.shares[1], rand.Reader))
	check(t, VerifyTrial(trial, pd))
	st.A0 = trial.base()
	refuses(t, "a trial as a tally", VerifyPartial(st, pd), ErrProof)
	refuses(t, "a tally as a trial", VerifyTrial(trial, must(ProvePartial(st, b.shares[1], rand.Reader))), ErrProof)

	for name, change := range map[string]func(*TrialStatement){
		"chain":        func(s *TrialStatement) { s.Chain = "chain2" },
		"election":     func(s *TrialStatement) { s.Election = "other" },
		"key digest":   func(s *TrialStatement) { s.KeyDigest[0] ^= 2 },
		"organisation": func(s *TrialStatement) { s.Organisation = "league" },
		"trustee":      func(s *TrialStatement) { s.Trustee = 2 },
		"keys":         func(s *TrialStatement) { s.Keys = b.key.Trustee(2) },
	} {
		changed := *trial
		change(&changed)
		refuses(t, "moved to another "+name, VerifyTrial(&changed, pd), ErrProof)
	}
	_, err := ProveTrial(trial, b.shares[2], rand.Reader)
	refuses(t, "another trustee's share", err, ErrShare)
	if _, err = ProveTrial(trial, b.shares[1], brokenReader{}); err == nil {
		t.Error("proof without randomness")
	}
	trial.Trustee = 0
	_, err = ProveTrial(trial, b.shares[1], rand.Reader)
	refuses(t, "trustee 0", err, ErrIndex)
}

func TestCheckTrial(t *testing.T) {
	b := newBoard(t, Ceremony{"chain", "election", "party", 1, 2, 2}, 1, 2, 3, 5)
	base := TrialBase("chain", "election", [32]byte{1})
	var shares []TrusteeShares
	for _, i := range b.indices {
		shares = append(shares, TrusteeShares{i, must(decryptionShares(b.shares[i], b.key.Trustee(i), base))})
	}
	check(t, b.key.CheckTrial(shares))
	check(t, b.key.CheckTrial(shares[1:]))
	check(t, b.key.CheckTrial(shares[2:])) // one quorum only
	// The combined point is p_j T.
	q := coefficients(shares[:2])
	for j := range b.Slots {
		if interpolate(q, shares[:2], j).Equal(curve.NewRistrettoPoint().Mul(base, b.secret(j))) != 1 {
			t.Errorf("slot %d does not combine to p T", j)
		}
	}

	refuses(t, "too few", b.key.CheckTrial(shares[:1]), ErrQuorum)
	refuses(t, "twice", b.key.CheckTrial([]TrusteeShares{shares[0], shares[0]}), ErrIndex)
	refuses(t, "a stranger", b.key.CheckTrial(append(shares[:3:3], TrusteeShares{9, shares[3].Shares})), ErrIndex)
	refuses(t, "a slot short", b.key.CheckTrial([]TrusteeShares{shares[0], {2, shares[1].Shares[:1]}}), ErrLength)
	refuses(t, "swapped", b.key.CheckTrial([]TrusteeShares{{1, shares[1].Shares}, {2, shares[0].Shares}, shares[2]}), ErrTrial)
	wrong := slices.Clone(shares)
	wrong[3].Shares = []*curve.RistrettoPoint{shares[3].Shares[0], times(4)}
	refuses(t, "a share wrong in the last slot", b.key.CheckTrial(wrong), ErrTrial)
	for name, change := range map[string]func(*OrganisationKey){
		"joint key":     func(k *OrganisationKey) { k.Keys[1] = times(8) },
		"trustee's key": func(k *OrganisationKey) { k.Trustees[3].Keys[1] = times(8) },
		"quorum":        func(k *OrganisationKey) { k.Quorum = 3 },
		"quorum of one": func(k *OrganisationKey) { k.Quorum = 1 },
	} {
		key := clone(b.key)
		change(key)
		err := key.CheckTrial(shares)
		// A quorum that is too great combines just as well: k points and more lie on the polynomial.
		if (err == nil) != (name == "quorum") {
			t.Errorf("key record with a wrong %s: %v", name, err)
		}
	}
}

func TestCombine(t *testing.T) {
	b, st := opened(t)
	var q QuorumShares
	q.Quorum = 2
	for _, i := range b.indices {
		q.Trustees = append(q.Trustees, TrusteeShares{i, must(decryptionShares(b.shares[i], b.key.Trustee(i), st.A0))})
	}
	sums, err := Combine(st.A0, st.A, []QuorumShares{q})
	check(t, err)
	for j, want := range []uint64{3, 0, 5} {
		if sums[j].Equal(times(want)) != 1 {
			t.Errorf("slot %d", j)
		}
	}
	combine := func(trustees ...TrusteeShares) error {
		_, err := Combine(st.A0, st.A, []QuorumShares{{2, trustees}})
		return err
	}
	refuses(t, "one trustee", combine(q.Trustees[0]), ErrQuorum)
	refuses(t, "one trustee twice", combine(q.Trustees[0], q.Trustees[0]), ErrIndex)
	refuses(t, "index 0", combine(q.Trustees[0], TrusteeShares{0, q.Trustees[1].Shares}), ErrIndex)
	refuses(t, "a slot short", combine(q.Trustees[0], TrusteeShares{2, q.Trustees[1].Shares[:2]}), ErrLength)
	_, err = Combine(st.A0, st.A, nil)
	refuses(t, "nobody", err, ErrQuorum)
	_, err = Combine(st.A0, st.A, []QuorumShares{{1, q.Trustees}})
	refuses(t, "a quorum of one", err, ErrQuorum)

	// Wrong indices and wrong quorums give points far from any count; the caller sees a sum outside its bounds.
	table := NewLogTable(1000)
	for name, wrong := range map[string][]QuorumShares{
		"indices exchanged": {{2, []TrusteeShares{{1, q.Trustees[1].Shares}, {2, q.Trustees[0].Shares}}}},
		"wrong index":       {{2, []TrusteeShares{{1, q.Trustees[0].Shares}, {4, q.Trustees[1].Shares}}}},
		"counted twice":     {q, q},
	} {
		sums, err := Combine(st.A0, st.A, wrong)
		check(t, err)
		if v, ok := table.Solve(sums[0], 1000); ok {
			t.Errorf("%s: opened to %d", name, v)
		}
	}

	// Nobody voted, or everything cancelled: A_j is read off, nobody is asked.
	sums, err = Combine(curve.NewRistrettoPoint(), []*curve.RistrettoPoint{times(0), times(2)}, nil)
	check(t, err)
	if !sums[0].IsIdentity() || sums[1].Equal(times(2)) != 1 {
		t.Error("sum without randomness is not read off")
	}
}

func TestParsePartialDecryption(t *testing.T) {
	b, st := opened(t)
	pd := must(ProvePartial(st, b.shares[1], rand.Reader))
	shares := PointsBytes(pd.Shares)
	parse := func(shares, proof []byte, slots int) error {
		_, err := ParsePartialDecryption(shares, proof, slots)
		return err
	}
	check(t, parse(shares, pd.Proof[:], 3))
	refuses(t, "too few slots", parse(shares, pd.Proof[:], 4), ErrLength)
	refuses(t, "too many slots", parse(shares, pd.Proof[:], 2), ErrLength)
	refuses(t, "truncated", parse(shares[:95], pd.Proof[:], 3), ErrLength)
	refuses(t, "short proof", parse(shares, pd.Proof[:63], 3), ErrLength)
	refuses(t, "long proof", parse(shares, append(pd.Proof[:], 0), 3), ErrLength)
	refuses(t, "negative", parse(shares, pd.Proof[:], -3), ErrLength)
	identity := append(make([]byte, 32), shares[32:]...)
	refuses(t, "identity", parse(identity, pd.Proof[:], 3), group.ErrIdentity)
	identity[0] = 1 // an odd number is negative
	refuses(t, "not canonical", parse(identity, pd.Proof[:], 3), group.ErrPoint)
}

// TestPostedPartialForm: what is not a partial decryption of so many slots is refused whatever it says, and no range leaves its row.
func TestPostedPartialForm(t *testing.T) {
	b, st := opened(t)
	pd := must(ProvePartial(st, b.shares[1], rand.Reader))
	good := PostedPartial{
		Chain: st.Chain, Election: st.Election, KeyDigest: st.KeyDigest, Contest: st.Contest, Organisation: st.Organisation, Trustee: st.Trustee,
		Sum: append(group.PointBytes(st.A0), PointsBytes(st.A)...), Shares: PointsBytes(pd.Shares), Proof: pd.Proof[:],
	}
	all := must(ParseRow(slices.Concat(group.PointBytes(times(5)), PointsBytes(st.Keys), group.PointBytes(times(6))), 5))
	good.Keys = must(all.Range(1, 3))
	check(t, good.Verify())
	for name, c := range map[string]struct {
		change func(p *PostedPartial)
		want   error
	}{
		"a short proof":  {func(p *PostedPartial) { p.Proof = p.Proof[1:] }, ErrLength},
		"a short sum":    {func(p *PostedPartial) { p.Sum = p.Sum[:96] }, ErrLength},
		"a short share":  {func(p *PostedPartial) { p.Shares = p.Shares[1:] }, ErrLength},
		"other keys":     {func(p *PostedPartial) { p.Keys = must(all.Range(0, 3)) }, ErrProof},
		"too few keys":   {func(p *PostedPartial) { p.Keys = must(all.Range(1, 2)) }, ErrLength},
		"no point":       {func(p *PostedPartial) { p.Shares = append(make([]byte, 31), append([]byte{0x80}, p.Shares[32:]...)...) }, group.ErrPoint},
		"A_0 no point":   {func(p *PostedPartial) { p.Sum = append(make([]byte, 31), append([]byte{0x80}, p.Sum[32:]...)...) }, group.ErrPoint},
		"another A_j":    {func(p *PostedPartial) { p.Sum = slices.Clone(p.Sum); p.Sum[40] ^= 1 }, ErrProof},
		"no keys at all": {func(p *PostedPartial) { p.Keys, p.Sum, p.Shares = Row{}, p.Sum[:32], nil }, ErrLength},
	} {
		p := good
		c.change(&p)
		refuses(t, name, p.Verify(), c.want)
	}
	for _, r := range [][2]int{{-1, 1}, {0, 6}, {5, 1}, {6, 0}, {1, -1}} {
		if _, err := all.Range(r[0], r[1]); err != ErrLength {
			t.Errorf("%v: %v", r, err)
		}
	}
	if _, err := ParseRow(make([]byte, 32), 1); err != group.ErrIdentity {
		t.Error(err)
	}
}
