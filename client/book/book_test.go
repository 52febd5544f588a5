package book

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"votenode/client"
	"votenode/client/keyfile"
	"votenode/crypto/ballot"
)

var someone = owner{GenesisHash: strings.Repeat("ab", 32), Election: "primary", RollIndex: 7}

// start opens a book for someone.
func start(t *testing.T, path string) *Book {
	t.Helper()
	b, err := open(path, someone)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *Book) entries(t *testing.T) []Entry {
	t.Helper()
	list, err := b.Entries()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func code(n byte) string { return ballot.FormatCode([32]byte{n}) }

func point(n byte) string { return hex.EncodeToString(append([]byte{n}, make([]byte, 31)...)) }

func TestNotesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	b := start(t, path)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("a book was made before there was anything to note")
	}
	b.now = func() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 5, time.UTC) }
	for _, err := range []error{b.Cast(1, [32]byte{1}), b.Challenged(2, [32]byte{2}, [32]byte{3}), b.Add([32]byte{4}), b.AddChallenge(9)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	noon := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	want := []Entry{
		{Cast, 1, code(1), "", 0, noon}, {Challenged, 2, code(2), point(3), 0, noon},
		{Elsewhere, 0, code(4), "", 0, noon}, {Elsewhere, 9, "", "", 0, noon},
	}
	if got := start(t, path).entries(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	before, _ := os.ReadFile(path)
	b.now = time.Now
	if err := b.Cast(1, [32]byte{1}); err != nil || len(b.entries(t)) != 4 {
		t.Errorf("noted twice: %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("what is noted already was written again")
	}
	if b.AddChallenge(0) == nil {
		t.Error("number 0")
	}
	files, _ := os.ReadDir(filepath.Dir(path))
	if len(files) != 2 {
		t.Errorf("files left over: %v", files)
	}
}

func TestPagesAreApart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	if err := start(t, path).Cast(1, [32]byte{1}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(o *owner){
		"ledger":   func(o *owner) { o.GenesisHash = strings.Repeat("cd", 32) },
		"election": func(o *owner) { o.Election = "secondary" },
		"voter":    func(o *owner) { o.RollIndex++ },
	} {
		o := someone
		change(&o)
		b, err := open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.entries(t)) != 0 {
			t.Errorf("another %s has the same entries", name)
		}
		if err := b.Cast(2, [32]byte{2}); err != nil {
			t.Error(err)
		}
	}
	if got := start(t, path).entries(t); len(got) != 1 || got[0].Code != code(1) {
		t.Errorf("got %v", got)
	}
}

// Every damage is seen when the book is opened, and nothing is written over it.
func TestDamagedBooks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	b := start(t, path)
	for _, err := range []error{b.Cast(1, [32]byte{1}), b.Challenged(2, [32]byte{2}, [32]byte{3}), b.Add([32]byte{4})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := open(path, someone); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if err := b.Cast(9, [32]byte{9}); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: a ballot was noted: %v", name, err)
		}
		if now, _ := os.ReadFile(path); string(now) != string(data) {
			t.Errorf("%s: the file was written over", name)
		}
	}
	for n := range len(whole) - 2 { // all but the last bracket and the end of the line
		refused(fmt.Sprintf("torn at %d", n), whole[:n])
	}
	refused("tail", append(whole, "{}"...))
	for name, change := range map[string]func(f map[string]any, p map[string]any, e map[string]any){
		"version":        func(f, p, e map[string]any) { f["votenode_book"] = 2 },
		"field":          func(f, p, e map[string]any) { f["name"] = "x" },
		"field of page":  func(f, p, e map[string]any) { p["secret_key"] = "x" },
		"field of entry": func(f, p, e map[string]any) { e["randomness"] = "x" },
		"null page":      func(f, p, e map[string]any) { f["voters"] = []any{nil} },
		"twice":          func(f, p, e map[string]any) { f["voters"] = []any{p, p} },
		"genesis hash":   func(f, p, e map[string]any) { p["genesis_hash"] = strings.Repeat("AB", 32) },
		"short hash":     func(f, p, e map[string]any) { p["genesis_hash"] = "ab" },
		"election":       func(f, p, e map[string]any) { p["election"] = "Primary 1" },
		"negative index": func(f, p, e map[string]any) { p["roll_index"] = -1 },
		"place": func(f, p, e map[string]any) {
			p["log"] = map[string]any{"size": 3, "hashes": [][]byte{make([]byte, 32)}}
		},
		"hash of place": func(f, p, e map[string]any) {
			p["log"] = map[string]any{"size": 2, "hashes": [][]byte{make([]byte, 31)}}
		},
		"kind":           func(f, p, e map[string]any) { e["kind"] = "stolen" },
		"no kind":        func(f, p, e map[string]any) { delete(e, "kind") },
		"no sequence":    func(f, p, e map[string]any) { delete(e, "sequence") },
		"no code":        func(f, p, e map[string]any) { delete(e, "confirmation_code") },
		"no C_0":         func(f, p, e map[string]any) { delete(e, "c0") },
		"code":           func(f, p, e map[string]any) { e["confirmation_code"] = "hello" },
		"code otherwise": func(f, p, e map[string]any) { e["confirmation_code"] = strings.ToUpper(code(2)) },
		"C_0":            func(f, p, e map[string]any) { e["c0"] = "00" },
		"height":         func(f, p, e map[string]any) { e["height"] = 1 },
		"negative":       func(f, p, e map[string]any) { e["height"] = -1 },
		"no time":        func(f, p, e map[string]any) { delete(e, "time") },
		"time":           func(f, p, e map[string]any) { e["time"] = "yesterday" },
		"cast with C_0":  func(f, p, e map[string]any) { e["kind"] = "cast" },
		"elsewhere":      func(f, p, e map[string]any) { e["kind"] = "elsewhere" },
		"foreign":        func(f, p, e map[string]any) { e["kind"], e["height"] = "foreign", 1 },
		"foreign when": func(f, p, e map[string]any) {
			e["kind"] = "foreign"
			delete(e, "c0")
		},
	} {
		var f map[string]any
		if err := json.Unmarshal(whole, &f); err != nil {
			t.Fatal(err)
		}
		p := f["voters"].([]any)[0].(map[string]any)
		change(f, p, p["ballots"].([]any)[1].(map[string]any))
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		refused(name, data)
	}
	refused("not JSON", []byte("codes"))
	refused("empty", nil)
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if len(start(t, path).entries(t)) != 3 {
		t.Error("the whole book is not what it was")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := open(path, someone); !errors.Is(err, keyfile.ErrPermissions) {
		t.Errorf("a book that others can read: %v", err)
	}
}

// A program that was killed while it wrote leaves a temporary file, and the book as it was.
func TestKilledWhileWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	b := start(t, path)
	if err := b.Cast(1, [32]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), ".b.json.123"), []byte(`{"votenode_book":1,`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(t, path).Cast(2, [32]byte{2}); err != nil || len(b.entries(t)) != 2 {
		t.Errorf("%v, %v", b.entries(t), err)
	}
}

func TestWritersTakeTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	const writers, each = 6, 8
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			b, err := open(path, someone) // locks are of open files, so that this is as good as a process
			if err != nil {
				t.Error(err)
				return
			}
			b.patience = time.Minute
			for i := range each {
				if err := b.Cast(uint64(i+1), [32]byte{byte(w), byte(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	if got := start(t, path).entries(t); len(got) != writers*each {
		t.Errorf("%d of %d entries are left", len(got), writers*each)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	b := start(t, path)
	held, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	b.patience = 0
	if err := b.Cast(1, [32]byte{1}); !errors.Is(err, ErrInUse) || len(b.entries(t)) != 0 {
		t.Errorf("noted in spite of the lock: %v", err)
	}
	held.Close()
	if err := b.Cast(1, [32]byte{1}); err != nil {
		t.Error(err)
	}
	nowhere := start(t, filepath.Join(t.TempDir(), "none", "b.json"))
	if err := nowhere.Cast(1, [32]byte{1}); err == nil || errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "--book") {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestFullBook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	f := &file{Version: Version}
	write := func() {
		t.Helper()
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := someone
	other.Election = "secondary"
	p := f.page(other)
	for i := range MaxEntries - 1 {
		e := Entry{Kind: Cast, Sequence: uint64(i + 1), Code: ballot.FormatCode([32]byte{byte(i), byte(i >> 8)}), Time: time.Now()}
		p.Ballots = append(p.Ballots, e)
	}
	write()
	b := start(t, path)
	if err := b.Cast(1, [32]byte{0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	if err := b.Cast(2, [32]byte{0xff, 0xfe}); !errors.Is(err, ErrFull) || len(b.entries(t)) != 1 {
		t.Errorf("an entry too many: %v", err)
	}
	// The largest book can be read again.
	if data, err := os.ReadFile(path); err != nil || len(data) > keyfile.MaxSize {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	p.Ballots = append(p.Ballots, p.Ballots[:2]...)
	write()
	if _, err := open(path, someone); !errors.Is(err, ErrFormat) {
		t.Errorf("a book with too many entries: %v", err)
	}
}

// The place in the log is written now and then only, and survives.
func TestPlaceIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	b := start(t, path)
	look := func(size uint64) {
		t.Helper()
		b.place = client.Place{Size: size, Hashes: [][]byte{make([]byte, 32)}}
		if err := b.compare(sight(3), nil); err != nil {
			t.Fatal(err)
		}
	}
	look(512)
	if _, err := os.Stat(path); err == nil {
		t.Error("written for a few leaves")
	}
	look(1024)
	if got := start(t, path).place.Size; got != 1024 {
		t.Errorf("place %d", got)
	}
	b = start(t, path)
	look(512)
	if got := start(t, path).place.Size; got != 1024 {
		t.Errorf("the place went back to %d", got)
	}
}
