package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"votenode/app"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// patience is how long a node may take to bring a transaction into a block.
const patience = 20 * time.Second

// grace is how long slower nodes may still bring a newer certified state once one node has brought a good one.
const grace = time.Second

// Notice is told of every node that failed, stalled or lied, and why; the work goes on with the others. It is called by several goroutines
// at once.
type Notice func(node string, reason error)

// Ledger is one ledger, known by its genesis hash and followed through several nodes. It is safe for concurrent use.
type Ledger struct {
	genesisHash [32]byte
	protocol    uint64 // greatest version whose rules are known
	document    *pb.Genesis
	nodes       []*Node
	notice      Notice
	patience    time.Duration // until a transaction that a node took is given to another one, too
	preferred   atomic.Int64  // index of the node that answered last

	growing sync.Mutex // held by whoever makes newest newer
	mu      sync.Mutex // guards the fields below, for moments only
	trust   *certified.Trust
	epochs  []*pb.EpochProof // of the sets in trust after the first
	met     map[*Node]bool   // nodes whose validator sets were asked for
	newest  *View
}

// Open fetches the genesis document and compares its hash. Give nodes of several organisations: one honest one that is up to date
// suffices. notice may be nil. It fails with ErrVerification where every document offered has another hash.
func Open(ctx context.Context, genesisHash [32]byte, addresses []string, notice Notice) (*Ledger, error) {
	return OpenOf(ctx, genesisHash, addresses, app.Protocol, notice)
}

// OpenOf is Open for a program that knows the rules of the protocol versions up to one.
func OpenOf(ctx context.Context, genesisHash [32]byte, addresses []string, protocol uint64, notice Notice) (*Ledger, error) {
	if len(addresses) == 0 {
		return nil, errors.New("no node to ask: give the address of at least one, better one of each organisation")
	}
	nodes := make([]*Node, len(addresses))
	for i, address := range addresses {
		var err error
		if nodes[i], err = NewNode(address); err != nil {
			return nil, err
		}
	}
	return openNodes(ctx, genesisHash, nodes, protocol, notice)
}

// OpenNodes is Open for nodes, at least one, that are there already.
func OpenNodes(ctx context.Context, genesisHash [32]byte, nodes []*Node, notice Notice) (*Ledger, error) {
	return openNodes(ctx, genesisHash, nodes, app.Protocol, notice)
}

func openNodes(ctx context.Context, genesisHash [32]byte, nodes []*Node, protocol uint64, notice Notice) (*Ledger, error) {
	if notice == nil {
		notice = func(string, error) {}
	}
	l := &Ledger{genesisHash: genesisHash, protocol: protocol, nodes: nodes, notice: notice, patience: patience, met: make(map[*Node]bool)}
	err := l.ask(ctx, func(ctx context.Context, n *Node) error {
		document, _, err := n.Genesis(ctx)
		if err != nil {
			return err
		}
		doc, err := genesis.Parse(document)
		if err != nil {
			return verified(err)
		}
		if got := genesis.Hash(doc); got != genesisHash {
			return fmt.Errorf("%w: it runs a ledger with genesis hash %x, not %x", ErrVerification, got, genesisHash)
		}
		l.document = doc
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("genesis document: %w", err)
	}
	l.trust, err = l.genesisTrust()
	return l, err
}

// genesisTrust returns the trust in the genesis document.
func (l *Ledger) genesisTrust() (*certified.Trust, error) {
	return certified.FromGenesisOf(l.document, l.protocol)
}

// Protocol returns the greatest protocol version whose rules this program knows.
func (l *Ledger) Protocol() uint64 { return l.protocol }

// Chain returns the chain id.
func (l *Ledger) Chain() string { return l.document.ChainId }

// Genesis returns the genesis document. It must not be changed.
func (l *Ledger) Genesis() *pb.Genesis { return l.document }

// GenesisHash returns the hash by which the ledger is known.
func (l *Ledger) GenesisHash() [32]byte { return l.genesisHash }

// Nodes returns the nodes, in the order given.
func (l *Ledger) Nodes() []*Node { return l.nodes }

// ask tries the nodes in turn, the one that answered last first, until fn succeeds with one.
func (l *Ledger) ask(ctx context.Context, fn func(ctx context.Context, n *Node) error) error {
	first := int(l.preferred.Load())
	var failures []error
	for i := range l.nodes {
		position := (first + i) % len(l.nodes)
		n := l.nodes[position]
		err := fn(ctx, n)
		if err == nil {
			l.preferred.Store(int64(position))
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.notice(n.Address(), err)
		failures = append(failures, fmt.Errorf("%s: %w", n.Address(), err))
	}
	return errors.Join(failures...)
}

// Certified returns the newest certified state that any node can show, never one older than shown before. It fails with a final error,
// or when no node shows any.
func (l *Ledger) Certified(ctx context.Context) (*View, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failures := make(chan error, len(l.nodes))
	for _, n := range l.nodes {
		go func() { failures <- l.follow(ctx, n) }()
	}
	var all []error
	var late <-chan time.Time
	before := l.shown()
	for range l.nodes {
		select {
		case err := <-failures:
			if final(err) {
				return nil, err
			}
			if err != nil {
				all = append(all, err)
			}
			if v := l.shown(); late == nil && v != nil && (before == nil || v.height > before.height) {
				late = time.After(grace)
			}
		case <-late:
			return l.shown(), nil
		}
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if v := l.shown(); v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("no node shows a certified state: %w", errors.Join(all...))
}

// CertifiedBy is Certified for one of the nodes, and fails as that node does. Where the node has an older state than was shown before, it
// returns that one.
func (l *Ledger) CertifiedBy(ctx context.Context, n *Node) (*View, error) {
	if err := l.advance(ctx, n); err != nil {
		return nil, err
	}
	if v := l.shown(); v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("%s: %w: the validators that signed its state are found to be retired", n.Address(), ErrUnknown)
}

// final says whether nothing more can be read of the ledger, whatever other nodes show: it is forked (ErrFork), or goes on by rules that this
// program does not know (app.ErrProtocol).
func final(err error) bool { return errors.Is(err, ErrFork) || errors.Is(err, app.ErrProtocol) }

// shown returns the newest view so far, nil before the first.
func (l *Ledger) shown() *View {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest
}

// follow takes a node's newest certified state, and the validator sets on the way to it, as far as they verify.
func (l *Ledger) follow(ctx context.Context, n *Node) error {
	err := l.advance(ctx, n)
	if err == nil || ctx.Err() != nil {
		return err
	}
	l.notice(n.Address(), err)
	return fmt.Errorf("%s: %w", n.Address(), err)
}

func (l *Ledger) advance(ctx context.Context, n *Node) error {
	height, evidence, err := n.Certified(ctx)
	if err != nil {
		return err
	}
	if v := l.shown(); v != nil && v.height > height {
		return nil
	}
	l.mu.Lock()
	trust, met := l.trust, l.met[n]
	l.met[n] = true
	l.mu.Unlock()
	proven, err := trust.Verify(evidence)
	if err != nil || !met {
		// Every node is asked once for the newest validator set, so that a retired one cannot pass for it.
		if trust, err = l.learn(ctx, n); err != nil {
			return err
		}
		if proven, err = trust.Verify(evidence); err != nil {
			return verified(err)
		}
	}
	return l.grow(ctx, &View{ledger: l, height: proven.Height, time: proven.Child.Time, appHash: proven.AppHash, proven: proven, evidence: evidence})
}

// learn takes the validator sets that a node can prove.
func (l *Ledger) learn(ctx context.Context, n *Node) (*certified.Trust, error) {
	proofs, err := n.Epochs(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	trust, err := l.trust.Follow(proofs)
	if err != nil {
		return nil, verified(err)
	}
	l.trust = trust
	if known := len(l.epochs); len(proofs) > known {
		l.epochs = append(l.epochs, proofs[known:]...) // Follow has read these only
	}
	if l.newest != nil && trust.At(l.newest.height+1).Epoch() != l.newest.proven.Epoch {
		l.newest = nil // its signers were retired already
	}
	return trust, nil
}

// grow makes a newer view the newest once it is proven to continue the one before. It fails with ErrFork.
func (l *Ledger) grow(ctx context.Context, v *View) error {
	l.growing.Lock()
	defer l.growing.Unlock()
	if old := l.shown(); old != nil {
		if v.height < old.height {
			return nil
		}
		if err := v.Continues(ctx, old); err != nil || v.height == old.height {
			return err
		}
	}
	l.mu.Lock()
	l.newest = v
	l.mu.Unlock()
	return nil
}

// After returns a certified state of a greater height than given, and waits for it as long as ctx lives.
func (l *Ledger) After(ctx context.Context, height int64) (*View, error) {
	for {
		v, err := l.Certified(ctx)
		if final(err) || ctx.Err() != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		next := height + 2
		if err == nil {
			if v.height > height {
				return v, nil
			}
			next = v.height + 2
		}
		if err := l.awaitBlock(ctx, next); err != nil {
			return nil, err
		}
	}
}

// awaitBlock returns once a node says that it has committed a height, or a block more than it had where it is already there; and
// after a pause where no node can be reached.
func (l *Ledger) awaitBlock(ctx context.Context, height int64) error {
	start := time.Now()
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, len(l.nodes))
	for _, n := range l.nodes {
		go func() {
			s, err := n.Status(waiting)
			if err == nil {
				_, err = n.WaitHeight(waiting, max(height, s.Height+1))
			}
			done <- err
		}()
	}
	for range l.nodes {
		if err := <-done; err == nil {
			break
		}
	}
	// A node that says "now" at once, or none at all, shall not make this loop spin.
	return sleep(ctx, defaultPause/5-time.Since(start))
}

// Until waits for a certified state in which done holds.
func (l *Ledger) Until(ctx context.Context, done func(ctx context.Context, v *View) (bool, error)) (*View, error) {
	v, err := l.Certified(ctx)
	if err != nil {
		if v, err = l.After(ctx, 0); err != nil {
			return nil, err
		}
	}
	for {
		ok, err := done(ctx, v)
		if ok || err != nil {
			return v, err
		}
		if v, err = l.After(ctx, v.height); err != nil {
			return nil, err
		}
	}
}
