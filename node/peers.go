package node

import (
	"context"
	"encoding/hex"
	"maps"
	"time"

	"github.com/cometbft/cometbft/p2p"
)

const (
	// peerInterval is how often the connections are looked at.
	peerInterval = time.Second
	// peerRest is the longest time between two attempts to reach a peer.
	peerRest = 30 * time.Second
	// politeness is how long the node with the greater id leaves it to the other one to dial: two that dial each other at the
	// same moment refuse each other's connection.
	politeness = 3 * time.Second
)

// switcher is what this file needs of CometBFT's switch.
type switcher interface {
	Peers() p2p.IPeerSet
	DialPeerWithAddress(*p2p.NetAddress) error
	StopPeerGracefully(p2p.Peer)
}

// peers keeps the node connected to every validator of the present and the announced set, for ever: CometBFT by itself gives a
// peer up after a day, and knows only the peers it was started with.
type peers struct {
	node *Node
	self p2p.ID
	sw   switcher
}

func newPeers(n *Node) *peers {
	return &peers{node: n, self: n.key.ID(), sw: n.comet.Switch()}
}

// addresses returns host:port by node id: of the validators by their records, and of what the configuration adds or overrides.
func (p *peers) addresses() (map[string]string, error) {
	validators, err := p.node.app.Validators()
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, v := range validators {
		all[hex.EncodeToString(v.NodeId)] = v.Address
	}
	maps.Copy(all, p.node.config.P2P.Peers)
	delete(all, string(p.self))
	return all, nil
}

// attempt is the state of one missing peer.
type attempt struct {
	next time.Time
	rest time.Duration
}

// keep dials missing peers until ctx is done.
func (p *peers) keep(ctx context.Context) error {
	missing := map[string]attempt{}
	ticker := time.NewTicker(peerInterval)
	defer ticker.Stop()
	for {
		if err := p.dialMissing(missing, time.Now()); err != nil {
			return err
		}
		if err := p.dropStrangers(); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// dialMissing dials every peer that is not connected and whose turn it is.
func (p *peers) dialMissing(missing map[string]attempt, now time.Time) error {
	addresses, err := p.addresses()
	if err != nil {
		return err
	}
	for id, address := range addresses {
		if p.sw.Peers().Has(p2p.ID(id)) {
			delete(missing, id)
			continue
		}
		a, known := missing[id]
		if !known && string(p.self) > id {
			a.next = now.Add(politeness)
		}
		if !now.Before(a.next) {
			a.rest = min(max(2*a.rest, peerInterval), peerRest)
			a.next = now.Add(a.rest)
			go p.dial(id, address)
		}
		missing[id] = a
	}
	return nil
}

// dropStrangers ends the connections of those who may not connect any more, such as validators that have left.
func (p *peers) dropStrangers() error {
	for _, peer := range p.sw.Peers().Copy() {
		allowed, err := p.node.app.Allowed(string(peer.ID()))
		if err != nil {
			return err
		}
		if !allowed {
			p.sw.StopPeerGracefully(peer)
		}
	}
	return nil
}

// dial makes one attempt; it ends by CometBFT's dial timeout of seconds.
func (p *peers) dial(id, address string) {
	addr, err := p2p.NewNetAddressString(p2p.IDAddressString(p2p.ID(id), address))
	if err == nil {
		err = p.sw.DialPeerWithAddress(addr)
	}
	if err != nil {
		p.node.log.Debug("dialling a peer", "peer", id, "error", err)
	}
}

// count returns the number of connected peers.
func (p *peers) count() int { return p.sw.Peers().Size() }

// connected says whether a node is connected, this one included.
func (p *peers) connected(id []byte) bool {
	other := p2p.ID(hex.EncodeToString(id))
	return other == p.self || p.sw.Peers().Has(other)
}
