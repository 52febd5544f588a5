package testnet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// nowhere is an address at which nobody ever answers: nothing can listen on port 0.
const nowhere = "127.0.0.1:0"

// Twin copies the home of a node that does not run, with its keys, its sign state and all data, and adds the copy to the network: the
// same validator and the same p2p id, at ports of its own. Each of the two is an honest program; together they are a validator that
// signs twice, because neither knows what the other has signed. Partition must keep them apart before either starts.
func (n *Network) Twin(i int) *Node {
	n.t.Helper()
	original := n.Nodes[i]
	if original.node != nil || original.child != nil {
		n.t.Fatalf("%s runs; its home cannot be copied", original.Name)
	}
	twin := &Node{
		Index: len(n.Nodes), Organisation: original.Organisation, Name: original.Name + "-twin", Validator: original.Validator,
		p2p: n.freePort(), gateway: n.freePort(), network: n,
	}
	twin.Home = filepath.Join(n.dir, twin.Name)
	n.must(CopyHome(twin.Home, original.Home))
	n.Nodes = append(n.Nodes, twin)
	return twin
}

// CopyHome copies a home that is not in use to a folder that is not there yet. CopyFS adds to the permissions what the umask lets it, and a
// secret key that others may read is refused.
func CopyHome(to, home string) error {
	if err := os.CopyFS(to, os.DirFS(home)); err != nil {
		return err
	}
	keys, err := filepath.Glob(filepath.Join(to, "keys", "*"))
	for _, key := range keys {
		err = errors.Join(err, os.Chmod(key, 0o600))
	}
	return err
}

// Partition cuts the network into groups, from the next start of each node on: a node knows the addresses of those who are in a group
// with it, and for everybody else an address at which nobody answers. So nobody dials out of its groups and nobody is dialled from
// outside of them. A node in two groups connects them; one in no group is alone. Two nodes of one id, a node and its twin, must not
// be known to the same node.
func (n *Network) Partition(groups ...[]*Node) {
	n.t.Helper()
	for _, each := range n.Nodes {
		peers, err := neighbours(each, groups)
		n.must(err)
		for _, other := range n.Nodes {
			if _, known := peers[other.ID()]; !known && other.ID() != each.ID() {
				peers[other.ID()] = nowhere
			}
		}
		n.must(n.writeConfig(each, peers))
	}
}

// neighbours returns the p2p addresses, by id, of those who share a group with a node.
func neighbours(e *Node, groups [][]*Node) (map[string]string, error) {
	addresses := map[string]string{}
	for _, group := range groups {
		if !slices.Contains(group, e) {
			continue
		}
		for _, other := range group {
			switch known, ok := addresses[other.ID()]; {
			case other == e:
			case other.ID() == e.ID(), ok && known != other.p2p:
				return nil, fmt.Errorf("%s would know a node and its twin: %s", e.Name, other.Name)
			default:
				addresses[other.ID()] = other.p2p
			}
		}
	}
	return addresses, nil
}
