package trustee

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"testing"
)

// FuzzStore: a file that the trustee has not sealed is never read; one that is sealed is read as it was written, or not at all.
func FuzzStore(f *testing.F) {
	s, err := OpenStore(f.TempDir(), [32]byte{1}, make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	for _, v := range []any{
		dealt{Polynomials: []byte("p"), Private: map[uint32][]byte{2: []byte("k")}, Hash: make([]byte, 32), Announcement: []byte("a")},
		sent{Transaction: []byte("t")}, held{Share: make([]byte, 32)}, []opened{{Contest: 1}},
	} {
		b, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`null`))
	f.Add([]byte(`{} {}`))
	f.Add([]byte(`{"Private": {"-1": ""}}`))
	const name = "primary.party.deal-00001"
	f.Fuzz(func(t *testing.T, data []byte) {
		write := func(b []byte) {
			if err := os.WriteFile(s.path(name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, v := range []func() any{
			func() any { return new(dealt) }, func() any { return new(sent) }, func() any { return new(held) }, func() any { return new([]opened) },
		} {
			write(data)
			if _, err := s.load(name, v()); !errors.Is(err, ErrForeignStore) {
				t.Fatalf("%q is read: %v", data, err)
			}
			write(s.aead.Seal(nil, nil, data, []byte(name)))
			first, again := v(), v()
			if _, err := s.load(name, first); err != nil {
				continue
			}
			b, err := json.Marshal(first)
			if err != nil {
				t.Fatal(err)
			}
			write(s.aead.Seal(nil, nil, b, []byte(name)))
			if _, err := s.load(name, again); err != nil || !reflect.DeepEqual(first, again) {
				t.Errorf("%+v, %+v, %v", first, again, err)
			}
			write(s.aead.Seal(nil, nil, append(b, "{}"...), []byte(name)))
			if _, err := s.load(name, v()); err == nil {
				t.Error("something behind it is passed over")
			}
		}
	})
}
