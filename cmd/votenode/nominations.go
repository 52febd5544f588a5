package main

import (
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"votenode/app/election"
	"votenode/app/text"
	"votenode/app/tx"
	"votenode/client"
	"votenode/client/keyfile"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

func newNominationsCommand() *cobra.Command {
	return group("nominations", "Open nominations, submit and decide on applications, and form the manifest",
		newCheckNominationsCommand(), newOpenNominationsCommand(), newSubmitApplicationsCommand(), newDecideApplicationsCommand(),
		newNominationsStatusCommand(), newApplicationsCommand(), newFormManifestCommand())
}

// readNominations reads nominations in JSON and checks every rule of them.
func readNominations(path string) (*pb.Nominations, error) {
	n := new(pb.Nominations)
	if err := readMessage(path, n); err != nil {
		return nil, err
	}
	if _, err := election.ParseNominations(election.Encode(n)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

func newCheckNominationsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check NOMINATIONS",
		Short: "Check every rule of nominations, print their hash and say what they may come to",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := readNominations(args[0])
			if err != nil {
				return err
			}
			data := struct {
				ID    string `json:"id"`
				Hash  string `json:"hash"`
				Bytes int    `json:"bytes"`
				Lists int    `json:"lists"`
				Most  int    `json:"candidates_at_most"`
			}{ID: n.Manifest.Election, Hash: fmt.Sprintf("%x", sha256.Sum256(election.Encode(n))), Bytes: len(election.Encode(n)), Lists: len(n.Lists)}
			for i := range n.Lists {
				data.Most += int(n.Lists[i].Most)
			}
			return show(c, data, func(w io.Writer) {
				fmt.Fprintf(w, "%s\n", data.Hash)
				say(c, "nominations %s: %d lists, at most %d candidates, %d bytes", data.ID, data.Lists, data.Most, data.Bytes)
			})
		},
	}
}

func newOpenNominationsCommand() *cobra.Command {
	return decide("open NOMINATIONS", "Publish nominations and propose to open them", cobra.ExactArgs(1),
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			n, err := readNominations(args[0])
			if err != nil {
				return nil, err
			}
			document := election.Encode(n)
			hash, err := o.Publish(c.Context(), document, bar(c, "publishing", len(document)))
			if err != nil {
				return nil, err
			}
			return &pb.Resolution{Decision: &pb.Resolution_OpenNominations{OpenNominations: &pb.OpenNominations{Nominations: hash[:]}}}, nil
		})
}

func newSubmitApplicationsCommand() *cobra.Command {
	var ledger ledgerFlags
	var key keyFlags
	c := &cobra.Command{
		Use:   "submit NOMINATIONS APPLICATION...",
		Short: "Bring applications onto the ledger",
		Long: `Bring applications, files that 'candidate apply' wrote, onto the ledger. A registrar or an officer of any organisation does so. All are checked
before the first is sent; what the ledger holds already is left alone. It ends when a certified state holds them all, and prints their hashes.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			opened, err := key.load()
			if err != nil {
				return err
			}
			role := opened.Role()
			if role != keyfile.Officer {
				role = keyfile.Registrar
			}
			private, err := opened.Ed25519(role)
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
			var all []*pb.SignedApplication
			for _, path := range args[1:] {
				signed, err := readApplication(path)
				if err != nil {
					return err
				}
				if err := client.CheckApplication(v.Chain(), n, signed); err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				all = append(all, signed)
			}
			if err := client.SubmitApplications(c.Context(), v.Ledger(), private, all, bar(c, "applications", len(all))); err != nil {
				return err
			}
			hashes := []string{}
			for _, a := range all {
				hashes = append(hashes, fmt.Sprintf("%x", tx.ApplicationHash(v.Chain(), &a.Application)))
			}
			return show(c, hashes, func(w io.Writer) { fmt.Fprintln(w, strings.Join(hashes, "\n")) })
		},
	}
	ledger.add(c)
	key.add(c, keyfile.Registrar)
	return c
}

func newDecideApplicationsCommand() *cobra.Command {
	var ledger ledgerFlags
	var key keyFlags
	var register, refuse []string
	var reason, file string
	c := &cobra.Command{
		Use:   "decide NOMINATIONS",
		Short: "Register or refuse applications for your organisation",
		Long: `Register or refuse applications for your organisation, as its registrar. A decision stands; so does the reason of a refusal, in public.
With --file the decisions come from CSV with the header application,refused: a hash, and the reason, or nothing where it is registered.
What the organisation has decided in the same way is left alone, so that the command goes on where it was interrupted.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			decisions, err := readDecisions(register, refuse, reason, file)
			if err != nil {
				return err
			}
			private, err := key.ed25519(keyfile.Registrar)
			if err != nil {
				return err
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			registrar := client.Registrar{Ledger: l, Key: private}
			if err := registrar.Decide(c.Context(), args[0], decisions, bar(c, "decisions", len(decisions))); err != nil {
				return err
			}
			data := struct {
				Decisions int `json:"decisions"`
			}{len(decisions)}
			return show(c, data, func(w io.Writer) { fmt.Fprintf(w, "%d decisions\n", data.Decisions) })
		},
	}
	ledger.add(c)
	key.add(c, keyfile.Registrar)
	c.Flags().StringSliceVar(&register, "register", nil, "hash of an application to be registered, repeated")
	c.Flags().StringSliceVar(&refuse, "refuse", nil, "hash of an application to be refused, repeated")
	c.Flags().StringVar(&reason, "reason", "", "why --refuse refuses, at most 1,000 bytes")
	c.Flags().StringVar(&file, "file", "", "CSV with decisions")
	c.MarkFlagsOneRequired("register", "refuse", "file")
	return c
}

// readDecisions puts the decisions of flags and of a file together: of each application one.
func readDecisions(register, refuse []string, reason, file string) ([]pb.ApplicationDecision, error) {
	if (len(refuse) > 0) != (reason != "") {
		return nil, usagef("--refuse and --reason go together")
	}
	var decisions []pb.ApplicationDecision
	seen := map[string]bool{}
	add := func(text, refused string) error {
		hash, err := parseHash(text)
		if err != nil {
			return err
		}
		if seen[string(hash[:])] {
			return fmt.Errorf("the application %x stands twice", hash)
		}
		if len(refused) > tx.MaxRefusal {
			return fmt.Errorf("the reason has %d bytes, at most %d are allowed", len(refused), tx.MaxRefusal)
		}
		seen[string(hash[:])] = true
		decisions = append(decisions, pb.ApplicationDecision{Application: hash[:], Refused: refused})
		return nil
	}
	for _, text := range register {
		if err := add(text, ""); err != nil {
			return nil, usagef("--register: %w", err)
		}
	}
	for _, text := range refuse {
		if err := add(text, reason); err != nil {
			return nil, usagef("--refuse: %w", err)
		}
	}
	if file == "" {
		return decisions, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	reader := csv.NewReader(f)
	reader.FieldsPerRecord = 2
	header, err := reader.Read()
	if err != nil || header[0] != "application" || header[1] != "refused" {
		return nil, fmt.Errorf("%s: the first line must be application,refused and nothing else", file)
	}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return decisions, nil
		}
		if err == nil {
			err = add(row[0], row[1])
		}
		if err != nil {
			line, _ := reader.FieldPos(0)
			return nil, fmt.Errorf("%s, line %d: %w", file, line, err)
		}
	}
}

func newNominationsStatusCommand() *cobra.Command {
	var ledger ledgerFlags
	var formed bool
	c := &cobra.Command{
		Use:   "status NOMINATIONS",
		Short: "Show how far nominations have come",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := nominationsView(c, &ledger, args[0], formed)
			if err != nil {
				return err
			}
			n, err := readable.ShowNominations(c.Context(), v, args[0])
			if err != nil {
				return err
			}
			return show(c, n, func(w io.Writer) { writeNominations(w, n) })
		},
	}
	ledger.add(c)
	formedFlag(c, &formed)
	return c
}

func formedFlag(c *cobra.Command, formed *bool) {
	c.Flags().BoolVar(formed, "wait", false, "wait until the manifest is formed, or the nominations are cancelled")
}

// nominationsView returns the newest certified state, or the first in which the manifest of nominations is formed or they are cancelled.
func nominationsView(c *cobra.Command, ledger *ledgerFlags, id string, formed bool) (*client.View, error) {
	l, err := ledger.open(c)
	if err != nil {
		return nil, err
	}
	if !formed {
		return l.Certified(c.Context())
	}
	return client.UntilFormed(c.Context(), l, id)
}

func writeNominations(w io.Writer, n *readable.Nominations) {
	fmt.Fprintf(w, "nominations   %s\ntitle         %s\napplications  until %s\ndecisions     until %s\nwithdrawals   until %s\n",
		n.ID, n.Title, momentText(n.ApplicationsUntil), momentText(n.DecisionsUntil), momentText(n.WithdrawalsUntil))
	fmt.Fprintf(w, "lists         %d\nsubmitted     %d, of them %d refused, %d withdrawn\nstanding      %d\n", n.Lists, n.Submitted, n.Refused, n.Withdrawn, n.Standing)
	switch {
	case n.Cancelled != 0:
		fmt.Fprintf(w, "cancelled     at height %d: %s\n", n.Cancelled, text.OneLine(n.CancelReason))
	case n.Formed == 0:
		fmt.Fprintf(w, "manifest      not formed\n")
	case n.Manifest == "":
		fmt.Fprintf(w, "manifest      none: nobody stands\n")
	default:
		fmt.Fprintf(w, "manifest      %s, formed at height %d\n", n.Manifest, n.Formed)
	}
	if len(n.LeftOut) > 0 {
		fmt.Fprintf(w, "left out      %s\n", strings.Join(n.LeftOut, ", "))
	}
}

func newApplicationsCommand() *cobra.Command {
	var ledger ledgerFlags
	var list, undecided string
	c := &cobra.Command{
		Use:   "applications NOMINATIONS",
		Short: "List applications with what was decided on them",
		Long:  "List applications with what was decided on them: each is proven, and none is missing.",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := nominationsView(c, &ledger, args[0], false)
			if err != nil {
				return err
			}
			all, err := client.Applications(c.Context(), v, args[0])
			if err != nil {
				return err
			}
			_, n, err := client.LoadNominations(c.Context(), v, args[0])
			if err != nil {
				return err
			}
			removed, err := readable.RemovedFrom(c.Context(), v, args[0])
			if err != nil {
				return err
			}
			shown := []*readable.Application{}
			for _, a := range all {
				waits := undecided == "" || a.Decision(undecided) == nil && a.Withdrawn == 0
				if waits && (list == "" || a.Signed.Application.List == list) {
					shown = append(shown, readable.ShowApplication(v.Genesis(), a, removed))
				}
			}
			silence := silenceWords(v, n)
			return show(c, shown, func(w io.Writer) {
				for _, a := range shown {
					fmt.Fprintf(w, "%s  %-10s  %s  %s  %s%s\n", a.Hash, a.Status, a.List, a.District, a.Name, groupsText(a))
					for _, d := range a.Decisions {
						if d.Reason != "" {
							fmt.Fprintf(w, "    %s refused it: %s\n", d.Organisation, text.OneLine(d.Reason))
						}
					}
					if a.Status == "undecided" {
						fmt.Fprintf(w, "    %s %s\n", strings.Join(a.Undecided, ", "), silence)
					}
				}
			})
		},
	}
	ledger.add(c)
	c.Flags().StringVar(&list, "list", "", "only those for a list")
	c.Flags().StringVar(&undecided, "undecided", "", "only those on which an organisation has not decided")
	return c
}

// groupsText names the groups that quotas count, of which the candidate is.
func groupsText(a *readable.Application) string {
	switch {
	case a.Young && a.Woman:
		return " (young, woman)"
	case a.Young:
		return " (young)"
	case a.Woman:
		return " (woman)"
	}
	return ""
}

func newFormManifestCommand() *cobra.Command {
	var ledger ledgerFlags
	var formed bool
	c := &cobra.Command{
		Use:   "manifest NOMINATIONS",
		Short: "Print the manifest that was formed of nominations",
		Long: `Form the manifest from the applications that stand, compare it with the hash in the certified state, and print it as JSON, for
'resolution propose create-election'. Exit code 3 where it is another.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := nominationsView(c, &ledger, args[0], formed)
			if err != nil {
				return err
			}
			m, err := client.FormedManifest(c.Context(), v, args[0])
			if err != nil {
				return err
			}
			say(c, "hash %x: %d contests, %d ballot styles, %d slots", election.ManifestHash(m), len(m.Contests), len(m.Styles), election.Slots(m))
			return createFile(c, "-", readable.FormatMessage(m))
		},
	}
	ledger.add(c)
	formedFlag(c, &formed)
	return c
}

func newCancelNominationsCommand() *cobra.Command {
	c := decide("cancel-nominations NOMINATIONS", "Propose to cancel nominations whose manifest is not formed; --reason says why", cobra.ExactArgs(1),
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			return &pb.Resolution{Decision: &pb.Resolution_CancelNominations{CancelNominations: &pb.CancelNominations{Nominations: args[0]}}}, nil
		})
	require(c, "reason")
	return c
}

func newRemoveCandidateCommand() *cobra.Command {
	var id *string
	d := new(pb.RemoveCandidate)
	var application string
	c := decide("remove-candidate", "Propose to remove a candidate, between ready and closed; --reason says why", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			_, m, err := loadRules(c, o.Ledger, *id)
			if err != nil {
				return nil, err
			}
			if application != "" {
				if d.Contest, d.Option, err = findCandidate(m, application); err != nil {
					return nil, err
				}
			}
			if int(d.Contest) < len(m.Contests) && int(d.Option) < len(m.Contests[d.Contest].Options) {
				contest := &m.Contests[d.Contest]
				say(c, "it is %q of %q; %s", contest.Options[d.Option], contest.Title, readable.RemovedVotes)
			}
			d.Election = *id
			return &pb.Resolution{Decision: &pb.Resolution_RemoveCandidate{RemoveCandidate: d}}, nil
		})
	id = electionFlag(c)
	c.Flags().StringVar(&application, "application", "", "hash of the candidate's application")
	c.Flags().Uint32Var(&d.Contest, "contest", 0, "index of the contest, from 0")
	c.Flags().Uint32Var(&d.Option, "option", 0, "index of the option, from 0")
	c.MarkFlagsRequiredTogether("contest", "option")
	c.MarkFlagsMutuallyExclusive("application", "contest")
	c.MarkFlagsOneRequired("application", "contest")
	require(c, "reason")
	return c
}

// findCandidate returns the contest and the option of the candidate with an application.
func findCandidate(m *pb.Manifest, application string) (contest, option uint32, err error) {
	hash, err := parseHash(application)
	if err != nil {
		return 0, 0, usagef("--application: %w", err)
	}
	for i := range m.Contests {
		at := slices.IndexFunc(m.Contests[i].Candidates, func(c pb.Candidate) bool { return string(c.Application) == string(hash[:]) })
		if at >= 0 {
			return uint32(i), uint32(at), nil
		}
	}
	return 0, 0, fmt.Errorf("no candidate of election %q has the application %x", m.Election, hash)
}
