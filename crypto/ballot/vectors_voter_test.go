package ballot

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
)

// The vectors of sections 3.16, 15.4 and 15.6, for the election of the other vectors.
type (
	// vectorSignature is a Schnorr signature. Secret, Fresh and what follows are there where it holds.
	vectorSignature struct {
		Name       string   `json:"name"`
		Voter      hexBytes `json:"voter"`
		Signature  hexBytes `json:"signature"`
		Secret     hexBytes `json:"secret,omitempty"`     // v
		Fresh      hexBytes `json:"fresh,omitempty"`      // 64 bytes
		K          hexBytes `json:"k,omitempty"`          // of R = kG
		Transcript hexBytes `json:"transcript,omitempty"` // all bytes hashed for e
		E          hexBytes `json:"e,omitempty"`
		Error      string   `json:"error,omitempty"`
	}
	// vectorSigned is a transaction that a voter signs. Section 3.16.
	vectorSigned struct {
		vectorSignature
		RollIndex uint64   `json:"roll_index"`
		Kind      uint32   `json:"kind"`
		Body      hexBytes `json:"body"`
	}
	// vectorHalves is the proof that a registrar knows its halves. Section 15.4.
	vectorHalves struct {
		Name         string     `json:"name"`
		Organisation string     `json:"organisation"`
		Round        uint32     `json:"round"`
		Files        []hexBytes `json:"files"`
		Halves       []hexBytes `json:"halves"` // V_o
		Proof        hexBytes   `json:"proof"`
		Secrets      []hexBytes `json:"secrets,omitempty"` // v_o
		Texts        []string   `json:"texts,omitempty"`   // as members get them
		Fresh        hexBytes   `json:"fresh,omitempty"`
		Lambda       hexBytes   `json:"lambda,omitempty"`
		W            hexBytes   `json:"W,omitempty"`
		Y            hexBytes   `json:"y,omitempty"`
		K            hexBytes   `json:"k,omitempty"`
		R            hexBytes   `json:"R,omitempty"`
		Transcript   hexBytes   `json:"transcript,omitempty"` // all bytes hashed for c
		Error        string     `json:"error,omitempty"`
	}
	// vectorJoined is a voting key and what it is joined of. Section 15.1.
	vectorJoined struct {
		Halves []hexBytes `json:"halves"` // v_o of each organisation, and
		Public []hexBytes `json:"public"` // V_o
		Secret hexBytes   `json:"secret"`
		Voter  hexBytes   `json:"voter"`
	}
)

func (s vectorSigned) statement(t fataler, v *vectorFile) Signed {
	return Signed{Chain: v.Election.Chain, Election: v.Election.Election, RollIndex: s.RollIndex, Voter: voterOf(t, s.Voter), Kind: s.Kind, Body: s.Body}
}

func (s vectorSignature) application(t fataler, v *vectorFile) Application {
	return Application{Chain: v.Election.Chain, Election: v.Election.Election, Key: voterOf(t, s.Voter)}
}

func voterOf(t fataler, b []byte) PublicKey {
	voter, err := ParsePublicKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return voter
}

func (h vectorHalves) statement(v *vectorFile) *Halves {
	out := &Halves{Chain: v.Election.Chain, Election: v.Election.Election, Organisation: h.Organisation, Round: h.Round, Public: joined(h.Halves)}
	for _, f := range h.Files {
		out.Files = append(out.Files, [32]byte(f))
	}
	return out
}

func joined(list []hexBytes) (all []byte) {
	for _, b := range list {
		all = append(all, b...)
	}
	return all
}

// shown completes a signature that the package made with what leads to it, written out by the spec: w is the transcript before the nonce.
func shown(s vectorSignature, w written) vectorSignature {
	hedged := bytes.Clone(w)
	statement := (*written)(&hedged).challenge("randomness")
	s.K = group.ScalarBytes(streamed("votenode/v1/ballot-randomness", []byte(s.Fresh), []byte(s.Secret), statement[:], ""))
	w.items("nonce", []byte(s.Signature[:32]))
	hashed := bytes.Clone(w)
	(*written)(&hashed).items("signature")
	s.Transcript = hashed
	s.E = group.ScalarBytes(group.ReduceScalar(w.challenge("signature")))
	return s
}

func makeVoterVectors(t *testing.T, v *vectorFile) {
	chain, election := v.Election.Chain, v.Election.Election
	fresh := func(name string) hexBytes {
		b := make([]byte, 64)
		stream("fresh bytes of " + name).Read(b)
		return b
	}
	sign := func(name string, signer *SecretKey, sign func(fresh []byte) ([]byte, error)) vectorSignature {
		s := vectorSignature{Name: name, Voter: signer.Public().Bytes(), Secret: signer.Bytes(), Fresh: fresh(name)}
		signature, err := sign(s.Fresh)
		if err != nil {
			t.Fatal(err)
		}
		s.Signature = signature
		return s
	}
	for i, c := range []struct {
		name string
		kind uint32
		body string
	}{{"a choice", 21, "body of a choice"}, {"a comment", 24, "body of a comment"}, {"an empty body", 23, ""}} {
		key, s := streamKey(t, "voter of "+c.name), vectorSigned{RollIndex: uint64(2_000 + i), Kind: c.kind, Body: hexBytes(c.body)}
		s.Voter = key.Public().Bytes()
		s.vectorSignature = sign(c.name, key, func(fresh []byte) ([]byte, error) { return s.statement(t, v).Sign(key, bytes.NewReader(fresh)) })
		var w written
		w.items("votenode/v1/voter-transaction", "version", uint64(1), "chain", chain, "election", election, "roll-index", s.RollIndex,
			"voter", []byte(s.Voter), "kind", uint64(s.Kind), "body", []byte(s.Body))
		s.vectorSignature = shown(s.vectorSignature, w)
		v.Signed = append(v.Signed, s)
	}
	key := streamKey(t, "member with a key of its own")
	s := vectorSignature{Voter: key.Public().Bytes()}
	s = sign("an application", key, func(fresh []byte) ([]byte, error) { return s.application(t, v).Sign(key, bytes.NewReader(fresh)) })
	var w written
	w.items("votenode/v1/key-application", "version", uint64(1), "chain", chain, "election", election, "voter", []byte(s.Voter))
	v.Applications = append(v.Applications, shown(s, w))

	files := []hexBytes{make([]byte, 32), make([]byte, 32)}
	stream("half-key file of the league").Read(files[0])
	stream("half-key file of the party").Read(files[1])
	for _, organisation := range []string{"league", "party"} {
		h := vectorHalves{Name: "three halves of the " + organisation, Organisation: organisation, Round: 2, Files: files, Fresh: fresh(organisation)}
		keys := stream("halves of the " + organisation)
		for range 3 {
			key, err := GenerateKey(keys)
			if err != nil {
				t.Fatal(err)
			}
			h.Secrets, h.Halves, h.Texts = append(h.Secrets, key.Bytes()), append(h.Halves, key.Public().Bytes()), append(h.Texts, FormatHalf(key))
		}
		proof, err := h.statement(v).Prove(joined(h.Secrets), bytes.NewReader(h.Fresh))
		if err != nil {
			t.Fatal(err)
		}
		h.Proof = proof
		v.Halves = append(v.Halves, shownHalves(t, v, h))
	}
	for i := range 3 {
		j := vectorJoined{Halves: []hexBytes{v.Halves[0].Secrets[i], v.Halves[1].Secrets[i]}, Public: []hexBytes{v.Halves[0].Halves[i], v.Halves[1].Halves[i]}}
		sum := scalar.New().Add(scalarIn(t, j.Halves[0]), scalarIn(t, j.Halves[1]))
		j.Secret = group.ScalarBytes(sum)
		j.Voter = group.PointBytes(curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, sum))
		v.Joined = append(v.Joined, j)
	}
	makeInvalidVoterVectors(t, v)
}

// shownHalves completes a proof with what leads to it, written out by section 15.4.
func shownHalves(t *testing.T, v *vectorFile, h vectorHalves) vectorHalves {
	var w written
	w.items("votenode/v1/half-possession", "version", uint64(1), "chain", v.Election.Chain, "election", v.Election.Election,
		"organisation", h.Organisation, "round", uint64(h.Round), "files", joined(h.Files), "halves", joined(h.Halves))
	lambda := group.ReduceScalar(w.challenge("lambda"))
	weight, y, sum := scalar.One(), scalar.New(), curve.NewRistrettoPoint()
	for j := range h.Secrets {
		weight = scalar.New().Mul(weight, lambda)
		y.Add(y, scalar.New().Mul(weight, scalarIn(t, h.Secrets[j])))
		sum.Add(sum, curve.NewRistrettoPoint().Mul(mustPoint(t, h.Halves[j]), weight))
	}
	hedged := bytes.Clone(w)
	statement := (*written)(&hedged).challenge("randomness")
	k := streamed("votenode/v1/half-randomness", []byte(h.Fresh), group.ScalarBytes(y), statement[:])
	h.Lambda, h.Y, h.W, h.K = group.ScalarBytes(lambda), group.ScalarBytes(y), group.PointBytes(sum), group.ScalarBytes(k)
	h.R = group.PointBytes(curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, k))
	w.items("R", []byte(h.R), "c")
	h.Transcript = hexBytes(w)
	return h
}

func scalarIn(t fataler, b []byte) *scalar.Scalar {
	s, err := group.ParseScalar(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// makeInvalidVoterVectors changes one thing at a time of what holds.
func makeInvalidVoterVectors(t *testing.T, v *vectorFile) {
	bare := func(s vectorSignature, name, fault string) vectorSignature {
		return vectorSignature{Name: name, Voter: s.Voter, Signature: bytes.Clone(s.Signature), Error: fault}
	}
	one := func(b []byte) []byte { return group.ScalarBytes(scalar.New().Add(scalarIn(t, b), scalar.One())) }
	order := slices.Concat([]byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14}, make([]byte, 15), []byte{0x10})
	signed := func(name, fault string, change func(s *vectorSigned)) {
		s := v.Signed[0]
		s.vectorSignature, s.Body = bare(s.vectorSignature, name, fault), bytes.Clone(s.Body)
		change(&s)
		v.InvalidSigned = append(v.InvalidSigned, s)
	}
	signed("another kind", "signature", func(s *vectorSigned) { s.Kind++ })
	signed("another roll index", "signature", func(s *vectorSigned) { s.RollIndex++ })
	signed("another body", "signature", func(s *vectorSigned) { s.Body[0] ^= 1 })
	signed("another voter", "signature", func(s *vectorSigned) { s.Voter = v.Signed[1].Voter })
	signed("s + 1", "signature", func(s *vectorSigned) { copy(s.Signature[32:], one(s.Signature[32:])) })
	signed("the signature of an application", "signature", func(s *vectorSigned) { s.Voter, s.Signature = v.Applications[0].Voter, v.Applications[0].Signature })
	signed("R is the identity", "identity", func(s *vectorSigned) { clear(s.Signature[:32]) })
	signed("s is the group order", "scalar", func(s *vectorSigned) { copy(s.Signature[32:], order) })
	signed("a byte short", "length", func(s *vectorSigned) { s.Signature = s.Signature[1:] })

	application := bare(v.Applications[0], "s + 1", "signature")
	copy(application.Signature[32:], one(application.Signature[32:]))
	other := bare(v.Applications[0], "another's key", "signature")
	other.Voter = v.Signed[0].Voter
	transaction := bare(v.Signed[0].vectorSignature, "the signature of a transaction", "signature")
	v.InvalidApplications = []vectorSignature{application, other, transaction}

	halves := func(name, fault string, change func(h *vectorHalves)) {
		h := v.Halves[1]
		h = vectorHalves{
			Name: name, Organisation: h.Organisation, Round: h.Round, Files: slices.Clone(h.Files), Halves: slices.Clone(h.Halves), Proof: bytes.Clone(h.Proof), Error: fault,
		}
		change(&h)
		v.InvalidHalves = append(v.InvalidHalves, h)
	}
	league := v.Halves[0]
	halves("another organisation", "proof", func(h *vectorHalves) { h.Organisation = "league" })
	halves("another round", "proof", func(h *vectorHalves) { h.Round++ })
	halves("files in another order", "proof", func(h *vectorHalves) { slices.Reverse(h.Files) })
	halves("halves in another order", "proof", func(h *vectorHalves) { slices.Reverse(h.Halves) })
	halves("the other's half", "proof", func(h *vectorHalves) { h.Halves[0] = league.Halves[0] })
	halves("the other's proof", "proof", func(h *vectorHalves) { h.Proof = league.Proof })
	halves("a half that cancels the other's, with a known sum", "proof", func(h *vectorHalves) {
		h.Halves[0] = group.PointBytes(curve.NewRistrettoPoint().Sub(mustPoint(t, h.Halves[0]), mustPoint(t, league.Halves[0])))
	})
	halves("s + 1", "proof", func(h *vectorHalves) { copy(h.Proof[32:], one(h.Proof[32:])) })
	halves("c is the group order", "scalar", func(h *vectorHalves) { copy(h.Proof, order) })
	halves("a half is the identity", "identity", func(h *vectorHalves) { h.Halves[0] = make([]byte, 32) })
	halves("a byte short", "length", func(h *vectorHalves) { h.Proof = h.Proof[1:] })
}

// TestVoterVectors: the package accepts what the vectors call good, refuses the rest for the reason that they give, and the values between
// are those of the transcripts.
func TestVoterVectors(t *testing.T) {
	faults := map[string]error{"": nil, "length": ErrLength, "identity": group.ErrIdentity, "scalar": group.ErrScalar, "signature": ErrSignature, "proof": ErrHalfProof}
	v, _ := readVectors(t)
	expect := func(name, fault string, err error) {
		if want, known := faults[fault]; !known || !errors.Is(err, want) {
			t.Errorf("%s: %v, want %q", name, err, fault)
		}
	}
	for _, s := range slices.Concat(v.Signed, v.InvalidSigned) {
		expect(s.Name, s.Error, s.statement(t, v).Verify(s.Signature))
	}
	for _, s := range slices.Concat(v.Applications, v.InvalidApplications) {
		expect(s.Name, s.Error, s.application(t, v).Verify(s.Signature))
	}
	for _, h := range slices.Concat(v.Halves, v.InvalidHalves) {
		expect(h.Name, h.Error, h.statement(v).Verify(h.Proof, nil))
		for i, text := range h.Texts {
			if half, err := ParseHalf(text); err != nil || !bytes.Equal(half.Bytes(), h.Secrets[i]) {
				t.Errorf("%s: text %d: %v", h.Name, i, err)
			}
		}
	}
	for i, j := range v.Joined {
		var halves []*SecretKey
		for _, b := range j.Halves {
			half, err := ParseSecretKey(b)
			if err != nil {
				t.Fatal(err)
			}
			halves = append(halves, half)
		}
		key, err := JoinHalves(halves)
		if err != nil || !bytes.Equal(key.Bytes(), j.Secret) || !bytes.Equal(key.Public().Bytes(), j.Voter) {
			t.Errorf("key %d: %v", i, err)
		}
		if voter, err := SumHalves([][]byte{j.Public[0], j.Public[1]}); err != nil || !bytes.Equal(voter, j.Voter) {
			t.Errorf("public key %d: %v", i, err)
		}
	}
	if len(v.Signed) != 3 || len(v.Applications) != 1 || len(v.Halves) != 2 || len(v.Joined) != 3 {
		t.Error("vectors are missing")
	}
}
