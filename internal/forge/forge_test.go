package forge

import (
	"crypto/rand"
	"errors"
	"testing"

	"votenode/crypto/ballot"
)

// The specification, implemented twice, agrees with itself: crypto/ballot accepts what this package makes honestly, and refuses the rest.
func TestMake(t *testing.T) {
	p := ballot.Parameters{Chain: "chain", Election: "primary", Styles: []ballot.Style{{Contests: []ballot.Contest{
		{FirstSlot: 0, Options: 3, Min: 0, Max: 2}, {FirstSlot: 3, Options: 2, Min: 1, Max: 1},
	}}}}
	for range 5 {
		s, err := Scalar(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		p.Keys = append(p.Keys, basepoint(s))
	}
	election, err := ballot.NewElection(p)
	if err != nil {
		t.Fatal(err)
	}
	key, other := newKey(t), newKey(t)
	for name, c := range map[string]struct {
		values [][]uint64
		key    *ballot.SecretKey
		want   error
	}{
		"honest":            {[][]uint64{{1, 0, 1}, {0, 1}}, key, nil},
		"blank":             {[][]uint64{{0, 0, 0}, {1, 0}}, key, nil},
		"three of two":      {[][]uint64{{1, 1, 1}, {0, 1}}, key, ballot.ErrProof},
		"one of them twice": {[][]uint64{{2, 0, 0}, {0, 1}}, key, ballot.ErrProof},
		"a thousand":        {[][]uint64{{0, 0, 0}, {1000, 0}}, key, ballot.ErrProof},
		"too few":           {[][]uint64{{0, 0, 0}, {0, 0}}, key, ballot.ErrProof},
		"another's key":     {[][]uint64{{1, 0, 1}, {0, 1}}, other, ballot.ErrSignature},
	} {
		st := ballot.Statement{RollIndex: 4, Voter: key.Public(), Sequence: 9}
		r, err := Scalar(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		ciphertext, proof, signature, err := Make(p, Ballot{st, c.values, r, c.key}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := election.ParseBallot(st, ciphertext, proof, signature)
		if err != nil {
			t.Fatal(name, err)
		}
		if err := election.Verify(parsed); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		copied := ballot.Statement{RollIndex: 5, Voter: other.Public(), Sequence: 9}
		if signature, err = Sign(p, copied, ciphertext, proof, other, rand.Reader); err != nil {
			t.Fatal(err)
		}
		if parsed, err = election.ParseBallot(copied, ciphertext, proof, signature); err != nil {
			t.Fatal(err)
		}
		if err := election.Verify(parsed); !errors.Is(err, ballot.ErrProof) {
			t.Errorf("%s, copied by another voter: %v", name, err)
		}
	}
	if _, _, _, err := Make(p, Ballot{Values: [][]uint64{{1}}}, rand.Reader); err == nil {
		t.Error("values of another style")
	}
}

func newKey(t *testing.T) *ballot.SecretKey {
	t.Helper()
	key, err := ballot.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
