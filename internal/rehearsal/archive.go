package rehearsal

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"votenode/app/state"
)

// archive is a backend in memory that keeps every height.
type archive struct {
	height int64
	values map[string][]change // by key, ascending by height
}

// change is what a height made of a key; nil where it removed it.
type change struct {
	height int64
	value  []byte
}

func newArchive() *archive { return &archive{height: -1, values: map[string][]change{}} }

// Height implements state.Backend.
func (a *archive) Height() (int64, bool) { return a.height, a.height >= 0 }

// Commit implements state.Backend.
func (a *archive) Commit(height int64, changes []state.Change) error {
	a.height = height
	for _, c := range changes {
		a.values[string(c.Key)] = append(a.values[string(c.Key)], change{height, c.Value})
	}
	return nil
}

// At implements state.Backend.
func (a *archive) At(height int64) (state.Reader, error) { return &archived{a, height}, nil }

// archived reads one height.
type archived struct {
	*archive
	at int64
}

// Get implements state.Reader.
func (r *archived) Get(key []byte) ([]byte, error) {
	for _, v := range slices.Backward(r.values[string(key)]) {
		if v.height <= r.at {
			return v.value, nil
		}
	}
	return nil, nil
}

// Iterate implements state.Reader.
func (r *archived) Iterate(prefix []byte, fn func(key, value []byte) error) error {
	for _, key := range slices.Sorted(maps.Keys(r.values)) {
		if !strings.HasPrefix(key, string(prefix)) {
			continue
		}
		value, err := r.Get([]byte(key))
		if err == nil && value != nil {
			err = fn(bytes.Clone([]byte(key)), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
