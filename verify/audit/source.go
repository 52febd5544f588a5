package audit

import (
	"context"
	"errors"
	"io"

	"votenode/verify/record"
)

// Source is where an auditor has a record from: a folder, or nodes. What it returns is believed in nothing.
type Source interface {
	// Genesis and Approvals return the bytes of the two documents.
	Genesis() ([]byte, error)
	Approvals() ([]byte, error)
	// Next returns the next block, or io.EOF behind the last. An error that is not record.ErrFormat says that the source failed.
	Next(ctx context.Context) (*record.Block, error)
	// Height returns the height of the last block, 0 while it is not known. It is known once the last block was returned.
	Height() int64
	// ReadAt reads bytes of a file of blocks, as a block that was returned names it, once more.
	ReadAt(number int, offset int64, b []byte) error
}

// folder is the record in a folder as a source.
type folder struct {
	*record.Folder
	blocks *record.Blocks
}

func (f *folder) Next(context.Context) (*record.Block, error) { return f.blocks.Next() }

func (f *folder) Height() int64 { return f.Index.Height }

// sourceError says that a source failed: no fault of the record.
type sourceError struct{ error }

func (e sourceError) Unwrap() error { return e.error }

// next reads the next block, and tells the end and faults of the record from a source that failed.
func (a *auditor) next(ctx context.Context) (*record.Block, error) {
	b, err := a.source.Next(ctx)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, record.ErrFormat) {
		err = sourceError{err}
	}
	return b, err
}
