package observe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"votenode/app"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// MaxNodes is how many nodes one observer follows.
const MaxNodes = 64

// Settings say what is observed.
type Settings struct {
	GenesisHash [32]byte
	// Nodes are addresses of gateways, 1 to MaxNodes, best of every organisation.
	Nodes []string
	// Folder is the observer's own: what it keeps, evidence, and promises to be watched in its folder slips.
	Folder string
	// Slips are files of promises besides.
	Slips  []string
	Limits Limits
	// Now is the observer's clock.
	Now func() time.Time
	// Tell is told of every event, in order, once it is on disk. It may ask the observer, and must not call Look. Where it fails the observer
	// ends; the next one with the folder tells again of what is not a certified state.
	Tell func(Event) error
}

// Limits say from where on something is a cause for alarm. Spec 13.3.
type Limits struct {
	// Look is how long one look at one node may take.
	Look time.Duration
	// Failures is how many looks in a row a node may not answer, 1 or more.
	Failures int
	// Stale is how long a node may show no newer certified state, Behind how many heights it may be behind the newest one of all.
	Stale  time.Duration
	Behind int64
	// Lag is how far the time of the newest certified block may be behind the observer's clock, Ahead how far before it.
	Lag, Ahead time.Duration
	// Window is how many heights in a row a validator may not sign, less than 100.
	Window int
}

// DefaultLimits are those of the specification.
func DefaultLimits() Limits {
	return Limits{Look: time.Minute, Failures: 3, Stale: time.Minute, Behind: 20, Lag: 30 * time.Second, Ahead: 10 * time.Second, Window: 20}
}

// Observer follows the nodes of one ledger. It is safe for concurrent use.
type Observer struct {
	s       Settings
	nodes   []*node
	lock    *os.File
	resumed *pb.LedgerState // what was kept from before, nil for a new observer

	telling sync.Mutex // held by whoever tells events, so that they are told in order
	mu      sync.Mutex // guards all below, and the fields of nodes that are said to be; nothing is asked of a node meanwhile
	file    *file
	dirty   bool // file is not on disk
	broken  error
	events  []Event      // not told yet
	anchor  *client.View // the newest certified state that any node has shown
	seen    map[int64]*sighting
	names   map[string]string // keys of validators that were seen, by organisation/name
	slips   map[string]*slip  // by path
}

// ErrNodes says that these nodes cannot be observed.
var ErrNodes = errors.New("these nodes cannot be observed")

// Open opens the folder and asks no node yet. It fails with ErrNodes, ErrFormat or ErrInUse, and where the folder is of no use.
func Open(s Settings) (*Observer, error) {
	if len(s.Nodes) == 0 || len(s.Nodes) > MaxNodes {
		return nil, fmt.Errorf("%w: %d are given; give 1 to %d", ErrNodes, len(s.Nodes), MaxNodes)
	}
	o := &Observer{s: s, seen: map[int64]*sighting{}, names: map[string]string{}, slips: map[string]*slip{}}
	given := map[string]bool{}
	for _, address := range s.Nodes {
		n, err := newNode(address)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNodes, err)
		}
		if given[n.address] {
			return nil, fmt.Errorf("%w: %s is given twice", ErrNodes, n.address)
		}
		given[n.address] = true
		o.nodes = append(o.nodes, n)
	}
	var err error
	if o.lock, err = lock(s.Folder); err != nil {
		return nil, err
	}
	if o.file, o.resumed, err = load(filepath.Join(s.Folder, stateFile), s.GenesisHash); err != nil {
		return nil, errors.Join(err, o.lock.Close())
	}
	o.events = o.file.Untold
	return o, nil
}

// Close gives the folder free. No look must be under way.
func (o *Observer) Close() error { return o.lock.Close() }

// now returns the observer's time as it is told and kept.
func (o *Observer) now() time.Time { return o.s.Now().UTC().Truncate(time.Millisecond) }

// failed notes that the disk does not work, or that nobody can be told: nothing is kept from here on. mu is held.
func (o *Observer) failed(err error) { o.broken = errors.Join(o.broken, err) }

// Run looks at every node, each on its own goroutine, and calls pause before the next look at it, until ctx ends or pause says so by an
// error; neither is an error of Run. It fails as Look does.
func (o *Observer) Run(ctx context.Context, pause func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failures := make(chan error, len(o.nodes))
	for i := range o.nodes {
		go func() {
			for {
				if err := o.Look(ctx, i); err != nil || ctx.Err() != nil || pause(ctx) != nil {
					failures <- err
					return
				}
			}
		}()
	}
	var all error
	for range o.nodes {
		if err := <-failures; err != nil && all == nil {
			all = err
			cancel()
		}
	}
	return all
}

// Look looks once at a node, by its place in Settings.Nodes, and raises and ends alarms. Whatever the node does is no error, but that it
// shows that the ledger goes on by rules that this program does not know: app.ErrProtocol. That the folder cannot be written is one, and
// so is that Tell fails.
func (o *Observer) Look(ctx context.Context, i int) error {
	n := o.nodes[i]
	n.turn.Lock()
	defer n.turn.Unlock()
	n.answers.forget()
	limited, cancel := context.WithTimeout(ctx, o.s.Limits.Look)
	defer cancel()
	before := n.view
	err := o.look(limited, n)
	if errors.Is(err, app.ErrProtocol) {
		return err
	}
	o.telling.Lock()
	defer o.telling.Unlock()
	o.mu.Lock()
	if ctx.Err() == nil { // being asked to stop says nothing about the node
		o.conclude(n, before, err)
	}
	if err := o.save(); err != nil {
		o.failed(err)
	}
	events, broken := slices.Clone(o.events), o.broken
	o.mu.Unlock()
	if broken != nil {
		return broken
	}
	return o.pass(events)
}

// pass tells events, the first ones of those not told yet, and notes that. After a crash in between they are told again. telling is held.
func (o *Observer) pass(events []Event) error {
	var err error
	told := 0
	for told < len(events) && err == nil {
		if err = o.s.Tell(events[told]); err == nil {
			told++
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = o.events[told:]
	o.dirty = o.dirty || slices.ContainsFunc(events[:told], Event.lasting)
	if err := o.save(); err != nil {
		o.failed(err)
	}
	if err != nil {
		o.failed(fmt.Errorf("what was seen could not be told: %w", err))
	}
	return o.broken
}

// Row is a node as it stands.
type Row struct {
	Node string
	// Organisation and Height are what the node says of itself; Organisation is empty where the ledger has none of this name.
	Organisation string
	Height       int64
	// Certified is the newest height that it has proven, Time that of the block behind it; zero before the first.
	Certified int64
	Time      time.Time
	// Validator says whether the node says that it is a validator of the ledger, Missed how many heights in a row that one has not signed.
	Validator bool
	Missed    int
	// Alarms are the kinds of alarms about the node that stand.
	Alarms []Kind
}

// Rows returns all nodes in the order of Settings.Nodes, and the kinds of alarms that stand and are about no node.
func (o *Observer) Rows() (rows []Row, others []Kind) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range o.nodes {
		r := Row{Node: n.address, Organisation: n.organisation, Height: n.claimed, Certified: n.height, Time: n.time}
		r.Missed, r.Validator = o.file.Missed[n.validator]
		for _, a := range o.file.Alarms {
			if a.Stands() && contains(a.Nodes, n.address) {
				r.Alarms = append(r.Alarms, a.Kind)
			}
		}
		rows = append(rows, r)
	}
	for _, a := range o.file.Alarms {
		if a.Stands() && len(a.Nodes) == 0 {
			others = append(others, a.Kind)
		}
	}
	return rows, others
}

// Height returns the newest height that any node has proven to be certified, 0 before the first.
func (o *Observer) Height() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.anchor == nil {
		return 0
	}
	return o.anchor.Height()
}
