package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"votenode/client"
)

func newNodeHealthCommand() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask a node whether it does its work, for a supervisor",
		Long: `Ask a node whether it does its work: exit code 0 where it says that it is well; 1 where it says what is wrong, or does not
answer. An image without a shell has this for its health check.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			n, err := client.NewNode(address)
			if err != nil {
				return usagef("--node: %w", err)
			}
			h, err := n.Health(c.Context())
			if err != nil {
				return err
			}
			if !h.Healthy {
				return fmt.Errorf("the node is not well: %s", strings.Join(h.Reasons, "; "))
			}
			return show(c, h, func(w io.Writer) { fmt.Fprintln(w, "good") })
		},
	}
	nodeFlag(c, &address)
	return c
}

// nodeFlag names the gateway of the one node that is asked.
func nodeFlag(c *cobra.Command, address *string) {
	c.Flags().StringVar(address, "node", "127.0.0.1:8080", "address of the node's gateway")
}
