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
	publisher [32]byte
	size      uint64
	data      []byte
}

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
	case m.Offset != 0 && (before == nil || before.size != m.Size_ || uint64(len(before.data)) != m.Offset):
		return refuse(302, "the chunk at %d does not continue what was published", m.Offset)
	}
	d := &document{publisher: key.officer, size: m.Size_}
	if m.Offset != 0 {
		d.data = before.data
	}
	d.data = append(slices.Clip(d.data), m.Chunk...)
	if uint64(len(d.data)) < d.size {
		r.uploads[key] = d
		return nil
	}
	if sha256.Sum256(d.data) != hash {
		return refuse(303, "the document does not hash to its name")
	}
	delete(r.uploads, key)
	r.documents[hash] = d
	return nil
}

// documentRecords tells the records about documents: whole ones, those on their way, and all chunks. Spec 5.2.
func (r *Recount) documentRecords(emit Emit) {
	for hash, d := range r.documents {
		emit(Ledger, fmt.Sprintf("document/%x", hash), rules.Encode(d.record()))
		d.chunks(upload{hash, d.publisher}, emit)
	}
	for u, d := range r.uploads {
		emit(Ledger, fmt.Sprintf("document/%x/%x", u.hash, u.officer), rules.Encode(d.record()))
		d.chunks(u, emit)
	}
}

func (d *document) record() *pb.Document {
	return &pb.Document{Size_: d.size, Received: uint64(len(d.data)), Publisher: d.publisher[:]}
}

func (d *document) chunks(u upload, emit Emit) {
	for number, chunk := range slices.Collect(slices.Chunk(d.data, chunkSize)) {
		emit(Ledger, fmt.Sprintf("document/%x/%x/%05d", u.hash, u.officer, number), chunk)
	}
}
