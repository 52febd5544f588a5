package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// newRootCommand returns the whole tree of commands.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "votenode",
		Short: "A ledger of encrypted ballots that several organisations run together",
		Long: `votenode runs a node of the ledger and is the tool of everybody who takes part in an election on it.

Data goes to standard output, talk to standard error. Exit codes: 0 done, 1 error, 2 wrong usage,
3 a verification failed, 4 the ledger needs another binary.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(c *cobra.Command, args []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if c.HasSubCommands() {
			err = cmp.Or(noSuchCommand(c, c.Flags().Args()), err) // a command that is not there is why its flags are not
		}
		return err
	})
	root.PersistentFlags().Bool("json", false, "print data as JSON")
	root.AddGroup(
		&cobra.Group{ID: "people", Title: "For persons:"},
		&cobra.Group{ID: "nodes", Title: "For operators:"},
		&cobra.Group{ID: "everybody", Title: "For everybody:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("people", newKeyCommand(), newVoterCommand(), newInitiativeCommand(), newTrusteeCommand(), newRegistrarCommand(), newCandidateCommand(), newResolutionCommand(), newDocumentCommand(), newLotCommand())
	add("nodes", newGenesisCommand(), newNodeCommand(), newSignerCommand(), newBackupCommand(), newRestoreCommand())
	add("everybody", newStatusCommand(), newVerifyCommand(), newObserveCommand(), newIntakeCommand(), newSlipCommand(), newStateCommand(), newExportCommand(), newAuditCommand(), newElectionCommand(), newListCommand(), newManifestCommand(), newNominationsCommand(),
		newDemoCommand(), newBenchCommand(), newVersionCommand())
	return root
}

// group returns a command that only has subcommands; alone or with an unknown one it is wrong usage.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  noSuchCommand,
		RunE: func(c *cobra.Command, args []string) error {
			return usagef("%s needs one of its subcommands", c.CommandPath())
		},
	}
	c.AddCommand(children...)
	return c
}

// noSuchCommand refuses arguments of a command that only has subcommands.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath())
	}
	return nil
}

// require marks flags of a command that cannot be left out.
func require(c *cobra.Command, names ...string) {
	for _, name := range names {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
}

// show prints data: as indented JSON with --json, else by text.
func show(c *cobra.Command, data any, text func(w io.Writer)) error {
	asJSON, err := c.Flags().GetBool("json")
	if err != nil {
		return err
	}
	if !asJSON {
		text(c.OutOrStdout())
		return nil
	}
	encoder := json.NewEncoder(c.OutOrStdout())
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(data)
}

// indented sets what somebody wrote apart from the program's own lines.
func indented(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ")
}

// say writes talk to stderr.
func say(c *cobra.Command, format string, args ...any) {
	fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...)
}
