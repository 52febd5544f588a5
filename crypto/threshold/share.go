package threshold

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"io"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// ReceiverKeySize is the length of both halves of a receiver key in bytes.
const ReceiverKeySize = 32

// shareOverhead is what encryption adds: the encapsulated key and the tag.
const shareOverhead = ReceiverKeySize + 16

// The one suite, with its numbers in RFC 9180: base mode, DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001,
// ChaCha20Poly1305 0x0003.
var (
	shareKEM  = hpke.DHKEM(ecdh.X25519())
	shareKDF  = hpke.HKDFSHA256()
	shareAEAD = hpke.ChaCha20Poly1305()
)

// EncryptedShareSize returns the length of an encrypted share in bytes.
func EncryptedShareSize(slots int) int { return slots*group.ScalarSize + shareOverhead }

// GenerateReceiverKey makes the single-use X25519 key pair to which one dealer encrypts its share for one attempt. Both
// halves are 32 bytes, the private one clamped. It fails only if random fails. Section 4.5.
func GenerateReceiverKey(random io.Reader) (private, public []byte, err error) {
	private = make([]byte, ReceiverKeySize)
	if _, err := io.ReadFull(random, private); err != nil {
		return nil, nil, err
	}
	clamp(private)
	key, err := shareKEM.NewPrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return private, key.PublicKey().Bytes(), nil
}

// probe is the clamped scalar 2^254. Where X25519 is switched off (GODEBUG=fips140=only) the program stops here, at its
// start, and not with a verdict that other nodes do not share.
var probe = func() *ecdh.PrivateKey {
	key, err := ecdh.X25519().NewPrivateKey(make([]byte, ReceiverKeySize))
	if err != nil {
		panic("threshold: 32 bytes are an X25519 key: " + err.Error())
	}
	return key
}()

// clamp brings 32 bytes into the one form of an X25519 private key that is accepted (RFC 7748, section 5).
func clamp(private []byte) {
	private[0] &= 248
	private[31] &= 127
	private[31] |= 64
}

// CheckReceiverKey says whether a published key can be encrypted to: 32 bytes, a canonical field element, not of small
// order. It fails with ErrReceiverKey. Section 4.5.
func CheckReceiverKey(public []byte) error {
	if !canonicalX25519(public) {
		return ErrReceiverKey
	}
	key, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return ErrReceiverKey
	}
	// X25519 with any clamped scalar, a multiple of the cofactor, gives zero, and an error, for exactly the points of small
	// order.
	if _, err := probe.ECDH(key); err != nil {
		return ErrReceiverKey
	}
	return nil
}

// canonicalX25519 says whether b is 32 little-endian bytes of a number below 2^255 - 19.
func canonicalX25519(b []byte) bool {
	if len(b) != ReceiverKeySize || b[31] > 127 {
		return false
	}
	if b[31] < 127 || b[0] < 0xed {
		return true
	}
	return !bytes.Equal(b[1:31], bytes.Repeat([]byte{0xff}, 30))
}

// info binds an encryption to its ceremony, dealer, receiver and commitments.
func (c Ceremony) info(dealer, receiver uint32, commitments *Commitments) []byte {
	hash := c.DealHash(dealer, commitments.Bytes())
	return transcript.Frame(transcript.LabelShare,
		append(c.items(dealer), transcript.Uint64(uint64(receiver)), hash[:])...)
}

// SealShare encrypts a dealer's share for one receiver. The randomness of the encapsulation is the operating system's
// (crypto/hpke takes no reader). It fails with ErrIndex or ErrReceiverKey. Constant time. Section 4.5.
func (c Ceremony) SealShare(dealer, receiver uint32, commitments *Commitments, receiverKey []byte, p *Polynomials) ([]byte, error) {
	share, err := p.Share(receiver)
	if err != nil {
		return nil, err
	}
	if err := CheckReceiverKey(receiverKey); err != nil {
		return nil, err
	}
	key, err := shareKEM.NewPublicKey(receiverKey)
	if err != nil {
		return nil, ErrReceiverKey
	}
	return hpke.Seal(key, shareKDF, shareAEAD, c.info(dealer, receiver, commitments), share.Bytes())
}

// OpenShare decrypts a share with the receiver's single-use private key and checks it against the dealer's commitments:
// f_j(receiver) G = sum over t of receiver^t C_{j,t}. It fails with ErrShare whatever is wrong, which is the dealer's
// fault and calls for a complaint; with ErrComplaintKey if private is not a clamped key. Section 4.5.
func (c Ceremony) OpenShare(dealer, receiver uint32, commitments *Commitments, private, ciphertext []byte) (*Share, error) {
	key, err := parsePrivate(private)
	if err != nil {
		return nil, err
	}
	if len(ciphertext) != EncryptedShareSize(c.Slots) || !canonicalX25519(ciphertext[:ReceiverKeySize]) {
		return nil, ErrShare
	}
	plaintext, err := hpke.Open(key, shareKDF, shareAEAD, c.info(dealer, receiver, commitments), ciphertext)
	if err != nil {
		return nil, ErrShare
	}
	share, err := ParseShare(plaintext, c.Slots)
	if err != nil || receiver == 0 || !share.matches(commitments.at(receiver)) {
		return nil, ErrShare
	}
	return share, nil
}

// JudgeComplaint opens the ciphertext of a complaint in public and says who is out: the dealer if the share does not
// open or does not match, else the complainer. It fails with ErrComplaintKey if the private key is not that of the
// published receiver key; such a complaint is refused and proves nothing against anybody. Section 4.8.
func (c Ceremony) JudgeComplaint(dealer, complainer uint32, commitments *Commitments, receiverKey, private, ciphertext []byte) (dealerGuilty bool, err error) {
	key, err := parsePrivate(private)
	if err != nil {
		return false, err
	}
	if !bytes.Equal(key.PublicKey().Bytes(), receiverKey) {
		return false, ErrComplaintKey
	}
	_, err = c.OpenShare(dealer, complainer, commitments, private, ciphertext)
	return err != nil, nil
}

func parsePrivate(private []byte) (hpke.PrivateKey, error) {
	if len(private) != ReceiverKeySize || private[0]&7 != 0 || private[31]&192 != 64 {
		return nil, ErrComplaintKey
	}
	key, err := shareKEM.NewPrivateKey(private)
	if err != nil {
		return nil, ErrComplaintKey
	}
	return key, nil
}
