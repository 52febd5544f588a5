package abci

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	abcitypes "github.com/cometbft/cometbft/abci/types"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// Options are what an application is made of.
type Options struct {
	// Genesis is the node's own genesis document, checked, and GenesisHash its hash.
	Genesis     *pb.Genesis
	GenesisHash [32]byte
	// Ledger is the state. The application is its only writer.
	Ledger *state.Ledger
	// ClockFile keeps the local time of the last commit.
	ClockFile string
	// Results holds the index of results; the application closes it.
	Results dbm.DB
	// Now reads the local clock. It is used by the clock rules of proposals, in a block's author transaction, and before a promise.
	Now func() time.Time
	// Pool bounds the pool.
	Pool PoolLimits
	// SlipKey signs the blocks that this node makes, and what it promises to voters.
	SlipKey ed25519.PrivateKey
	// Validator is the node's consensus key, 32 bytes, of a validator or not.
	Validator []byte
	// Slips holds the slips that this node signed; the application closes it.
	Slips dbm.DB
	// Start is the number of this start of the node, from 1; the next start has a greater one. The node's reports name it.
	Start uint64
	// Turns returns how many blocks this node is to propose in the first round, behind a height and up to another.
	Turns func(after, through int64) (int, error)
	// Protocol is the greatest protocol version whose rules this program knows; 0 means app.Protocol.
	Protocol uint64
	// Snapshots are what other nodes may begin with.
	Snapshots *Snapshots
	// Closed says why nothing is taken from clients at present, nil where it is. It is asked for every call of Submit. A nil function never
	// says anything.
	Closed func() error
	// Welcome are node ids, 40 hexadecimal digits, that may connect besides the validators.
	Welcome []string
	// Version of the program, for Info.
	Version string
	Logger  *slog.Logger
}

// Tip is the newest committed block.
type Tip struct {
	Height int64
	// Time of the block, unix nanoseconds; of height 0 that of the genesis document.
	Time int64
}

// Application is the ABCI application. The consensus calls (InitChain, PrepareProposal, ProcessProposal, FinalizeBlock, Commit)
// are made one at a time; every other method may be called by any number of goroutines beside them.
type Application struct {
	abcitypes.BaseApplication // no vote extensions; a node begins with a snapshot before there is an Application, see Restorer

	options  Options
	app      *app.App
	ledger   *state.Ledger
	verdicts *verdicts
	pool     *pool
	sources  *sources
	marks    *marks
	counts   *counts
	results  *Results
	slips    *slips
	welcome  map[string]bool
	log      *slog.Logger

	clock *commitClock // of the consensus calls
	next  *finalized   // of the consensus calls: what FinalizeBlock made and Commit stores

	reports reports // of the caller of ReportIntake

	beyond   atomic.Pointer[pb.UpgradeSoftware] // in force at the next height, and not known to this program; nil mostly
	holds    atomic.Bool                        // blocks beyond are held
	held     atomic.Bool                        // one is
	tip      atomic.Pointer[Tip]
	advanced struct {
		sync.Mutex
		next chan struct{} // closed by the next commit
	}

	verifyAll func(state.View, []*tx.Parsed, io.Reader) ([]tx.Verdict, error) // the App's Verify, which the verifier calls

	stopping chan struct{} // closed by Close
	stopped  chan struct{} // closed by the verifier
}

// New returns an application and starts its verifier. It fails where the ledger was made from another genesis document.
func New(o Options) (*Application, error) {
	clock, err := openCommitClock(o.ClockFile)
	if err != nil {
		return nil, err
	}
	a := &Application{
		options: o, app: app.NewOf(o.Genesis.ChainId, cmp.Or(o.Protocol, app.Protocol)), ledger: o.Ledger, log: o.Logger, clock: clock,
		verdicts: newVerdicts(verdictBytes), counts: newCounts(), reports: reports{start: o.Start}, results: NewResults(o.Results), slips: &slips{db: o.Slips},
		welcome: map[string]bool{}, stopping: make(chan struct{}), stopped: make(chan struct{}),
	}
	a.marks = newMarks()
	a.sources = newSources(a.marks.has)
	a.verifyAll = a.app.Verify
	for _, id := range o.Welcome {
		a.welcome[id] = true
	}
	a.advanced.next = make(chan struct{})
	if err := a.readTip(); err != nil {
		return nil, err
	}
	a.pool = newPool(o.Pool, a.height()+1) // it may have been proposed before the node ended
	if err := a.restore(); err != nil {
		return nil, fmt.Errorf("what this node has promised: %w", err)
	}
	go a.verifier()
	return a, nil
}

// Close stops the verifier and closes the index of results and the slips. The consensus calls must have ended.
func (a *Application) Close() error {
	close(a.stopping)
	<-a.stopped
	return errors.Join(a.results.Close(), a.slips.db.Close())
}

// readTip takes up what the ledger holds, and holds its genesis hash against the document's.
func (a *Application) readTip() error {
	tip := &Tip{Time: a.options.Genesis.Time * int64(time.Second)}
	defer func() { a.tip.Store(tip) }()
	newest := a.ledger.Newest()
	if newest == nil {
		return nil
	}
	chain, err := state.MustLoad[pb.Chain](newest, state.KeyChain)
	if err != nil {
		return err
	}
	if !bytes.Equal(chain.GenesisHash, a.options.GenesisHash[:]) {
		return fmt.Errorf("the ledger belongs to the genesis document %x, not to %x", chain.GenesisHash, a.options.GenesisHash)
	}
	if newest.Height() == 0 {
		return nil
	}
	head, err := newest.Head(state.LogBlocks)
	if err != nil {
		return err
	}
	if head.Size == 0 {
		return fmt.Errorf("%w: no leaf in the blocks log at height %d", state.ErrCorrupted, newest.Height())
	}
	leaf, err := newest.Leaf(state.LogBlocks, head.Size-1)
	if err != nil {
		return err
	}
	var last pb.BlockLeaf
	if err := last.Unmarshal(leaf); err != nil || last.Height != newest.Height() {
		return fmt.Errorf("%w: the newest leaf of the blocks log is not of height %d", state.ErrCorrupted, newest.Height())
	}
	tip.Height, tip.Time = last.Height, last.Time
	return a.lookBeyond(newest)
}

// App returns the state machine, for what it derives from views.
func (a *Application) App() *app.App { return a.app }

// Ledger returns the state. Callers only read.
func (a *Application) Ledger() *state.Ledger { return a.ledger }

// Results returns the index of results.
func (a *Application) Results() *Results { return a.results }

// Tip returns the newest committed block.
func (a *Application) Tip() Tip { return *a.tip.Load() }

func (a *Application) height() int64 { return a.tip.Load().Height }

func (a *Application) blockTime() int64 { return a.tip.Load().Time }

// Advanced returns a channel that the next commit closes. Whoever waits for something takes the channel first, looks, and waits
// then, so that no commit is missed.
func (a *Application) Advanced() <-chan struct{} {
	a.advanced.Lock()
	defer a.advanced.Unlock()
	return a.advanced.next
}

// Wait returns when the height is committed, or with ctx's error.
func (a *Application) Wait(ctx context.Context, height int64) error {
	for {
		advanced := a.Advanced()
		if a.height() >= height {
			return nil
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *Application) advance(tip *Tip) {
	a.tip.Store(tip)
	a.advanced.Lock()
	defer a.advanced.Unlock()
	close(a.advanced.next)
	a.advanced.next = make(chan struct{})
}

// Beyond returns the upgrade behind which this program cannot go on: its rules are in force at the next height, and another program knows
// them. It returns nil where this one goes on.
func (a *Application) Beyond() *pb.UpgradeSoftware { return a.beyond.Load() }

// HoldBeyond has FinalizeBlock hold, from now on and until Close, a block whose rules this program does not know. CometBFT takes an error for
// a corrupted store and ends the process at once, while it fetches blocks, or its consensus; but nothing is wrong, and the node is to end
// by itself. Blocks that CometBFT replays before it starts fail without that.
func (a *Application) HoldBeyond() { a.holds.Store(true) }

// Held says whether a block is held: then CometBFT does not stop.
func (a *Application) Held() bool { return a.held.Load() }

// hold holds a block where Beyond says so, and then fails with app.ErrProtocol.
func (a *Application) hold() error {
	if !a.holds.Load() || a.Beyond() == nil {
		return nil
	}
	a.held.Store(true)
	<-a.stopping
	return a.beyondFault()
}

// lookBeyond sets what Beyond returns.
func (a *Application) lookBeyond(newest *state.Snapshot) error {
	u, err := a.app.Beyond(newest)
	if err == nil {
		a.beyond.Store(u)
	}
	return err
}

// Info implements CometBFT's Application: the newest height that is stored, from which CometBFT hands blocks again, and the
// version of the next one.
func (a *Application) Info(context.Context, *abcitypes.RequestInfo) (*abcitypes.ResponseInfo, error) {
	info := &abcitypes.ResponseInfo{Data: "votenode", Version: a.options.Version, AppVersion: genesis.AppVersion}
	if newest := a.ledger.Newest(); newest != nil && newest.Height() > 0 {
		hash := newest.AppHash()
		info.LastBlockHeight, info.LastBlockAppHash = newest.Height(), hash[:]
		var err error
		if info.AppVersion, err = app.VersionAt(newest, newest.Height()+1); err != nil {
			return nil, err
		}
	}
	return info, nil
}

// errGenesis says that CometBFT was started with a genesis that is not the one generated from the node's document.
var errGenesis = errors.New("CometBFT's genesis does not belong to this node's genesis document")

// InitChain implements CometBFT's Application: it writes the state of the genesis document as height 0. CometBFT calls it again
// until block 1 is stored; the same document gives the same state.
func (a *Application) InitChain(_ context.Context, req *abcitypes.RequestInitChain) (*abcitypes.ResponseInitChain, error) {
	g := a.options.Genesis
	if req.ChainId != g.ChainId || req.InitialHeight != 1 {
		return nil, fmt.Errorf("%w: chain %q from height %d", errGenesis, req.ChainId, req.InitialHeight)
	}
	if err := genesis.CheckAppState(req.AppStateBytes, g); err != nil {
		return nil, fmt.Errorf("%w: %w", errGenesis, err)
	}
	draft := a.ledger.NewGenesis()
	a.app.InitLedger(draft, g, a.options.GenesisHash)
	block, err := draft.Finish()
	if err != nil {
		return nil, err
	}
	if err := a.ledger.Commit(block); err != nil {
		return nil, err
	}
	hash := block.AppHash()
	return &abcitypes.ResponseInitChain{AppHash: hash[:]}, nil
}

func hashOf(raw []byte) [32]byte { return sha256.Sum256(raw) }
