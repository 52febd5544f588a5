// Package transcript turns what a proof, a signature or a digest speaks about into bytes that mean one thing only.
//
// Everything is framed: frame(x) is the length of x as eight big-endian bytes, then x. A transcript starts with the
// frame of a domain label and grows by pairs of frames, name and data. A challenge is SHA-512 of all bytes so far,
// reduced modulo the group order by whoever asks; its 64 bytes are then appended like data, so that later challenges
// depend on earlier ones. A second implementation needs SHA-512, SHA-256 and these three sentences.
//
// The package knows nothing of ballots, and must not: it is specified in docs/spec/02-encodings.md.
package transcript

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"
)

// ChallengeSize is the length of a challenge in bytes.
const ChallengeSize = sha512.Size

// Transcript is the running hash of a proof. The zero value is not usable, see New. It is not safe for concurrent use.
type Transcript struct {
	h hash.Cloner
}

// New starts a transcript under a domain label, one of the constants of labels.go.
func New(label string) *Transcript {
	t := &Transcript{h: sha512.New().(hash.Cloner)}
	t.frame([]byte(label))
	return t
}

// Append adds one named item of any length.
func (t *Transcript) Append(name string, data []byte) {
	t.frame([]byte(name))
	t.frame(data)
}

// AppendUint64 adds one named number as eight big-endian bytes.
func (t *Transcript) AppendUint64(name string, n uint64) {
	t.Append(name, binary.BigEndian.AppendUint64(nil, n))
}

// Challenge returns SHA-512 of everything so far and the frame of name, and appends the result to the transcript.
func (t *Transcript) Challenge(name string) [ChallengeSize]byte {
	t.frame([]byte(name))
	var out [ChallengeSize]byte
	t.h.Sum(out[:0])
	t.frame(out[:])
	return out
}

// Clone returns an independent transcript with the same bytes so far.
func (t *Transcript) Clone() *Transcript {
	c, err := t.h.Clone()
	if err != nil {
		panic("transcript: SHA-512 state cannot be cloned: " + err.Error())
	}
	return &Transcript{h: c}
}

func (t *Transcript) frame(b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	t.h.Write(n[:])
	t.h.Write(b)
}

// Frame returns frame(label) || frame(item) || ...: the bytes that are signed, or mapped to the group, under a label.
func Frame(label string, items ...[]byte) []byte {
	n := 8 + len(label)
	for _, item := range items {
		n += 8 + len(item)
	}
	out := make([]byte, 0, n)
	out = appendFrame(out, []byte(label))
	for _, item := range items {
		out = appendFrame(out, item)
	}
	return out
}

// Digest returns SHA-256 of Frame(label, items...).
func Digest(label string, items ...[]byte) [sha256.Size]byte {
	return sha256.Sum256(Frame(label, items...))
}

// Uint64 returns n as eight big-endian bytes, the encoding of every number among framed items.
func Uint64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func appendFrame(dst, b []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(len(b)))
	return append(dst, b...)
}
