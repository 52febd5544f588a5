package threshold

import (
	"bytes"
	"crypto/hpke"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
	"votenode/crypto/transcript"
)

var testCeremony = Ceremony{"chain", "election", "party", 1, 3, 2}

// otherCeremonies differ from testCeremony in one field each that does not change sizes.
func otherCeremonies() map[string]Ceremony {
	out := map[string]Ceremony{}
	for name, change := range map[string]func(*Ceremony){
		"chain":        func(c *Ceremony) { c.Chain = "chain2" },
		"election":     func(c *Ceremony) { c.Election = "other" },
		"organisation": func(c *Ceremony) { c.Organisation = "league" },
		"attempt":      func(c *Ceremony) { c.Attempt = 2 },
		"framing":      func(c *Ceremony) { c.Chain, c.Election = "chainelec", "tion" },
	} {
		c := testCeremony
		change(&c)
		out[name] = c
	}
	return out
}

func deal(c Ceremony, dealer uint32) (*Polynomials, *Commitments) {
	p := must(c.Deal(dealer, []byte("signing key"), rand.Reader))
	return p, p.Commitments()
}

func TestCheckQuorum(t *testing.T) {
	for _, c := range []struct {
		k, n int
		ok   bool
	}{{2, 3, true}, {3, 5, true}, {3, 6, true}, {2, 2, false}, {3, 4, false}, {1, 1, false}, {0, 3, false}, {-1, 3, false}} {
		if err := CheckQuorum(c.k, c.n); (err == nil) != c.ok {
			t.Errorf("%d of %d: %v", c.k, c.n, err)
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

// zeros is a random source that always gives the same bytes.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestDealRandomness: a weak random source gives each dealer and ceremony polynomials of its own, nobody without the
// dealer's secret can compute them, and a failing source fails.
func TestDealRandomness(t *testing.T) {
	seen := map[string]string{}
	add := func(name string, c Ceremony, dealer uint32, secret string) {
		p, err := c.Deal(dealer, []byte(secret), zeros{})
		check(t, err)
		for j, f := range p.slots {
			for _, coefficient := range f {
				key := string(group.ScalarBytes(coefficient))
				if before, ok := seen[key]; ok {
					t.Fatalf("%s slot %d repeats a coefficient of %s", name, j, before)
				}
				seen[key] = name
			}
		}
	}
	add("base", testCeremony, 1, "key")
	add("dealer", testCeremony, 2, "key")
	add("secret", testCeremony, 1, "another key")
	for name, c := range otherCeremonies() {
		add(name, c, 1, "key")
	}
	if _, err := testCeremony.Deal(1, nil, brokenReader{}); err == nil {
		t.Error("dealt without randomness")
	}
	if _, _, err := GenerateReceiverKey(brokenReader{}); err == nil {
		t.Error("key without randomness")
	}
	p, c := deal(testCeremony, 1)
	if _, err := testCeremony.ProvePossession(1, p, c, brokenReader{}); err == nil {
		t.Error("proof without randomness")
	}
}

func TestEncodings(t *testing.T) {
	c := testCeremony
	p, commitments := deal(c, 1)
	again := must(c.ParsePolynomials(p.Bytes()))
	if !bytes.Equal(again.Commitments().Bytes(), commitments.Bytes()) {
		t.Error("polynomials change by encoding")
	}
	if !bytes.Equal(must(c.ParseCommitments(commitments.Bytes())).Bytes(), commitments.Bytes()) {
		t.Error("commitments change by encoding")
	}
	share := must(p.Share(7))
	if !bytes.Equal(must(ParseShare(share.Bytes(), c.Slots)).Bytes(), share.Bytes()) {
		t.Error("share changes by encoding")
	}
	if _, err := p.Share(0); !errors.Is(err, ErrIndex) {
		t.Error("the secret itself was given as a share")
	}

	order := must(hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"))
	nonCanonical := bytes.Repeat([]byte{0xff}, 32)
	parsers := []struct {
		name  string
		good  []byte
		parse func([]byte) error
	}{
		{"commitments", commitments.Bytes(), func(b []byte) error { _, err := c.ParseCommitments(b); return err }},
		{"polynomials", p.Bytes(), func(b []byte) error { _, err := c.ParsePolynomials(b); return err }},
		{"share", share.Bytes(), func(b []byte) error { _, err := ParseShare(b, c.Slots); return err }},
	}
	for _, parser := range parsers {
		check(t, parser.parse(parser.good))
		refuses(t, parser.name+" empty", parser.parse(nil), ErrLength)
		refuses(t, parser.name+" truncated", parser.parse(parser.good[:len(parser.good)-1]), ErrLength)
		refuses(t, parser.name+" one element short", parser.parse(parser.good[32:]), ErrLength)
		refuses(t, parser.name+" one element more", parser.parse(append(parser.good[:32:32], parser.good...)), ErrLength)
		for _, bad := range [][]byte{order, nonCanonical} {
			b := bytes.Clone(parser.good)
			copy(b[32:], bad)
			if parser.parse(b) == nil {
				t.Errorf("%s: %x was accepted", parser.name, bad)
			}
		}
	}
	// The identity in any power would lower the degree, or be a key.
	for i := range c.Slots * c.Quorum {
		b := bytes.Clone(commitments.Bytes())
		clear(b[i*32 : (i+1)*32])
		_, err := c.ParseCommitments(b)
		refuses(t, "identity in commitments", err, group.ErrIdentity)
	}
	if _, err := share.Range(1, 3); !errors.Is(err, ErrLength) {
		t.Error("range beyond the slots")
	}
	if _, err := share.Range(-1, 1); !errors.Is(err, ErrLength) {
		t.Error("negative range")
	}
	_, err := SumShares(nil)
	refuses(t, "sum of nothing", err, ErrLength)
	_, err = SumShares([]*Share{share, must(share.Range(0, 1))})
	refuses(t, "sum of different slots", err, ErrLength)
}

func TestDealHash(t *testing.T) {
	_, commitments := deal(testCeremony, 1)
	_, others := deal(testCeremony, 1)
	hash := testCeremony.DealHash(1, commitments.Bytes())
	if hash == testCeremony.DealHash(2, commitments.Bytes()) || hash == testCeremony.DealHash(1, others.Bytes()) {
		t.Error("hash does not bind dealer and commitments")
	}
	for name, c := range otherCeremonies() {
		if hash == c.DealHash(1, commitments.Bytes()) {
			t.Errorf("hash does not bind %s", name)
		}
	}
	c := testCeremony
	c.Slots, c.Quorum = c.Quorum, c.Slots
	if hash == c.DealHash(1, commitments.Bytes()) {
		t.Error("hash does not bind slots and quorum")
	}
}

// TestBadShares: whatever a dealer does wrong with a share, the receiver notices, and its complaint convicts the dealer.
func TestBadShares(t *testing.T) {
	const dealer, receiver = 1, 2
	c := testCeremony
	p, commitments := deal(c, dealer)
	private, public, err := GenerateReceiverKey(rand.Reader)
	check(t, err)
	_, otherPublic, err := GenerateReceiverKey(rand.Reader)
	check(t, err)
	good := must(c.SealShare(dealer, receiver, commitments, public, p))
	seal := func(plaintext []byte) []byte {
		ephemeral, _, err := GenerateReceiverKey(rand.Reader)
		check(t, err)
		return sealWith(t, ephemeral, public, c.info(dealer, receiver, commitments), plaintext)
	}
	plain := must(p.Share(receiver)).Bytes()
	changed := func(b []byte, i int) []byte {
		b = bytes.Clone(b)
		b[i] ^= 1
		return b
	}
	otherShare := must(p.Share(3)).Bytes()
	otherPolynomials, _ := deal(c, dealer)
	notReduced := append(plain[:64:64], bytes.Repeat([]byte{0xff}, 32)...)
	enc := func(hexKey string) []byte { return append(must(hex.DecodeString(hexKey)), good[32:]...) }

	bad := map[string][]byte{
		"nothing":                {},
		"truncated":              good[:len(good)-1],
		"one byte more":          append(good[:len(good):len(good)], 0),
		"tag changed":            changed(good, len(good)-1),
		"ciphertext changed":     changed(good, 40),
		"encapsulation changed":  changed(good, 1),
		"encapsulation of zero":  enc("0000000000000000000000000000000000000000000000000000000000000000"),
		"encapsulation of p":     enc("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
		"for another key":        must(c.SealShare(dealer, receiver, commitments, otherPublic, p)),
		"for another receiver":   must(c.SealShare(dealer, 3, commitments, public, p)),
		"by another dealer":      must(c.SealShare(3, receiver, commitments, public, p)),
		"of other polynomials":   must(c.SealShare(dealer, receiver, commitments, public, otherPolynomials)),
		"share of another index": seal(otherShare),
		"last slot wrong":        seal(changed(plain, 64)),
		"scalar not reduced":     seal(notReduced),
		"one slot short":         seal(plain[:64]),
		"one slot more":          seal(append(plain[:96:96], plain[:32]...)),
		"slots swapped":          seal(append(append(plain[32:64:64], plain[:32]...), plain[64:]...)),
	}
	// An encapsulated key with the top bit set is the same point to X25519 but other bytes to HPKE.
	ephemeral, topBit, err := GenerateReceiverKey(rand.Reader)
	check(t, err)
	topBit[31] |= 128
	bad["encapsulation not canonical"] = sealAs(t, topBit, ephemeral, public, c.info(dealer, receiver, commitments), plain)
	if _, err := hpke.Open(must(parsePrivate(private)), shareKDF, shareAEAD, c.info(dealer, receiver, commitments), bad["encapsulation not canonical"]); err != nil {
		t.Error("the demonstration is wrong: HPKE itself refuses the top bit")
	}
	for name, other := range otherCeremonies() {
		bad["from another "+name] = must(other.SealShare(dealer, receiver, commitments, public, p))
	}
	for name, ciphertext := range bad {
		_, err := c.OpenShare(dealer, receiver, commitments, private, ciphertext)
		refuses(t, name, err, ErrShare)
		guilty, err := c.JudgeComplaint(dealer, receiver, commitments, public, private, ciphertext)
		if err != nil || !guilty {
			t.Errorf("%s: dealer not convicted: %v, %v", name, guilty, err)
		}
	}

	if bytes.Equal(c.info(dealer, receiver, commitments), c.info(dealer, 3, commitments)) {
		t.Error("info does not bind the receiver")
	}

	// The control: what seal makes of the right plaintext opens, and so does good.
	for _, ciphertext := range [][]byte{good, seal(plain)} {
		share, err := c.OpenShare(dealer, receiver, commitments, private, ciphertext)
		check(t, err)
		if !bytes.Equal(share.Bytes(), plain) {
			t.Error("share changed on its way")
		}
	}
}

// TestLyingComplainer: who complains of a good share convicts itself; who brings another key proves nothing.
func TestLyingComplainer(t *testing.T) {
	c := testCeremony
	p, commitments := deal(c, 1)
	private, public, err := GenerateReceiverKey(rand.Reader)
	check(t, err)
	ciphertext := must(c.SealShare(1, 2, commitments, public, p))
	guilty, err := c.JudgeComplaint(1, 2, commitments, public, private, ciphertext)
	if guilty || err != nil {
		t.Errorf("an honest dealer was convicted: %v, %v", guilty, err)
	}
	otherPrivate, _, err := GenerateReceiverKey(rand.Reader)
	check(t, err)
	unclamped := bytes.Clone(private)
	unclamped[0] |= 1
	topBit := bytes.Clone(private)
	topBit[31] |= 128
	for name, key := range map[string][]byte{
		"another key": otherPrivate, "the same key, not clamped": unclamped, "top bit": topBit, "zero": make([]byte, 32),
		"short": private[:31], "long": append(private[:32:32], 0), "none": nil,
	} {
		guilty, err := c.JudgeComplaint(1, 2, commitments, public, key, ciphertext)
		refuses(t, name, err, ErrComplaintKey)
		if guilty {
			t.Errorf("%s: an honest dealer was convicted", name)
		}
	}
}

func TestReceiverKeys(t *testing.T) {
	// All canonical points of small order on curve and twist, then encodings that are not canonical.
	for _, bad := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0900000000000000000000000000000000000000000000000000000000000080",
		"09000000000000000000000000000000000000000000000000000000000000",
		"090000000000000000000000000000000000000000000000000000000000000000",
		"",
	} {
		refuses(t, bad, CheckReceiverKey(must(hex.DecodeString(bad))), ErrReceiverKey)
	}
	check(t, CheckReceiverKey(must(hex.DecodeString("0900000000000000000000000000000000000000000000000000000000000000"))))
	// 2^255 - 19 - 3 is canonical and on curve or twist in the big subgroup.
	check(t, CheckReceiverKey(must(hex.DecodeString("eaffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"))))
	_, public, err := GenerateReceiverKey(rand.Reader)
	check(t, err)
	check(t, CheckReceiverKey(public))
	p, commitments := deal(testCeremony, 1)
	_, err = testCeremony.SealShare(1, 2, commitments, make([]byte, 32), p)
	refuses(t, "sealing to a small-order key", err, ErrReceiverKey)
	_, err = testCeremony.SealShare(1, 0, commitments, public, p)
	refuses(t, "sealing the secret itself", err, ErrIndex)
}

func TestPossession(t *testing.T) {
	c := testCeremony
	p, commitments := deal(c, 1)
	proof := must(c.ProvePossession(1, p, commitments, rand.Reader))
	check(t, c.VerifyPossession(1, commitments, proof))
	refuses(t, "another dealer", c.VerifyPossession(2, commitments, proof), ErrProof)
	refuses(t, "dealer 0", c.VerifyPossession(0, commitments, proof), ErrIndex)
	for name, other := range otherCeremonies() {
		refuses(t, "another "+name, other.VerifyPossession(1, commitments, proof), ErrProof)
	}
	for i := range ProofSize {
		changed := proof
		changed[i] ^= 1
		refuses(t, "changed proof", c.VerifyPossession(1, commitments, changed), ErrProof)
	}
	refuses(t, "empty proof", c.VerifyPossession(1, commitments, Proof{}), ErrProof)
	refuses(t, "not canonical", c.VerifyPossession(1, commitments, addOrder(proof)), ErrProof)
	// Every commitment is under lambda, those of the higher powers too.
	for i := range c.Slots * c.Quorum {
		b := bytes.Clone(commitments.Bytes())
		copy(b[i*32:], group.PointBytes(times(uint64(i+1))))
		refuses(t, "changed commitment", c.VerifyPossession(1, must(c.ParseCommitments(b)), proof), ErrProof)
	}
	more := c
	more.Slots++
	refuses(t, "another number of slots", more.VerifyPossession(1, commitments, proof), ErrLength)
}

// addOrder returns the same proof with the order of the group added to s: equal modulo the order, other bytes.
func addOrder(p Proof) Proof {
	order := must(hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"))
	carry := 0
	for i := range 32 {
		carry += int(p[32+i]) + int(order[i])
		p[32+i], carry = byte(carry), carry>>8
	}
	return p
}

// TestRelatedKeys mounts the attack for which possession is proven with weights that depend on all commitments. The
// organisation that publishes second makes P_1 - P_2 = delta G with a delta it knows, and reads every ballot with it.
// Weights fixed in advance let it pass; ours do not.
func TestRelatedKeys(t *testing.T) {
	first := newBoard(t, Ceremony{"chain", "election", "first", 1, 2, 2}, 1, 2, 3)
	second := Ceremony{"chain", "election", "second", 1, 2, 2}
	fixed := []*scalar.Scalar{scalar.NewFromUint64(1), scalar.NewFromUint64(2)}

	// P'_1 and P'_2 with P'_1 - P'_2 = O_2 - O_1 + delta G and w_1 P'_1 + w_2 P'_2 = y G, delta and y known:
	// P'_2 = (y G - w_1 (O_2 - O_1 + delta G)) / (w_1 + w_2).
	delta, y := scalar.NewFromUint64(5), scalar.NewFromUint64(77)
	difference := curve.NewRistrettoPoint().Sub(first.key.Keys[1], first.key.Keys[0])
	difference.Add(difference, curve.NewRistrettoPoint().Mul(curve.RISTRETTO_BASEPOINT_POINT, delta))
	total := scalar.New().Add(fixed[0], fixed[1])
	p2 := curve.NewRistrettoPoint().Sub(times(77), curve.NewRistrettoPoint().Mul(difference, fixed[0]))
	p2.Mul(p2, scalar.New().Invert(total))
	p1 := curve.NewRistrettoPoint().Add(p2, difference)

	commitments := &Commitments{slots: [][]*curve.RistrettoPoint{{p1, times(3)}, {p2, times(4)}}}
	commitments.encoded = append(PointsBytes(commitments.slots[0]), PointsBytes(commitments.slots[1])...)
	commitments = must(second.ParseCommitments(commitments.Bytes()))

	// The weak variant: a Schnorr proof for w_1 P'_1 + w_2 P'_2, everything hashed but the weights fixed.
	weighted := curve.NewRistrettoPoint().MultiscalarMul(fixed, []*curve.RistrettoPoint{p1, p2})
	weak := transcript.New("weak")
	weak.Append("commitments", commitments.Bytes())
	e := newEquality(weak, []*curve.RistrettoPoint{curve.RISTRETTO_BASEPOINT_POINT}, []*curve.RistrettoPoint{weighted})
	forged := must(e.prove([]*scalar.Scalar{y}, rand.Reader))
	check(t, e.verify(forged))

	// What it would have bought: b_1 - b_2 of every ballot, from C_1 - C_2 - delta C_0, without any share.
	joint := []*curve.RistrettoPoint{
		curve.NewRistrettoPoint().Add(first.key.Keys[0], p1), curve.NewRistrettoPoint().Add(first.key.Keys[1], p2),
	}
	c0, c := encryptSum([]uint64{1, 0}, joint)
	read := curve.NewRistrettoPoint().Sub(c[0], c[1])
	read.Sub(read, curve.NewRistrettoPoint().Mul(c0, delta))
	if read.Equal(times(1)) != 1 {
		t.Fatal("the demonstration is wrong: the attack does not read the ballot")
	}

	// Against ours it would have to know the logarithm of lambda P'_1 + lambda^2 P'_2, and knows y only.
	refuses(t, "the weak proof", second.VerifyPossession(1, commitments, forged), ErrProof)
	ours := must(second.possession(1, commitments))
	claim := scalar.New().Mul(y, scalar.New().Invert(group.ReduceScalar(ours.lambda)))
	related := must(ours.prove([]*scalar.Scalar{claim}, rand.Reader))
	refuses(t, "related keys", second.VerifyPossession(1, commitments, related), ErrProof)
}

// TestLastMover: the dealer that publishes last can choose the joint key only by giving up the proof of possession.
func TestLastMover(t *testing.T) {
	c := Ceremony{"chain", "election", "party", 1, 1, 2}
	_, first := deal(c, 1)
	_, second := deal(c, 2)
	want := times(42) // the key the last mover would like, of known logarithm
	p3 := curve.NewRistrettoPoint().Sub(want, curve.NewRistrettoPoint().Add(first.Slot(0)[0], second.Slot(0)[0]))
	chosen := &Commitments{slots: [][]*curve.RistrettoPoint{{p3, times(7)}}}
	chosen.encoded = PointsBytes(chosen.slots[0])
	key, err := c.NewOrganisationKey([]uint32{1, 2, 3}, []*Commitments{first, second, chosen})
	check(t, err)
	if key.Keys[0].Equal(want) != 1 {
		t.Fatal("the demonstration is wrong")
	}
	claimed := &Polynomials{slots: [][]*scalar.Scalar{{scalar.NewFromUint64(42), scalar.NewFromUint64(7)}}}
	proof := must(c.ProvePossession(3, claimed, chosen, rand.Reader))
	refuses(t, "a chosen joint key", c.VerifyPossession(3, chosen, proof), ErrProof)
	// Copying another dealer's commitments and proof fails too: both are bound to the dealer.
	p, copied := deal(c, 1)
	proof = must(c.ProvePossession(1, p, copied, rand.Reader))
	refuses(t, "a copied deal", c.VerifyPossession(3, copied, proof), ErrProof)
}
