package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"votenode/client"
)

// headersPerLook is how many signed headers of a node are read in one look: its newest ones, if it has more.
const headersPerLook = 32

// maxAnswer bounds an answer in bytes: the longest are the case of a promise, and the proofs of epochs.
const maxAnswer = 12 << 20

// node is one node that is observed.
type node struct {
	address string
	remote  *client.Node
	answers answers

	turn   sync.Mutex // held during a look; guards what follows
	ledger *client.Ledger
	view   *client.View // the newest state that the node has proven
	shown  time.Time    // when it did, by the observer's clock
	// compared is the newest state that was held against that of another node.
	compared *client.View
	logged   int64          // height of the view whose logs were looked at
	round    int            // counts looks, so that all elections have their turn
	turns    map[string]int // counts, by log, leaves that were looked at again, so that all have their turn

	// Guarded by the observer's mu.
	organisation string // as the node says, where the ledger has it
	validator    string // its consensus key in hexadecimal digits, as the node says, empty where it is none
	claimed      int64  // height that the node says it has
	height       int64  // of view
	time         time.Time
	grown        time.Time // when height grew last, or the first look ended, by the observer's clock
	moved        bool      // height has grown between two looks
	headers      int64     // height of the newest state that a signed header has shown
	failures     int       // looks in a row that were not answered
	troubled     bool      // the last look came to no good end
}

func newNode(address string) (*node, error) {
	remote, err := client.NewNode(address)
	if err != nil {
		return nil, err
	}
	n := &node{address: remote.Address(), remote: remote, turns: map[string]int{}}
	remote.OnAnswer(maxAnswer, n.answers.hear)
	return n, nil
}

// trouble is that a node failed at something that it was asked for.
type trouble struct {
	subject string
	error
}

func (t *trouble) Unwrap() error { return t.error }

// at marks an error with what was asked for.
func at(subject string, err error) error {
	if err == nil {
		return nil
	}
	return &trouble{subject, err}
}

// errForked ends a look at a node that is on another branch: what it shows there is no news of this one.
var errForked = errors.New("the node is on another branch")

// look goes through all that is looked at, up to the first trouble.
func (o *Observer) look(ctx context.Context, n *node) error {
	if err := o.open(ctx, n); err != nil {
		return err
	}
	status, err := n.remote.Status(ctx)
	if err == nil && (status.Height < 0 || status.Height > 1<<62) {
		err = fmt.Errorf("%w: a height of %d", client.ErrMalformed, status.Height)
	}
	if err != nil {
		return at("status", err)
	}
	v, err := o.certified(ctx, n)
	if err != nil {
		return err
	}
	o.claims(n, status)
	top := status.Height - 2 // the newest state whose header has precommits in a block
	if v != nil {
		top = max(top, v.Height())
	}
	if err := o.headers(ctx, n, top); err != nil || v == nil {
		return err
	}
	if err := o.logs(ctx, n, v); err != nil {
		return err
	}
	return o.promises(ctx, n, v)
}

// open compares the genesis document, once, and goes on from what was kept.
func (o *Observer) open(ctx context.Context, n *node) error {
	if n.ledger != nil {
		return nil
	}
	l, err := client.OpenNodes(ctx, o.s.GenesisHash, []*client.Node{n.remote}, nil)
	if err != nil {
		return at("genesis document", err)
	}
	var kept *client.View
	if o.resumed != nil {
		if kept, err = l.Resume(o.resumed); err != nil {
			return err // it was verified when it was read
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	n.ledger = l
	if o.anchor == nil {
		o.anchor = kept
	}
	return nil
}

// certified takes the node's newest certified state and holds it against the newest one of all. It returns nil where the node has none.
func (o *Observer) certified(ctx context.Context, n *node) (*client.View, error) {
	v, err := n.ledger.CertifiedBy(ctx, n.remote)
	var fork *client.Fork
	if errors.As(err, &fork) {
		return nil, o.forkedViews(ctx, n, fork)
	}
	if errors.Is(err, client.ErrUnknown) {
		return nil, nil // it has just been started, or went on while it was asked
	}
	if err != nil {
		return nil, at("certified state", err)
	}
	if v != n.compared {
		if err := o.compare(ctx, n, v); err != nil {
			return nil, err
		}
	}
	if v != n.view {
		n.view, n.shown = v, o.now()
	}
	return v, nil
}

// claims notes what a node says of itself: an organisation and a validator that the ledger has.
func (o *Observer) claims(n *node, s *client.Status) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n.claimed, n.organisation, n.validator = s.Height, "", ""
	for _, g := range n.ledger.Genesis().Organisations {
		if g.Organisation.Id == s.Organisation {
			n.organisation = s.Organisation
		}
	}
	n.validator = o.names[s.Organisation+"/"+s.Validator]
}

// headers reads the signed headers that the node has had since the last look, up to that which shows the state after top.
func (o *Observer) headers(ctx context.Context, n *node, top int64) error {
	o.mu.Lock()
	from := max(n.headers+1, top-headersPerLook+1, 1)
	o.mu.Unlock()
	for height := from; height <= top; height++ {
		a, err := n.ledger.Attested(ctx, height)
		if err == nil && !a.State.Committed && !a.State.Certified {
			err = fmt.Errorf("%w: too few have signed for height %d: %s", client.ErrVerification, height, a.State.Signers())
		}
		if err != nil {
			return at("signed header", err)
		}
		if other := o.sight(n, a); other != nil {
			o.mu.Lock()
			o.forkedHeaders(n, other, a)
			o.mu.Unlock()
			return errForked
		}
	}
	return nil
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }
