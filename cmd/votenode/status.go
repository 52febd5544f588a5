package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"votenode/client"
)

func newStatusCommand() *cobra.Command {
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
