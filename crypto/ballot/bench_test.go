package ballot

import (
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// benchmarkBallots makes n distinct ballots of n voters in one contest, of which one to all options may be left out.
func benchmarkBallots(b testing.TB, options, n int) (*Election, []arrived) {
	e := testElection(b, options, Style{[]Contest{{0, options, 0, 1}}})
	all := make([]arrived, n)
	for i := range all {
		key := newKey(b)
		all[i] = cast(b, e, Statement{0, uint64(i), key.Public(), 1}, [][]int{{i % options}}, key)
	}
	return e, all
}

func perBallot(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed())/float64(time.Microsecond)/float64(b.N*n), "us/ballot")
}

// BenchmarkVerify takes distinct ballots from bytes to verdicts: "all" is the whole, "parse" and "verify" are its two parts, and
// "bare" is the multiscalar multiplication of the same points by full scalars and nothing else.
func BenchmarkVerify(b *testing.B) {
	for _, options := range []int{3, 5, 10, 30} {
		e, all := benchmarkBallots(b, options, 1024)
		for _, n := range []int{1, 16, 128, 1024} {
			name := fmt.Sprintf("options=%d/batch=%d", options, n)
			ballots := make([]*EncryptedBallot, n)
			parse := func(b *testing.B) {
				for i, c := range all[:n] {
					voter, err := ParsePublicKey(c.st.Voter.Bytes())
					if err != nil {
						b.Fatal(err)
					}
					c.st.Voter = voter
					if ballots[i], err = e.ParseBallot(c.st, c.ciphertext, c.proof, c.signature); err != nil {
						b.Fatal(err)
					}
				}
			}
			verify := func(b *testing.B) {
				if faults, err := e.VerifyBatch(ballots, rand.Reader); err != nil || errors.Join(faults...) != nil {
					b.Fatal(faults, err)
				}
			}
			b.Run(name+"/all", func(b *testing.B) {
				for b.Loop() {
					parse(b)
					verify(b)
				}
				perBallot(b, n)
			})
			b.Run(name+"/verify", func(b *testing.B) {
				parse(b)
				for b.Loop() {
					verify(b)
				}
				perBallot(b, n)
			})
			b.Run(name+"/parse", func(b *testing.B) {
				for b.Loop() {
					parse(b)
				}
				perBallot(b, n)
			})
			b.Run(name+"/bare", func(b *testing.B) {
				points := append([]*curve.RistrettoPoint{e.h}, e.k...)
				points = append(points, e.keys...)
				for _, ballot := range ballots {
					points = append(points, ballot.a, ballot.b, ballot.c, ballot.d, ballot.t0, ballot.t1, ballot.nonce,
						ballot.statement.Voter.point, ballot.ciphertext.c0)
					points = append(points, ballot.ciphertext.c...)
				}
				scalars := make([]*scalar.Scalar, len(points))
				for i := range scalars {
					scalars[i] = randomScalar(b)
				}
				for b.Loop() {
					curve.NewRistrettoPoint().MultiscalarMulVartime(scalars, points)
				}
				perBallot(b, n)
			})
		}
	}
}

// BenchmarkCast encrypts, proves and signs one ballot.
func BenchmarkCast(b *testing.B) {
	for _, options := range []int{3, 5, 10, 30} {
		b.Run(fmt.Sprintf("options=%d", options), func(b *testing.B) {
			e, _ := benchmarkBallots(b, options, 0)
			key := newKey(b)
			for b.Loop() {
				cast(b, e, Statement{Voter: key.Public()}, [][]int{{0}}, key)
			}
			perBallot(b, 1)
		})
	}
}
