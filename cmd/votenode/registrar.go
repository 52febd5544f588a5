package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/keyfile"
	pb "votenode/proto/votenode/v1"
)

func newRegistrarCommand() *cobra.Command {
	return group("registrar", "Bring the roll and compare it", newImportRollCommand(), newCheckRollCommand())
}

// readRoll reads a list of members with the ballot styles of an election's manifest.
func readRoll(c *cobra.Command, l *client.Ledger, id, path string) (*client.View, []pb.RollEntry, error) {
	v, err := l.Certified(c.Context())
	if err != nil {
		return nil, nil, err
	}
	e, err := client.LoadElection(c.Context(), v, id)
	if err != nil {
		return nil, nil, err
	}
	m, err := client.LoadManifest(c.Context(), v, e)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	entries, err := client.ParseRoll(f, m)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, entries, nil
}

// shownRoll is what is said of a roll.
type shownRoll struct {
	Entries uint64 `json:"entries"`
	Root    string `json:"root"`
}

func newImportRollCommand() *cobra.Command {
	var ledger ledgerFlags
	var key keyFlags
	var id *string
	c := &cobra.Command{
		Use:   "import-roll CSV",
		Short: "Add the members of a list to the roll of an election",
		Long: `Add the members of a list to the roll of an election: CSV with the header key,district. What the roll holds already is
left alone, so that the command goes on where it was interrupted. It ends when a certified state holds them all.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			opened, err := key.load()
			if err != nil {
				return err
			}
			private, err := opened.Ed25519(keyfile.Registrar)
			if err != nil {
				return err
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			_, entries, err := readRoll(c, l, *id, args[0])
			if err != nil {
				return err
			}
			registrar := client.Registrar{Ledger: l, Key: private}
			head, err := registrar.Import(c.Context(), *id, entries, bar(c, "entries", len(entries)))
			if err != nil {
				return err
			}
			data := shownRoll{head.Size, fmt.Sprintf("%x", head.Root)}
			return show(c, data, func(w io.Writer) { fmt.Fprintf(w, "%d entries, root %s\n", data.Entries, data.Root) })
		},
	}
	ledger.add(c)
	key.add(c, keyfile.Registrar)
	id = electionFlag(c)
	return c
}

func newCheckRollCommand() *cobra.Command {
	var ledger ledgerFlags
	var id *string
	c := &cobra.Command{
		Use:   "check-roll CSV",
		Short: "Compare the roll of an election with a list of members",
		Long: `Compare the roll of an election with a list of members: both must name the same keys with the same districts, in any
order. An officer does so before approving the resolution that seals the roll. Exit code 3 where they differ.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			v, entries, err := readRoll(c, l, *id, args[0])
			if err != nil {
				return err
			}
			head, err := client.CompareRoll(c.Context(), v, *id, entries)
			if err != nil {
				return err
			}
			data := shownRoll{head.Size, fmt.Sprintf("%x", head.Root)}
			return show(c, data, func(w io.Writer) { fmt.Fprintf(w, "the same %d entries, root %s\n", data.Entries, data.Root) })
		},
	}
	ledger.add(c)
	id = electionFlag(c)
	return c
}
