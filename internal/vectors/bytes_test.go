package vectors

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"math/big"
	"math/bits"
	"slices"
)

// What chapter 2 and section 5.1 of the spec say of bytes, written from their text once more: the vectors do not take it from the packages
// that they are to show.

// frame joins items with their lengths. Spec 2.1.
func frame(items ...[]byte) []byte {
	var out []byte
	for _, item := range items {
		out = append(binary.BigEndian.AppendUint64(out, uint64(len(item))), item...)
	}
	return out
}

// framed is Frame of a label. Spec 2.1.
func framed(label string, items ...[]byte) []byte {
	return frame(append([][]byte{[]byte(label)}, items...)...)
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func littleEndian(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

func hash(b []byte) hexBytes {
	h := sha256.Sum256(b)
	return h[:]
}

// root is MTH. Spec 5.1.
func root(leaves []hexBytes) hexBytes {
	switch n := len(leaves); n {
	case 0:
		return hash(nil)
	case 1:
		return hash(append([]byte{0}, leaves[0]...))
	default:
		k := 1 << (bits.Len(uint(n-1)) - 1)
		return hash(slices.Concat([]byte{1}, root(leaves[:k]), root(leaves[k:])))
	}
}

// order is that of the group. Spec 3.1.
var order, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

// reduced reads 64 bytes as a little-endian number modulo the group order. Spec 2.1.
func reduced(b []byte) hexBytes { return scalarBytes(scalarNumber(b)) }

// scalarNumber reads little-endian bytes.
func scalarNumber(b []byte) *big.Int {
	be := slices.Clone(b)
	slices.Reverse(be)
	return new(big.Int).SetBytes(be)
}

// scalarBytes writes a number modulo the group order.
func scalarBytes(n *big.Int) hexBytes {
	b := new(big.Int).Mod(n, order).FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// transcriptVector is a transcript with the challenges that are drawn from it. Spec 2.1.
type transcriptVector struct {
	// Bytes is M as it is when the last challenge is hashed.
	Bytes      hexBytes          `json:"bytes"`
	Challenges []challengeVector `json:"challenges"`
}

// challengeVector is SHA-512 of the first bytes of a transcript, and what it is as a scalar.
type challengeVector struct {
	Name   string   `json:"name"`
	Hashed int      `json:"hashed"`
	SHA512 hexBytes `json:"sha512"`
	Scalar hexBytes `json:"scalar"`
}

// newTranscript begins a transcript.
func newTranscript(label string) *transcriptVector {
	return &transcriptVector{Bytes: frame([]byte(label))}
}

func (t *transcriptVector) item(name string, data []byte) {
	t.Bytes = append(t.Bytes, frame([]byte(name), data)...)
}

// challenge draws a challenge; t.then appends it where the transcript goes on.
func (t *transcriptVector) challenge(name string) hexBytes {
	t.Bytes = append(t.Bytes, frame([]byte(name))...)
	digest := sha512.Sum512(t.Bytes)
	c := challengeVector{Name: name, Hashed: len(t.Bytes), SHA512: digest[:], Scalar: reduced(digest[:])}
	t.Challenges = append(t.Challenges, c)
	return c.Scalar
}

func (t *transcriptVector) then() {
	t.Bytes = append(t.Bytes, frame(t.Challenges[len(t.Challenges)-1].SHA512)...)
}

// message is a protocol buffer in the making. Spec 2.2 and 6.2.
type message []byte

func (m message) varint(field int, n int64) message {
	if n == 0 {
		return m
	}
	return binary.AppendUvarint(binary.AppendUvarint(m, uint64(field<<3)), uint64(n))
}

func (m message) bytes(field int, b []byte) message {
	if len(b) == 0 {
		return m
	}
	return m.nested(field, b)
}

// nested appends a message or bytes, also where it is empty.
func (m message) nested(field int, b []byte) message {
	m = binary.AppendUvarint(binary.AppendUvarint(m, uint64(field<<3|2)), uint64(len(b)))
	return append(m, b...)
}

// parts cuts bytes into pieces of 32.
func parts(b []byte) []hexBytes {
	var out []hexBytes
	for ; len(b) > 0; b = b[32:] {
		out = append(out, b[:32])
	}
	return out
}
