package demo

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// spool keeps ballots that are proven but not sent in a file, so that memory does not grow with their number. First all
// are put, then all are taken, in the same order.
type spool struct {
	file *os.File
	w    *bufio.Writer
	r    *bufio.Reader
	size int // ballots put
	left int // ballots not yet taken
}

func newSpool(path string) (*spool, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &spool{file: file, w: bufio.NewWriterSize(file, 1<<20)}, nil
}

func (s *spool) put(b []byte) error {
	s.size++
	if err := binary.Write(s.w, binary.BigEndian, uint32(len(b))); err != nil {
		return err
	}
	_, err := s.w.Write(b)
	return err
}

// rewind ends putting and begins taking.
func (s *spool) rewind() error {
	if err := s.w.Flush(); err != nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	s.r, s.left = bufio.NewReaderSize(s.file, 1<<20), s.size
	return nil
}

// take returns up to n ballots, none at the end.
func (s *spool) take(n int) ([][]byte, error) {
	var out [][]byte
	for ; len(out) < n && s.left > 0; s.left-- {
		var size uint32
		if err := binary.Read(s.r, binary.BigEndian, &size); err != nil {
			return nil, fmt.Errorf("%s: %w", s.file.Name(), err)
		}
		b := make([]byte, size)
		if _, err := io.ReadFull(s.r, b); err != nil {
			return nil, fmt.Errorf("%s: %w", s.file.Name(), err)
		}
		out = append(out, b)
	}
	return out, nil
}

func (s *spool) close() error { return s.file.Close() }
