package prooffile

import (
	"bytes"
	"errors"
	"testing"

	pb "votenode/proto/votenode/v1"
)

// A file has two forms, and each is read in one way only.
func FuzzParse(f *testing.F) {
	receipt := OfReceipt(&pb.Receipt{Election: "primary"})
	text, err := JSON(receipt)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(Bytes(receipt))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			if !errors.Is(err, ErrFile) {
				t.Error(err)
			}
			return
		}
		text, err := JSON(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, text) && !bytes.Equal(data, Bytes(file)) {
			t.Errorf("%q is read and would be written as %q", data, text)
		}
	})
}
