package network

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"votenode/client"
	"votenode/client/keyfile"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
)

// Copy makes a network out of the folder of another one, none of whose processes runs, with keys, ledgers and all, on ports that are
// free now. Of the two only one may ever run: their keys are the same. It starts nothing.
func Copy(from, folder, binary string, fail context.CancelCauseFunc) (*Network, error) {
	if err := copyFolder(from, folder); err != nil {
		return nil, err
	}
	n := in(folder, binary, fail)
	homes, err := filepath.Glob(filepath.Join(folder, "*", filepath.Base(node.Home("").GenesisFile())))
	if err != nil || len(homes) == 0 {
		return nil, fmt.Errorf("%s has no home of a node: %w", from, err)
	}
	if err := n.readDocument(homes[0]); err != nil {
		return nil, err
	}
	if err := n.readPeople(folder); err != nil {
		return nil, err
	}
	return n, n.settle(n.founders())
}

// copyFolder copies folders and files with their permissions, which keys insist on.
func copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(target, info.Mode().Perm())
		}
		return copyFile(path, target, info.Mode().Perm())
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// readPerson reads the key of a person in a network's folder.
func readPerson(folder string, role keyfile.Role, name string) (ed25519.PrivateKey, error) {
	key, err := keyfile.Load(keyFile(folder, name), nil)
	if err != nil {
		return nil, err
	}
	return key.Ed25519(role)
}

// settle gives every validator ports that are free now, and tells it those of the others.
func (n *Network) settle(validators []*pb.Validator) error {
	ports, err := FreePorts(2 * len(validators))
	if err != nil {
		return err
	}
	peers := map[string]string{}
	for i, v := range validators {
		peers[hex.EncodeToString(v.NodeId)] = ports[2*i]
	}
	for i, v := range validators {
		gateway, err := client.NewNode(ports[2*i+1])
		if err != nil {
			return err
		}
		n.addValidator(v, filepath.Join(n.Folder, v.Name), gateway)
		err = Configure(filepath.Join(n.Folder, v.Name), func(c *node.Config) {
			c.P2P.Listen, c.Gateway.Listen, c.P2P.Peers = ports[2*i], ports[2*i+1], maps.Clone(peers)
			delete(c.P2P.Peers, hex.EncodeToString(v.NodeId))
		})
		if err != nil {
			return err
		}
	}
	return nil
}
