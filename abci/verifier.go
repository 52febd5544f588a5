package abci

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

const (
	// batchWait is how long the verifier waits for more transactions before it begins with a batch.
	batchWait = 3 * time.Millisecond
	// batchCount bounds the transactions of one batch.
	batchCount = 512
)

// verifier takes transactions in until the application stops. It is the only goroutine that decodes, checks and verifies outside of
// blocks, so that admission never takes more than the cores it is given between two consensus calls, however many callers there
// are; and where a block is late it rests after each batch, so that the cores are free for consensus.
func (a *Application) verifier() {
	defer close(a.stopped)
	p := pacer{seen: time.Now()}
	for a.sources.await(a.stopping) {
		begin, advanced := time.Now(), a.Advanced()
		a.admit(a.sources.take(batchCount))
		now := time.Now()
		if rest := p.rest(a.height(), a.blockPace(), now, now.Sub(begin)); rest > 0 {
			over := time.NewTimer(rest)
			select {
			case <-over.C:
			case <-advanced:
			case <-a.stopping:
			}
			over.Stop()
		}
	}
}

const (
	// lateAfter is how much longer than timeout_commit a block may take before it is late.
	lateAfter = 500 * time.Millisecond
	// restFactor is how many times as long as a batch took the verifier rests after it while a block is late, and longestRest the most.
	restFactor  = 3
	longestRest = time.Second
)

// pacer tells how long the verifier rests.
type pacer struct {
	height int64     // the newest that was seen
	seen   time.Time // when that was, or the verifier began
}

// rest says how long to rest at a height after a batch that took so long: not at all unless the next block is late by the pace.
func (p *pacer) rest(height int64, pace time.Duration, now time.Time, took time.Duration) time.Duration {
	if height != p.height {
		p.height, p.seen = height, now
	}
	if now.Sub(p.seen) < pace+lateAfter {
		return 0
	}
	return min(restFactor*took, longestRest)
}

// blockPace returns timeout_commit, 0 where there is no ledger yet.
func (a *Application) blockPace() time.Duration {
	view := a.ledger.Newest()
	if view == nil {
		return 0
	}
	params, err := state.MustLoad[pb.Parameters](view, state.KeyParameters)
	if err != nil {
		a.log.Error("reading the pace of blocks", "error", err)
		return 0
	}
	return time.Duration(params.Timeouts.Commit) * time.Millisecond
}

// admit takes in a batch: first what sources brought that are not marked, then, apart from it, what the others brought.
func (a *Application) admit(batch []submission) {
	together, apart := a.marks.split(batch)
	a.admitPart(together, false)
	a.admitPart(apart, true)
}

// admitPart checks and verifies a part of a batch, puts it into the pool in order, promises the ballots among what clients brought here,
// and answers. Of marked sources the signatures are checked first, one by one, so that no ballot costs others the search for it that its
// voter has not signed.
func (a *Application) admitPart(batch []submission, marked bool) {
	if len(batch) == 0 {
		return
	}
	view := a.ledger.Newest()
	onAllCores(len(batch), func(i int) {
		s := &batch[i]
		s.err = a.consider(view, s)
	})
	if err := a.verifySubmissions(view, batch, marked); err != nil {
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
		var refusal *tx.Refusal
		switch {
		case errors.As(s.err, &refusal):
			if s.isBallot() && (refusal.Code == tx.CodeBadSignature || refusal.Code == tx.CodeBadProof) {
				a.marks.mark(s, view.Height())
			}
		case s.err != nil && !s.local():
			a.log.Error("checking a transaction of a peer", "error", s.err)
		}
		a.counts.outcome(s)
		if replies[i].err = s.err; s.err == nil && s.local() && s.isBallot() {
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
	if view == nil {
		return tx.Refuse(tx.CodeRetryLater, "the ledger has not begun")
	}
	if a.Beyond() != nil {
		return tx.Refuse(tx.CodeRetryLater, "the node stops: the ledger needs another program")
	}
	if !s.isBallot() {
		if err := a.done(s.hash); err != nil {
			return err
		}
	}
	if err := a.ask(view, s); err != nil {
		if done := a.done(s.hash); done != nil { // a ballot that is recorded is always refused, by its number, and looked up only then
			return done
		}
		return err
	}
	s.checked, s.verified = view.Height(), a.verdicts.get(s.hash)
	return nil
}

// ask asks what speaks against a transaction: that its voter is barred, or the state.
func (a *Application) ask(view *state.Snapshot, s *submission) error {
	if s.isBallot() {
		voter, _ := owner(s.parsed)
		if err := a.marks.refuse(voter, s.hash); err != nil {
			return err
		}
	}
	return a.app.Check(view, a.blockTime(), s.parsed)
}

// done refuses a transaction that has taken effect.
func (a *Application) done(hash [32]byte) error {
	if known, ok := a.results.Find(hash); ok && known.Code == tx.CodeOK {
		return tx.Refuse(tx.CodeAlreadyDone, "it stands in block %d", known.Height)
	}
	return nil
}

// recovered turns a panic into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// verifySubmissions verifies what passed the checks and is not known to be right, the same bytes once.
func (a *Application) verifySubmissions(view *state.Snapshot, batch []submission, marked bool) error {
	at := map[[32]byte]int{} // where the same bytes stand in parsed
	var parsed []*tx.Parsed
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
	verify := a.verifyBatch
	if marked {
		verify = a.verifyApart
	}
	found, err := verify(view, parsed)
	if err == nil {
		a.bar(found, parsed, view.Height())
	}
	for i := range batch {
		s := &batch[i]
		if s.err != nil || s.verified != nil {
			continue
		}
		if err != nil {
			s.err = tx.Refuse(tx.CodeRetryLater, "the node could not verify it")
		} else if v := found[at[s.hash]]; v.Refusal != nil {
			s.err = v.Refusal
		} else {
			s.verified = v.Verified
		}
	}
	return err
}

// bar holds bad proofs against the voters who signed them.
func (a *Application) bar(found []tx.Verdict, parsed []*tx.Parsed, height int64) {
	for i, v := range found {
		if v.Signed {
			voter, _ := owner(parsed[i])
			a.marks.bar(voter, parsed[i].Hash(), height)
		}
	}
}

// verifyBatch verifies transactions; a panic is an error.
func (a *Application) verifyBatch(view state.View, parsed []*tx.Parsed) (found []tx.Verdict, err error) {
	defer recovered(&err)
	a.counts.verify(parsed)
	begin := time.Now()
	defer func() { a.counts.spend(time.Since(begin)) }()
	return a.verifyAll(view, parsed, rand.Reader)
}

// verifyApart verifies transactions of marked sources: of ballots the signatures first, and only where those hold the rest.
func (a *Application) verifyApart(view state.View, parsed []*tx.Parsed) (found []tx.Verdict, err error) {
	defer recovered(&err)
	refusals, err := a.app.VerifySignatures(view, parsed)
	if err != nil {
		return nil, err
	}
	found = make([]tx.Verdict, len(parsed))
	var rest []*tx.Parsed
	var at []int
	for i, p := range parsed {
		if found[i].Refusal = refusals[i]; refusals[i] == nil {
			rest, at = append(rest, p), append(at, i)
		}
	}
	if len(rest) == 0 {
		return found, nil
	}
	verdicts, err := a.verifyBatch(view, rest)
	for i, v := range verdicts {
		found[at[i]] = v
	}
	return found, err
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
