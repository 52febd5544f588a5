package ballot

import (
	"crypto/rand"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
)

func testScalar(t testing.TB) *scalar.Scalar {
	s, err := scalar.New().SetRandom(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testParameters(t testing.TB, slots int, styles ...Style) Parameters {
	p := Parameters{Chain: "chain", Election: "primary", Styles: styles}
	for range slots {
		p.Keys = append(p.Keys, curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, testScalar(t)))
	}
	return p
}

func TestSmoke(t *testing.T) {
	_ = group.PointSize
	s := Style{[]Contest{{0, 3, 0, 1}, {3, 5, 1, 3}}}
	e, err := NewElection(testParameters(t, 8, s))
	if err != nil {
		t.Fatal(err)
	}
	key, _ := GenerateKey(rand.Reader)
	st := Statement{0, 7, key.Public(), 1}
	d, err := e.Encrypt(st, [][]int{{}, {4, 1}}, key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, p, sig, err := d.Cast()
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.ParseBallot(st, c, p, sig)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Verify(b); err != nil {
		t.Fatal(err)
	}
	b2 := *b
	b2.zR = scalar.New()
	bad, err := e.VerifyBatch([]*EncryptedBallot{b, &b2, b, b, &b2}, rand.Reader)
	t.Log(bad, err, FormatCode(b.Code()))
	if got, err := ParseCode(FormatCode(b.Code())); err != nil || got != b.Code() {
		t.Fatal(err)
	}
	t.Log(Style{[]Contest{{0, 3, 0, 1}}}.CiphertextSize() + Style{[]Contest{{0, 3, 0, 1}}}.ProofSize())
}
