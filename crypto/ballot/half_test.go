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

// halvesOf makes the halves of n members: a statement and the row of secrets.
func halvesOf(t *testing.T, organisation string, n int) (*Halves, []byte) {
	h := &Halves{Chain: "chain", Election: "primary", Organisation: organisation, Round: 1, Files: [][32]byte{{1}, {2}}}
	var secrets []byte
	for range n {
		key := newKey(t)
		secrets, h.Public = append(secrets, key.Bytes()...), append(h.Public, key.Public().Bytes()...)
	}
	return h, secrets
}

func proveHalves(t *testing.T, h *Halves, secrets []byte) []byte {
	t.Helper()
	proof, err := h.Prove(secrets, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// TestHalves: the proof holds for what it was made for, over more than one chunk too, and for nothing else.
func TestHalves(t *testing.T) {
	for _, n := range []int{1, 2, halvesChunk, halvesChunk + 1} {
		h, secrets := halvesOf(t, "party", n)
		last := 0
		if err := h.Verify(proveHalves(t, h, secrets), func(done int) { last = done }); err != nil || last != n {
			t.Fatalf("%d halves: %v, told %d", n, err, last)
		}
	}
	h, secrets := halvesOf(t, "party", 3)
	proof := proveHalves(t, h, secrets)
	for name, change := range map[string]func(h *Halves){
		"chain":          func(h *Halves) { h.Chain = "other" },
		"election":       func(h *Halves) { h.Election = "other" },
		"organisation":   func(h *Halves) { h.Organisation = "league" },
		"round":          func(h *Halves) { h.Round++ },
		"swapped files":  func(h *Halves) { h.Files = [][32]byte{{2}, {1}} },
		"another file":   func(h *Halves) { h.Files = [][32]byte{{1}, {3}} },
		"one file":       func(h *Halves) { h.Files = h.Files[:1] },
		"reordered":      func(h *Halves) { h.Public = bytes.Join([][]byte{h.Public[32:64], h.Public[:32], h.Public[64:]}, nil) },
		"half left out":  func(h *Halves) { h.Public = h.Public[:64] },
		"half twice":     func(h *Halves) { h.Public = append(bytes.Clone(h.Public), h.Public[:32]...) },
		"another's half": func(h *Halves) { h.Public = append(bytes.Clone(h.Public[:64]), newKey(t).Public().Bytes()...) },
	} {
		other := *h
		change(&other)
		if err := other.Verify(proof, nil); !errors.Is(err, ErrHalfProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range 8 * len(proof) {
		bad := bytes.Clone(proof)
		bad[i/8] ^= 1 << (i % 8)
		if h.Verify(bad, nil) == nil {
			t.Errorf("bit %d is not checked", i)
		}
	}
	identity := *h
	identity.Public = append(make([]byte, 32), h.Public[32:]...)
	if err := identity.Verify(proof, nil); !errors.Is(err, group.ErrIdentity) {
		t.Errorf("the identity as half: %v", err)
	}
	if err := h.Verify(proof[:63], nil); !errors.Is(err, ErrLength) {
		t.Errorf("a short proof: %v", err)
	}
	if _, err := h.Prove(secrets[:64], rand.Reader); !errors.Is(err, ErrLength) {
		t.Errorf("a secret too few: %v", err)
	}
	if _, err := h.Prove(append(bytes.Repeat([]byte{0xff}, 32), secrets[32:]...), rand.Reader); !errors.Is(err, group.ErrScalar) {
		t.Errorf("a secret that is no scalar: %v", err)
	}
}

// TestRogueHalves: a registrar that chooses its half after the other's, so that it knows the whole key, cannot prove possession: not with
// the scalar that it knows, not by replaying the other's proof, and not by hiding the rogue half behind another one.
func TestRogueHalves(t *testing.T) {
	honest, secrets := halvesOf(t, "league", 2)
	whole := newKey(t) // what the cheater wants the key of member 0 to be
	// V_B = X - V_A
	rogue := curve.NewRistrettoPoint().Sub(whole.public.point, mustPoint(t, honest.Public[:32]))
	own := newKey(t)
	cheat := *honest
	cheat.Organisation = "party"
	cheat.Public = append(group.PointBytes(rogue), own.Public().Bytes()...)
	if sum, err := SumHalves([][]byte{honest.Public[:32], cheat.Public[:32]}); err != nil || !bytes.Equal(sum, whole.Public().Bytes()) {
		t.Fatalf("the attack would not work: %v", err)
	}
	if err := cheat.Verify(proveHalves(t, &cheat, append(whole.Bytes(), own.Bytes()...)), nil); !errors.Is(err, ErrHalfProof) {
		t.Errorf("proven with the whole key: %v", err)
	}
	if err := cheat.Verify(proveHalves(t, honest, secrets), nil); !errors.Is(err, ErrHalfProof) {
		t.Errorf("the other's proof: %v", err)
	}
	copied := *honest
	copied.Organisation = "party"
	if err := copied.Verify(proveHalves(t, honest, secrets), nil); !errors.Is(err, ErrHalfProof) {
		t.Errorf("the other's halves and proof: %v", err)
	}
	// With a weight known beforehand the second half would cancel the first: V_2 = (y G - lambda V_1) / lambda^2.
	_, lambda := cheat.transcript()
	square := scalar.New().Mul(lambda, lambda)
	y := scalar.NewFromUint64(7)
	second := curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, y)
	second.Sub(second, curve.NewRistrettoPoint().Mul(rogue, lambda))
	second.Mul(second, scalar.New().Invert(square))
	adapted := cheat
	adapted.Public = append(group.PointBytes(rogue), group.PointBytes(second)...)
	forged := forgeHalves(&adapted, y)
	if err := adapted.Verify(forged, nil); !errors.Is(err, ErrHalfProof) {
		t.Errorf("halves chosen for a weight: %v", err)
	}
}

// forgeHalves proves knowledge of y as if it were the weighted sum of the secrets.
func forgeHalves(h *Halves, y *scalar.Scalar) []byte {
	t, _ := h.transcript()
	k := scalar.NewFromUint64(5)
	c := halvesChallenge(t, curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, k))
	s := scalar.New().Mul(c, y)
	return append(group.ScalarBytes(c), group.ScalarBytes(s.Add(s, k))...)
}

// TestForgeHalves: the forger of TestRogueHalves succeeds where the sum is what it claims, so that its failure says something.
func TestForgeHalves(t *testing.T) {
	h, secrets := halvesOf(t, "party", 1)
	_, lambda := h.transcript()
	v, err := group.ParseScalar(secrets)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Verify(forgeHalves(h, v.Mul(v, lambda)), nil); err != nil {
		t.Error(err)
	}
}

// TestJoinHalves: the key of the joined halves is that of the roll, and halves that cancel each other are refused.
func TestJoinHalves(t *testing.T) {
	a, b, c := newKey(t), newKey(t), newKey(t)
	joined, err := JoinHalves([]*SecretKey{a, b, c})
	if err != nil {
		t.Fatal(err)
	}
	sum, err := SumHalves([][]byte{a.Public().Bytes(), b.Public().Bytes(), c.Public().Bytes()})
	if err != nil || !bytes.Equal(sum, joined.Public().Bytes()) {
		t.Fatalf("%x, %v", sum, err)
	}
	minus, err := newSecretKey(scalar.New().Neg(a.v))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := JoinHalves([]*SecretKey{a, minus}); !errors.Is(err, group.ErrScalar) {
		t.Errorf("secret halves that cancel each other: %v", err)
	}
	if _, err := SumHalves([][]byte{a.Public().Bytes(), minus.Public().Bytes()}); !errors.Is(err, group.ErrIdentity) {
		t.Errorf("public halves that cancel each other: %v", err)
	}
	if _, err := SumHalves([][]byte{a.Public().Bytes(), make([]byte, 32)}); !errors.Is(err, group.ErrIdentity) {
		t.Errorf("the identity as half: %v", err)
	}
}

// TestHalfCode: every single typing error is told, and so is a confirmation code.
func TestHalfCode(t *testing.T) {
	half := newKey(t)
	code := FormatHalf(half)
	for _, typed := range []string{code, strings.ToUpper(code), strings.ReplaceAll(code, "-", ""), strings.ReplaceAll(code, "-", " ")} {
		if got, err := ParseHalf(typed); err != nil || !bytes.Equal(got.Bytes(), half.Bytes()) {
			t.Fatalf("%q: %v", typed, err)
		}
	}
	plain := strings.ReplaceAll(code, "-", "")
	for i := range plain {
		for _, other := range "qpzry9x8gf2tvdw0s3jn54khce6mua7l" {
			if wrong := plain[:i] + string(other) + plain[i+1:]; wrong != plain {
				if _, err := ParseHalf(wrong); !errors.Is(err, ErrHalfCode) {
					t.Fatalf("%q instead of %q: %v", wrong, plain, err)
				}
			}
		}
	}
	for _, wrong := range []string{"", plain[1:], plain + "q", FormatCode([32]byte(half.Bytes())), encodeBech32m(halfPrefix, make([]byte, 32))} {
		if _, err := ParseHalf(wrong); !errors.Is(err, ErrHalfCode) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// TestApplication: it holds for exactly what was signed, and for no other purpose.
func TestApplication(t *testing.T) {
	key, thief := newKey(t), newKey(t)
	a := Application{Chain: "chain", Election: "primary", Key: key.Public()}
	signature, err := a.Sign(key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Verify(signature); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Sign(thief, rand.Reader); !errors.Is(err, ErrVoterKey) {
		t.Errorf("signed by a thief: %v", err)
	}
	for name, change := range map[string]func(a *Application){
		"chain":    func(a *Application) { a.Chain = "other" },
		"election": func(a *Application) { a.Election = "other" },
		"key":      func(a *Application) { a.Key = thief.Public() },
	} {
		other := a
		change(&other)
		if err := other.Verify(signature); !errors.Is(err, ErrSignature) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for i := range 8 * len(signature) {
		bad := bytes.Clone(signature)
		bad[i/8] ^= 1 << (i % 8)
		if a.Verify(bad) == nil {
			t.Errorf("bit %d is not signed", i)
		}
	}
	if err := (Application{Chain: "chain", Election: "primary"}).Verify(signature); !errors.Is(err, group.ErrIdentity) {
		t.Errorf("no key: %v", err)
	}
}
