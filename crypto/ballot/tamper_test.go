package ballot

import (
	"bytes"
	"errors"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
)

// honest returns an election whose styles 0 and 1 have the same shape on other slots, style 2 is style 0 again, its
// parameters, and one ballot of style 0.
func honest(t *testing.T) (Parameters, *Election, arrived) {
	t.Helper()
	elsewhere := Style{[]Contest{{FirstSlot: 8, Options: 3, Min: 0, Max: 1}, {FirstSlot: 0, Options: 5, Min: 1, Max: 3}}}
	p, _ := testParameters(t, 11, twoContests, elsewhere, twoContests)
	e, key := newElection(t, p), newKey(t)
	a := cast(t, e, Statement{Style: 0, RollIndex: 17, Voter: key.Public(), Sequence: 4}, [][]int{{1}, {0, 3}}, key)
	if err := check(t, e, a); err != nil {
		t.Fatal(err)
	}
	return p, e, a
}

// TestEveryPartOfTheStatementIsBound moves a ballot to every other statement.
func TestEveryPartOfTheStatementIsBound(t *testing.T) {
	p, e, a := honest(t)
	for name, move := range map[string]func(*Statement){
		"another style on other slots": func(st *Statement) { st.Style = 1 },
		"another style, same contests": func(st *Statement) { st.Style = 2 },
		"another roll index":           func(st *Statement) { st.RollIndex++ },
		"another voter":                func(st *Statement) { st.Voter = newKey(t).Public() },
		"another sequence number":      func(st *Statement) { st.Sequence++ },
	} {
		moved := a.clone()
		move(&moved.st)
		if err := check(t, e, moved); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Parameters){
		"chain":      func(p *Parameters) { p.Chain = "other-chain" },
		"election":   func(p *Parameters) { p.Election = "other" },
		"manifest":   func(p *Parameters) { p.Manifest[31] ^= 1 },
		"roll root":  func(p *Parameters) { p.RollRoot[0] ^= 1 },
		"key digest": func(p *Parameters) { p.KeyDigest[0] ^= 1 },
		"boundary":   func(p *Parameters) { p.Chain, p.Election = p.Chain+"p", p.Election[1:] },
	} {
		other := p
		change(&other)
		if err := check(t, newElection(t, other), a); !errors.Is(err, ErrSignature) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	// Another key under an old digest is the caller's fault; equation 4 sees it all the same.
	other := p
	other.Keys = append(other.Keys[:0:0], p.Keys...)
	other.Keys[3] = timesG(randomScalar(t))
	if err := check(t, newElection(t, other), a); !errors.Is(err, ErrProof) {
		t.Errorf("another key: %v", err)
	}
	if err := newElection(t, p).Verify(parse(t, e, a)); !errors.Is(err, ErrElection) {
		t.Errorf("parsed for another election: %v", err)
	}
	if _, err := newElection(t, p).VerifyBatch([]*EncryptedBallot{parse(t, e, a)}, nil); !errors.Is(err, ErrElection) {
		t.Errorf("batch parsed for another election: %v", err)
	}
}

// TestEveryByteIsBound flips one bit of every byte.
func TestEveryByteIsBound(t *testing.T) {
	_, e, a := honest(t)
	for part, get := range map[string]func(*arrived) []byte{
		"ciphertext": func(a *arrived) []byte { return a.ciphertext },
		"proof":      func(a *arrived) []byte { return a.proof },
		"signature":  func(a *arrived) []byte { return a.signature },
	} {
		for i := range get(&a) {
			bad := a.clone()
			get(&bad)[i] ^= 1 << (i % 8)
			if err := check(t, e, bad); err == nil {
				t.Errorf("%s: bit %d of byte %d is free", part, i%8, i)
			}
		}
	}
}

// resign signs a tampered ballot again with the voter's own key, so that only its proof can be at fault.
func resign(e *Election, a arrived, key *SecretKey, f fataler) arrived {
	t := e.statement(a.st, a.ciphertext)
	appendCommitments(t, a.proof[:commitmentsEnd])
	appendOpenings(t, a.proof[commitmentsEnd:openingsEnd])
	a.signature = key.sign(randomScalar(f), func(n []byte) *scalar.Scalar { return appendResponses(t, a.proof[openingsEnd:], n) })
	return a
}

// TestEveryElementIsBound lets the voter replace every single element of an own ballot by another valid one, and exchange any
// two neighbours, and sign the result.
func TestEveryElementIsBound(t *testing.T) {
	p, _ := testParameters(t, 8, twoContests)
	e, key := newElection(t, p), newKey(t)
	a := cast(t, e, Statement{Voter: key.Public()}, [][]int{{1}, {0, 3}}, key)
	if err := check(t, e, resign(e, a, key, t)); err != nil {
		t.Fatal(err)
	}
	other := cast(t, e, Statement{Voter: key.Public(), Sequence: 1}, [][]int{{}, {1}}, key)
	for part, get := range map[string]func(*arrived) []byte{
		"ciphertext": func(a *arrived) []byte { return a.ciphertext },
		"proof":      func(a *arrived) []byte { return a.proof },
	} {
		for i := 0; i < len(get(&a)); i += 32 {
			replaced := a.clone()
			copy(get(&replaced)[i:i+32], get(&other)[i:i+32])
			if err := check(t, e, resign(e, replaced, key, t)); !errors.Is(err, ErrProof) {
				t.Errorf("%s: element %d replaced: %v", part, i/32, err)
			}
			if i == 0 || part == "proof" && i == openingsEnd {
				continue
			}
			swapped := a.clone()
			copy(get(&swapped)[i-32:i], get(&a)[i:i+32])
			copy(get(&swapped)[i:i+32], get(&a)[i-32:i])
			if err := check(t, e, resign(e, swapped, key, t)); !errors.Is(err, ErrProof) {
				t.Errorf("%s: elements %d and %d exchanged: %v", part, i/32-1, i/32, err)
			}
		}
	}
}

// TestBadEncodings puts encodings that RFC 9496 forbids, the identity and the group order into every place.
func TestBadEncodings(t *testing.T) {
	_, e, a := honest(t)
	negative := append([]byte{1}, make([]byte, 31)...)
	fieldSize := bytes.Repeat([]byte{0xff}, 32)
	fieldSize[0], fieldSize[31] = 0xed, 0x7f
	nonSquare := []byte{
		0x26, 0x94, 0x8d, 0x35, 0xca, 0x62, 0xe6, 0x43, 0xe2, 0x6a, 0x83, 0x17, 0x73, 0x32, 0xe6, 0xb6,
		0xaf, 0xeb, 0x9d, 0x08, 0xe4, 0x26, 0x8b, 0x65, 0x0f, 0x1f, 0x5b, 0xbd, 0x8d, 0x81, 0xd3, 0x71,
	}
	order := []byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	}
	put := func(get func(*arrived) []byte, at int, encoding []byte, want error) {
		t.Helper()
		bad := a.clone()
		copy(get(&bad)[at:], encoding)
		if err := check(t, e, bad); !errors.Is(err, want) {
			t.Errorf("%x at byte %d: %v, want %v", encoding, at, err, want)
		}
	}
	points := func(get func(*arrived) []byte, from, to int) {
		for at := from; at < to; at += 32 {
			for _, encoding := range [][]byte{negative, fieldSize, nonSquare} {
				put(get, at, encoding, group.ErrPoint)
			}
			put(get, at, make([]byte, 32), group.ErrIdentity)
		}
	}
	scalars := func(get func(*arrived) []byte, from, to int) {
		for at := from; at < to; at += 32 {
			put(get, at, order, group.ErrScalar)
			put(get, at, bytes.Repeat([]byte{0xff}, 32), group.ErrScalar)
			put(get, at, append(bytes.Clone(get(&a)[at:at+31]), get(&a)[at+31]|0x80), group.ErrScalar)
		}
	}
	points(func(a *arrived) []byte { return a.ciphertext }, 0, len(a.ciphertext))
	points(func(a *arrived) []byte { return a.proof }, 0, openingsEnd)
	points(func(a *arrived) []byte { return a.signature }, 0, 32)
	scalars(func(a *arrived) []byte { return a.proof }, openingsEnd, len(a.proof))
	scalars(func(a *arrived) []byte { return a.signature }, 32, 64)
}

func TestWrongLengths(t *testing.T) {
	_, e, a := honest(t)
	for part, get := range map[string]func(*arrived) *[]byte{
		"ciphertext": func(a *arrived) *[]byte { return &a.ciphertext },
		"proof":      func(a *arrived) *[]byte { return &a.proof },
		"signature":  func(a *arrived) *[]byte { return &a.signature },
	} {
		for name, b := range map[string][]byte{
			"absent": nil, "cut": (*get(&a))[1:], "an element less": (*get(&a))[32:],
			"padded": append(bytes.Clone(*get(&a)), 0), "an element more": append(bytes.Clone(*get(&a)), (*get(&a))[:32]...),
		} {
			bad := a.clone()
			*get(&bad) = b
			if _, err := e.ParseBallot(bad.st, bad.ciphertext, bad.proof, bad.signature); !errors.Is(err, ErrLength) {
				t.Errorf("%s %s: %v", part, name, err)
			}
		}
	}
	a.st.Style = 3
	if _, err := e.ParseBallot(a.st, a.ciphertext, a.proof, a.signature); !errors.Is(err, ErrStyle) {
		t.Errorf("no such style: %v", err)
	}
}

// A ballot that was parsed without its proof is the same one to whoever counts it, and nobody can take it for a verified one.
func TestParseWithoutProof(t *testing.T) {
	_, e, a := honest(t)
	whole := parse(t, e, a)
	b, err := e.ParseWithoutProof(a.st, a.ciphertext)
	if err != nil || b.Code() != whole.Code() || b.Statement() != whole.Statement() {
		t.Fatal(err)
	}
	options := twoContests.Contests[0].Options
	one, two := NewEncryptedTally(options), NewEncryptedTally(options)
	if one.Add(whole.Ciphertext(), 0) != nil || two.Add(b.Ciphertext(), 0) != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("another sum")
	}
	if err := e.Verify(b); !errors.Is(err, ErrElection) {
		t.Errorf("verified: %v", err)
	}
	if _, err := e.VerifyBatch([]*EncryptedBallot{whole, b}, nil); !errors.Is(err, ErrElection) {
		t.Errorf("verified in a batch: %v", err)
	}
	if _, err := e.ParseWithoutProof(a.st, a.ciphertext[1:]); !errors.Is(err, ErrLength) {
		t.Errorf("a short ciphertext: %v", err)
	}
}
