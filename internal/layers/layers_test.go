// Package layers holds the source tree to its architecture: arrows between packages point down only, the deterministic core touches
// no clock, no disk, no network and no random source, and every package says what it is for. It reads the sources and runs nothing.
package layers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "votenode/"

// rooms are the folders with their layers (ARCHITECTURE.md). A package belongs to the room with the longest matching name. It may import
// packages of lower rooms and of its own room, never of another room of the same layer.
var rooms = map[string]int{
	"proto":            -1,
	"crypto":           0,
	"app/text":         0,
	"app/election":     1,
	"app/organisation": 1,
	"app/state":        2,
	"app/tx":           2,
	"app":              3,
	"store":            4,
	"genesis":          4,
	"verify":           4,
	"abci":             5,
	"client":           5,
	"node":             6,
	"internal":         7,
	"cmd":              8,
}

// core is the highest layer that must be deterministic: a function of its arguments.
const core = 3

// outside are the packages, and all below them, that the core never imports: randomness comes in as an io.Reader, time as a number.
var outside = []string{
	"C", "crypto/rand", "log", "math/rand", "net", "os", "plugin", "syscall", "testing", "unsafe",
	"github.com/cometbft/cometbft", "github.com/cometbft/cometbft-db", "github.com/dgraph-io", "github.com/prometheus",
	"go.opentelemetry.io", "github.com/spf13", "github.com/schollz",
}

// clocks are the functions of package time that read or follow a clock.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

// testOnly are packages for tests; nothing that is released imports them.
var testOnly = []string{"testing", "pgregory.net/rapid", "github.com/rogpeppe/go-internal", "github.com/santhosh-tekuri/jsonschema", "github.com/stretchr/testify"}

var bannedNames = []string{"util", "utils", "common", "helpers", "types", "misc"}

type file struct {
	pkg  string // folder, relative to the root of the module
	name string
	test bool
	ast  *ast.File
}

// source parses every Go file of the module.
func source(t *testing.T) []file {
	t.Helper()
	var files []file
	fset := token.NewFileSet()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		files = append(files, file{path.Dir(relative), relative, strings.HasSuffix(name, "_test.go"), parsed})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d Go files found", len(files))
	}
	return files
}

func (f file) imports(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, spec := range f.ast.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(f.name, err)
		}
		out = append(out, name)
	}
	return out
}

// room returns the room of a folder.
func room(t *testing.T, pkg string) string {
	t.Helper()
	for name := pkg; name != "."; name = path.Dir(name) {
		if _, ok := rooms[name]; ok {
			return name
		}
	}
	t.Fatalf("%s belongs to no layer: name it in the table of this test and in ARCHITECTURE.md", pkg)
	return ""
}

// within reports whether an import path is one of the names or lies below one.
func within(name string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return name == n || strings.HasPrefix(name, n+"/") })
}

func TestArrowsPointDown(t *testing.T) {
	for _, f := range source(t) {
		own := room(t, f.pkg)
		for _, name := range f.imports(t) {
			if !strings.HasPrefix(name, module) || f.test {
				continue
			}
			other := room(t, strings.TrimPrefix(name, module))
			if own != other && rooms[other] >= rooms[own] {
				t.Errorf("%s (layer %d) imports %s (layer %d): arrows point down only", f.name, rooms[own], name, rooms[other])
			}
		}
	}
}

func TestCoreIsDeterministic(t *testing.T) {
	for _, f := range source(t) {
		if f.test || rooms[room(t, f.pkg)] > core || rooms[room(t, f.pkg)] < 0 {
			continue
		}
		for _, spec := range f.ast.Imports {
			if spec.Name != nil && spec.Name.Name == "." {
				t.Errorf("%s imports %s into its own names", f.name, spec.Path.Value)
			}
		}
		for _, name := range f.imports(t) {
			if within(name, outside) {
				t.Errorf("%s imports %s: layers 0 to %d take randomness as an io.Reader, time as a value and know no disk, network or log", f.name, name, core)
			}
		}
		for _, use := range clockUses(f) {
			t.Errorf("%s uses %s: layers 0 to %d know the block time only", f.name, use, core)
		}
	}
}

// clockUses returns the uses of a clock in a file, under whatever name it imports package time.
func clockUses(f file) []string {
	local := ""
	for _, spec := range f.ast.Imports {
		if spec.Path.Value == `"time"` {
			local = "time"
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	var uses []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && local != "" {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == local && slices.Contains(clocks, s.Sel.Name) {
				uses = append(uses, "time."+s.Sel.Name)
			}
		}
		return true
	})
	return uses
}

func TestReleasedCodeImportsNoTestPackage(t *testing.T) {
	for _, f := range source(t) {
		for _, name := range f.imports(t) {
			if !f.test && within(name, testOnly) && !strings.HasPrefix(f.pkg, "internal/") {
				t.Errorf("%s imports %s", f.name, name)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	comment := map[string]bool{}
	for _, f := range source(t) {
		name := strings.TrimSuffix(f.ast.Name.Name, "_test")
		if slices.Contains(bannedNames, name) {
			t.Errorf("%s: package %s says nothing; name it after what it is for", f.name, name)
		}
		if room(t, f.pkg) != "proto" {
			comment[f.pkg] = comment[f.pkg] || f.ast.Doc.Text() != ""
		}
	}
	for pkg, ok := range comment {
		if !ok {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

// The test can fail: each rule, held against a file that breaks it.
func TestRulesBite(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nimport clock \"time\"\nvar now = clock.Now\nvar d clock.Duration\n", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := clockUses(file{ast: parsed}); !slices.Equal(got, []string{"time.Now"}) {
		t.Errorf("clock uses: %v", got)
	}
	for name, want := range map[string]bool{"net/http": true, "net": true, "network": false, "math/rand/v2": true, "math/bits": false, "github.com/dgraph-io/badger/v4": true} {
		if within(name, outside) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	if room(t, "app/state") != "app/state" || room(t, "app") != "app" || room(t, "client/trustee") != "client" {
		t.Error("rooms")
	}
}

// Ballots without verification are the auditor's alone: everybody else would take them on trust.
func TestOnlyTheAuditorVouches(t *testing.T) {
	used, users := map[string]bool{}, map[string]string{"Vouched": "verify/audit", "ParseWithoutProof": "app/tx"}
	for _, f := range source(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok || users[s.Sel.Name] == "" || f.test {
				return true
			}
			used[s.Sel.Name] = true
			if f.pkg != users[s.Sel.Name] {
				t.Errorf("%s uses %s", f.name, s.Sel.Name)
			}
			return true
		})
	}
	for name := range users {
		if !used[name] {
			t.Errorf("nobody uses %s: remove it", name)
		}
	}
}
