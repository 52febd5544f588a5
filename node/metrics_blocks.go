package node

import (
	"slices"
	"sync/atomic"

	"github.com/cometbft/cometbft/blocksync"
	"github.com/cometbft/cometbft/consensus"
	cmtmempool "github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proxy"
	cmtstate "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/statesync"
	cmttypes "github.com/cometbft/cometbft/types"
	kit "github.com/go-kit/kit/metrics"
	"github.com/prometheus/client_golang/prometheus"
)

// blockCounts are the metrics that are counted block by block while the node runs.
type blockCounts struct {
	precommits *prometheus.CounterVec
	rounds     prometheus.Counter
	height     int64 // of the last block whose precommits were counted
}

func newBlockCounts() *blockCounts {
	return &blockCounts{
		precommits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "votenode_precommits_total", Help: "Blocks since the start by what the validator's precommit in the next block is for: block, nil or absent.",
		}, append(slices.Clone(validatorLabels), "vote")),
		rounds: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "votenode_lost_rounds_total", Help: "Rounds since the start that decided no block.",
		}),
	}
}

// update counts the blocks for which precommits have come onto the ledger. Blocks that the node fetches are past, and not counted.
func (c *blockCounts) update(n *Node) error {
	newest := n.app.Tip().Height - 1
	if n.CatchingUp() || c.height == 0 {
		c.height = newest
		return nil
	}
	present, err := n.present()
	if err != nil {
		return err
	}
	for ; c.height < newest; c.height++ {
		commit := n.blocks.LoadBlockCommit(c.height + 1)
		if commit == nil || commit.Height < present.FirstHeight {
			continue
		}
		c.rounds.Add(float64(commit.Round))
		votes := map[string]string{}
		for _, s := range commit.Signatures {
			votes[string(s.ValidatorAddress)] = "nil"
			if s.BlockIDFlag == cmttypes.BlockIDFlagCommit {
				votes[string(s.ValidatorAddress)] = "block"
			}
		}
		for i := range present.Validators {
			v := &present.Validators[i]
			vote := votes[string(consensusAddress(v.Key))]
			if vote == "" {
				vote = "absent"
			}
			c.precommits.WithLabelValues(append(labelsOf(v), vote)...).Inc()
		}
	}
	return nil
}

// round is the number of the round that consensus is in, which CometBFT tells to its metrics and, without a lock, to nobody else.
type round struct{ number atomic.Int64 }

// provide hands CometBFT metrics that keep nothing but the round: its own register in the process, name peers by id and listen without
// limits. It is a node.MetricsProvider.
func (r *round) provide(string) (*consensus.Metrics, *p2p.Metrics, *cmtmempool.Metrics, *cmtstate.Metrics, *proxy.Metrics, *blocksync.Metrics, *statesync.Metrics) {
	c := consensus.NopMetrics()
	c.Rounds = r
	return c, p2p.NopMetrics(), cmtmempool.NopMetrics(), cmtstate.NopMetrics(), proxy.NopMetrics(), blocksync.NopMetrics(), statesync.NopMetrics()
}

var _ kit.Gauge = (*round)(nil)

// With implements kit.Gauge; this one has no labels.
func (r *round) With(...string) kit.Gauge { return r }

// Set implements kit.Gauge.
func (r *round) Set(value float64) { r.number.Store(int64(value)) }

// Add implements kit.Gauge.
func (r *round) Add(delta float64) { r.number.Add(int64(delta)) }

func (r *round) value() float64 { return float64(r.number.Load()) }
