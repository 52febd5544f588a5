package ballot

import (
	"crypto/sha3"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"golang.org/x/sync/errgroup"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

// A voting key whose parts different registrars make: v = sum of v_o, V = sum of V_o, one half of each organisation o. Section 15.1.

var (
	// ErrHalfCode says that a text is not the code of a half: mistyped, mixed case or of the wrong length.
	ErrHalfCode = errors.New("ballot: not the code of half a key")
	// ErrHalfProof says that a proof of possession does not hold for these halves among these files.
	ErrHalfProof = errors.New("ballot: the proof of possession of halves does not hold")
)

// halfPrefix is the human-readable part of a half's code.
const halfPrefix = "half"

// FormatHalf shows a half to its member: Bech32m with the prefix "half", hyphens as in FormatCode. It is a secret.
// Characters are looked up in a table of 32 bytes; all else is constant time.
func FormatHalf(half *SecretKey) string { return formatCode(halfPrefix, half.Bytes()) }

// ParseHalf reads what FormatHalf wrote, as a person may have typed it: hyphens and spaces count for nothing, and all letters may be
// capitals. It fails with ErrHalfCode.
func ParseHalf(text string) (*SecretKey, error) {
	prefix, data, ok := decodeBech32m(strings.NewReplacer("-", "", " ", "").Replace(text))
	if !ok || prefix != halfPrefix || len(data) != group.ScalarSize {
		return nil, ErrHalfCode
	}
	half, err := ParseSecretKey(data)
	if err != nil {
		return nil, ErrHalfCode
	}
	return half, nil
}

// JoinHalves returns the voting key of halves. It fails with group.ErrScalar where their sum is zero. Constant time.
func JoinHalves(halves []*SecretKey) (*SecretKey, error) {
	v := scalar.New()
	for _, half := range halves {
		v.Add(v, half.v)
	}
	return newSecretKey(v)
}

// SumHalves returns the public voting key of the encodings of public halves. It fails with group.ErrPoint, and with group.ErrIdentity for
// a half or the sum.
func SumHalves(halves [][]byte) ([]byte, error) {
	sum := curve.NewRistrettoPoint()
	for _, b := range halves {
		p, err := group.ParsePoint(b)
		if err != nil {
			return nil, err
		}
		sum.Add(sum, p)
	}
	if sum.IsIdentity() {
		return nil, group.ErrIdentity
	}
	return group.PointBytes(sum), nil
}

// Halves is the statement that a registrar knows the logarithm of each of its halves, all public halves of all organisations being fixed.
// Section 15.4.
type Halves struct {
	Chain        string
	Election     string
	Organisation string
	Round        uint32
	// Files are the hashes of the half-key files of all organisations, sorted by the organisations' ids.
	Files [][32]byte
	// Public is the row of the registrar's own public halves, 32 bytes each, in the order of its file.
	Public []byte
}

// halvesChunk is how many halves go into one multiscalar multiplication.
const halvesChunk = 4096

// transcript returns the statement and the weight of the first half: lambda, the j-th half has lambda^j.
func (h *Halves) transcript() (*transcript.Transcript, *scalar.Scalar) {
	t := transcript.New(transcript.LabelHalfPossession)
	t.AppendUint64("version", transcript.Version)
	t.Append("chain", []byte(h.Chain))
	t.Append("election", []byte(h.Election))
	t.Append("organisation", []byte(h.Organisation))
	t.AppendUint64("round", uint64(h.Round))
	var files []byte
	for _, f := range h.Files {
		files = append(files, f[:]...)
	}
	t.Append("files", files)
	t.Append("halves", h.Public)
	return t, group.ReduceScalar(t.Challenge("lambda"))
}

func halvesChallenge(t *transcript.Transcript, r *curve.RistrettoPoint) *scalar.Scalar {
	t.Append("R", group.PointBytes(r))
	return group.ReduceScalar(t.Challenge("c"))
}

// Prove makes the proof c || s, 64 bytes, from the row of the secret halves. rand gives 64 bytes. It fails with ErrLength, group.ErrScalar or
// when rand does. Constant time in the secrets.
//
//	y = sum over j of lambda^j v_j    R = k G    s = k + c y
func (h *Halves) Prove(secrets []byte, rand io.Reader) ([]byte, error) {
	if len(secrets) != len(h.Public) || len(secrets) == 0 || len(secrets)%group.ScalarSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes of secret halves for %d of public ones", ErrLength, len(secrets), len(h.Public))
	}
	t, lambda := h.transcript()
	var fresh [64]byte
	if _, err := io.ReadFull(rand, fresh[:]); err != nil {
		return nil, fmt.Errorf("ballot: random source: %w", err)
	}
	y, weight := scalar.New(), scalar.NewFromUint64(1)
	for at := 0; at < len(secrets); at += group.ScalarSize {
		v, err := group.ParseScalar(secrets[at : at+group.ScalarSize])
		if err != nil {
			return nil, err
		}
		weight.Mul(weight, lambda)
		y.Add(y, v.Mul(v, weight))
	}
	// k is SHAKE256 of fresh bytes, of what is secret and of the statement: neither a weak source nor a repeated statement gives it away.
	statement := t.Clone().Challenge("randomness")
	xof := sha3.NewSHAKE256()
	xof.Write(transcript.Frame(transcript.LabelHalfRandomness, fresh[:], group.ScalarBytes(y), statement[:]))
	var wide [64]byte
	xof.Read(wide[:])
	k := group.ReduceScalar(wide)
	c := halvesChallenge(t, curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, k))
	s := scalar.New().Mul(c, y)
	return append(group.ScalarBytes(c), group.ScalarBytes(s.Add(s, k))...), nil
}

// weighted returns the sum of the points of a row, each times its weight.
func weighted(weights []*scalar.Scalar, row []byte) (*curve.RistrettoPoint, error) {
	points := make([]*curve.RistrettoPoint, len(weights))
	for j := range points {
		var err error
		if points[j], err = group.ParsePoint(row[j*group.PointSize : (j+1)*group.PointSize]); err != nil {
			return nil, err
		}
	}
	return curve.NewRistrettoPoint().MultiscalarMulVartime(weights, points), nil
}

// Verify checks the proof, on all cores. It fails with ErrLength, group.ErrPoint, group.ErrIdentity, group.ErrScalar or ErrHalfProof. progress, if not
// nil, is told how many halves have gone into the check. Variable time.
//
//	R = s G - c sum over j of lambda^j V_j
func (h *Halves) Verify(proof []byte, progress func(done int)) error {
	if len(proof) != 2*group.ScalarSize || len(h.Public) == 0 || len(h.Public)%group.PointSize != 0 {
		return fmt.Errorf("%w: a proof of %d bytes for %d bytes of halves", ErrLength, len(proof), len(h.Public))
	}
	c, err := group.ParseScalar(proof[:group.ScalarSize])
	if err != nil {
		return err
	}
	s, err := group.ParseScalar(proof[group.ScalarSize:])
	if err != nil {
		return err
	}
	t, lambda := h.transcript()
	r := curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, s)
	weight, done := scalar.New().Neg(c), 0
	var mu sync.Mutex // guards r and done; points are added in any order
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for row := range slices.Chunk(h.Public, halvesChunk*group.PointSize) {
		weights := make([]*scalar.Scalar, len(row)/group.PointSize)
		for j := range weights {
			weight.Mul(weight, lambda)
			weights[j] = scalar.New().Set(weight)
		}
		g.Go(func() error {
			part, err := weighted(weights, row)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			r.Add(r, part)
			if done += len(weights); progress != nil {
				progress(done)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if halvesChallenge(t, r).Equal(c) != 1 {
		return ErrHalfProof
	}
	return nil
}
