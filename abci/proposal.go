package abci

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// proposal is the list of transactions of a block, on the way from bytes to verdicts.
type proposal struct {
	in       call // the consensus call that asks
	hashes   [][32]byte
	parsed   []*tx.Parsed // nil where the bytes are no transaction
	verdicts []tx.Verdict
	unknown  []int // parsed, and not verified yet
}

// parse decodes the transactions of a block, but for those that this node has verified and still remembers.
func (a *Application) parse(in call, txs [][]byte) *proposal {
	n := len(txs)
	p := &proposal{in: in, hashes: make([][32]byte, n), parsed: make([]*tx.Parsed, n), verdicts: make([]tx.Verdict, n)}
	var known Lookups
	for i, raw := range txs {
		p.hashes[i] = hashOf(raw)
		v := a.pool.get(p.hashes[i])
		if v != nil {
			known.Pool++
		} else if v = a.verdicts.get(p.hashes[i]); v != nil {
			known.Remembered++
		}
		if v != nil {
			p.parsed[i], p.verdicts[i].Verified = v.Parsed(), v
			continue
		}
		parsed, err := tx.Parse(raw)
		if err != nil {
			errors.As(err, &p.verdicts[i].Refusal)
			continue
		}
		p.parsed[i], p.unknown = parsed, append(p.unknown, i)
	}
	a.counts.lookup(in, known)
	return p
}

// verify fills in the verdicts that are not known yet, on all cores. They depend on nothing but the bytes and the view; an error
// is the store's or the random source's.
func (a *Application) verify(view state.View, p *proposal) error {
	if len(p.unknown) == 0 {
		return nil
	}
	a.counts.lookup(p.in, Lookups{Unseen: uint64(len(p.unknown))})
	pending := make([]*tx.Parsed, len(p.unknown))
	for i, at := range p.unknown {
		pending[i] = p.parsed[at]
	}
	found, err := a.app.Verify(view, pending, rand.Reader)
	if err != nil {
		return err
	}
	for i, at := range p.unknown {
		if p.verdicts[at] = found[i]; found[i].Verified != nil {
			a.verdicts.add(found[i].Verified)
		}
	}
	p.unknown = nil
	return nil
}

// fault says what makes a list of transactions no block of ours, nil where nothing does (docs/spec section 7.2). It depends on
// the transactions and the view alone. What costs little is asked before anything is verified.
func (a *Application) fault(view state.View, proposer []byte, p *proposal) (fault *tx.Refusal, err error) {
	for i, parsed := range p.parsed {
		if parsed == nil {
			return p.verdicts[i].Refusal, nil
		}
	}
	if fault, err = a.app.AuthorshipFault(view, proposer, p.parsed); fault != nil || err != nil {
		return fault, err
	}
	if fault, err = a.app.ProposalFault(view, p.parsed, p.verdicts); fault != nil || err != nil {
		return fault, err
	}
	if err := a.verify(view, p); err != nil {
		return nil, err
	}
	return a.app.ProposalFault(view, p.parsed, p.verdicts)
}

// ProcessProposal implements CometBFT's Application: whether this node prevotes a block. It depends on the block and the
// committed state alone, but for the two clock rules (docs/spec section 7.3): the block's time may not be ahead of the clock by
// more than the tolerance; and ballots of an election that closed long ago, by the clock at which this node committed the block
// before, refuse the block, so that the answer to this is the same in every round of the height.
func (a *Application) ProcessProposal(_ context.Context, req *abcitypes.RequestProcessProposal) (*abcitypes.ResponseProcessProposal, error) {
	fault, err := a.proposalFault(req)
	switch {
	case err != nil:
		return nil, fmt.Errorf("judging a proposal of height %d: %w", req.Height, err)
	case fault != nil:
		a.log.Warn("refusing a proposal", "height", req.Height, "proposer", fmt.Sprintf("%x", req.ProposerAddress), "fault", fault)
		return &abcitypes.ResponseProcessProposal{Status: abcitypes.ResponseProcessProposal_REJECT}, nil
	}
	return &abcitypes.ResponseProcessProposal{Status: abcitypes.ResponseProcessProposal_ACCEPT}, nil
}

// proposalFault returns what speaks against a proposal; err is the node's own fault. A panic in a check speaks against the
// proposal: its proposer shall not stop every node that looks at it.
func (a *Application) proposalFault(req *abcitypes.RequestProcessProposal) (fault, err error) {
	defer recovered(&fault)
	view := a.ledger.Newest()
	if view == nil || view.Height()+1 != req.Height {
		return nil, fmt.Errorf("it does not follow the newest state")
	}
	if err := a.beyondFault(); err != nil {
		return err, nil
	}
	now := a.options.Now().UnixNano()
	if blockTime := req.Time.UnixNano(); app.AheadOfClock(blockTime, now) {
		return fmt.Errorf("block time is %v ahead of the local clock", time.Duration(blockTime-now)), nil
	}
	p := a.parse(process, req.Txs)
	refusal, err := a.fault(view, req.ProposerAddress, p)
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		return refusal, nil
	}
	if made := p.parsed[0].Body().(*pb.AuthorBlock).Time; app.AheadOfClock(made, now) {
		return fmt.Errorf("its author's clock was %v ahead of the local clock", time.Duration(made-now)), nil
	}
	edge, err := a.clock.at(req.Height-1, now)
	if err != nil {
		return nil, err
	}
	if late, err := a.app.LateBallot(view, p.parsed, edge); late || err != nil {
		return errors.New("it brings ballots of an election that closed long ago by the local clock"), err
	}
	return nil, nil
}

// beyondFault is what speaks against every proposal behind an upgrade that this program does not know.
func (a *Application) beyondFault() error {
	if u := a.Beyond(); u != nil {
		return fmt.Errorf("%w behind height %d: protocol version %d", app.ErrProtocol, u.Height, u.Version)
	}
	return nil
}

// PrepareProposal implements CometBFT's Application: it fills a block from the pool, in the pool's order. It never returns an
// error, which would stop consensus: on any doubt it returns fewer transactions. It runs the predicate of ProcessProposal on
// what it chose, with the clock of the moment; the block's time is CometBFT's and cannot be helped.
func (a *Application) PrepareProposal(_ context.Context, req *abcitypes.RequestPrepareProposal) (*abcitypes.ResponsePrepareProposal, error) {
	txs, err := a.propose(req, (*chooser).fill)
	if err != nil {
		a.log.Error("proposing a block of nobody's transactions", "height", req.Height, "error", err)
		txs, err = a.propose(req, (*chooser).nothing)
	}
	if err != nil {
		a.log.Error("proposing a block that does not say who made it, and that nobody accepts", "height", req.Height, "error", err)
		txs = nil
	}
	return &abcitypes.ResponsePrepareProposal{Txs: txs}, nil
}

// propose makes a block of this node of what choose chooses.
func (a *Application) propose(req *abcitypes.RequestPrepareProposal, choose func(*chooser, *pb.Parameters) error) (txs [][]byte, err error) {
	defer recovered(&err)
	view := a.ledger.Newest()
	if view == nil || view.Height()+1 != req.Height {
		return nil, fmt.Errorf("the newest state is not that of the height before")
	}
	if err := a.beyondFault(); err != nil {
		return nil, err
	}
	params, err := state.MustLoad[pb.Parameters](view, state.KeyParameters)
	if err != nil {
		return nil, err
	}
	if req.MaxTxBytes < authorBytes {
		return nil, fmt.Errorf("a block of %d bytes has no room to say who made it", req.MaxTxBytes)
	}
	c := &chooser{
		a: a, view: view, proposer: req.ProposerAddress, time: req.Time.UnixNano(), now: a.options.Now().UnixNano(),
		bytes: req.MaxTxBytes - authorBytes, units: params.Limits.BlockUnits - authorUnits, owners: map[string]bool{},
	}
	if err := choose(c, params); err != nil {
		return nil, err
	}
	return c.checked()
}

// errPromises says that an empty block would break promises.
var errPromises = errors.New("ballots are promised")

// nothing chooses no transactions.
func (c *chooser) nothing(*pb.Parameters) error {
	if promised, _ := c.a.pool.propose(c.view.Height() + 1); len(promised) > 0 {
		return errPromises
	}
	return nil
}

// fill chooses transactions of the pool: what this node has promised first, up to its share of the block and however long that takes;
// then what waits besides, while there is time; what is about initiatives last, up to a small share.
func (c *chooser) fill(params *pb.Parameters) error {
	promised, others := c.a.pool.propose(c.view.Height() + 1)
	memberBytes, memberUnits := c.bytes/memberShare, c.units/memberShare
	leftBytes, leftUnits := c.bytes-c.bytes*promisedShare/4, c.units-c.units*promisedShare/4
	c.bytes, c.units = c.bytes-leftBytes, c.units-leftUnits
	for _, v := range promised {
		if err := c.take(v); err != nil {
			return err
		}
	}
	c.bytes, c.units = c.bytes+leftBytes, c.units+leftUnits
	end := time.After(time.Duration(params.Timeouts.Propose) * time.Millisecond / chooseShare)
	if late, err := c.takeAll(append(others, promised...), end); late || err != nil {
		return err
	}
	c.bytes, c.units = min(c.bytes, memberBytes), min(c.units, memberUnits)
	_, err := c.takeAll(c.a.pool.fromMembers(), end)
	return err
}

// takeAll takes transactions in order, until the end of the time for it.
func (c *chooser) takeAll(list []*tx.Verified, end <-chan time.Time) (late bool, err error) {
	for _, v := range list {
		select {
		case <-end:
			c.a.log.Warn("choosing transactions takes long", "height", c.view.Height()+1, "chosen", len(c.chosen))
			return true, nil
		default:
		}
		if err := c.take(v); err != nil {
			return false, err
		}
	}
	return false, nil
}

// chooseShare of timeout_propose may be spent on choosing transactions.
const chooseShare = 6

// chooser fills a block.
type chooser struct {
	a         *Application
	view      state.View
	proposer  []byte // consensus address
	time, now int64  // of the block, and local; unix nanoseconds
	bytes     int64  // left
	units     uint64
	owners    map[string]bool // who has a ballot in the block, or a validator's report
	chosen    []*tx.Verified
}

// take puts a transaction into the block where it fits and where the state would take it. What the state refuses leaves the pool.
func (c *chooser) take(v *tx.Verified) error {
	p := v.Parsed()
	if p.Units() > c.units { // first, for it is what fills a block as a rule, and costs little
		return nil
	}
	size := cmttypes.ComputeProtoSizeForTxs([]cmttypes.Tx{p.Raw()})
	if size > c.bytes {
		return nil
	}
	name, _ := owner(p)
	once := p.Kind().Casts() || p.Kind() == tx.KindReportIntake
	if once && c.owners[name] {
		return nil
	}
	if late, err := c.a.app.LateBallot(c.view, []*tx.Parsed{p}, c.now); late || err != nil {
		return err
	}
	if err := c.a.app.Check(c.view, c.time, p); err != nil {
		var refusal *tx.Refusal
		if !errors.As(err, &refusal) {
			return err
		}
		c.a.drop(p.Hash())
		c.a.results.GiveUp(p.Hash(), refusal)
		return nil
	}
	if once {
		c.owners[name] = true
	}
	c.bytes -= size
	c.units -= p.Units()
	c.chosen = append(c.chosen, v)
	return nil
}

// What the transaction takes by which the proposer says that it made the block: bytes at most, with CometBFT's framing, and units.
const (
	authorBytes = 256
	authorUnits = 10
)

// author returns the transaction by which the proposer says that it made the block of what was chosen.
func (c *chooser) author() []byte {
	hashes := make([][32]byte, len(c.chosen))
	for i, v := range c.chosen {
		hashes[i] = v.Parsed().Hash()
	}
	content := app.BlockContent(hashes)
	return tx.Sign(c.a.app.Chain(), &pb.AuthorBlock{
		Height: c.view.Height() + 1, Proposer: c.proposer, Time: c.now, Content: content[:],
	}, c.a.options.SlipKey)
}

// checked returns the block, its author's transaction first, where the predicate of ProcessProposal accepts it.
func (c *chooser) checked() ([][]byte, error) {
	author, err := tx.Parse(c.author())
	if err != nil {
		return nil, err
	}
	c.a.counts.lookup(prepare, Lookups{Pool: uint64(len(c.chosen))})
	p := &proposal{in: prepare, parsed: []*tx.Parsed{author}, verdicts: make([]tx.Verdict, 1), unknown: []int{0}}
	for _, v := range c.chosen {
		p.parsed = append(p.parsed, v.Parsed())
		p.verdicts = append(p.verdicts, tx.Verdict{Verified: v})
	}
	fault, err := c.a.fault(c.view, c.proposer, p)
	if err == nil && fault != nil {
		err = fault
	}
	if err != nil {
		return nil, err
	}
	txs := make([][]byte, len(p.parsed))
	for i, parsed := range p.parsed {
		txs[i] = parsed.Raw()
	}
	return txs, nil
}
