package app

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// PublishDocument: an officer brings the chunks of a document in order. Officers publish apart from each other, so that nobody can
// spoil another's document; whoever completes it first has published it. What has come stands: anybody can send an officer's
// old chunk again, and it must not set the upload back. Spec 9.10.
func checkPublishDocument(r *reading, p *tx.Parsed, m *pb.PublishDocument) error {
	if _, err := r.officer(p.Signer()); err != nil {
		return err
	}
	params, err := state.MustLoad[pb.Parameters](r, state.KeyParameters)
	if err != nil {
		return err
	}
	if m.Size_ > params.Limits.DocumentBytes {
		return tx.Refuse(tx.CodeTooLarge, "the document has %d bytes, the limit is %d", m.Size_, params.Limits.DocumentBytes)
	}
	whole, err := state.Load[pb.Document](r, state.DocumentKey(m.Hash))
	if err != nil {
		return err
	}
	if whole != nil {
		return tx.Refuse(tx.CodeAlreadyDone, "document %x is whole", m.Hash)
	}
	upload, err := state.Load[pb.Document](r, state.UploadKey(m.Hash, p.Signer()))
	if err != nil {
		return err
	}
	if err := r.continues(p.Signer(), upload, m); err != nil {
		return err
	}
	if m.Offset+uint64(len(m.Chunk)) < m.Size_ {
		return nil
	}
	before, err := chunks(r, m.Hash, p.Signer(), m.Offset)
	if err != nil {
		return err
	}
	if got := sha256.Sum256(append(before, m.Chunk...)); got != [32]byte(m.Hash) {
		return tx.Refuse(tx.CodeDocumentHash, "the chunks hash to %x, not to %x", got, m.Hash)
	}
	return nil
}

// continues refuses a chunk that is not the next one of an upload; a nil upload has not begun.
func (r *reading) continues(officer []byte, upload *pb.Document, m *pb.PublishDocument) error {
	switch {
	case upload == nil && m.Offset == 0:
		return r.mayDo(officer, func(acts *pb.OfficerActs) bool { return acts.Documents < maxDocuments })
	case upload != nil && upload.Size_ == m.Size_ && upload.Received == m.Offset:
		return nil
	case upload != nil && upload.Size_ == m.Size_ && upload.Received > m.Offset:
		known, err := r.Record(state.ChunkKey(m.Hash, officer, m.Offset/tx.ChunkSize))
		if err != nil {
			return err
		}
		if bytes.Equal(known, m.Chunk) {
			return tx.Refuse(tx.CodeAlreadyDone, "the chunk at %d was received", m.Offset)
		}
	}
	return tx.Refuse(tx.CodeDocumentOrder, "a chunk at %d of %d bytes does not continue what was received", m.Offset, m.Size_)
}

func applyPublishDocument(w *writing, v *tx.Verified, m *pb.PublishDocument) error {
	officer := v.Parsed().Signer()
	if m.Offset == 0 {
		if err := w.did(officer, func(acts *pb.OfficerActs) { acts.Documents++ }); err != nil {
			return err
		}
	}
	d := &pb.Document{Size_: m.Size_, Received: m.Offset + uint64(len(m.Chunk)), Publisher: officer}
	w.SetRecord(state.ChunkKey(m.Hash, officer, m.Offset/tx.ChunkSize), m.Chunk)
	if d.Received < d.Size_ {
		w.save(state.UploadKey(m.Hash, officer), d)
		return nil
	}
	w.DeleteRecord(state.UploadKey(m.Hash, officer))
	w.save(state.DocumentKey(m.Hash), d)
	w.emit("document", "hash", fmt.Sprintf("%x", m.Hash))
	return nil
}

// chunks returns the first size bytes of what an officer has published, whole chunks.
func chunks(v state.View, hash, officer []byte, size uint64) ([]byte, error) {
	out := make([]byte, 0, size)
	for i := uint64(0); uint64(len(out)) < size; i++ {
		chunk, err := v.Record(state.ChunkKey(hash, officer, i))
		if err != nil {
			return nil, err
		}
		if chunk == nil {
			return nil, fmt.Errorf("%w: chunk %d of document %x is missing", state.ErrCorrupted, i, hash)
		}
		out = append(out, chunk...)
	}
	return out, nil
}

// document returns a whole document, or a refusal.
func document(v state.View, hash []byte) ([]byte, error) {
	d, err := state.Load[pb.Document](v, state.DocumentKey(hash))
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, tx.Refuse(tx.CodeDocumentUnknown, "document %x is not on the ledger", hash)
	}
	return chunks(v, hash, d.Publisher, d.Size_)
}

// Document returns the bytes of a whole document, or a *tx.Refusal with CodeDocumentUnknown.
func Document(v state.View, hash []byte) ([]byte, error) { return document(v, hash) }
