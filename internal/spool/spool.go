// Package spool keeps many byte strings in a file, so that memory does not grow with their number. In the file each stands behind its
// length, four bytes, most significant first.
package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// buffer is that of reading and writing, bytes.
const buffer = 1 << 20

// File is filled first and then read, in the same order. Its methods are for one goroutine.
type File struct {
	file *os.File
	w    *bufio.Writer
	r    *bufio.Reader
	size int // byte strings put
	left int // not yet taken
}

// Create makes a file, which must not exist, to be filled.
func Create(path string) (*File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &File{file: file, w: bufio.NewWriterSize(file, buffer)}, nil
}

// Open opens a file that was filled, to be read. A file that ends within a byte string is an error.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f := &File{file: file, w: bufio.NewWriter(io.Discard)}
	if err := f.count(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return f, f.Rewind()
}

// count counts the byte strings of a whole file.
func (f *File) count() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(f.file, buffer)
	for rest := info.Size(); rest > 0; f.size++ {
		var length uint32
		if err := binary.Read(r, binary.BigEndian, &length); err != nil {
			return f.damaged(err)
		}
		if rest -= 4 + int64(length); rest < 0 {
			return f.damaged(io.ErrUnexpectedEOF)
		}
		if _, err := r.Discard(int(length)); err != nil {
			return f.damaged(err)
		}
	}
	return nil
}

func (f *File) damaged(err error) error { return fmt.Errorf("%s: %w", f.file.Name(), err) }

// Size returns how many byte strings the file holds.
func (f *File) Size() int { return f.size }

// Put appends a byte string.
func (f *File) Put(b []byte) error {
	f.size++
	if err := binary.Write(f.w, binary.BigEndian, uint32(len(b))); err != nil {
		return err
	}
	_, err := f.w.Write(b)
	return err
}

// Rewind ends filling and begins reading, or reads from the beginning again.
func (f *File) Rewind() error {
	if err := f.w.Flush(); err != nil {
		return err
	}
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	f.r, f.left = bufio.NewReaderSize(f.file, buffer), f.size
	return nil
}

// Take returns up to n byte strings, none at the end.
func (f *File) Take(n int) ([][]byte, error) {
	var out [][]byte
	for ; len(out) < n && f.left > 0; f.left-- {
		var length uint32
		if err := binary.Read(f.r, binary.BigEndian, &length); err != nil {
			return nil, f.damaged(err)
		}
		b := make([]byte, length)
		if _, err := io.ReadFull(f.r, b); err != nil {
			return nil, f.damaged(err)
		}
		out = append(out, b)
	}
	return out, nil
}

// Close closes the file. What was put and not rewound may be lost.
func (f *File) Close() error { return f.file.Close() }
