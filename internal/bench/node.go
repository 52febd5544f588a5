package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/url"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"votenode/app/tx"
	"votenode/client"
	"votenode/internal/network"
	"votenode/node"
)

// answer is what a node says to one transaction.
type answer struct {
	code     tx.Code
	promised bool
}

// target is a node to which clients offer transactions.
type target interface {
	// offer hands transactions over once, in the name of a client.
	offer(ctx context.Context, client string, raws [][]byte) ([]answer, error)
}

// chain is a node that is asked for its blocks.
type chain interface {
	// blocksAfter waits for blocks above a height, and returns the hashes of the transactions of each, and the newest height that is
	// certified.
	blocksAfter(ctx context.Context, height int64) (blocks [][][32]byte, certified int64, err error)
}

// nodes are a running network.
type nodes interface {
	targets() []target
	chain() chain
	stop() error
}

// inProcess are real nodes in this process.
type inProcess struct {
	network *network.Network
	nodes   []*node.Node
	ctx     context.Context // of the nodes' lives
	cancel  context.CancelFunc
	ended   []chan error
	direct  bool
}

// newInProcess returns the nodes of a network, none of which runs. direct says that transactions go to the application and not through
// the gateway.
func newInProcess(ctx context.Context, n *network.Network, direct bool) *inProcess {
	p := &inProcess{network: n, direct: direct}
	p.ctx, p.cancel = context.WithCancel(ctx)
	return p
}

// start starts the next node, the i-th.
func (p *inProcess) start(i int) error {
	opened, err := node.Open(p.ctx, p.network.Validators[i].Home, node.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- opened.Run(p.ctx) }()
	p.nodes, p.ended = append(p.nodes, opened), append(p.ended, ended)
	return nil
}

// startInProcess starts all nodes of a network in this process.
func startInProcess(ctx context.Context, n *network.Network, direct bool) (*inProcess, error) {
	p := newInProcess(ctx, n, direct)
	for i := range n.Validators {
		if err := p.start(i); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *inProcess) targets() []target {
	if !p.direct {
		return gateways(p.network)
	}
	targets := make([]target, len(p.nodes))
	for i, n := range p.nodes {
		targets[i] = application{n}
	}
	return targets
}

func (p *inProcess) chain() chain { return application{p.nodes[0]} }

func (p *inProcess) stop() error {
	p.cancel()
	var errs []error
	for i, n := range p.nodes {
		errs = append(errs, <-p.ended[i], n.Close())
	}
	p.nodes, p.ended = nil, nil
	return errors.Join(errs...)
}

// application is a node in this process that is asked without a gateway.
type application struct{ *node.Node }

func (a application) offer(ctx context.Context, client string, raws [][]byte) ([]answer, error) {
	found, err := a.App().Submit(ctx, client, raws...)
	if err != nil {
		return nil, err
	}
	answers := make([]answer, len(found))
	for i, f := range found {
		answers[i] = answerOf(f.Code, f.Slip)
	}
	return answers, nil
}

func (a application) blocksAfter(ctx context.Context, height int64) (blocks [][][32]byte, certified int64, err error) {
	if err := a.App().Wait(ctx, height+1); err != nil {
		return nil, 0, err
	}
	for h := height + 1; h <= a.App().Tip().Height; h++ {
		var hashes [][32]byte
		for _, raw := range a.Blocks().LoadBlock(h).Txs {
			hashes = append(hashes, sha256.Sum256(raw))
		}
		blocks = append(blocks, hashes)
	}
	certified, _, err = a.Certified()
	return blocks, certified, err
}

// processes are real nodes, each a process of the program.
type processes struct{ network *network.Network }

func startProcesses(ctx context.Context, n *network.Network) (*processes, error) {
	p := &processes{n}
	for _, v := range n.Validators {
		if err := n.StartValidator(v); err != nil {
			return p, err
		}
	}
	return p, n.AwaitHeight(ctx, 1)
}

func (p *processes) targets() []target { return gateways(p.network) }

func (p *processes) chain() chain { return gateway{p.network.Validators[0].Node} }

func (p *processes) stop() error { return p.network.EndAll() }

func gateways(n *network.Network) []target {
	targets := make([]target, len(n.Validators))
	for i, v := range n.Validators {
		targets[i] = gateway{v.Node}
	}
	return targets
}

// gateway is a node that is asked through its gateway.
type gateway struct{ *client.Node }

// overload is the answer of a gateway that has no room for a request: all of it is to come later.
func overload(n int) []answer {
	answers := make([]answer, n)
	for i := range answers {
		answers[i].code = tx.CodeRetryLater
	}
	return answers
}

// attempts is how often a request is made whose connection breaks: a node ends one that was opened ahead and has not been used. Whoever sees
// that sends the same again, for which the answer is the same.
const attempts = 3

func broken(err error) bool {
	var exchange *url.Error
	return errors.As(err, &exchange) && !exchange.Timeout()
}

func (g gateway) offer(ctx context.Context, _ string, raws [][]byte) ([]answer, error) {
	found, err := g.Offer(ctx, raws...)
	for attempt := 1; attempt < attempts && broken(err); attempt++ {
		found, err = g.Offer(ctx, raws...)
	}
	if errors.Is(err, client.ErrBusy) {
		return overload(len(raws)), nil
	}
	if err != nil {
		return nil, err
	}
	answers := make([]answer, len(found))
	for i, f := range found {
		answers[i] = answerOf(f.Code, f.Slip)
	}
	return answers, nil
}

func (g gateway) blocksAfter(ctx context.Context, height int64) (blocks [][][32]byte, certified int64, err error) {
	status, err := g.WaitHeight(ctx, height+1)
	if err != nil {
		return nil, 0, err
	}
	for h := height + 1; h <= status.Height; h++ {
		b, err := g.Block(ctx, h)
		if err != nil {
			return nil, 0, err
		}
		var block cmtproto.Block
		if err := block.Unmarshal(b); err != nil {
			return nil, 0, err
		}
		var hashes [][32]byte
		for _, raw := range block.Data.Txs {
			hashes = append(hashes, sha256.Sum256(raw))
		}
		blocks = append(blocks, hashes)
	}
	return blocks, status.Certified, nil
}
