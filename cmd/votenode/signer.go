package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"votenode/node"
	"votenode/node/signing"
)

func newSignerCommand() *cobra.Command {
	return group("signer", "Keep a validator's consensus key apart from its node",
		newSignerInitCommand(), newSignerPairCommand(), newSignerStartCommand(), newMoveCommand("signer", signing.SealSigner))
}

// signerHomeFlag names a signer's folder.
func signerHomeFlag(c *cobra.Command, home *string) {
	c.Flags().StringVar(home, "home", "", "the signer's folder")
	require(c, "home")
}

func newSignerInitCommand() *cobra.Command {
	var home string
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a signer's folder with a fresh consensus key",
		Long: `Make a signer's folder: the consensus key, what it signed last, and the signer's connection key. Give the two public
keys to node init, and the node's connection key to signer pair. The folder is never copied and never restored.`,
		Example: "  votenode signer init --home signer",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := signing.Init(home); err != nil {
				return err
			}
			keys, err := signing.PublicKeys(home)
			if err != nil {
				return err
			}
			data := struct {
				ConsensusKey string `json:"consensus_key"`
				SignerKey    string `json:"signer_key"`
			}{signing.Hex(keys.Consensus), signing.Hex(keys.Connection)}
			return show(c, data, func(w io.Writer) {
				fmt.Fprintf(w, "consensus key %s\nsigner key    %s\n", data.ConsensusKey, data.SignerKey)
			})
		},
	}
	signerHomeFlag(c, &home)
	return c
}

func newSignerPairCommand() *cobra.Command {
	var home string
	var p signing.Pairing
	c := &cobra.Command{
		Use:   "pair",
		Short: "Say for which node a signer signs, once and for ever",
		Long: `Say for which node a signer signs. The node's key and the chain never change, for the node's folder remembers on which block it
has signed; run the command again to change the address.`,
		Example: "  votenode signer pair --home signer --node 10.0.0.5:26659 --node-key KEY --chain primary-2026",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			return signing.Pair(home, p)
		},
	}
	signerHomeFlag(c, &home)
	c.Flags().StringVar(&p.Node, "node", "", "host:port at which the node waits for its signer")
	c.Flags().StringVar(&p.NodeKey, "node-key", "", "the node's connection key, as node init prints it")
	c.Flags().StringVar(&p.Chain, "chain", "", "id of the ledger")
	require(c, "node", "node-key", "chain")
	return c
}

func newSignerStartCommand() *cobra.Command {
	var home string
	log := node.DefaultConfig().Log
	c := &cobra.Command{
		Use:   "start",
		Short: "Sign for the node until it is asked to stop",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) (err error) {
			logger, err := node.NewLogger(os.Stderr, log)
			if err != nil {
				return usagef("%w", err)
			}
			s, err := signing.Open(home, logger)
			if err != nil {
				return err
			}
			defer s.Close()
			return s.Run(c.Context())
		},
	}
	signerHomeFlag(c, &home)
	c.Flags().StringVar(&log.Level, "log-level", log.Level, "debug, info, warn or error")
	c.Flags().StringVar(&log.Format, "log-format", log.Format, "text or json")
	return c
}
