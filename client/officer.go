package client

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// Officer acts for an organisation.
type Officer struct {
	Ledger *Ledger
	Key    ed25519.PrivateKey
	Wait   Wait
}

// Propose proposes a resolution, which approves it for the officer, and returns its hash. A resolution that was proposed before
// is approved instead.
func (o Officer) Propose(ctx context.Context, r *pb.Resolution) ([32]byte, error) {
	hash := app.ResolutionHash(o.Ledger.Chain(), r)
	err := o.Ledger.sendOnce(ctx, o.sign(&pb.ProposeResolution{Resolution: *r}), o.Wait, func(*Node, Admission) {})
	switch {
	case isDone(err):
		return hash, o.Approve(ctx, hash)
	case err == nil && o.Wait == WaitCertified:
		_, err = o.Ledger.Until(ctx, o.approves(hash, true))
	}
	return hash, err
}

// Approve approves a resolution by its hash. It fails with ErrUndone for an officer who has withdrawn: propose it again with another
// nonce.
func (o Officer) Approve(ctx context.Context, hash [32]byte) error {
	_, err := o.Ledger.Send(ctx, o.sign(&pb.ApproveResolution{Resolution: hash[:]}), o.Wait, o.approves(hash, true))
	return err
}

// Withdraw takes an approval back, until the resolution takes effect.
func (o Officer) Withdraw(ctx context.Context, hash [32]byte) error {
	_, err := o.Ledger.Send(ctx, o.sign(&pb.WithdrawApproval{Resolution: hash[:]}), o.Wait, o.approves(hash, false))
	return err
}

// approves is the effect that the officer's approval is there, or is not.
func (o Officer) approves(hash [32]byte, want bool) Effect {
	return func(ctx context.Context, v *View) (bool, error) {
		record, err := Load[pb.ResolutionRecord](ctx, v, state.ResolutionKey(hash[:]))
		if err != nil || record == nil {
			return false, err
		}
		for _, a := range record.Approvals {
			if string(a.Officer) == string(o.public()) {
				return want, nil
			}
		}
		return !want, nil
	}
}

// Publish puts a document onto the ledger in chunks, continuing where an earlier attempt of this officer stopped, and returns its
// hash. progress, if not nil, is told the bytes that the ledger has.
func (o Officer) Publish(ctx context.Context, document []byte, progress func(bytes int)) ([32]byte, error) {
	hash := sha256.Sum256(document)
	whole := func(ctx context.Context, v *View) (bool, error) {
		d, err := Load[pb.Document](ctx, v, state.DocumentKey(hash[:]))
		return d != nil, err
	}
	v, err := o.Ledger.Until(ctx, func(context.Context, *View) (bool, error) { return true, nil })
	if err != nil {
		return hash, err
	}
	if done, err := whole(ctx, v); done || err != nil {
		return hash, err
	}
	upload, err := Load[pb.Document](ctx, v, state.UploadKey(hash[:], o.public()))
	if err != nil {
		return hash, err
	}
	offset := 0
	if upload != nil {
		offset = int(upload.Received)
	}
	for offset < len(document) {
		end := min(offset+tx.ChunkSize, len(document))
		chunk := &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(document)), Offset: uint64(offset), Chunk: document[offset:end]}
		wait := o.Wait
		if end < len(document) {
			wait = WaitCommitted // the next chunk is refused before this one is in a block
		}
		if _, err := o.Ledger.Send(ctx, o.sign(chunk), wait, whole); err != nil {
			return hash, fmt.Errorf("chunk at %d: %w", offset, err)
		}
		if offset = end; progress != nil {
			progress(offset)
		}
	}
	return hash, nil
}

func (o Officer) public() []byte { return o.Key[ed25519.SeedSize:] }

func (o Officer) sign(body election.Message) []byte { return tx.Sign(o.Ledger.Chain(), body, o.Key) }
