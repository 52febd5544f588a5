// Package vectors writes docs/spec/vectors: a whole small election in JSON, for somebody who builds a second verifier from docs/spec and
// never reads our code. It holds tests only.
//
// All but paper.json comes from the record in verify/audit/testdata, whose bytes are checked in, so the files are the same in every run; of the
// ledger of paper.json only bytes that follow from no random ones are shown. What is hashed,
// signed or proven is put together here from the text of the specification and compared with what the record holds; files that read
// and check the vectors (check_*_test.go) use nothing but the standard library.
//
// Source: docs/spec. `go test ./internal/vectors -run TestVectors -update` writes the files anew.
package vectors

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write docs/spec/vectors anew")

var vectorsPath = filepath.Join("..", "..", "docs", "spec", "vectors")

func files() fs.FS { return os.DirFS(recordPath) }

func typeName(v any) string { return fmt.Sprintf("%T", v) }

// made are the files, and who makes them.
var made = []struct {
	name string
	make func(*world) any
}{
	{"genesis.json", (*world).genesisFile},
	{"blocks.json", (*world).blocksFile},
	{"transactions.json", (*world).transactionsFile},
	{"states.json", (*world).statesFile},
	{"ballots.json", (*world).ballotsFile},
	{"ceremony.json", (*world).ceremonyFile},
	{"tally.json", (*world).tallyFile},
	{"lists.json", (*world).listsFile},
	{"voters.json", (*world).votersFile},
	{"paper.json", (*world).paperFile},
	{"proofs.json", (*world).proofsFile},
	{"receipts.json", (*world).receiptsFile},
	{"negative.json", (*world).negativeFile},
}

// TestVectors makes all files anew and compares them with those that are checked in; -update writes them.
func TestVectors(t *testing.T) {
	w := newWorld(t)
	for _, f := range made {
		b, err := json.MarshalIndent(f.make(w), "", "  ")
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		b = append(b, '\n')
		path := filepath.Join(vectorsPath, f.name)
		if *update {
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		stored, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(stored, b) {
			t.Errorf("%s is not what is made; look at the difference, then run with -update", f.name)
		}
	}
}
