package node

import (
	"encoding/hex"
	"slices"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/prometheus/client_golang/prometheus"

	"votenode/abci"
	pb "votenode/proto/votenode/v1"
)

// metric is one name in the answer to GET /metrics (docs/monitoring.md). read puts a value for each combination of labels.
type metric struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string
	read       func(s *sample, put func(value float64, labels ...string))
}

// Values that labels have besides names of organisations, validators, codes and pages of the runbook.
const (
	fromClients = "clients"
	fromPeers   = "peers"
)

// sample is what all metrics of one answer are read from.
type sample struct {
	node      *Node
	tip       abci.Tip
	intake    abci.Intake
	present   *pb.ValidatorEpoch
	signed    map[string]bool // addresses of those whose precommits for the block before the newest are on the ledger
	certified int64
	space     *spaceSeen
	problems  []problem
}

// gauge reads one number.
func gauge(name, help string, read func(s *sample) float64) metric {
	return metric{name, help, prometheus.GaugeValue, nil, func(s *sample, put func(float64, ...string)) { put(read(s)) }}
}

// counter reads one number that only grows while the process lives.
func counter(name, help string, read func(s *sample) float64) metric {
	m := gauge(name, help, read)
	m.kind = prometheus.CounterValue
	return m
}

// byOrganisation adds a number of each present validator up.
func byOrganisation(name, help string, of func(s *sample, v *pb.Validator) int64) metric {
	return metric{name, help, prometheus.GaugeValue, []string{"organisation"}, func(s *sample, put func(float64, ...string)) {
		sums := map[string]int64{}
		for i := range s.present.Validators {
			v := &s.present.Validators[i]
			sums[v.Organisation] += of(s, v)
		}
		for organisation, sum := range sums {
			put(float64(sum), organisation)
		}
	}}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// validatorLabels tell validators apart. Names may stand twice, addresses not.
var validatorLabels = []string{"organisation", "validator", "address"}

func labelsOf(v *pb.Validator) []string {
	return []string{v.Organisation, v.Name, hex.EncodeToString(consensusAddress(v.Key))}
}

// metricTable is all that is told but for what is counted block by block (blockCounts).
var metricTable = []metric{
	{"votenode_build_info", "The version of the program; always 1.", prometheus.GaugeValue, []string{"version"},
		func(_ *sample, put func(float64, ...string)) { put(1, Version()) }},
	{"votenode_problem", "1 where the node says that this is wrong, by page of the runbook.", prometheus.GaugeValue, []string{"page"},
		func(s *sample, put func(float64, ...string)) {
			for _, page := range problemPages {
				put(one(slices.ContainsFunc(s.problems, func(p problem) bool { return p.page == page })), page)
			}
		}},

	gauge("votenode_height", "The newest committed height.", func(s *sample) float64 { return float64(s.tip.Height) }),
	gauge("votenode_certified_height", "The newest height that is certified as far as this node sees.", func(s *sample) float64 { return float64(s.certified) }),
	gauge("votenode_committed_timestamp_seconds", "When the height rose last, or the node started, by the local clock.",
		func(s *sample) float64 { return seconds(s.node.progress.when()) }),
	gauge("votenode_block_timestamp_seconds", "The time of the newest block.", func(s *sample) float64 { return float64(s.tip.Time) / 1e9 }),
	gauge("votenode_block_ahead_seconds", "The time of the newest block less the local clock; positive where the block is from the future.",
		func(s *sample) float64 { return float64(s.tip.Time-s.node.now().UnixNano()) / 1e9 }),
	gauge("votenode_round", "The round in which consensus is, 0 at first.", func(s *sample) float64 { return s.node.round.value() }),
	gauge("votenode_catching_up", "1 while the node fetches blocks that others have decided.", func(s *sample) float64 { return one(s.node.CatchingUp()) }),

	byOrganisation("votenode_organisation_power", "The power of the organisation's present validators.",
		func(_ *sample, v *pb.Validator) int64 { return v.Power }),
	byOrganisation("votenode_organisation_signed_power", "That of those whose precommit for the block before the newest is in the newest.",
		func(s *sample, v *pb.Validator) int64 {
			if s.signed[string(consensusAddress(v.Key))] {
				return v.Power
			}
			return 0
		}),
	byOrganisation("votenode_organisation_connected_power", "That of those to which this node is connected, itself included.",
		func(s *sample, v *pb.Validator) int64 {
			if s.node.peers.connected(v.NodeId) {
				return v.Power
			}
			return 0
		}),
	{"votenode_validator_clock_offset_seconds", "The time that the validator signed less that of the newest block.", prometheus.GaugeValue, validatorLabels,
		func(s *sample, put func(float64, ...string)) {
			s.node.eachClock(s.present, func(v *pb.Validator, offset time.Duration) { put(offset.Seconds(), labelsOf(v)...) })
		}},
	{"votenode_validator_connected", "1 where this node is connected to the present validator, or is it.", prometheus.GaugeValue, validatorLabels,
		func(s *sample, put func(float64, ...string)) {
			for i := range s.present.Validators {
				v := &s.present.Validators[i]
				put(one(s.node.peers.connected(v.NodeId)), labelsOf(v)...)
			}
		}},
	gauge("votenode_peers", "Connected nodes, validators and others.", func(s *sample) float64 { return float64(s.node.Peers()) }),

	{"votenode_queue_transactions", "Transactions in line for the verifier, by who brought them.", prometheus.GaugeValue, []string{"source"},
		func(s *sample, put func(float64, ...string)) {
			put(float64(s.intake.ClientsWaiting), fromClients)
			put(float64(s.intake.PeersWaiting), fromPeers)
		}},
	gauge("votenode_pool_transactions", "Transactions that wait for a block.", func(s *sample) float64 { return float64(s.intake.Pending) }),
	gauge("votenode_pool_limit_transactions", "How many may wait for a block.", func(s *sample) float64 { return float64(s.node.config.Pool.Transactions) }),
	gauge("votenode_pool_bytes", "The bytes of the transactions that wait for a block.", func(s *sample) float64 { return float64(s.intake.PendingBytes) }),
	{"votenode_transactions_taken_total", "Transactions that came into the pool, by who brought them.", prometheus.CounterValue, []string{"source"},
		func(s *sample, put func(float64, ...string)) {
			put(float64(s.intake.Taken), fromClients)
			put(float64(s.intake.FromPeers), fromPeers)
		}},
	{"votenode_transactions_refused_total", "Refused transactions by the name of the code; retry_later are those for which there was no room.", prometheus.CounterValue, []string{"code"},
		func(s *sample, put func(float64, ...string)) {
			for code, n := range s.intake.Refused {
				put(float64(n), code.String())
			}
		}},
	counter("votenode_ballots_verified_total", "Ballots verified before they came into the pool, right or wrong.", func(s *sample) float64 { return float64(s.intake.Verified) }),
	counter("votenode_verification_seconds_total", "For how long transactions were verified before they came into the pool, nearly all of it for ballots.",
		func(s *sample) float64 { return s.intake.Verifying.Seconds() }),
	{"votenode_consensus_transactions_total", "Transactions of own proposals, proposals judged and blocks, by how they were known to be right.", prometheus.CounterValue, []string{"call", "known"},
		func(s *sample, put func(float64, ...string)) {
			for call, l := range map[string]abci.Lookups{"prepare": s.intake.Prepare, "process": s.intake.Process, "finalize": s.intake.Finalize} {
				put(float64(l.Pool), call, "pool")
				put(float64(l.Remembered), call, "remembered")
				put(float64(l.Unseen), call, "unseen")
			}
		}},
	gauge("votenode_promises_open", "Promises of this node that are not settled.", func(s *sample) float64 { return float64(s.intake.Promised) }),
	gauge("votenode_promises_overdue", "Those whose height has come.", func(s *sample) float64 { return float64(s.intake.Overdue) }),

	gauge("votenode_signer_height", "The height of the last signature of the node's key.", func(s *sample) float64 { return float64(s.node.signer.signed.Load()) }),
	gauge("votenode_signer_failed", "1 where the node's key signs no more.", func(s *sample) float64 { return one(s.node.signer.fault() != nil) }),
	gauge("votenode_signer_unreached", "1 while the signer that has the node's key is not reached.", func(s *sample) float64 {
		_, err := s.node.SignerReached()
		return one(err != nil)
	}),
	gauge("votenode_signer_waiting", "1 while the node's key does not sign yet.", func(s *sample) float64 { return one(s.node.signer.waits() != nil) }),

	gauge("votenode_disk_free_bytes", "What is free of the file system with the node's data.", func(s *sample) float64 { return float64(s.space.free) }),
	gauge("votenode_disk_size_bytes", "The size of that file system.", func(s *sample) float64 { return float64(s.space.size) }),
	gauge("votenode_disk_reserve_bytes", "Below this nothing is taken from clients.", func(s *sample) float64 { return float64(s.node.space.reserve) }),
	{"votenode_store_bytes", "The bytes of the files of each store.", prometheus.GaugeValue, []string{"store"},
		func(s *sample, put func(float64, ...string)) {
			for name, size := range s.space.stores {
				put(float64(size), name)
			}
		}},
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// collector reads the table. It reads what others have finished, immutable states and numbers of their own, and holds no lock that
// consensus takes, too, for longer than it takes to copy or to count what is there.
type collector struct {
	node         *Node
	descriptions []*prometheus.Desc // as in the table
}

var _ prometheus.Collector = (*collector)(nil)

func newCollector(n *Node) *collector {
	c := &collector{node: n}
	for _, m := range metricTable {
		c.descriptions = append(c.descriptions, prometheus.NewDesc(m.name, m.help, m.labels, nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descriptions {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	s, err := c.node.sample()
	for i, m := range metricTable {
		if err != nil {
			to <- prometheus.NewInvalidMetric(c.descriptions[i], err)
			continue
		}
		m.read(s, func(value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(c.descriptions[i], m.kind, value, labels...)
		})
	}
}

func (n *Node) sample() (*sample, error) {
	s := &sample{node: n, tip: n.app.Tip(), intake: n.app.Intake(), space: n.space.seen.Load(), signed: map[string]bool{}}
	var err error
	if s.present, err = n.present(); err != nil {
		return nil, err
	}
	if s.certified, _, _, err = n.evidence.certified(); err != nil {
		return nil, err
	}
	if commit := n.blocks.LoadBlockCommit(s.tip.Height - 1); commit != nil {
		for _, signature := range commit.Signatures {
			if signature.BlockIDFlag == cmttypes.BlockIDFlagCommit {
				s.signed[string(signature.ValidatorAddress)] = true
			}
		}
	}
	s.problems = slices.Concat(n.unhealthy(), n.overload(), n.alarms())
	return s, nil
}
