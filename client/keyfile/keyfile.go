// Package keyfile keeps the secret keys of persons in files: officers, registrars, trustees, candidates and voters.
//
// A key file is JSON with the role, the public key and the secret, the latter encrypted under a passphrase (age, scrypt) where a
// person holds it. Files have mode 0600, are written whole and synced, are never overwritten, and are refused when others can
// read them. The package must not print, log or return a secret except as the typed key that was asked for, and takes no secret
// from an environment or a command line. Source: docs/spec/02-encodings.md for the keys, age-encryption.org/v1 for the
// encryption.
package keyfile

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"votenode/crypto/ballot"
)

// Role says what a key is for. A key of one role is refused in the place of another.
type Role string

// The roles of persons. All sign with Ed25519 but voters, whose keys are scalars of ristretto255.
const (
	Officer   Role = "officer"
	Registrar Role = "registrar"
	Trustee   Role = "trustee"
	Candidate Role = "candidate"
	Voter     Role = "voter"
)

// Roles lists all roles.
var Roles = []Role{Officer, Registrar, Trustee, Candidate, Voter}

// Version is the version of the file format.
const Version = 1

// SecretSize is the length of every secret in bytes: an Ed25519 seed, or a scalar.
const SecretSize = 32

// maxWork bounds scrypt when a file is opened: 2^20 blocks are about four seconds and one gigabyte.
const maxWork = 20

var (
	// ErrFormat says that a file is no key file, or that its parts do not belong together.
	ErrFormat = errors.New("not a key file")
	// ErrRole says that a key is for another role than asked.
	ErrRole = errors.New("the key is for another role")
	// ErrPassphrase says that the passphrase is wrong or missing.
	ErrPassphrase = errors.New("wrong or missing passphrase")
)

// Key is one secret key with its role.
type Key struct {
	role   Role
	secret []byte
	public []byte
}

// file is the JSON of a key file. Exactly one of Secret and Encrypted is there.
type file struct {
	Version   int    `json:"votenode_key"`
	Role      Role   `json:"role"`
	Public    string `json:"public_key"`
	Secret    string `json:"secret_key,omitempty"`
	Encrypted []byte `json:"encrypted_secret_key,omitempty"`
}

// Generate makes a key from the random source. It fails where the source does, and for an unknown role with ErrRole.
func Generate(role Role, random io.Reader) (*Key, error) {
	if role == Voter {
		secret, err := ballot.GenerateKey(random)
		if err != nil {
			return nil, err
		}
		return newKey(role, secret.Bytes())
	}
	secret := make([]byte, SecretSize)
	if _, err := io.ReadFull(random, secret); err != nil {
		return nil, err
	}
	return newKey(role, secret)
}

// newKey derives the public key. It fails with ErrRole and ErrFormat.
func newKey(role Role, secret []byte) (*Key, error) {
	if len(secret) != SecretSize {
		return nil, fmt.Errorf("%w: the secret has %d bytes instead of %d", ErrFormat, len(secret), SecretSize)
	}
	k := &Key{role: role, secret: secret}
	switch role {
	case Officer, Registrar, Trustee, Candidate:
		k.public = ed25519.NewKeyFromSeed(secret)[SecretSize:]
	case Voter:
		key, err := ballot.ParseSecretKey(secret)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		k.public = key.Public().Bytes()
	default:
		return nil, fmt.Errorf("%w: there is no role %q", ErrRole, role)
	}
	return k, nil
}

// NewVoter returns the key of a voter whose secret was made elsewhere: joined from the halves of registrars.
func NewVoter(secret *ballot.SecretKey) (*Key, error) { return newKey(Voter, secret.Bytes()) }

// Role returns what the key is for.
func (k *Key) Role() Role { return k.role }

// Public returns the public key, 32 bytes.
func (k *Key) Public() []byte { return bytes.Clone(k.public) }

// Ed25519 returns the signing key of an officer, a registrar, a trustee or a candidate; it fails with ErrRole for another role than asked.
func (k *Key) Ed25519(role Role) (ed25519.PrivateKey, error) {
	if k.role != role || role == Voter {
		return nil, fmt.Errorf("%w: its role is %s, not %s", ErrRole, k.role, role)
	}
	return ed25519.NewKeyFromSeed(k.secret), nil
}

// Voter returns the secret key of a voter. It fails with ErrRole.
func (k *Key) Voter() (*ballot.SecretKey, error) {
	if k.role != Voter {
		return nil, fmt.Errorf("%w: its role is %s, not %s", ErrRole, k.role, Voter)
	}
	return ballot.ParseSecretKey(k.secret)
}

// Write puts the key into a new file, encrypted under the passphrase; an empty passphrase leaves it in the clear. It fails with
// ErrExists and never overwrites.
func (k *Key) Write(path, passphrase string) error {
	data, err := k.encode(passphrase)
	if err != nil {
		return err
	}
	return Create(path, data)
}

// Rewrite puts the key in the place of what its file held, encrypted under another passphrase: after a crash the file opens with the one
// or the other. The storage medium may still hold the old bytes.
func (k *Key) Rewrite(path, passphrase string) error {
	data, err := k.encode(passphrase)
	if err != nil {
		return err
	}
	return Replace(path, data)
}

// encode returns the bytes of the key's file.
func (k *Key) encode(passphrase string) ([]byte, error) {
	f := file{Version: Version, Role: k.role, Public: hex.EncodeToString(k.public)}
	if passphrase == "" {
		f.Secret = hex.EncodeToString(k.secret)
	} else {
		encrypted, err := encrypt([]byte(k.plaintext()), passphrase)
		if err != nil {
			return nil, err
		}
		f.Encrypted = encrypted
	}
	data, err := json.MarshalIndent(f, "", "  ")
	return append(data, '\n'), err
}

// plaintext is what the passphrase protects: the role stands with the secret, so that nobody can give it another.
func (k *Key) plaintext() string { return string(k.role) + " " + hex.EncodeToString(k.secret) }

// ReadPublic returns the role and the public key as the file names them; whoever holds the secret should use Load. It fails with
// ErrPermissions and ErrFormat.
func ReadPublic(path string) (Role, []byte, error) {
	f, public, err := parse(path)
	if err != nil {
		return "", nil, err
	}
	return f.Role, public, nil
}

// Load opens a key file. The passphrase is asked for only where the file is encrypted; a nil function means that there is none. It
// fails with ErrPermissions, ErrFormat and ErrPassphrase.
func Load(path string, passphrase func() (string, error)) (*Key, error) {
	f, public, err := parse(path)
	if err != nil {
		return nil, err
	}
	plaintext := string(f.Role) + " " + f.Secret
	if f.Encrypted != nil {
		if passphrase == nil {
			return nil, fmt.Errorf("%s: %w: the file is encrypted; give --passphrase-file or use a terminal", path, ErrPassphrase)
		}
		given, err := passphrase()
		if err != nil {
			return nil, err
		}
		if plaintext, err = decrypt(f.Encrypted, given); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	text, ok := strings.CutPrefix(plaintext, string(f.Role)+" ")
	secret, err := parseHex(text)
	if !ok || err != nil {
		return nil, fmt.Errorf("%s: %w: the secret key is damaged", path, ErrFormat)
	}
	k, err := newKey(f.Role, secret)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !bytes.Equal(k.public, public) {
		return nil, fmt.Errorf("%s: %w: the public key does not belong to the secret key", path, ErrFormat)
	}
	return k, nil
}

// parse reads the JSON strictly and checks everything that needs no passphrase.
func parse(path string) (*file, []byte, error) {
	data, err := Read(path)
	if err != nil {
		return nil, nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var f file
	if err := decoder.Decode(&f); err != nil {
		return nil, nil, fmt.Errorf("%s: %w: %w", path, ErrFormat, err)
	}
	public, err := parseHex(f.Public)
	switch {
	case decoder.More():
		return nil, nil, fmt.Errorf("%s: %w: something follows the key", path, ErrFormat)
	case f.Version != Version:
		return nil, nil, fmt.Errorf("%s: %w of version %d", path, ErrFormat, Version)
	case err != nil || len(public) != SecretSize:
		return nil, nil, fmt.Errorf("%s: %w: the public key is damaged", path, ErrFormat)
	case (f.Secret == "") == (f.Encrypted == nil):
		return nil, nil, fmt.Errorf("%s: %w: exactly one of secret_key and encrypted_secret_key must be there", path, ErrFormat)
	}
	return &f, public, nil
}

// parseHex decodes lower-case hexadecimal digits only.
func parseHex(s string) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err == nil && hex.EncodeToString(b) != s {
		err = errors.New("upper-case digits")
	}
	return b, err
}

func encrypt(plaintext []byte, passphrase string) ([]byte, error) {
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipient)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plaintext); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func decrypt(ciphertext []byte, passphrase string) (string, error) {
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return "", ErrPassphrase
	}
	identity.SetMaxWorkFactor(maxWork)
	r, err := age.Decrypt(bytes.NewReader(ciphertext), identity)
	if err != nil {
		return "", fmt.Errorf("%w (%w)", ErrPassphrase, err)
	}
	plaintext, err := io.ReadAll(io.LimitReader(r, 1024))
	if err != nil {
		return "", fmt.Errorf("%w: the encrypted secret is damaged", ErrFormat)
	}
	return string(plaintext), nil
}
