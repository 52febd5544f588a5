package genesis

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"votenode/app/election"
	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

// MaxDocumentBytes bounds an encoded document, and an encoded list of approvals.
const MaxDocumentBytes = 1 << 20

// ErrInvalid says that a document, an entry or an approval breaks a rule; the text around it says which.
var ErrInvalid = errors.New("invalid genesis")

// Parse reads the canonical encoding of a document that keeps every rule of spec 1.7. It fails with ErrInvalid.
func Parse(b []byte) (*pb.Genesis, error) {
	doc := new(pb.Genesis)
	if err := decode(b, doc); err != nil {
		return nil, err
	}
	if err := organisation.CheckGenesis(doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return doc, nil
}

// Bytes returns the canonical encoding of a document. Spec 1.7.
func Bytes(doc *pb.Genesis) []byte { return election.Encode(doc) }

// Hash returns the genesis hash: SHA-256 of Bytes. Spec 1.7.
func Hash(doc *pb.Genesis) [sha256.Size]byte { return sha256.Sum256(Bytes(doc)) }

// decode reads a canonical message of bounded size.
func decode(b []byte, m election.Message) error {
	if len(b) > MaxDocumentBytes {
		return fmt.Errorf("%w: %d bytes are too many; at most %d are read", ErrInvalid, len(b), MaxDocumentBytes)
	}
	if err := election.Decode(b, m); err != nil {
		return fmt.Errorf("%w: %w of %T", ErrInvalid, err, m)
	}
	return nil
}
