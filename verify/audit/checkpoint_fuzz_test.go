package audit_test

import (
	"bytes"
	"testing"

	"votenode/verify/audit"
)

// A checkpoint is read in the one form in which it is written.
func FuzzParseCheckpoint(f *testing.F) {
	c := audit.Checkpoint{Format: audit.CheckpointFormat, Program: "this", Chain: "c", GenesisHash: "ab", Height: 7, Block: "cd", AppHash: "ef", Bytes: 9, SHA256: "01"}
	f.Add(c.Encode())
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := audit.ParseCheckpoint(data)
		if err == nil && !bytes.Equal(c.Encode(), data) {
			t.Errorf("%q", data)
		}
	})
}
