package transcript

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"testing"
)

// framed is frame() written out a second time, from the text of the package comment.
func framed(items ...string) []byte {
	var out []byte
	for _, item := range items {
		out = append(out, 0, 0, 0, 0, 0, 0, byte(len(item)>>8), byte(len(item)))
		out = append(out, item...)
	}
	return out
}

func TestChallengesAreHashesOfFrames(t *testing.T) {
	tr := New("label")
	tr.Append("name", []byte("data"))
	tr.AppendUint64("number", 258)
	first := tr.Challenge("first")

	raw := framed("label", "name", "data", "number", "\x00\x00\x00\x00\x00\x00\x01\x02", "first")
	if first != sha512.Sum512(raw) {
		t.Errorf("first challenge %x", first)
	}
	tr.Append("more", nil)
	second := tr.Challenge("second")
	raw = append(raw, framed(string(first[:]), "more", "", "second")...)
	if second != sha512.Sum512(raw) {
		t.Errorf("second challenge %x", second)
	}
}

// TestVector pins one challenge for implementations in other languages.
func TestVector(t *testing.T) {
	tr := New("votenode/v1/test")
	tr.Append("name", []byte{1, 2, 3})
	tr.AppendUint64("number", 1<<40)
	got := tr.Challenge("challenge")
	const want = "2adeae1593f66e9ab0b5d8d677672e17cf37656046322a489a22c1bc70c1f09d59bc03294bfca26ac30b87354d876886f20a214965de031f93cfc63c53e0334f"
	if hex.EncodeToString(got[:]) != want {
		t.Errorf("challenge %x, want %s", got, want)
	}
}

func TestCloneIsIndependent(t *testing.T) {
	a := New("label")
	a.Append("shared", []byte("x"))
	b := a.Clone()
	if a.Clone().Challenge("c") != b.Clone().Challenge("c") {
		t.Error("a clone differs from its origin")
	}
	b.Append("more", []byte("y"))
	if a.Challenge("c") == b.Challenge("c") {
		t.Error("a clone shares its state")
	}
}

func TestFramesAreUnambiguous(t *testing.T) {
	seen := make(map[[ChallengeSize]byte]int)
	for i, build := range []func() *Transcript{
		func() *Transcript { return New("a") },
		func() *Transcript { t := New("a"); t.Append("", nil); return t },
		func() *Transcript { t := New("a"); t.Append("b", []byte("c")); return t },
		func() *Transcript { t := New("a"); t.Append("bc", nil); return t },
		func() *Transcript { t := New("a"); t.Append("", []byte("bc")); return t },
		func() *Transcript { t := New("ab"); t.Append("", []byte("c")); return t },
		func() *Transcript { t := New("a"); t.Append("b", nil); t.Append("c", nil); return t },
		func() *Transcript { t := New("a"); t.AppendUint64("b", 'c'); return t },
	} {
		c := build().Challenge("x")
		if before, ok := seen[c]; ok {
			t.Errorf("transcripts %d and %d give one challenge", before, i)
		}
		seen[c] = i
	}
}

func TestFrameAndDigest(t *testing.T) {
	got := Frame("label", []byte("one"), nil, Uint64(7))
	want := framed("label", "one", "", "\x00\x00\x00\x00\x00\x00\x00\x07")
	if !bytes.Equal(got, want) {
		t.Errorf("Frame = %x, want %x", got, want)
	}
	if Digest("label", []byte("one"), nil, Uint64(7)) != sha256.Sum256(want) {
		t.Error("Digest is not SHA-256 of Frame")
	}
}

// TestLabels checks that the labels are well formed and no two the same, by reading the source: a new one cannot escape.
func TestLabels(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "labels.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	form, seen := regexp.MustCompile(`^"votenode/v1/[a-z0-9-]+"$`), make(map[string]string)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name == "Version" {
			return true
		}
		name, value := spec.Names[0].Name, spec.Values[0].(*ast.BasicLit).Value
		if !form.MatchString(value) {
			t.Errorf("%s = %s is not of the form votenode/v1/<use>", name, value)
		}
		if other, ok := seen[value]; ok {
			t.Errorf("%s and %s are both %s", name, other, value)
		}
		seen[value] = name
		return true
	})
	if len(seen) < 10 {
		t.Errorf("only %d labels found", len(seen))
	}
}
