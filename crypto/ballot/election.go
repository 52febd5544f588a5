package ballot

import (
	"errors"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// MaxPositions is the greatest number of positions, options and dummies together, of a ballot style.
const MaxPositions = 200

// ErrParameters says that an election cannot be held with these parameters; the message names the rule (section 3.2).
var ErrParameters = errors.New("ballot: bad parameters")

// Contest is one question: Options options on the slots [FirstSlot, FirstSlot+Options), of which a voter selects at least Min
// and at most Max. 0 <= Min <= Max and 1 <= Max <= Options.
type Contest struct {
	FirstSlot, Options, Min, Max int
}

// positions returns the number of positions of the contest: its options and Max - Min dummies.
func (c Contest) positions() int { return c.Options + c.Max - c.Min }

// Style is a ballot style: the contests that its voters see, in the order of the manifest. That order, and within a contest
// that of the slots, is the order of everything on a ballot. The slots of two contests of a style never overlap.
type Style struct {
	Contests []Contest
}

// options returns the number of options on the ballot.
func (s Style) options() int {
	n := 0
	for _, c := range s.Contests {
		n += c.Options
	}
	return n
}

// positions returns the number of positions, m in the spec.
func (s Style) positions() int {
	m := 0
	for _, c := range s.Contests {
		m += c.positions()
	}
	return m
}

// CiphertextSize returns the length of a ciphertext of this style in bytes: C_0 and one point for each option.
func (s Style) CiphertextSize() int { return group.PointSize * (1 + s.options()) }

// ProofSize returns the length of a proof of this style in bytes: six points, f for all positions but the last of each
// contest, and three more scalars.
func (s Style) ProofSize() int {
	return 6*group.PointSize + group.ScalarSize*(s.positions()-len(s.Contests)+3)
}

// SignatureSize is the length of a voter's signature in bytes.
const SignatureSize = group.PointSize + group.ScalarSize

// Parameters fix an election; every one of them stands in the transcript of each ballot (section 3.5).
type Parameters struct {
	// Chain and Election are the ids, not empty.
	Chain, Election string
	// Manifest is the hash of the manifest, RollRoot the root of the sealed roll, KeyDigest the digest of all P_j with every
	// organisation's part.
	Manifest, RollRoot, KeyDigest [32]byte
	// Keys holds P_j by slot, from 0. None is the identity.
	Keys []*curve.RistrettoPoint
	// Styles holds the ballot styles by index, contests as in the manifest.
	Styles []Style
}

// style is a Style with what is derived from it.
type style struct {
	Style
	options, positions int
	slots              []int // slot by ordinal on the ballot
	optionAt           []int // ordinal by position, -1 for a dummy
}

// Election checks and makes the ballots of one election. It is immutable and safe for concurrent use; keep one per election,
// since deriving it costs some 12 us for each position of the longest style and 2 us for each slot.
type Election struct {
	chain, election string
	prefix          *transcript.Transcript // only ever cloned
	styles          []style

	h    *curve.RistrettoPoint   // H
	k    []*curve.RistrettoPoint // K_1 .. K_m, from index 0, m of the longest style
	keys []*curve.RistrettoPoint // P_j by slot

	// The same points with tables, for verification.
	gTable, hTable    *curve.ExpandedRistrettoPoint
	kTable, keysTable []*curve.ExpandedRistrettoPoint
}

// NewElection derives the generators, the tables and the first part of the transcript. It fails with ErrParameters.
func NewElection(p Parameters) (*Election, error) {
	if p.Chain == "" || p.Election == "" {
		return nil, fmt.Errorf("%w: chain and election need ids", ErrParameters)
	}
	e := &Election{chain: p.Chain, election: p.Election}
	longest := 0
	for i, s := range p.Styles {
		derived, err := newStyle(s, len(p.Keys))
		if err != nil {
			return nil, fmt.Errorf("style %d: %w", i, err)
		}
		e.styles = append(e.styles, derived)
		longest = max(longest, derived.positions)
	}
	for j, key := range p.Keys {
		if key == nil || key.IsIdentity() {
			return nil, fmt.Errorf("%w: key of slot %d is the identity", ErrParameters, j)
		}
		e.keys = append(e.keys, curve.NewRistrettoPoint().Set(key))
		e.keysTable = append(e.keysTable, curve.NewExpandedRistrettoPoint(key))
	}

	// H and K_i come from hash-to-group over index 0 and i (section 3.3).
	e.gTable = curve.NewExpandedRistrettoPoint(curve.RISTRETTO_BASEPOINT_POINT)
	e.h = e.generator(0)
	e.hTable = curve.NewExpandedRistrettoPoint(e.h)
	for i := 1; i <= longest; i++ {
		k := e.generator(i)
		e.k = append(e.k, k)
		e.kTable = append(e.kTable, curve.NewExpandedRistrettoPoint(k))
	}

	e.prefix = transcript.New(transcript.LabelBallot)
	e.prefix.AppendUint64("version", transcript.Version)
	e.prefix.Append("chain", []byte(p.Chain))
	e.prefix.Append("election", []byte(p.Election))
	e.prefix.Append("manifest", p.Manifest[:])
	e.prefix.Append("roll-root", p.RollRoot[:])
	e.prefix.Append("key-digest", p.KeyDigest[:])
	return e, nil
}

// generator returns H for index 0 and K_i for index i (section 3.3).
func (e *Election) generator(i int) *curve.RistrettoPoint {
	msg := transcript.Frame(transcript.LabelBallotGenerator, []byte(e.chain), []byte(e.election), transcript.Uint64(uint64(i)))
	return group.HashToGroup(transcript.LabelBallotGenerator, msg)
}

// newStyle checks a style against the rules of section 3.2 and lays out its positions.
func newStyle(s Style, slots int) (style, error) {
	d := style{Style: Style{Contests: append([]Contest(nil), s.Contests...)}}
	if len(s.Contests) == 0 {
		return d, fmt.Errorf("%w: no contest", ErrParameters)
	}
	taken := make(map[int]bool)
	for i, c := range d.Contests {
		switch {
		case c.Options < 1 || c.Options > slots || c.FirstSlot < 0 || c.FirstSlot > slots-c.Options:
			return d, fmt.Errorf("%w: contest %d: options outside the slots", ErrParameters, i)
		case c.Max < 1 || c.Max > c.Options || c.Min < 0 || c.Min > c.Max:
			return d, fmt.Errorf("%w: contest %d: numbers of selections out of range", ErrParameters, i)
		case len(d.optionAt)+c.positions() > MaxPositions:
			return d, fmt.Errorf("%w: more than %d positions", ErrParameters, MaxPositions)
		}
		for j := range c.Options {
			if taken[c.FirstSlot+j] {
				return d, fmt.Errorf("%w: contest %d: slot %d is taken", ErrParameters, i, c.FirstSlot+j)
			}
			taken[c.FirstSlot+j] = true
			d.optionAt = append(d.optionAt, len(d.slots))
			d.slots = append(d.slots, c.FirstSlot+j)
		}
		for range c.Max - c.Min {
			d.optionAt = append(d.optionAt, -1)
		}
	}
	d.options, d.positions = len(d.slots), len(d.optionAt)
	return d, nil
}

// ErrStyle says that a statement names a ballot style that the election does not have.
var ErrStyle = errors.New("ballot: no such style")

func (e *Election) style(index uint32) (*style, error) {
	if uint64(index) >= uint64(len(e.styles)) {
		return nil, ErrStyle
	}
	return &e.styles[index], nil
}
