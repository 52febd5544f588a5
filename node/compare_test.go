package node

import (
	"bytes"
	"slices"
	"testing"

	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/store"
)

// ledgerOf makes the stores of a ledger up to a height. write adds to each height what all have and what only this one has.
func ledgerOf(t *testing.T, last int64, write func(d *state.Draft)) *Stopped {
	t.Helper()
	disk, err := store.Open(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := &Stopped{node: &Node{doc: &pb.Genesis{ChainId: "compared"}, disk: disk, ledger: disk}}
	t.Cleanup(func() { s.Close() })
	l, err := state.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	for height := range last + 1 {
		d := l.NewGenesis()
		if height > 0 {
			d = l.NewDraft()
		}
		d.SetRecord("height", []byte{byte(height)})
		d.Append("things", []byte{byte(height)})
		write(d)
		b, err := d.Finish()
		if err == nil {
			err = l.Commit(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TestCompare: where two states differ, the first height, the first record there and the first leaf are named, whatever differs later.
func TestCompare(t *testing.T) {
	from := func(height int64, write func(d *state.Draft)) func(*state.Draft) {
		return func(d *state.Draft) {
			if d.Height() >= height {
				write(d)
			}
		}
	}
	plain := ledgerOf(t, 20, func(*state.Draft) {})
	leaf := uint64(13)
	for name, c := range map[string]struct {
		write func(*state.Draft)
		want  *Difference
	}{
		"nothing":         {func(*state.Draft) {}, nil},
		"a value":         {from(7, func(d *state.Draft) { d.SetRecord("height", []byte{99}) }), &Difference{Height: 7, Key: "height", Values: &[2]string{"07", "63"}}},
		"a record more":   {from(9, func(d *state.Draft) { d.SetRecord("aaa", []byte{1}) }), &Difference{Height: 9, Key: "aaa", Values: &[2]string{"", "01"}}},
		"a record less":   {from(1, func(d *state.Draft) { d.DeleteRecord("height") }), &Difference{Height: 1, Key: "height", Values: &[2]string{"01", ""}}},
		"the last height": {from(20, func(d *state.Draft) { d.SetRecord("zzz", []byte{1}) }), &Difference{Height: 20, Key: "zzz", Values: &[2]string{"", "01"}}},
		"a leaf more":     {from(12, func(d *state.Draft) { d.Append("things", []byte("more")) }), &Difference{Height: 12, Key: "log/things", Leaf: &leaf}},
	} {
		other := ledgerOf(t, 20, c.write)
		got, height, err := Compare(plain, other)
		if err != nil {
			t.Fatal(name, err)
		}
		if c.want == nil {
			if got != nil || height != 20 {
				t.Errorf("%s: %+v at height %d", name, got, height)
			}
			continue
		}
		if got == nil || got.Height != c.want.Height || height != got.Height || got.Key != c.want.Key ||
			c.want.Values != nil && *got.Values != *c.want.Values || (got.Leaf == nil) != (c.want.Leaf == nil) || got.Leaf != nil && *got.Leaf != *c.want.Leaf {
			t.Errorf("%s: %+v", name, got)
		}
		// Lists that went from hand to hand say the same of the height.
		var lists [2]*Records
		for i, s := range []*Stopped{plain, other} {
			written, err := s.Records(c.want.Height)
			var file bytes.Buffer
			if err == nil {
				err = written.Write(&file)
			}
			if err == nil {
				lists[i], err = ReadRecords(&file)
			}
			if err != nil {
				t.Fatal(name, err)
			}
		}
		if d, err := FirstDifference(lists[0], lists[1]); err != nil || d.Key != c.want.Key || slices.Equal(d.Hashes[:1], d.Hashes[1:]) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	lists := [2]*Records{{GenesisHash: "a"}, {GenesisHash: "b"}}
	if _, err := FirstDifference(lists[0], lists[1]); err == nil {
		t.Error("two ledgers are compared")
	}
}
