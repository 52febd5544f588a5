package node

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"

	"votenode/abci"
	"votenode/client"
	"votenode/node/gateway"
	"votenode/node/signing"
	pb "votenode/proto/votenode/v1"
)

// Config is the file node.json of a node's home: what is this node's own business. What all nodes must agree on (timeouts, limits,
// validators) stands in genesis and on the ledger, never here. Unknown fields are refused.
type Config struct {
	P2P     P2PConfig      `json:"p2p"`
	Gateway gateway.Config `json:"gateway"`
	Store   StoreConfig    `json:"store"`
	Sync    SyncConfig     `json:"sync"`
	Pool    PoolConfig     `json:"pool"`
	Signer  SignerConfig   `json:"signer,omitzero"`
	Log     LogConfig      `json:"log"`
	Metrics MetricsConfig  `json:"metrics"`
}

// P2PConfig is about the connections to other nodes.
type P2PConfig struct {
	// Listen is the host:port on which peers are accepted.
	Listen string `json:"listen"`
	// Peers are host:port by node id (40 hexadecimal digits), which this node dials and lets connect: validators that are not
	// reached under the address of their record, or that are none yet in the state that a new node begins with.
	Peers map[string]string `json:"peers"`
	// Observers are ids of other nodes that may connect, though they are no validators.
	Observers []string `json:"observers"`
}

// welcome returns the ids of the nodes that may connect besides the validators.
func (c P2PConfig) welcome() []string {
	return append(slices.Collect(maps.Keys(c.Peers)), c.Observers...)
}

// StoreConfig is about the ledger's store.
type StoreConfig struct {
	// Archive keeps the state of every height for ever; otherwise that of the newest 10,000 is kept. At least one node of each
	// organisation is an archive.
	Archive bool `json:"archive"`
	// SnapshotInterval is after how many heights a snapshot is made that other nodes may begin with, 10 to 1,000,000, or 0 for none. It is
	// made where it divides the height: nodes with the same interval have the same snapshots.
	SnapshotInterval int64 `json:"snapshot_interval"`
	// ReserveMegabytes of the disk are kept for blocks, 1 to 1,048,576: while less is free, nothing is taken from clients.
	ReserveMegabytes int `json:"reserve_megabytes"`
}

// SyncConfig is about how a node begins that has nothing yet.
type SyncConfig struct {
	// Gateways are the addresses of gateways of other nodes. Where there are any, a node without data begins with a snapshot that its
	// peers send, of a state that these gateways show to be certified; otherwise with block 1. They are not trusted: one honest one suffices.
	Gateways []string `json:"gateways"`
}

// PoolConfig bounds the transactions that wait for a block.
type PoolConfig struct {
	// Megabytes of memory that they take, 1 to 16,384: a ballot takes about eight times its bytes.
	Megabytes int `json:"megabytes"`
	// Transactions, at least 1.
	Transactions int `json:"transactions"`
}

// SignerConfig names the signer that has the private part of the consensus key; it is absent where that is in the home.
type SignerConfig struct {
	// Listen is the host:port at which the signer dials in: on a network that only the two are on, where that can be.
	Listen string `json:"listen"`
	// Key is the signer's connection key, 64 hexadecimal digits: nobody else is listened to.
	Key string `json:"key"`
}

func (c SignerConfig) check() error {
	if c == (SignerConfig{}) {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("signer.listen: %w", err)
	}
	if _, err := signing.ParseKey(c.Key); err != nil {
		return fmt.Errorf("signer.key: %w", err)
	}
	return nil
}

// LogConfig is about the log on standard error.
type LogConfig struct {
	// Level is debug, info, warn or error.
	Level string `json:"level"`
	// Format is text or json.
	Format string `json:"format"`
}

// MetricsConfig is about the metrics for Prometheus.
type MetricsConfig struct {
	// Listen is the host:port of GET /metrics; empty means none. It is for this machine or the operators' own network: there is neither
	// TLS nor a password.
	Listen string `json:"listen"`
}

// DefaultConfig returns the configuration of a validator that says nothing else.
func DefaultConfig() Config {
	pool := abci.DefaultPoolLimits()
	return Config{
		P2P:     P2PConfig{Listen: "0.0.0.0:26656"},
		Gateway: gateway.DefaultConfig(),
		Store:   StoreConfig{SnapshotInterval: 1_000, ReserveMegabytes: 2048},
		Pool:    PoolConfig{Megabytes: pool.Bytes >> 20, Transactions: pool.Count},
		Log:     LogConfig{Level: "info", Format: "text"},
	}
}

// MemoryBound is how much memory a node with this configuration may come to take, bytes, whatever arrives: the limits of what waits, the
// caches of the stores, and as much again, because memory is collected when it has doubled. The state of the ledger comes on top.
func (c Config) MemoryBound() int64 {
	const stores = 512 << 20 // Badger's caches and tables in memory, CometBFT's stores, its buffers to and from peers, the program itself
	pool := abci.PoolLimits{Bytes: c.Pool.Megabytes << 20, Count: c.Pool.Transactions}
	return 2 * (pool.MemoryBound() + c.Gateway.MemoryBound() + stores)
}

// ErrConfig says that a configuration cannot be used; the text around it says why.
var ErrConfig = errors.New("invalid configuration")

// ParseConfig reads a configuration. Fields that are left out have their default; unknown ones fail with ErrConfig.
func ParseConfig(b []byte) (Config, error) {
	c := DefaultConfig()
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Config{}, fmt.Errorf("%w: something follows the configuration", ErrConfig)
	}
	if err := c.Check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// ReadConfig reads a configuration file.
func ReadConfig(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	c, err := ParseConfig(b)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Bytes returns the configuration as a file.
func (c Config) Bytes() []byte {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		panic("node: a configuration always encodes: " + err.Error())
	}
	return append(b, '\n')
}

// Check fails with ErrConfig where a configuration cannot be used.
func (c Config) Check() error {
	if err := c.fault(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}

func (c Config) fault() error {
	if _, _, err := net.SplitHostPort(c.P2P.Listen); err != nil {
		return fmt.Errorf("p2p.listen: %w", err)
	}
	for id, address := range c.P2P.Peers {
		if err := checkNodeID(id); err != nil {
			return fmt.Errorf("p2p.peers: %w", err)
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("p2p.peers: %w", err)
		}
	}
	for _, id := range c.P2P.Observers {
		if err := checkNodeID(id); err != nil {
			return fmt.Errorf("p2p.observers: %w", err)
		}
	}
	if i := c.Store.SnapshotInterval; i != 0 && (i < 10 || i > 1_000_000) {
		return fmt.Errorf("store.snapshot_interval is %d; it is 0, or 10 to 1,000,000", i)
	}
	if c.Store.Archive && len(c.Sync.Gateways) > 0 {
		return errors.New("store.archive keeps the state of every height, so it cannot begin with a snapshot: leave sync.gateways empty, it begins with block 1")
	}
	for _, address := range c.Sync.Gateways {
		if _, err := client.NewNode(address); err != nil {
			return fmt.Errorf("sync.gateways: %w", err)
		}
	}
	if c.Pool.Megabytes < 1 || c.Pool.Megabytes > 16384 || c.Pool.Transactions < 1 {
		return fmt.Errorf("pool: %d megabytes and %d transactions are out of range", c.Pool.Megabytes, c.Pool.Transactions)
	}
	if c.Store.ReserveMegabytes < 1 || c.Store.ReserveMegabytes > 1<<20 {
		return fmt.Errorf("store.reserve_megabytes: %d is out of range", c.Store.ReserveMegabytes)
	}
	if c.Metrics.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Metrics.Listen); err != nil {
			return fmt.Errorf("metrics.listen: %w", err)
		}
	}
	if _, err := logLevel(c.Log.Level); err != nil {
		return err
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return fmt.Errorf("log.format is %q; it is text or json", c.Log.Format)
	}
	if err := c.Signer.check(); err != nil {
		return err
	}
	return c.Gateway.Check()
}

func checkNodeID(id string) error {
	if b, err := hex.DecodeString(id); err != nil || len(b) != 20 || hex.EncodeToString(b) != id {
		return fmt.Errorf("%q is no node id: 40 hexadecimal digits in lower case", id)
	}
	return nil
}

// What must be the same on all nodes of a network, or is no operator's choice.
const (
	// blockTimeTolerance is how far a block's time may be ahead of the clock before CometBFT itself calls the block invalid. The
	// clock rule of proposals refuses far earlier.
	blockTimeTolerance = 60 * time.Second
	// packetPayload is the greatest payload of a p2p packet, bytes. A vote waits behind at most ten of them.
	packetPayload = 16 << 10
	// rate is the greatest p2p throughput of one peer and direction, bytes a second.
	rate = 64 << 20
	// maxPeers bounds the connections; who may connect at all is decided by the ledger.
	maxPeers = 256
	// reapInterval is how often transactions that came in are given to the peers.
	reapInterval = 50 * time.Millisecond
	// reapBytes bounds what is given at once.
	reapBytes = 4 << 20
	// maxTxBytes is the greatest value of the parameter transaction_bytes (docs/spec section 1.5).
	maxTxBytes = 1 << 20
	// gossipSleep is how often CometBFT looks for votes and block parts that a peer lacks.
	gossipSleep = 10 * time.Millisecond
)

// CometConfig makes CometBFT's configuration: nothing of it is an operator's to choose. The timeouts are those of the parameters
// on the ledger when the node starts. A benchmark runs CometBFT alone with it.
func CometConfig(h Home, c Config, p *pb.Parameters) (*cmtcfg.Config, error) {
	cc := cmtcfg.DefaultConfig().SetRoot(h.comet())
	cc.Moniker = "votenode"
	cc.DBBackend = "goleveldb"
	cc.DBPath = "."
	cc.FilterPeers = true

	cc.RPC.ListenAddress = "" // no authentication, no limits: the gateway serves instead
	cc.TxIndex.Indexer = "null"
	cc.Storage.DiscardABCIResponses = true
	cc.BlockSync.AdaptiveSync = false

	cc.P2P.ListenAddress = "tcp://" + c.P2P.Listen
	cc.P2P.PexReactor = false
	cc.P2P.AddrBook = "addrbook.json"
	cc.P2P.AddrBookStrict = false
	cc.P2P.AllowDuplicateIP = true // peers are told apart by their keys
	cc.P2P.MaxNumInboundPeers, cc.P2P.MaxNumOutboundPeers = maxPeers, maxPeers
	cc.P2P.SendRate, cc.P2P.RecvRate = rate, rate
	cc.P2P.MaxPacketMsgPayloadSize = packetPayload

	cc.Mempool.Type = cmtcfg.MempoolTypeApp
	cc.Mempool.Recheck = false
	cc.Mempool.SeenCacheSize = 1 // the application knows what it has seen
	cc.Mempool.ReapInterval = reapInterval
	cc.Mempool.ReapMaxBytes = reapBytes
	// A peer that sends a greater transaction is dropped, and a change of parameters may raise the limit while nodes run: so this
	// is the greatest that parameters can be; the application refuses by those in force.
	cc.Mempool.MaxTxBytes, cc.Mempool.MaxBatchBytes = maxTxBytes, maxTxBytes

	t := p.Timeouts
	ms := func(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
	cc.Consensus.WalPath = "wal/wal"
	cc.Consensus.TimeoutPropose, cc.Consensus.TimeoutProposeDelta = ms(t.Propose), ms(t.ProposeDelta)
	cc.Consensus.TimeoutPrevote, cc.Consensus.TimeoutPrevoteDelta = ms(t.Vote), ms(t.VoteDelta)
	cc.Consensus.TimeoutPrecommit, cc.Consensus.TimeoutPrecommitDelta = ms(t.Vote), ms(t.VoteDelta)
	cc.Consensus.TimeoutCommit = ms(t.Commit)
	cc.Consensus.CreateEmptyBlocks = true // the blocks log, and with it the AppHash, grows with every block
	cc.Consensus.CreateEmptyBlocksInterval = 0
	cc.Consensus.PeerGossipSleepDuration = gossipSleep
	cc.Consensus.DoubleSignCheckHeight = 0 // a halted network could not start again together
	cc.Consensus.BlockTimeTolerance = blockTimeTolerance

	if cc.Consensus.WaitForTxs() {
		return nil, fmt.Errorf("%w: with the application's pool CometBFT never learns of transactions, and would wait for ever", ErrConfig)
	}
	return cc, cc.ValidateBasic()
}
