package testnet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"votenode/genesis"
	"votenode/internal/network"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
)

// Patience bounds every wait of a network; a machine may be slow, so it is far beyond what anything takes.
const Patience = 2 * time.Minute

// Options describe a network. Zero values have defaults.
type Options struct {
	// Organisations are their ids; two, "league" and "party", by default.
	Organisations []string
	// Validators of each organisation; 2 by default.
	Validators int
	// Powers are the validators of an organisation, each with its power, where they are not Validators with the power 1.
	Powers map[string][]int64
	// Observers are nodes without a validator's key, after the validators; none by default.
	Observers int
	// Signers are the indices of validators whose consensus key is with a signer, a process of its own (StartSigner).
	Signers []int
	// Officers and Registrars of each organisation; one each by default. All officers of an organisation but one suffice.
	Officers, Registrars int
	// Commit is the commit timeout; 50 ms by default.
	Commit time.Duration
	// Parameters may change the parameters of the genesis document.
	Parameters func(*pb.Parameters)
	// Config may change a node's configuration.
	Config func(i int, c *node.Config)
	// Now is the clock of all nodes in process; time.Now by default.
	Now func(i int) time.Time
	// FreeSpace is what is free, and the size, of the disks of nodes in process, bytes; the operating system's answer by default.
	FreeSpace func(i int) (free, size uint64, err error)
	// Log gets the nodes' logs; by default it is the file in the environment variable VOTENODE_TESTNET_LOG, or nowhere.
	Log io.Writer
}

// Network is a ledger whose nodes this process starts and stops. Its methods are for one goroutine.
type Network struct {
	// Document is the genesis document and Hash its hash.
	Document *pb.Genesis
	Hash     [32]byte
	// Officers and Registrars are the keys by organisation.
	Officers, Registrars map[string][]ed25519.PrivateKey
	// Nodes are the validators by organisation, then the observers.
	Nodes []*Node

	t       testing.TB
	options Options
	dir     string
}

// Chain is the chain id of all networks.
const Chain = "testnet"

// New makes the homes of a network and starts nothing. Everything is stopped and removed when the test ends.
func New(t testing.TB, o Options) *Network {
	t.Helper()
	n := &Network{
		t: t, options: defaults(o), dir: t.TempDir(),
		Officers: map[string][]ed25519.PrivateKey{}, Registrars: map[string][]ed25519.PrivateKey{},
	}
	t.Cleanup(n.stopAll)
	var entries []*pb.GenesisEntry
	for _, id := range n.options.Organisations {
		powers := n.options.Powers[id]
		if powers == nil {
			powers = slices.Repeat([]int64{1}, n.options.Validators)
		}
		for _, power := range powers {
			entries = append(entries, n.addValidator(id, power))
		}
		n.Officers[id] = n.members(id, "officer", n.options.Officers, &entries)
		n.Registrars[id] = n.members(id, "registrar", n.options.Registrars, &entries)
	}
	for range n.options.Observers {
		n.addNode("", fmt.Sprintf("observer-%d", len(n.Nodes)))
	}
	n.assemble(entries)
	for _, each := range n.Nodes {
		n.must(n.writeHome(each))
	}
	return n
}

func defaults(o Options) Options {
	if o.Organisations == nil {
		o.Organisations = []string{"league", "party"}
	}
	o.Validators = max(o.Validators, 0)
	if o.Validators == 0 {
		o.Validators = 2
	}
	o.Officers, o.Registrars = max(o.Officers, 1), max(o.Registrars, 1)
	if o.Commit == 0 {
		o.Commit = 50 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = io.Discard
		if path := os.Getenv("VOTENODE_TESTNET_LOG"); path != "" {
			if f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
				o.Log = f
			}
		}
	}
	return o
}

// must ends the test on an error.
func (n *Network) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// addNode makes a home with keys and ports of its own.
func (n *Network) addNode(organisation, name string) *Node {
	each := &Node{
		Index: len(n.Nodes), Organisation: organisation, Name: name, Home: filepath.Join(n.dir, name),
		p2p: n.freePort(), gateway: n.freePort(), network: n,
	}
	if slices.Contains(n.options.Signers, each.Index) {
		n.must(n.initRemote(each))
	} else {
		n.must(node.Init(each.Home, node.DefaultConfig()))
	}
	v, err := node.ValidatorOf(each.Home)
	n.must(err)
	v.Organisation, v.Name, v.Power, v.Address = organisation, name, 1, each.p2p
	each.Validator = v
	n.Nodes = append(n.Nodes, each)
	return each
}

func (n *Network) addValidator(organisation string, power int64) *pb.GenesisEntry {
	each := n.addNode(organisation, fmt.Sprintf("%s-%d", organisation, len(n.Nodes)))
	each.Validator.Power = power
	entry := &pb.GenesisEntry{ChainId: Chain, Organisation: organisation, Entry: &pb.GenesisEntry_Validator{Validator: &each.Validator}}
	slip, err := node.SlipKey(each.Home)
	n.must(err)
	n.must(genesis.SignEntry(entry, slip))
	return entry
}

func (n *Network) members(organisation, role string, count int, entries *[]*pb.GenesisEntry) []ed25519.PrivateKey {
	keys := make([]ed25519.PrivateKey, count)
	for i := range keys {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		n.must(err)
		keys[i] = private
		member := &pb.Member{Name: fmt.Sprintf("%s %s %d", organisation, role, i+1), Key: public}
		entry := &pb.GenesisEntry{ChainId: Chain, Organisation: organisation, Entry: &pb.GenesisEntry_Officer{Officer: member}}
		if role == "registrar" {
			entry.Entry = &pb.GenesisEntry_Registrar{Registrar: member}
		}
		n.must(genesis.SignEntry(entry, private))
		*entries = append(*entries, entry)
	}
	return keys
}

// assemble makes the genesis document, with timeouts that suit a test.
func (n *Network) assemble(entries []*pb.GenesisEntry) {
	p := genesis.DefaultParameters(len(n.options.Organisations))
	p.Timeouts = pb.Timeouts{Propose: 1000, ProposeDelta: 200, Vote: 300, VoteDelta: 100, Commit: uint32(n.options.Commit.Milliseconds())}
	if n.options.Parameters != nil {
		n.options.Parameters(p)
	}
	var organisations []pb.Organisation
	for _, id := range n.options.Organisations {
		quorum := uint32(max(n.options.Officers-1, 1))
		organisations = append(organisations, pb.Organisation{Id: id, Title: "Organisation " + id, OfficerQuorum: quorum})
	}
	doc, err := genesis.Assemble(Chain, time.Now().Unix()-1, p, organisations, entries)
	n.must(err)
	n.Document, n.Hash = doc, genesis.Hash(doc)
}

// writeHome puts configuration and genesis document into a home.
func (n *Network) writeHome(each *Node) error {
	observers := map[string]string{}
	for _, other := range n.Nodes {
		if other.Organisation == "" && other != each {
			observers[other.ID()] = other.p2p
		}
	}
	if err := n.writeConfig(each, observers); err != nil {
		return err
	}
	approvals := new(pb.GenesisApprovals)
	for _, keys := range n.Officers {
		for _, key := range keys {
			a, err := genesis.Approve(n.Document, key)
			if err != nil {
				return err
			}
			genesis.AddApproval(approvals, a)
		}
	}
	return node.SetGenesis(each.Home, genesis.Bytes(n.Document), genesis.ApprovalsBytes(approvals))
}

// writeConfig writes the configuration of a node that knows these peers besides what the records say of validators.
func (n *Network) writeConfig(each *Node, peers map[string]string) error {
	c := node.DefaultConfig()
	c.P2P.Listen, c.P2P.Peers, c.Gateway.Listen, c.Signer = each.p2p, peers, each.gateway, each.signer
	if n.options.Config != nil {
		n.options.Config(each.Index, &c)
	}
	return os.WriteFile(node.Home(each.Home).ConfigFile(), c.Bytes(), 0o600)
}

// SortedValidators sorts a validator set as the ledger wants it, by key.
func SortedValidators(set []pb.Validator) []pb.Validator {
	slices.SortFunc(set, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
	return set
}

// freePort returns an address of loopback that is this network's.
func (n *Network) freePort() string {
	address, err := network.FreePorts(1)
	n.must(err)
	return address[0]
}

// Start starts nodes in process, all where none is named.
func (n *Network) Start(indices ...int) {
	n.t.Helper()
	for _, each := range n.named(indices) {
		n.must(each.Start())
	}
}

// Stop stops nodes gracefully, all where none is named, and ends the test where one ended badly.
func (n *Network) Stop(indices ...int) {
	n.t.Helper()
	for _, each := range n.named(indices) {
		n.must(each.Stop())
	}
}

func (n *Network) named(indices []int) []*Node {
	if len(indices) == 0 {
		return n.Nodes
	}
	var nodes []*Node
	for _, i := range indices {
		nodes = append(nodes, n.Nodes[i])
	}
	return nodes
}

func (n *Network) stopAll() {
	for _, each := range n.Nodes {
		if each.signerChild != nil {
			n.must(each.KillSigner())
		}
		if err := each.Stop(); err != nil {
			n.t.Errorf("stopping %s: %v", each.Name, err)
		}
	}
}

// WaitHeight waits until all running nodes in process have committed a height.
func (n *Network) WaitHeight(height int64) {
	n.t.Helper()
	for _, each := range n.Nodes {
		if each.node != nil {
			each.WaitHeight(height)
		}
	}
}

// WaitConnected waits until every running node in process has a connection to each other one, and follows. Blocks come before that: they need
// two thirds of the power, and votes go through others.
func (n *Network) WaitConnected() {
	n.t.Helper()
	var running []*Node
	for _, each := range n.Nodes {
		if each.node != nil {
			running = append(running, each)
		}
	}
	limit := time.After(Patience)
	for _, each := range running {
		for {
			advanced := each.node.App().Advanced()
			if each.node.Peers() == len(running)-1 && !each.node.CatchingUp() {
				break
			}
			select {
			case <-advanced:
			case <-limit:
				n.t.Fatalf("%s has %d peers of %d: %v", each.Name, each.node.Peers(), len(running)-1, each.node.Health())
			}
		}
	}
}

// AppHashes returns, by node in process, the app hash that the header of a height carries.
func (n *Network) AppHashes(height int64) map[string][]string {
	hashes := map[string][]string{}
	for _, each := range n.Nodes {
		if each.node == nil {
			continue
		}
		hash := "none"
		if meta := each.node.Blocks().LoadBlockMeta(height); meta != nil {
			hash = meta.Header.AppHash.String()
		}
		hashes[hash] = append(hashes[hash], each.Name)
	}
	return hashes
}

// RequireAgreement ends the test unless all running nodes in process have the same block, with the same app hash, at a height.
func (n *Network) RequireAgreement(height int64) {
	n.t.Helper()
	n.WaitHeight(height)
	if hashes := n.AppHashes(height); len(hashes) != 1 || slices.Collect(maps.Keys(hashes))[0] == "none" {
		n.t.Fatalf("the nodes disagree at height %d: %v", height, hashes)
	}
}

// Node is one node of a network.
type Node struct {
	// Index is the place in Network.Nodes.
	Index int
	// Organisation is empty for an observer.
	Organisation string
	Name         string
	Home         string
	// Validator is the node's entry in the genesis document, or what it would be.
	Validator pb.Validator

	p2p, gateway string            // host:port
	signer       node.SignerConfig // zero where the consensus key is in the home
	network      *Network

	node   *node.Node // while it runs in process
	cancel context.CancelFunc
	ended  chan error
	child  *child // while it runs as a process

	signerChild *child // while its signer runs
}

// Start opens and runs the node in process.
func (e *Node) Start() error {
	if e.node != nil || e.child != nil {
		return fmt.Errorf("%s runs already", e.Name)
	}
	ctx, cancel := context.WithCancel(context.Background())
	o := node.Options{Logger: slog.New(slog.NewTextHandler(e.network.options.Log, &slog.HandlerOptions{Level: slog.LevelDebug})).With("name", e.Name)}
	if now := e.network.options.Now; now != nil {
		o.Now = func() time.Time { return now(e.Index) }
	}
	if free := e.network.options.FreeSpace; free != nil {
		o.FreeSpace = func(string) (uint64, uint64, error) { return free(e.Index) }
	}
	opened, err := node.Open(ctx, e.Home, o)
	if err != nil {
		cancel()
		return err
	}
	e.node, e.cancel, e.ended = opened, cancel, make(chan error, 1)
	go func() {
		defer close(e.ended)
		e.ended <- opened.Run(ctx)
	}()
	return nil
}

// Stop ends the node, gracefully, and returns how it ended. Stopping a node that does not run is no error.
func (e *Node) Stop() error {
	if e.child != nil {
		return e.stopChild()
	}
	if e.node == nil {
		return nil
	}
	e.cancel()
	err := errors.Join(<-e.ended, e.node.Close())
	e.node = nil
	return err
}

// Ended returns the channel on which the end of a node in process is reported, for tests of nodes that end by themselves.
func (e *Node) Ended() <-chan error { return e.ended }

// Forget ends a node in process, however it ends, so that the network waits for it no more.
func (e *Node) Forget() {
	if err := e.Stop(); err != nil {
		e.network.t.Logf("%s ended: %v", e.Name, err)
	}
}

// ID returns the node's p2p id.
func (e *Node) ID() string { return hex.EncodeToString(e.Validator.NodeId) }

// Running returns the node in process, nil where it does not run.
func (e *Node) Running() *node.Node { return e.node }

// Gateway returns the host:port of the node's gateway.
func (e *Node) Gateway() string { return e.gateway }

// WaitHeight waits until the node in process has committed a height.
func (e *Node) WaitHeight(height int64) {
	e.network.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := e.node.App().Wait(ctx, height); err != nil {
		e.network.t.Fatalf("%s stands at height %d and did not reach %d: %v; %v", e.Name, e.node.App().Tip().Height, height, err, e.node.Health())
	}
}
