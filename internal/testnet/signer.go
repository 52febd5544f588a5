package testnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"votenode/node"
	"votenode/node/signing"
)

// SignerHome is the folder of the node's signer.
func (e *Node) SignerHome() string { return e.Home + "-signer" }

// initRemote makes a signer and a home for its key.
func (n *Network) initRemote(each *Node) error {
	if err := signing.Init(each.SignerHome()); err != nil {
		return err
	}
	keys, err := signing.PublicKeys(each.SignerHome())
	if err != nil {
		return err
	}
	each.signer = node.SignerConfig{Listen: n.freePort(), Key: signing.Hex(keys.Connection)}
	c := node.DefaultConfig()
	c.Signer = each.signer
	if err := node.InitRemote(each.Home, c, keys.Consensus); err != nil {
		return err
	}
	connection, err := node.ConnectionKey(each.Home)
	if err != nil {
		return err
	}
	return signing.Pair(each.SignerHome(), signing.Pairing{Node: each.signer.Listen, NodeKey: signing.Hex(connection), Chain: Chain})
}

// StartSigner runs the node's signer as a child process of the test binary, whose TestMain calls Main.
func (e *Node) StartSigner() error {
	if e.signerChild != nil {
		return fmt.Errorf("the signer of %s runs already", e.Name)
	}
	c, err := e.startChild(signerVariable + "=" + e.SignerHome())
	e.signerChild = c
	return err
}

// KillSigner kills the signer's process at once.
func (e *Node) KillSigner() error {
	if e.signerChild == nil {
		return fmt.Errorf("the signer of %s does not run", e.Name)
	}
	err := e.signerChild.cmd.Process.Kill()
	<-e.signerChild.ended
	e.signerChild = nil
	return err
}

// runSigner signs for a node until ctx is done.
func runSigner(ctx context.Context, home string) error {
	s, err := signing.Open(home, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	return errors.Join(s.Run(ctx), s.Close())
}
