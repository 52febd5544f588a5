package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
	"votenode/verify/slip"
)

// ErrNotPromised says that a node has taken a ballot and promised nothing.
var ErrNotPromised = errors.New("the node has taken the ballot, but promises nothing")

// checkSlip checks the slip with which a node answered: that it is one of a validator for this ballot, and issued behind the certified
// height at which the voter's last ballot was looked up, so that this cannot pass for the one promised. It fails with
// ErrNotPromised or ErrVerification. Spec 12.6.
func (l *Ledger) checkSlip(a Admission, ballot []byte, height int64) (*pb.Promise, error) {
	if len(a.Slip) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNotPromised, a.Message)
	}
	s, err := slip.Parse(a.Slip)
	if err != nil {
		return nil, verified(err)
	}
	p := &pb.Promise{Slip: s, Ballot: ballot}
	if err := l.checkPromise(p); err != nil {
		return nil, err
	}
	if s.Issued <= height {
		return nil, fmt.Errorf("%w: its slip is issued at height %d, and %d is certified already", ErrVerification, s.Issued, height)
	}
	return p, nil
}

// checkPromise checks that a promise is one of a validator of this ledger. It fails with ErrVerification. Spec 12.1.
func (l *Ledger) checkPromise(p *pb.Promise) error {
	if p.GetSlip() == nil {
		return fmt.Errorf("%w: %w: there is no slip", ErrVerification, slip.ErrSlip)
	}
	l.mu.Lock()
	trust := l.trust
	l.mu.Unlock()
	v, err := slip.Promiser(trust, p.Slip)
	if err == nil {
		err = slip.Check(p, v.SlipKey)
	}
	return verified(err)
}

// SlipCase returns what the node shows of what became of a promise. Unproven: see slip.Judge. It fails with ErrUnknown where that cannot
// be told yet.
func (n *Node) SlipCase(ctx context.Context, p *pb.Promise) (*pb.SlipCase, error) {
	var b []byte
	query := url.Values{"format": {"protobuf"}}
	if _, err := n.request(ctx, http.MethodPost, "/v1/slip-cases", query, prooffile.Bytes(prooffile.OfPromise(p)), &b); err != nil {
		return nil, err
	}
	f, err := prooffile.Parse(b)
	if err != nil {
		return nil, err
	}
	c, ok := f.Content.(*pb.ProofFile_SlipCase)
	if !ok {
		return nil, fmt.Errorf("%w: it is no case of a promise", prooffile.ErrFile)
	}
	return c.SlipCase, nil
}

// maxAhead is how many heights a slip may be ahead of what nodes say they have committed: one whose proposal is under way.
const maxAhead = 10

// SlipCase returns a verified case of a promise, with its verdict. It waits until the height of issue is certified. now is the local time.
// It fails with ErrVerification where the promise is none, or names a height that has not come.
func (l *Ledger) SlipCase(ctx context.Context, p *pb.Promise, now time.Time) (*pb.SlipCase, *slip.Finding, error) {
	tip, err := l.Tip(ctx)
	if err != nil {
		return nil, nil, err
	}
	if issued := p.GetSlip().GetIssued(); issued > tip+maxAhead {
		return nil, nil, fmt.Errorf("%w: %w: issued at %d, and the ledger is at %d", ErrVerification, slip.ErrEarly, issued, tip)
	}
	if v, err := l.Certified(ctx); err != nil || v.height < p.GetSlip().GetIssued() {
		if _, err := l.After(ctx, p.GetSlip().GetIssued()-1); err != nil {
			return nil, nil, err
		}
	}
	// The validator sets up to the height of issue are known now; no node has to be believed that this is no promise.
	if err := l.checkPromise(p); err != nil {
		return nil, nil, err
	}
	var c *pb.SlipCase
	var f *slip.Finding
	err = l.ask(ctx, func(ctx context.Context, n *Node) (err error) {
		if c, err = n.SlipCase(ctx, p); err != nil {
			return err
		}
		if !bytes.Equal(prooffile.Bytes(prooffile.OfPromise(c.Promise)), prooffile.Bytes(prooffile.OfPromise(p))) {
			return fmt.Errorf("%w: the case is of another promise", ErrVerification)
		}
		f, err = slip.Judge(l.genesisHash, now, c)
		return verified(err)
	})
	return c, f, err
}
