package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/cometbft/cometbft/consensus"
	cmtnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	rpccore "github.com/cometbft/cometbft/rpc/core"
	cmtstore "github.com/cometbft/cometbft/store"
	"golang.org/x/sync/errgroup"

	"votenode/abci"
	"votenode/app"
	"votenode/app/state"
	"votenode/node/gateway"
	"votenode/node/signing"
	pb "votenode/proto/votenode/v1"
	"votenode/store"
)

// Options are what a node does not read from its home.
type Options struct {
	// Logger of everything; nil means the one that the configuration asks for, on standard error.
	Logger *slog.Logger
	// Now reads the local clock; nil means time.Now. Tests set clocks.
	Now func() time.Time
	// Protocol is the greatest protocol version whose rules this program knows; 0 means app.Protocol.
	Protocol uint64
	// FreeSpace returns what is free, and the size, of the file system that holds a folder, bytes; nil asks the operating system. Tests fill
	// disks.
	FreeSpace func(dir string) (free, size uint64, err error)
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

var errStuck = errors.New("CometBFT did not stop")

// Node is an open node. Open, Run and Close are called once each, by one goroutine, in this order; all other methods are safe for
// concurrent use in between.
type Node struct {
	home      Home
	protocol  uint64
	config    Config
	log       *slog.Logger
	now       func() time.Time
	doc       *pb.Genesis
	document  []byte
	approvals []byte

	disk   *store.Store  // of the ledger
	ledger state.Backend // over disk
	app    *abci.Application
	signer *signer
	link   *signing.Link // nil where the consensus key is in the home
	lock   *os.File      // of the home
	key    *p2p.NodeKey
	dbs    databases

	comet     *cmtnode.Node
	env       *rpccore.Environment
	consensus *consensus.State
	blocks    *cmtstore.BlockStore
	peers     *peers
	evidence  *evidence
	turns     turns
	snapshots *snapshots
	gateway   *gateway.Server
	space     *space
	freeSpace func(dir string) (free, size uint64, err error)
	round     round
	metrics   *metrics // nil where nobody listens for them
	progress  progress
	died      chan struct{} // closed when consensus has ended
}

// Start runs the node of a home until ctx is done or the node cannot go on. It returns nil when it was asked to stop, and
// has stopped with nothing lost. The process must end when it has returned.
func Start(ctx context.Context, home string, o Options) error {
	n, err := Open(ctx, home, o)
	if err != nil {
		return err
	}
	err = n.Run(ctx)
	if errors.Is(err, errStuck) {
		return err // CometBFT still uses what Close would close
	}
	return errors.Join(err, n.Close())
}

// newNode returns the node of a home of which nothing is read yet.
func newNode(home string, o Options) *Node {
	n := &Node{
		home: Home(home), protocol: cmp.Or(o.Protocol, app.Protocol), log: o.Logger, now: o.Now, freeSpace: o.FreeSpace, died: make(chan struct{}),
	}
	if n.now == nil {
		n.now = time.Now
	}
	return n
}

// Open reads a home and makes everything ready: a snapshot fetched where the node begins with one, stores opened and compared, blocks
// replayed that the state lacks, the gateway listening. Nothing is signed before Run. It fails with *UpgradeError where the ledger needs
// another program.
func Open(ctx context.Context, home string, o Options) (_ *Node, err error) {
	if os.Getenv("FAIL_TEST_INDEX") != "" {
		return nil, errCrashTest
	}
	n := newNode(home, o)
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	sync := func() error { return n.sync(ctx) }
	for _, step := range []func() error{n.lockHome, n.readHome, sync, n.openLedger, n.beyond, n.openSigner} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	err = n.openComet(ctx)
	if beyond := n.beyond(); beyond != nil { // with blocks that were replayed; that of the next version could not be
		return nil, beyond
	}
	if err != nil {
		return nil, err
	}
	if err := n.openGateway(); err != nil {
		return nil, err
	}
	n.metrics, err = newMetrics(n, n.config.Metrics)
	return n, err
}

// Run takes part in consensus until ctx is done, which is no error, until consensus dies, or until an upgrade asks for another program,
// which is an *UpgradeError.
func (n *Node) Run(ctx context.Context) error {
	if err := n.waitForGenesis(ctx); err != nil {
		return nil
	}
	n.app.HoldBeyond()
	if err := n.comet.Start(); err != nil {
		return fmt.Errorf("starting CometBFT: %w", err)
	}
	n.log.Info("the node runs", "chain", n.doc.ChainId, "node", n.key.ID(), "height", n.app.Tip().Height,
		"gateway", n.gateway.Addr(), "version", Version())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.gateway.Serve(ctx) })
	g.Go(func() error { return n.peers.keep(ctx) })
	g.Go(func() error { return n.evidence.follow(ctx) })
	g.Go(func() error { return n.snapshots.follow(ctx) })
	g.Go(func() error { return (&walFiles{path: n.home.wal()}).follow(ctx, n) })
	g.Go(func() error { return n.reportIntake(ctx) })
	g.Go(func() error { return n.stopForUpgrade(ctx) })
	g.Go(func() error { return n.space.follow(ctx, n) })
	if n.metrics != nil {
		g.Go(func() error { return n.metrics.serve(ctx) })
		g.Go(func() error { return n.metrics.follow(ctx) })
	}
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
	if n.app.Held() {
		return fmt.Errorf("%w: it has a block behind the upgrade, which the next binary executes", errStuck)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- n.comet.Stop() }()
	timer := time.NewTimer(stopPatience)
	defer timer.Stop()
	select {
	case err := <-stopped:
		n.dbs.release("blockstore", "state", "evidence")
		return err
	case <-timer.C:
		return fmt.Errorf("%w within %v", errStuck, stopPatience)
	}
}

// Close closes what Open opened. After a Run whose CometBFT did not stop, the process must end instead.
func (n *Node) Close() error {
	var errs []error
	if n.gateway != nil {
		errs = append(errs, n.gateway.Close())
	}
	if n.metrics != nil {
		errs = append(errs, n.metrics.close())
	}
	if n.app != nil {
		errs = append(errs, n.app.Close())
	}
	if n.link != nil {
		errs = append(errs, n.link.Close())
	}
	errs = append(errs, n.dbs.close())
	if n.disk != nil {
		errs = append(errs, n.disk.Close())
	}
	if n.lock != nil {
		errs = append(errs, n.lock.Close())
	}
	return errors.Join(errs...)
}

// App returns the application.
func (n *Node) App() *abci.Application { return n.app }

// Blocks returns CometBFT's store of blocks.
func (n *Node) Blocks() *cmtstore.BlockStore { return n.blocks }

// Peers returns the number of connected peers.
func (n *Node) Peers() int { return n.peers.count() }

// Certified returns the newest height that is certified as far as this node sees, with the evidence; 0 where none is yet.
func (n *Node) Certified() (int64, *pb.CertifiedState, error) {
	height, shown, _, err := n.evidence.certified()
	return height, shown, err
}

// Epochs returns the proofs of all validator sets after the first, in order.
func (n *Node) Epochs() ([]*pb.EpochProof, error) { return n.evidence.epochs() }

// GatewayAddr returns the host:port on which the gateway listens.
func (n *Node) GatewayAddr() string { return n.gateway.Addr() }

// MetricsAddr returns the host:port on which metrics are served, nothing where they are not.
func (n *Node) MetricsAddr() string {
	if n.metrics == nil {
		return ""
	}
	return n.metrics.listener.Addr().String()
}

// CatchingUp says whether the node still fetches blocks that others have decided.
func (n *Node) CatchingUp() bool { return n.env.ConsensusReactor.WaitSync() }

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
