package slip

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"votenode/app/election"
	"votenode/app/tx"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// MaxSpan is the greatest value of the parameter slip_span, heights. Spec 1.5.
const MaxSpan = 1_000

var (
	// ErrSlip says that a slip is none: malformed, for another ballot, or not signed by the validator that it names.
	ErrSlip = errors.New("no acceptance slip")
	// zip215 is how Ed25519 signatures are checked everywhere. Spec 2.3.
	zip215 = &voi.Options{Verify: voi.VerifyOptionsZIP_215}
)

// signBytes is what the slip key signs: Frame(LabelSlip, canonical bytes of the slip without its signature, SHA-256 of the ballot). The
// confirmation code does not bind the ballot's proof and signature, and so not its length. Spec 12.1.
func signBytes(p *pb.Promise) []byte {
	unsigned, ballot := *p.Slip, sha256.Sum256(p.Ballot)
	unsigned.Signature = nil
	return transcript.Frame(transcript.LabelSlip, election.Encode(&unsigned), ballot[:])
}

// Sign signs the slip of a promise for its ballot, with the validator's slip key. Ed25519 is deterministic: the same promise gives the
// same bytes.
func Sign(p *pb.Promise, key ed25519.PrivateKey) {
	p.Slip.Signature = voi.Sign(voi.PrivateKey(key), signBytes(p)) // half the time of crypto/ed25519, and the same bytes
}

// maxSlipBytes is the length of an encoded slip: chain, election, and fields of fixed length.
const maxSlipBytes = 1 << 10

// Parse reads the canonical encoding of a slip. It fails with ErrSlip. Nothing is checked yet.
func Parse(b []byte) (*pb.AcceptanceSlip, error) {
	s := new(pb.AcceptanceSlip)
	if len(b) == 0 || len(b) > maxSlipBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrSlip, len(b))
	}
	if err := election.Decode(b, s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSlip, err)
	}
	return s, nil
}

// ParseBallot reads the transaction that a promise is for. It fails with ErrSlip.
func ParseBallot(raw []byte) (*tx.Parsed, *tx.Cast, error) {
	parsed, err := tx.Parse(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the ballot: %w", ErrSlip, err)
	}
	cast := parsed.Cast()
	if cast == nil {
		return nil, nil, fmt.Errorf("%w: a transaction of the kind %v is no ballot", ErrSlip, parsed.Kind())
	}
	return parsed, cast, nil
}

// Check checks that a promise is one: the slip is in form, for this ballot, and signed by the slip key (32 bytes) of the validator with
// the consensus key that it names. Whose keys these are is left to the caller. It fails with ErrSlip. Spec 12.1.
func Check(p *pb.Promise, slipKey []byte) error {
	s := p.GetSlip()
	if s == nil || len(s.Code) != 32 || len(s.Validator) != ed25519.PublicKeySize || len(s.Signature) != ed25519.SignatureSize {
		return fmt.Errorf("%w: code, validator or signature has a wrong length", ErrSlip)
	}
	if s.Issued < 1 || s.Promised <= s.Issued || s.Promised-s.Issued > MaxSpan {
		return fmt.Errorf("%w: it is issued at height %d and promises height %d; at most %d lie between", ErrSlip, s.Issued, s.Promised, MaxSpan)
	}
	_, cast, err := ParseBallot(p.Ballot)
	if err != nil {
		return err
	}
	code := cast.Code(s.ChainId)
	if cast.Election != s.Election || cast.RollIndex != s.RollIndex || cast.Sequence != s.Sequence || !bytes.Equal(code[:], s.Code) {
		return fmt.Errorf("%w: it is for another ballot", ErrSlip)
	}
	if len(slipKey) != ed25519.PublicKeySize || !voi.VerifyWithOptions(slipKey, signBytes(p), s.Signature, zip215) {
		return fmt.Errorf("%w: the validator did not sign it", ErrSlip)
	}
	return nil
}
