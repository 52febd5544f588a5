package threshold

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealWith is HPKE base mode written out from RFC 9180 with a chosen ephemeral key: a second implementation of the suite
// that section 4.5 fixes, and what makes vectors reproducible.
func sealWith(t testing.TB, ephemeral, public, info, plaintext []byte) []byte {
	t.Helper()
	return sealAs(t, must(ecdh.X25519().NewPrivateKey(ephemeral)).PublicKey().Bytes(), ephemeral, public, info, plaintext)
}

// sealAs is sealWith for a sender that writes enc in place of its own encapsulated key.
func sealAs(t testing.TB, enc, ephemeral, public, info, plaintext []byte) []byte {
	t.Helper()
	kem := []byte("KEM\x00\x20")
	suite := []byte("HPKE\x00\x20\x00\x01\x00\x03")
	extract := func(id, salt []byte, label string, ikm []byte) []byte {
		return must(hkdf.Extract(sha256.New, bytes.Join([][]byte{[]byte("HPKE-v1"), id, []byte(label), ikm}, nil), salt))
	}
	expand := func(id, prk []byte, label string, info []byte, n int) []byte {
		labeled := binary.BigEndian.AppendUint16(nil, uint16(n))
		labeled = append(append(append(append(labeled, "HPKE-v1"...), id...), label...), info...)
		return must(hkdf.Expand(sha256.New, prk, string(labeled), n))
	}
	private := must(ecdh.X25519().NewPrivateKey(ephemeral))
	dh := must(private.ECDH(must(ecdh.X25519().NewPublicKey(public))))
	shared := expand(kem, extract(kem, nil, "eae_prk", dh), "shared_secret", slices.Concat(enc, public), 32)

	context := append([]byte{0}, extract(suite, nil, "psk_id_hash", nil)...)
	context = append(context, extract(suite, nil, "info_hash", info)...)
	secret := extract(suite, shared, "secret", nil)
	aead := must(chacha20poly1305.New(expand(suite, secret, "key", context, 32)))
	return aead.Seal(bytes.Clone(enc), expand(suite, secret, "base_nonce", context, 12), plaintext, nil)
}

func TestSuite(t *testing.T) {
	c := testCeremony
	p, commitments := deal(c, 1)
	private, public, err := GenerateReceiverKey(rand.Reader)
	check(t, err)
	ephemeral, _, err := GenerateReceiverKey(rand.Reader)
	check(t, err)
	plaintext := must(p.Share(2)).Bytes()
	ciphertext := sealWith(t, ephemeral, public, c.info(1, 2, commitments), plaintext)
	if len(ciphertext) != EncryptedShareSize(c.Slots) {
		t.Errorf("length %d", len(ciphertext))
	}
	share, err := c.OpenShare(1, 2, commitments, private, ciphertext)
	check(t, err)
	if !bytes.Equal(share.Bytes(), plaintext) {
		t.Error("opened to something else")
	}
}
