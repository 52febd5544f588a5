package ballot

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/crypto/group"
)

var vectorsPath = filepath.Join("testdata", "ballot.json")

// TestVectors makes the vectors anew and compares them with the file; -update writes the file.
func TestVectors(t *testing.T) {
	made, err := json.MarshalIndent(makeVectors(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if *update {
		if err := os.WriteFile(vectorsPath, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(vectorsPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, stored) {
		t.Error("testdata/ballot.json differs from what the code makes; if that is meant, run with -update")
	}
}

func readVectors(t testing.TB) (*vectorFile, *Election) {
	stored, err := os.ReadFile(vectorsPath)
	if err != nil {
		t.Fatal(err)
	}
	v := new(vectorFile)
	if err := json.Unmarshal(stored, v); err != nil {
		t.Fatal(err)
	}
	p := Parameters{
		Chain: v.Election.Chain, Election: v.Election.Election, Manifest: [32]byte(v.Election.Manifest),
		RollRoot: [32]byte(v.Election.RollRoot), KeyDigest: [32]byte(v.Election.KeyDigest),
	}
	for _, key := range v.Election.Keys {
		point, err := group.ParsePoint(key)
		if err != nil {
			t.Fatal(err)
		}
		p.Keys = append(p.Keys, point)
	}
	for _, contests := range v.Election.Styles {
		var s Style
		for _, c := range contests {
			s.Contests = append(s.Contests, Contest(c))
		}
		p.Styles = append(p.Styles, s)
	}
	return v, newElection(t, p)
}

func (a vectorArrived) arrived(t fataler) arrived {
	voter, err := ParsePublicKey(a.Voter)
	if err != nil {
		t.Fatal(err)
	}
	return arrived{Statement{a.Style, a.RollIndex, voter, a.Sequence}, a.Ciphertext, a.Proof, a.Signature}
}

func TestValidVectors(t *testing.T) {
	v, e := readVectors(t)
	for _, c := range v.Valid {
		a := c.arrived(t)
		if err := check(t, e, a); err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		b := parse(t, e, a)
		for name, pair := range map[string][2][]byte{
			"rho": {group.ScalarBytes(b.rho), c.Rho}, "x": {group.ScalarBytes(b.x), c.X}, "e": {group.ScalarBytes(b.e), c.E},
		} {
			if !bytes.Equal(pair[0], pair[1]) {
				t.Errorf("%s: %s = %x, want %x", c.Name, name, pair[0], pair[1])
			}
		}
		if h := sha512.Sum512(c.Transcript); !bytes.Equal(group.ScalarBytes(group.ReduceScalar(h)), c.E) {
			t.Errorf("%s: e is not the hash of the transcript", c.Name)
		}
		if code, err := ParseCode(c.CodeText); err != nil || b.Code() != code || !bytes.Equal(code[:], c.Code) {
			t.Errorf("%s: code %x, %v", c.Name, code, err)
		}
		key, err := ParseSecretKey(c.Secret)
		if err != nil || !key.owns(a.st.Voter) {
			t.Errorf("%s: secret key, %v", c.Name, err)
		}
	}
	for i, g := range v.Generators {
		if !bytes.Equal(group.PointBytes(e.generator(i)), g) {
			t.Errorf("generator %d is not %x", i, g)
		}
	}
	first := v.Valid[0]
	key, err := ParseSecretKey(first.Secret)
	if err != nil {
		t.Fatal(err)
	}
	d, err := e.Encrypt(first.arrived(t).st, first.Selections, key, bytes.NewReader(first.Fresh))
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []*scalar.Scalar{d.r, d.nonces.next()} {
		if want := v.Derivation.Scalars[i]; !bytes.Equal(group.ScalarBytes(s), want) {
			t.Errorf("derived scalar %d is %x, want %x", i, group.ScalarBytes(s), want)
		}
	}
}

func TestInvalidVectors(t *testing.T) {
	faults := map[string]error{
		"length": ErrLength, "style": ErrStyle, "identity": group.ErrIdentity, "point": group.ErrPoint, "scalar": group.ErrScalar,
		"signature": ErrSignature, "proof": ErrProof,
	}
	v, e := readVectors(t)
	alone := make(map[int]bool)
	for _, c := range v.Invalid {
		want, ok := faults[c.Error]
		if err := check(t, e, c.arrived(t)); !ok || !errors.Is(err, want) {
			t.Errorf("%s: %v, want %s", c.Name, err, c.Error)
		}
		if len(c.Fails) == 1 {
			alone[c.Fails[0]] = true
		}
	}
	if len(alone) != 5 {
		t.Errorf("of the five equations only these fail alone: %v", alone)
	}
	for _, c := range v.Codes {
		if _, err := ParseCode(c.Text); !errors.Is(err, ErrCode) {
			t.Errorf("%s: %q passes", c.Reason, c.Text)
		}
	}
}

func TestChallengeAndTallyVectors(t *testing.T) {
	v, e := readVectors(t)
	c := v.Challenge
	voter, err := ParsePublicKey(c.Voter)
	if err != nil {
		t.Fatal(err)
	}
	s := Spoil{e.chain, e.election, c.RollIndex, voter, c.Sequence, [32]byte(c.Code), [32]byte(c.C0)}
	if err := VerifySpoil(s, c.Signature); err != nil {
		t.Errorf("spoil: %v", err)
	}
	if err := e.CheckOpening(c.Style, s, Opening{[32]byte(c.Randomness), c.Selections}); err != nil {
		t.Errorf("opening: %v", err)
	}
	for _, c := range v.Tallies {
		sum, err := ParseTally(len(c.Votes), c.Sum)
		if err != nil || sum.Count != uint64(len(c.Ballots)) {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		var secrets []*scalar.Scalar
		for _, b := range v.Election.Secrets[c.Slot:] {
			secret, err := group.ParseScalar(b)
			if err != nil {
				t.Fatal(err)
			}
			secrets = append(secrets, secret)
		}
		checkTally(t, sum, secrets, c.Votes)
	}
}

// TestSecondImplementation lets testdata/check.py, which shares nothing with this package but the spec, check the vectors.
func TestSecondImplementation(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	if out, err := exec.Command(python, filepath.Join("testdata", "check.py")).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestVectorBatch puts valid and invalid vectors that parse into one batch.
func TestVectorBatch(t *testing.T) {
	v, e := readVectors(t)
	var batch []*EncryptedBallot
	bad := make(map[int]bool)
	for _, c := range v.Invalid {
		a := c.arrived(t)
		if b, err := e.ParseBallot(a.st, a.ciphertext, a.proof, a.signature); err == nil {
			bad[len(batch)] = true
			batch = append(batch, b)
		}
	}
	for _, c := range v.Valid {
		batch = append(batch, parse(t, e, c.arrived(t)))
	}
	if faults, err := e.VerifyBatch(batch, rand.Reader); err != nil || len(bad) == 0 {
		t.Error(faults, err)
	}
	agree(t, e, batch, bad)
}
