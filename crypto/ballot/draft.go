package ballot

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
)

var (
	// ErrSelections says that selections are repeated, outside the options, or too few or too many.
	ErrSelections = errors.New("ballot: selections not allowed by the contest")
	// ErrVoterKey says that a secret key does not belong to the statement's voter.
	ErrVoterKey = errors.New("ballot: secret key of another voter")
	// ErrSpent says that a draft was already cast or challenged.
	ErrSpent = errors.New("ballot: draft was already cast or challenged")
	// ErrChallengeMismatch says that a challenged ballot does not hold the opened selections: the program that made it is not
	// to be trusted.
	ErrChallengeMismatch = errors.New("ballot: the challenged ballot does not hold the opened selections")
)

// Draft is a ballot between encryption and the voter's choice to cast or to challenge it. It holds secrets and drops them with
// that choice. It is not safe for concurrent use.
type Draft struct {
	election   *Election
	statement  Statement
	style      *style
	ciphertext []byte
	code       [32]byte

	// Secrets, nil once spent.
	key    *SecretKey
	bits   []byte // one per position, 0 or 1
	r      *scalar.Scalar
	nonces *nonces
}

// Encrypt encrypts selections, for each contest of the style the indices of the selected options in any order, and proves and
// signs nothing yet. rand gives 64 bytes. It fails with ErrStyle, ErrVoterKey, ErrSelections or when rand does. Constant time
// in which options are selected.
func (e *Election) Encrypt(st Statement, selections [][]int, key *SecretKey, rand io.Reader) (*Draft, error) {
	s, err := e.style(st.Style)
	if err != nil {
		return nil, err
	}
	if !key.owns(st.Voter) {
		return nil, ErrVoterKey
	}
	bits, err := s.bits(selections)
	if err != nil {
		return nil, err
	}
	n, err := newNonces(rand, key, e.context(st).Challenge("randomness"), bits)
	if err != nil {
		return nil, err
	}
	d := &Draft{election: e, statement: st, style: s, key: key, bits: bits, nonces: n, r: n.next()}
	d.ciphertext = e.encrypt(s, bits, d.r)
	d.code = ConfirmationCode(e.chain, e.election, st.Style, st.RollIndex, st.Sequence, d.ciphertext)
	return d, nil
}

// bits returns one bit per position: 1 for each selected option, and for as many dummies of a contest as selections are
// missing to its greatest number. It fails with ErrSelections.
func (s *style) bits(selections [][]int) ([]byte, error) {
	if len(selections) != len(s.Contests) {
		return nil, fmt.Errorf("%w: %d contests, want %d", ErrSelections, len(selections), len(s.Contests))
	}
	bits := make([]byte, 0, s.positions)
	for i, c := range s.Contests {
		n := len(selections[i])
		if n < c.Min || n > c.Max {
			return nil, fmt.Errorf("%w: contest %d: %d to %d selections", ErrSelections, i, c.Min, c.Max)
		}
		for _, selection := range selections[i] {
			if selection < 0 || selection >= c.Options {
				return nil, fmt.Errorf("%w: contest %d: no such option", ErrSelections, i)
			}
		}
		selected := 0
		for o := range c.Options {
			bit := 0
			for _, selection := range selections[i] {
				bit |= subtle.ConstantTimeEq(int32(selection), int32(o))
			}
			bits, selected = append(bits, byte(bit)), selected+bit
		}
		if selected != n {
			return nil, fmt.Errorf("%w: contest %d: an option is repeated", ErrSelections, i)
		}
		for dummy := range c.Max - c.Min {
			bits = append(bits, byte(subtle.ConstantTimeLessOrEq(n+dummy+1, c.Max)))
		}
	}
	return bits, nil
}

// Code returns the confirmation code, the commitment that the voter sees before choosing.
func (d *Draft) Code() [32]byte { return d.code }

// Ciphertext returns the ciphertext.
func (d *Draft) Ciphertext() []byte { return append([]byte(nil), d.ciphertext...) }

// Cast proves and signs the ballot, some 5 ms for 30 options, and drops its secrets. It fails with ErrSpent.
func (d *Draft) Cast() (ciphertext, proof, signature []byte, err error) {
	if d.r == nil {
		return nil, nil, nil, ErrSpent
	}
	proof, signature = d.prove()
	d.drop()
	return d.Ciphertext(), proof, signature, nil
}

// Opening is what a challenge reveals: all that is needed to encrypt again.
type Opening struct {
	// Randomness is r, 32 little-endian bytes.
	Randomness [32]byte
	// Selections are the selected options by contest, ascending.
	Selections [][]int
}

// Challenge opens the ballot, which can then never be cast, and drops its secrets. Call it only once the ledger has recorded
// the SpoilBallot for this code. It fails with ErrSpent.
func (d *Draft) Challenge() (Opening, error) {
	if d.r == nil {
		return Opening{}, ErrSpent
	}
	o := Opening{Randomness: [32]byte(group.ScalarBytes(d.r)), Selections: make([][]int, len(d.style.Contests))}
	bits := d.bits
	for i, c := range d.style.Contests {
		o.Selections[i] = []int{}
		for option := range c.Options {
			if bits[option] == 1 {
				o.Selections[i] = append(o.Selections[i], option)
			}
		}
		bits = bits[c.positions():]
	}
	d.drop()
	return o, nil
}

// drop overwrites and forgets the secrets.
func (d *Draft) drop() {
	d.r.Zero()
	clear(d.bits)
	d.nonces.xof.Reset()
	d.key, d.bits, d.r, d.nonces = nil, nil, nil, nil
}
