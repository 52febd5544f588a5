package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"votenode/app/text"
	"votenode/app/tx"
	"votenode/client"
	"votenode/client/keyfile"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

func newCandidateCommand() *cobra.Command {
	return group("candidate", "Apply as a candidate, withdraw, and see what was decided", newApplyCommand(), newWithdrawApplicationCommand(), newCandidateStatusCommand())
}

func newApplyCommand() *cobra.Command {
	var ledger ledgerFlags
	var key keyFlags
	var out string
	a := pb.Application{}
	c := &cobra.Command{
		Use:   "apply NOMINATIONS",
		Short: "Sign an application for a list",
		Long: `Sign an application for a list and write it to a new file, which the candidate hands to a registrar or an officer of any organisation: votenode
nominations submit. The hash by which everybody knows it is printed. Keep the file: status and withdrawal ask for it.
What it says becomes public. Who was refused or has withdrawn applies anew with another --nonce.`,
		Example: "  votenode candidate apply primary --list north --district North --name 'Aigul B.' --woman --key candidate.key --out application.json ...",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			private, err := key.ed25519(keyfile.Candidate)
			if err != nil {
				return err
			}
			v, err := ledger.view(c)
			if err != nil {
				return err
			}
			_, n, err := client.LoadNominations(c.Context(), v, args[0])
			if err != nil {
				return err
			}
			if err := client.CheckCandidacy(n, a.List, a.District); err != nil {
				return err
			}
			a.Nominations = args[0]
			signed := tx.SignApplication(v.Chain(), a, private)
			if n.YoungAge != 0 {
				say(c, "young is who is below %d years on %s", n.YoungAge, n.YoungOn)
			}
			say(c, "you have signed:\n%s", readable.FormatMessage(&signed.Application))
			if err := createFile(c, out, readable.FormatMessage(signed)); err != nil {
				return err
			}
			return showApplicationHash(c, tx.ApplicationHash(v.Chain(), &signed.Application))
		},
	}
	ledger.add(c)
	key.add(c, keyfile.Candidate)
	c.Flags().StringVar(&a.List, "list", "", "id of the list")
	c.Flags().StringVar(&a.District, "district", "", "the candidate's district")
	c.Flags().StringVar(&a.Name, "name", "", "the name as it stands on the ballot")
	c.Flags().BoolVar(&a.Young, "young", false, "the candidate is young, as the nominations say")
	c.Flags().BoolVar(&a.Woman, "woman", false, "the candidate is a woman")
	c.Flags().StringVar(&a.PutForwardBy, "put-forward-by", "", "who puts the candidate forward; nobody where she nominates herself")
	c.Flags().Uint64Var(&a.Nonce, "nonce", 0, "another number makes another application of the same content")
	c.Flags().StringVar(&out, "out", "", "new file for the application")
	require(c, "list", "district", "name", "out")
	return c
}

func showApplicationHash(c *cobra.Command, hash [32]byte) error {
	data := struct {
		Application string `json:"application"`
	}{fmt.Sprintf("%x", hash)}
	return show(c, data, func(w io.Writer) { fmt.Fprintln(w, data.Application) })
}

// readApplication reads a file that 'candidate apply' wrote.
func readApplication(path string) (*pb.SignedApplication, error) {
	signed := new(pb.SignedApplication)
	return signed, readMessage(path, signed)
}

func newWithdrawApplicationCommand() *cobra.Command {
	var ledger ledgerFlags
	var key keyFlags
	var wait waitFlag
	c := &cobra.Command{
		Use:   "withdraw APPLICATION",
		Short: "Withdraw an application for good",
		Long:  "Withdraw an application for good, until the nominations' last deadline. APPLICATION is the file that 'candidate apply' wrote.",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			waiting, err := wait.parse()
			if err != nil {
				return err
			}
			signed, err := readApplication(args[0])
			if err != nil {
				return err
			}
			private, err := key.ed25519(keyfile.Candidate)
			if err != nil {
				return err
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			hash := tx.ApplicationHash(l.Chain(), &signed.Application)
			if err := client.WithdrawApplication(c.Context(), l, private, signed.Application.Nominations, hash, waiting); err != nil {
				return err
			}
			return showApplicationHash(c, hash)
		},
	}
	ledger.add(c)
	key.add(c, keyfile.Candidate)
	wait.add(c)
	return c
}

func newCandidateStatusCommand() *cobra.Command {
	var ledger ledgerFlags
	c := &cobra.Command{
		Use:   "status APPLICATION",
		Short: "Show what organisations decided on an application",
		Long:  "Show what organisations decided on an application, proven. APPLICATION is the file that 'candidate apply' wrote.",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			signed, err := readApplication(args[0])
			if err != nil {
				return err
			}
			v, err := ledger.view(c)
			if err != nil {
				return err
			}
			a, err := client.LoadApplication(c.Context(), v, signed.Application.Nominations, tx.ApplicationHash(v.Chain(), &signed.Application))
			if errors.Is(err, client.ErrAbsent) {
				err = fmt.Errorf("nobody has submitted it; hand it to a registrar or an officer: votenode nominations submit (%w)", err)
			}
			if err != nil {
				return err
			}
			_, n, err := client.LoadNominations(c.Context(), v, signed.Application.Nominations)
			if err != nil {
				return err
			}
			removed, err := readable.RemovedFrom(c.Context(), v, signed.Application.Nominations)
			if err != nil {
				return err
			}
			shown := readable.ShowApplication(v.Genesis(), a, removed)
			silence := silenceWords(v, n)
			return show(c, shown, func(w io.Writer) { writeApplication(w, shown, silence) })
		},
	}
	ledger.add(c)
	return c
}

// silenceWords says what it means that an organisation has decided nothing on an application.
func silenceWords(v *client.View, n *pb.Nominations) string {
	until := time.Unix(n.DecisionsUntil, 0).UTC()
	if v.Time().Before(until) {
		return "has decided nothing yet; it may until " + momentText(&until)
	}
	return "decided nothing until " + momentText(&until) + ", and so has not registered it"
}

func writeApplication(w io.Writer, a *readable.Application, silence string) {
	fmt.Fprintf(w, "application  %s\ncandidate    %s%s, list %s, district %s\nstatus       %s\nsubmitted    at height %d, by %s\n",
		a.Hash, a.Name, groupsText(a), a.List, a.District, a.Status, a.Submitted, a.SubmittedBy)
	for _, d := range a.Decisions {
		fmt.Fprintf(w, "%-12s %s at height %d", d.Organisation, d.Decision, d.Height)
		if d.Reason != "" {
			fmt.Fprintf(w, ": %s", text.OneLine(d.Reason))
		}
		fmt.Fprintln(w)
	}
	for _, organisation := range a.Undecided {
		fmt.Fprintf(w, "%-12s %s\n", organisation, silence)
	}
	if a.Withdrawn != 0 {
		fmt.Fprintf(w, "withdrawn    at height %d\n", a.Withdrawn)
	}
	if a.Removed != nil {
		fmt.Fprintf(w, "removed      at height %d by resolution %s: %s\n             %s\n", a.Removed.Height, a.Removed.Resolution, text.OneLine(a.Removed.Reason), readable.RemovedVotes)
	}
}
