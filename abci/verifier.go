package abci

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"votenode/app/state"
	"votenode/app/tx"
)

const (
	// batchWait is how long the verifier waits for more transactions before it begins with a batch.
	batchWait = 3 * time.Millisecond
	// batchCount bounds the transactions of one batch.
	batchCount = 512
)

// verifier takes transactions in until the application stops. It is the only goroutine that decodes, checks and verifies outside of
// blocks, so that admission never takes more than the cores it is given between two consensus calls, however many callers there
// are.
func (a *Application) verifier() {
	defer close(a.stopped)
	for a.sources.await(a.stopping) {
		a.admit(a.sources.take(batchCount))
	}
}

// admit checks and verifies a batch, puts it into the pool in order, promises the ballots among what clients brought here, and answers.
func (a *Application) admit(batch []submission) {
	view := a.ledger.Newest()
	onAllCores(len(batch), func(i int) {
		s := &batch[i]
		s.err = a.consider(view, s)
	})
	if err := a.verifySubmissions(view, batch); err != nil {
		a.log.Error("verifying transactions", "error", err)
	}
	replies := make([]reply, len(batch))
	var ballots []candidate
	var at []int
	for i := range batch {
		s := &batch[i]
		if s.err == nil && (s.local() || !s.waits) {
			s.err = a.take(s, view.Height())
		}
		if refusal := (*tx.Refusal)(nil); s.err != nil && !s.local() && !errors.As(s.err, &refusal) {
			a.log.Error("checking a transaction of a peer", "error", s.err)
		}
		a.counts.outcome(s)
		if replies[i].err = s.err; s.err == nil && s.local() && s.parsed.Kind() == tx.KindCastBallot {
			ballots, at = append(ballots, candidate{s.verified, s.checked}), append(at, i)
		}
	}
	for i, p := range a.promiseAll(ballots) {
		replies[at[i]].promised = p
	}
	for i, s := range batch {
		if s.local() {
			s.answer <- replies[i] // has room
		}
	}
}

// consider makes the cheap checks of a transaction that does not wait in the pool already, against one state. A panic in a check is an
// error of that transaction alone: nobody shall stop nodes by what they send. What the state refuses this node would not propose: a
// peer may be ahead by a block, and what it knows missing here; the node where the transaction came in offers it again.
func (a *Application) consider(view *state.Snapshot, s *submission) (err error) {
	defer recovered(&err)
	s.hash, s.checked = hashOf(s.raw), -1
	if v := a.pool.get(s.hash); v != nil {
		s.parsed, s.verified, s.waits = v.Parsed(), v, true
		return nil
	}
	if s.parsed, err = tx.Parse(s.raw); err != nil {
		return err
	}
	if s.parsed.Kind() == tx.KindAuthorBlock {
		return tx.Refuse(tx.CodeAuthorship, "%v is not taken in", s.parsed.Kind())
	}
	if known, ok := a.results.Find(s.hash); ok && known.Code == tx.CodeOK {
		return tx.Refuse(tx.CodeAlreadyDone, "it stands in block %d", known.Height)
	}
	if view == nil {
		return tx.Refuse(tx.CodeRetryLater, "the ledger has not begun")
	}
	if err := a.app.Check(view, a.blockTime(), s.parsed); err != nil {
		return err
	}
	s.checked, s.verified = view.Height(), a.verdicts.get(s.hash)
	return nil
}

// recovered turns a panic into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// verifySubmissions verifies what passed the checks and is not known to be right, the same bytes once.
func (a *Application) verifySubmissions(view *state.Snapshot, batch []submission) error {
	var parsed []*tx.Parsed
	at := map[[32]byte]int{} // where the same bytes stand in parsed
	for i := range batch {
		if s := &batch[i]; s.err == nil && s.verified == nil {
			if _, twice := at[s.hash]; !twice {
				at[s.hash], parsed = len(parsed), append(parsed, s.parsed)
			}
		}
	}
	if len(parsed) == 0 {
		return nil
	}
	found, err := a.verifyBatch(view, parsed)
	for i := range batch {
		s := &batch[i]
		if s.err != nil || s.verified != nil {
			continue
		}
		switch {
		case err != nil:
			s.err = tx.Refuse(tx.CodeRetryLater, "the node could not verify it")
		case found[at[s.hash]].Refusal != nil:
			s.err = found[at[s.hash]].Refusal
		default:
			s.verified = found[at[s.hash]].Verified
		}
	}
	return err
}

// verifyBatch verifies transactions; a panic is an error.
func (a *Application) verifyBatch(view state.View, parsed []*tx.Parsed) (found []tx.Verdict, err error) {
	defer recovered(&err)
	return a.app.Verify(view, parsed, rand.Reader)
}

// take puts a verified transaction into the pool, or says why not.
func (a *Application) take(s *submission, height int64) error {
	ok, replaced := a.pool.add(s.verified, s.local(), height)
	for _, hash := range replaced {
		a.results.GiveUp(hash, tx.Refuse(tx.CodeSequence, "a ballot of this voter with a higher number took its place"))
	}
	if !ok {
		a.verdicts.add(s.verified)
		return tx.Refuse(tx.CodeRetryLater, "the pool, or the signer's share of it, is full")
	}
	return nil
}
