package ballot

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/crypto/group"
)

// TestTallyAgainstRecount lets voters vote again and again, keeps the sums as the ledger does and opens them against a recount.
func TestTallyAgainstRecount(t *testing.T) {
	p, secrets := testParameters(t, 8, twoContests, Style{twoContests.Contests[1:]})
	e := newElection(t, p)
	sums := []*EncryptedTally{NewEncryptedTally(3), NewEncryptedTally(5)}
	type recorded struct {
		selections [][]int
		style      uint32
		ciphertext []byte
	}
	random := rand.New(rand.NewPCG(3, 4))
	last, keys := make(map[int]recorded), make([]*SecretKey, 6)
	for i := range keys {
		keys[i] = newKey(t)
	}
	for sequence := range 30 {
		voter := random.IntN(len(keys))
		now := recorded{selections: [][]int{{random.IntN(3)}, random.Perm(5)[:1+random.IntN(3)]}}
		if voter%2 == 1 {
			now.style, now.selections = 1, now.selections[1:]
		}
		st := Statement{now.style, uint64(voter), keys[voter].Public(), uint64(sequence)}
		a := cast(t, e, st, now.selections, keys[voter])
		now.ciphertext = a.ciphertext
		if before, ok := last[voter]; ok {
			c, err := e.ParseCiphertext(before.style, before.ciphertext)
			if err != nil {
				t.Fatal(err)
			}
			for contest := range now.selections {
				if err := sums[int(now.style)+contest].Subtract(c, contest); err != nil {
					t.Fatal(err)
				}
			}
		}
		for contest := range now.selections {
			if err := sums[int(now.style)+contest].Add(parse(t, e, a).Ciphertext(), contest); err != nil {
				t.Fatal(err)
			}
		}
		last[voter] = now
	}
	votes, counts := [2][]uint64{make([]uint64, 3), make([]uint64, 5)}, [2]uint64{}
	for _, r := range last {
		for contest, selections := range r.selections {
			counts[int(r.style)+contest]++
			for _, o := range selections {
				votes[int(r.style)+contest][o]++
			}
		}
	}
	for i, sum := range sums {
		checkTally(t, sum, secrets[twoContests.Contests[i].FirstSlot:], votes[i])
		again, err := ParseTally(len(sum.A), sum.Bytes())
		if err != nil || !again.Equal(sum) || sum.Count != counts[i] {
			t.Errorf("contest %d: %d ballots, want %d; encoding: %v", i, sum.Count, counts[i], err)
		}
	}
	for voter, r := range last {
		c, err := e.ParseCiphertext(r.style, r.ciphertext)
		if err != nil {
			t.Fatal(err)
		}
		for contest := range r.selections {
			if err := sums[int(r.style)+contest].Subtract(c, contest); err != nil {
				t.Errorf("voter %d: %v", voter, err)
			}
		}
	}
	for i, sum := range sums {
		if !sum.Equal(NewEncryptedTally(len(sum.A))) {
			t.Errorf("contest %d is not empty after all ballots were taken out", i)
		}
	}
}

func TestTallyMisuse(t *testing.T) {
	_, ballots := batchOf(t, 1)
	c := ballots[0].Ciphertext()
	sum := NewEncryptedTally(3)
	if err := sum.Subtract(c, 0); !errors.Is(err, ErrTally) || !sum.Equal(NewEncryptedTally(3)) {
		t.Errorf("taking from nothing: %v", err)
	}
	for _, contest := range []int{-1, 1, 2} {
		for _, change := range []func(*Ciphertext, int) error{sum.Add, sum.Subtract} {
			if err := change(c, contest); !errors.Is(err, ErrTally) || !sum.Equal(NewEncryptedTally(3)) {
				t.Errorf("contest %d: %v", contest, err)
			}
		}
	}
	if err := sum.Add(c, 0); err != nil || sum.Equal(NewEncryptedTally(3)) || sum.Equal(NewEncryptedTally(4)) {
		t.Errorf("a ballot leaves no trace: %v", err)
	}
	for j := range sum.A {
		other := NewEncryptedTally(3)
		if err := other.Add(c, 0); err != nil || !other.Equal(sum) {
			t.Errorf("the same sum is another: %v", err)
		}
		if other.A[j].Add(other.A[j], curve.RISTRETTO_BASEPOINT_POINT); other.Equal(sum) {
			t.Errorf("A_%d does not count", j)
		}
	}
}

func TestParseTally(t *testing.T) {
	empty := NewEncryptedTally(2).Bytes()
	if len(empty) != 8+3*32 || !bytes.Equal(empty, make([]byte, len(empty))) {
		t.Errorf("the empty sum is %x", empty)
	}
	if _, err := ParseTally(2, empty); err != nil {
		t.Errorf("the identity in a sum: %v", err)
	}
	for _, b := range [][]byte{nil, empty[:7], empty[:8], empty[:len(empty)-1], append(bytes.Clone(empty), 0), make([]byte, 8+4*32)} {
		if _, err := ParseTally(2, b); !errors.Is(err, ErrLength) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
	if _, err := ParseTally(-1, make([]byte, 8)); !errors.Is(err, ErrLength) {
		t.Errorf("-1 options: %v", err)
	}
	for at := 8; at < len(empty); at += 32 {
		bad := bytes.Clone(empty)
		bad[at] = 1
		if _, err := ParseTally(2, bad); !errors.Is(err, group.ErrPoint) {
			t.Errorf("a negative point at byte %d: %v", at, err)
		}
	}
}

func TestParseCiphertext(t *testing.T) {
	e, ballots := batchOf(t, 1)
	key := newKey(t)
	a := cast(t, e, Statement{Voter: key.Public()}, [][]int{{1}, {0}}, key)
	c, err := e.ParseCiphertext(0, a.ciphertext)
	if err != nil || c.c0.Equal(ballots[0].ciphertext.c0) == 1 {
		t.Fatal(err)
	}
	if _, err := e.ParseCiphertext(1, a.ciphertext); !errors.Is(err, ErrLength) {
		t.Errorf("another style: %v", err)
	}
	if _, err := e.ParseCiphertext(2, a.ciphertext); !errors.Is(err, ErrStyle) {
		t.Errorf("no such style: %v", err)
	}
	if _, err := e.ParseCiphertext(0, make([]byte, len(a.ciphertext))); !errors.Is(err, group.ErrIdentity) {
		t.Errorf("all identities: %v", err)
	}
}
