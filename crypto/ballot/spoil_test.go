package ballot

import (
	"crypto/rand"
	"errors"
	"testing"

	"votenode/crypto/group"
)

// challenged returns an election, the spoil record of a challenged ballot of style 0 and its opening.
func challenged(t *testing.T) (*Election, Spoil, Opening, *SecretKey) {
	e, key := testElection(t, 8, twoContests, twoContests), newKey(t)
	d, err := e.Encrypt(Statement{RollIndex: 3, Voter: key.Public(), Sequence: 9}, [][]int{{2}, {4, 0}}, key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	record := d.Spoil()
	o, err := d.Challenge()
	if err != nil {
		t.Fatal(err)
	}
	return e, record, o, key
}

func TestChallenge(t *testing.T) {
	e, record, o, _ := challenged(t)
	if err := e.CheckOpening(0, record, o); err != nil {
		t.Fatal(err)
	}
	if len(o.Selections) != 2 || len(o.Selections[1]) != 2 || o.Selections[1][0] != 0 || o.Selections[1][1] != 4 {
		t.Errorf("opened %v", o.Selections)
	}
	for name, change := range map[string]func(style *uint32, s *Spoil, o *Opening){
		"other option":     func(_ *uint32, _ *Spoil, o *Opening) { o.Selections = [][]int{{1}, {0, 4}} },
		"blank":            func(_ *uint32, _ *Spoil, o *Opening) { o.Selections = [][]int{{}, {0, 4}} },
		"other randomness": func(_ *uint32, _ *Spoil, o *Opening) { o.Randomness[0] ^= 1 },
		"other code":       func(_ *uint32, s *Spoil, _ *Opening) { s.Code[0] ^= 1 },
		"other C_0":        func(_ *uint32, s *Spoil, _ *Opening) { s.C0[0] ^= 2 },
		"other voter":      func(_ *uint32, s *Spoil, _ *Opening) { s.RollIndex++ },
		"other sequence":   func(_ *uint32, s *Spoil, _ *Opening) { s.Sequence++ },
		"other chain":      func(_ *uint32, s *Spoil, _ *Opening) { s.Chain += "2" },
		"other election":   func(_ *uint32, s *Spoil, _ *Opening) { s.Election += "2" },
		"other style":      func(style *uint32, _ *Spoil, _ *Opening) { *style = 1 },
	} {
		style, s, opening := uint32(0), record, o
		change(&style, &s, &opening)
		if err := e.CheckOpening(style, s, opening); !errors.Is(err, ErrChallengeMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := e.CheckOpening(2, record, o); !errors.Is(err, ErrStyle) {
		t.Errorf("no such style: %v", err)
	}
	if err := e.CheckOpening(0, record, Opening{Randomness: o.Randomness, Selections: [][]int{{0, 1}, {0}}}); !errors.Is(err, ErrSelections) {
		t.Errorf("over-vote: %v", err)
	}
	for i := range o.Randomness {
		o.Randomness[i] = 0xff
	}
	if err := e.CheckOpening(0, record, o); !errors.Is(err, group.ErrScalar) {
		t.Errorf("bad scalar: %v", err)
	}
}

func TestSpoil(t *testing.T) {
	_, record, _, key := challenged(t)
	signature, err := SignSpoil(record, key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifySpoil(record, signature); err != nil {
		t.Fatal(err)
	}
	other, err := SignSpoil(record, key, rand.Reader)
	if err != nil || string(other) == string(signature) {
		t.Errorf("two signatures with one nonce, %v", err)
	}
	if _, err := SignSpoil(record, newKey(t), rand.Reader); !errors.Is(err, ErrVoterKey) {
		t.Errorf("another voter's key: %v", err)
	}
	for name, change := range map[string]func(*Spoil){
		"chain":      func(s *Spoil) { s.Chain += "2" },
		"election":   func(s *Spoil) { s.Election += "2" },
		"roll index": func(s *Spoil) { s.RollIndex++ },
		"voter":      func(s *Spoil) { s.Voter = newKey(t).Public() },
		"sequence":   func(s *Spoil) { s.Sequence++ },
		"code":       func(s *Spoil) { s.Code[31] ^= 1 },
		"C_0":        func(s *Spoil) { s.C0 = [32]byte(newKey(t).Public().Bytes()) },
	} {
		s := record
		change(&s)
		if err := VerifySpoil(s, signature); !errors.Is(err, ErrSignature) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for i := range signature {
		bad := append([]byte(nil), signature...)
		bad[i] ^= 1 << (i % 8)
		if VerifySpoil(record, bad) == nil {
			t.Errorf("byte %d of the signature is free", i)
		}
	}
	for _, bad := range [][]byte{nil, signature[1:], append(signature, 0)} {
		if err := VerifySpoil(record, bad); !errors.Is(err, ErrLength) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	record.C0 = [32]byte{}
	if err := VerifySpoil(record, signature); !errors.Is(err, group.ErrIdentity) {
		t.Errorf("C_0 the identity: %v", err)
	}
	record.Voter = PublicKey{}
	if err := VerifySpoil(record, signature); !errors.Is(err, group.ErrIdentity) {
		t.Errorf("nobody's spoil: %v", err)
	}
}

// TestLabelsSeparate: a spoiling signature is none of a ballot, and the other way round, whatever the numbers.
func TestLabelsSeparate(t *testing.T) {
	e, record, _, key := challenged(t)
	a := cast(t, e, Statement{RollIndex: 3, Voter: key.Public(), Sequence: 9}, [][]int{{2}, {0}}, key)
	signature, err := SignSpoil(record, key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifySpoil(record, a.signature); !errors.Is(err, ErrSignature) {
		t.Errorf("a ballot's signature spoils: %v", err)
	}
	a.signature = signature
	if err := check(t, e, a); !errors.Is(err, ErrSignature) {
		t.Errorf("a spoiling signature casts: %v", err)
	}
}
