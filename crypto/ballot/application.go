package ballot

import (
	"io"

	"votenode/crypto/transcript"
)

// Application says that whoever knows a key wants it in the roll of an election (section 15.6).
type Application struct {
	Chain    string
	Election string
	Key      PublicKey
}

// transcript returns everything that the signature signs, up to R.
func (a Application) transcript() *transcript.Transcript {
	t := transcript.New(transcript.LabelKeyApplication)
	t.AppendUint64("version", transcript.Version)
	t.Append("chain", []byte(a.Chain))
	t.Append("election", []byte(a.Election))
	t.Append("voter", a.Key.bytes[:])
	return t
}

// Sign signs a, 64 bytes. rand gives 64 bytes. It fails with ErrVoterKey or when rand does. Constant time in the key.
func (a Application) Sign(key *SecretKey, rand io.Reader) ([]byte, error) {
	return key.signStatement(a.Key, a.transcript(), rand)
}

// Verify checks the signature of a. It fails with ErrLength, group.ErrPoint, group.ErrIdentity, group.ErrScalar or ErrSignature.
// Variable time.
func (a Application) Verify(signature []byte) error {
	return a.Key.verifyStatement(a.transcript(), signature)
}
