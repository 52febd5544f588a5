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
	// Detail is for people: why it was refused, or why a ballot that waits is not promised.
	Detail string
	// Slip is the canonical encoding of the acceptance slip with which this node promises a ballot; nil where it does not.
	Slip []byte
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
	// Promised ballots that are not settled.
	Promised int
}

// submission is a transaction on its way to the verifier.
type submission struct {
	parsed   *tx.Parsed
	verified *tx.Verified // where it waits in the pool already, or was found right
	refusal  *tx.Refusal  // where it was found wrong
	checked  int64        // height of the state that took it; -1 where it waits in the pool already
	answer   chan<- reply // nil where a peer brought it
}

// reply is what came of a submission.
type reply struct {
	refusal  *tx.Refusal
	promised promised // of a ballot that waits
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

// Submit checks transactions against the newest state, has them verified, and puts them into the pool, in order; ballots it promises
// as far as it can. It returns when that is decided for all of them, and slips are on the disk, or with ctx's error. It keeps the
// bytes. It may be called by any number of goroutines.
func (a *Application) Submit(ctx context.Context, raws ...[]byte) ([]Admission, error) {
	answers := make([]Admission, len(raws))
	decided := make([]chan reply, len(raws))
	for i, raw := range raws {
		s, err := a.consider(raw)
		if answers[i].Hash = hashOf(raw); err == nil {
			decided[i] = make(chan reply, 1)
			s.answer = decided[i]
			err = a.admission.enqueue(s)
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
			if err := a.recall(&answers[i]); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case r := <-answer:
			if r.refusal != nil {
				a.refuse(&answers[i], r.refusal)
				if err := a.recall(&answers[i]); err != nil {
					return nil, err
				}
			} else if answers[i].Slip = r.promised.slip; r.promised.reason != nil {
				answers[i].Detail = shorten(fmt.Sprintf("received, not promised: %v", r.promised.reason))
			}
		case <-a.stopping:
			return nil, errors.New("the node is stopping")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return answers, nil
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

// consider makes the cheap checks of a transaction that does not wait in the pool already. A panic in a check is an error of that
// transaction alone: nobody shall stop nodes by what they send.
func (a *Application) consider(raw []byte) (s submission, err error) {
	defer recovered(&err)
	hash := hashOf(raw)
	if v := a.pool.get(hash); v != nil {
		return submission{parsed: v.Parsed(), verified: v, checked: -1}, nil
	}
	parsed, err := tx.Parse(raw)
	if err != nil {
		return submission{}, err
	}
	if parsed.Kind() == tx.KindAuthorBlock {
		return submission{}, tx.Refuse(tx.CodeAuthorship, "%v is not taken in", parsed.Kind())
	}
	if known, ok := a.results.Find(hash); ok && known.Code == tx.CodeOK {
		return submission{}, tx.Refuse(tx.CodeAlreadyDone, "it stands in block %d", known.Height)
	}
	view := a.ledger.Newest()
	if view == nil {
		return submission{}, tx.Refuse(tx.CodeRetryLater, "the ledger has not begun")
	}
	return submission{parsed: parsed, checked: view.Height()}, a.app.Check(view, a.blockTime(), parsed)
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
	i.Promised = a.pool.open()
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
		s, err := a.consider(raw)
		if err == nil && s.verified == nil {
			batch = append(batch, s)
		}
		if err = a.refuse(new(Admission), err); err != nil {
			a.log.Error("checking a transaction of a peer", "error", err)
		}
	}
	return batch
}

// admit verifies a batch, puts it into the pool in order, and promises the ballots among what clients brought here.
func (a *Application) admit(batch []submission) error {
	if len(batch) == 0 {
		return nil
	}
	view := a.ledger.Newest()
	err := a.verifySubmissions(view, batch)
	replies := make([]reply, len(batch))
	var ballots []candidate
	var at []int
	for i := range batch {
		s, r := &batch[i], &replies[i]
		switch {
		case s.verified != nil:
			r.refusal = a.take(s, view.Height())
		case err != nil:
			r.refusal = tx.Refuse(tx.CodeRetryLater, "the node could not verify it")
		default:
			r.refusal = s.refusal
		}
		a.admission.countOutcome(r.refusal, s.answer != nil)
		if r.refusal == nil && s.answer != nil && s.parsed.Kind() == tx.KindCastBallot {
			ballots, at = append(ballots, candidate{s.verified, s.checked}), append(at, i)
		}
	}
	for i, p := range a.promiseAll(ballots) {
		replies[at[i]].promised = p
	}
	for i, s := range batch {
		if s.answer != nil {
			s.answer <- replies[i] // has room; Submit counts a refusal
		}
	}
	return err
}

// verifySubmissions verifies what does not wait in the pool already.
func (a *Application) verifySubmissions(view state.View, batch []submission) error {
	var parsed []*tx.Parsed
	var at []int
	for i := range batch {
		if batch[i].verified == nil {
			parsed, at = append(parsed, batch[i].parsed), append(at, i)
		}
	}
	found, err := a.verifyBatch(view, parsed)
	if err != nil {
		return err
	}
	for i, f := range found {
		batch[at[i]].verified, batch[at[i]].refusal = f.Verified, f.Refusal
	}
	return nil
}

// take puts a verified transaction into the pool, or says why not.
func (a *Application) take(s *submission, height int64) *tx.Refusal {
	ok, replaced := a.pool.add(s.verified, s.answer != nil, height)
	for _, hash := range replaced {
		a.results.GiveUp(hash, tx.Refuse(tx.CodeSequence, "a ballot of this voter with a higher number took its place"))
	}
	if !ok {
		a.verdicts.add(s.verified)
		return tx.Refuse(tx.CodeRetryLater, "the pool, or the signer's share of it, is full")
	}
	return nil
}

// verifyBatch verifies transactions; a panic is an error.
func (a *Application) verifyBatch(view state.View, parsed []*tx.Parsed) (found []tx.Verdict, err error) {
	defer recovered(&err)
	return a.app.Verify(view, parsed, rand.Reader)
}

// countOutcome counts what the verifier decided; refusals of what was submitted here are counted where they are answered.
func (ad *admission) countOutcome(refusal *tx.Refusal, local bool) {
	ad.mu.Lock()
	defer ad.mu.Unlock()
	switch {
	case refusal != nil && !local:
		ad.refused[refusal.Code]++
	case refusal == nil && local:
		ad.taken++
	case refusal == nil:
		ad.fromPeers++
	}
}
