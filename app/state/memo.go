package state

import "sync"

const (
	// memoRecords is how many records of one snapshot are remembered.
	memoRecords = 256
	// memoValue is the length of the longest value that is remembered, bytes.
	memoValue = 16 << 10
)

// memo remembers values of records that were read from the backend and checked against the tree: every ballot of a height asks for the
// same few. It is safe for concurrent use. What it lacks is read again.
type memo struct {
	mu     sync.RWMutex
	values map[string][]byte
}

func (m *memo) get(key string) ([]byte, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	value, ok := m.values[key]
	return value, ok
}

func (m *memo) put(key string, value []byte) {
	if len(value) > memoValue {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = map[string][]byte{}
	}
	if len(m.values) < memoRecords {
		m.values[key] = value
	}
}
