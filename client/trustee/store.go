package trustee

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"votenode/client/keyfile"
)

var (
	// ErrInUse says that another process works with the same state directory.
	ErrInUse = errors.New("another process uses this state directory")
	// ErrForeignStore says that a state directory belongs to another ledger or another trustee.
	ErrForeignStore = errors.New("the state directory belongs to another ledger or another trustee")
)

// ledgerFile names the file that binds a directory to a genesis hash and, because only its key opens it, to a trustee.
const ledgerFile = "ledger"

// Store is the trustee's memory on disk: secrets of the ceremony, the final share, and every sum that was ever opened.
//
// Each file is written once, whole and synced, before anything that depends on it leaves the machine, and is sealed with AES-256-GCM
// under a key derived from the trustee's secret key, its name as additional data. After a crash a file is there or it is not.
type Store struct {
	directory string
	aead      cipher.AEAD
	lock      *os.File
}

// OpenStore opens or makes the state directory of the trustee with this secret (its Ed25519 seed) for the ledger with this genesis
// hash, and locks it against other processes. It fails with ErrInUse and ErrForeignStore.
func OpenStore(directory string, genesisHash [32]byte, secret []byte) (*Store, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(directory, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	// The lock dies with the process, however it ends.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%s: %w", directory, ErrInUse)
	}
	s := &Store{directory: directory, lock: lock}
	if err := s.bind(genesisHash, secret); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

// bind derives the sealing key and compares the genesis hash with the one that the directory was made for.
func (s *Store) bind(genesisHash [32]byte, secret []byte) error {
	key, err := hkdf.Key(sha256.New, secret, nil, "votenode/v1/trustee-store", 32)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	if s.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return err
	}
	var known string
	found, err := s.load(ledgerFile, &known)
	if err != nil {
		return err
	}
	hash := hex.EncodeToString(genesisHash[:])
	if !found {
		return s.create(ledgerFile, hash)
	}
	if known != hash {
		return fmt.Errorf("%s: %w: it was made for genesis hash %s", s.directory, ErrForeignStore, known)
	}
	return nil
}

// Close lets another process use the directory.
func (s *Store) Close() error { return s.lock.Close() }

func (s *Store) path(name string) string { return filepath.Join(s.directory, name) }

// create writes a new file and returns once it is on disk; it fails with keyfile.ErrExists.
func (s *Store) create(name string, value any) error {
	plaintext, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return keyfile.Create(s.path(name), s.aead.Seal(nil, nil, plaintext, []byte(name)))
}

// load reads a file and says whether it is there.
func (s *Store) load(name string, value any) (bool, error) {
	sealed, err := keyfile.Read(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	plaintext, err := s.aead.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return false, fmt.Errorf("%s: %w, or the file is damaged", s.path(name), ErrForeignStore)
	}
	decoder := json.NewDecoder(bytes.NewReader(plaintext))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		return false, fmt.Errorf("%s: %w", s.path(name), err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("%s: something follows", s.path(name))
	}
	return true, nil
}

// list returns the names of all files that begin with prefix, sorted.
func (s *Store) list(prefix string) ([]string, error) {
	entries, err := os.ReadDir(s.directory)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// remove takes files away.
func (s *Store) remove(names ...string) error {
	for _, name := range names {
		if err := keyfile.Remove(s.path(name)); err != nil {
			return err
		}
	}
	return nil
}
