package keyfile

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

func generate(t *testing.T, role Role) *Key {
	t.Helper()
	k, err := Generate(role, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRoundTrip(t *testing.T) {
	for _, role := range Roles {
		path := filepath.Join(t.TempDir(), "key.json")
		k := generate(t, role)
		if err := k.Write(path, ""); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("mode %v, %v", info.Mode(), err)
		}
		got, err := Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Role() != role || !bytes.Equal(got.Public(), k.Public()) || !bytes.Equal(got.secret, k.secret) {
			t.Fatalf("%s: another key came back", role)
		}
		public, err := func() ([]byte, error) { r, p, err := ReadPublic(path); _ = r; return p, err }()
		if err != nil || !bytes.Equal(public, k.Public()) {
			t.Fatalf("public key %x, %v", public, err)
		}
		if err := generate(t, role).Write(path, ""); !errors.Is(err, ErrExists) {
			t.Fatalf("overwritten: %v", err)
		}
	}
}

func TestNoTemporaryFileStays(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "key.json")
	for range 2 {
		generate(t, Officer).Write(path, "")
	}
	if err := Replace(path, []byte("state")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(directory)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
}

func TestPassphrase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.json")
	k := generate(t, Trustee)
	if err := k.Write(path, "correct horse"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(data), hex.EncodeToString(k.secret)) {
		t.Fatalf("the secret stands in the clear, %v", err)
	}
	if got, err := Load(path, give("correct horse")); err != nil || !bytes.Equal(got.secret, k.secret) {
		t.Fatalf("not opened: %v", err)
	}
	if _, err := Load(path, nil); !errors.Is(err, ErrPassphrase) {
		t.Errorf("no passphrase: %v", err)
	}
}

func give(s string) func() (string, error) { return func() (string, error) { return s, nil } }

// TestPassphraseAttacks works on a file of little scrypt work, to be quick.
func TestPassphraseAttacks(t *testing.T) {
	k := generate(t, Trustee)
	recipient, err := age.NewScryptRecipient("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	recipient.SetWorkFactor(10)
	seal := func(plaintext string) string {
		var out bytes.Buffer
		w, err := age.Encrypt(&out, recipient)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(plaintext))
		w.Close()
		data, err := json.Marshal(file{Version: 1, Role: Trustee, Public: hex.EncodeToString(k.public), Encrypted: out.Bytes()})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "key.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := seal(k.plaintext())
	if _, err := Load(path, give("correct horse")); err != nil {
		t.Fatal(err)
	}
	for name, passphrase := range map[string]string{"empty": "", "wrong": "battery staple"} {
		if _, err := Load(path, give(passphrase)); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s passphrase: %v", name, err)
		}
	}
	if _, err := Load(seal("trustee"), give("correct horse")); !errors.Is(err, ErrFormat) {
		t.Errorf("no secret inside: %v", err)
	}
	// The role stands under the passphrase, too: a file made to say another role does not open.
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(data, []byte(`"trustee"`), []byte(`"officer"`), 1)
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, give("correct horse")); !errors.Is(err, ErrFormat) {
		t.Errorf("role changed: %v", err)
	}
}

func TestRoles(t *testing.T) {
	for _, role := range Roles {
		k := generate(t, role)
		for _, other := range Roles {
			_, err := k.Ed25519(other)
			if want := role == other && role != Voter; (err == nil) != want {
				t.Errorf("%s used as %s: %v", role, other, err)
			}
		}
		if _, err := k.Voter(); (err == nil) != (role == Voter) {
			t.Errorf("%s used as voter: %v", role, err)
		}
	}
	if _, err := Generate("validator", rand.Reader); !errors.Is(err, ErrRole) {
		t.Errorf("unknown role: %v", err)
	}
	if _, err := Generate(Officer, bytes.NewReader(nil)); err == nil {
		t.Error("a key without randomness")
	}
}

func TestSigns(t *testing.T) {
	k := generate(t, Officer)
	private, err := k.Ed25519(Officer)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(k.Public(), []byte("m"), ed25519.Sign(private, []byte("m"))) {
		t.Fatal("the public key does not verify")
	}
}

func TestRefusesReadableFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.json")
	if err := generate(t, Officer).Write(path, ""); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path, nil); !errors.Is(err, ErrPermissions) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

// TestCreateOnce: the same bytes can be written again, other ones cannot, and nobody else may read them.
func TestCreateOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for range 2 {
		if err := CreateOnce(path, []byte("bytes")); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range []string{"", "byte", "bytez", "bytes and more"} {
		if err := CreateOnce(path, []byte(other)); !errors.Is(err, ErrExists) {
			t.Errorf("%q: %v", other, err)
		}
	}
	if data, err := ReadAtMost(path, 5); err != nil || string(data) != "bytes" {
		t.Errorf("%q: %v", data, err)
	}
	if data, err := ReadAtMost(path, 4); err == nil {
		t.Errorf("more than asked for: %q", data)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if err := CreateOnce(path, []byte("bytes")); !errors.Is(err, ErrPermissions) {
		t.Errorf("others may read it: %v", err)
	}
}

func TestRefusesDamagedFiles(t *testing.T) {
	k, other := generate(t, Officer), generate(t, Officer)
	good := map[string]any{"votenode_key": 1, "role": "officer", "public_key": hex.EncodeToString(k.public), "secret_key": hex.EncodeToString(k.secret)}
	write := func(change func(m map[string]any), tail string) string {
		m := map[string]any{}
		for key, value := range good {
			m[key] = value
		}
		change(m)
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "key.json")
		if err := os.WriteFile(path, append(data, tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := Load(write(func(map[string]any) {}, "\n"), nil); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(m map[string]any){
		"version":           func(m map[string]any) { m["votenode_key"] = 2 },
		"unknown field":     func(m map[string]any) { m["name"] = "x" },
		"no secret":         func(m map[string]any) { delete(m, "secret_key") },
		"two secrets":       func(m map[string]any) { m["encrypted_secret_key"] = []byte("x") },
		"short secret":      func(m map[string]any) { m["secret_key"] = "00" },
		"upper case":        func(m map[string]any) { m["public_key"] = strings.ToUpper(m["public_key"].(string)) + "A" },
		"another's public":  func(m map[string]any) { m["public_key"] = hex.EncodeToString(other.public) },
		"scalar too great":  func(m map[string]any) { m["role"] = "voter"; m["secret_key"] = strings.Repeat("ff", 32) },
		"scalar zero":       func(m map[string]any) { m["role"] = "voter"; m["secret_key"] = strings.Repeat("00", 32) },
		"secret not hex":    func(m map[string]any) { m["secret_key"] = strings.Repeat("g", 64) },
		"public key absent": func(m map[string]any) { delete(m, "public_key") },
	} {
		if _, err := Load(write(change, ""), nil); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(write(func(map[string]any) {}, "{}"), nil); !errors.Is(err, ErrFormat) {
		t.Errorf("tail: %v", err)
	}
	if _, err := Load(write(func(m map[string]any) { m["role"] = "king" }, ""), nil); !errors.Is(err, ErrRole) {
		t.Errorf("role: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"votenode_key":1,"role":"officer","public_key":"","secret_key":""}`))
	path := filepath.Join(f.TempDir(), "key.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("encrypted")) {
			t.Skip("scrypt takes a second")
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := Load(path, nil)
		if err == nil && len(k.Public()) != SecretSize {
			t.Fatal("a key without a public key")
		}
	})
}
