package ballot

import (
	"bytes"
	"errors"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
)

// signed checks the signature of bytes, and where they parse holds the answer against the verdicts on the whole ballot, alone and in a
// batch: ErrSignature where these have it, and no other fault.
func signed(t fataler, e *Election, a arrived) error {
	err := e.CheckSignature(a.st, a.ciphertext, a.proof, a.signature)
	b, bad := e.ParseBallot(a.st, a.ciphertext, a.proof, a.signature)
	switch {
	case bad == nil && err != nil && !errors.Is(err, ErrSignature):
		t.Fatal("a ballot that parses:", err)
	case bad == nil && errors.Is(err, ErrSignature) != errors.Is(verifyBoth(t, e, b), ErrSignature):
		t.Fatal("the signature alone:", err, "the ballot:", verifyBoth(t, e, b))
	}
	return err
}

// TestCheckSignature: with any bit of the ballot flipped, and under any other statement or election, the signature holds no more, whether
// what remains is a ballot or not.
func TestCheckSignature(t *testing.T) {
	p, e, a := honest(t)
	if err := signed(t, e, a); err != nil {
		t.Fatal(err)
	}
	for part, get := range map[string]func(*arrived) []byte{
		"ciphertext": func(a *arrived) []byte { return a.ciphertext },
		"proof":      func(a *arrived) []byte { return a.proof },
		"signature":  func(a *arrived) []byte { return a.signature },
	} {
		for i := range get(&a) {
			bad := a.clone()
			get(&bad)[i] ^= 1 << (i % 8)
			err := signed(t, e, bad)
			if err == nil || part != "signature" && !errors.Is(err, ErrSignature) {
				t.Errorf("%s: bit %d of byte %d: %v", part, i%8, i, err)
			}
		}
	}
	for name, move := range map[string]func(*Statement){
		"style":    func(st *Statement) { st.Style = 2 },
		"index":    func(st *Statement) { st.RollIndex++ },
		"voter":    func(st *Statement) { st.Voter = newKey(t).Public() },
		"sequence": func(st *Statement) { st.Sequence++ },
	} {
		moved := a.clone()
		move(&moved.st)
		if err := signed(t, e, moved); !errors.Is(err, ErrSignature) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Parameters){
		"chain":      func(p *Parameters) { p.Chain = "other-chain" },
		"election":   func(p *Parameters) { p.Election = "other" },
		"manifest":   func(p *Parameters) { p.Manifest[31] ^= 1 },
		"roll root":  func(p *Parameters) { p.RollRoot[0] ^= 1 },
		"key digest": func(p *Parameters) { p.KeyDigest[0] ^= 1 },
	} {
		other := p
		change(&other)
		if err := signed(t, newElection(t, other), a); !errors.Is(err, ErrSignature) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// TestCheckSignatureRefuses: what cannot be a signature, or belongs to no ballot of the style, fails as it does in ParseBallot.
func TestCheckSignatureRefuses(t *testing.T) {
	_, e, a := honest(t)
	order := []byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	}
	for name, c := range map[string]struct {
		change func(a *arrived)
		want   error
	}{
		"no voter":                {func(a *arrived) { a.st.Voter = PublicKey{} }, group.ErrIdentity},
		"no such style":           {func(a *arrived) { a.st.Style = 3 }, ErrStyle},
		"no ciphertext":           {func(a *arrived) { a.ciphertext = nil }, ErrLength},
		"a longer ciphertext":     {func(a *arrived) { a.ciphertext = append(a.ciphertext, make([]byte, 32)...) }, ErrLength},
		"a longer proof":          {func(a *arrived) { a.proof = append(a.proof, 0) }, ErrLength},
		"a shorter proof":         {func(a *arrived) { a.proof = a.proof[:openingsEnd-1] }, ErrLength},
		"no signature":            {func(a *arrived) { a.signature = nil }, ErrLength},
		"a longer signature":      {func(a *arrived) { a.signature = append(a.signature, 0) }, ErrLength},
		"the identity for R":      {func(a *arrived) { clear(a.signature[:32]) }, group.ErrIdentity},
		"R that is no point":      {func(a *arrived) { copy(a.signature, bytes.Repeat([]byte{0xff}, 32)) }, group.ErrPoint},
		"s of the group's order":  {func(a *arrived) { copy(a.signature[32:], order) }, group.ErrScalar},
		"bytes moved to the next": {func(a *arrived) { a.ciphertext, a.proof = a.ciphertext[:64], append(a.ciphertext[64:], a.proof...) }, ErrLength},
	} {
		bad := a.clone()
		if c.change(&bad); !errors.Is(signed(t, e, bad), c.want) {
			t.Errorf("%s: %v", name, signed(t, e, bad))
		}
	}
}

// TestForgedSignatures: what can be made without the voter's key.
func TestForgedSignatures(t *testing.T) {
	_, e, a := honest(t)
	voter, thief := a.st.Voter, newKey(t)
	challenge := func(nonce []byte) *scalar.Scalar {
		_, _, c := e.challenges(a.st, a.ciphertext, a.proof, append(bytes.Clone(nonce), make([]byte, 32)...))
		return c
	}
	signature := func(r *curve.RistrettoPoint, s *scalar.Scalar) []byte {
		return append(group.PointBytes(r), group.ScalarBytes(s)...)
	}
	k, s, guess := randomScalar(t), randomScalar(t), randomScalar(t)
	// R = s G - e V for an e that was guessed: the hash of R is another one.
	simulated := curve.NewRistrettoPoint().DoubleScalarMulBasepointVartime(minus(guess), voter.point, s)
	another := cast(t, e, Statement{Style: 0, RollIndex: 17, Voter: thief.Public(), Sequence: 4}, [][]int{{1}, {0, 3}}, thief)
	for name, forged := range map[string][]byte{
		"the thief's key":            thief.sign(k, challenge),
		"a simulated transcript":     signature(simulated, s),
		"R alone, s = k":             signature(timesG(k), k),
		"s = k + e":                  signature(timesG(k), scalar.New().Add(k, challenge(group.PointBytes(timesG(k))))),
		"s = 0":                      signature(timesG(k), scalar.New()),
		"R = V, s = 1":               signature(voter.point, scalar.One()),
		"R = -e V for e of V, s = 0": signature(mul(minus(challenge(voter.bytes[:])), voter.point), scalar.New()),
		"another ballot's":           another.signature,
		"s + 1":                      signature(mustPoint(t, a.signature), scalar.New().Add(mustScalar(t, a.signature), scalar.One())),
		"-R, -s":                     signature(mul(minus(scalar.One()), mustPoint(t, a.signature)), minus(mustScalar(t, a.signature))),
	} {
		bad := a.clone()
		bad.signature = forged
		if err := signed(t, e, bad); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func mustPoint(t *testing.T, signature []byte) *curve.RistrettoPoint {
	p, err := group.ParsePoint(signature[:32])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustScalar(t *testing.T, signature []byte) *scalar.Scalar {
	s, err := group.ParseScalar(signature[32:])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSignedByTheVoterAlone: the voter's own signature holds over bad proofs, and over bytes that are no ballot at all.
func TestSignedByTheVoterAlone(t *testing.T) {
	p, _ := testParameters(t, 8, twoContests)
	e, key := newElection(t, p), newKey(t)
	a := cast(t, e, Statement{Voter: key.Public()}, [][]int{{1}, {0, 3}}, key)
	for part, get := range map[string]func(*arrived) []byte{
		"ciphertext": func(a *arrived) []byte { return a.ciphertext },
		"proof":      func(a *arrived) []byte { return a.proof },
	} {
		for i := 0; i < len(get(&a)); i += 32 {
			for _, element := range [][]byte{get(&a)[(i+32)%len(get(&a)):][:32], make([]byte, 32), bytes.Repeat([]byte{0xff}, 32)} {
				bad := a.clone()
				copy(get(&bad)[i:i+32], element)
				if err := signed(t, e, bad); !errors.Is(err, ErrSignature) {
					t.Errorf("%s, element %d: the old signature: %v", part, i/32, err)
				}
				if err := signed(t, e, resign(e, bad, key, t)); err != nil {
					t.Errorf("%s, element %d: signed by the voter: %v", part, i/32, err)
				}
			}
		}
	}
}

// TestCheckSignatureOfVectors: the vectors, the invalid ones too.
func TestCheckSignatureOfVectors(t *testing.T) {
	v, e := readVectors(t)
	for _, c := range v.Valid {
		if err := signed(t, e, c.arrived(t)); err != nil {
			t.Error(err)
		}
	}
	for _, c := range v.Invalid {
		if err := signed(t, e, c.arrived(t)); (c.Error == "signature") != errors.Is(err, ErrSignature) && c.Error != "point" && c.Error != "identity" && c.Error != "scalar" || c.Error == "proof" && err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// FuzzCheckSignature: nothing but the seed is signed, and of what parses the verdict is that on the whole ballot.
func FuzzCheckSignature(f *testing.F) {
	v, e := readVectors(f)
	a := v.Valid[2].arrived(f)
	f.Add(a.ciphertext, a.proof, a.signature)
	f.Add([]byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, ciphertext, proof, signature []byte) {
		seed := bytes.Equal(ciphertext, a.ciphertext) && bytes.Equal(proof, a.proof) && bytes.Equal(signature, a.signature)
		if err := signed(t, e, arrived{a.st, ciphertext, proof, signature}); (err == nil) != seed {
			t.Errorf("%v, the seed %v", err, seed)
		}
	})
}

// BenchmarkCheckSignature is for comparison with decoding a ballot, and with verifying it alone.
func BenchmarkCheckSignature(b *testing.B) {
	e, key := testElection(b, 8, twoContests), newKey(b)
	a := cast(b, e, Statement{Voter: key.Public()}, [][]int{{1}, {0, 3}}, key)
	b.Run("signature", func(b *testing.B) {
		for b.Loop() {
			if e.CheckSignature(a.st, a.ciphertext, a.proof, a.signature) != nil {
				b.Fatal("not signed")
			}
		}
	})
	b.Run("decoding", func(b *testing.B) {
		for b.Loop() {
			parse(b, e, a)
		}
	})
}
