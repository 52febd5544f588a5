package ballot

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"votenode/crypto/group"
)

// TestSigned: a voter's signature holds for exactly what was signed, and nobody without the key makes one.
func TestSigned(t *testing.T) {
	key, thief := newKey(t), newKey(t)
	s := Signed{Chain: "chain", Election: "roll", RollIndex: 3, Voter: key.Public(), Kind: 21, Body: []byte("body")}
	signature, err := s.Sign(key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(signature); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(s *Signed){
		"chain":    func(s *Signed) { s.Chain = "other" },
		"election": func(s *Signed) { s.Election = "rol" },
		"index":    func(s *Signed) { s.RollIndex++ },
		"voter":    func(s *Signed) { s.Voter = thief.Public() },
		"kind":     func(s *Signed) { s.Kind++ },
		"body":     func(s *Signed) { s.Body = []byte("bodY") },
		"no body":  func(s *Signed) { s.Body = nil },
		"moved":    func(s *Signed) { s.Chain, s.Election = "chainr", "oll" },
	} {
		other := s
		change(&other)
		if err := other.Verify(signature); !errors.Is(err, ErrSignature) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for i := range 8 * len(signature) {
		bad := bytes.Clone(signature)
		bad[i/8] ^= 1 << (i % 8)
		if s.Verify(bad) == nil {
			t.Errorf("bit %d is not signed", i)
		}
	}
	for name, c := range map[string]struct {
		signature []byte
		want      error
	}{
		"short":    {signature[:63], ErrLength},
		"long":     {append(bytes.Clone(signature), 0), ErrLength},
		"identity": {append(make([]byte, 32), signature[32:]...), group.ErrIdentity},
		"no point": {append(bytes.Repeat([]byte{0xff}, 32), signature[32:]...), group.ErrPoint},
		"s too great": {append(bytes.Clone(signature[:32]), bytes.Repeat([]byte{0xff}, 32)...),
			group.ErrScalar},
	} {
		if err := s.Verify(c.signature); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Sign(thief, rand.Reader); !errors.Is(err, ErrVoterKey) {
		t.Errorf("signed with another key: %v", err)
	}
	if _, err := s.Sign(key, bytes.NewReader(make([]byte, 63))); err == nil {
		t.Error("signed without randomness")
	}
	if err := (Signed{}).Verify(signature); err == nil {
		t.Error("nobody's signature holds")
	}
}
