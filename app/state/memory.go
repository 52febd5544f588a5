package state

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
)

// Memory is a Backend in memory that keeps the newest height only: for short chains and for tests. The zero value is empty and
// usable. Readers of older heights get ErrPruned.
type Memory struct {
	mu        sync.RWMutex
	height    int64
	committed bool
	kinds     [256]map[string][]byte // by the first byte of the key, then by the others
}

var _ Backend = (*Memory)(nil)

// Height implements Backend.
func (m *Memory) Height() (int64, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.height, m.committed
}

// At implements Backend.
func (m *Memory) At(height int64) (Reader, error) {
	if newest, ok := m.Height(); !ok || height != newest {
		return nil, fmt.Errorf("%w: %d", ErrPruned, height)
	}
	return &memoryReader{m, height}, nil
}

// Commit implements Backend. It never fails but for a wrong height (ErrMisuse).
func (m *Memory) Commit(height int64, changes []Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.committed && height != m.height+1 {
		return fmt.Errorf("%w: height %d after %d", ErrMisuse, height, m.height)
	}
	m.height, m.committed = height, true
	for _, c := range changes {
		kind := c.Key[0]
		switch {
		case c.Value == nil:
			delete(m.kinds[kind], string(c.Key[1:]))
		default:
			if m.kinds[kind] == nil {
				m.kinds[kind] = map[string][]byte{}
			}
			m.kinds[kind][string(c.Key[1:])] = c.Value
		}
	}
	return nil
}

// memoryReader reads a Memory as long as it is at a height.
type memoryReader struct {
	m      *Memory
	height int64
}

// Get implements Reader.
func (r *memoryReader) Get(key []byte) ([]byte, error) {
	r.m.mu.RLock()
	defer r.m.mu.RUnlock()
	if r.m.height != r.height {
		return nil, fmt.Errorf("%w: %d", ErrPruned, r.height)
	}
	return r.m.kinds[key[0]][string(key[1:])], nil
}

// Iterate implements Reader.
func (r *memoryReader) Iterate(prefix []byte, fn func(key, value []byte) error) error {
	entries, err := r.entries(prefix)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b Change) int { return bytes.Compare(a.Key, b.Key) })
	for _, e := range entries {
		if err := fn(e.Key, e.Value); err != nil {
			return err
		}
	}
	return nil
}

// entries returns what has a prefix, in no order.
func (r *memoryReader) entries(prefix []byte) (entries []Change, err error) {
	r.m.mu.RLock()
	defer r.m.mu.RUnlock()
	if r.m.height != r.height {
		return nil, fmt.Errorf("%w: %d", ErrPruned, r.height)
	}
	for kind, values := range r.m.kinds {
		if len(prefix) > 0 && prefix[0] != byte(kind) {
			continue
		}
		for rest, value := range values {
			if key := append([]byte{byte(kind)}, rest...); bytes.HasPrefix(key, prefix) {
				entries = append(entries, Change{key, value})
			}
		}
	}
	return entries, nil
}
