package record

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Writer writes a record block by block. Until Finish the folder has no index, so that nobody takes a part for the whole.
type Writer struct {
	folder string
	number int // of the open file
	file   *os.File
	size   int64 // of the open file
	height int64
}

// Create makes the folder, which must not exist.
func Create(folder string) (*Writer, error) {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return nil, err
	}
	return &Writer{folder: folder}, nil
}

// Resume continues a folder that was not finished: it hands all whole blocks to accept, in order, cuts off what a crash left behind
// the last of them, or behind the last that accept takes, and goes on from there. A folder that is not there yet is made.
func Resume(folder string, accept func(raw []byte) bool) (*Writer, error) {
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return Create(folder)
	}
	w := &Writer{folder: folder}
	for {
		info, err := os.Stat(w.path(w.number + 1))
		if errors.Is(err, fs.ErrNotExist) {
			return w, nil
		}
		if err != nil {
			return nil, err
		}
		if err := w.open(); err != nil {
			return nil, err
		}
		whole, err := w.scan(info.Size(), accept)
		if err != nil {
			return nil, errors.Join(err, w.file.Close())
		}
		if !whole {
			return w, w.cut()
		}
	}
}

// scan reads the open file of so many bytes and says whether all of it was whole blocks that accept took.
func (w *Writer) scan(size int64, accept func(raw []byte) bool) (whole bool, err error) {
	for w.size < size {
		var head [frameBytes]byte
		if size-w.size < frameBytes {
			return false, nil
		}
		if _, err := io.ReadFull(w.file, head[:]); err != nil {
			return false, err
		}
		n := binary.BigEndian.Uint64(head[:])
		if n == 0 || n > MaxBlockBytes || int64(n) > size-w.size-frameBytes {
			return false, nil
		}
		raw := make([]byte, n)
		if _, err := io.ReadFull(w.file, raw); err != nil {
			return false, err
		}
		if !accept(raw) {
			return false, nil
		}
		w.size += frameBytes + int64(n)
		w.height++
	}
	return true, nil
}

// cut removes what lies behind the last whole block.
func (w *Writer) cut() error {
	for number := w.number + 1; ; number++ {
		err := os.Remove(w.path(number))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := w.file.Truncate(w.size); err != nil {
		return err
	}
	_, err := w.file.Seek(w.size, io.SeekStart)
	return err
}

// Place says where the last block that was written stands, given its length.
func (w *Writer) Place(bytes int) (file int, offset int64) { return w.number, w.size - int64(bytes) }

// Height returns the height of the last block that was written, 0 before the first.
func (w *Writer) Height() int64 { return w.height }

func (w *Writer) path(number int) string { return filepath.Join(w.folder, BlocksName(number)) }

// open opens the next file for reading and writing.
func (w *Writer) open() error {
	if w.file != nil {
		if err := closeSynced(w.file); err != nil {
			return err
		}
	}
	var err error
	w.number++
	w.size = 0
	w.file, err = os.OpenFile(w.path(w.number), os.O_RDWR|os.O_CREATE, 0o644)
	return err
}

// Frame returns a block as it stands in a file. Spec 10.3.
func Frame(raw []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, frameBytes+len(raw)), uint64(len(raw))), raw...)
}

// Append writes the next block, into the present file where it finds room, else into a new one.
func (w *Writer) Append(raw []byte) error {
	if len(raw) == 0 || len(raw) > MaxBlockBytes {
		return fmt.Errorf("%w: a block of %d bytes", ErrFormat, len(raw))
	}
	if w.file == nil || w.size > 0 && w.size+frameBytes+int64(len(raw)) > MaxFileBytes {
		if err := w.open(); err != nil {
			return err
		}
	}
	framed := Frame(raw)
	if _, err := w.file.Write(framed); err != nil {
		return err
	}
	w.size += int64(len(framed))
	w.height++
	return nil
}

// Finish writes genesis document, approvals and index, all synced. The record is whole then.
func (w *Writer) Finish(chain string, genesisHash [32]byte, genesis, approvals []byte) error {
	if w.file == nil {
		return fmt.Errorf("%w: there is no block to write", ErrFormat)
	}
	if err := closeSynced(w.file); err != nil {
		return err
	}
	index := &Index{Format: Format, Chain: chain, GenesisHash: hex.EncodeToString(genesisHash[:]), Height: w.height}
	if err := errors.Join(w.write(GenesisName, genesis), w.write(ApprovalsName, approvals)); err != nil {
		return err
	}
	names := []string{GenesisName, ApprovalsName}
	for number := 1; number <= w.number; number++ {
		names = append(names, BlocksName(number))
	}
	for _, name := range names {
		f, err := describe(w.folder, name)
		if err != nil {
			return err
		}
		index.Files = append(index.Files, f)
	}
	return w.write(IndexName, index.Bytes())
}

// Discard gives up the writing and removes the folder.
func (w *Writer) Discard() error {
	return errors.Join(w.Close(), os.RemoveAll(w.folder))
}

// Close gives up the writing and leaves the folder for Resume.
func (w *Writer) Close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

func (w *Writer) write(name string, content []byte) error {
	f, err := os.OpenFile(filepath.Join(w.folder, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, closeSynced(f))
}

// describe reads a file and returns its entry of the index.
func describe(folder, name string) (File, error) {
	f, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	digest := sha256.New()
	n, err := io.Copy(digest, f)
	return File{Name: name, Bytes: n, SHA256: hex.EncodeToString(digest.Sum(nil))}, err
}

func closeSynced(f *os.File) error { return errors.Join(f.Sync(), f.Close()) }
