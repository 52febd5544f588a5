package scribe

import (
	"context"
	"errors"
	"fmt"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// Election is the id of the election in every record.
const Election = "bench"

// MaxOptions bounds the options: the contest has a dummy position besides.
const MaxOptions = ballot.MaxPositions - 1

// Options say what election is held.
type Options struct {
	// Voters each cast one ballot, at least one of them. Options, 1 to MaxOptions, are those of the one contest.
	Voters, Options int
	// Blocks is over how many blocks the ballots are spread evenly, a second apart. As few as hold them are made where it is less.
	Blocks int
	// Progress is told how many ballots are recorded; it may be nil.
	Progress func(done, all int64)
	// State is given the chain id and the state after the last block; it may be nil.
	State func(chain string, s *state.Snapshot) error
}

// Written is what a record must come to.
type Written struct {
	GenesisHash [32]byte
	// Validators is how many sign every block, Blocks over how many blocks the ballots are spread.
	Validators, VotingBlocks int
	// Height is that of the last block.
	Height int64
	// Votes are the votes by option.
	Votes []uint64
}

// Write holds an election and writes its record into a new folder. Where it fails it leaves none.
func Write(ctx context.Context, folder string, o Options) (*Written, error) {
	if o.Voters < 1 || o.Options < 1 || o.Options > MaxOptions || o.Blocks < 0 {
		return nil, fmt.Errorf("scribe: %d voters, %d options and %d blocks are out of range", o.Voters, o.Options, o.Blocks)
	}
	l, err := found(folder)
	if err != nil {
		return nil, fmt.Errorf("scribe: %w", err)
	}
	p := &poll{ledger: l, manifest: rules(o.Options)}
	w := &Written{GenesisHash: genesis.Hash(l.doc), Validators: l.set.Size(), Votes: make([]uint64, o.Options)}
	if err := p.hold(ctx, o, w); err != nil {
		return nil, fmt.Errorf("scribe: %w", errors.Join(err, l.writer.Discard()))
	}
	return w, nil
}

// hold goes through the whole election.
func (p *poll) hold(ctx context.Context, o Options, w *Written) error {
	for _, step := range []func() error{
		func() error { return p.make(0) },
		p.create,
		func() error { return p.enrol(o.Voters) },
		p.appoint,
		p.ceremony,
		func() error { return p.open(int64(o.Voters+o.Blocks) + 60) }, // no more blocks than this can be needed
		func() error { return p.voting(ctx, o, w) },
		p.close,
		p.finish,
	} {
		if err := step(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	w.Height = p.height
	if o.State != nil {
		return o.State(chain, p.view())
	}
	return nil
}

// voting records a ballot of every voter.
func (p *poll) voting(ctx context.Context, o Options, w *Written) error {
	fit, err := p.fit(o.Voters)
	if err != nil {
		return err
	}
	w.VotingBlocks = max(o.Blocks, (o.Voters+fit-1)/fit)
	for i := range w.VotingBlocks {
		from, to := i*o.Voters/w.VotingBlocks, (i+1)*o.Voters/w.VotingBlocks
		raw, err := p.vote(ctx, from, to)
		if err != nil {
			return err
		}
		if err := p.make(1, raw...); err != nil {
			return err
		}
		if o.Progress != nil {
			o.Progress(int64(to), int64(o.Voters))
		}
	}
	for voter := range o.Voters {
		w.Votes[voter%o.Options]++
	}
	return nil
}

// What a block holds besides its transactions.
const (
	rest   = 64 << 10 // bytes for header, commit, and the author's transaction
	author = 10       // units of the author's transaction
	frame  = 8        // bytes around a transaction
)

// fit returns how many ballots of so many voters a block has room for: the largest ballot is that of the last voter.
func (p *poll) fit(voters int) (int, error) {
	raw, err := p.cast(voters - 1)
	if err != nil {
		return 0, err
	}
	parsed, err := tx.Parse(raw)
	if err != nil {
		return 0, err
	}
	limits := &p.doc.Parameters.Limits
	return int(min((limits.BlockUnits-author)/parsed.Units(), (limits.BlockBytes-rest)/uint64(len(raw)+frame))), nil
}

// close closes the election, decrypts it, and goes on until the record certifies the result.
func (p *poll) close() error {
	e, err := p.record()
	if err != nil {
		return err
	}
	if err := p.make(e.Closing - p.now.Unix()); err != nil {
		return err
	}
	if err := p.make(int64(p.manifest.ObjectionWindow)); err != nil {
		return err
	}
	if err := p.reach(pb.PHASE_DECRYPTING); err != nil {
		return err
	}
	if err := p.decrypt(); err != nil {
		return err
	}
	if err := p.make(1); err != nil {
		return err
	}
	if err := p.reach(pb.PHASE_FINAL); err != nil {
		return err
	}
	for range 3 {
		if err := p.make(1); err != nil {
			return err
		}
	}
	return nil
}
