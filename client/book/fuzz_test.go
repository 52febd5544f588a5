package book

import (
	"slices"
	"testing"
)

// What is read as a book holds within its limits, and names nobody twice.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version": 1, "voters": []}`))
	f.Add([]byte(`{"version": 1, "voters": [null]}`))
	f.Add([]byte(`{"version": 1} {}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parse(data)
		if err != nil {
			return
		}
		seen := map[owner]bool{}
		for _, p := range file.Pages {
			if seen[p.owner] || p.check() != nil {
				t.Errorf("%+v stands in a book", p)
			}
			seen[p.owner] = true
		}
		if _, err := parse(slices.Concat(data, []byte("{}"))); err == nil {
			t.Errorf("%q with something behind it is read", data)
		}
	})
}
