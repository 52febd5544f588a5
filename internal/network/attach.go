package network

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"votenode/client"
	"votenode/client/keyfile"
	"votenode/genesis"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
)

// Attach makes a network out of one whose nodes run already, elsewhere, such as in containers. The folder from holds the genesis document
// and the keys of its people, by names as in the document, as Found writes them; addresses are gateways of all validators, in any order,
// and of nodes that are none. New keys and logs go into another folder. The validators have no process and no home here.
func Attach(ctx context.Context, from, folder, binary string, addresses []string, fail context.CancelCauseFunc) (*Network, error) {
	n := in(folder, binary, fail)
	if err := n.makeFolders(); err != nil {
		return nil, err
	}
	if err := n.readDocument(node.Home(from).GenesisFile()); err != nil {
		return nil, err
	}
	if err := n.readPeople(from); err != nil {
		return nil, err
	}
	found := map[string]*client.Node{}
	for _, address := range addresses {
		c, err := client.NewNode(address)
		if err != nil {
			return nil, err
		}
		s, err := c.Status(ctx)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", address, err)
		case s.GenesisHash != hex.EncodeToString(n.Hash[:]):
			return nil, fmt.Errorf("%s runs a ledger with genesis hash %s, the document in %s has %x", address, s.GenesisHash, from, n.Hash)
		case s.Validator == "":
			n.Followers = append(n.Followers, c)
		default:
			found[s.Validator] = c
		}
	}
	for _, v := range n.founders() {
		if found[v.Name] == nil {
			return nil, fmt.Errorf("none of the nodes is the validator %s: give the gateway of every validator", v.Name)
		}
		n.addValidator(v, "", found[v.Name])
	}
	return n, nil
}

// readDocument reads the genesis document.
func (n *Network) readDocument(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if n.Document, err = genesis.Parse(b); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	n.Hash = genesis.Hash(n.Document)
	return nil
}

// readPeople reads the keys of all officers and of the first registrar of every organisation in a network's folder.
func (n *Network) readPeople(folder string) error {
	for i := range n.Document.Organisations {
		o := &n.Document.Organisations[i].Organisation
		for _, officer := range o.Officers {
			key, err := readPerson(folder, keyfile.Officer, officer.Name)
			if err != nil {
				return err
			}
			n.Officers[o.Id] = append(n.Officers[o.Id], key)
		}
		var err error
		if n.Registrars[o.Id], err = readPerson(folder, keyfile.Registrar, o.Registrars[0].Name); err != nil {
			return err
		}
	}
	return nil
}

// founders are the validators of the genesis document.
func (n *Network) founders() (all []*pb.Validator) {
	for i := range n.Document.Organisations {
		for j := range n.Document.Organisations[i].Validators {
			all = append(all, &n.Document.Organisations[i].Validators[j])
		}
	}
	return all
}

// makeFolders makes the folders for logs and for keys of people.
func (n *Network) makeFolders() error {
	for _, folder := range []string{n.Logs, filepath.Dir(n.KeyFile(""))} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	return nil
}
