package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/keyfile"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

func newResolutionCommand() *cobra.Command {
	return group("resolution", "Propose, approve and read resolutions",
		newProposeCommand(),
		newApprovalCommand("approve", "Approve a resolution for your organisation", client.Officer.Approve),
		newApprovalCommand("withdraw", "Take an approval back, until the resolution takes effect", client.Officer.Withdraw),
		newResolutionListCommand(), newResolutionShowCommand())
}

// officerFlags are what every act of an officer needs.
type officerFlags struct {
	ledger ledgerFlags
	key    keyFlags
	wait   waitFlag
}

func (o *officerFlags) add(c *cobra.Command) {
	o.ledger.add(c)
	o.key.add(c, keyfile.Officer)
	o.wait.add(c)
}

func (o *officerFlags) open(c *cobra.Command) (client.Officer, error) {
	wait, err := o.wait.parse()
	if err != nil {
		return client.Officer{}, err
	}
	key, err := o.key.load()
	if err != nil {
		return client.Officer{}, err
	}
	private, err := key.Ed25519(keyfile.Officer)
	if err != nil {
		return client.Officer{}, err
	}
	l, err := o.ledger.open(c)
	return client.Officer{Ledger: l, Key: private, Wait: wait}, err
}

// proposeFlags are what every proposal has beside its decision.
type proposeFlags struct {
	officerFlags
	reason string
	nonce  uint64
}

func (p *proposeFlags) add(c *cobra.Command) {
	p.officerFlags.add(c)
	c.Flags().StringVar(&p.reason, "reason", "", "why, for people")
	c.Flags().Uint64Var(&p.nonce, "nonce", 0, "another number makes another resolution of the same content")
}

// propose adds reason and nonce where the decision came without, sends, and prints the hash.
func (p *proposeFlags) propose(c *cobra.Command, o client.Officer, r *pb.Resolution) error {
	if p.reason != "" {
		r.Reason = p.reason
	}
	if p.nonce != 0 {
		r.Nonce = p.nonce
	}
	hash, err := o.Propose(c.Context(), r)
	if err != nil {
		return err
	}
	say(c, "proposed, and approved by you:\n%s", readable.FormatMessage(r))
	return showResolutionHash(c, hash)
}

func showResolutionHash(c *cobra.Command, hash [32]byte) error {
	data := struct {
		Resolution string `json:"resolution"`
	}{fmt.Sprintf("%x", hash)}
	return show(c, data, func(w io.Writer) { fmt.Fprintln(w, data.Resolution) })
}

func newApprovalCommand(use, short string, act func(client.Officer, context.Context, [32]byte) error) *cobra.Command {
	var flags officerFlags
	c := &cobra.Command{
		Use:   use + " HASH",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			hash, err := parseHash(args[0])
			if err != nil {
				return usageError{err}
			}
			officer, err := flags.open(c)
			if err != nil {
				return err
			}
			r, err := readable.AwaitResolution(c.Context(), officer.Ledger, hash[:])
			if err != nil {
				return err
			}
			say(c, "the resolution is:\n%s", readable.FormatMessage(&r.Record.Resolution))
			if err := act(officer, c.Context(), hash); err != nil {
				return err
			}
			return showResolutionHash(c, hash)
		},
	}
	flags.add(c)
	return c
}

func newResolutionListCommand() *cobra.Command {
	var ledger ledgerFlags
	var open bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List resolutions and what became of them: each is proven, and that none is missing",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			v, err := ledger.view(c)
			if err != nil {
				return err
			}
			all, err := readable.Resolutions(c.Context(), v)
			if err != nil {
				return err
			}
			list := []shownResolution{}
			for _, r := range all {
				if r.Open() || !open {
					list = append(list, shownResolution{r.Hash, r.Status, r.Record.Resolution.Reason})
				}
			}
			return show(c, list, func(w io.Writer) {
				for _, r := range list {
					fmt.Fprintf(w, "%s  %-10s  %s\n", r.Hash, r.Status, r.Reason)
				}
			})
		},
	}
	ledger.add(c)
	c.Flags().BoolVar(&open, "open", false, "only those that wait for approvals")
	return c
}

type shownResolution struct {
	Hash   string `json:"hash"`
	Status string `json:"status"`
	Reason string `json:"reason"`
}

func newResolutionShowCommand() *cobra.Command {
	var ledger ledgerFlags
	var decided bool
	c := &cobra.Command{
		Use:   "show HASH",
		Short: "Print a resolution with its approvals as JSON",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			hash, err := parseHash(args[0])
			if err != nil {
				return usageError{err}
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			var shown *readable.Resolution
			_, err = l.Until(c.Context(), func(ctx context.Context, v *client.View) (bool, error) {
				if shown, err = readable.LoadResolution(ctx, v, hash[:]); err != nil {
					return false, err
				}
				return !decided || !shown.Open(), nil
			})
			if err != nil {
				return err
			}
			say(c, "%s", shown.Status)
			return createFile(c, "-", readable.FormatMessage(shown.Record))
		},
	}
	ledger.add(c)
	c.Flags().BoolVar(&decided, "wait", false, "wait until it has taken effect, was refused or has expired")
	return c
}
