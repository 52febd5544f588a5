package network

import (
	"encoding/hex"
	"os"
	"path/filepath"

	"votenode/client"
	"votenode/genesis"
	"votenode/node"
)

// Observer is a node that is no validator, with its process.
type Observer struct {
	Name, Home string
	Node       *client.Node
	Process    *Process
}

// AddObserver makes the home of a node that is no validator and begins with a snapshot, and has the validators, none of which runs yet, let it
// connect. It starts nothing.
func (n *Network) AddObserver(name string) (*Observer, error) {
	ports, err := FreePorts(2)
	if err != nil {
		return nil, err
	}
	o := &Observer{Name: name, Home: filepath.Join(n.Folder, name)}
	if o.Node, err = client.NewNode(ports[1]); err != nil {
		return nil, err
	}
	c := node.DefaultConfig()
	c.P2P.Listen, c.Gateway.Listen, c.P2P.Peers, c.Sync.Gateways = ports[0], ports[1], map[string]string{}, n.Addresses()
	for _, v := range n.Validators {
		public, err := node.ValidatorOf(v.Home)
		if err != nil {
			return nil, err
		}
		theirs, err := node.ReadConfig(node.Home(v.Home).ConfigFile())
		if err != nil {
			return nil, err
		}
		c.P2P.Peers[hex.EncodeToString(public.NodeId)] = theirs.P2P.Listen
	}
	if err := node.Init(o.Home, c); err != nil {
		return nil, err
	}
	own, err := node.ValidatorOf(o.Home)
	if err != nil {
		return nil, err
	}
	for _, v := range n.Validators {
		if err := Configure(v.Home, func(c *node.Config) { c.P2P.Observers = append(c.P2P.Observers, hex.EncodeToString(own.NodeId)) }); err != nil {
			return nil, err
		}
	}
	approvals, err := os.ReadFile(node.Home(n.Validators[0].Home).ApprovalsFile())
	if err != nil {
		return nil, err
	}
	return o, node.SetGenesis(o.Home, genesis.Bytes(n.Document), approvals)
}

// StartObserver starts an observer's process, and does not wait for it.
func (n *Network) StartObserver(o *Observer) (err error) {
	o.Process, err = n.Start(o.Name, "node", "start", "--home", o.Home)
	return err
}

// Configure changes the configuration of a node that does not run.
func Configure(home string, change func(c *node.Config)) error {
	file := node.Home(home).ConfigFile()
	c, err := node.ReadConfig(file)
	if err != nil {
		return err
	}
	change(&c)
	return os.WriteFile(file, c.Bytes(), 0o600)
}
