package ballot

import (
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// Signed is what a voter signs besides ballots and challenges: any other transaction (section 3.16).
type Signed struct {
	Chain string
	// Election is the one whose roll says who the voter is.
	Election  string
	RollIndex uint64
	Voter     PublicKey
	// Kind and Body are those of the transaction.
	Kind uint32
	Body []byte
}

// transcript returns everything that the signature signs, up to R.
func (s Signed) transcript() *transcript.Transcript {
	t := transcript.New(transcript.LabelVoterTransaction)
	t.AppendUint64("version", transcript.Version)
	t.Append("chain", []byte(s.Chain))
	t.Append("election", []byte(s.Election))
	t.AppendUint64("roll-index", s.RollIndex)
	t.Append("voter", s.Voter.bytes[:])
	t.AppendUint64("kind", uint64(s.Kind))
	t.Append("body", s.Body)
	return t
}

// Sign signs s, 64 bytes. rand gives 64 bytes. It fails with ErrVoterKey or when rand does. Constant time in the key.
func (s Signed) Sign(key *SecretKey, rand io.Reader) ([]byte, error) {
	if !key.owns(s.Voter) {
		return nil, ErrVoterKey
	}
	t := s.transcript()
	n, err := newNonces(rand, key, t.Clone().Challenge("randomness"), nil)
	if err != nil {
		return nil, err
	}
	return key.sign(n.next(), func(nonce []byte) *scalar.Scalar { return appendNonce(t, nonce) }), nil
}

// Verify checks the signature of s. It fails with ErrLength, group.ErrPoint, group.ErrIdentity, group.ErrScalar or ErrSignature.
// Variable time.
func (s Signed) Verify(signature []byte) error {
	if err := s.Voter.check(); err != nil {
		return err
	}
	nonce, response, err := parseSignature(signature)
	if err != nil {
		return err
	}
	return verifySchnorr(s.Voter, nonce, response, appendNonce(s.transcript(), signature[:group.PointSize]))
}
