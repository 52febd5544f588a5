package abci

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"sync"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"

	"votenode/app/state"
	"votenode/app/tx"
)

const (
	// batchWait is how long the verifier waits for more transactions before it begins with a batch.
	batchWait = 3 * time.Millisecond
	// batchCount bounds the transactions of one batch.
	batchCount = 512
	// inboxBytes bounds what peers have sent and nobody has looked at yet.
	inboxBytes = 64 << 20
	// inboxCount bounds it too.
	inboxCount = 50_000
	// submissionCount bounds the transactions that were submitted here and wait for the verifier.
	submissionCount = 8_192
)

// Admission is the answer to a transaction that was submitted to this node.
type Admission struct {
	Hash [32]byte
	// Code is 0 where the transaction waits for a block now, and tx.CodeRetryLater where there is no room for it.
	Code tx.Code
	// Detail is for people.
	Detail string
}

// Intake counts, since the start, what this node was asked to take in.
type Intake struct {
	// Taken came in here and went into the pool.
	Taken uint64
	// FromPeers were brought by peers and went into the pool.
	FromPeers uint64
	// Refused transactions by code, wherever they came from; tx.CodeRetryLater counts those for which there was no room.
	Refused map[tx.Code]uint64
	// Pending transactions in the pool, and their bytes.
	Pending      int
	PendingBytes int
}

// submission is a parsed transaction on its way to the verifier.
type submission struct {
	parsed *tx.Parsed
	answer chan<- *tx.Refusal // nil where a peer brought it
}

// admission takes transactions in: from this node's own callers, who wait for the answer, and from peers, who do not. One
// goroutine checks and verifies them in batches and puts them into the pool.
type admission struct {
	submitted chan submission
	arrived   chan struct{} // holds one token while inbox is not empty

	mu         sync.Mutex
	inbox      [][]byte // from peers, unparsed
	inboxBytes int
	taken      uint64
	fromPeers  uint64
	refused    map[tx.Code]uint64
}

func newAdmission() *admission {
	return &admission{
		submitted: make(chan submission, submissionCount),
		arrived:   make(chan struct{}, 1),
		refused:   map[tx.Code]uint64{},
	}
}

// Submit checks transactions against the newest state, has them verified, and puts them into the pool, in order. It returns when
// that is decided for all of them, or with ctx's error. It keeps the bytes. It may be called by any number of goroutines.
func (a *Application) Submit(ctx context.Context, raws ...[]byte) ([]Admission, error) {
	answers := make([]Admission, len(raws))
	decided := make([]chan *tx.Refusal, len(raws))
	for i, raw := range raws {
		parsed, err := a.consider(raw)
		if answers[i].Hash = hashOf(raw); err == nil && parsed != nil {
			decided[i] = make(chan *tx.Refusal, 1)
			err = a.admission.enqueue(submission{parsed, decided[i]})
		}
		if err = a.refuse(&answers[i], err); err != nil {
			return nil, err
		}
		if answers[i].Code != tx.CodeOK {
			decided[i] = nil
		}
	}
	for i, answer := range decided {
		if answer == nil {
			continue
		}
		select {
		case refusal := <-answer:
			if refusal != nil {
				a.refuse(&answers[i], refusal)
			}
		case <-a.stopping:
			return nil, errors.New("the node is stopping")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return answers, nil
}

// consider makes the cheap checks of a transaction. It returns nil for one that waits in the pool already. A panic in a check is
// an error of that transaction alone: nobody shall stop nodes by what they send.
func (a *Application) consider(raw []byte) (parsed *tx.Parsed, err error) {
	defer recovered(&err)
	hash := hashOf(raw)
	if a.pool.get(hash) != nil {
		return nil, nil
	}
	if parsed, err = tx.Parse(raw); err != nil {
		return nil, err
	}
	if parsed.Kind() == tx.KindAuthorBlock {
		return nil, tx.Refuse(tx.CodeAuthorship, "%v is not taken in", parsed.Kind())
	}
	if known, ok := a.results.Find(hash); ok && known.Code == tx.CodeOK {
		return nil, tx.Refuse(tx.CodeAlreadyDone, "it stands in block %d", known.Height)
	}
	view := a.ledger.Newest()
	if view == nil {
		return nil, tx.Refuse(tx.CodeRetryLater, "the ledger has not begun")
	}
	return parsed, a.app.Check(view, a.blockTime(), parsed)
}

// recovered turns a panic into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// enqueue hands a transaction to the verifier, or refuses it where too many wait.
func (ad *admission) enqueue(s submission) error {
	select {
	case ad.submitted <- s:
		return nil
	default:
		return tx.Refuse(tx.CodeRetryLater, "%d transactions wait to be verified", submissionCount)
	}
}

// refuse counts a refusal and puts it into the answer; any other error is passed on.
func (a *Application) refuse(answer *Admission, err error) error {
	var refusal *tx.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	a.admission.count(refusal.Code)
	answer.Code, answer.Detail = refusal.Code, shorten(refusal.Detail)
	return nil
}

// CheckTx implements CometBFT's Application: what Submit does.
func (a *Application) CheckTx(ctx context.Context, req *abcitypes.RequestCheckTx) (*abcitypes.ResponseCheckTx, error) {
	answers, err := a.Submit(ctx, req.Tx)
	if err != nil {
		return nil, err
	}
	return &abcitypes.ResponseCheckTx{Code: uint32(answers[0].Code), Log: answers[0].Detail}, nil
}

// InsertTx implements CometBFT's Application. It runs on the goroutine that receives the peer's votes and block parts, so it
// only queues the bytes; and as the answer to one peer would bar the same bytes from all, it is 0, or 32,000 where the queue is
// full, whatever the bytes are worth.
func (a *Application) InsertTx(_ context.Context, req *abcitypes.RequestInsertTx) (*abcitypes.ResponseInsertTx, error) {
	if !a.admission.receive(req.Tx) {
		a.admission.count(tx.CodeRetryLater)
		return &abcitypes.ResponseInsertTx{Code: uint32(tx.CodeRetryLater)}, nil
	}
	return &abcitypes.ResponseInsertTx{}, nil
}

// ReapTxs implements CometBFT's Application: what is to be sent to the peers.
func (a *Application) ReapTxs(_ context.Context, req *abcitypes.RequestReapTxs) (*abcitypes.ResponseReapTxs, error) {
	return &abcitypes.ResponseReapTxs{Txs: a.pool.offer(a.height(), req.MaxBytes)}, nil
}

// Intake returns the present counts.
func (a *Application) Intake() Intake {
	var i Intake
	a.admission.mu.Lock()
	i.Taken, i.FromPeers, i.Refused = a.admission.taken, a.admission.fromPeers, maps.Clone(a.admission.refused)
	a.admission.mu.Unlock()
	i.Pending, i.PendingBytes = a.pool.size()
	return i
}

func (ad *admission) count(code tx.Code) {
	ad.mu.Lock()
	defer ad.mu.Unlock()
	ad.refused[code]++
}

// receive queues a peer's transaction and says whether there was room.
func (ad *admission) receive(raw []byte) bool {
	ad.mu.Lock()
	defer ad.mu.Unlock()
	if ad.inboxBytes+len(raw) > inboxBytes || len(ad.inbox) >= inboxCount {
		return false
	}
	ad.inbox = append(ad.inbox, raw)
	ad.inboxBytes += len(raw)
	select {
	case ad.arrived <- struct{}{}:
	default:
	}
	return true
}

// fetch takes up to n transactions of peers out of the queue.
func (ad *admission) fetch(n int) [][]byte {
	ad.mu.Lock()
	defer ad.mu.Unlock()
	n = min(n, len(ad.inbox))
	batch := ad.inbox[:n:n]
	for _, raw := range batch {
		ad.inboxBytes -= len(raw)
	}
	if ad.inbox = ad.inbox[n:]; len(ad.inbox) == 0 {
		ad.inbox = nil
	} else {
		select {
		case ad.arrived <- struct{}{}:
		default:
		}
	}
	return batch
}

// verifier takes transactions in until the application stops. It is the only goroutine that verifies outside of blocks, so that
// admission never takes more than the cores it is given between two consensus calls.
func (a *Application) verifier() {
	defer close(a.stopped)
	for {
		var batch []submission
		select {
		case <-a.stopping:
			return
		case s := <-a.admission.submitted:
			batch = a.more(append(batch, s))
		case <-a.admission.arrived:
		}
		batch = append(batch, a.fromPeers(batchCount-len(batch))...)
		if err := a.admit(batch); err != nil {
			a.log.Error("taking transactions in", "error", err)
		}
	}
}

// more adds what else is submitted within batchWait.
func (a *Application) more(batch []submission) []submission {
	deadline := time.NewTimer(batchWait)
	defer deadline.Stop()
	for len(batch) < batchCount {
		select {
		case s := <-a.admission.submitted:
			batch = append(batch, s)
		case <-deadline.C:
			return batch
		}
	}
	return batch
}

// fromPeers checks up to n transactions of peers, and drops what this node would not propose. A peer may be ahead by a block, and
// what it knows missing here: the node where the transaction came in offers it again.
func (a *Application) fromPeers(n int) []submission {
	var batch []submission
	for _, raw := range a.admission.fetch(n) {
		parsed, err := a.consider(raw)
		if err == nil && parsed != nil {
			batch = append(batch, submission{parsed: parsed})
		}
		if err = a.refuse(new(Admission), err); err != nil {
			a.log.Error("checking a transaction of a peer", "error", err)
		}
	}
	return batch
}

// admit verifies a batch and puts it into the pool, in order.
func (a *Application) admit(batch []submission) error {
	if len(batch) == 0 {
		return nil
	}
	view := a.ledger.Newest()
	parsed := make([]*tx.Parsed, len(batch))
	for i, s := range batch {
		parsed[i] = s.parsed
	}
	found, err := a.verifyBatch(view, parsed)
	for i, s := range batch {
		var refusal *tx.Refusal
		if err != nil {
			refusal = tx.Refuse(tx.CodeRetryLater, "the node could not verify it")
		} else {
			refusal = found[i].Refusal
		}
		if refusal == nil {
			if !a.pool.add(found[i].Verified, s.answer != nil, view.Height()) {
				a.verdicts.add(found[i].Verified)
				refusal = tx.Refuse(tx.CodeRetryLater, "the pool, or the signer's share of it, is full")
			}
		}
		switch local := s.answer != nil; {
		case refusal == nil:
			a.admission.countTaken(local)
		case !local:
			a.admission.count(refusal.Code)
		}
		if s.answer != nil {
			s.answer <- refusal // has room; Submit counts a refusal
		}
	}
	return err
}

// verifyBatch verifies transactions; a panic is an error.
func (a *Application) verifyBatch(view state.View, parsed []*tx.Parsed) (found []tx.Verdict, err error) {
	defer recovered(&err)
	return a.app.Verify(view, parsed, rand.Reader)
}

func (ad *admission) countTaken(local bool) {
	ad.mu.Lock()
	defer ad.mu.Unlock()
	if local {
		ad.taken++
	} else {
		ad.fromPeers++
	}
}
