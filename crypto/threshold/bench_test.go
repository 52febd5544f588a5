package threshold

import (
	"crypto/rand"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

var benchCeremony = Ceremony{"chain", "election", "party", 1, 100, 3}

func BenchmarkDeal(b *testing.B) {
	for b.Loop() {
		p := must(benchCeremony.Deal(1, []byte("key"), rand.Reader))
		c := p.Commitments()
		must(benchCeremony.ProvePossession(1, p, c, rand.Reader))
	}
}

func BenchmarkVerifyDeal(b *testing.B) {
	p := must(benchCeremony.Deal(1, []byte("key"), rand.Reader))
	encoded := p.Commitments().Bytes()
	proof := must(benchCeremony.ProvePossession(1, p, p.Commitments(), rand.Reader))
	for b.Loop() {
		c := must(benchCeremony.ParseCommitments(encoded))
		check(b, benchCeremony.VerifyPossession(1, c, proof))
	}
}

func BenchmarkOpenShare(b *testing.B) {
	p := must(benchCeremony.Deal(1, []byte("key"), rand.Reader))
	c := p.Commitments()
	private, public, _ := GenerateReceiverKey(rand.Reader)
	sealed := must(benchCeremony.SealShare(1, 2, c, public, p))
	for b.Loop() {
		must(benchCeremony.OpenShare(1, 2, c, private, sealed))
	}
}

// benchTally is a contest of 10 slots opened by one trustee.
func benchTally(b *testing.B) (*TallyStatement, *Share, *board) {
	c := benchCeremony
	c.Slots = 10
	board := newBoard(b, c, 1, 2, 3, 4, 5)
	a0, a := encryptSum(make([]uint64, 10), board.key.Keys)
	return &TallyStatement{"chain", "election", [32]byte{1}, 1, "party", 1, a0, a, board.key.Trustee(1)}, board.shares[1], board
}

func BenchmarkProvePartial10(b *testing.B) {
	st, share, _ := benchTally(b)
	for b.Loop() {
		must(ProvePartial(st, share, rand.Reader))
	}
}

func BenchmarkVerifyPartial10(b *testing.B) {
	st, share, _ := benchTally(b)
	pd := must(ProvePartial(st, share, rand.Reader))
	encoded := PointsBytes(pd.Shares)
	for b.Loop() {
		check(b, VerifyPartial(st, must(ParsePartialDecryption(encoded, pd.Proof[:], 10))))
	}
}

func BenchmarkVerifyPosted10(b *testing.B) {
	st, share, _ := benchTally(b)
	pd := must(ProvePartial(st, share, rand.Reader))
	p := PostedPartial{
		Chain: st.Chain, Election: st.Election, KeyDigest: st.KeyDigest, Contest: st.Contest, Organisation: st.Organisation, Trustee: st.Trustee,
		Sum: PointsBytes(append([]*curve.RistrettoPoint{st.A0}, st.A...)), Keys: newRow(st.Keys), Shares: PointsBytes(pd.Shares), Proof: pd.Proof[:],
	}
	for b.Loop() {
		check(b, p.Verify())
	}
}

func BenchmarkCombine10(b *testing.B) {
	st, _, board := benchTally(b)
	q := QuorumShares{Quorum: 3}
	for _, i := range board.indices {
		q.Trustees = append(q.Trustees, TrusteeShares{i, board.key.Trustee(i)})
	}
	for b.Loop() {
		must(Combine(st.A0, st.A, []QuorumShares{q, q}))
	}
}

func BenchmarkNewLogTable1M(b *testing.B) {
	for b.Loop() {
		NewLogTable(1_000_000)
	}
}

func BenchmarkSolve1M(b *testing.B) {
	table := NewLogTable(1_000_000)
	point := times(1_000_000)
	for b.Loop() {
		if _, ok := table.Solve(point, 1_000_000); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	p := curve.NewRistrettoPoint().Add(times(5), times(6))
	for b.Loop() {
		encode(p)
	}
}
