package ballot

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/crypto/group"
)

// ErrTally says that a sum and what is added to or taken from it do not fit: another number of options, or more taken than
// added. It is a fault of the caller or of the store, never of a ballot.
var ErrTally = errors.New("ballot: sum does not fit")

// EncryptedTally is the running sum of one contest: the number of counted ballots, A_0 = sum C_0 and A_j = sum C_j by option
// (section 3.12). Its points may be the identity.
type EncryptedTally struct {
	Count uint64
	A0    *curve.RistrettoPoint
	A     []*curve.RistrettoPoint
}

// NewEncryptedTally returns the sum of no ballots for a contest with this many options.
func NewEncryptedTally(options int) *EncryptedTally {
	t := &EncryptedTally{A0: curve.NewRistrettoPoint().Identity(), A: make([]*curve.RistrettoPoint, options)}
	for j := range t.A {
		t.A[j] = curve.NewRistrettoPoint().Identity()
	}
	return t
}

// Add adds a ballot's part of one contest, given by its position in the ballot's style. It fails with ErrTally and then
// changes nothing.
func (t *EncryptedTally) Add(c *Ciphertext, contest int) error {
	part, err := c.contest(contest, len(t.A))
	if err != nil {
		return err
	}
	t.Count++
	t.A0.Add(t.A0, c.c0)
	for j := range t.A {
		t.A[j].Add(t.A[j], part[j])
	}
	return nil
}

// Subtract takes out a ballot's part of one contest, as Add adds it. It fails with ErrTally and then changes nothing.
func (t *EncryptedTally) Subtract(c *Ciphertext, contest int) error {
	part, err := c.contest(contest, len(t.A))
	if err != nil {
		return err
	}
	if t.Count == 0 {
		return fmt.Errorf("%w: no ballot left to take out", ErrTally)
	}
	t.Count--
	t.A0.Sub(t.A0, c.c0)
	for j := range t.A {
		t.A[j].Sub(t.A[j], part[j])
	}
	return nil
}

// Join adds the sum of another contest with as many options. It fails with ErrTally and then changes nothing.
func (t *EncryptedTally) Join(u *EncryptedTally) error {
	if len(t.A) != len(u.A) {
		return fmt.Errorf("%w: %d options and %d", ErrTally, len(t.A), len(u.A))
	}
	t.Count += u.Count
	t.A0.Add(t.A0, u.A0)
	for j := range t.A {
		t.A[j].Add(t.A[j], u.A[j])
	}
	return nil
}

// contest returns the points of one contest of the style.
func (c *Ciphertext) contest(contest, options int) ([]*curve.RistrettoPoint, error) {
	if contest < 0 || contest >= len(c.style.Contests) || c.style.Contests[contest].Options != options {
		return nil, fmt.Errorf("%w: contest %d with %d options", ErrTally, contest, options)
	}
	first := 0
	for _, before := range c.style.Contests[:contest] {
		first += before.Options
	}
	return c.c[first : first+options], nil
}

// Bytes encodes the sum: the count as 8 big-endian bytes, A_0, then A_j by option, 32 bytes each.
func (t *EncryptedTally) Bytes() []byte {
	out := make([]byte, 0, tallySize(len(t.A)))
	out = binary.BigEndian.AppendUint64(out, t.Count)
	return appendPoints(appendPoints(out, t.A0), t.A...)
}

// ParseTally decodes the sum of a contest with this many options. The identity passes. It fails with ErrLength or
// group.ErrPoint.
func ParseTally(options int, b []byte) (*EncryptedTally, error) {
	if options < 0 || options > len(b) || len(b) != tallySize(options) {
		return nil, fmt.Errorf("%w: sum of %d bytes for %d options", ErrLength, len(b), options)
	}
	t := &EncryptedTally{Count: binary.BigEndian.Uint64(b)}
	for b = b[8:]; len(b) > 0; b = b[group.PointSize:] {
		p, err := group.ParsePointOrIdentity(b[:group.PointSize])
		if err != nil {
			return nil, fmt.Errorf("sum: %w", err)
		}
		if t.A0 == nil {
			t.A0 = p
		} else {
			t.A = append(t.A, p)
		}
	}
	return t, nil
}

// TallyBytes is an encoded sum whose points nobody has looked at: Points are A_0 and all A_j, 32 bytes each.
type TallyBytes struct {
	Count  uint64
	Points []byte
}

// SplitTally reads the number of ballots of an encoded sum and decodes no point. It fails with ErrLength.
func SplitTally(b []byte) (*TallyBytes, error) {
	if len(b) < tallySize(0) || (len(b)-tallySize(0))%group.PointSize != 0 {
		return nil, fmt.Errorf("%w: sum of %d bytes", ErrLength, len(b))
	}
	return &TallyBytes{Count: binary.BigEndian.Uint64(b), Points: b[8:]}, nil
}

// Parse decodes the sum of a contest with this many options, as ParseTally.
func (t *TallyBytes) Parse(options int) (*EncryptedTally, error) {
	return ParseTally(options, append(binary.BigEndian.AppendUint64(nil, t.Count), t.Points...))
}

// Plain says whether A_0 is the identity: nothing is encrypted in the sum.
func (t *TallyBytes) Plain() bool {
	return [group.PointSize]byte(t.Points) == [group.PointSize]byte{} // the one encoding of the identity
}

// Equal says whether two sums are the same.
func (t *EncryptedTally) Equal(u *EncryptedTally) bool {
	if t.Count != u.Count || len(t.A) != len(u.A) || t.A0.Equal(u.A0) != 1 {
		return false
	}
	for j := range t.A {
		if t.A[j].Equal(u.A[j]) != 1 {
			return false
		}
	}
	return true
}

func tallySize(options int) int { return 8 + group.PointSize*(1+options) }
