package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client"
	"votenode/client/keyfile"
	"votenode/client/registry"
	pb "votenode/proto/votenode/v1"
)

// readRoll reads a list of keys with the ballot styles of an election's manifest.
func readRoll(c *cobra.Command, l *client.Ledger, id, path string) (*client.View, []pb.RollEntry, error) {
	v, m, err := loadRules(c, l, id)
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

// rollSource says where the entries come from: a list of keys, or a round of a registrar's folder.
type rollSource struct {
	list     string
	election string
	folder   storeFlags
}

func (s *rollSource) add(c *cobra.Command) {
	c.Flags().StringVar(&s.list, "list", "", "list of the members' keys: CSV with the header key,district")
	c.Flags().StringVar(&s.election, "election", "", "with --list, id of the election")
	s.folder.addOptional(c)
	s.folder.addRound(c)
	c.MarkFlagsMutuallyExclusive("list", "store")
	c.MarkFlagsOneRequired("list", "store")
	c.MarkFlagsRequiredTogether("list", "election")
}

// parts returns the transactions that bring the entries which the roll lacks, not signed yet.
func (s *rollSource) parts(c *cobra.Command, l *client.Ledger) (*client.View, []pb.AddRollEntries, error) {
	if s.list != "" {
		v, entries, err := readRoll(c, l, s.election, s.list)
		if err != nil {
			return nil, nil, err
		}
		parts, err := client.RollParts(c.Context(), v, s.election, entries)
		return v, parts, err
	}
	store, round, err := s.folder.open()
	if err != nil {
		return nil, nil, err
	}
	if err := sameChain(store, l.Chain()); err != nil {
		return nil, nil, err
	}
	entries, err := store.Entries(round)
	if err != nil {
		return nil, nil, err
	}
	v, err := l.Certified(c.Context())
	if err != nil {
		return nil, nil, err
	}
	parts, err := client.RollParts(c.Context(), v, store.Election, entries)
	return v, parts, err
}

// countEntries returns how many entries parts of a roll have.
func countEntries(parts []pb.AddRollEntries) int {
	n := 0
	for i := range parts {
		n += len(parts[i].Entries)
	}
	return n
}

// signParts adds the registrar's signature to parts of a roll.
func signParts(ctx context.Context, v *client.View, parts []pb.AddRollEntries, registrar client.Registrar) error {
	organisations, err := client.Organisations(ctx, v)
	if err != nil {
		return err
	}
	return client.SignParts(v.Chain(), organisations, parts, registrar.Key)
}

func newRegistrarRollCommand() *cobra.Command {
	var flags registrarFlags
	var source rollSource
	var out string
	c := &cobra.Command{
		Use:   "roll (--store FOLDER | --list CSV) --out FILE",
		Short: "Make the parts of the roll, sign them, and write them for the other registrars",
		Long: `Make the parts of the roll from a round of the folder, or from a list of keys, sign them, and write them to a new file for the
registrars of the other organisations. What the roll holds already is left out.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			registrar, err := flags.open(c)
			if err != nil {
				return err
			}
			v, parts, err := source.parts(c, registrar.Ledger)
			if err != nil {
				return err
			}
			if len(parts) == 0 {
				return fmt.Errorf("the roll holds all of these entries already; nothing was written")
			}
			if err := signParts(c.Context(), v, parts, registrar); err != nil {
				return err
			}
			if err := keyfile.Create(out, election.Encode(&pb.RollParts{Parts: parts})); err != nil {
				return err
			}
			say(c, "%s in %s: have a registrar of every other organisation sign them with: votenode registrar cosign %s", counted(countEntries(parts), "entry", "entries"), counted(len(parts), "part", "parts"), out)
			return nil
		},
	}
	flags.add(c)
	source.add(c)
	c.Flags().StringVar(&out, "out", "", "new file for the signed parts")
	require(c, "out")
	return c
}

// readParts reads a file of parts of a roll.
func readParts(path string) (*pb.RollParts, error) {
	data, err := registry.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := new(pb.RollParts)
	if err := election.Decode(data, m); err != nil || len(m.Parts) == 0 {
		return nil, fmt.Errorf("%s is no file of parts of a roll", path)
	}
	return m, nil
}

func newRegistrarCosignCommand() *cobra.Command {
	var flags registrarFlags
	var source rollSource
	var submit bool
	c := &cobra.Command{
		Use:   "cosign FILE (--store FOLDER | --list CSV)",
		Short: "Sign parts of the roll that another registrar made, if they say exactly what the own folder or list says",
		Long: `Sign parts of the roll that another registrar made, if they say exactly what the own folder or list says, and write the file anew. With
--submit they are sent at once. Exit code 3 where the parts differ.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			given, err := readParts(args[0])
			if err != nil {
				return err
			}
			registrar, err := flags.open(c)
			if err != nil {
				return err
			}
			v, own, err := source.parts(c, registrar.Ledger)
			if err != nil {
				return err
			}
			if err := sameParts(given.Parts, own); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if err := signParts(c.Context(), v, given.Parts, registrar); err != nil {
				return err
			}
			if err := keyfile.Replace(args[0], election.Encode(given)); err != nil {
				return err
			}
			if !submit {
				say(c, "signed; when all organisations have, any registrar sends them with: votenode registrar submit %s", args[0])
				return nil
			}
			return submitParts(c, registrar, given.Parts)
		},
	}
	flags.add(c)
	source.add(c)
	c.Flags().BoolVar(&submit, "submit", false, "send the parts at once: for the last who signs")
	return c
}

// sameParts says whether parts of a roll that somebody gave are those that this registrar would make. It fails with client.ErrVerification.
func sameParts(given, own []pb.AddRollEntries) error {
	if len(given) != len(own) {
		return fmt.Errorf("%w: it has %s with %s, your own members come to %s with %d", client.ErrVerification,
			counted(len(given), "part", "parts"), counted(countEntries(given), "entry", "entries"), counted(len(own), "part", "parts"), countEntries(own))
	}
	for i := range given {
		part := given[i]
		part.Signatures = nil
		if string(election.Encode(&part)) != string(election.Encode(&own[i])) {
			return fmt.Errorf("%w: part %d is not what your own members come to; the roll has grown since, or one of you has other members", client.ErrVerification, i+1)
		}
	}
	return nil
}

func newRegistrarSubmitCommand() *cobra.Command {
	var flags registrarFlags
	c := &cobra.Command{
		Use:   "submit FILE",
		Short: "Send parts of the roll that registrars of all organisations have signed",
		Long: `Send parts of the roll that registrars of all organisations have signed. What the roll holds already is left alone, so that the command
goes on where it was interrupted. It ends when a certified state holds them all.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			given, err := readParts(args[0])
			if err != nil {
				return err
			}
			registrar, err := flags.open(c)
			if err != nil {
				return err
			}
			return submitParts(c, registrar, given.Parts)
		},
	}
	flags.add(c)
	return c
}

func submitParts(c *cobra.Command, registrar client.Registrar, parts []pb.AddRollEntries) error {
	head, err := registrar.Submit(c.Context(), parts, bar(c, "entries", countEntries(parts)))
	if err != nil {
		return err
	}
	return showRoll(c, head)
}

func showRoll(c *cobra.Command, head state.Head) error {
	data := shownRoll{head.Size, fmt.Sprintf("%x", head.Root)}
	return show(c, data, func(w io.Writer) { fmt.Fprintf(w, "%d entries, root %s\n", data.Entries, data.Root) })
}

func newCheckRollCommand() *cobra.Command {
	var ledger ledgerFlags
	var id *string
	c := &cobra.Command{
		Use:   "check-roll CSV",
		Short: "Compare the roll of an election with a list of the members' keys",
		Long: `Compare the roll of an election with a list of the members' keys, CSV with the header key,district: both must name the same keys with the
same districts, in any order. Exit code 3 where they differ.`,
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
