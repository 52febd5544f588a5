package ballot

import (
	"bytes"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
)

var update = flag.Bool("update", false, "write the vectors in testdata anew")

// hexBytes stands in JSON as lower-case hexadecimal digits.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// The vectors of docs/spec/03-ballot.md, section 3.15, and of docs/spec/15-registrars.md.
type (
	vectorFile struct {
		Comment    string           `json:"comment"`
		Election   vectorElection   `json:"election"`
		Generators []hexBytes       `json:"generators"` // H, K_1, K_2, ...
		Valid      []vectorBallot   `json:"valid"`
		Invalid    []vectorInvalid  `json:"invalid"`
		Challenge  vectorChallenge  `json:"challenge"`
		Tallies    []vectorTally    `json:"tallies"`
		Codes      []vectorBadCode  `json:"bad_codes"`
		Derivation vectorDerivation `json:"derivation"`

		Signed              []vectorSigned    `json:"signed"`
		InvalidSigned       []vectorSigned    `json:"invalid_signed"`
		Applications        []vectorSignature `json:"applications"`
		InvalidApplications []vectorSignature `json:"invalid_applications"`
		Halves              []vectorHalves    `json:"halves"`
		InvalidHalves       []vectorHalves    `json:"invalid_halves"`
		Joined              []vectorJoined    `json:"joined"`
	}
	vectorElection struct {
		Chain     string            `json:"chain"`
		Election  string            `json:"election"`
		Manifest  hexBytes          `json:"manifest"`
		RollRoot  hexBytes          `json:"roll_root"`
		KeyDigest hexBytes          `json:"key_digest"`
		Secrets   []hexBytes        `json:"secrets"` // p_j
		Keys      []hexBytes        `json:"keys"`    // P_j
		Styles    [][]vectorContest `json:"styles"`
	}
	vectorContest struct {
		FirstSlot int `json:"first_slot"`
		Options   int `json:"options"`
		Min       int `json:"min"`
		Max       int `json:"max"`
	}
	vectorArrived struct {
		Name       string   `json:"name"`
		Style      uint32   `json:"style"`
		RollIndex  uint64   `json:"roll_index"`
		Voter      hexBytes `json:"voter"`
		Sequence   uint64   `json:"sequence"`
		Ciphertext hexBytes `json:"ciphertext"`
		Proof      hexBytes `json:"proof"`
		Signature  hexBytes `json:"signature"`
	}
	vectorBallot struct {
		vectorArrived
		Secret     hexBytes `json:"secret"` // v
		Fresh      hexBytes `json:"fresh"`
		Selections [][]int  `json:"selections"`
		Transcript hexBytes `json:"transcript"` // all bytes hashed for e
		Rho        hexBytes `json:"rho"`
		X          hexBytes `json:"x"`
		E          hexBytes `json:"e"`
		Code       hexBytes `json:"code"`
		CodeText   string   `json:"code_text"`
	}
	vectorInvalid struct {
		vectorArrived
		Error string `json:"error"`
		Fails []int  `json:"fails,omitempty"` // the equations, of a ballot that decodes
	}
	vectorChallenge struct {
		Style      uint32   `json:"style"`
		RollIndex  uint64   `json:"roll_index"`
		Voter      hexBytes `json:"voter"`
		Sequence   uint64   `json:"sequence"`
		Code       hexBytes `json:"code"`
		C0         hexBytes `json:"c0"`
		Signature  hexBytes `json:"signature"`
		Randomness hexBytes `json:"randomness"`
		Selections [][]int  `json:"selections"`
	}
	vectorTally struct {
		Name    string   `json:"name"`
		Ballots []int    `json:"ballots"` // of "valid"
		Contest []int    `json:"contest"` // position of the contest in each one's style
		Slot    int      `json:"first_slot"`
		Sum     hexBytes `json:"sum"`
		Votes   []uint64 `json:"votes"`
	}
	vectorBadCode struct {
		Text   string `json:"text"`
		Reason string `json:"reason"`
	}
	vectorDerivation struct {
		Stream  hexBytes   `json:"stream"`  // first 128 bytes of SHAKE256 for the first valid ballot
		Scalars []hexBytes `json:"scalars"` // r, rA
	}
)

// stream is a source that gives the same bytes in every run: SHAKE256 of a name.
func stream(name string) *sha3.SHAKE {
	s := sha3.NewSHAKE256()
	s.Write([]byte("votenode test vectors: " + name))
	return s
}

func streamKey(t fataler, name string) *SecretKey {
	key, err := GenerateKey(stream(name))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// vectorParameters are the same in every run: 12 slots and three styles, of which the second has its contests against the order
// of the slots and the third is the longest form of a short contest.
func vectorParameters(t fataler) (Parameters, []*scalar.Scalar) {
	national := Contest{FirstSlot: 5, Options: 3, Min: 0, Max: 1}
	p := Parameters{
		Chain: "votenode-vectors", Election: "primary-2026",
		Styles: []Style{
			{[]Contest{national}},
			{[]Contest{national, {FirstSlot: 0, Options: 5, Min: 1, Max: 3}}},
			{[]Contest{{FirstSlot: 8, Options: 1, Min: 1, Max: 1}, {FirstSlot: 9, Options: 3, Min: 0, Max: 3}}},
		},
	}
	stream("manifest").Read(p.Manifest[:])
	stream("roll root").Read(p.RollRoot[:])
	stream("key digest").Read(p.KeyDigest[:])
	var secrets []*scalar.Scalar
	keys := stream("keys")
	for range 12 {
		key, err := GenerateKey(keys)
		if err != nil {
			t.Fatal(err)
		}
		secrets, p.Keys = append(secrets, key.v), append(p.Keys, key.public.point)
	}
	return p, secrets
}

func makeVectors(t *testing.T) *vectorFile {
	p, secrets := vectorParameters(t)
	e := newElection(t, p)
	v := &vectorFile{
		Comment: "docs/spec/03-ballot.md, section 3.15, and 15-registrars.md; written by go test ./crypto/ballot -run TestVectors -update",
		Election: vectorElection{
			Chain: p.Chain, Election: p.Election, Manifest: p.Manifest[:], RollRoot: p.RollRoot[:], KeyDigest: p.KeyDigest[:],
		},
	}
	for i, s := range secrets {
		v.Election.Secrets = append(v.Election.Secrets, group.ScalarBytes(s))
		v.Election.Keys = append(v.Election.Keys, group.PointBytes(p.Keys[i]))
	}
	for _, s := range p.Styles {
		var contests []vectorContest
		for _, c := range s.Contests {
			contests = append(contests, vectorContest(c))
		}
		v.Election.Styles = append(v.Election.Styles, contests)
	}
	for _, g := range append([]*curve.RistrettoPoint{e.h}, e.k...) {
		v.Generators = append(v.Generators, group.PointBytes(g))
	}
	for _, c := range []struct {
		name       string
		style      uint32
		selections [][]int
	}{
		{"one of three", 0, [][]int{{1}}},
		{"blank", 0, [][]int{{}}},
		{"two contests", 1, [][]int{{2}, {0, 4}}},
		{"two contests, all selections", 1, [][]int{{0}, {1, 2, 3}}},
		{"forced and free", 2, [][]int{{0}, {}}},
		{"everything", 2, [][]int{{0}, {0, 1, 2}}},
	} {
		v.Valid = append(v.Valid, makeBallot(t, p, e, len(v.Valid), c.name, c.style, c.selections))
	}
	v.Derivation = makeDerivation(p, v.Valid[0])
	makeInvalid(t, e, v)
	makeChallenge(t, e, v)
	makeTallies(t, e, v)
	makeVoterVectors(t, v)
	v.Codes = []vectorBadCode{
		{v.Valid[0].CodeText[:len(v.Valid[0].CodeText)-1] + "q", "checksum"},
		{v.Valid[0].CodeText[:len(v.Valid[0].CodeText)-1], "length"},
		{"C" + v.Valid[0].CodeText[1:], "mixed case"},
		{encodeBech32m("node", v.Valid[0].Code), "prefix"},
		{encodeBech32m("code", v.Valid[0].Code[:31]), "31 bytes"},
	}
	return v
}

func makeBallot(t *testing.T, p Parameters, e *Election, i int, name string, style uint32, selections [][]int) vectorBallot {
	key := streamKey(t, "voter of "+name)
	fresh := make([]byte, 64)
	stream("fresh bytes of " + name).Read(fresh)
	a := vectorArrived{Name: name, Style: style, RollIndex: uint64(1000 + i), Voter: key.Public().Bytes(), Sequence: uint64(i + 1)}
	d, err := e.Encrypt(Statement{a.Style, a.RollIndex, key.Public(), a.Sequence}, selections, key, bytes.NewReader(fresh))
	if err != nil {
		t.Fatal(err)
	}
	ciphertext, proof, signature, err := d.Cast()
	if err != nil {
		t.Fatal(err)
	}
	a.Ciphertext, a.Proof, a.Signature = ciphertext, proof, signature
	b := parse(t, e, arrived{d.statement, a.Ciphertext, a.Proof, a.Signature})
	code := b.Code()
	return vectorBallot{
		vectorArrived: a, Secret: key.Bytes(), Fresh: fresh, Selections: selections, Transcript: rawTranscript(p, a),
		Rho: group.ScalarBytes(b.rho), X: group.ScalarBytes(b.x), E: group.ScalarBytes(b.e), Code: code[:], CodeText: FormatCode(code),
	}
}

// rawTranscript writes out the bytes that are hashed for e, item by item as in section 3.5 and without crypto/transcript.
func rawTranscript(p Parameters, a vectorArrived) []byte {
	var out []byte
	frame := func(b []byte) { out = append(binary.BigEndian.AppendUint64(out, uint64(len(b))), b...) }
	number := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	item := func(name string, data []byte) { frame([]byte(name)); frame(data) }
	challenge := func(name string) { frame([]byte(name)); h := sha512.Sum512(out); frame(h[:]) }
	frame([]byte("votenode/v1/ballot"))
	item("version", number(1))
	item("chain", []byte(p.Chain))
	item("election", []byte(p.Election))
	item("manifest", p.Manifest[:])
	item("roll-root", p.RollRoot[:])
	item("key-digest", p.KeyDigest[:])
	item("style", number(uint64(a.Style)))
	item("roll-index", number(a.RollIndex))
	item("voter", a.Voter)
	item("sequence", number(a.Sequence))
	item("ciphertext", a.Ciphertext)
	item("commitments", a.Proof[:128])
	challenge("rho")
	item("openings", a.Proof[128:192])
	challenge("x")
	item("responses", a.Proof[192:])
	item("nonce", a.Signature[:32])
	frame([]byte("signature"))
	return out
}

// makeDerivation writes out section 3.10 for one ballot without the code of the prover.
func makeDerivation(p Parameters, b vectorBallot) vectorDerivation {
	raw := b.Transcript
	context := raw[:bytes.Index(raw, append(binary.BigEndian.AppendUint64(nil, 10), "ciphertext"...))]
	context = append(bytes.Clone(context), binary.BigEndian.AppendUint64(nil, 10)...)
	digest := sha512.Sum512(append(context, "randomness"...))
	var input []byte
	for _, item := range [][]byte{
		[]byte("votenode/v1/ballot-randomness"), b.Fresh, b.Secret, digest[:],
		{0, 1, 0, 0}, // option 1 of three selected, the dummy not
	} {
		input = append(binary.BigEndian.AppendUint64(input, uint64(len(item))), item...)
	}
	d := vectorDerivation{Stream: sha3.SumSHAKE256(input, 128)}
	for i := 0; i < len(d.Stream); i += 64 {
		d.Scalars = append(d.Scalars, group.ScalarBytes(group.ReduceScalar([64]byte(d.Stream[i:i+64]))))
	}
	return d
}

// makeInvalid tampers with the third valid ballot, which has two contests.
func makeInvalid(t *testing.T, e *Election, v *vectorFile) {
	add := func(name, fault string, change func(a *vectorArrived)) {
		a := v.Valid[2].vectorArrived
		a.Name, a.Ciphertext, a.Proof, a.Signature = name, bytes.Clone(a.Ciphertext), bytes.Clone(a.Proof), bytes.Clone(a.Signature)
		change(&a)
		made := vectorInvalid{vectorArrived: a, Error: fault}
		in := a.arrived(t)
		if b, err := e.ParseBallot(in.st, in.ciphertext, in.proof, in.signature); err == nil {
			made.Fails = failing(e, b)
		}
		v.Invalid = append(v.Invalid, made)
	}
	order, err := hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	if err != nil {
		t.Fatal(err)
	}
	add("ciphertext a byte short", "length", func(a *vectorArrived) { a.Ciphertext = a.Ciphertext[1:] })
	add("proof an element long", "length", func(a *vectorArrived) { a.Proof = append(a.Proof, a.Proof[:32]...) })
	add("signature absent", "length", func(a *vectorArrived) { a.Signature = nil })
	add("another style", "length", func(a *vectorArrived) { a.Style = 0 })
	add("no such style", "style", func(a *vectorArrived) { a.Style = 3 })
	add("C_0 is the identity", "identity", func(a *vectorArrived) { clear(a.Ciphertext[:32]) })
	add("A is the identity", "identity", func(a *vectorArrived) { clear(a.Proof[:32]) })
	add("T1 is the identity", "identity", func(a *vectorArrived) { clear(a.Proof[160:192]) })
	add("R is the identity", "identity", func(a *vectorArrived) { clear(a.Signature[:32]) })
	add("C_1 is negative", "point", func(a *vectorArrived) { clear(a.Ciphertext[32:64]); a.Ciphertext[32] = 1 })
	add("B is above the field", "point", func(a *vectorArrived) { copy(a.Proof[32:64], bytes.Repeat([]byte{0xff}, 32)) })
	add("the first f is the group order", "scalar", func(a *vectorArrived) { copy(a.Proof[192:224], order) })
	add("zr is the group order", "scalar", func(a *vectorArrived) { copy(a.Proof[len(a.Proof)-32:], order) })
	add("s is the group order", "scalar", func(a *vectorArrived) { copy(a.Signature[32:], order) })
	add("another roll index", "signature", func(a *vectorArrived) { a.RollIndex++ })
	add("another voter", "signature", func(a *vectorArrived) { a.Voter = v.Valid[0].Voter })
	add("another sequence number", "signature", func(a *vectorArrived) { a.Sequence++ })
	add("C_1 and C_2 exchanged", "signature", func(a *vectorArrived) {
		copy(a.Ciphertext[32:], v.Valid[2].Ciphertext[64:96])
		copy(a.Ciphertext[64:], v.Valid[2].Ciphertext[32:64])
	})
	add("equation 5 alone: s + 1", "signature", func(a *vectorArrived) {
		s, err := group.ParseScalar(a.Signature[32:])
		if err != nil {
			t.Fatal(err)
		}
		copy(a.Signature[32:], group.ScalarBytes(s.Add(s, scalar.One())))
	})
	add("another ballot's signature", "signature", func(a *vectorArrived) { a.Signature = v.Valid[3].Signature })

	key, err := ParseSecretKey(v.Valid[2].Secret)
	if err != nil {
		t.Fatal(err)
	}
	random := stream("invalid ballots")
	for _, c := range []struct {
		name   string
		change func(*forger)
	}{
		{"equations 1 and 2: an over-vote", func(f *forger) { f.b[0], f.v[0] = scalar.One(), scalar.One() }},
		{"equation 2: a selection of 2", func(f *forger) {
			f.b[4], f.v[3] = scalar.NewFromUint64(2), scalar.NewFromUint64(2)
			f.b[8], f.v[7] = scalar.New(), scalar.New()
		}},
		{"equations 3 and 4: zr + 1", func(f *forger) {
			f.after = func(_ *forger, p *forged) { p.zR = scalar.New().Add(p.zR, scalar.One()) }
		}},
		{"equation 4: another option encrypted", func(f *forger) { f.v[0], f.v[2] = f.v[2], f.v[0] }},
		{"equation 1 alone: zA + 1", func(f *forger) {
			f.after = func(_ *forger, p *forged) { p.zA = scalar.New().Add(p.zA, scalar.One()) }
		}},
		{"equation 2 alone: zC + 1", func(f *forger) {
			f.after = func(_ *forger, p *forged) { p.zC = scalar.New().Add(p.zC, scalar.One()) }
		}},
		{"equation 3 alone: T0 + G", func(f *forger) {
			f.opened = func(_ *forger, p *forged) { p.t0.Add(p.t0, curve.RISTRETTO_BASEPOINT_POINT) }
		}},
		{"equation 4 alone: T1 + G", func(f *forger) {
			f.opened = func(_ *forger, p *forged) { p.t1.Add(p.t1, curve.RISTRETTO_BASEPOINT_POINT) }
		}},
	} {
		add(c.name, "proof", func(a *vectorArrived) {
			st := Statement{a.Style, a.RollIndex, key.Public(), a.Sequence}
			f := newForger(t, e, st, key, v.Valid[2].Selections, random)
			c.change(f)
			made := f.forge(t)
			a.Ciphertext, a.Proof, a.Signature = made.ciphertext, made.proof, made.signature
		})
	}
}

// failing lists the equations that a ballot fails, one by one.
func failing(e *Election, b *EncryptedBallot) (list []int) {
	for i, equation := range e.equations(b) {
		if !vanishes(equation) {
			list = append(list, i+1)
		}
	}
	if VerifySignature(b) != nil {
		list = append(list, 5)
	}
	return list
}

func makeChallenge(t *testing.T, e *Election, v *vectorFile) {
	key := streamKey(t, "challenger")
	st := Statement{Style: 1, RollIndex: 77, Voter: key.Public(), Sequence: 12}
	d, err := e.Encrypt(st, [][]int{{0}, {3}}, key, stream("challenged ballot"))
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spoil()
	signature, err := SignSpoil(s, key, stream("spoiling signature"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := d.Challenge()
	if err != nil {
		t.Fatal(err)
	}
	v.Challenge = vectorChallenge{
		st.Style, s.RollIndex, s.Voter.Bytes(), s.Sequence, s.Code[:], s.C0[:], signature, o.Randomness[:], o.Selections,
	}
}

func makeTallies(t *testing.T, e *Election, v *vectorFile) {
	for _, c := range []vectorTally{
		{Name: "contest on slots 5 to 7", Ballots: []int{0, 1, 2, 3}, Contest: []int{0, 0, 0, 0}, Slot: 5, Votes: []uint64{1, 1, 1}},
		{Name: "contest on slots 0 to 4", Ballots: []int{2, 3}, Contest: []int{1, 1}, Slot: 0, Votes: []uint64{1, 1, 1, 1, 1}},
		{Name: "contest on slots 9 to 11", Ballots: []int{4, 5}, Contest: []int{1, 1}, Slot: 9, Votes: []uint64{1, 1, 1}},
		{Name: "no ballot", Slot: 9, Votes: []uint64{0, 0, 0}},
	} {
		sum := NewEncryptedTally(len(c.Votes))
		for i, ballot := range c.Ballots {
			b := v.Valid[ballot]
			ct, err := e.ParseCiphertext(b.Style, b.Ciphertext)
			if err != nil {
				t.Fatal(err)
			}
			if err := sum.Add(ct, c.Contest[i]); err != nil {
				t.Fatal(err)
			}
		}
		c.Sum = sum.Bytes()
		v.Tallies = append(v.Tallies, c)
	}
}
