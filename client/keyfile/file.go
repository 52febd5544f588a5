package keyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// MaxSize bounds the key files, and every file that Read reads, in bytes.
const MaxSize = 16 << 20

var (
	// ErrExists says that a file is already there; nothing was written.
	ErrExists = errors.New("the file exists already and is never overwritten")
	// ErrPermissions says that others than the owner may read a secret file.
	ErrPermissions = errors.New("others may read this file")
)

// Create writes a new file with mode 0600 and returns once it is on disk: the whole file stands under path afterwards, or
// nothing does. It fails with ErrExists where something stands there already.
//
// The bytes go to a temporary file first; Link, unlike Rename, refuses a taken name. After a crash a temporary file may be left
// over, which nobody reads.
func Create(path string, data []byte) error {
	temporary, err := writeTemporary(path, data)
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	if err := os.Link(temporary, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s: %w; choose another name", path, ErrExists)
		}
		return err
	}
	return syncDirectory(path)
}

// CreateOnce is Create, but that it is no error where the same bytes stand there already: a step that was interrupted can be repeated. It
// fails with ErrPermissions where others may read what stands there.
func CreateOnce(path string, data []byte) error {
	there, err := ReadAtMost(path, len(data))
	if err == nil && bytes.Equal(there, data) || errors.Is(err, ErrPermissions) {
		return err
	}
	return Create(path, data)
}

// Replace writes a file with mode 0600 over what stood under path before and returns once it is on disk: after a crash the old or
// the new bytes stand there, whole.
func Replace(path string, data []byte) error {
	temporary, err := writeTemporary(path, data)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		os.Remove(temporary)
		return err
	}
	return syncDirectory(path)
}

// Remove takes a file away and returns once that is on disk; a file that is not there is no error. The storage medium may still
// hold the bytes: whoever must be sure destroys the medium or its encryption key.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDirectory(path)
}

// Read returns a secret file of at most MaxSize bytes. It fails with ErrPermissions where group or others may read or write it.
func Read(path string) ([]byte, error) { return ReadAtMost(path, MaxSize) }

// ReadAtMost is Read with another bound, in bytes.
func ReadAtMost(path string, size int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: %w (mode %04o); if nobody has, run: chmod 600 %s", path, ErrPermissions, info.Mode().Perm(), path)
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(size)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > size {
		return nil, fmt.Errorf("%s: longer than %d bytes", path, size)
	}
	return data, nil
}

// writeTemporary puts synced bytes beside path. os.CreateTemp makes files of mode 0600.
func writeTemporary(path string, data []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(data); err != nil {
		f.Close()
		return "", err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return "", err
	}
	return f.Name(), f.Close()
}

// syncDirectory makes the directory entry of path durable.
func syncDirectory(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
