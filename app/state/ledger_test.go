package state

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// model is the state as plain maps.
type model struct {
	records map[string][]byte
	logs    map[string][][]byte
	voters  map[string][][]byte
	index   map[string][]byte
}

func newModel() *model {
	return &model{map[string][]byte{}, map[string][][]byte{}, map[string][][]byte{}, map[string][]byte{}}
}

func (m *model) clone() *model {
	c := &model{maps.Clone(m.records), maps.Clone(m.logs), maps.Clone(m.voters), maps.Clone(m.index)}
	for id, leaves := range c.logs {
		c.logs[id] = slices.Clone(leaves)
	}
	for id, leaves := range c.voters {
		c.voters[id] = slices.Clone(leaves)
	}
	return c
}

// finish writes the heads, as Draft.Finish does, and returns the AppHash by definition.
func (m *model) finish() Hash {
	for id, leaves := range m.logs {
		m.records["log/"+id] = naiveHead(leaves)
	}
	for id, leaves := range m.voters {
		m.records["election/"+id+"/voters"] = naiveHead(leaves)
	}
	_, leaves := naiveRecords(m.records)
	return mth(leaves)
}

var (
	testKeys      = []string{"a", "b", "election/p/sum/00001", "election/p/sum/00002", "election/p/voterz", "logs", "m", "z/1", "z/2", "~"}
	testLogs      = []string{"blocks", "election/p/ballots"}
	testElections = []string{"p", "q"}
)

// write does one random thing to a draft and to its model.
func (m *model) write(t *rapid.T, d *Draft, n int) {
	value := func() []byte { return fmt.Appendf(nil, "%d/%d", d.Height(), n) }
	switch rapid.SampledFrom([]string{"set", "set", "delete", "append", "append", "create", "voter", "voter", "index"}).Draw(t, "op") {
	case "set":
		key := rapid.SampledFrom(testKeys).Draw(t, "key")
		v := rapid.SampledFrom([][]byte{value(), nil, []byte("same")}).Draw(t, "value")
		d.SetRecord(key, v)
		m.records[key] = append([]byte{}, v...)
	case "delete":
		key := rapid.SampledFrom(testKeys).Draw(t, "key")
		d.DeleteRecord(key)
		delete(m.records, key)
	case "append":
		id := rapid.SampledFrom(testLogs).Draw(t, "log")
		for range rapid.SampledFrom([]int{1, 3, 100}).Draw(t, "leaves") {
			if i := d.Append(id, value()); i != uint64(len(m.logs[id])) {
				t.Fatalf("leaf %d of %s got index %d", len(m.logs[id]), id, i)
			}
			m.logs[id] = append(m.logs[id], value())
		}
	case "create":
		id := rapid.SampledFrom(testElections).Draw(t, "election")
		if m.voters[id] == nil {
			size := rapid.IntRange(1, 60).Draw(t, "size")
			d.CreateVoters(id, uint64(size))
			m.voters[id] = make([][]byte, size)
		}
	case "voter":
		id := rapid.SampledFrom(testElections).Draw(t, "election")
		if n := len(m.voters[id]); n > 0 {
			i := rapid.IntRange(0, n-1).Draw(t, "voter")
			leaf := rapid.SampledFrom([][]byte{value(), {}}).Draw(t, "leaf")
			d.SetVoter(id, uint64(i), leaf)
			m.voters[id][i] = leaf
		}
	case "index":
		key := rapid.SampledFrom(testKeys).Draw(t, "key")
		v := rapid.SampledFrom([][]byte{value(), nil}).Draw(t, "value")
		d.SetIndex([]byte(key), v)
		m.index[key] = v
	}
}

// check compares every read of a view with the model.
func (m *model) check(t *rapid.T, v View) {
	same := func(what string, got, want []byte, err error) {
		if err != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Fatalf("%s is %q, want %q (%v)", what, got, want, err)
		}
	}
	for _, key := range testKeys {
		got, err := v.Record(key)
		same("record "+key, got, m.records[key], err)
		got, err = v.Index([]byte(key))
		same("index "+key, got, m.index[key], err)
	}
	for _, prefix := range []string{"", "election/p/", "election/p/sum/", "z/", "~", "nothing"} {
		var got, want []string
		err := v.Records(prefix, func(key string, value []byte) error {
			if !strings.HasPrefix(key, "log/") && !strings.HasSuffix(key, "/voters") {
				got = append(got, key+"="+string(value))
			}
			return nil
		})
		keys, _ := naiveRecords(m.records)
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) && !strings.HasPrefix(key, "log/") && !strings.HasSuffix(key, "/voters") {
				want = append(want, key+"="+string(m.records[key]))
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("records %q are %q, want %q (%v)", prefix, got, want, err)
		}
	}
	for _, id := range testLogs {
		head, err := v.Head(id)
		if n := uint64(len(m.logs[id])); err != nil || head != (Head{n, mth(m.logs[id])}) {
			t.Fatalf("head of log %s is %v (%v)", id, head, err)
		} else if _, err := v.Leaf(id, n); !errors.Is(err, ErrNotFound) {
			t.Fatalf("leaf %d of %d: %v", n, n, err)
		}
		err = v.Leaves(id, 0, head.Size, func(i uint64, leaf []byte) error {
			same(fmt.Sprintf("leaf %d of log %s", i, id), leaf, m.logs[id][i], nil)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range testElections {
		if n := v.Voters(id); n != uint64(len(m.voters[id])) {
			t.Fatalf("%d voters of %s", n, id)
		}
		for i, want := range m.voters[id] {
			if len(want) == 0 {
				want = nil
			}
			got, err := v.Voter(id, uint64(i))
			same(fmt.Sprintf("voter %d of %s", i, id), got, want, err)
		}
		if _, err := v.Voter(id, v.Voters(id)); !errors.Is(err, ErrNotFound) {
			t.Fatalf("voter beyond the last: %v", err)
		}
	}
}

// prove checks a proof of everything there is and of some things that are not.
func (m *model) prove(t *rapid.T, s *Snapshot) {
	for _, key := range append([]string{"A", "c", "election/p/sum/000015", "~~"}, testKeys...) {
		p, err := s.ProveRecord(key)
		if err != nil {
			t.Fatal(err)
		}
		value, err := VerifyRecord(s.AppHash(), key, p)
		absent := VerifyAbsence(s.AppHash(), key, p)
		if want, ok := m.records[key]; ok && (err != nil || absent == nil || !bytes.Equal(value, want)) {
			t.Fatalf("record %s: %q, %v, absent: %v", key, value, err, absent)
		} else if !ok && (err == nil || absent != nil) {
			t.Fatalf("no record %s: %v, absent: %v", key, err, absent)
		}
	}
	for id, leaves := range m.voters {
		head, err := ParseHead(m.records[VotersKey(id)])
		if err != nil {
			t.Fatal(err)
		}
		for i, leaf := range leaves {
			path, err := s.ProveVoter(id, uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifyInclusion(head, uint64(i), leaf, path); err != nil {
				t.Fatalf("voter %d of %s: %v", i, id, err)
			}
		}
	}
	for id, leaves := range m.logs {
		head, err := ParseHead(m.records[LogKey(id)])
		if err != nil {
			t.Fatal(err)
		}
		i := rapid.IntRange(0, len(leaves)-1).Draw(t, "leaf")
		path, err := s.ProveInclusion(id, uint64(i), head.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyInclusion(head, uint64(i), leaves[i], path); err != nil {
			t.Fatalf("leaf %d of %s: %v", i, id, err)
		}
	}
}

// Random heights over the plain maps: drafts that are dropped leave no trace, every read and every root is the defined one,
// kept snapshots never change, and opening again gives the same.
func TestLedgerAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backend := new(Memory)
		l, err := Open(backend)
		if err != nil {
			t.Fatal(err)
		}
		committed := newModel()
		var roots []Hash
		for range rapid.IntRange(1, 8).Draw(t, "heights") {
			d := l.NewGenesis()
			if l.Newest() != nil {
				d = l.NewDraft()
			}
			m := committed.clone()
			for n := range rapid.IntRange(0, 12).Draw(t, "writes") {
				m.write(t, d, n)
			}
			m.check(t, d)
			b, err := d.Finish()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := b.AppHash(), m.finish(); got != want {
				t.Fatalf("AppHash %x, want %x", got, want)
			}
			if !slices.IsSortedFunc(b.Changes(), func(a, b Change) int { return bytes.Compare(a.Key, b.Key) }) {
				t.Fatal("the changes are not sorted")
			}
			if rapid.Bool().Draw(t, "drop") {
				continue
			}
			if err := l.Commit(b); err != nil {
				t.Fatal(err)
			}
			committed, roots = m, append(roots, b.AppHash())
			if rapid.Bool().Draw(t, "reopen") {
				if l, err = Open(backend); err != nil {
					t.Fatal(err)
				}
			}
			m.check(t, l.Newest())
			m.prove(t, l.Newest())
		}
		for h, root := range roots {
			if s, err := l.At(int64(h)); err == nil && s.AppHash() != root {
				t.Fatalf("the snapshot of height %d has changed", h)
			}
		}
	})
}

// simple writes a height with a bit of everything.
func simple(d *Draft) {
	if d.Height() == 0 {
		d.CreateVoters("p", 50)
	}
	d.SetRecord("chain", fmt.Append(nil, d.Height()))
	for range 300 {
		d.Append("blocks", fmt.Append(nil, d.Height()))
	}
	d.SetVoter("p", uint64(d.Height())%50, []byte("voted"))
	d.SetIndex([]byte("i"), []byte{1})
}

// grow commits heights until the newest is height.
func grow(t *testing.T, l *Ledger, height int64) {
	t.Helper()
	for l.Newest() == nil || l.Newest().Height() < height {
		d := l.NewGenesis()
		if l.Newest() != nil {
			d = l.NewDraft()
		}
		simple(d)
		b, err := d.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Commit(b); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKeptSnapshots(t *testing.T) {
	l, err := Open(new(Memory))
	if err != nil {
		t.Fatal(err)
	}
	if l.Newest() != nil {
		t.Fatal("a snapshot of nothing")
	}
	grow(t, l, 40)
	for h := int64(-1); h <= 42; h++ {
		s, err := l.At(h)
		if kept := h > 40-Kept && h <= 40; kept != (err == nil) || err != nil && !errors.Is(err, ErrPruned) {
			t.Fatalf("height %d: %v", h, err)
		} else if kept && s.Height() != h {
			t.Fatalf("height %d: got %d", h, s.Height())
		}
	}
}

func TestCommitTakesOnlyTheNext(t *testing.T) {
	l, err := Open(new(Memory))
	if err != nil {
		t.Fatal(err)
	}
	grow(t, l, 3)
	var blocks []*Block
	for range 2 {
		d := l.NewDraft()
		d.SetRecord("a", []byte{1})
		b, err := d.Finish()
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, b)
	}
	if blocks[0].AppHash() != blocks[1].AppHash() {
		t.Error("two equal drafts, two AppHashes")
	}
	if err := l.Commit(blocks[0]); err != nil {
		t.Fatal(err)
	}
	other, err := Open(new(Memory))
	if err != nil {
		t.Fatal(err)
	}
	grow(t, other, 4)
	b, err := other.NewDraft().Finish()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range append(blocks, b) {
		if err := l.Commit(b); !errors.Is(err, ErrMisuse) {
			t.Errorf("a stale block: %v", err)
		}
	}
}

func TestGenesisAgain(t *testing.T) {
	backend := new(Memory)
	genesis := func(l *Ledger, value string) error {
		d := l.NewGenesis()
		d.SetRecord("chain", []byte(value))
		b, err := d.Finish()
		if err != nil {
			t.Fatal(err)
		}
		return l.Commit(b)
	}
	for range 3 {
		l, err := Open(backend)
		if err != nil {
			t.Fatal(err)
		}
		if err := genesis(l, "one"); err != nil {
			t.Fatal(err)
		}
		if err := genesis(l, "two"); !errors.Is(err, ErrMisuse) {
			t.Fatalf("another genesis: %v", err)
		}
	}
	l, err := Open(backend)
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.NewDraft().Finish()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(b); err != nil {
		t.Fatal(err)
	}
	if err := genesis(l, "one"); !errors.Is(err, ErrMisuse) {
		t.Fatalf("genesis after a block: %v", err)
	}
}

func TestMisuse(t *testing.T) {
	l, err := Open(new(Memory))
	if err != nil {
		t.Fatal(err)
	}
	grow(t, l, 1)
	want := l.Newest().AppHash()
	for name, write := range map[string]func(*Draft){
		"empty key":         func(d *Draft) { d.SetRecord("", nil) },
		"space in key":      func(d *Draft) { d.SetRecord("a b", nil) },
		"byte in key":       func(d *Draft) { d.SetRecord("a\x00", nil) },
		"long key":          func(d *Draft) { d.SetRecord(strings.Repeat("a", MaxRecordKey+1), nil) },
		"large value":       func(d *Draft) { d.SetRecord("a", make([]byte, MaxRecordValue+1)) },
		"a log's head":      func(d *Draft) { d.SetRecord("log/blocks", nil) },
		"deleting a head":   func(d *Draft) { d.DeleteRecord("log/blocks") },
		"a voters' root":    func(d *Draft) { d.SetRecord("election/p/voters", nil) },
		"a log without id":  func(d *Draft) { d.Append("a\n", nil) },
		"voters again":      func(d *Draft) { d.CreateVoters("p", 50) },
		"no voters":         func(d *Draft) { d.CreateVoters("q", 0) },
		"too many voters":   func(d *Draft) { d.CreateVoters("q", MaxVoters+1) },
		"election of parts": func(d *Draft) { d.CreateVoters("q/r", 1) },
		"no such voter":     func(d *Draft) { d.SetVoter("p", 50, nil) },
		"no such election":  func(d *Draft) { d.SetVoter("q", 0, nil) },
		"empty index key":   func(d *Draft) { d.SetIndex(nil, nil) },
	} {
		d := l.NewDraft()
		write(d)
		if _, err := d.Finish(); !errors.Is(err, ErrMisuse) {
			t.Errorf("%s: %v", name, err)
		}
		d.misuse = nil
		if b, err := d.Finish(); err != nil || b.AppHash() != want {
			t.Errorf("%s left a trace: %v", name, err)
		}
	}
}

// Every stored byte that a tree stands for is missed, or noticed when it is changed, at the latest when it is read.
func TestCorruptedStore(t *testing.T) {
	backend := new(Memory)
	l, err := Open(backend)
	if err != nil {
		t.Fatal(err)
	}
	grow(t, l, 4)
	readAll := func() error {
		l, err := Open(backend)
		if err != nil {
			return err
		}
		s := l.Newest()
		for i := range uint64(50) {
			if _, err := s.Voter("p", i); err != nil {
				return err
			}
		}
		return nil
	}
	if err := readAll(); err != nil {
		t.Fatal(err)
	}
	head, _ := l.Newest().Head("blocks")
	tried := 0
	for kind, values := range backend.kinds {
		for rest, value := range values {
			key := append([]byte{byte(kind)}, rest...)
			if byte(kind) == keyIndex || byte(kind) == keyLeaf && bytes.Compare(key, numbered(keyLeaf, "blocks", head.Size/tileWidth*tileWidth)) < 0 {
				continue // nothing hashes the index; older leaves are under their tile
			}
			for _, bad := range [][]byte{nil, append([]byte{value[0] ^ 1}, value[1:]...), append(slices.Clone(value), 0)} {
				values[rest] = bad
				if bad == nil {
					delete(values, rest)
				}
				if err := readAll(); !errors.Is(err, ErrCorrupted) {
					t.Errorf("key %q with %d bytes: %v", key, len(bad), err)
				}
				tried++
			}
			values[rest] = value
		}
	}
	s := l.Newest()
	backend.kinds[keyVoter][string(numbered(keyVoter, "p", 2)[1:])] = []byte("another")
	if _, err := s.Voter("p", 2); !errors.Is(err, ErrCorrupted) {
		t.Errorf("a voter's leaf that changed under the ledger: %v", err)
	}
	backend.kinds[keyRecord]["chain"] = []byte("another")
	if _, err := s.Record("chain"); !errors.Is(err, ErrCorrupted) {
		t.Errorf("a record that changed under the ledger: %v", err)
	}
	if err := s.Records("c", func(string, []byte) error { return nil }); !errors.Is(err, ErrCorrupted) {
		t.Errorf("a record that changed under the ledger: %v", err)
	}
	delete(backend.kinds[keyLeaf], string(numbered(keyLeaf, "blocks", 0)[1:]))
	if _, err := s.Leaf("blocks", 0); !errors.Is(err, ErrCorrupted) {
		t.Errorf("a leaf that is gone: %v", err)
	}
	if tried < 200 {
		t.Errorf("only %d faults", tried)
	}
}

// Any number of goroutines read what is published while heights are committed; run with -race.
func TestReadersDuringCommits(t *testing.T) {
	l, err := Open(new(Memory))
	if err != nil {
		t.Fatal(err)
	}
	grow(t, l, 0)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				s := l.Newest()
				_, err := s.Record("chain")
				if err != nil && !errors.Is(err, ErrPruned) {
					t.Error(err)
					return
				}
				head, _ := s.Head("blocks")
				leaf := fmt.Append(nil, s.Height())
				path, err := s.ProveInclusion("blocks", head.Size-1, head.Size)
				if err == nil {
					err = VerifyInclusion(head, head.Size-1, leaf, path)
				}
				if err != nil && !errors.Is(err, ErrPruned) {
					t.Error(err)
					return
				}
			}
		})
	}
	grow(t, l, 60)
	close(stop)
	wg.Wait()
}

// Whoever keeps the newest snapshot only goes on from it as from any.
func TestKeepNewest(t *testing.T) {
	l, err := Open(new(Memory))
	if err != nil {
		t.Fatal(err)
	}
	l.KeepNewest()
	for h := range int64(5) {
		grow(t, l, h)
		l.KeepNewest()
		if l.Newest().Height() != h {
			t.Errorf("height %d instead of %d", l.Newest().Height(), h)
		}
		if _, err := l.At(h - 1); !errors.Is(err, ErrPruned) {
			t.Errorf("height %d is kept: %v", h-1, err)
		}
	}
}
