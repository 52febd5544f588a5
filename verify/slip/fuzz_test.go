package slip

import (
	"bytes"
	"testing"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

// A slip has one encoding.
func FuzzParse(f *testing.F) {
	f.Add(election.Encode(&pb.AcceptanceSlip{ChainId: "c", Election: "primary", RollIndex: 1, Sequence: 2, Code: make([]byte, 32), Signature: make([]byte, 64)}))
	f.Add([]byte{0x78, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err == nil && !bytes.Equal(election.Encode(s), data) {
			t.Errorf("%x", data)
		}
	})
}
