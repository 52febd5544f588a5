package ballot

import (
	"io"

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
	return key.signStatement(s.Voter, s.transcript(), rand)
}

// Verify checks the signature of s. It fails with ErrLength, group.ErrPoint, group.ErrIdentity, group.ErrScalar or ErrSignature.
// Variable time.
func (s Signed) Verify(signature []byte) error {
	return s.Voter.verifyStatement(s.transcript(), signature)
}
