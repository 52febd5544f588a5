package abci

import (
	"context"
	"errors"
	"fmt"

	abcitypes "github.com/cometbft/cometbft/abci/types"

	"votenode/app/tx"
)

// Admission is the answer to a transaction that was submitted to this node.
type Admission struct {
	Hash [32]byte
	// Code is 0 where the transaction waits for a block now, and tx.CodeRetryLater where there is no room for it.
	Code tx.Code
	// Detail is for people: why it was refused, or why a ballot that waits is not promised.
	Detail string
	// Slip is the canonical encoding of the acceptance slip with which this node promises a ballot; nil where it does not.
	Slip []byte
}

// Submit checks transactions against the newest state, has them verified, and puts them into the pool, in order; ballots it promises
// as far as it can. It returns when that is decided for all of them, and slips are on the disk. When ctx ends, what still waits in line
// leaves it, with the answer tx.CodeRetryLater: nothing of it is taken in later. It keeps the bytes. It may be called by any number of
// goroutines.
//
// source names who brought them, "" whoever is in this process. All sources wait in lines of their own and are served in turn. Where
// there is no room for a transaction the answer is tx.CodeRetryLater at once: nothing of it is looked at, but that a slip which this
// node signed for the same bytes is in the answer. The name is kept as long as something of the source waits.
func (a *Application) Submit(ctx context.Context, source string, raws ...[]byte) ([]Admission, error) {
	answers := make([]Admission, len(raws))
	if a.options.Closed != nil {
		if reason := a.options.Closed(); reason != nil {
			return answers, a.turnAway(answers, raws, reason)
		}
	}
	decided := make([]<-chan reply, len(raws))
	for i, raw := range raws {
		answers[i].Hash = hashOf(raw)
		decided[i] = a.sources.submit(source, raw, answers[i].Hash)
	}
	over := ctx.Done()
	var withdrawn map[<-chan reply]bool
	for i := 0; i < len(decided); {
		var r reply
		switch answer := decided[i]; {
		case answer == nil:
			a.counts.refuse(errFull.Code)
			r.err = errFull
		case withdrawn[answer]:
			a.counts.refuse(errLate.Code)
			r.err = errLate
		default:
			select {
			case r = <-answer:
			case <-a.stopping:
				return nil, errors.New("the node is stopping")
			case <-over:
				withdrawn, over = a.withdraw(source, decided[i:]), nil // what the verifier has in hand is decided in a moment
				continue
			}
		}
		if err := a.tell(&answers[i], r); err != nil {
			return nil, err
		}
		i++
	}
	return answers, nil
}

// turnAway answers that nothing is taken in at present. A slip that this node signed for the same bytes is in the answer all the same.
func (a *Application) turnAway(answers []Admission, raws [][]byte, reason error) error {
	for i, raw := range raws {
		answers[i].Hash = hashOf(raw)
		a.counts.refuse(tx.CodeRetryLater)
		if err := a.tell(&answers[i], reply{err: tx.Refuse(tx.CodeRetryLater, "%v", reason)}); err != nil {
			return err
		}
	}
	return nil
}

// Room says whether there is room for one more ballot of a client who has nothing waiting: in line for the verifier, and in the pool.
func (a *Application) Room() (line, pool bool) { return a.sources.roomy(), a.pool.roomy() }

// errLate is the answer to what waited until whoever brought it waited no more.
var errLate = tx.Refuse(tx.CodeRetryLater, "its turn has not come in time")

// withdraw takes what is undecided out of the line.
func (a *Application) withdraw(source string, undecided []<-chan reply) map[<-chan reply]bool {
	answers := map[<-chan reply]bool{}
	for _, answer := range undecided {
		if answer != nil {
			answers[answer] = true
		}
	}
	return a.sources.withdraw(source, answers)
}

// tell puts what came of a submission into the answer; an error that is no refusal is passed on.
func (a *Application) tell(answer *Admission, r reply) error {
	var refusal *tx.Refusal
	switch {
	case errors.As(r.err, &refusal):
		answer.Code, answer.Detail = refusal.Code, shorten(refusal.Detail)
		return a.recall(answer)
	case r.err != nil:
		return r.err
	}
	if answer.Slip = r.promised.slip; r.promised.reason != nil {
		answer.Detail = shorten(fmt.Sprintf("received, not promised: %v", r.promised.reason))
	}
	return nil
}

// recall finds the slip of a transaction that the state takes no more, or for which there is no room now, so that the same bytes have the
// same answer.
func (a *Application) recall(answer *Admission) (err error) {
	switch answer.Code {
	case tx.CodeAlreadyDone, tx.CodeSequence, tx.CodeTooSoon, tx.CodeSpoiled, tx.CodeRevoked, tx.CodeWrongPhase, tx.CodeRetryLater:
		answer.Slip, err = a.slips.find(answer.Hash)
	}
	return err
}

// CheckTx implements CometBFT's Application: what Submit does.
func (a *Application) CheckTx(ctx context.Context, req *abcitypes.RequestCheckTx) (*abcitypes.ResponseCheckTx, error) {
	answers, err := a.Submit(ctx, "", req.Tx)
	if err != nil {
		return nil, err
	}
	return &abcitypes.ResponseCheckTx{Code: uint32(answers[0].Code), Log: answers[0].Detail}, nil
}

// InsertTx implements CometBFT's Application. It runs on the goroutine that receives the peer's votes and block parts, so it
// only queues the bytes; and as the answer to one peer would bar the same bytes from all, it is 0, or 32,000 where the queue is
// full, whatever the bytes are worth.
func (a *Application) InsertTx(_ context.Context, req *abcitypes.RequestInsertTx) (*abcitypes.ResponseInsertTx, error) {
	if !a.sources.receive(req.Tx) {
		a.counts.refuse(tx.CodeRetryLater)
		return &abcitypes.ResponseInsertTx{Code: uint32(tx.CodeRetryLater)}, nil
	}
	return &abcitypes.ResponseInsertTx{}, nil
}

// ReapTxs implements CometBFT's Application: what is to be sent to the peers.
func (a *Application) ReapTxs(_ context.Context, req *abcitypes.RequestReapTxs) (*abcitypes.ResponseReapTxs, error) {
	return &abcitypes.ResponseReapTxs{Txs: a.pool.offer(a.height(), req.MaxBytes)}, nil
}
