package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/p2p"
	sm "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/statesync"
	cmttypes "github.com/cometbft/cometbft/types"
	cmtversion "github.com/cometbft/cometbft/version"

	"votenode/app/organisation"
	"votenode/client"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

const (
	// discovery is how long CometBFT collects what peers offer before it takes the best, and how often it asks again. It takes no less.
	discovery = 5 * time.Second
	// originPause is between two attempts to have a state proven by the gateways.
	originPause = time.Second
)

// sync begins with a snapshot of the peers where the home has no data and the configuration says so. It returns when the data are in place;
// what follows is an ordinary start. Nothing is signed meanwhile, and nobody may connect to this node.
func (n *Node) sync(ctx context.Context) error {
	if len(n.config.Sync.Gateways) == 0 {
		return nil
	}
	newcomer, err := newNewcomer(n)
	if errors.Is(err, ErrHasData) {
		return nil
	}
	if err != nil {
		return err
	}
	began := time.Now()
	n.log.Info("this node has no data and begins with a snapshot; without sync.gateways it would begin with block 1")
	origin, err := n.fetchSnapshot(ctx, newcomer)
	if err == nil {
		err = newcomer.adopt(origin)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("beginning with a snapshot: %w", err), newcomer.clear())
	}
	n.log.Info("the snapshot is in place", "height", origin.state.Height, "milliseconds", time.Since(began).Milliseconds())
	return nil
}

// fetchSnapshot has CometBFT's state sync restore a snapshot beside the data, and returns what proves it.
func (n *Node) fetchSnapshot(ctx context.Context, c *newcomer) (*origin, error) {
	key, err := p2p.LoadNodeKey(n.home.p2pKey())
	if err != nil {
		return nil, fmt.Errorf("the p2p key: %w", err)
	}
	config, err := CometConfig(n.home, n.config, &n.doc.Parameters)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(n.home.newData(), 0o700); err != nil {
		return nil, err
	}
	defer setTemporary(n.home.newData())()
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	restorer, origins := c.restorer(), &origins{ctx: ctx, refuse: refuse, node: n}
	reactor := statesync.NewReactor(*cmtcfg.DefaultStateSyncConfig(), restorer, restorer, statesync.NopMetrics())
	log := cometLogger{n.log.With("part", "cometbft")}
	reactor.SetLogger(log)
	sw, err := snapshotSwitch(config, n.doc.ChainId, key, reactor)
	if err != nil {
		return nil, err
	}
	sw.SetLogger(log)
	if err := sw.Start(); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() { // CometBFT's Sync listens to no ctx: where it waits for peers when ctx is done, it ends with the process
		_, _, err := reactor.Sync(origins, discovery)
		done <- err
	}()
	err = n.dialUntil(ctx, sw, key.ID(), done)
	restorer.Stop()
	if err = errors.Join(err, sw.Stop()); err != nil {
		return nil, err
	}
	return origins.last()
}

// setTemporary has this process keep temporary files in a folder, until the returned function is called. CometBFT keeps chunks in the system's
// folder for them and takes no other, and a container need not have one.
func setTemporary(dir string) (undo func()) {
	const name = "TMPDIR"
	before, was := os.LookupEnv(name)
	os.Setenv(name, dir)
	return func() {
		if was {
			os.Setenv(name, before)
		} else {
			os.Unsetenv(name)
		}
	}
}

// snapshotSwitch makes a switch for state sync alone, which dials and does not listen.
func snapshotSwitch(config *cmtcfg.Config, chain string, key *p2p.NodeKey, reactor *statesync.Reactor) (*p2p.Switch, error) {
	info := p2p.DefaultNodeInfo{
		ProtocolVersion: p2p.NewProtocolVersion(cmtversion.P2PProtocol, cmtversion.BlockProtocol, genesis.AppVersion),
		DefaultNodeID:   key.ID(), ListenAddr: config.P2P.ListenAddress, Network: chain, Version: cmtversion.TMCoreSemVer,
		Channels: []byte{statesync.SnapshotChannel, statesync.ChunkChannel}, Moniker: config.Moniker,
		Other: p2p.DefaultNodeInfoOther{TxIndex: "off"},
	}
	if err := info.Validate(); err != nil {
		return nil, err
	}
	sw := p2p.NewSwitch(config.P2P, p2p.NewMultiplexTransport(info, *key, p2p.MConnConfig(config.P2P)))
	sw.AddReactor("STATESYNC", reactor)
	sw.SetNodeInfo(info)
	sw.SetNodeKey(key)
	return sw, nil
}

// dialUntil keeps the switch connected to the validators of the genesis document and to the peers of the configuration until done brings an
// error or nil, or ctx is done, whose cause it returns.
func (n *Node) dialUntil(ctx context.Context, sw *p2p.Switch, self p2p.ID, done <-chan error) error {
	addresses := map[string]string{}
	for _, v := range organisation.FirstEpoch(n.doc).Validators {
		addresses[hex.EncodeToString(v.NodeId)] = v.Address
	}
	maps.Copy(addresses, n.config.P2P.Peers)
	delete(addresses, string(self))
	ticker := time.NewTicker(peerInterval)
	defer ticker.Stop()
	for {
		for id, address := range addresses {
			if sw.IsDialingOrExistingAddress(&p2p.NetAddress{ID: p2p.ID(id)}) {
				continue
			}
			go func() {
				addr, err := p2p.NewNetAddressString(p2p.IDAddressString(p2p.ID(id), address))
				if err == nil {
					err = sw.DialPeerWithAddress(addr)
				}
				if err != nil {
					n.log.Debug("dialling a peer", "peer", id, "error", err)
				}
			}()
		}
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// origins has the states of snapshots proven by the gateways of the configuration. It is what CometBFT calls a state provider. It trusts
// nothing but the genesis document.
type origins struct {
	ctx    context.Context
	refuse context.CancelCauseFunc // of ctx
	node   *Node

	mu     sync.Mutex
	ledger *client.Ledger
	newest *origin // that was asked for last
}

var _ statesync.StateProvider = (*origins)(nil)

// at returns the proven state of a height. While the gateways cannot be reached or are not so far it tries again until ctx is done; it fails at
// once where they show that the state is not certified, and where another program is needed, which ends the whole attempt.
func (o *origins) at(ctx context.Context, height int64) (*origin, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.newest != nil && o.newest.state.Height == height {
		return o.newest, nil
	}
	for {
		found, err := o.fetch(ctx, height)
		if err == nil {
			o.newest = found
			return found, nil
		}
		o.node.log.Debug("a snapshot is not proven", "height", height, "error", err)
		var upgrade *UpgradeError
		if errors.As(err, &upgrade) {
			o.refuse(err)
		}
		if upgrade != nil || errors.Is(err, ErrSnapshotProof) || errors.Is(err, client.ErrVerification) {
			return nil, err
		}
		timer := time.NewTimer(originPause)
		select {
		case <-timer.C:
		case <-o.ctx.Done():
			return nil, o.ctx.Err()
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

func (o *origins) fetch(ctx context.Context, height int64) (*origin, error) {
	if o.ledger == nil {
		ledger, err := client.OpenOf(ctx, genesis.Hash(o.node.doc), o.node.config.Sync.Gateways, certified.AnyProtocol, func(address string, reason error) {
			o.node.log.Warn("a gateway does not help", "gateway", address, "reason", reason)
		})
		if err != nil {
			return nil, err
		}
		o.ledger = ledger
	}
	ledger, _, err := o.ledger.State(ctx, height)
	if err != nil {
		return nil, err
	}
	before, _, err := o.ledger.State(ctx, height-1)
	if err != nil {
		return nil, err
	}
	return o.node.verifyOrigin(&pb.SnapshotProof{State: ledger, Block: before.State.Children[0]})
}

// last returns the state that was restored: the one that was asked for last.
func (o *origins) last() (*origin, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.newest == nil {
		return nil, ErrSnapshotProof
	}
	return o.newest, nil
}

// AppHash implements statesync.StateProvider.
func (o *origins) AppHash(ctx context.Context, height uint64) ([]byte, error) {
	found, err := o.at(ctx, int64(height))
	if err != nil {
		return nil, err
	}
	return found.state.AppHash[:], nil
}

// State implements statesync.StateProvider. What CometBFT would take from it is made when the records are there; until then it compares the
// version with that of the restorer, and neither has one.
func (o *origins) State(ctx context.Context, height uint64) (sm.State, error) {
	_, err := o.at(ctx, int64(height))
	return sm.State{}, err
}

// Commit implements statesync.StateProvider, as State does.
func (o *origins) Commit(ctx context.Context, height uint64) (*cmttypes.Commit, error) {
	_, err := o.at(ctx, int64(height))
	return new(cmttypes.Commit), err
}
