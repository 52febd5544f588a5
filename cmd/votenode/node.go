package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/genesis"
	"votenode/node"
	"votenode/node/signing"
)

func newNodeCommand() *cobra.Command {
	return group("node", "Run a node", newNodeInitCommand(), newNodeGenesisCommand(), newNodeStartCommand(), newNodeStatusCommand(),
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

func newNodeStatusCommand() *cobra.Command {
	var address string
	var height int64
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what a node says of itself, and what is wrong",
		Long: `Show what a node says of itself, in words: where it stands, what is wrong, and which page of docs/runbook says what to do.

The exit code is 1 where the node is not healthy, or does not answer. With --height the command waits for the height and asks
for nothing else: it is 0 once the height is there.`,
		Args: cobra.NoArgs,
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
			r, err := n.Ready(c.Context())
			if err != nil {
				return err
			}
			data := struct {
				*client.Status
				*client.Health
				Readiness *client.Readiness `json:"readiness"`
			}{s, h, r}
			if err := show(c, data, func(w io.Writer) { writeStatus(w, s, h, r) }); err != nil {
				return err
			}
			if !h.Healthy && height == 0 {
				return errors.New("the node is not healthy")
			}
			return nil
		},
	}
	nodeFlag(c, &address)
	c.Flags().Int64Var(&height, "height", 0, "wait until the node answers and has committed this height")
	return c
}

func writeStatus(w io.Writer, s *client.Status, h *client.Health, r *client.Readiness) {
	role := "none, it observes"
	if s.Validator != "" {
		role = s.Validator + " of " + s.Organisation
	}
	fmt.Fprintf(w, "chain      %s\nvalidator  %s\nheight     %d\ncertified  %d\ntime       %s\napp hash   %s\npeers      %d\npool       %d\npromised   %d\n",
		s.Chain, role, s.Height, s.Certified, s.Time.Format("2006-01-02 15:04:05 MST"), s.AppHash, s.Peers, s.Pool, s.Intake.Promised)
	for _, alarm := range s.Alarms {
		fmt.Fprintf(w, "alarm      %s\n", alarm)
	}
	for _, initiative := range s.OverdueAnswers {
		fmt.Fprintf(w, "overdue    the organisations owe an answer to initiative %d\n", initiative)
	}
	if h.Healthy {
		fmt.Fprintln(w, "health     good")
	}
	for _, reason := range h.Reasons {
		fmt.Fprintf(w, "health     %s\n", reason)
	}
	if r.Ready {
		fmt.Fprintln(w, "clients    are taken")
	} else {
		fmt.Fprintln(w, "clients    should go to another node")
	}
	for _, reason := range r.Reasons {
		if !slices.Contains(h.Reasons, reason) {
			fmt.Fprintf(w, "clients    %s\n", reason)
		}
	}
}
