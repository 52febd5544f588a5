package node

import (
	"bytes"
	"errors"
	"testing"
)

// A configuration that is read, written and read again is the same.
func FuzzParseConfig(f *testing.F) {
	f.Add(DefaultConfig().Bytes())
	f.Add([]byte(`{"p2p": {"listen": ":1", "peers": {"00112233445566778899aabbccddeeff00112233": "a:1"}, "observers": []}}`))
	f.Add([]byte(`{"gateway": {"requests": 0}}`))
	f.Add([]byte(`{} {}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig(data)
		if err != nil {
			if !errors.Is(err, ErrConfig) {
				t.Error(err)
			}
			return
		}
		again, err := ParseConfig(c.Bytes())
		if err != nil || !bytes.Equal(again.Bytes(), c.Bytes()) {
			t.Errorf("%s, %v", c.Bytes(), err)
		}
		if c.MemoryBound() <= 0 {
			t.Errorf("the memory bound is %d", c.MemoryBound())
		}
	})
}
