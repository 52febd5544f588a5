// Package cells keeps many small values of one length outside of the memory: in a temporary file that has no name. An auditor keeps there
// what grows with rolls and ballots.
//
// What is read is what was written, or an error of the file system; nothing outlives the process. Source: docs/spec/11-auditor.md,
// section 11.9.
package cells

import (
	"os"
	"sync"
)

// chunkBytes is how many bytes a list grows by.
const chunkBytes = 64 << 10

// Space is a temporary file in which lists of cells lie.
type Space struct {
	file *os.File

	mu  sync.Mutex
	end int64 // owned by mu
}

// NewSpace makes the file, in the folder for temporary files.
func NewSpace() (*Space, error) {
	file, err := os.CreateTemp("", "votenode-audit-")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name()) // where the system cannot remove an open file, Close does
	return &Space{file: file}, nil
}

// Close gives the space back.
func (s *Space) Close() error {
	err := s.file.Close()
	_ = os.Remove(s.file.Name())
	return err
}

// grow returns the position of a new chunk of zeros. The file grows under the lock: a list never cuts off what another has written.
func (s *Space) grow() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.end
	if err := s.file.Truncate(at + chunkBytes); err != nil {
		return 0, err
	}
	s.end += chunkBytes
	return at, nil
}

// Cells is a list of cells, as long as need be. Any number of goroutines may read it as long as none writes.
type Cells struct {
	space  *Space
	size   int
	chunks []int64 // positions, -1 where nothing was written
}

// Cells returns a new list of cells of so many bytes, 1 to 1,024.
func (s *Space) Cells(size int) *Cells { return &Cells{space: s, size: size} }

// place returns the chunk of a cell and the position in it.
func (c *Cells) place(i uint64) (chunk uint64, offset int64) {
	each := uint64(chunkBytes / c.size)
	return i / each, int64(i%each) * int64(c.size)
}

// Get fills b, which has the length of a cell, with cell i: zeros where nothing was written.
func (c *Cells) Get(i uint64, b []byte) error {
	chunk, offset := c.place(i)
	if chunk >= uint64(len(c.chunks)) || c.chunks[chunk] < 0 {
		clear(b)
		return nil
	}
	_, err := c.space.file.ReadAt(b, c.chunks[chunk]+offset)
	return err
}

// Set writes cell i from b, which has the length of a cell.
func (c *Cells) Set(i uint64, b []byte) error {
	chunk, offset := c.place(i)
	for chunk >= uint64(len(c.chunks)) {
		c.chunks = append(c.chunks, -1)
	}
	if c.chunks[chunk] < 0 {
		at, err := c.space.grow()
		if err != nil {
			return err
		}
		c.chunks[chunk] = at
	}
	_, err := c.space.file.WriteAt(b, c.chunks[chunk]+offset)
	return err
}

// Each calls fn for the first n cells in order, until it returns an error, which it passes on. The cell is valid during the call only.
func (c *Cells) Each(n uint64, fn func(i uint64, cell []byte) error) error {
	each := uint64(chunkBytes / c.size)
	buffer := make([]byte, each*uint64(c.size))
	for from := uint64(0); from < n; from += each {
		chunk := from / each
		if chunk >= uint64(len(c.chunks)) || c.chunks[chunk] < 0 {
			clear(buffer)
		} else if _, err := c.space.file.ReadAt(buffer, c.chunks[chunk]); err != nil {
			return err
		}
		for i := from; i < min(from+each, n); i++ {
			at := (i - from) * uint64(c.size)
			if err := fn(i, buffer[at:at+uint64(c.size)]); err != nil {
				return err
			}
		}
	}
	return nil
}
