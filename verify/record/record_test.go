package record_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"votenode/verify/record"
)

var (
	genesisHash = sha256.Sum256([]byte("genesis"))
	small       = [][]byte{[]byte("first"), []byte("second"), bytes.Repeat([]byte("x"), 300)}
)

// content is a record: names and bytes.
type content = map[string][]byte

func files(c content) fs.FS {
	m := fstest.MapFS{}
	for name, data := range c {
		m[name] = &fstest.MapFile{Data: data}
	}
	return m
}

func load(t *testing.T, folder string) content {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	c := content{}
	for _, e := range entries {
		if c[e.Name()], err = os.ReadFile(filepath.Join(folder, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func finish(t *testing.T, w *record.Writer) {
	t.Helper()
	if err := w.Finish("sample-1", genesisHash, []byte("genesis"), []byte("approvals")); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, blocks ...[]byte) content {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "record")
	w, err := record.Create(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if err := w.Append(b); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, w)
	return load(t, folder)
}

// read reads a record to its end, and returns the lengths of its blocks by file.
func read(c fs.FS) (lengths map[int][]int, err error) {
	folder, err := record.Open(c)
	if err != nil {
		return nil, err
	}
	for at := range folder.Index.Files {
		if err := folder.Verify(context.Background(), at, func([]byte) {}); err != nil {
			return nil, err
		}
	}
	if _, err := folder.Genesis(); err != nil {
		return nil, err
	}
	if _, err := folder.Approvals(); err != nil {
		return nil, err
	}
	blocks := folder.Blocks()
	defer blocks.Close()
	lengths = map[int][]int{}
	for {
		b, err := blocks.Next()
		if errors.Is(err, io.EOF) {
			return lengths, nil
		}
		if err != nil {
			return lengths, err
		}
		lengths[b.File] = append(lengths[b.File], len(b.Raw))
		again := make([]byte, len(b.Raw))
		if err := folder.ReadAt(b.File, b.Offset, again); err != nil || !bytes.Equal(again, b.Raw) {
			return nil, fmt.Errorf("file %d, offset %d: other bytes the second time: %w", b.File, b.Offset, err)
		}
	}
}

// The bytes of spec 10.2 and 10.3.
func TestBytes(t *testing.T) {
	c := write(t, small...)
	blocks := []byte("\x00\x00\x00\x00\x00\x00\x00\x05first\x00\x00\x00\x00\x00\x00\x00\x06second\x00\x00\x00\x00\x00\x00\x01\x2c" + strings.Repeat("x", 300))
	if !bytes.Equal(c["blocks-000001"], blocks) {
		t.Errorf("%q", c["blocks-000001"])
	}
	want := fmt.Sprintf(`{
  "format": "votenode/v1/record",
  "chain_id": "sample-1",
  "genesis_hash": "%x",
  "height": 3,
  "files": [
    {
      "name": "genesis.pb",
      "bytes": 7,
      "sha256": "%x"
    },
    {
      "name": "approvals.pb",
      "bytes": 9,
      "sha256": "%x"
    },
    {
      "name": "blocks-000001",
      "bytes": 335,
      "sha256": "%x"
    }
  ]
}
`, genesisHash, sha256.Sum256([]byte("genesis")), sha256.Sum256([]byte("approvals")), sha256.Sum256(blocks))
	if string(c["record.json"]) != want {
		t.Errorf("index:\n%s\nwant:\n%s", c["record.json"], want)
	}
	if lengths, err := read(files(c)); err != nil || !slices.Equal(lengths[1], []int{5, 6, 300}) {
		t.Errorf("%v, %v", lengths, err)
	}
}

// Blocks go on in the next file where the present one has no room, not one byte sooner.
func TestFilesAreFilled(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 128 MiB")
	}
	whole := bytes.Repeat([]byte{1}, record.MaxBlockBytes)
	var blocks [][]byte
	for range 7 {
		blocks = append(blocks, whole)
	}
	last := record.MaxFileBytes - 7*(record.MaxBlockBytes+8) - 8 // fills the file to the last byte
	blocks = append(blocks, whole[:last], whole[:1], whole, whole)
	c := write(t, blocks...)
	lengths, err := read(files(c))
	n := record.MaxBlockBytes
	if err != nil || !slices.Equal(lengths[1], []int{n, n, n, n, n, n, n, last}) || !slices.Equal(lengths[2], []int{1, n, n}) {
		t.Fatalf("%v, %v", lengths, err)
	}
	if len(c["blocks-000001"]) != record.MaxFileBytes {
		t.Errorf("the first file has %d bytes", len(c["blocks-000001"]))
	}

	// The same blocks, cut elsewhere: the block of one byte would have found room in the first file.
	blocks[7] = whole[:last-9]
	c = write(t, blocks[:8]...)
	short := c["blocks-000001"]
	moved := describe(content{
		"genesis.pb": c["genesis.pb"], "approvals.pb": c["approvals.pb"],
		"blocks-000001": short, "blocks-000002": []byte("\x00\x00\x00\x00\x00\x00\x00\x01\x01"),
	}, 9)
	if _, err := read(files(moved)); !errors.Is(err, record.ErrFormat) || !strings.Contains(err.Error(), "found room in the file before") {
		t.Errorf("blocks cut elsewhere: %v", err)
	}
}

// describe gives files an index that fits them.
func describe(c content, height int64) content {
	index := record.Index{Format: record.Format, Chain: "sample-1", GenesisHash: hex.EncodeToString(genesisHash[:]), Height: height}
	names := slices.Sorted(maps.Keys(c))
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	for _, name := range names {
		digest := sha256.Sum256(c[name])
		index.Files = append(index.Files, record.File{Name: name, Bytes: int64(len(c[name])), SHA256: hex.EncodeToString(digest[:])})
	}
	out := maps.Clone(c)
	out["record.json"] = index.Bytes()
	return out
}

func rank(name string) int {
	return slices.Index([]string{"genesis.pb", "approvals.pb", name}, name)
}

// What an enemy does to a folder, by what the reader says. indexed changes come with an index that fits.
func TestDamage(t *testing.T) {
	good := write(t, small...)
	replace := func(old, new string) func(c content) {
		return func(c content) {
			if !bytes.Contains(c["record.json"], []byte(old)) {
				t.Fatalf("the index has no %q", old)
			}
			c["record.json"] = bytes.Replace(c["record.json"], []byte(old), []byte(new), 1)
		}
	}
	set := func(name, data string) func(c content) { return func(c content) { c[name] = []byte(data) } }
	drop := func(name string) func(c content) { return func(c content) { delete(c, name) } }
	frame := func(n byte, data string) string { return "\x00\x00\x00\x00\x00\x00\x00" + string(n) + data }
	tests := map[string]struct {
		change  func(c content)
		indexed bool
		want    string
	}{
		"no index":          {drop("record.json"), false, "it has no record.json"},
		"no genesis":        {drop("genesis.pb"), false, "1 are missing"},
		"no approvals":      {drop("approvals.pb"), false, "1 are missing"},
		"no blocks":         {drop("blocks-000001"), false, "1 are missing"},
		"a file more":       {set("blocks-000002", frame(1, "x")), false, `"blocks-000002" is no file of it`},
		"another file":      {set("README", "hello"), false, `"README" is no file of it`},
		"a hidden file":     {set(".x", ""), false, `".x" is no file of it`},
		"a folder":          {set("more/record.json", ""), false, `"more" is no file of it`},
		"longer":            {func(c content) { c["blocks-000001"] = append(c["blocks-000001"], 0) }, false, "blocks-000001 has not the 335 bytes"},
		"shorter":           {func(c content) { c["blocks-000001"] = c["blocks-000001"][:300] }, false, "blocks-000001 has not the 335 bytes"},
		"empty genesis":     {set("genesis.pb", ""), false, "genesis.pb has not the 7 bytes"},
		"other genesis":     {set("genesis.pb", "Genesis"), false, "genesis.pb has the SHA-256"},
		"other approvals":   {set("approvals.pb", "Approvals"), false, "approvals.pb has the SHA-256"},
		"empty index":       {set("record.json", ""), false, "record.json"},
		"no JSON":           {set("record.json", "votenode"), false, "record.json"},
		"index with a tail": {func(c content) { c["record.json"] = append(c["record.json"], ' ') }, false, "canonical"},
		"index twice":       {func(c content) { c["record.json"] = append(c["record.json"], c["record.json"]...) }, false, "record.json"},
		"unknown field":     {replace(`"format"`, `"more": 1, "format"`), false, "canonical"},
		"field twice":       {replace(`"height": 3`, `"height": 4, "height": 3`), false, "canonical"},
		"other case":        {replace(`"format"`, `"Format"`), false, "canonical"},
		"other format":      {replace("v1/record", "v2/record"), false, "names the format"},
		"no chain":          {replace("sample-1", ""), false, "names no chain"},
		"bad chain":         {replace("sample-1", "Sample 1"), false, "names no chain"},
		"height 0":          {replace(`"height": 3`, `"height": 0`), false, "no block"},
		"height below 0":    {replace(`"height": 3`, `"height": -3`), false, "no block"},
		"height in words":   {replace(`"height": 3`, `"height": "3"`), false, "record.json"},
		"short hash":        {replace(hex.EncodeToString(genesisHash[:]), "00"), false, "no genesis hash"},
		"upper-case hash":   {replace(hex.EncodeToString(genesisHash[:]), strings.ToUpper(hex.EncodeToString(genesisHash[:]))), false, "no genesis hash"},
		"renamed file":      {replace("blocks-000001", "blocks-000002"), false, "should be blocks-000001"},
		"path":              {replace("blocks-000001", "../blocks"), false, "should be blocks-000001"},
		"files swapped":     {replace("genesis.pb", "approvals.pb"), false, "should be genesis.pb"},
		"length below 0":    {replace(`"bytes": 335`, `"bytes": -335`), false, "should be blocks-000001"},
		"length too great":  {replace(`"bytes": 335`, `"bytes": 67108865`), false, "at most 67108864"},
		"great genesis":     {replace(`"bytes": 7`, `"bytes": 1048577`), false, "at most 1048576"},
		"two files":         {drop("blocks-000001"), true, "too few files"},

		"block of no bytes":   {set("blocks-000001", frame(0, "")), true, "cannot have 0 bytes"},
		"block cut off":       {set("blocks-000001", frame(5, "four")), true, "cannot have 5 bytes"},
		"half a length":       {set("blocks-000001", frame(1, "x")+"\x00\x00\x00"), true, "3 bytes at the end are no block"},
		"garbage behind":      {set("blocks-000001", frame(1, "x")+"garbage behind the last block"), true, "cannot have"},
		"length beyond bound": {set("blocks-000001", "\x00\x00\x00\x00\x00\x80\x00\x01x"), true, "cannot have 8388609 bytes"},
		"length overflows":    {set("blocks-000001", "\xff\xff\xff\xff\xff\xff\xff\xffx"), true, "cannot have 18446744073709551615 bytes"},
		"no block at all":     {set("blocks-000001", ""), true, "it is empty"},
		"empty second file":   {set("blocks-000002", ""), true, "blocks-000002: it is empty"},
		"second file early":   {set("blocks-000002", frame(1, "x")), true, "found room in the file before"},
		"half a second file":  {set("blocks-000002", "\x00"), true, "1 bytes at the end are no block"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := maps.Clone(good)
			test.change(c)
			if test.indexed {
				delete(c, "record.json")
				c = describe(c, 3)
			}
			if _, err := read(files(c)); !errors.Is(err, record.ErrFormat) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	if _, err := read(files(good)); err != nil {
		t.Errorf("the record itself: %v", err)
	}
}

// What is no regular file is never opened: a link stands for bytes that are not in the folder, and a pipe never ends.
func TestNoRegularFile(t *testing.T) {
	for _, name := range []string{record.IndexName, record.GenesisName, record.ApprovalsName, record.BlocksName(1)} {
		for kind, replace := range map[string]func(path string) error{
			"link": func(path string) error {
				elsewhere := filepath.Join(t.TempDir(), "elsewhere")
				return errors.Join(os.Rename(path, elsewhere), os.Symlink(elsewhere, path))
			},
			"loop":   func(path string) error { return errors.Join(os.Remove(path), os.Symlink(path, path)) },
			"folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
			"pipe":   func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
		} {
			folder := t.TempDir()
			if err := os.CopyFS(folder, files(write(t, small...))); err != nil {
				t.Fatal(err)
			}
			if err := replace(filepath.Join(folder, name)); err != nil {
				t.Fatal(err)
			}
			if _, err := record.Open(os.DirFS(folder)); !errors.Is(err, record.ErrFormat) || !strings.Contains(err.Error(), "is no file of it") {
				t.Errorf("%s is a %s: %v", name, kind, err)
			}
		}
	}
}

// Gigabytes of zeros in the place of a file take no memory, and no more time than the length that the index names.
func TestGigabytes(t *testing.T) {
	for _, name := range []string{record.IndexName, record.GenesisName, record.ApprovalsName, record.BlocksName(1)} {
		folder := t.TempDir()
		if err := os.CopyFS(folder, files(write(t, small...))); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, name)
		if err := errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 10<<30)); err != nil {
			t.Skip("the file system has no files with holes: ", err)
		}
		if _, err := read(os.DirFS(folder)); !errors.Is(err, record.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A folder without end is not listed to its end.
func TestEndlessFolder(t *testing.T) {
	crowd := &crowded{FS: files(write(t, small...))}
	if _, err := record.Open(crowd); !errors.Is(err, record.ErrFormat) || !strings.Contains(err.Error(), `"crowd" is no file of it`) {
		t.Errorf("%v", err)
	}
	if crowd.listed > 1_000 {
		t.Errorf("%d names were listed", crowd.listed)
	}
}

// crowded is a folder that never comes to the end of its names.
type crowded struct {
	fs.FS
	listed int
}

func (c *crowded) Open(name string) (fs.File, error) {
	file, err := c.FS.Open(name)
	if name == "." {
		return &crowdedRoot{file, c}, err
	}
	return file, err
}

type crowdedRoot struct {
	fs.File
	all *crowded
}

func (r *crowdedRoot) ReadDir(n int) ([]fs.DirEntry, error) {
	one, err := fs.Stat(fstest.MapFS{"crowd": {}}, "crowd")
	if err != nil || n <= 0 {
		return nil, errors.New("a list of all names")
	}
	r.all.listed += n
	return slices.Repeat([]fs.DirEntry{fs.FileInfoToDirEntry(one)}, n), nil
}

// A file that is cut while it is read is damage, an error of the file system is none.
func TestErrorsOfTheFileSystem(t *testing.T) {
	if _, err := record.Open(os.DirFS(filepath.Join(t.TempDir(), "none"))); errors.Is(err, record.ErrFormat) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	c := write(t, small...)
	folder, err := record.Open(failing{files(c)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Blocks().Next(); errors.Is(err, record.ErrFormat) || !errors.Is(err, errDisk) {
		t.Errorf("a disk that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := folder.Verify(ctx, 0, func([]byte) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("a verification that was broken off: %v", err)
	}
	cut := fstest.MapFS{}
	for name, data := range c {
		cut[name] = &fstest.MapFile{Data: data}
	}
	if folder, err = record.Open(cut); err != nil {
		t.Fatal(err)
	}
	cut["blocks-000001"].Data = cut["blocks-000001"].Data[:10]
	if _, err := folder.Blocks().Next(); !errors.Is(err, record.ErrFormat) || !strings.Contains(err.Error(), "it ends early") {
		t.Errorf("a file that is cut: %v", err)
	}
}

var errDisk = errors.New("input/output error")

// failing reads the index and nothing else.
type failing struct{ fs.FS }

func (f failing) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil || name == "." || name == record.IndexName {
		return file, err
	}
	return failingFile{file}, nil
}

func (f failing) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(f.FS, name) }

type failingFile struct{ fs.File }

func (failingFile) Read([]byte) (int, error) { return 0, errDisk }

// An export that was killed anywhere, in the middle of a write, too, goes on to the same bytes.
func TestResume(t *testing.T) {
	whole := write(t, small...)
	all := whole["blocks-000001"]
	known := func(raw []byte) bool {
		return slices.ContainsFunc(small, func(b []byte) bool { return bytes.Equal(b, raw) })
	}
	for cut := range len(all) + 1 {
		folder := filepath.Join(t.TempDir(), "record")
		if err := errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(filepath.Join(folder, "blocks-000001"), all[:cut], 0o644)); err != nil {
			t.Fatal(err)
		}
		if cut%3 == 0 { // Finish was reached once
			if err := os.WriteFile(filepath.Join(folder, "genesis.pb"), []byte("gen"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		w, err := record.Resume(folder, known)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range small[w.Height():] {
			if err := w.Append(b); err != nil {
				t.Fatal(err)
			}
		}
		finish(t, w)
		if got := load(t, folder); !maps.EqualFunc(got, whole, bytes.Equal) {
			t.Fatalf("cut at %d: another record", cut)
		}
	}
}

// Blocks that are not taken, and all behind them, are cut off; also those in later files.
func TestResumeWithoutStrangers(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "record")
	w, err := record.Resume(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{small[0], []byte("stranger"), small[1]} {
		if err := w.Append(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "blocks-000002"), []byte("more"), 0o644); err != nil {
		t.Fatal(err)
	}
	w, err = record.Resume(folder, func(raw []byte) bool { return string(raw) != "stranger" })
	if err != nil || w.Height() != 1 {
		t.Fatalf("height %d, %v", w.Height(), err)
	}
	if err := errors.Join(w.Append(small[1]), w.Append(small[2])); err != nil {
		t.Fatal(err)
	}
	finish(t, w)
	if got := load(t, folder); !maps.EqualFunc(got, write(t, small...), bytes.Equal) {
		t.Error("another record")
	}
}

func TestWriterRefuses(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "record")
	w, err := record.Create(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := record.Create(folder); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder that exists: %v", err)
	}
	if err := w.Finish("sample-1", genesisHash, nil, nil); !errors.Is(err, record.ErrFormat) {
		t.Errorf("a record without blocks: %v", err)
	}
	for _, b := range [][]byte{nil, make([]byte, record.MaxBlockBytes+1)} {
		if err := w.Append(b); !errors.Is(err, record.ErrFormat) {
			t.Errorf("a block of %d bytes: %v", len(b), err)
		}
	}
	if err := w.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("discarded, and still there: %v", err)
	}
}

// Any bytes in the place of the blocks are blocks or damage; what is read back as blocks is written as the same bytes.
func FuzzBlocks(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x05first\x00\x00\x00\x00\x00\x00\x00\x06second"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x80\x00\x01"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, blocks []byte) {
		c := describe(content{"genesis.pb": nil, "approvals.pb": nil, "blocks-000001": blocks}, 1)
		lengths, err := read(files(c))
		total := 0
		for _, n := range lengths[1] {
			total += 8 + n
		}
		if err != nil && !errors.Is(err, record.ErrFormat) || err == nil && total != len(blocks) {
			t.Errorf("%d of %d bytes: %v", total, len(blocks), err)
		}
	})
}

// An index is read only if it is what writing it again gives.
func FuzzIndex(f *testing.F) {
	f.Add(describe(content{"genesis.pb": nil, "approvals.pb": nil, "blocks-000001": nil}, 1)["record.json"])
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		index, err := record.ParseIndex(b)
		if err != nil {
			if !errors.Is(err, record.ErrFormat) {
				t.Error(err)
			}
			return
		}
		if !bytes.Equal(index.Bytes(), b) || index.Height < 1 || index.Size() < 0 {
			t.Errorf("%q", b)
		}
	})
}
