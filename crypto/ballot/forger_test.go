package ballot

import (
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
)

// forger is a prover that follows the protocol with whatever witness it likes, written as in the spec and with none of the code
// of the real prover. It signs what it makes.
type forger struct {
	e   *Election
	s   *style
	st  Statement
	key *SecretKey

	random io.Reader
	b      []*scalar.Scalar // committed to in B, by position
	v      []*scalar.Scalar // encrypted in C_j, by ordinal
	r      []*scalar.Scalar // randomness of C_j, by ordinal
	r0     *scalar.Scalar   // randomness of C_0
	masks  []*scalar.Scalar // a_i, by position
	before func(f *forger, p *forged)
	opened func(f *forger, p *forged)
	after  func(f *forger, p *forged)
}

// forged is a proof in the making; before runs before rho is drawn, opened before x is, after runs once x is known.
type forged struct {
	c0, a, b, c, d, t0, t1       *curve.RistrettoPoint
	cj                           []*curve.RistrettoPoint
	rA, rB, rC, rD, s            *scalar.Scalar
	rho, x, zA, zC, zR           *scalar.Scalar
	f                            []*scalar.Scalar
	ciphertext, proof, signature []byte
}

// newForger returns a forger with an honest witness that draws its randomness from random.
func newForger(t fataler, e *Election, st Statement, key *SecretKey, selections [][]int, random io.Reader) *forger {
	s, err := e.style(st.Style)
	if err != nil {
		t.Fatal(err)
	}
	bits, err := s.bits(selections)
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{e: e, s: s, st: st, key: key, random: random}
	f.r0 = f.scalar(t)
	for i, j := range s.optionAt {
		bit := scalar.NewFromUint64(uint64(bits[i]))
		f.b, f.masks = append(f.b, bit), append(f.masks, f.scalar(t))
		if j >= 0 {
			f.v, f.r = append(f.v, scalar.New().Set(bit)), append(f.r, f.r0)
		}
	}
	at := 0
	for _, c := range s.Contests {
		last := scalar.New()
		for _, a := range f.masks[at : at+c.positions()-1] {
			last.Sub(last, a)
		}
		at += c.positions()
		f.masks[at-1] = last
	}
	return f
}

func add(p, q *curve.RistrettoPoint) *curve.RistrettoPoint {
	return curve.NewRistrettoPoint().Add(p, q)
}

func mul(s *scalar.Scalar, p *curve.RistrettoPoint) *curve.RistrettoPoint {
	return curve.NewRistrettoPoint().Mul(p, s)
}

func (f *forger) scalar(t fataler) *scalar.Scalar {
	s, err := scalar.New().SetRandom(f.random)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// vector returns r H + sum s_i K_i.
func (f *forger) vector(r *scalar.Scalar, s []*scalar.Scalar) *curve.RistrettoPoint {
	sum := mul(r, f.e.h)
	for i := range s {
		sum.Add(sum, mul(s[i], f.e.k[i]))
	}
	return sum
}

// linear returns m x + c.
func linear(m, x, c *scalar.Scalar) *scalar.Scalar {
	p := scalar.New().Mul(m, x)
	return p.Add(p, c)
}

func (f *forger) forge(t fataler) *forged {
	p := &forged{rA: f.scalar(t), rB: f.scalar(t), rC: f.scalar(t), rD: f.scalar(t), s: f.scalar(t)}
	p.c0 = timesG(f.r0)
	for j, slot := range f.s.slots {
		p.cj = append(p.cj, add(timesG(f.v[j]), mul(f.r[j], f.e.keys[slot])))
	}
	var signed, squares []*scalar.Scalar
	for i, a := range f.masks {
		// a (1 - 2b) and -a^2
		m := scalar.New().Sub(scalar.One(), scalar.New().Add(f.b[i], f.b[i]))
		signed, squares = append(signed, m.Mul(m, a)), append(squares, scalar.New().Mul(a, minus(a)))
	}
	p.a, p.b = f.vector(p.rA, f.masks), f.vector(p.rB, f.b)
	p.c, p.d = f.vector(p.rC, signed), f.vector(p.rD, squares)
	if f.before != nil {
		f.before(f, p)
	}
	p.ciphertext = appendPoints(appendPoints(nil, p.c0), p.cj...)
	p.proof = appendPoints(nil, p.a, p.b, p.c, p.d)
	tr := f.e.statement(f.st, p.ciphertext)
	p.rho = appendCommitments(tr, p.proof)

	power, mask, key := scalar.One(), scalar.New(), curve.NewRistrettoPoint().Identity()
	for i, j := range f.s.optionAt {
		if j >= 0 {
			power = scalar.New().Mul(power, p.rho)
			mask.Add(mask, scalar.New().Mul(power, f.masks[i]))
			key.Add(key, mul(power, f.e.keys[f.s.slots[j]]))
		}
	}
	p.t0, p.t1 = timesG(p.s), add(timesG(mask), mul(p.s, key))
	if f.opened != nil {
		f.opened(f, p)
	}
	p.proof = appendPoints(p.proof, p.t0, p.t1)
	p.x = appendOpenings(tr, p.proof[commitmentsEnd:])

	for i := range f.b {
		p.f = append(p.f, linear(f.b[i], p.x, f.masks[i]))
	}
	p.zA, p.zC, p.zR = linear(p.rB, p.x, p.rA), linear(p.rC, p.x, p.rD), linear(f.r0, p.x, p.s)
	if f.after != nil {
		f.after(f, p)
	}
	at := 0
	for _, c := range f.s.Contests {
		for _, response := range p.f[at : at+c.positions()-1] {
			p.proof = append(p.proof, group.ScalarBytes(response)...)
		}
		at += c.positions()
	}
	for _, z := range []*scalar.Scalar{p.zA, p.zC, p.zR} {
		p.proof = append(p.proof, group.ScalarBytes(z)...)
	}
	p.signature = f.key.sign(f.scalar(t), func(n []byte) *scalar.Scalar {
		return appendResponses(tr, p.proof[openingsEnd:], n)
	})
	return p
}

func (p *forged) arrived(st Statement) arrived {
	return arrived{st, p.ciphertext, p.proof, p.signature}
}

// simulate fills in a transcript for challenges chosen beforehand, without any witness (section 3.14): B, C, the responses are
// random, and A, D, T0, T1 are solved for. The ciphertext may hold anything.
func simulate(t fataler, e *Election, b *EncryptedBallot, rho, x *scalar.Scalar) {
	b.rho, b.x = rho, x
	b.b, b.c = timesG(randomScalar(t)), timesG(randomScalar(t))
	s := b.ciphertext.style
	responses := make([]*scalar.Scalar, s.positions-len(s.Contests)+3)
	for i := range responses {
		responses[i] = randomScalar(t)
	}
	b.f = nil
	b.respond(responses)
	f := &forger{e: e, s: s}
	var products []*scalar.Scalar
	for _, fi := range b.f {
		m := scalar.New().Sub(x, fi)
		products = append(products, m.Mul(m, fi))
	}
	b.a = add(f.vector(b.zA, b.f), mul(minus(x), b.b))
	b.d = add(f.vector(b.zC, products), mul(minus(x), b.c))
	b.t0 = add(timesG(b.zR), mul(minus(x), b.ciphertext.c0))
	b.t1 = curve.NewRistrettoPoint().Identity()
	power := scalar.One()
	for i, j := range s.optionAt {
		if j >= 0 {
			power = scalar.New().Mul(power, rho)
			b.t1.Add(b.t1, timesG(scalar.New().Mul(power, b.f[i])))
			b.t1.Add(b.t1, mul(scalar.New().Mul(power, b.zR), e.keys[s.slots[j]]))
			b.t1.Sub(b.t1, mul(scalar.New().Mul(power, x), b.ciphertext.c[j]))
		}
	}
}

// proofBytes encodes the proof of a ballot as on the wire.
func proofBytes(b *EncryptedBallot) []byte {
	out, at := appendPoints(nil, b.a, b.b, b.c, b.d, b.t0, b.t1), 0
	for _, c := range b.ciphertext.style.Contests {
		for _, f := range b.f[at : at+c.positions()-1] {
			out = append(out, group.ScalarBytes(f)...)
		}
		at += c.positions()
	}
	for _, z := range []*scalar.Scalar{b.zA, b.zC, b.zR} {
		out = append(out, group.ScalarBytes(z)...)
	}
	return out
}
