package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/consensus"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	rpccore "github.com/cometbft/cometbft/rpc/core"
	cmtstore "github.com/cometbft/cometbft/store"
	cmttypes "github.com/cometbft/cometbft/types"
	"golang.org/x/sync/errgroup"

	"votenode/abci"
	"votenode/app/state"
	"votenode/genesis"
	"votenode/node/gateway"
	pb "votenode/proto/votenode/v1"
	"votenode/store"
)

// Options are what a node does not read from its home.
type Options struct {
	// Logger of everything; nil means the one that the configuration asks for, on standard error.
	Logger *slog.Logger
	// Now reads the local clock; nil means time.Now. Tests set clocks.
	Now func() time.Time
}

var (
	// ErrConsensusDied says that CometBFT's consensus stopped by itself, on a panic or an error of the application. CometBFT
	// would go on listening and say that it is well: the process must end and be looked at.
	ErrConsensusDied = errors.New("consensus has died; see the log for its last words")
	// ErrGenesis says that what is stored was begun with another genesis document.
	ErrGenesis = errors.New("the home was begun with another genesis document")
	// errCrashTest guards the released binary against a switch of CometBFT's for crash tests.
	errCrashTest = errors.New("FAIL_TEST_INDEX is set: it makes CometBFT exit in the middle of a block; unset it")
)

// stopPatience bounds how long CometBFT may take to stop.
const stopPatience = 30 * time.Second

// Node is an open node. Open, Run and Close are called once each, by one goroutine, in this order; all other methods are safe for
// concurrent use in between.
type Node struct {
	home      Home
	config    Config
	log       *slog.Logger
	now       func() time.Time
	doc       *pb.Genesis
	document  []byte
	approvals []byte

	store  *store.Store
	app    *abci.Application
	signer *signer
	key    *p2p.NodeKey
	dbs    databases

	comet     *cmtnode.Node
	env       *rpccore.Environment
	consensus *consensus.State
	blocks    *cmtstore.BlockStore
	peers     *peers
	evidence  *evidence
	gateway   *gateway.Server
	progress  progress
	died      chan struct{} // closed when consensus has ended
}

// Start runs the node of a home until ctx is done or the node cannot go on. It returns nil when it was asked to stop, and
// has stopped with nothing lost.
func Start(ctx context.Context, home string) error {
	n, err := Open(ctx, home, Options{})
	if err != nil {
		return err
	}
	return errors.Join(n.Run(ctx), n.Close())
}

// Open reads a home and makes everything ready: stores opened and compared, blocks replayed that the state lacks, the gateway
// listening. Nothing is signed before Run.
func Open(ctx context.Context, home string, o Options) (_ *Node, err error) {
	if os.Getenv("FAIL_TEST_INDEX") != "" {
		return nil, errCrashTest
	}
	n := &Node{home: Home(home), log: o.Logger, now: o.Now, died: make(chan struct{})}
	if n.now == nil {
		n.now = time.Now
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	for _, step := range []func() error{n.readHome, n.openLedger, n.openSigner} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if err := n.openComet(ctx); err != nil {
		return nil, err
	}
	return n, n.openGateway()
}

func (n *Node) readHome() (err error) {
	if n.config, err = ReadConfig(n.home.ConfigFile()); err != nil {
		return err
	}
	if n.log == nil {
		if n.log, err = NewLogger(os.Stderr, n.config.Log); err != nil {
			return err
		}
	}
	if n.document, err = os.ReadFile(n.home.GenesisFile()); err != nil {
		return fmt.Errorf("the genesis document: %w", err)
	}
	if n.doc, err = genesis.Parse(n.document); err != nil {
		return fmt.Errorf("%s: %w", n.home.GenesisFile(), err)
	}
	n.approvals, err = os.ReadFile(n.home.ApprovalsFile())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// openLedger opens the state and the application over it.
func (n *Node) openLedger() (err error) {
	n.store, err = store.Open(store.Options{Dir: n.home.ledger(), Archive: n.config.Store.Archive, Logger: n.log.With("part", "store")})
	if err != nil {
		return err
	}
	ledger, err := state.Open(n.store)
	if err != nil {
		return err
	}
	n.dbs = databases{dir: n.home.comet(), open: map[string]dbm.DB{}}
	results, err := n.dbs.get("results")
	if err != nil {
		return err
	}
	pool := abci.DefaultPoolLimits()
	pool.Bytes, pool.Count = n.config.Pool.Megabytes<<20, n.config.Pool.Transactions
	n.app, err = abci.New(abci.Options{
		Genesis: n.doc, GenesisHash: genesis.Hash(n.doc), Ledger: ledger, ClockFile: n.home.clock(), Results: results, Now: n.now,
		Pool: pool, Observers: n.config.P2P.Observers, Version: Version(), Logger: n.log.With("part", "abci"),
	})
	if err != nil {
		return err
	}
	n.dbs.release("results")
	return nil
}

// openSigner opens the blocks and holds genesis and sign state against them.
func (n *Node) openSigner() (err error) {
	if n.key, err = p2p.LoadNodeKey(n.home.p2pKey()); err != nil {
		return fmt.Errorf("the p2p key: %w", err)
	}
	blocks, err := n.dbs.get("blockstore")
	if err != nil {
		return err
	}
	n.blocks = cmtstore.NewBlockStore(blocks)
	if err := n.checkCometGenesis(); err != nil {
		return err
	}
	n.signer, err = openSigner(n.home.consensusKey(), n.home.signState(), n.blocks)
	return err
}

// cometGenesisKey is where CometBFT keeps the genesis that it was first started with; it never reads the file again.
var cometGenesisKey = []byte("genesisDoc")

// checkCometGenesis holds CometBFT's copy of its genesis, where it has one, against the node's document.
func (n *Node) checkCometGenesis() error {
	db, err := n.dbs.get("state")
	if err != nil {
		return err
	}
	b, err := db.Get(cometGenesisKey)
	if err != nil || len(b) == 0 {
		return err
	}
	var copied *cmttypes.GenesisDoc
	if err := cmtjson.Unmarshal(b, &copied); err != nil {
		return fmt.Errorf("CometBFT's copy of the genesis: %w", err)
	}
	if copied.ChainID != n.doc.ChainId {
		return fmt.Errorf("%w: of chain %q", ErrGenesis, copied.ChainID)
	}
	if err := genesis.CheckAppState(copied.AppState, n.doc); err != nil {
		return fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	return nil
}

// openComet makes CometBFT's node, which replays stored blocks that the state lacks.
func (n *Node) openComet(ctx context.Context) error {
	params, err := n.parameters()
	if err != nil {
		return err
	}
	config, err := cometConfig(n.home, n.config, params)
	if err != nil {
		return err
	}
	n.evidence = newEvidence(n)
	n.signer.first = n.evidence.mayBegin
	provide := func(c *cmtcfg.DBContext) (dbm.DB, error) { return n.dbs.get(c.ID) }
	n.comet, err = cmtnode.NewNodeWithContext(ctx, config, n.signer, n.key, abci.NewClientCreator(n.app),
		func() (*cmttypes.GenesisDoc, error) { return genesis.CometGenesis(n.doc) },
		provide, cmtnode.DefaultMetricsProvider(config.Instrumentation), cometLogger{n.log.With("part", "cometbft")})
	if err != nil {
		return err
	}
	if n.env, err = n.comet.ConfigureRPC(); err != nil {
		return err
	}
	var ok bool
	if n.consensus, ok = n.env.ConsensusState.(*consensus.State); !ok {
		return fmt.Errorf("CometBFT's consensus is a %T, which cannot be watched", n.env.ConsensusState)
	}
	if n.peers, err = newPeers(n); err != nil {
		return err
	}
	n.recoverResults()
	return nil
}

// parameters returns those on the ledger, before the first block those of the genesis document.
func (n *Node) parameters() (*pb.Parameters, error) {
	newest := n.app.Ledger().Newest()
	if newest == nil {
		return &n.doc.Parameters, nil
	}
	return state.MustLoad[pb.Parameters](newest, state.KeyParameters)
}

// recoverResults hands the application the last block's results, in case it was killed before it wrote them.
func (n *Node) recoverResults() {
	height := n.app.Tip().Height
	if height == 0 {
		return
	}
	block := n.blocks.LoadBlock(height)
	last, err := n.env.StateStore.LoadLastFinalizeBlockResponse(height)
	if err != nil || block == nil {
		n.log.Warn("the results of the newest block cannot be looked up by hash", "height", height, "error", err)
		return
	}
	n.app.Recover(height, block.Txs.ToSliceOfBytes(), last.TxResults)
}

func (n *Node) openGateway() (err error) {
	n.gateway, err = gateway.New(n.config.Gateway, gateway.Source{
		App: n.app, Blocks: n.blocks, Chain: n.doc.ChainId, GenesisHash: genesis.Hash(n.doc),
		Document: n.document, Approvals: n.approvals, Version: Version(),
		NodeID: string(n.key.ID()), Validator: n.self, Clocks: n.clocks, Health: n.Health, CatchingUp: n.CatchingUp, Peers: n.peers.count,
		Certified: n.evidence.certified, Epochs: n.evidence.epochs,
	}, n.log.With("part", "gateway"))
	return err
}

// Run takes part in consensus until ctx is done, which is no error, or until consensus dies.
func (n *Node) Run(ctx context.Context) error {
	if err := n.waitForGenesis(ctx); err != nil {
		return nil
	}
	if err := n.comet.Start(); err != nil {
		return fmt.Errorf("starting CometBFT: %w", err)
	}
	n.log.Info("the node runs", "chain", n.doc.ChainId, "node", n.key.ID(), "height", n.app.Tip().Height,
		"gateway", n.gateway.Addr(), "version", Version())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.gateway.Serve(ctx) })
	g.Go(func() error { return n.peers.keep(ctx) })
	g.Go(func() error { return n.evidence.follow(ctx) })
	g.Go(func() error { return n.watch(ctx) })
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	n.log.Info("the node stops", "height", n.app.Tip().Height, "error", err)
	return errors.Join(err, n.stopComet())
}

// waitForGenesis waits for the time of the genesis document; CometBFT would do so without listening to ctx.
func (n *Node) waitForGenesis(ctx context.Context) error {
	wait := time.Until(time.Unix(n.doc.Time, 0))
	if wait <= 0 {
		return ctx.Err()
	}
	n.log.Info("waiting for the time of the genesis document", "seconds", int(wait.Seconds()))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch returns ErrConsensusDied when CometBFT's consensus loop ends by itself. The loop begins after block sync; where the node
// stops before, the waiting goroutine ends with the process.
func (n *Node) watch(ctx context.Context) error {
	go func() {
		n.consensus.Wait()
		close(n.died)
	}()
	select {
	case <-n.died:
		return ErrConsensusDied
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stopComet stops CometBFT: the consensus loop ends between two messages, so that a block is either not decided here or stored,
// executed and committed. What is cut off nevertheless is replayed at the next start.
func (n *Node) stopComet() error {
	stopped := make(chan error, 1)
	go func() { stopped <- n.comet.Stop() }()
	timer := time.NewTimer(stopPatience)
	defer timer.Stop()
	select {
	case err := <-stopped:
		n.dbs.release("blockstore", "state", "evidence")
		return err
	case <-timer.C:
		return fmt.Errorf("CometBFT did not stop within %v", stopPatience)
	}
}

// Close closes what Open opened. After a Run whose CometBFT did not stop, the process must end instead.
func (n *Node) Close() error {
	var errs []error
	if n.gateway != nil {
		errs = append(errs, n.gateway.Close())
	}
	if n.app != nil {
		errs = append(errs, n.app.Close())
	}
	errs = append(errs, n.dbs.close())
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	return errors.Join(errs...)
}

// App returns the application.
func (n *Node) App() *abci.Application { return n.app }

// Blocks returns CometBFT's store of blocks.
func (n *Node) Blocks() *cmtstore.BlockStore { return n.blocks }

// GatewayAddr returns the host:port on which the gateway listens.
func (n *Node) GatewayAddr() string { return n.gateway.Addr() }

// CatchingUp says whether the node still fetches blocks that others have decided.
func (n *Node) CatchingUp() bool { return n.env.ConsensusReactor.WaitSync() }

// databases are the open goleveldb databases in a folder, by name.
type databases struct {
	dir  string
	open map[string]dbm.DB
}

// get opens a database once.
func (d *databases) get(name string) (dbm.DB, error) {
	if db := d.open[name]; db != nil {
		return db, nil
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	db, err := dbm.NewDB(name, dbm.GoLevelDBBackend, d.dir)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w; a node runs once at a time", filepath.Join(d.dir, name), err)
	}
	d.open[name] = db
	return db, nil
}

// release forgets databases that somebody else closes.
func (d *databases) release(names ...string) {
	for _, name := range names {
		delete(d.open, name)
	}
}

func (d *databases) close() error {
	var errs []error
	for _, db := range d.open {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}

// Version names this program: its module version or commit, and the CometBFT that is in it.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version, comet := info.Main.Version, "none"
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			version += " " + s.Value
		}
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/cometbft/cometbft" {
			comet = m.Version
		}
	}
	return fmt.Sprintf("votenode %s, CometBFT %s", version, comet)
}
