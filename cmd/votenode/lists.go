package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"votenode/app/election"
	"votenode/client"
	"votenode/client/keyfile"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

func newListCommand() *cobra.Command {
	return group("list", "Look at the lists that are formed of candidates", newListShowCommand())
}

func newListShowCommand() *cobra.Command {
	var ledger ledgerFlags
	var until *string
	c := &cobra.Command{
		Use:   "show ELECTION CONTEST",
		Short: "Show the list of a contest: places, substitutions, quotas and ties",
		Long: `Show the list of a contest, which is named by its number, from 0, or by its title. The command proves rules, votes and lot
by the ledger and forms the list again from them; exit code 3 where another list follows. 'votenode audit' does so for all lists
from the exported record.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := viewAt(c, &ledger, args[0], *until)
			if err != nil {
				return err
			}
			_, m, err := client.LoadRules(c.Context(), v, args[0])
			if err != nil {
				return err
			}
			number, err := findContest(m, args[1])
			if err != nil {
				return err
			}
			list, err := client.LoadList(c.Context(), v, args[0], m, number)
			if err != nil {
				return err
			}
			contest := &m.Contests[number]
			return show(c, readable.ShowList(number, contest, list), func(w io.Writer) { writeList(w, contest, list) })
		},
	}
	ledger.add(c)
	until = untilFlag(c)
	return c
}

// findContest finds a contest that has a list, by its number or title.
func findContest(m *pb.Manifest, name string) (uint32, error) {
	found := -1
	if n, err := strconv.ParseUint(name, 10, 32); err == nil && n < uint64(len(m.Contests)) {
		found = int(n)
	}
	for i := range m.Contests {
		if found < 0 && m.Contests[i].Title == name {
			found = i
		}
	}
	switch {
	case found < 0:
		return 0, fmt.Errorf("election %q has no contest %q; it has %d, from 0", m.Election, name, len(m.Contests))
	case m.Contests[found].List == nil:
		return 0, fmt.Errorf("no list is formed of contest %d, %s: the manifest has no rule for it", found, m.Contests[found].Title)
	}
	return uint32(found), nil
}

func writeList(w io.Writer, c *pb.Contest, list *pb.List) {
	fmt.Fprintf(w, "%s: %d seats\n", c.Title, c.List.Seats)
	if list == nil {
		fmt.Fprintln(w, "  not formed yet")
		return
	}
	for _, line := range election.ListWords(c, list) {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

func newLotCommand() *cobra.Command {
	return group("lot", "Do your organisation's part in the lot that decides ties in lists",
		newLotPartCommand("commit", "Commit your organisation to a secret, before the election is ready or in another round", `Commit your organisation to a secret for the present round of the lot of an election. The secret is made and written to --secret, or read from there where
the file exists. Keep it: without it lists in which a tie matters are not formed, unless all organisations agree to another round ('resolution propose
renew-lot'), for which each makes a new secret. Show it to nobody before the lot block is fixed.`, lotSecret, client.Officer.CommitLot),
		newLotPartCommand("reveal", "Reveal your organisation's secret, after the closing", `Reveal the secret of your organisation for the lot of an election. After the closing the command waits until the lot block is fixed, and in
another round until those have revealed that kept theirs in more rounds. It sends nothing before, and nothing but the secret to which your organisation has committed.`, readSecret, client.Officer.RevealLot))
}

func newLotPartCommand(use, short, long string, secretOf func(path string) ([]byte, error), act func(client.Officer, context.Context, string, []byte) error) *cobra.Command {
	var flags officerFlags
	var path string
	var id *string
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Long:  long,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			o, err := flags.open(c)
			if err != nil {
				return err
			}
			secret, err := secretOf(path)
			if err != nil {
				return err
			}
			return act(o, c.Context(), *id, secret)
		},
	}
	flags.add(c)
	id = electionFlag(c)
	c.Flags().StringVar(&path, "secret", "", "file with the secret: 64 hexadecimal digits")
	require(c, "secret")
	return c
}

// secretSize is the length of a secret for a lot, bytes.
const secretSize = 32

// lotSecret reads a secret, or makes one and writes it where there is no file.
func lotSecret(path string) ([]byte, error) {
	secret, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	secret = make([]byte, secretSize)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	return secret, keyfile.Create(path, fmt.Appendf(nil, "%x\n", secret))
}

func readSecret(path string) ([]byte, error) {
	text, err := keyfile.Read(path)
	if err != nil {
		return nil, err
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(secret) != secretSize {
		return nil, fmt.Errorf("%s: a secret has %d hexadecimal digits", path, 2*secretSize)
	}
	return secret, nil
}
