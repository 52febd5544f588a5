package recount

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// upload names what an officer is publishing.
type upload struct{ hash, officer [32]byte }

// document is a document, whole or on its way.
type document struct {
	publisher [32]byte
	size      uint64
	chunks    [][]byte
}

// bytes returns what was received.
func (d *document) bytes() []byte { return slices.Concat(d.chunks...) }

// publishDocument takes a chunk. Spec 9.10.
func (r *Recount) publishDocument(signer []byte, m *pb.PublishDocument) error {
	if _, err := r.officer(signer); err != nil {
		return err
	}
	hash, key := [32]byte(m.Hash), upload{[32]byte(m.Hash), [32]byte(signer)}
	d := r.uploads[key]
	if d == nil {
		d = &document{publisher: key.officer, size: m.Size_}
	}
	at := int(m.Offset / chunkSize)
	switch {
	case m.Size_ > r.parameters.Limits.DocumentBytes:
		return refuse(codeTooLarge, "the document has %d bytes", m.Size_)
	case r.documents[hash] != nil:
		return refuse(codeAlreadyDone, "the document is whole")
	case d.size == m.Size_ && at < len(d.chunks) && bytes.Equal(d.chunks[at], m.Chunk):
		return refuse(codeAlreadyDone, "the chunk at %d was published", m.Offset)
	case d.size != m.Size_ || at != len(d.chunks):
		return refuse(codeDocumentOrder, "the chunk at %d does not continue what was published", m.Offset)
	case at == 0 && r.acts[key.officer].Documents >= 1_000:
		return refuse(codeOfficerLimit, "this officer has published enough")
	}
	grown := &document{publisher: d.publisher, size: d.size, chunks: append(slices.Clip(d.chunks), m.Chunk)}
	last := m.Offset+uint64(len(m.Chunk)) == m.Size_
	if last && sha256.Sum256(grown.bytes()) != hash {
		return refuse(codeDocumentHash, "the document does not hash to its name")
	}
	if at == 0 {
		r.did(key.officer, pb.OfficerActs{Documents: 1})
	}
	if !last {
		r.uploads[key] = grown
		return nil
	}
	delete(r.uploads, key)
	r.documents[hash] = grown
	return nil
}

// did counts what an officer has begun.
func (r *Recount) did(officer [32]byte, more pb.OfficerActs) {
	acts := r.acts[officer]
	acts.Documents += more.Documents
	acts.Resolutions += more.Resolutions
	r.acts[officer] = acts
}

// documentRecords tells the records about documents: whole ones, those on their way, and all chunks. Spec 5.2.
func (r *Recount) documentRecords(emit Emit) {
	for hash, d := range r.documents {
		d.records(fmt.Sprintf("document/%x", hash), upload{hash, d.publisher}, emit)
	}
	for u, d := range r.uploads {
		d.records(fmt.Sprintf("document/%x/%x", u.hash, u.officer), u, emit)
	}
}

func (d *document) records(key string, u upload, emit Emit) {
	received := uint64(0)
	for number, chunk := range d.chunks {
		received += uint64(len(chunk))
		emit(Ledger, fmt.Sprintf("document/%x/%x/%05d", u.hash, u.officer, number), chunk)
	}
	emit(Ledger, key, rules.Encode(&pb.Document{Size_: d.size, Received: received, Publisher: d.publisher[:]}))
}
