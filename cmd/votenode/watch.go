package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/book"
	"votenode/crypto/ballot"
)

// bookFlag names the file of a voter's book, and holds the book once it is open.
type bookFlag struct {
	file string
	*book.Book
}

func (b *bookFlag) add(c *cobra.Command) {
	c.Flags().StringVar(&b.file, "book", "", "file that remembers which ballots were cast with this key here (default: that of the key, with .book.json behind)")
}

// open gives the voter a book.
func (b *bookFlag) open(keyFile string, voter *client.Voter) (err error) {
	if b.file == "" {
		b.file = keyFile + ".book.json"
	}
	if b.Book, err = book.Open(b.file, voter); err == nil {
		voter.Book = b.Book
	}
	return err
}

// look warns of what the book does not explain.
func (b *bookFlag) look(c *cobra.Command, v *client.View, thorough bool) (*book.Sight, error) {
	sight, err := b.Look(c.Context(), v, thorough)
	if sight != nil {
		for _, f := range sight.Foreign {
			say(c, "%s", f.Warning())
		}
	}
	return sight, err
}

func addThorough(c *cobra.Command, thorough *bool) {
	c.Flags().BoolVar(thorough, "thorough", false, "read the ballot log, too, from where it was read last: about a gigabyte for a million ballots the first time")
}

func newVoterWatchCommand() *cobra.Command {
	var flags voterFlags
	var thorough, once bool
	c := &cobra.Command{
		Use:   "watch",
		Short: "Watch your place in the roll until voting closes, and warn of ballots that are not yours",
		Long: `Look at every new certified state until voting closes, print a line for every change under your place in the roll, and
warn of every ballot and challenge that your book does not know. With --json each line is a JSON object.
It exits with 3 if something is left at the end that the book does not explain.

What is looked at is the last recorded ballot. One that comes and is superseded between two looks, or while
nobody is looking, is found with --thorough only.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			voter, err := flags.open(c, nil)
			if err != nil {
				return err
			}
			asJSON, err := c.Flags().GetBool("json")
			if err != nil {
				return err
			}
			w := book.Watch{
				Ledger: voter.Ledger, Book: flags.book.Book, Thorough: thorough, Once: once,
				Tell: func(e book.Event) error {
					if asJSON {
						return json.NewEncoder(c.OutOrStdout()).Encode(e)
					}
					_, err := fmt.Fprintln(c.OutOrStdout(), e)
					return err
				},
				Warn: func(f book.Foreign) { say(c, "%s", f.Warning()) },
				Say:  func(format string, args ...any) { say(c, format, args...) },
			}
			return w.Run(c.Context())
		},
	}
	flags.add(c)
	addThorough(c, &thorough)
	c.Flags().BoolVar(&once, "once", false, "look once and end")
	return c
}

func newVoterBookCommand() *cobra.Command {
	return group("book", "Show and complete the list of the ballots that were cast with this key", newBookShowCommand(), newBookAddCommand())
}

func newBookShowCommand() *cobra.Command {
	var flags voterFlags
	c := &cobra.Command{
		Use:   "show",
		Short: "Show what was cast and challenged here, what you added, and what is foreign",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := flags.open(c, nil); err != nil {
				return err
			}
			entries, err := flags.book.Entries()
			if err != nil {
				return err
			}
			return show(c, entries, func(w io.Writer) {
				for _, e := range entries {
					fmt.Fprintf(w, "%s  %-10s  number %d  %s\n", e.Time.Format(time.RFC3339), e.Kind, e.Sequence, e.Code)
				}
			})
		},
	}
	flags.add(c)
	return c
}

func newBookAddCommand() *cobra.Command {
	var flags voterFlags
	var challenged uint64
	c := &cobra.Command{
		Use:   "add [CODE]",
		Short: "Note a ballot that you cast or challenged on another device",
		Long: `Note the confirmation code of a ballot that you cast on another device, or with --challenged the number of one that you
challenged there, so that you are not warned of it again.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			byNumber := c.Flags().Changed("challenged")
			if (len(args) == 1) == byNumber {
				return usagef("give either the code of a ballot that was cast, or --challenged with a number")
			}
			var code [32]byte
			if !byNumber {
				var err error
				if code, err = ballot.ParseCode(args[0]); err != nil {
					return usagef("%q: %w", args[0], err)
				}
			}
			if _, err := flags.open(c, nil); err != nil {
				return err
			}
			if byNumber {
				return flags.book.AddChallenge(challenged)
			}
			return flags.book.Add(code)
		},
	}
	flags.add(c)
	c.Flags().Uint64Var(&challenged, "challenged", 0, "number of a ballot that you challenged on another device")
	return c
}
