package abci

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

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

// promiseAll promises ballots that wait in the pool, as far as it can, and returns when the slips are on the disk. The verifier
// alone calls it.
func (a *Application) promiseAll(ballots []*tx.Verified) []promised {
	answers := make([]promised, len(ballots))
	var kept []*pb.Promise
	var hashes [][32]byte       // of what is kept
	first := map[[32]byte]int{} // where the same bytes stand first
	for i, v := range ballots {
		if _, again := first[v.Parsed().Hash()]; again {
			continue
		}
		first[v.Parsed().Hash()] = i
		var s *pb.Promise
		if answers[i].slip, answers[i].reason = a.slips.find(v.Parsed().Hash()); len(answers[i].slip) > 0 || answers[i].reason != nil {
			continue
		}
		if s, answers[i].reason = a.promise(v); s != nil {
			answers[i].slip = election.Encode(s.Slip)
			kept, hashes = append(kept, s), append(hashes, v.Parsed().Hash())
		}
	}
	if err := a.keep(kept, hashes); err != nil {
		for _, hash := range hashes {
			answers[first[hash]] = promised{reason: err}
		}
	}
	for i, v := range ballots {
		answers[i] = answers[first[v.Parsed().Hash()]]
	}
	return answers
}

var errDisk = errors.New("the node could not keep its promise on its disk")

// keep writes slips with their ballots, or takes the ballots off the promises.
func (a *Application) keep(kept []*pb.Promise, hashes [][32]byte) error {
	if len(kept) == 0 {
		return nil
	}
	if err := a.slips.keep(kept); err != nil {
		a.log.Error("keeping slips", "error", err)
		a.pool.forget(hashes...)
		return errDisk
	}
	a.settle(a.pool.settled(hashes)) // by blocks that were committed meanwhile, before their ballots were written
	return nil
}

// promiseAttempts is how often a ballot is checked again where blocks went on meanwhile.
const promiseAttempts = 3

// promise puts one ballot among those promised and signs the slip; or it says why not.
func (a *Application) promise(v *tx.Verified) (p *pb.Promise, err error) {
	defer recovered(&err)
	if err := a.slips.fault(); err != nil {
		return nil, err
	}
	for range promiseAttempts {
		view := a.ledger.Newest()
		params, err := state.MustLoad[pb.Parameters](view, state.KeyParameters)
		if err != nil {
			return nil, err
		}
		room, err := a.promisable(view, params, v)
		if err != nil {
			return nil, err
		}
		issued, err := a.pool.promise(v.Parsed().Hash(), view.Height(), room)
		if errors.Is(err, errStale) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return a.slip(v, issued, issued+int64(params.SlipSpan)), nil
	}
	return nil, errStale
}

// promisable checks a ballot again, against the newest state, and returns what may be promised at one time.
func (a *Application) promisable(view *state.Snapshot, params *pb.Parameters, v *tx.Verified) (room, error) {
	if err := a.app.Check(view, a.blockTime(), v.Parsed()); err != nil {
		return room{}, err
	}
	e, err := state.MustLoad[pb.Election](view, state.ElectionKey(v.Parsed().Body().(*pb.CastBallot).Election))
	if err != nil {
		return room{}, err
	}
	if latest := max(a.blockTime(), a.options.Now().UnixNano()); latest >= (e.Closing-int64(params.SlipMargin))*second {
		return room{}, fmt.Errorf("closing is less than %d seconds away", params.SlipMargin)
	}
	for issued := view.Height(); issued <= view.Height()+1; issued++ { // the height of issue will be one of these
		if err := a.signsAt(view, issued); err != nil {
			return room{}, err
		}
	}
	return a.room(view, params)
}

const second = 1_000_000_000

// signsAt says whether this node's keys are those of a validator of a height.
func (a *Application) signsAt(view state.View, height int64) error {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](view, state.KeyValidators)
	if err != nil {
		return err
	}
	return a.signsIn(epochs, height)
}

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

// slip signs.
func (a *Application) slip(v *tx.Verified, issued, until int64) *pb.Promise {
	m, code := v.Parsed().Body().(*pb.CastBallot), v.Ballot().Code()
	p := &pb.Promise{Ballot: v.Parsed().Raw(), Slip: &pb.AcceptanceSlip{
		ChainId: a.app.Chain(), Election: m.Election, RollIndex: m.RollIndex, Sequence: m.Sequence, Code: code[:],
		Validator: a.options.Validator, Issued: issued, Promised: until,
	}}
	slip.Sign(p, a.options.SlipKey)
	return p
}

// Slip returns the slip that this node signed for a transaction, nil where it has signed none.
func (a *Application) Slip(hash [32]byte) ([]byte, error) { return a.slips.find(hash) }

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
	}
	a.settle(settled)
	return nil
}
