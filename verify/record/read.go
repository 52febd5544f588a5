package record

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Folder is a record that is read.
type Folder struct {
	// Index is the content of record.json.
	Index *Index
	files fs.FS
	again *Again
}

// Open reads the index of a record and holds the list of files against it. It fails with ErrFormat, or with an error of the file
// system. Nothing but a regular file is opened, and of a folder with more files than the index names no more are listed.
func Open(files fs.FS) (*Folder, error) {
	root, err := files.Open(".")
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := fs.Lstat(files, IndexName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: it has no %s", ErrFormat, IndexName)
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, noFile(IndexName)
	}
	b, err := read(files, IndexName, MaxIndexBytes)
	if err != nil {
		return nil, err
	}
	index, err := ParseIndex(b)
	if err != nil {
		return nil, err
	}
	if err := index.compare(root); err != nil {
		return nil, err
	}
	return &Folder{Index: index, files: files, again: NewAgain(files)}, nil
}

func noFile(name string) error { return fmt.Errorf("%w: %q is no file of it", ErrFormat, clip(name)) }

// compare holds the names in a folder against those in the index.
func (i *Index) compare(root fs.File) error {
	folder, ok := root.(fs.ReadDirFile)
	if !ok {
		return fmt.Errorf("%w: it is no folder", ErrFormat)
	}
	missing := map[string]bool{IndexName: true}
	for _, f := range i.Files {
		missing[f.Name] = true
	}
	for {
		entries, err := folder.ReadDir(256)
		for _, e := range entries {
			if !missing[e.Name()] || !e.Type().IsRegular() {
				return noFile(e.Name())
			}
			delete(missing, e.Name())
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: of %d files in the index, %d are missing", ErrFormat, len(i.Files), len(missing))
	}
	return nil
}

// FirstBlocks is the place of the first file of blocks in the index.
const FirstBlocks = 2

// Verify holds length and SHA-256 of a file, by its place in the index, against the index, and shows the bytes that it reads to see, as
// far as the length in the index. It fails with ErrFormat, with the error of ctx or with one of the file system.
func (f *Folder) Verify(ctx context.Context, at int, see func(b []byte)) error {
	want := f.Index.Files[at]
	file, err := f.files.Open(want.Name)
	if err != nil {
		return err
	}
	defer file.Close()
	digest, size, buffer := sha256.New(), int64(0), make([]byte, 1<<20)
	for {
		n, err := file.Read(buffer)
		digest.Write(buffer[:n])
		see(buffer[:min(int64(n), max(0, want.Bytes-size))])
		size += int64(n)
		if size > want.Bytes || errors.Is(err, io.EOF) {
			break
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
	if size != want.Bytes {
		return fmt.Errorf("%w: %s has not the %d bytes that the index names", ErrFormat, want.Name, want.Bytes)
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != want.SHA256 {
		return fmt.Errorf("%w: %s has the SHA-256 %s, not %s as in the index", ErrFormat, want.Name, got, want.SHA256)
	}
	return nil
}

// Genesis returns the bytes of the genesis document.
func (f *Folder) Genesis() ([]byte, error) { return read(f.files, GenesisName, MaxDocumentBytes) }

// Approvals returns the bytes of the officers' approvals.
func (f *Folder) Approvals() ([]byte, error) { return read(f.files, ApprovalsName, MaxDocumentBytes) }

// read returns a whole file of at most so many bytes.
func read(files fs.FS, name string, most int64) ([]byte, error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%w: %s has more than %d bytes", ErrFormat, name, most)
	}
	return b, err
}

// Block is a block as it stands in a record.
type Block struct {
	// Raw is the encoding of the block.
	Raw []byte
	// File and Offset say where it stands: number of the file of blocks, from 1, and position of the first byte of Raw.
	File   int
	Offset int64
}

// Blocks reads the blocks of a record in order, one at a time.
type Blocks struct {
	folder *Folder
	number int // of the open file
	open   fs.File
	in     *bufio.Reader
	offset int64
}

// Blocks returns a reader of all blocks.
func (f *Folder) Blocks() *Blocks { return &Blocks{folder: f} }

// Close closes the open file.
func (b *Blocks) Close() error {
	if b.open == nil {
		return nil
	}
	err := b.open.Close()
	b.open = nil
	return err
}

// Next returns the next block, or io.EOF behind the last. A block is framed as spec 2.1 has it. A file holds as many blocks as it can,
// at least one. It fails with ErrFormat, or with an error of the file system.
func (b *Blocks) Next() (*Block, error) {
	for b.open == nil || b.offset == b.size() {
		full := b.offset
		if err := b.nextFile(); err != nil {
			return nil, err
		}
		if first, err := b.in.Peek(frameBytes); err == nil && full > 0 && full+frameBytes+int64(binary.BigEndian.Uint64(first)) <= MaxFileBytes {
			return nil, b.fault("its first block would have found room in the file before")
		}
	}
	var head [frameBytes]byte
	if b.size()-b.offset < frameBytes {
		return nil, b.fault("%d bytes at the end are no block", b.size()-b.offset)
	}
	if err := b.read(head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint64(head[:])
	b.offset += frameBytes
	if n == 0 || n > MaxBlockBytes || int64(n) > b.size()-b.offset {
		return nil, b.fault("the block at %d cannot have %d bytes", b.offset, n)
	}
	block := &Block{Raw: make([]byte, n), File: b.number, Offset: b.offset}
	if err := b.read(block.Raw); err != nil {
		return nil, err
	}
	b.offset += int64(n)
	return block, nil
}

// read fills p. A file that ends before its length in the index is ErrFormat; any other failure is the file system's.
func (b *Blocks) read(p []byte) error {
	_, err := io.ReadFull(b.in, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return b.fault("it ends early")
	}
	return err
}

const frameBytes = 8

func (b *Blocks) size() int64 { return b.folder.Index.Files[b.number+1].Bytes }

func (b *Blocks) nextFile() error {
	if err := b.Close(); err != nil {
		return err
	}
	b.number++
	if b.number+1 >= len(b.folder.Index.Files) {
		b.number--
		return io.EOF
	}
	file, err := b.folder.files.Open(BlocksName(b.number))
	if err != nil {
		return err
	}
	b.open, b.in, b.offset = file, bufio.NewReaderSize(file, 1<<20), 0
	if b.size() == 0 {
		return b.fault("it is empty")
	}
	return nil
}

func (b *Blocks) fault(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrFormat, BlocksName(b.number), fmt.Sprintf(format, args...))
}

// ReadAt reads bytes of a file of blocks once more. It is for one goroutine.
func (f *Folder) ReadAt(number int, offset int64, b []byte) error {
	return f.again.ReadAt(number, offset, b)
}

// Close closes the files that ReadAt has opened.
func (f *Folder) Close() error { return f.again.Close() }

// Again reads bytes of files of blocks once more. It keeps the files that it has read from last open, a few. It is for one goroutine.
type Again struct {
	files  fs.FS
	open   map[int]fs.File
	opened []int // numbers of open files, oldest first
}

// maxOpen is how many files are kept open.
const maxOpen = 32

// NewAgain reads from a folder, finished or not.
func NewAgain(files fs.FS) *Again { return &Again{files: files, open: map[int]fs.File{}} }

// ReadAt fills b from a position of a file of blocks.
func (a *Again) ReadAt(number int, offset int64, b []byte) error {
	file, err := a.file(number)
	if err != nil {
		return err
	}
	at, ok := file.(io.ReaderAt)
	if !ok {
		return fmt.Errorf("%s cannot be read at a position", BlocksName(number))
	}
	_, err = at.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (a *Again) file(number int) (fs.File, error) {
	if file := a.open[number]; file != nil {
		return file, nil
	}
	if len(a.opened) == maxOpen {
		oldest := a.open[a.opened[0]]
		delete(a.open, a.opened[0])
		a.opened = a.opened[1:]
		if err := oldest.Close(); err != nil {
			return nil, err
		}
	}
	file, err := a.files.Open(BlocksName(number))
	if err != nil {
		return nil, err
	}
	a.open[number], a.opened = file, append(a.opened, number)
	return file, nil
}

// Close closes all files.
func (a *Again) Close() error {
	var failures []error
	for _, file := range a.open {
		failures = append(failures, file.Close())
	}
	a.open, a.opened = map[int]fs.File{}, nil
	return errors.Join(failures...)
}
