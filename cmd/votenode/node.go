package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/genesis"
	"votenode/node"
	"votenode/node/signing"
)

func newNodeCommand() *cobra.Command {
	return group("node", "Run a node", newNodeInitCommand(), newNodeGenesisCommand(), newNodeStartCommand(),
		newNodeHealthCommand(), newNodeInspectCommand(), newNodeRollbackCommand(), newNodeVerifyStoreCommand(), newNodeListStateCommand(),
		newNodeCompareStateCommand(), newMoveCommand("node", node.Seal))
}

// homeFlag names a node's folder.
func homeFlag(c *cobra.Command, home *string) {
	c.Flags().StringVar(home, "home", "", "the node's folder")
	require(c, "home")
}

// shownNode is what others must know of a node.
type shownNode struct {
	ConsensusKey string `json:"consensus_key"`
	SlipKey      string `json:"slip_key"`
	NodeID       string `json:"node_id"`
	// ConnectionKey is for the signer, where there is one.
	ConnectionKey string `json:"connection_key,omitempty"`
}

func newNodeInitCommand() *cobra.Command {
	var home, p2p, gateway, metrics, consensusKey string
	var signer node.SignerConfig
	var observers []string
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a node's folder with fresh keys",
		Long: `Make a node's folder: a consensus key, a slip key, a p2p key and a configuration. The keys are never overwritten
and never copied: a second machine with the same consensus key signs twice.

With the three flags of a signer the consensus key stays with that (votenode signer init), and the folder gets a connection key, by
which the signer knows the node (votenode signer pair).`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			config := node.DefaultConfig()
			if p2p != "" {
				config.P2P.Listen = p2p
			}
			if gateway != "" {
				config.Gateway.Listen = gateway
			}
			config.Metrics.Listen, config.Signer, config.P2P.Observers = metrics, signer, observers
			if err := config.Check(); err != nil {
				return usagef("%w", err)
			}
			if err := initNode(home, config, consensusKey); err != nil {
				return err
			}
			v, err := node.ValidatorOf(home)
			if err != nil {
				return err
			}
			data := shownNode{ConsensusKey: hex.EncodeToString(v.Key), SlipKey: hex.EncodeToString(v.SlipKey), NodeID: hex.EncodeToString(v.NodeId)}
			if consensusKey != "" {
				key, err := node.ConnectionKey(home)
				if err != nil {
					return err
				}
				data.ConnectionKey = signing.Hex(key)
			}
			return show(c, data, func(w io.Writer) {
				fmt.Fprintf(w, "consensus key %s\nslip key      %s\nnode id       %s\n", data.ConsensusKey, data.SlipKey, data.NodeID)
				if data.ConnectionKey != "" {
					fmt.Fprintf(w, "connection key %s\n", data.ConnectionKey)
				}
			})
		},
	}
	homeFlag(c, &home)
	c.Flags().StringVar(&p2p, "p2p", "", "host:port on which the node listens for other nodes")
	c.Flags().StringVar(&gateway, "gateway", "", "host:port of the HTTP gateway")
	c.Flags().StringVar(&signer.Listen, "signer-listen", "", "host:port at which the signer dials in")
	c.Flags().StringVar(&signer.Key, "signer-key", "", "the signer's key, as signer init prints it")
	c.Flags().StringVar(&consensusKey, "consensus-key", "", "the consensus key, as signer init prints it")
	c.MarkFlagsRequiredTogether("signer-listen", "signer-key", "consensus-key")
	c.Flags().StringVar(&metrics, "metrics", "", "host:port of the metrics for Prometheus; none without it")
	c.Flags().StringSliceVar(&observers, "observer", nil, "node id of another node that may connect, though it is no validator; repeated")
	return c
}

// initNode makes the home of a node, whose consensus key a signer has where that is given.
func initNode(home string, config node.Config, consensusKey string) error {
	if consensusKey == "" {
		return node.Init(home, config)
	}
	key, err := signing.ParseKey(consensusKey)
	if err != nil {
		return usagef("--consensus-key: %w", err)
	}
	return node.InitRemote(home, config, key)
}

func newNodeGenesisCommand() *cobra.Command {
	var home, hash string
	c := &cobra.Command{
		Use:   "genesis DOCUMENT APPROVALS",
		Short: "Give a node the genesis document and its approvals",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			want, err := parseHash(hash)
			if err != nil {
				return usagef("--genesis-hash: %w", err)
			}
			document, err := readDocument(args[0])
			if err != nil {
				return err
			}
			if got := genesis.Hash(document); got != want {
				return fmt.Errorf("%w: %s has the hash %x, not %s", client.ErrVerification, args[0], got, hash)
			}
			approvals, err := os.ReadFile(args[1])
			if err != nil {
				return err
			}
			list, err := genesis.ParseApprovals(approvals)
			if err != nil {
				return err
			}
			if err := genesis.VerifyApprovals(document, list); err != nil {
				return fmt.Errorf("%w: %w", client.ErrVerification, err)
			}
			return node.SetGenesis(home, genesis.Bytes(document), approvals)
		},
	}
	homeFlag(c, &home)
	c.Flags().StringVar(&hash, "genesis-hash", "", "the hash that the organisations agreed on")
	require(c, "genesis-hash")
	return c
}

func newNodeStartCommand() *cobra.Command {
	var home string
	c := &cobra.Command{
		Use:   "start",
		Short: "Run the node until it is asked to stop",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			return node.Start(c.Context(), home, node.Options{})
		},
	}
	homeFlag(c, &home)
	return c
}
