package election

import (
	"bytes"
	"errors"

	"github.com/cosmos/gogoproto/proto"
)

// ErrNotCanonical says that bytes are not the one canonical encoding of their message: unknown fields, fields out of order,
// default values spelled out, or trailing bytes.
var ErrNotCanonical = errors.New("not the canonical encoding")

// Message is a message of proto/votenode/v1.
type Message interface {
	proto.Message
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}

// Decode reads the canonical encoding of m and nothing else: what it decoded must encode to the same bytes again. It fails
// with ErrNotCanonical, and m must not be used then. Spec 2.2.
func Decode(b []byte, m Message) error {
	if err := m.Unmarshal(b); err != nil {
		return ErrNotCanonical
	}
	if !bytes.Equal(Encode(m), b) {
		return ErrNotCanonical
	}
	return nil
}

// Encode returns the canonical encoding of m. Spec 2.2.
func Encode(m Message) []byte {
	b, err := m.Marshal()
	if err != nil {
		panic("election: a message of ours always encodes: " + err.Error())
	}
	return b
}
