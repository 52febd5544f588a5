package spool

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestFile: what is put is taken, in order, by whoever filled the file and by whoever opens it later.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := f.Put(bytes.Repeat([]byte{byte(i)}, i*1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Rewind(); err != nil {
		t.Fatal(err)
	}
	takeAll(t, f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); !os.IsExist(err) {
		t.Error("a file is written over:", err)
	}
	if f, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	takeAll(t, f)
	if err := f.Rewind(); err != nil {
		t.Fatal(err)
	}
	takeAll(t, f)
}

func takeAll(t *testing.T, f *File) {
	t.Helper()
	next := 0
	for {
		got, err := f.Take(3)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			break
		}
		for _, b := range got {
			if !bytes.Equal(b, bytes.Repeat([]byte{byte(next)}, next*1000)) {
				t.Fatalf("string %d has %d bytes", next, len(b))
			}
			next++
		}
	}
	if next != 10 || f.Size() != 10 {
		t.Fatalf("%d strings of 10, size %d", next, f.Size())
	}
}

// TestTruncated: a file that was cut within a length or a string cannot be opened.
func TestTruncated(t *testing.T) {
	for size, want := range map[string]int{"": 0, "\x00\x00": -1, "\x00\x00\x00\x02a": -1, "\x00\x00\x00\x02ab": 1, "\x00\x00\x00\x02ab\x00": -1} {
		path := filepath.Join(t.TempDir(), "spool")
		if err := os.WriteFile(path, []byte(size), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if (err == nil) != (want >= 0) {
			t.Errorf("%q: %v", size, err)
		}
		if err == nil {
			if f.Size() != want {
				t.Errorf("%q: %d strings", size, f.Size())
			}
			f.Close()
		}
	}
}
