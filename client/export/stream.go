package export

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"votenode/client"
	"votenode/genesis"
	"votenode/verify/record"
)

// Stream is the record of a ledger straight from its nodes, for an auditor: it implements audit.Source. A block goes through the checks of
// an export before it is returned, so that nodes that lie or fail are passed over, and named to Options.Notice. A ballot may be asked for once more when its voter
// casts another one: so the blocks lie in a temporary folder, as long as the record, until Close. It is for one goroutine.
type Stream struct {
	x         *exporter
	approvals []byte
	folder    string
	again     *record.Again
	ready     []*record.Block // written and not returned yet, at most as many as one commit confirms
}

// Open prepares a stream. It fails as Run does.
func Open(ctx context.Context, ledger *client.Ledger, o Options) (*Stream, error) {
	x, approvals, err := begin(ctx, ledger, o)
	if err != nil {
		return nil, err
	}
	temporary, err := os.MkdirTemp("", "votenode-audit-")
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(temporary, "blocks")
	s := &Stream{x: x, approvals: approvals, folder: temporary, again: record.NewAgain(os.DirFS(folder))}
	if x.writer, err = record.Create(folder); err != nil {
		return nil, errors.Join(err, os.RemoveAll(temporary))
	}
	x.wrote = func(raw []byte) {
		file, offset := x.writer.Place(len(raw))
		s.ready = append(s.ready, &record.Block{Raw: raw, File: file, Offset: offset})
	}
	return s, nil
}

// Genesis implements audit.Source: the document whose hash the ledger was opened with.
func (s *Stream) Genesis() ([]byte, error) { return genesis.Bytes(s.x.ledger.Genesis()), nil }

// Approvals implements audit.Source.
func (s *Stream) Approvals() ([]byte, error) { return s.approvals, nil }

// Height implements audit.Source.
func (s *Stream) Height() int64 { return s.x.Height }

// ReadAt implements audit.Source.
func (s *Stream) ReadAt(number int, offset int64, b []byte) error {
	return s.again.ReadAt(number, offset, b)
}

// Next implements audit.Source. It waits for blocks that do not exist yet. It fails with client.ErrVerification where nodes answered and none
// offers a block that is committed.
func (s *Stream) Next(ctx context.Context) (*record.Block, error) {
	for len(s.ready) == 0 {
		if whole, err := s.x.step(ctx); err != nil {
			return nil, err
		} else if whole {
			return nil, io.EOF
		}
	}
	next := s.ready[0]
	s.ready = s.ready[1:]
	return next, nil
}

// Close removes what lies on the disk.
func (s *Stream) Close() error {
	return errors.Join(s.again.Close(), s.x.writer.Close(), os.RemoveAll(s.folder))
}
