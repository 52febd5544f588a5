package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"time"

	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
	"votenode/verify/receipt"
)

// Receipt returns the receipt of the ballot with a confirmation code, and waits for it as long as ctx lives; where certified is set,
// for one under a certified state. Unproven: see receipt.Verify.
func (n *Node) Receipt(ctx context.Context, electionID string, code [32]byte, certified bool) (*pb.Receipt, error) {
	query := url.Values{"election": {electionID}, "code": {hex.EncodeToString(code[:])}, "format": {"protobuf"}}
	if certified {
		query.Set("certified", "1")
	}
	var b []byte
	if err := n.poll(ctx, "/v1/receipt", query, &b); err != nil {
		return nil, err
	}
	f, err := prooffile.Parse(b)
	if err != nil {
		return nil, err
	}
	r, ok := f.Content.(*pb.ProofFile_Receipt)
	if !ok {
		return nil, fmt.Errorf("%w: it is no receipt", prooffile.ErrFile)
	}
	return r.Receipt, nil
}

// receiptAttempt is how long one node is asked for a receipt before the next one is.
const receiptAttempt = 20 * time.Second

// Receipt returns a verified receipt of a ballot of a voter, and waits for it as long as ctx lives; where certified is set, for one
// under a certified state. now is the local time.
func (l *Ledger) Receipt(ctx context.Context, electionID string, voter uint64, code [32]byte, certified bool, now time.Time) (*pb.Receipt, *receipt.Finding, error) {
	for {
		var r *pb.Receipt
		var found *receipt.Finding
		err := l.ask(ctx, func(ctx context.Context, n *Node) (err error) {
			ctx, cancel := context.WithTimeout(ctx, receiptAttempt)
			defer cancel()
			if r, err = n.Receipt(ctx, electionID, code, certified); err != nil {
				return err
			}
			found, err = receipt.Verify(l.genesisHash, voter, now, r)
			return verified(err)
		})
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return r, found, err
		}
	}
}
