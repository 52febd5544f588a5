package ballot

import (
	"bytes"
	"testing"

	"votenode/crypto/group"
)

// FuzzParseBallot: what parses encodes again to the same bytes, and nothing but the seed verifies.
func FuzzParseBallot(f *testing.F) {
	v, e := readVectors(f)
	a := v.Valid[2].arrived(f)
	f.Add(a.ciphertext, a.proof, a.signature)
	f.Add([]byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, ciphertext, proof, signature []byte) {
		b, err := e.ParseBallot(a.st, ciphertext, proof, signature)
		if err != nil {
			return
		}
		again := appendPoints(appendPoints(nil, b.ciphertext.c0), b.ciphertext.c...)
		if !bytes.Equal(again, ciphertext) || !bytes.Equal(proofBytes(b), proof) ||
			!bytes.Equal(append(group.PointBytes(b.nonce), group.ScalarBytes(b.s)...), signature) {
			t.Error("a second encoding")
		}
		seed := bytes.Equal(ciphertext, a.ciphertext) && bytes.Equal(proof, a.proof) && bytes.Equal(signature, a.signature)
		if valid := verifyBoth(t, e, b) == nil; valid != seed {
			t.Errorf("valid %v, the seed %v", valid, seed)
		}
	})
}

func FuzzParseTally(f *testing.F) {
	f.Add(2, NewEncryptedTally(2).Bytes())
	f.Add(-1, []byte{})
	f.Add(1<<59, make([]byte, 40))
	f.Fuzz(func(t *testing.T, options int, b []byte) {
		if sum, err := ParseTally(options, b); err == nil && (len(sum.A) != options || !bytes.Equal(sum.Bytes(), b)) {
			t.Error("a second encoding")
		}
	})
}

func FuzzVerifySpoil(f *testing.F) {
	f.Add(make([]byte, 64), make([]byte, 32))
	key := newKey(f)
	f.Fuzz(func(t *testing.T, signature, c0 []byte) {
		s := Spoil{Voter: key.Public()}
		copy(s.C0[:], c0)
		if VerifySpoil(s, signature) == nil {
			t.Error("a forged signature")
		}
	})
}
