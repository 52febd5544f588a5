package signing

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"votenode/abci"
)

// A folder with a sign state moves to another machine in three steps, of which each can be repeated and none can be taken back:
//
//   - PrepareMove makes the new folder with a key of its own, for one bundle;
//   - Seal marks the old folder as moved, for good, and then puts keys and sign state into a bundle that only the new folder opens;
//   - Unseal fills the new folder, and forgets the key.
//
// So at every time at most one folder has a sign state that it may go on from: the old one until it is marked, the new one once its
// key is forgotten. A copy of the bundle opens nowhere else, nor a second time.

var (
	// ErrMoved says that a folder was moved: its key signs elsewhere.
	ErrMoved = errors.New("this folder was moved to another place and never signs again")
	// ErrMoving says that a folder still waits for what is moved into it.
	ErrMoving = errors.New("this folder waits for its bundle")
)

const (
	moveKey  = "move.key"
	movedTo  = "moved"
	maxMoved = 64 << 20 // bytes of a file in a bundle
)

// CheckMoved fails with ErrMoved or ErrMoving where a folder must not be used.
func CheckMoved(dir string) error {
	switch to, err := movedRecipient(dir); {
	case err != nil:
		return err
	case to != "":
		return fmt.Errorf("%s: %w; the new place is the folder for which 'move prepare' printed %s", dir, ErrMoved, to)
	}
	switch _, err := os.Lstat(filepath.Join(dir, moveKey)); {
	case err == nil:
		return fmt.Errorf("%s: %w; run 'move open' with it", dir, ErrMoving)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// movedRecipient returns to whom a folder was moved, "" where it was not.
func movedRecipient(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, movedTo))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err == nil && len(bytes.TrimSpace(b)) == 0 {
		err = errors.New("the mark that the folder was moved is empty")
	}
	return strings.TrimSpace(string(b)), err
}

// PrepareMove makes a folder that a bundle can be opened in, and returns for whom that is to be sealed. Asked again it returns the same.
func PrepareMove(dir string) (recipient string, err error) {
	path := filepath.Join(dir, moveKey)
	if b, err := os.ReadFile(path); err == nil {
		identity, err := age.ParseX25519Identity(strings.TrimSpace(string(b)))
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		return identity.Recipient().String(), nil
	}
	entries, err := os.ReadDir(dir)
	if err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), "."+moveKey+".") }) {
		return "", fmt.Errorf("%s is not empty; choose a new folder", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return "", err
	}
	if err := abci.WriteFile(path, []byte(identity.String()+"\n")); err != nil {
		return "", err
	}
	return identity.Recipient().String(), abci.SyncDir(filepath.Dir(dir))
}

// Seal marks a folder as moved to a recipient and returns the bundle of its files, by their paths in it; optional ones may be absent. The
// mark is on the disk before there is a bundle. Asked again for the same recipient it makes the bundle again. It fails with ErrRunning,
// ErrMoving, and with ErrMoved for another recipient.
func Seal(dir, recipient string, required, optional []string) ([]byte, error) {
	to, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		return nil, fmt.Errorf("%q is no recipient, as preparing the new folder prints it: %w", recipient, err)
	}
	lock, err := Lock(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := CheckMoved(dir); err != nil {
		switch before, _ := movedRecipient(dir); {
		case before == "":
			return nil, err
		case before != recipient:
			return nil, fmt.Errorf("%w; it can be sealed for that one again, and for no other", err)
		}
	}
	files, err := pack(dir, required, optional)
	if err != nil {
		return nil, err
	}
	if err := abci.WriteFile(filepath.Join(dir, movedTo), []byte(recipient+"\n")); err != nil {
		return nil, err
	}
	var bundle bytes.Buffer
	w, err := age.Encrypt(&bundle, to)
	if err == nil {
		_, err = w.Write(files)
		err = errors.Join(err, w.Close())
	}
	return bundle.Bytes(), err
}

func pack(dir string, required, optional []string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i, name := range append(append([]string{}, required...), optional...) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) && i >= len(required) {
			continue
		}
		if err == nil {
			err = w.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o600, Size: int64(len(b)), Typeflag: tar.TypeReg})
		}
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

// Unseal fills a folder that PrepareMove made. The key of the bundle is removed last, and nothing runs in the folder before: after a crash
// the same bundle is opened again, and once it is open no bundle can be. Where the folder has been used all the same, with a key that was
// put back, nothing is written: the bundle's sign state is old there. It fails with ErrRunning.
func Unseal(dir string, bundle []byte) error {
	lock, err := Lock(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer lock.Close()
	path := filepath.Join(dir, moveKey)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s was not prepared for a bundle, or has opened its one: run 'move prepare' for a new place, or start what is here", dir)
	}
	if err != nil {
		return err
	}
	identity, err := age.ParseX25519Identity(strings.TrimSpace(string(b)))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	files, err := unpack(bundle, identity)
	if err != nil {
		return fmt.Errorf("the bundle does not open here: it is damaged, or sealed for another than %s: %w", identity.Recipient(), err)
	}
	for _, f := range files {
		switch before, err := os.ReadFile(filepath.Join(dir, f.name)); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !bytes.Equal(before, f.data):
			return fmt.Errorf("the bundle does not open here: %s has another %s already; if what is here has run since, it is the newest, so remove %s and start it; if it never ran, remove all but that file and open again", dir, f.name, path)
		}
	}
	for _, f := range files {
		to := filepath.Join(dir, f.name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := abci.WriteFile(to, f.data); err != nil {
			return err
		}
	}
	if err := abci.SyncDir(dir); err != nil {
		return err
	}
	return errors.Join(os.Remove(path), abci.SyncDir(dir))
}

// movedFile is a file of a bundle.
type movedFile struct {
	name string
	data []byte
}

// unpack reads the whole bundle, so that nothing is written of one that is cut off.
func unpack(bundle []byte, identity age.Identity) ([]movedFile, error) {
	plain, err := age.Decrypt(bytes.NewReader(bundle), identity)
	if err != nil {
		return nil, err
	}
	var files []movedFile
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, plain) // the authentication of the end
			if err == nil && len(files) == 0 {
				err = errors.New("it is empty")
			}
			return files, err
		}
		if err != nil {
			return nil, err
		}
		name := filepath.FromSlash(h.Name)
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(name) || h.Size > maxMoved {
			return nil, fmt.Errorf("it holds %q", h.Name)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		files = append(files, movedFile{name, data})
	}
}

// SealSigner is Seal for the folder of a signer.
func SealSigner(home, recipient string) ([]byte, error) {
	return Seal(home, recipient, []string{"keys/consensus.json", "keys/connection.json", "sign-state/state.json"}, []string{"signer.json"})
}
