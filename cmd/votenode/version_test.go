package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// The hash is that of the file that runs.
func TestVersionHash(t *testing.T) {
	var out, talk bytes.Buffer
	if code := run([]string{"version", "--json"}, nil, &out, &talk); code != exitOK {
		t.Fatal(code, talk.String())
	}
	var v version
	if err := json.Unmarshal(out.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256(file); v.SHA256 != hex.EncodeToString(want[:]) {
		t.Errorf("%s, want %x", v.SHA256, want)
	}
	for _, m := range v.Modules {
		if m.Path == "" || m.Version == "" {
			t.Errorf("a module without path or version: %+v", m)
		}
	}
}
