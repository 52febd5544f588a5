package organisation

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// KeySize is the length of an Ed25519 public key in bytes, NodeIDSize that of CometBFT's node id, AddressSize that of the
// address of a consensus key.
const (
	KeySize     = ed25519.PublicKeySize
	NodeIDSize  = 20
	AddressSize = 20
)

// CheckKey accepts the canonical encoding of a point of edwards25519 that is not of small order: 32 bytes. A key of small
// order would let anybody sign; a second encoding of one key would be a second key. Variable time. Spec 1.2.
func CheckKey(key []byte) error {
	if len(key) != KeySize {
		return fmt.Errorf("an Ed25519 key has %d bytes, this one has %d", KeySize, len(key))
	}
	var encoded curve.CompressedEdwardsY
	if _, err := encoded.SetBytes(key); err != nil || !encoded.IsCanonicalVartime() {
		return fmt.Errorf("key %x is not a canonical Ed25519 key; make a new one", key)
	}
	var point curve.EdwardsPoint
	if _, err := point.SetCompressedY(&encoded); err != nil {
		return fmt.Errorf("key %x is not a point of edwards25519; make a new key", key)
	}
	if point.IsSmallOrder() {
		return fmt.Errorf("key %x is of small order, anybody could sign with it; make a new one", key)
	}
	return nil
}

// ConsensusAddress returns the address by which CometBFT knows a consensus key: the first 20 bytes of SHA-256 of the key.
// Spec 1.4.
func ConsensusAddress(key []byte) [AddressSize]byte {
	digest := sha256.Sum256(key)
	return [AddressSize]byte(digest[:AddressSize])
}
