package ballot

import (
	"fmt"
	"io"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// Spoil names a challenged ballot that may never be cast (section 3.11).
type Spoil struct {
	Chain, Election string
	RollIndex       uint64
	Voter           PublicKey
	Sequence        uint64
	// Code is the confirmation code of the challenged ballot, C0 its first point.
	Code, C0 [32]byte
}

// Spoil returns what the voter signs before challenging the draft.
func (d *Draft) Spoil() Spoil {
	return Spoil{
		Chain: d.election.chain, Election: d.election.election,
		RollIndex: d.statement.RollIndex, Voter: d.statement.Voter, Sequence: d.statement.Sequence,
		Code: d.code, C0: [32]byte(d.ciphertext[:group.PointSize]),
	}
}

// transcript returns everything that the signature signs, up to R.
func (s Spoil) transcript() *transcript.Transcript {
	t := transcript.New(transcript.LabelSpoil)
	t.AppendUint64("version", transcript.Version)
	t.Append("chain", []byte(s.Chain))
	t.Append("election", []byte(s.Election))
	t.AppendUint64("roll-index", s.RollIndex)
	t.Append("voter", s.Voter.bytes[:])
	t.AppendUint64("sequence", s.Sequence)
	t.Append("code", s.Code[:])
	t.Append("c0", s.C0[:])
	return t
}

// SignSpoil signs s, 64 bytes. rand gives 64 bytes. It fails with ErrVoterKey or when rand does. Constant time in the key.
func SignSpoil(s Spoil, key *SecretKey, rand io.Reader) ([]byte, error) {
	return key.signStatement(s.Voter, s.transcript(), rand)
}

// VerifySpoil checks the signature of s. It fails with ErrLength, group.ErrPoint, group.ErrIdentity, group.ErrScalar or
// ErrSignature. Variable time.
func VerifySpoil(s Spoil, signature []byte) error {
	if _, err := group.ParsePoint(s.C0[:]); err != nil {
		return fmt.Errorf("C_0: %w", err)
	}
	return s.Voter.verifyStatement(s.transcript(), signature)
}

// CheckOpening checks an opened challenge against what the ledger recorded: it encrypts the selections again and compares C_0
// and the confirmation code. Any program but the one that made the ballot can do so. It fails with ErrStyle, ErrSelections,
// group.ErrScalar or ErrChallengeMismatch.
func (e *Election) CheckOpening(styleIndex uint32, recorded Spoil, o Opening) error {
	s, err := e.style(styleIndex)
	if err != nil {
		return err
	}
	bits, err := s.bits(o.Selections)
	if err != nil {
		return err
	}
	r, err := group.ParseScalar(o.Randomness[:])
	if err != nil {
		return fmt.Errorf("randomness: %w", err)
	}
	ciphertext := e.encrypt(s, bits, r)
	code := ConfirmationCode(e.chain, e.election, styleIndex, recorded.RollIndex, recorded.Sequence, ciphertext)
	if recorded.Chain != e.chain || recorded.Election != e.election || recorded.Code != code ||
		recorded.C0 != [32]byte(ciphertext[:group.PointSize]) {
		return ErrChallengeMismatch
	}
	return nil
}
