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
)

func newNodeCommand() *cobra.Command {
	return group("node", "Run a node", newNodeInitCommand(), newNodeGenesisCommand(), newNodeStartCommand(), newNodeStatusCommand(),
		newNodeHealthCommand(), newNodeInspectCommand(), newNodeRollbackCommand(), newNodeVerifyStoreCommand(), newNodeListStateCommand(),
		newNodeCompareStateCommand())
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
}

func newNodeInitCommand() *cobra.Command {
	var home, p2p, gateway string
	var observers []string
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a node's folder with fresh keys",
		Long: `Make a node's folder: a consensus key, a slip key, a p2p key and a configuration. The keys are never overwritten
and never copied: a second machine with the same consensus key signs twice.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			config := node.DefaultConfig()
			if p2p != "" {
				config.P2P.Listen = p2p
			}
			if gateway != "" {
				config.Gateway.Listen = gateway
			}
			config.P2P.Observers = observers
			if err := config.Check(); err != nil {
				return usagef("%w", err)
			}
			if err := node.Init(home, config); err != nil {
				return err
			}
			v, err := node.ValidatorOf(home)
			if err != nil {
				return err
			}
			data := shownNode{hex.EncodeToString(v.Key), hex.EncodeToString(v.SlipKey), hex.EncodeToString(v.NodeId)}
			return show(c, data, func(w io.Writer) {
				fmt.Fprintf(w, "consensus key %s\nslip key      %s\nnode id       %s\n", data.ConsensusKey, data.SlipKey, data.NodeID)
			})
		},
	}
	homeFlag(c, &home)
	c.Flags().StringVar(&p2p, "p2p", "", "host:port on which the node listens for other nodes")
	c.Flags().StringVar(&gateway, "gateway", "", "host:port of the HTTP gateway")
	c.Flags().StringSliceVar(&observers, "observer", nil, "node id of another node that may connect, though it is no validator; repeated")
	return c
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
			return node.Start(c.Context(), home)
		},
	}
	homeFlag(c, &home)
	return c
}

func newNodeStatusCommand() *cobra.Command {
	var address string
	var height int64
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what a node says of itself",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			n, err := client.NewNode(address)
			if err != nil {
				return usagef("--node: %w", err)
			}
			var s *client.Status
			if height > 0 {
				s, err = n.AwaitHeight(c.Context(), height)
			} else {
				s, err = n.Status(c.Context())
			}
			if err != nil {
				return err
			}
			h, err := n.Health(c.Context())
			if err != nil {
				return err
			}
			data := struct {
				*client.Status
				*client.Health
			}{s, h}
			return show(c, data, func(w io.Writer) { writeStatus(w, s, h) })
		},
	}
	nodeFlag(c, &address)
	c.Flags().Int64Var(&height, "height", 0, "wait until the node answers and has committed this height")
	return c
}

func writeStatus(w io.Writer, s *client.Status, h *client.Health) {
	fmt.Fprintf(w, "chain      %s\nvalidator  %s of %s\nheight     %d\ncertified  %d\ntime       %s\napp hash   %s\npeers      %d\npool       %d\n",
		s.Chain, s.Validator, s.Organisation, s.Height, s.Certified, s.Time.Format("2006-01-02 15:04:05 MST"), s.AppHash, s.Peers, s.Pool)
	for _, alarm := range s.Alarms {
		fmt.Fprintf(w, "alarm      %s\n", alarm)
	}
	if h.Healthy {
		fmt.Fprintln(w, "health     good")
	}
	for _, reason := range h.Reasons {
		fmt.Fprintf(w, "health     %s\n", reason)
	}
}
