package ballot

import (
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// Spoil names a challenged ballot that may never be cast (section 3.11).
type Spoil struct {
	RollIndex uint64
	Voter     PublicKey
	Sequence  uint64
	// Code is the confirmation code of the challenged ballot, NoncePoint its C_0.
	Code, NoncePoint [32]byte
}

// NoncePoint returns C_0 of the draft.
func (d *Draft) NoncePoint() [32]byte { return [32]byte(d.ciphertext[:group.PointSize]) }

// transcript returns everything that a spoiling signature signs, up to R.
func (e *Election) spoilTranscript(s Spoil) *transcript.Transcript {
	t := transcript.New(transcript.LabelSpoil)
	t.AppendUint64("version", transcript.Version)
	t.Append("chain", []byte(e.chain))
	t.Append("election", []byte(e.election))
	t.AppendUint64("roll-index", s.RollIndex)
	t.Append("voter", s.Voter.bytes[:])
	t.AppendUint64("sequence", s.Sequence)
	t.Append("code", s.Code[:])
	t.Append("nonce-point", s.NoncePoint[:])
	return t
}

func spoilChallenge(t *transcript.Transcript, nonce []byte) *scalar.Scalar {
	t.Append("nonce", nonce)
	return group.ReduceScalar(t.Challenge("signature"))
}

// SignSpoil signs s, 64 bytes. rand gives 64 bytes. It fails with ErrVoterKey or when rand does. Constant time in the key.
func (e *Election) SignSpoil(s Spoil, key *SecretKey, rand io.Reader) ([]byte, error) {
	if !key.owns(s.Voter) {
		return nil, ErrVoterKey
	}
	t := e.spoilTranscript(s)
	n, err := newNonces(rand, key, t.Clone().Challenge("randomness"), nil)
	if err != nil {
		return nil, err
	}
	return key.sign(n.next(), func(nonce []byte) *scalar.Scalar { return spoilChallenge(t, nonce) }), nil
}

// VerifySpoil checks the signature of s. It fails with ErrLength, group.ErrPoint, group.ErrIdentity, group.ErrScalar or
// ErrSignature. Variable time.
func (e *Election) VerifySpoil(s Spoil, signature []byte) error {
	if err := s.Voter.check(); err != nil {
		return err
	}
	if len(signature) != SignatureSize {
		return fmt.Errorf("%w: signature of %d bytes, want %d", ErrLength, len(signature), SignatureSize)
	}
	if _, err := group.ParsePoint(s.NoncePoint[:]); err != nil {
		return fmt.Errorf("nonce point: %w", err)
	}
	nonce, err := group.ParsePoint(signature[:group.PointSize])
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	response, err := group.ParseScalar(signature[group.PointSize:])
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	return verifySchnorr(s.Voter, nonce, response, spoilChallenge(e.spoilTranscript(s), signature[:group.PointSize]))
}
