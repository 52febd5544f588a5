package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"votenode/app/tx"
)

// Wait says what Send waits for.
type Wait int

// What Send waits for: a place in a node's pool; a block, on the word of a node; or the effect in a certified state, by proof.
const (
	WaitAccepted Wait = iota
	WaitCommitted
	WaitCertified
)

// ParseWait reads accepted, committed or certified.
func ParseWait(s string) (Wait, error) {
	for i, name := range []string{"accepted", "committed", "certified"} {
		if s == name {
			return Wait(i), nil
		}
	}
	return 0, fmt.Errorf("%q is nothing to wait for: choose accepted, committed or certified", s)
}

// Effect says whether what a transaction should bring about holds in a state.
type Effect func(ctx context.Context, v *View) (bool, error)

// ErrUndone says that the ledger has taken the same transaction before, and that what it brought about holds no more: an approval, say,
// that was withdrawn. The same bytes have no second effect.
var ErrUndone = errors.New("the same was done before and then undone; it cannot be done again")

// Send submits a transaction and waits. Its error is a *tx.Refusal where the ledger refused it, or no node took it; that its content
// stands on the ledger already is no error. With WaitCertified it returns the state in which the effect holds; it fails with
// ErrUndone where it will not.
func (l *Ledger) Send(ctx context.Context, transaction []byte, wait Wait, effect Effect) (*View, error) {
	return l.send(ctx, transaction, wait, effect, func(*Node, Admission) {})
}

// taken is told of the answer of every node that takes a transaction.
type taken func(n *Node, a Admission)

func (l *Ledger) send(ctx context.Context, transaction []byte, wait Wait, effect Effect, told taken) (*View, error) {
	err := l.sendOnce(ctx, transaction, wait, told)
	if err != nil && !isDone(err) {
		return nil, err
	}
	if wait < WaitCertified {
		return nil, nil
	}
	if err == nil {
		return l.Until(ctx, effect)
	}
	tip, err := l.Tip(ctx)
	if err != nil {
		return nil, err
	}
	return l.Until(ctx, func(ctx context.Context, v *View) (bool, error) {
		ok, err := effect(ctx, v)
		if err == nil && !ok && v.height >= tip {
			err = ErrUndone
		}
		return ok, err
	})
}

// Tip returns the height that a node says it has committed: a hint how long to wait.
func (l *Ledger) Tip(ctx context.Context) (height int64, err error) {
	err = l.ask(ctx, func(ctx context.Context, n *Node) error {
		s, err := n.Status(ctx)
		height = s.Height
		return err
	})
	return height, err
}

// sendOnce submits a transaction and waits for its block, unless wait is WaitAccepted. What the ledger has already is a refusal. A node
// may take a transaction and sit on it: where it is in no block after a while, the next node gets it, too.
func (l *Ledger) sendOnce(ctx context.Context, transaction []byte, wait Wait, told taken) error {
	node, err := l.submitFrom(ctx, int(l.preferred.Load()), transaction, told)
	if err != nil || wait == WaitAccepted {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	included := make(chan error, 1)
	go func() {
		in, err := l.Included(ctx, sha256.Sum256(transaction))
		if err == nil && in.Code != tx.CodeOK {
			err = refused(in.Code, in.Message)
		}
		included <- err
	}()
	for range len(l.nodes) - 1 {
		timer := time.NewTimer(l.patience)
		select {
		case err := <-included:
			timer.Stop()
			return err
		case <-timer.C:
			l.notice(l.nodes[node%len(l.nodes)].Address(), fmt.Errorf("the transaction that it took is in no block after %v", l.patience))
			if taker, err := l.submitFrom(ctx, node+1, transaction, told); err == nil {
				node = taker
			}
		}
	}
	return <-included
}

// Submit hands a transaction to one node after another until one takes it into its pool. A refusal is the *tx.Refusal of the first
// node that answered; another node may know better, or not lie.
func (l *Ledger) Submit(ctx context.Context, transaction []byte) error {
	_, err := l.submitFrom(ctx, int(l.preferred.Load()), transaction, func(*Node, Admission) {})
	return err
}

// submitFrom is Submit beginning with a node; it returns which one took the transaction.
func (l *Ledger) submitFrom(ctx context.Context, first int, transaction []byte, told taken) (int, error) {
	var refusal *tx.Refusal
	var failures []error
	for i := range l.nodes {
		n := l.nodes[(first+i)%len(l.nodes)]
		results, err := n.Submit(ctx, transaction)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case err != nil:
			l.notice(n.Address(), err)
			failures = append(failures, fmt.Errorf("%s: %w", n.Address(), err))
		case results[0].Code == tx.CodeOK:
			told(n, results[0])
			return first + i, nil
		case refusal == nil:
			refusal = refused(results[0].Code, results[0].Message)
		}
	}
	if refusal != nil {
		return 0, refusal
	}
	return 0, errors.Join(failures...)
}

// isDone says whether the ledger refused a transaction only because its content is there already.
func isDone(err error) bool {
	var refusal *tx.Refusal
	return errors.As(err, &refusal) && refusal.Code == tx.CodeAlreadyDone
}

// refused returns a node's refusal. The node's message ends with the advice, which the error adds again.
func refused(code tx.Code, message string) *tx.Refusal {
	return &tx.Refusal{Code: code, Detail: printable(strings.TrimSuffix(message, "; "+code.Advice()))}
}

// Included waits until a node says that a transaction stands in a block, and returns what it says: unproven, and so only a hint
// whether to wait for the proof. hash is SHA-256 of the bytes.
func (l *Ledger) Included(ctx context.Context, hash [32]byte) (*Inclusion, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		in  *Inclusion
		err error
	}
	answers := make(chan answer, len(l.nodes))
	for _, n := range l.nodes {
		go func() {
			in, err := n.Transaction(ctx, hash)
			if err != nil {
				err = fmt.Errorf("%s: %w", n.Address(), err)
			}
			answers <- answer{in, err}
		}()
	}
	var failures []error
	for range l.nodes {
		a := <-answers
		if a.err == nil {
			return a.in, nil
		}
		failures = append(failures, a.err)
	}
	return nil, errors.Join(failures...)
}
