// Package prooffile reads and writes the files that people hand to each other: receipts, promises, what became of a promise, and
// states of a ledger. A file is the canonical encoding of a ProofFile, or its one JSON form; every other byte is refused.
//
// It verifies nothing: packages receipt, slip and certified do. It must not touch the network or the disk.
//
// Source: docs/spec/12-slips-and-receipts.md, section 12.6.
package prooffile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/cosmos/gogoproto/jsonpb"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

// MaxBytes is the length of a file.
const MaxBytes = 8 << 20

// ErrFile says that bytes are no file of this kind: damaged, cut short, padded, or written by something else.
var ErrFile = errors.New("not a proof file as it was written")

// Read reads a file of at most MaxBytes from r, and no more than one byte beyond. It fails with ErrFile, or as r does.
func Read(r io.Reader) (*pb.ProofFile, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	return Parse(b)
}

// Parse reads the bytes of a file, protobuf or JSON. It fails with ErrFile.
func Parse(b []byte) (*pb.ProofFile, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrFile, MaxBytes)
	}
	f := new(pb.ProofFile)
	var err error
	if len(b) > 0 && b[0] == '{' {
		err = parseJSON(b, f)
	} else {
		err = election.Decode(b, f)
	}
	if err == nil && f.Content == nil {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return f, nil
}

// errForm says that JSON is not byte for byte what JSON writes.
var errForm = errors.New("its JSON is not in the one form that is written; use the file as it came")

func parseJSON(b []byte, f *pb.ProofFile) error {
	if err := jsonpb.Unmarshal(bytes.NewReader(b), f); err != nil {
		return err
	}
	again, err := JSON(f)
	if err == nil && !bytes.Equal(again, b) {
		err = errForm
	}
	return err
}

// Bytes returns the canonical encoding.
func Bytes(f *pb.ProofFile) []byte { return election.Encode(f) }

// JSON returns the JSON form: the mapping of protocol buffers with the names of the message's fields, without white space, and a
// line feed at the end.
func JSON(f *pb.ProofFile) ([]byte, error) {
	text, err := (&jsonpb.Marshaler{OrigName: true}).MarshalToString(f)
	return append([]byte(text), '\n'), err
}

// OfReceipt returns the file of a receipt.
func OfReceipt(r *pb.Receipt) *pb.ProofFile {
	return &pb.ProofFile{Content: &pb.ProofFile_Receipt{Receipt: r}}
}

// OfPromise returns the file of a promise.
func OfPromise(p *pb.Promise) *pb.ProofFile {
	return &pb.ProofFile{Content: &pb.ProofFile_Promise{Promise: p}}
}

// OfSlipCase returns the file that shows what became of a promise.
func OfSlipCase(c *pb.SlipCase) *pb.ProofFile {
	return &pb.ProofFile{Content: &pb.ProofFile_SlipCase{SlipCase: c}}
}

// OfState returns the file of a state.
func OfState(s *pb.LedgerState) *pb.ProofFile {
	return &pb.ProofFile{Content: &pb.ProofFile_State{State: s}}
}

// State returns the state that a file shows, whatever its kind; nil where it shows none.
func State(f *pb.ProofFile) *pb.LedgerState {
	switch c := f.Content.(type) {
	case *pb.ProofFile_State:
		return c.State
	case *pb.ProofFile_Receipt:
		return c.Receipt.GetLedger()
	case *pb.ProofFile_SlipCase:
		return c.SlipCase.GetLedger()
	}
	return nil
}
