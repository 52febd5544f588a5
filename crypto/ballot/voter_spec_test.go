package ballot

import (
	"bytes"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/binary"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
)

// What voters sign besides ballots, and the proof of possession of halves, as the spec writes them: labels, names and order stand here once
// more, and nothing of package transcript is used.

// written is a transcript by section 2.1.
type written []byte

func (w *written) frame(b []byte) {
	*w = append(binary.BigEndian.AppendUint64(*w, uint64(len(b))), b...)
}

// items appends names and data in turn.
func (w *written) items(list ...any) {
	for _, item := range list {
		switch x := item.(type) {
		case string:
			w.frame([]byte(x))
		case uint64:
			w.frame(binary.BigEndian.AppendUint64(nil, x))
		case []byte:
			w.frame(x)
		}
	}
}

// challenge returns the 64 bytes of a challenge and appends them.
func (w *written) challenge(name string) [64]byte {
	w.items(name)
	h := sha512.Sum512(*w)
	w.items(h[:])
	return h
}

// streamed is the first scalar of SHAKE256 over framed items.
func streamed(items ...any) *scalar.Scalar {
	var w written
	w.items(items...)
	return group.ReduceScalar([64]byte(sha3.SumSHAKE256(w, 64)))
}

// nonce is the same, times G.
func nonce(items ...any) []byte {
	return group.PointBytes(curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, streamed(items...)))
}

// TestVoterSignaturesOfTheSpec: sections 3.16 and 15.6.
func TestVoterSignaturesOfTheSpec(t *testing.T) {
	key, fresh := newKey(t), bytes.Repeat([]byte{7}, 64)
	v := key.Public().Bytes()
	for name, c := range map[string]struct {
		sign func() ([]byte, error)
		w    []any
	}{
		"a transaction": {
			func() ([]byte, error) {
				return Signed{Chain: "chain", Election: "roll", RollIndex: 258, Voter: key.Public(), Kind: 22, Body: []byte("body")}.Sign(key, bytes.NewReader(fresh))
			},
			[]any{"votenode/v1/voter-transaction", "version", uint64(1), "chain", "chain", "election", "roll", "roll-index", uint64(258), "voter", v,
				"kind", uint64(22), "body", "body"},
		},
		"an application": {
			func() ([]byte, error) {
				return Application{Chain: "chain", Election: "primary", Key: key.Public()}.Sign(key, bytes.NewReader(fresh))
			},
			[]any{"votenode/v1/key-application", "version", uint64(1), "chain", "chain", "election", "primary", "voter", v},
		},
	} {
		signature, err := c.sign()
		if err != nil {
			t.Fatal(err)
		}
		r := signature[:32]
		var w written
		w.items(c.w...)
		hedged := bytes.Clone(w)
		statement := (*written)(&hedged).challenge("randomness")
		if !bytes.Equal(r, nonce("votenode/v1/ballot-randomness", fresh, key.Bytes(), statement[:], "")) {
			t.Errorf("%s: R is another", name)
		}
		w.items("nonce", r)
		e := group.ReduceScalar(w.challenge("signature"))
		s, err := group.ParseScalar(signature[32:])
		if err != nil {
			t.Fatal(err)
		}
		// s = k + e v, so s G - e V = R
		left := curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, s)
		if left.Sub(left, curve.NewRistrettoPoint().Mul(key.public.point, e)); !bytes.Equal(group.PointBytes(left), r) {
			t.Errorf("%s: the signature is another", name)
		}
	}
}

// TestHalvesOfTheSpec: section 15.4.
func TestHalvesOfTheSpec(t *testing.T) {
	h, secrets := halvesOf(t, "party", 3)
	fresh := bytes.Repeat([]byte{7}, 64)
	proof, err := h.Prove(secrets, bytes.NewReader(fresh))
	if err != nil {
		t.Fatal(err)
	}
	var w written
	w.items("votenode/v1/half-possession", "version", uint64(1), "chain", "chain", "election", "primary", "organisation", "party", "round", uint64(1),
		"files", bytes.Join([][]byte{h.Files[0][:], h.Files[1][:]}, nil), "halves", h.Public)
	lambda := group.ReduceScalar(w.challenge("lambda"))
	weight, y, sum := scalar.One(), scalar.New(), curve.NewRistrettoPoint()
	for j := range 3 {
		v, err := group.ParseScalar(secrets[32*j : 32*j+32])
		if err != nil {
			t.Fatal(err)
		}
		weight = scalar.New().Mul(weight, lambda)
		y.Add(y, scalar.New().Mul(weight, v))
		sum.Add(sum, curve.NewRistrettoPoint().Mul(mustPoint(t, h.Public[32*j:32*j+32]), weight))
	}
	hedged := bytes.Clone(w)
	statement := (*written)(&hedged).challenge("randomness")
	r := nonce("votenode/v1/half-randomness", fresh, group.ScalarBytes(y), statement[:])
	w.items("R", r)
	c := group.ReduceScalar(w.challenge("c"))
	if !bytes.Equal(proof[:32], group.ScalarBytes(c)) {
		t.Error("c is another")
	}
	s, err := group.ParseScalar(proof[32:])
	if err != nil {
		t.Fatal(err)
	}
	// R = s G - c W
	right := curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, s)
	if right.Sub(right, curve.NewRistrettoPoint().Mul(sum, c)); !bytes.Equal(group.PointBytes(right), r) {
		t.Error("s is another")
	}
}
