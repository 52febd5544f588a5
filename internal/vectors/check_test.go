package vectors

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The files read back. What the check_*_test.go files ask of them takes nothing but the standard library: hashes, Ed25519, and what
// bytes_test.go says of frames and trees. So a mistake of those who made them is noticed by other means than ours.
type vectors struct {
	genesis      genesisFile
	blocks       blocksFile
	transactions transactionsFile
	states       statesFile
	ballots      ballotsFile
	ceremony     ceremonyFile
	tally        tallyFile
	lists        listsFile
	voters       votersFile
	paper        paperFile
	proofs       proofsFile
	receipts     receiptsFile
	negative     negativeFile
}

// part is a file of the vectors, with where it is read to and what checks it.
type part struct {
	name  string
	into  func(v *vectors) any
	check func(v *vectors) error
}

var parted = []part{
	{"genesis.json", func(v *vectors) any { return &v.genesis }, (*vectors).checkGenesis},
	{"blocks.json", func(v *vectors) any { return &v.blocks }, (*vectors).checkBlocks},
	{"transactions.json", func(v *vectors) any { return &v.transactions }, (*vectors).checkTransactions},
	{"states.json", func(v *vectors) any { return &v.states }, (*vectors).checkStates},
	{"ballots.json", func(v *vectors) any { return &v.ballots }, (*vectors).checkBallots},
	{"ceremony.json", func(v *vectors) any { return &v.ceremony }, (*vectors).checkCeremony},
	{"tally.json", func(v *vectors) any { return &v.tally }, (*vectors).checkTally},
	{"lists.json", func(v *vectors) any { return &v.lists }, (*vectors).checkLists},
	{"voters.json", func(v *vectors) any { return &v.voters }, (*vectors).checkVoters},
	{"paper.json", func(v *vectors) any { return &v.paper }, (*vectors).checkPaper},
	{"proofs.json", func(v *vectors) any { return &v.proofs }, (*vectors).checkProofs},
	{"receipts.json", func(v *vectors) any { return &v.receipts }, (*vectors).checkReceipts},
	{"negative.json", func(v *vectors) any { return &v.negative }, (*vectors).checkNegative},
}

func stored(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectorsPath, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read puts a file into its place, of which nothing stays.
func (p *part) read(v *vectors, b []byte) error {
	into := reflect.ValueOf(p.into(v)).Elem()
	into.SetZero()
	return strict(b, into.Addr().Interface())
}

// strict reads JSON that has the fields of v and no others.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func readAll(t testing.TB) *vectors {
	t.Helper()
	v := new(vectors)
	for _, p := range parted {
		if err := p.read(v, stored(t, p.name)); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
	}
	return v
}

// TestConsistent checks the files as they are.
func TestConsistent(t *testing.T) {
	v := readAll(t)
	for _, p := range parted {
		if err := p.check(v); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

// digits finds the byte strings of a file.
var digits = regexp.MustCompile(`"(?:[0-9a-f]{2}){8,}"`)

// field finds the names of the fields.
var field = regexp.MustCompile(`"([A-Za-z0-9_]+)": `)

// ofTheCurve are points that no hash of the vectors binds: who makes the files computes them and compares what follows from them.
var ofTheCurve = []string{"point", "M"}

// TestChangesAreNoticed changes one digit of a byte string at a time: the checks notice it wherever it stands.
func TestChangesAreNoticed(t *testing.T) {
	const every = 61 // a prime, so that all fields have their turn
	v := readAll(t)
	for _, p := range parted {
		if p.name == "negative.json" { // no check tells one thing that must be refused from another
			continue
		}
		good := stored(t, p.name)
		for i, at := range digits.FindAllIndex(good, -1) {
			if i%every != 0 {
				continue
			}
			names := field.FindAllSubmatch(good[max(0, at[0]-4096):at[0]], -1)
			if slices.Contains(ofTheCurve, string(names[len(names)-1][1])) {
				continue
			}
			b := bytes.Clone(good)
			if digit := &b[at[0]+1+i*7919%(at[1]-at[0]-2)]; *digit == 'a' {
				*digit = 'b'
			} else {
				*digit = 'a'
			}
			if err := p.read(v, b); err != nil {
				t.Fatal(err)
			}
			if p.check(v) == nil {
				t.Errorf("%s: nobody notices a change at %d: %s", p.name, at[0], b[max(0, at[0]-40):at[0]+20])
			}
		}
		if err := p.read(v, good); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForm: no file has anything empty where it must not be, and every byte string is in lower-case digits.
func TestForm(t *testing.T) {
	for _, p := range parted {
		var tree any
		d := json.NewDecoder(bytes.NewReader(stored(t, p.name)))
		d.UseNumber()
		if err := d.Decode(&tree); err != nil {
			t.Fatal(err)
		}
		checkForm(t, p.name, tree)
	}
}

// mayBeEmpty are the fields, at any depth, that are empty where there is nothing.
var mayBeEmpty = []string{
	"evidence", "precommits", "leaves", "codes", "written", "deleted", "logs", "voters", "changed_leaves", "path", "complaints", "hash", "leaf",
	"bytes", "value", "options",
}

func checkForm(t *testing.T, where string, v any) {
	empty := false
	switch x := v.(type) {
	case map[string]any:
		for name, inner := range x {
			if name != "fields" { // a message shows all its fields
				checkForm(t, where+"."+name, inner)
			}
		}
	case []any:
		empty = len(x) == 0
		for _, inner := range x {
			checkForm(t, where+"[]", inner)
		}
	case string:
		empty = x == ""
		if len(x) >= 32 && strings.Trim(strings.ToLower(x), "0123456789abcdef") == "" && (x != strings.ToLower(x) || len(x)%2 != 0) {
			t.Errorf("%s: %q", where, x)
		}
	case nil:
		t.Errorf("%s is null", where)
	}
	name := strings.TrimSuffix(where[strings.LastIndexByte(where, '.')+1:], "[]")
	if empty && !slices.Contains(mayBeEmpty, name) {
		t.Errorf("%s is empty", where)
	}
}

// same compares two byte strings.
func same(what string, got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s is %x, and must be %x", what, got, want)
	}
	return nil
}

// shown checks that the byte strings and texts of a message's fields stand in its bytes. Names of enumerations do not.
func shown(fields json.RawMessage, in []byte) error {
	var tree any
	if err := json.Unmarshal(fields, &tree); err != nil {
		return err
	}
	return shownValue(tree, in)
}

func shownValue(v any, in []byte) error {
	var list []error
	switch x := v.(type) {
	case map[string]any:
		for _, inner := range x {
			list = append(list, shownValue(inner, in))
		}
	case []any:
		for _, inner := range x {
			list = append(list, shownValue(inner, in))
		}
	case string:
		b, err := hex.DecodeString(x)
		if err != nil {
			b = []byte(x)
		}
		if enumeration := x == strings.ToUpper(x) && err != nil; !enumeration && !bytes.Contains(in, b) && !bytes.Contains(in, []byte(x)) {
			return fmt.Errorf("%q does not stand in the bytes", x)
		}
	}
	return errors.Join(list...)
}

// checkTranscript checks the challenges of a transcript, and that it goes on with each.
func checkTranscript(t transcriptVector) error {
	var list []error
	for _, c := range t.Challenges {
		if c.Hashed > len(t.Bytes) {
			return errors.New("a challenge of more than the transcript")
		}
		list = append(list, same("challenge "+c.Name, sha512Of(t.Bytes[:c.Hashed]), c.SHA512), same("scalar "+c.Name, reduced(c.SHA512), c.Scalar))
		if c.Hashed < len(t.Bytes) && !bytes.HasPrefix(t.Bytes[c.Hashed:], frame(c.SHA512)) {
			list = append(list, fmt.Errorf("the transcript does not go on with %s", c.Name))
		}
		if !bytes.HasSuffix(t.Bytes[:c.Hashed], frame([]byte(c.Name))) {
			list = append(list, fmt.Errorf("%s is not asked for", c.Name))
		}
	}
	return errors.Join(list...)
}
