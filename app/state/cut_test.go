package state

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

// cutWorld returns a ledger with logs, voters and records of all kinds that need several tiles, and what a test draws from it.
func cutWorld(t *testing.T, heights int) *Ledger {
	t.Helper()
	l, err := Open(new(Memory))
	if err != nil {
		t.Fatal(err)
	}
	growTo(t, l, 0, heights)
	return l
}

// growTo adds the heights from one on, below another.
func growTo(t *testing.T, l *Ledger, from, to int) {
	t.Helper()
	for h := from; h < to; h++ {
		var d *Draft
		if h > 0 {
			d = l.NewDraft()
		} else {
			d = l.NewGenesis()
			d.CreateVoters("primary", 700)
			d.CreateVoters("poll", 3)
		}
		for i := range 300 {
			index := d.Append("election/primary/ballots", bytes.Repeat([]byte{byte(i)}, 9_000+i))
			d.SetVoter("primary", index%700, fmt.Appendf(nil, "voter %d", index))
		}
		d.Append("blocks", fmt.Appendf(nil, "block %d", h))
		d.SetRecord("chain", []byte("chain"))
		d.SetRecord(fmt.Sprintf("document/%d", h), bytes.Repeat([]byte{byte(h)}, 200_000))
		d.SetRecord("empty", nil)
		b, err := d.Finish()
		if err == nil {
			err = l.Commit(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// cutOf returns the manifest and the chunks of a snapshot, from nothing or from those of an earlier one.
func cutOf(t *testing.T, s *Snapshot, before *pb.SnapshotManifest, old [][]byte) (*pb.SnapshotManifest, [][]byte) {
	t.Helper()
	var chunks [][]byte
	next := func(chunk int, content []byte) error {
		if chunk != len(chunks) {
			t.Fatalf("chunk %d after %d", chunk, len(chunks))
		}
		chunks = append(chunks, content)
		return nil
	}
	m, err := s.Cut(before, next, func(chunk, was int) error { return next(chunk, old[was]) })
	if err != nil {
		t.Fatal(err)
	}
	return m, chunks
}

// rebuild stores a state from a snapshot.
func rebuild(m *pb.SnapshotManifest, chunks [][]byte, height int64, appHash Hash) (*Memory, error) {
	r, err := NewRebuild(election.Encode(m), height, appHash)
	if err != nil {
		return nil, err
	}
	var all []Change
	for _, chunk := range chunks {
		changes, err := r.Take(chunk)
		if err != nil {
			return nil, err
		}
		all = append(all, changes...)
	}
	if !r.Complete() {
		return nil, errors.New("chunks are missing")
	}
	memory := new(Memory)
	return memory, memory.Commit(height, all)
}

// TestCutAndRebuild: a state that went through a snapshot is stored as it was, but for the index, and goes on to the same AppHash.
func TestCutAndRebuild(t *testing.T) {
	l := cutWorld(t, 3)
	newest := l.Newest()
	m, chunks := cutOf(t, newest, nil, nil)
	if len(chunks) < 5 {
		t.Fatalf("only %d chunks", len(chunks))
	}
	for i, chunk := range chunks {
		if len(chunk) > MaxChunk || len(chunk) == 0 {
			t.Errorf("chunk %d has %d bytes", i, len(chunk))
		}
	}
	memory, err := rebuild(m, chunks, newest.Height(), newest.AppHash())
	if err != nil {
		t.Fatal(err)
	}
	want, got := stored(t, newest.reader), stored(t, must(memory.At(newest.Height())))
	if !slices.EqualFunc(want, got, func(a, b Change) bool { return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) }) {
		t.Fatalf("%d entries before, %d after", len(want), len(got))
	}
	again, err := Open(memory)
	if err != nil {
		t.Fatal(err)
	}
	hash := func(l *Ledger) Hash {
		d := l.NewDraft()
		d.Append("blocks", []byte("the next"))
		d.SetVoter("primary", 5, []byte("again"))
		return must(d.Finish()).AppHash()
	}
	if hash(again) != hash(l) {
		t.Fatal("the rebuilt state goes on to another AppHash")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// stored returns all that is stored, by key.
func stored(t *testing.T, r Reader) (all []Change) {
	t.Helper()
	err := r.Iterate(nil, func(key, value []byte) error {
		all = append(all, Change{bytes.Clone(key), bytes.Clone(value)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCutFromEarlier: a snapshot made with the chunks of an earlier one is the same bytes as one made anew, and reads less.
func TestCutFromEarlier(t *testing.T) {
	l := cutWorld(t, 3)
	earlier, old := cutOf(t, l.Newest(), nil, nil)
	growTo(t, l, 3, 6)
	whole, chunks := cutOf(t, l.Newest(), nil, nil)
	kept := 0
	var mixed [][]byte
	m, err := l.Newest().Cut(earlier, func(_ int, content []byte) error {
		mixed = append(mixed, content)
		return nil
	}, func(_, was int) error {
		kept++
		mixed = append(mixed, old[was])
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(election.Encode(m), election.Encode(whole)) || !slices.EqualFunc(mixed, chunks, bytes.Equal) {
		t.Fatal("the snapshot depends on the one before")
	}
	if kept == 0 {
		t.Fatal("nothing was kept")
	}
}

// TestBadChunks: whatever is changed in a chunk, in the order of chunks, or in the manifest, is told, and by the right name.
func TestBadChunks(t *testing.T) {
	l := cutWorld(t, 2)
	s := l.Newest()
	m, chunks := cutOf(t, s, nil, nil)
	change := func(i int, content []byte) [][]byte {
		other := slices.Clone(chunks)
		other[i] = content
		return other
	}
	for i, chunk := range chunks {
		for name, content := range map[string][]byte{
			"first byte": flip(chunk, 0), "middle byte": flip(chunk, len(chunk)/2), "last byte": flip(chunk, len(chunk)-1),
			"cut": chunk[:len(chunk)-1], "longer": append(slices.Clone(chunk), 0), "empty": {}, "another": chunks[(i+1)%len(chunks)],
			"huge": make([]byte, MaxChunk+1),
		} {
			if _, err := rebuild(m, change(i, content), s.Height(), s.AppHash()); !errors.Is(err, ErrChunk) {
				t.Errorf("chunk %d, %s: %v", i, name, err)
			}
		}
	}
	if _, err := rebuild(m, append(slices.Clone(chunks), chunks[0]), s.Height(), s.AppHash()); !errors.Is(err, ErrChunk) {
		t.Errorf("a chunk too many: %v", err)
	}
	if _, err := rebuild(m, chunks, s.Height()+1, s.AppHash()); !errors.Is(err, ErrSnapshot) {
		t.Errorf("another height: %v", err)
	}
	if _, err := rebuild(m, chunks, s.Height(), Hash{1}); !errors.Is(err, ErrSnapshot) {
		t.Errorf("another AppHash: %v", err)
	}
	for name, spoil := range map[string]func(m *pb.SnapshotManifest){
		"a tree less":  func(m *pb.SnapshotManifest) { m.Trees = m.Trees[:len(m.Trees)-1] },
		"a tree twice": func(m *pb.SnapshotManifest) { m.Trees = append(m.Trees, m.Trees[1]) },
		"a tree too many": func(m *pb.SnapshotManifest) {
			m.Trees = append(m.Trees, pb.SnapshotTree{Head: "log/z", Parts: m.Trees[1].Parts})
		},
		"another log":      func(m *pb.SnapshotManifest) { m.Trees[1].Parts = m.Trees[2].Parts },
		"no records":       func(m *pb.SnapshotManifest) { m.Trees = m.Trees[1:] },
		"a part less":      func(m *pb.SnapshotManifest) { p := &m.Trees[1].Parts; *p = (*p)[:len(*p)-1] },
		"no places":        func(m *pb.SnapshotManifest) { m.Trees[0].Parts[0].Places = 0 },
		"too many places":  func(m *pb.SnapshotManifest) { m.Trees[0].Parts[0].Places = 1 << 60 },
		"a short node":     func(m *pb.SnapshotManifest) { n := &m.Trees[0].Parts[0].Nodes[0]; *n = (*n)[1:] },
		"a node less":      func(m *pb.SnapshotManifest) { n := &m.Trees[0].Parts[0].Nodes; *n = (*n)[1:] },
		"a changed node":   func(m *pb.SnapshotManifest) { m.Trees[0].Parts[0].Nodes[0][3] ^= 1 },
		"a changed leaf":   func(m *pb.SnapshotManifest) { m.Trees[1].Parts[0].Nodes[0][3] ^= 1 },
		"another name":     func(m *pb.SnapshotManifest) { m.Trees[1].Head = "log/a" },
		"a height less":    func(m *pb.SnapshotManifest) { m.Height-- },
		"nothing":          func(m *pb.SnapshotManifest) { *m = pb.SnapshotManifest{} },
		"a negative count": func(m *pb.SnapshotManifest) { m.Trees[2].Parts[0].Places-- },
	} {
		var bad pb.SnapshotManifest
		if err := election.Decode(election.Encode(m), &bad); err != nil {
			t.Fatal(err)
		}
		spoil(&bad)
		if _, err := rebuild(&bad, chunks, s.Height(), s.AppHash()); !errors.Is(err, ErrSnapshot) {
			t.Errorf("manifest, %s: %v", name, err)
		}
	}
}

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

// FuzzRebuild: neither a manifest nor a chunk makes a rebuild panic, and nothing but the true chunk is taken.
func FuzzRebuild(f *testing.F) {
	l, err := Open(new(Memory))
	if err != nil {
		f.Fatal(err)
	}
	d := l.NewGenesis()
	d.SetRecord("chain", []byte("chain"))
	d.CreateVoters("poll", 5)
	d.SetVoter("poll", 2, []byte("two"))
	d.Append("blocks", []byte("block"))
	if err := l.Commit(must(d.Finish())); err != nil {
		f.Fatal(err)
	}
	s := l.Newest()
	var chunks [][]byte
	m, err := s.Cut(nil, func(_ int, content []byte) error { chunks = append(chunks, content); return nil }, nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, chunk := range chunks {
		f.Add(election.Encode(m), chunk)
	}
	f.Fuzz(func(t *testing.T, manifest, chunk []byte) {
		r, err := NewRebuild(manifest, 0, s.AppHash())
		if err != nil {
			return
		}
		if _, err := r.Take(chunk); err == nil && !bytes.Equal(chunk, chunks[0]) {
			t.Fatal("another first chunk is taken")
		}
	})
}
