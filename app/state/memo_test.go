package state

import (
	"fmt"
	"testing"
)

// TestMemo: what is remembered is bounded, in number and by the length of a value.
func TestMemo(t *testing.T) {
	var m memo
	for i := range 2 * memoRecords {
		m.put(fmt.Sprint(i), []byte{byte(i)})
	}
	m.put("0", make([]byte, memoValue+1))
	if value, ok := m.get("0"); !ok || len(value) != 1 {
		t.Error("the first value is", value)
	}
	if _, ok := m.get(fmt.Sprint(2*memoRecords - 1)); ok || len(m.values) != memoRecords {
		t.Errorf("%d values are remembered", len(m.values))
	}
}
