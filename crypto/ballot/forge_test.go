package ballot

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
)

// TestForgedWitnesses: the forger with an honest witness passes, and with any dishonest one the named equation fails.
func TestForgedWitnesses(t *testing.T) {
	p, _ := testParameters(t, 8, twoContests)
	e, key := newElection(t, p), newKey(t)
	st := Statement{Voter: key.Public(), Sequence: 1}
	number := func(n int) *scalar.Scalar {
		s := scalar.NewFromUint64(uint64(max(n, -n)))
		if n < 0 {
			return minus(s)
		}
		return s
	}
	// Positions: 3 options and 1 dummy of the first contest, 5 options and 2 dummies of the second.
	set := func(bits ...int) func(*forger) {
		return func(f *forger) {
			for i, j := range f.s.optionAt {
				f.b[i] = number(bits[i])
				if j >= 0 {
					f.v[j] = f.b[i]
				}
			}
		}
	}
	for _, c := range []struct {
		name, equation string
		change         func(*forger)
	}{
		{"honest", "", func(*forger) {}},
		{"honest, other bits", "", set(0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0)},
		{"over-vote", "equation 1", set(1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1)},
		{"over-vote beside the dummies", "equation 1", set(0, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0)},
		{"under-vote", "equation 1", set(0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1)},
		{"a thousand votes", "equation 1", set(0, 1000, 0, 0, 1, 0, 0, 0, 0, 1, 1)},
		{"two votes for one option", "equation 2", set(0, 2, 0, -1, 1, 0, 0, 0, 0, 1, 1)},
		{"a vote taken away", "equation 2", set(-1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 1)},
		{"a dummy of 2", "equation 2", set(0, 0, 0, 1, 1, 0, 0, 0, 0, 2, 0)},
		{"a vote moved between contests", "equation 1", set(1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1)},
		{"another option encrypted", "equation 4", func(f *forger) { f.v[0], f.v[1] = f.v[1], f.v[0] }},
		{"a thousand votes encrypted", "equation 4", func(f *forger) { f.v[1] = number(1000) }},
		{"other randomness in one option", "equation 4", func(f *forger) { f.r[2] = randomScalar(t) }},
		{"other randomness in C_0", "equation 4", func(f *forger) { f.r0 = randomScalar(t) }},
		{"masks that do not cancel", "equation 1", func(f *forger) { f.masks[3] = randomScalar(t) }},
		{"masks that cancel across contests only", "equation 1", func(f *forger) {
			f.masks[3] = scalar.New().Add(f.masks[3], scalar.One())
			f.masks[10] = scalar.New().Sub(f.masks[10], scalar.One())
		}},
	} {
		f := newForger(t, e, st, key, [][]int{{1}, {0}}, rand.Reader)
		c.change(f)
		err := check(t, e, f.forge(t).arrived(st))
		if c.equation == "" && err != nil || c.equation != "" && (err == nil || !strings.Contains(err.Error(), c.equation)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.equation)
		}
	}
}

// TestErrorsThatCancelUnderAKnownRho encrypts +1 and -1/rho too much in two options. Whoever knew rho beforehand would pass;
// since rho hangs on the C_j, nobody does.
func TestErrorsThatCancelUnderAKnownRho(t *testing.T) {
	p, _ := testParameters(t, 8, twoContests)
	e, key := newElection(t, p), newKey(t)
	st := Statement{Voter: key.Public()}
	guess := randomScalar(t)
	f := newForger(t, e, st, key, [][]int{{1}, {0}}, rand.Reader)
	f.v[0] = scalar.New().Add(f.v[0], scalar.One())
	f.v[1] = scalar.New().Sub(f.v[1], scalar.New().Invert(guess))
	p1 := f.forge(t)
	if err := check(t, e, p1.arrived(st)); !errors.Is(err, ErrProof) {
		t.Errorf("forged: %v", err)
	}
	// With the guess as rho and an x of the verifier's choice, all equations hold.
	b := parse(t, e, p1.arrived(st))
	b.rho = guess
	power, mask, key1 := scalar.One(), scalar.New(), curve.NewRistrettoPoint().Identity()
	for i, j := range f.s.optionAt {
		if j >= 0 {
			power = scalar.New().Mul(power, guess)
			mask.Add(mask, scalar.New().Mul(power, f.masks[i]))
			key1.Add(key1, mul(power, e.keys[f.s.slots[j]]))
		}
	}
	b.t1 = add(timesG(mask), mul(p1.s, key1))
	if err := verifyBoth(t, e, b); err != nil {
		t.Errorf("with the guessed rho: %v", err)
	}
}

// TestSimulator: for challenges chosen first, transcripts that satisfy the equations exist for *any* ciphertext and need no
// witness, so a transcript shows nothing but validity; and for the same reason a prover who could choose its challenges could
// prove anything, so the same bytes must fail once the challenges are computed.
func TestSimulator(t *testing.T) {
	e, key := testElection(t, 8, twoContests), newKey(t)
	st := Statement{Voter: key.Public()}
	for name, change := range map[string]func(*forger){
		"a valid ballot":   func(*forger) {},
		"a thousand votes": func(f *forger) { f.v[1] = scalar.NewFromUint64(1000) },
	} {
		f := newForger(t, e, st, key, [][]int{{1}, {0}}, rand.Reader)
		change(f)
		a := f.forge(t).arrived(st)
		b := parse(t, e, a)
		simulate(t, e, b, randomScalar(t), randomScalar(t))
		if err := verifyBoth(t, e, b); err != nil {
			t.Errorf("%s: simulated transcript: %v", name, err)
		}
		a.proof = proofBytes(b)
		if err := check(t, e, resign(e, a, key, t)); !errors.Is(err, ErrProof) {
			t.Errorf("%s: chosen challenges: %v", name, err)
		}
		// Choosing x alone, with the rho that the transcript really gives, does not help either.
		tr := e.statement(st, a.ciphertext)
		simulate(t, e, b, appendCommitments(tr, a.proof[:commitmentsEnd]), randomScalar(t))
		a.proof = append(a.proof[:commitmentsEnd:commitmentsEnd], proofBytes(b)[commitmentsEnd:]...)
		if err := check(t, e, resign(e, a, key, t)); !errors.Is(err, ErrProof) {
			t.Errorf("%s: chosen x: %v", name, err)
		}
	}
}

// TestExtraction runs the extractor of section 3.14 on three x for one rho and reads the selections and r off the responses.
func TestExtraction(t *testing.T) {
	e, key := testElection(t, 8, twoContests), newKey(t)
	st := Statement{Voter: key.Public()}
	f := newForger(t, e, st, key, [][]int{{2}, {0, 4}}, rand.Reader)
	p := f.forge(t)
	answer := func(x *scalar.Scalar) *EncryptedBallot {
		b := *parse(t, e, p.arrived(st))
		b.x, b.f = x, nil
		for i := range f.b {
			b.f = append(b.f, linear(f.b[i], x, f.masks[i]))
		}
		b.zA, b.zC, b.zR = linear(p.rB, x, p.rA), linear(p.rC, x, p.rD), linear(f.r0, x, p.s)
		if err := verifyBoth(t, e, &b); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	one, two, three := answer(randomScalar(t)), answer(randomScalar(t)), answer(randomScalar(t))
	slope := func(y1, y2, x1, x2 *scalar.Scalar) *scalar.Scalar {
		m := scalar.New().Invert(scalar.New().Sub(x1, x2))
		return m.Mul(m, scalar.New().Sub(y1, y2))
	}
	if r := slope(one.zR, two.zR, one.x, two.x); r.Equal(f.r0) != 1 || timesG(r).Equal(one.ciphertext.c0) != 1 {
		t.Error("r is not extracted")
	}
	for i := range f.b {
		b := slope(one.f[i], two.f[i], one.x, two.x)
		if b.Equal(f.b[i]) != 1 || b.Equal(slope(one.f[i], three.f[i], one.x, three.x)) != 1 {
			t.Errorf("position %d is not extracted", i)
		}
	}
}

// TestRepeatedRandomnessOpensBallots shows why masks and r may never be used twice, and that no source, however bad, makes the
// derivation do so (section 3.10).
func TestRepeatedRandomnessOpensBallots(t *testing.T) {
	e, key := testElection(t, 8, twoContests), newKey(t)
	st := Statement{Voter: key.Public()}
	f1 := newForger(t, e, st, key, [][]int{{2}, {0}}, rand.Reader)
	f2 := newForger(t, e, st, key, [][]int{{0}, {0}}, rand.Reader)

	// The same r: C_j - C'_j = (b_j - b'_j) G for whoever looks.
	f2.r0, f2.r = f1.r0, f1.r
	p1, p2 := f1.forge(t), f2.forge(t)
	difference := curve.NewRistrettoPoint().Sub(p1.cj[2], p2.cj[2])
	if !bytes.Equal(group.PointBytes(difference), group.PointBytes(curve.RISTRETTO_BASEPOINT_POINT)) {
		t.Error("the same r does not open the difference of two ballots")
	}

	// The same masks and selections with fresh r: f_i - f'_i = b_i (x - x').
	f3 := newForger(t, e, st, key, [][]int{{2}, {0}}, rand.Reader)
	f3.masks = f1.masks
	p3 := f3.forge(t)
	for i := range f1.b {
		d := scalar.New().Sub(p1.f[i], p3.f[i])
		if d.Equal(scalar.New().Mul(f1.b[i], scalar.New().Sub(p1.x, p3.x))) != 1 {
			t.Error("the same masks do not open a ballot")
		}
	}

	// A source that gives the same bytes for ever.
	broken := func() *bytes.Reader { return bytes.NewReader(make([]byte, 64)) }
	p, _ := testParameters(t, 8, twoContests, twoContests)
	seen := make(map[string]string)
	for name, vary := range map[string]func(p *Parameters, st *Statement, selections *[][]int, key **SecretKey){
		"nothing":    func(*Parameters, *Statement, *[][]int, **SecretKey) {},
		"selections": func(_ *Parameters, _ *Statement, s *[][]int, _ **SecretKey) { *s = [][]int{{0}, {0}} },
		"blank":      func(_ *Parameters, _ *Statement, s *[][]int, _ **SecretKey) { *s = [][]int{{}, {0}} },
		"sequence":   func(_ *Parameters, st *Statement, _ *[][]int, _ **SecretKey) { st.Sequence++ },
		"style":      func(_ *Parameters, st *Statement, _ *[][]int, _ **SecretKey) { st.Style++ },
		"roll index": func(_ *Parameters, st *Statement, _ *[][]int, _ **SecretKey) { st.RollIndex++ },
		"election":   func(p *Parameters, _ *Statement, _ *[][]int, _ **SecretKey) { p.Election += "2" },
		"chain":      func(p *Parameters, _ *Statement, _ *[][]int, _ **SecretKey) { p.Chain += "2" },
		"manifest":   func(p *Parameters, _ *Statement, _ *[][]int, _ **SecretKey) { p.Manifest[0]++ },
		"keys":       func(p *Parameters, _ *Statement, _ *[][]int, _ **SecretKey) { p.KeyDigest[0]++ },
		"voter": func(_ *Parameters, st *Statement, _ *[][]int, key **SecretKey) {
			*key = newKey(t)
			st.Voter = (*key).Public()
		},
	} {
		q, st, selections, key := p, st, [][]int{{2}, {0}}, key
		vary(&q, &st, &selections, &key)
		d, err := newElection(t, q).Encrypt(st, selections, key, broken())
		if err != nil {
			t.Fatal(err)
		}
		// r and all that follows in the stream.
		for _, secret := range []*scalar.Scalar{d.r, d.nonces.next(), d.nonces.next()} {
			s := string(group.ScalarBytes(secret))
			if other, ok := seen[s]; ok {
				t.Errorf("a secret of %q and of %q is the same", name, other)
			}
			seen[s] = name
		}
	}
}

// TestRelatedKeysOpenBallots shows what section 3.13 warns of: with one r for all slots, whoever knows P_1 - P_2 = delta G reads
// the difference of two selections. It is the key ceremony that must exclude it.
func TestRelatedKeysOpenBallots(t *testing.T) {
	p, _ := testParameters(t, 8, twoContests)
	delta := randomScalar(t)
	p.Keys[0] = add(p.Keys[1], timesG(delta))
	e, key := newElection(t, p), newKey(t)
	b := parse(t, e, cast(t, e, Statement{Voter: key.Public()}, [][]int{{}, {0}}, key))
	// Slots 0 and 1 are the first options of the second contest, ordinals 3 and 4.
	d := curve.NewRistrettoPoint().Sub(b.ciphertext.c[3], b.ciphertext.c[4])
	d.Sub(d, mul(delta, b.ciphertext.c0))
	if d.Equal(curve.RISTRETTO_BASEPOINT_POINT) != 1 {
		t.Error("related keys do not open a ballot")
	}
}
