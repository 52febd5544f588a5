package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"votenode/app/text"
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
			v, err := officer.Ledger.Certified(c.Context())
			if err != nil {
				return err
			}
			if err := sayDocument(c, v, &r.Record.Resolution); err != nil {
				return err
			}
			if err := act(officer, c.Context(), hash); err != nil {
				return err
			}
			return showResolutionHash(c, hash)
		},
	}
	flags.add(c)
	return c
}

// sayDocument says what the document is that a resolution names, and how it is read.
func sayDocument(c *cobra.Command, v *client.View, r *pb.Resolution) error {
	subject, err := readable.SubjectOf(c.Context(), v, r)
	if err != nil || len(subject.Document) == 0 {
		return err
	}
	document, err := readable.LoadDocument(c.Context(), v, subject.Document)
	if err != nil {
		return err
	}
	say(c, "it names %s; read it with: votenode document show %x", document.Words, subject.Document)
	return nil
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
			organisations, err := client.Organisations(c.Context(), v)
			if err != nil {
				return err
			}
			list := []shownResolution{}
			for _, r := range all {
				if open && !r.Open() {
					continue
				}
				subject, err := readable.SubjectOf(c.Context(), v, &r.Record.Resolution)
				if err != nil {
					return err
				}
				list = append(list, shownResolution{r.Hash, r.Status, subject.Decision, subject.Election, approvalsOf(organisations, r.Record), r.Record.Resolution.Reason})
			}
			return show(c, list, func(w io.Writer) {
				for _, r := range list {
					var approvals []string
					for _, a := range r.Approvals {
						approvals = append(approvals, fmt.Sprintf("%s %d of %d", a.Organisation, a.Given, a.Quorum))
					}
					fmt.Fprintf(w, "%s  %-10s  %-18s  %s  (%s)  %s\n", r.Hash, r.Status, r.Decision, r.Election, strings.Join(approvals, ", "), text.OneLine(r.Reason))
				}
			})
		},
	}
	ledger.add(c)
	c.Flags().BoolVar(&open, "open", false, "only those that wait for approvals")
	return c
}

type shownResolution struct {
	Hash     string `json:"hash"`
	Status   string `json:"status"`
	Decision string `json:"decision"`
	// Election is empty where the decision is about none.
	Election  string          `json:"election"`
	Approvals []approvalCount `json:"approvals"`
	Reason    string          `json:"reason"`
}

// approvalCount says how many officers of an organisation have approved, and how many have to where the organisation does.
type approvalCount struct {
	Organisation string `json:"organisation"`
	Given        int    `json:"given"`
	Quorum       uint32 `json:"quorum"`
}

// approvalsOf counts the approvals of a resolution by organisation.
func approvalsOf(organisations []pb.Organisation, record *pb.ResolutionRecord) []approvalCount {
	counts := make([]approvalCount, len(organisations))
	for i := range organisations {
		counts[i] = approvalCount{Organisation: organisations[i].Id, Quorum: organisations[i].OfficerQuorum}
		for _, a := range record.Approvals {
			if a.Organisation == organisations[i].Id {
				counts[i].Given++
			}
		}
	}
	return counts
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
			v, err := l.Until(c.Context(), func(ctx context.Context, v *client.View) (bool, error) {
				if shown, err = readable.LoadResolution(ctx, v, hash[:]); err != nil {
					return false, err
				}
				return !decided || !shown.Open(), nil
			})
			if err != nil {
				return err
			}
			say(c, "%s", shown.Status)
			if err := sayDocument(c, v, &shown.Record.Resolution); err != nil {
				return err
			}
			return createFile(c, "-", readable.FormatMessage(shown.Record))
		},
	}
	ledger.add(c)
	c.Flags().BoolVar(&decided, "wait", false, "wait until it has taken effect, was refused or has expired")
	return c
}
