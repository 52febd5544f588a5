package abci

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

// This file signs acceptance slips: promises that a ballot which a client brought here will be recorded. Spec 12.2.

// promisedShare of a block, in quarters, is for what this node has promised; the rest is left for others, resolutions above all.
const promisedShare = 3

// promised is the answer to one ballot: the bytes of a slip, or why there is none.
type promised struct {
	slip   []byte
	reason error
}

var errNoValidator = errors.New("this node is no validator, or not with this slip key")

// candidate is a ballot that waits in the pool and may be promised.
type candidate struct {
	*tx.Verified
	checked int64 // height of the state that took it last
}

// promiseAll promises ballots that wait in the pool, as far as it can, and returns when the slips are on the disk. The verifier
// alone calls it. What does not depend on the ballot is read once for a state, and the order of the promises is that of the ballots; the
// rest, look-ups, checks and signatures, is done on all cores.
func (a *Application) promiseAll(ballots []candidate) []promised {
	answers := make([]promised, len(ballots))
	var fresh []int             // what stands here first
	first := map[[32]byte]int{} // where the same bytes stand first
	for i, b := range ballots {
		if _, again := first[b.Parsed().Hash()]; !again {
			first[b.Parsed().Hash()], fresh = i, append(fresh, i)
		}
	}
	var t *terms
	if len(fresh) > 0 {
		t = a.termsNow()
	}
	onAllCores(len(fresh), func(n int) {
		b, answer := &ballots[fresh[n]], &answers[fresh[n]]
		if answer.slip, answer.reason = a.slips.find(b.Parsed().Hash()); len(answer.slip) == 0 && answer.reason == nil {
			answer.reason = a.checkAgain(t, b)
		}
	})
	var list []kept
	var at []int // their places
	for _, i := range fresh {
		if answers[i].reason != nil || len(answers[i].slip) > 0 {
			continue
		}
		var issued int64
		if t, issued, answers[i].reason = a.promise(t, ballots[i]); answers[i].reason == nil {
			due := issued + int64(t.params.SlipSpan)
			a.pool.fallsDue(ballots[i].Parsed().Hash(), due)
			list, at = append(list, a.unsigned(ballots[i], issued, due)), append(at, i)
		}
	}
	onAllCores(len(list), func(n int) { list[n].sign(a.options.SlipKey) })
	err := a.keep(list)
	for n, i := range at {
		if answers[i].slip = list[n].slip; err != nil {
			answers[i] = promised{reason: err}
		}
	}
	for i, b := range ballots {
		answers[i] = answers[first[b.Parsed().Hash()]]
	}
	return answers
}

// onAllCores calls work for each number below n, as many at a time as there are cores.
func onAllCores(n int, work func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				work(int(i))
			}
		})
	}
	group.Wait()
}

var errDisk = errors.New("the node could not keep its promise on its disk")

// keep writes slips with their ballots, or takes the ballots off the promises.
func (a *Application) keep(list []kept) error {
	if len(list) == 0 {
		return nil
	}
	hashes := make([][32]byte, len(list))
	for i := range list {
		hashes[i] = list[i].hash
	}
	if err := a.slips.keep(list); err != nil {
		a.log.Error("keeping slips", "error", err)
		a.pool.forget(hashes...)
		return errDisk
	}
	a.counts.promise(len(list))
	a.settle(a.pool.settled(hashes)) // by blocks that were committed meanwhile, before their ballots were written
	return nil
}

// terms are what promises rest on in one state, whatever the ballot.
type terms struct {
	view     *state.Snapshot
	params   *pb.Parameters
	signs    error            // why this node signs no slips
	closings map[string]int64 // of the elections asked for, unix seconds
	room     room
	noRoom   error // why room could not be reckoned
	err      error // the store's
}

// termsNow reads the terms of the newest state.
func (a *Application) termsNow() *terms {
	t := &terms{view: a.ledger.Newest(), closings: map[string]int64{}}
	t.err = a.readTerms(t)
	return t
}

func (a *Application) readTerms(t *terms) (err error) {
	defer recovered(&err)
	if t.params, err = state.MustLoad[pb.Parameters](t.view, state.KeyParameters); err != nil {
		return err
	}
	epochs, err := state.MustLoad[pb.ValidatorEpochs](t.view, state.KeyValidators)
	if err != nil {
		return err
	}
	for issued := t.view.Height(); issued <= t.view.Height()+1 && t.signs == nil; issued++ { // the height of issue will be one of these
		t.signs = a.signsIn(epochs, issued)
	}
	if t.signs == nil {
		t.room, t.noRoom = a.room(t.view, t.params)
	}
	return nil
}

// closing returns when an election closes, unix seconds.
func (t *terms) closing(id string) (int64, error) {
	if closing, ok := t.closings[id]; ok {
		return closing, nil
	}
	e, err := state.MustLoad[pb.Election](t.view, state.ElectionKey(id))
	if err != nil {
		return 0, err
	}
	t.closings[id] = e.Closing
	return e.Closing, nil
}

// promiseAttempts is how often a ballot is checked again where blocks went on meanwhile.
const promiseAttempts = 3

// promise puts one ballot among those promised and returns the height of issue; or it says why not. Where blocks went on it reads the
// terms again, and returns the last.
func (a *Application) promise(t *terms, b candidate) (last *terms, issued int64, err error) {
	defer recovered(&err)
	last = t
	if err := a.slips.fault(); err != nil {
		return last, 0, err
	}
	for range promiseAttempts {
		if a.ledger.Newest() != last.view {
			last = a.termsNow()
		}
		if err := a.checkAgain(last, &b); err != nil {
			return last, 0, err
		}
		room, err := a.promisable(last, b)
		if err != nil {
			return last, 0, err
		}
		if issued, err = a.pool.promise(b.Parsed().Hash(), b.checked, room); !errors.Is(err, errStale) {
			return last, issued, err
		}
	}
	return last, 0, errStale
}

// checkAgain has the state of the terms take a ballot that an older one took last.
func (a *Application) checkAgain(t *terms, b *candidate) (err error) {
	defer recovered(&err)
	if t.err != nil || b.checked == t.view.Height() {
		return t.err
	}
	if err := a.app.Check(t.view, a.blockTime(), b.Parsed()); err != nil {
		return err
	}
	b.checked = t.view.Height()
	return nil
}

// promisable returns what may be promised at one time, or why this ballot may not be.
func (a *Application) promisable(t *terms, b candidate) (room, error) {
	closing, err := t.closing(b.Parsed().Cast().Election)
	if err != nil {
		return room{}, err
	}
	if latest := max(a.blockTime(), a.options.Now().UnixNano()); latest >= (closing-int64(t.params.SlipMargin))*second {
		return room{}, fmt.Errorf("closing is less than %d seconds away", t.params.SlipMargin)
	}
	if t.signs != nil {
		return room{}, t.signs
	}
	return t.room, t.noRoom
}

const second = 1_000_000_000

// signsIn says whether this node's keys are those of a validator of a height.
func (a *Application) signsIn(epochs *pb.ValidatorEpochs, height int64) error {
	address := organisation.ConsensusAddress(a.options.Validator)
	own := app.ValidatorAt(epochs, height, address[:])
	if own == nil || !bytes.Equal(own.SlipKey, a.options.SlipKey[32:]) {
		return errNoValidator
	}
	return nil
}

// room returns what may be promised at one time: the promised share of one block, where this node is to propose one while a promise
// that is made now runs, that of the next height left out. Others can refuse all its proposals but one, which must hold everything.
func (a *Application) room(view *state.Snapshot, params *pb.Parameters) (room, error) {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](view, state.KeyValidators)
	if err != nil {
		return room{}, err
	}
	through := view.Height() + int64(params.SlipSpan)
	if next := epochs.Next; next.Number != 0 && through >= next.FirstHeight && a.signsIn(epochs, next.FirstHeight) != nil {
		through = next.FirstHeight - 1 // it leaves
	}
	turns, err := a.options.Turns(view.Height()+1, through)
	if err != nil || turns == 0 {
		return room{}, err
	}
	validators := max(len(epochs.Present.Validators), len(epochs.Next.Validators))
	block := cmttypes.MaxDataBytes(int64(params.Limits.BlockBytes), organisation.EvidenceBytes, validators) - authorBytes
	return room{
		bytes: int(block * promisedShare / 4),
		units: (params.Limits.BlockUnits - authorUnits) * promisedShare / 4,
	}, nil
}

// unsigned returns what is to be kept of a promise, but for the slip's signature.
func (a *Application) unsigned(b candidate, issued, until int64) kept {
	c, code := b.Parsed().Cast(), b.Code(a.app.Chain())
	return kept{hash: b.Parsed().Hash(), promise: &pb.Promise{Ballot: b.Parsed().Raw(), Slip: &pb.AcceptanceSlip{
		ChainId: a.app.Chain(), Election: c.Election, RollIndex: c.RollIndex, Sequence: c.Sequence, Code: code[:],
		Validator: a.options.Validator, Issued: issued, Promised: until,
	}}}
}

// sign signs the slip.
func (k *kept) sign(key ed25519.PrivateKey) {
	slip.Sign(k.promise, key)
	k.slip = election.Encode(k.promise.Slip)
}

// Slip returns the slip that this node signed for a transaction, nil where it has signed none.
func (a *Application) Slip(hash [32]byte) ([]byte, error) { return a.slips.find(hash) }

// PromiseFault returns why this node promises nothing any more until it is started again, nil where it may promise.
func (a *Application) PromiseFault() error { return a.slips.fault() }

// drop takes transactions out of the pool, and settles what was promised of them.
func (a *Application) drop(hashes ...[32]byte) { a.settle(a.pool.remove(hashes...)) }

// settle forgets the ballots of settled promises.
func (a *Application) settle(hashes [][32]byte) {
	if err := a.slips.settle(hashes); err != nil {
		a.log.Warn("settled promises stay on the disk until the next start", "error", err)
	}
}

// restore puts the ballots of promises that were not settled when the node ended back into the pool. What the state refuses is
// settled: a slip was signed for nothing that could not be recorded then.
func (a *Application) restore() error {
	view := a.ledger.Newest()
	if view == nil {
		return nil
	}
	hashes, err := a.slips.pending()
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(hashes, batchCount) {
		if err := a.restoreBatch(view, batch); err != nil {
			return err
		}
	}
	return nil
}

func (a *Application) restoreBatch(view *state.Snapshot, hashes [][32]byte) error {
	var parsed []*tx.Parsed
	var settled [][32]byte
	for _, hash := range hashes {
		raw, err := a.slips.ballot(hash)
		if err != nil {
			return err
		}
		p, err := tx.Parse(raw)
		if err != nil {
			return err
		}
		var refusal *tx.Refusal
		switch err = a.app.Check(view, a.blockTime(), p); {
		case errors.As(err, &refusal):
			settled = append(settled, hash)
		case err != nil:
			return err
		default:
			parsed = append(parsed, p)
		}
	}
	found, err := a.verifyBatch(view, parsed)
	if err != nil {
		return err
	}
	for i, f := range found {
		hash := parsed[i].Hash()
		if f.Verified == nil {
			return fmt.Errorf("the ballot %x, for which this node has signed a slip, does not verify: %w", hash, f.Refusal)
		}
		if ok, _ := a.pool.add(f.Verified, true, view.Height()); !ok {
			return errors.New("the pool has no room for them; give it more in the configuration")
		}
		a.pool.resume(hash)
		due, err := a.slips.due(hash)
		if err != nil {
			return err
		}
		a.pool.fallsDue(hash, due)
	}
	a.settle(settled)
	return nil
}
