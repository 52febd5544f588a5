package recount

import (
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
	publisher      [32]byte
	size, received uint64
	// chunks are all that were published; those behind received are left from an upload that was begun again.
	chunks [][]byte
}

// bytes returns what was received.
func (d *document) bytes() []byte { return slices.Concat(d.chunks...)[:d.received] }

// publishDocument takes a chunk. Spec 9.10.
func (r *Recount) publishDocument(signer []byte, m *pb.PublishDocument) error {
	if _, err := r.officer(signer); err != nil {
		return err
	}
	hash, key := [32]byte(m.Hash), upload{[32]byte(m.Hash), [32]byte(signer)}
	before := r.uploads[key]
	switch {
	case m.Size_ > r.parameters.Limits.DocumentBytes:
		return refuse(102, "the document has %d bytes", m.Size_)
	case r.documents[hash] != nil:
		return refuse(300, "the document is whole")
	case m.Offset != 0 && (before == nil || before.size != m.Size_ || before.received != m.Offset):
		return refuse(302, "the chunk at %d does not continue what was published", m.Offset)
	}
	d := &document{publisher: key.officer, size: m.Size_, received: m.Offset + uint64(len(m.Chunk))}
	if before != nil {
		d.chunks = slices.Clone(before.chunks)
	}
	if at := int(m.Offset / chunkSize); at < len(d.chunks) {
		d.chunks[at] = m.Chunk
	} else {
		d.chunks = append(d.chunks, m.Chunk)
	}
	if d.received < d.size {
		r.uploads[key] = d
		return nil
	}
	if sha256.Sum256(d.bytes()) != hash {
		return refuse(303, "the document does not hash to its name")
	}
	delete(r.uploads, key)
	r.documents[hash] = d
	return nil
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
	emit(Ledger, key, rules.Encode(&pb.Document{Size_: d.size, Received: d.received, Publisher: d.publisher[:]}))
	for number, chunk := range d.chunks {
		emit(Ledger, fmt.Sprintf("document/%x/%x/%05d", u.hash, u.officer, number), chunk)
	}
}
