package vectors

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/tx"
	"votenode/crypto/group"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// signatureVector is an Ed25519 signature that the rules of spec 2.3 accept or refuse.
type signatureVector struct {
	Name      string   `json:"name"`
	Key       hexBytes `json:"key"`
	Signed    hexBytes `json:"sign_bytes"`
	Signature hexBytes `json:"signature"`
	Good      bool     `json:"good"`
}

// publicKeyVector is an encoding that may be the key of a member or validator, or not. Spec 1.2.
type publicKeyVector struct {
	Name string   `json:"name"`
	Key  hexBytes `json:"key"`
	Good bool     `json:"good"`
}

// The encodings of spec 2.3 that libraries treat differently. p is 2^255 - 19.
var (
	identityEdwards = append([]byte{1}, make([]byte, 31)...)
	abovePrime      = func(n byte) []byte {
		return slices.Concat([]byte{0xed + n}, bytes.Repeat([]byte{0xff}, 30), []byte{0x7f})
	}
)

func encodeEdwards(p *curve.EdwardsPoint) []byte {
	var c curve.CompressedEdwardsY
	return bytes.Clone(c.SetEdwardsPoint(p)[:])
}

// signatureVectors signs the first approval of the record in several ways.
func (w *world) signatureVectors() (list []signatureVector) {
	raw := w.BlockAt(4).Txs[0]
	parsed := must(tx.Parse(raw))
	key, signed := keyOf(parsed.Signer()), tx.SignBytes(rehearsal.Chain, parsed.Kind(), election.Encode(parsed.Body()))
	digest := sha512.Sum512(key.Seed())
	digest[0], digest[31] = digest[0]&248, digest[31]&127|64
	var wide [64]byte
	copy(wide[:], digest[:32])
	secret, nonce := group.ReduceScalar(wide), scalar.NewFromUint64(12345)
	// with signs with an encoding of R and its logarithm, but for what has small order.
	with := func(encoded []byte, r *scalar.Scalar) []byte {
		k := group.ReduceScalar(sha512.Sum512(slices.Concat(encoded, parsed.Signer(), signed)))
		s := scalar.New().Mul(k, secret)
		return append(bytes.Clone(encoded), group.ScalarBytes(s.Add(s, r))...)
	}
	plain := curve.NewEdwardsPoint().MulBasepoint(curve.ED25519_BASEPOINT_TABLE, nonce)
	torsion := encodeEdwards(curve.NewEdwardsPoint().Add(plain, curve.EIGHT_TORSION[1]))
	good := ed25519.Sign(key, signed)
	above, carry := bytes.Clone(good), 0
	for i := range 32 {
		carry += int(above[32+i]) + int(orderScalar[i])
		above[32+i], carry = byte(carry), carry>>8
	}
	zero := scalar.New()
	for _, c := range []struct {
		name      string
		signature []byte
		good      bool
	}{
		{"an ordinary signature", good, true},
		{"R with a part of small order", with(torsion, nonce), true},
		{"R is the identity", with(identityEdwards, zero), true},
		{"R is the identity, not in its canonical encoding", with(abovePrime(1), zero), true},
		{"R has order 4, not in its canonical encoding", with(abovePrime(0), zero), true},
		{"S and the group order", above, false},
		{"S of another R", append(encodeEdwards(plain), good[32:]...), false},
		{"R is no point", with(append([]byte{2}, make([]byte, 31)...), zero), false},
	} {
		again := must(tx.Parse(election.Encode(&pb.Envelope{
			Kind: uint32(parsed.Kind()), Body: election.Encode(parsed.Body()), Signer: parsed.Signer(), Signature: c.signature,
		})))
		if err := again.CheckSignature(rehearsal.Chain); (err == nil) != c.good {
			w.t.Errorf("%s: %v", c.name, err)
		}
		list = append(list, signatureVector{c.name, parsed.Signer(), signed, c.signature, c.good})
	}
	return list
}

func (w *world) publicKeyVectors() (list []publicKeyVector) {
	add := func(name string, key []byte, good bool) {
		if err := organisation.CheckKey(key); (err == nil) != good {
			w.t.Errorf("%s: %v", name, err)
		}
		list = append(list, publicKeyVector{name, key, good})
	}
	own := rehearsal.Key("party officer 1").Public().(ed25519.PublicKey)
	var encoded curve.CompressedEdwardsY
	must(encoded.SetBytes(own))
	point := must(curve.NewEdwardsPoint().SetCompressedY(&encoded))
	add("an ordinary key", own, true)
	add("a key with a part of small order", encodeEdwards(point.Add(point, curve.EIGHT_TORSION[1])), true)
	for i, name := range []string{"order 1", "order 8", "order 4", "order 8, the second", "order 2", "order 8, the third", "order 4, the second", "order 8, the fourth"} {
		add("a key of "+name, encodeEdwards(curve.EIGHT_TORSION[i]), false)
	}
	add("order 1, not canonical", abovePrime(1), false)
	add("order 4, not canonical", abovePrime(0), false)
	add("order 1 with the sign bit", append(identityEdwards[:31:31], 0x80), false)
	add("a point above the field", abovePrime(3), false)
	add("no point", append([]byte{2}, make([]byte, 31)...), false)
	add("31 bytes", own[:31], false)
	return list
}
