package ballot

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"pgregory.net/rapid"
)

// fataler is what the helpers need of testing.TB and rapid.T.
type fataler interface {
	Fatal(args ...any)
}

func randomScalar(t fataler) *scalar.Scalar {
	s, err := scalar.New().SetRandom(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// timesG returns sG.
func timesG(s *scalar.Scalar) *curve.RistrettoPoint {
	return curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, s)
}

// testParameters returns parameters with fresh keys, and the secrets p_j of P_j = p_j G.
func testParameters(t fataler, slots int, styles ...Style) (Parameters, []*scalar.Scalar) {
	p := Parameters{
		Chain: "test-chain", Election: "primary", Styles: styles,
		Manifest: [32]byte{1}, RollRoot: [32]byte{2}, KeyDigest: [32]byte{3},
	}
	var secrets []*scalar.Scalar
	for range slots {
		s := randomScalar(t)
		secrets, p.Keys = append(secrets, s), append(p.Keys, timesG(s))
	}
	return p, secrets
}

func testElection(t fataler, slots int, styles ...Style) *Election {
	p, _ := testParameters(t, slots, styles...)
	return newElection(t, p)
}

func newElection(t fataler, p Parameters) *Election {
	e, err := NewElection(p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func newKey(t fataler) *SecretKey {
	key, err := GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// arrived is a ballot as it comes from outside.
type arrived struct {
	st                           Statement
	ciphertext, proof, signature []byte
}

func (a arrived) clone() arrived {
	return arrived{a.st, bytes.Clone(a.ciphertext), bytes.Clone(a.proof), bytes.Clone(a.signature)}
}

// cast encrypts, proves and signs.
func cast(t fataler, e *Election, st Statement, selections [][]int, key *SecretKey) arrived {
	d, err := e.Encrypt(st, selections, key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := arrived{st: st}
	if a.ciphertext, a.proof, a.signature, err = d.Cast(); err != nil {
		t.Fatal(err)
	}
	return a
}

func parse(t fataler, e *Election, a arrived) *EncryptedBallot {
	b, err := e.ParseBallot(a.st, a.ciphertext, a.proof, a.signature)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// check parses and verifies, alone and in a batch of one, which must agree on the class of the fault.
func check(t fataler, e *Election, a arrived) error {
	b, err := e.ParseBallot(a.st, a.ciphertext, a.proof, a.signature)
	if err != nil {
		return err
	}
	return verifyBoth(t, e, b)
}

func verifyBoth(t fataler, e *Election, b *EncryptedBallot) error {
	alone := e.Verify(b)
	faults, err := e.VerifyBatch([]*EncryptedBallot{b}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []error{ErrSignature, ErrProof} {
		if errors.Is(alone, class) != errors.Is(faults[0], class) {
			t.Fatal("alone and in a batch:", alone, faults[0])
		}
	}
	if (alone == nil) != (faults[0] == nil) {
		t.Fatal("alone and in a batch:", alone, faults[0])
	}
	return alone
}

// twoContests has a contest of at most one of 3 options and one of 1 to 3 of 5, whose slots come first.
var twoContests = Style{[]Contest{{FirstSlot: 5, Options: 3, Min: 0, Max: 1}, {FirstSlot: 0, Options: 5, Min: 1, Max: 3}}}

func TestSizes(t *testing.T) {
	for options, want := range map[int]int{3: 512, 5: 640, 10: 960, 30: 2240} {
		s := Style{[]Contest{{Options: options, Min: 0, Max: 1}}}
		if got := s.CiphertextSize() + s.ProofSize(); got != want {
			t.Errorf("%d options: %d bytes, want %d", options, got, want)
		}
		key := newKey(t)
		e := testElection(t, options, s)
		a := cast(t, e, Statement{Voter: key.Public()}, [][]int{{1}}, key)
		if len(a.ciphertext) != s.CiphertextSize() || len(a.proof) != s.ProofSize() || len(a.signature) != SignatureSize {
			t.Errorf("%d options: %d, %d and %d bytes", options, len(a.ciphertext), len(a.proof), len(a.signature))
		}
	}
}

// drawElection draws the contests of a manifest on slots in any order, with gaps, and some styles of them.
func drawElection(t *rapid.T) ([]Style, int) {
	contests := make([]Contest, rapid.IntRange(1, 4).Draw(t, "contests"))
	slots := 0
	for _, i := range rapid.Permutation([]int{0, 1, 2, 3}[:len(contests)]).Draw(t, "slot order") {
		options := rapid.IntRange(1, 6).Draw(t, "options")
		most := rapid.IntRange(1, options).Draw(t, "max")
		slots += rapid.IntRange(0, 2).Draw(t, "gap")
		contests[i] = Contest{slots, options, rapid.IntRange(0, most).Draw(t, "min"), most}
		slots += options
	}
	styles := make([]Style, rapid.IntRange(1, 3).Draw(t, "styles"))
	for i := range styles {
		first := rapid.IntRange(0, len(contests)-1).Draw(t, "first contest")
		styles[i].Contests = contests[first:]
	}
	return styles, slots
}

func drawSelections(t *rapid.T, s Style) [][]int {
	selections := make([][]int, len(s.Contests))
	for i, c := range s.Contests {
		all := make([]int, c.Options)
		for o := range all {
			all[o] = o
		}
		n := rapid.IntRange(c.Min, c.Max).Draw(t, "selected")
		selections[i] = rapid.Permutation(all).Draw(t, "selections")[:n]
	}
	return selections
}

// TestCompleteness: whatever a manifest allows can be cast, verifies alone and in a batch, and is in the sums what was selected.
func TestCompleteness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		styles, slots := drawElection(t)
		p, secrets := testParameters(t, slots, styles...)
		e := newElection(t, p)
		var ballots []*EncryptedBallot
		for i := range rapid.IntRange(1, 4).Draw(t, "ballots") {
			key := newKey(t)
			st := Statement{
				Style:     uint32(rapid.IntRange(0, len(styles)-1).Draw(t, "style")),
				RollIndex: rapid.Uint64().Draw(t, "roll index"), Voter: key.Public(), Sequence: uint64(i),
			}
			selections := drawSelections(t, styles[st.Style])
			b := parse(t, e, cast(t, e, st, selections, key))
			if err := e.Verify(b); err != nil {
				t.Fatal(err)
			}
			for c, contest := range styles[st.Style].Contests {
				votes := make([]uint64, contest.Options)
				for _, o := range selections[c] {
					votes[o]++
				}
				sum := NewEncryptedTally(contest.Options)
				if err := sum.Add(b.Ciphertext(), c); err != nil {
					t.Fatal(err)
				}
				checkTally(t, sum, secrets[contest.FirstSlot:], votes)
			}
			ballots = append(ballots, b)
		}
		faults, err := e.VerifyBatch(ballots, rand.Reader)
		if err := errors.Join(append(faults, err)...); err != nil {
			t.Fatal(err)
		}
	})
}

// checkTally opens a sum with the secrets of the contest's slots: A_j - p_j A_0 = votes_j G.
func checkTally(t fataler, sum *EncryptedTally, secrets []*scalar.Scalar, votes []uint64) {
	for j, a := range sum.A {
		m := curve.NewRistrettoPoint().Mul(sum.A0, secrets[j])
		if m.Sub(a, m).Equal(timesG(scalar.NewFromUint64(votes[j]))) != 1 {
			t.Fatal(fmt.Sprintf("option %d does not hold %d votes", j, votes[j]))
		}
	}
}

func TestSelections(t *testing.T) {
	key := newKey(t)
	e := testElection(t, 8, twoContests)
	st := Statement{Voter: key.Public()}
	for name, selections := range map[string][][]int{
		"none": nil, "one contest": {{0}}, "three contests": {{0}, {0}, {0}}, "over-vote": {{0, 1}, {0}}, "under-vote": {{0}, {}},
		"repeated": {{0}, {2, 2}}, "negative": {{-1}, {0}}, "too great": {{3}, {0}}, "beyond 32 bits": {{1 << 32}, {0}},
	} {
		if _, err := e.Encrypt(st, selections, key, rand.Reader); !errors.Is(err, ErrSelections) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := e.Encrypt(st, [][]int{{0}, {0}}, newKey(t), rand.Reader); !errors.Is(err, ErrVoterKey) {
		t.Errorf("another voter's key: %v", err)
	}
	if _, err := e.Encrypt(Statement{Style: 1, Voter: key.Public()}, [][]int{{0}, {0}}, key, rand.Reader); !errors.Is(err, ErrStyle) {
		t.Errorf("no such style: %v", err)
	}
}

func TestParameters(t *testing.T) {
	ok := func() Parameters {
		p, _ := testParameters(t, 210, Style{[]Contest{{0, 3, 0, 1}, {3, 5, 1, 3}}})
		return p
	}
	contests := func(c ...Contest) func(*Parameters) {
		return func(p *Parameters) { p.Styles = append(p.Styles, Style{c}) }
	}
	if _, err := NewElection(ok()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Parameters){
		"no chain":          func(p *Parameters) { p.Chain = "" },
		"no election":       func(p *Parameters) { p.Election = "" },
		"no key":            func(p *Parameters) { p.Keys[9] = nil },
		"identity key":      func(p *Parameters) { p.Keys[9] = curve.NewRistrettoPoint().Identity() },
		"no contest":        contests(),
		"no option":         contests(Contest{0, 0, 0, 1}),
		"max 0":             contests(Contest{0, 3, 0, 0}),
		"max above options": contests(Contest{0, 3, 0, 4}),
		"min above max":     contests(Contest{0, 3, 2, 1}),
		"negative min":      contests(Contest{0, 3, -1, 1}),
		"negative slot":     contests(Contest{-1, 3, 0, 1}),
		"beyond the slots":  contests(Contest{208, 3, 0, 1}),
		"overflowing slots": contests(Contest{1<<63 - 1, 3, 0, 1}),
		"overflowing size":  contests(Contest{1, 1<<63 - 1, 0, 1}),
		"same contest":      contests(Contest{0, 3, 0, 1}, Contest{0, 3, 0, 1}),
		"overlap":           contests(Contest{0, 3, 0, 1}, Contest{2, 3, 0, 1}),
		"overlap backwards": contests(Contest{2, 3, 0, 1}, Contest{0, 3, 0, 1}),
		"201 positions":     contests(Contest{0, 200, 0, 1}),
		"201 in two":        contests(Contest{0, 100, 0, 1}, Contest{100, 100, 1, 1}),
	} {
		p := ok()
		change(&p)
		if _, err := NewElection(p); !errors.Is(err, ErrParameters) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := ok()
	contests(Contest{0, 199, 0, 1})(&p)
	if _, err := NewElection(p); err != nil {
		t.Errorf("200 positions: %v", err)
	}
}

// TestLongestBallot casts a ballot of the greatest allowed size, with as many dummies as options.
func TestLongestBallot(t *testing.T) {
	e := testElection(t, 100, Style{[]Contest{{0, 100, 0, 100}}})
	key := newKey(t)
	st := Statement{Voter: key.Public()}
	all := make([]int, 100)
	for i := range all {
		all[i] = i
	}
	for _, selections := range [][]int{all, {}, all[:37]} {
		if err := check(t, e, cast(t, e, st, [][]int{selections}, key)); err != nil {
			t.Errorf("%d selections: %v", len(selections), err)
		}
	}
}

func TestDraftIsSpentOnce(t *testing.T) {
	e, key := testElection(t, 8, twoContests), newKey(t)
	st := Statement{Voter: key.Public(), Sequence: 5}
	for name, spend := range map[string]func(*Draft) error{
		"cast":      func(d *Draft) error { _, _, _, err := d.Cast(); return err },
		"challenge": func(d *Draft) error { _, err := d.Challenge(); return err },
	} {
		d, err := e.Encrypt(st, [][]int{{2}, {0, 4}}, key, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		code, bits, r := d.Code(), d.bits, d.r
		if err := spend(d); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := d.Cast(); !errors.Is(err, ErrSpent) {
			t.Errorf("cast after %s: %v", name, err)
		}
		if _, err := d.Challenge(); !errors.Is(err, ErrSpent) {
			t.Errorf("challenge after %s: %v", name, err)
		}
		if slices.Contains(bits, 1) || r.Equal(scalar.New()) != 1 || d.key != nil {
			t.Errorf("%s leaves secrets behind", name)
		}
		want := ConfirmationCode("test-chain", "primary", 0, 0, 5, d.Ciphertext())
		if d.Code() != code || code != want {
			t.Errorf("%s changes the code", name)
		}
	}
}

func TestFailingRandomSource(t *testing.T) {
	e, key := testElection(t, 8, twoContests), newKey(t)
	st := Statement{Voter: key.Public()}
	d, err := e.Encrypt(st, [][]int{{}, {0}}, key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short := func() *bytes.Reader { return bytes.NewReader(make([]byte, 63)) }
	if _, err := GenerateKey(short()); err == nil {
		t.Error("a key without randomness")
	}
	if _, err := e.Encrypt(st, [][]int{{}, {0}}, key, short()); err == nil {
		t.Error("a ballot without randomness")
	}
	if _, err := SignSpoil(d.Spoil(), key, short()); err == nil {
		t.Error("a signature without randomness")
	}
	c, p, s, err := d.Cast()
	if err != nil {
		t.Fatal(err)
	}
	if faults, err := e.VerifyBatch([]*EncryptedBallot{parse(t, e, arrived{st, c, p, s})}, short()); err == nil || faults != nil {
		t.Error("a verdict without randomness")
	}
}

// TestConcurrentUse is for the race detector: one election, many at work.
func TestConcurrentUse(t *testing.T) {
	e := testElection(t, 8, twoContests)
	var wg sync.WaitGroup
	for i := range 4 {
		key := newKey(t)
		wg.Go(func() {
			d, err := e.Encrypt(Statement{Voter: key.Public()}, [][]int{{}, {i}}, key, rand.Reader)
			if err != nil {
				t.Error(err)
				return
			}
			c, p, s, _ := d.Cast()
			b, err := e.ParseBallot(Statement{Voter: key.Public()}, c, p, s)
			if err != nil {
				t.Error(err)
				return
			}
			if err := e.Verify(b); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
