package main

import (
	"crypto/rand"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/keyfile"
	"votenode/client/registry"
	"votenode/crypto/ballot"
)

func newRegistrarIssueCommand() *cobra.Command {
	var folder storeFlags
	c := &cobra.Command{
		Use:   "issue",
		Short: "Make the own halves of the keys of a round, and print the commitment to them",
		Long: `Make the own halves of the keys of a round, and print the commitment to them: the hash of the half-key file. Tell it to the registrars of
the other organisations, and note theirs (votenode registrar expect), before any of you shows its file.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			s, round, err := folder.open()
			if err != nil {
				return err
			}
			members, err := s.Members(round)
			if err != nil {
				return err
			}
			commitment, err := s.Issue(round, rand.Reader, bar(c, "halves", len(members)))
			if err != nil {
				return err
			}
			data := struct {
				Round      uint32 `json:"round"`
				Commitment string `json:"commitment"`
			}{round, hex.EncodeToString(commitment[:])}
			return show(c, data, func(w io.Writer) { fmt.Fprintln(w, data.Commitment) })
		},
	}
	folder.add(c)
	folder.addRound(c)
	return c
}

func newRegistrarExpectCommand() *cobra.Command {
	var folder storeFlags
	c := &cobra.Command{
		Use:   "expect ORGANISATION COMMITMENT",
		Short: "Note another registrar's commitment to its halves",
		Long: `Note another registrar's commitment to its halves. Until the own half-key file is shown (votenode registrar reveal), another commitment takes
its place.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			commitment, err := parseHash(args[1])
			if err != nil {
				return usagef("%w", err)
			}
			s, round, err := folder.open()
			if err != nil {
				return err
			}
			return s.Expect(round, args[0], commitment)
		},
	}
	folder.add(c)
	folder.addRound(c)
	return c
}

// outFlag names the new file that a step writes for others.
func outFlag(c *cobra.Command) *string {
	out := c.Flags().String("out", "", "new file for the registrars of the other organisations")
	require(c, "out")
	return out
}

func newRegistrarRevealCommand() *cobra.Command {
	var folder storeFlags
	var out *string
	c := &cobra.Command{
		Use:   "reveal --out FILE",
		Short: "Write the half-key file, once the commitments of all others are noted",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			s, round, err := folder.open()
			if err != nil {
				return err
			}
			file, err := s.Reveal(round)
			if err != nil {
				return err
			}
			return keyfile.CreateOnce(*out, file)
		},
	}
	folder.add(c)
	folder.addRound(c)
	out = outFlag(c)
	return c
}

func newRegistrarProveCommand() *cobra.Command {
	var folder storeFlags
	var out *string
	c := &cobra.Command{
		Use:   "prove FILE... --out FILE",
		Short: "Take the half-key files of all others, and prove that you know your own halves",
		Long: `Take the half-key files of all other registrars, hold them against their commitments and the own members, and write the proof that you know
all of your own halves: so none of them was chosen to cancel another's.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, round, err := folder.open()
			if err != nil {
				return err
			}
			var files [][]byte
			for _, name := range args {
				file, err := registry.ReadFile(name)
				if err != nil {
					return err
				}
				files = append(files, file)
			}
			proof, err := s.Prove(round, files, rand.Reader)
			if err != nil {
				return asVerification(err)
			}
			return keyfile.Create(*out, proof)
		},
	}
	folder.add(c)
	folder.addRound(c)
	out = outFlag(c)
	return c
}

// asVerification makes what another registrar did wrong a failed verification.
func asVerification(err error) error {
	if errors.Is(err, registry.ErrMismatch) {
		return fmt.Errorf("%w: %w", client.ErrVerification, err)
	}
	return err
}

func newRegistrarAcceptCommand() *cobra.Command {
	var folder storeFlags
	c := &cobra.Command{
		Use:   "accept FILE...",
		Short: "Verify the proofs of the other registrars, and keep them",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := registry.Open(folder.folder)
			if err != nil {
				return err
			}
			for _, name := range args {
				proof, err := registry.ReadFile(name)
				if err != nil {
					return err
				}
				m := newMeter(c, "halves")
				organisation, round, err := s.Accept(proof, func(done, all int) { m.set(int64(done), int64(all)) })
				if err != nil {
					return asVerification(fmt.Errorf("%s: %w", name, err))
				}
				say(c, "%s knows all of its halves of round %d", organisation, round)
			}
			return nil
		},
	}
	folder.add(c)
	return c
}

func newRegistrarHandOutCommand() *cobra.Command {
	var folder storeFlags
	var out, member string
	c := &cobra.Command{
		Use:   "hand-out (--out FOLDER | --member REFERENCE)",
		Short: "Write a file with the own half of the key for each member of a round, or print one member's",
		Long: `Write a file with the own half of the key for each member of a round, named by your references in the list members.csv beside them, or
print the code of one member, to be read out or typed. Who is struck gets none. Whoever has the halves of all organisations has the member's key: each registrar gives
its half to the member alone, by a channel of its own. Interrupted, the command goes on where it stopped.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			s, round, err := folder.open()
			if err != nil {
				return err
			}
			if member == "" {
				return handOut(c, s, round, out)
			}
			found, err := s.Find([]string{member})
			if err != nil {
				return err
			}
			struck, err := struckPlaces(s)
			if err != nil {
				return err
			}
			if struck[found[0].Place] {
				return fmt.Errorf("member %q is struck, and gets no half", member)
			}
			halves, err := s.Halves(found[0].Round)
			if err != nil {
				return err
			}
			half, err := halves(found[0].Slot)
			if err != nil {
				return err
			}
			data := struct {
				Half string `json:"half"`
			}{ballot.FormatHalf(half)}
			return show(c, data, func(w io.Writer) { fmt.Fprintln(w, data.Half) })
		},
	}
	folder.add(c)
	folder.addRound(c)
	c.Flags().StringVar(&out, "out", "", "folder for one file for each member")
	c.Flags().StringVar(&member, "member", "", "reference of the one member whose code is printed")
	c.MarkFlagsMutuallyExclusive("out", "member")
	c.MarkFlagsMutuallyExclusive("round", "member")
	c.MarkFlagsOneRequired("out", "member")
	return c
}

// struckPlaces says which places give no right to vote.
func struckPlaces(s *registry.Store) (map[registry.Place]bool, error) {
	list, err := s.Struck()
	places := make(map[registry.Place]bool, len(list))
	for _, v := range list {
		places[v.Place] = true
	}
	return places, err
}

// handOut writes one file for each member of a round that gets a half, and the list of who gets which file of the folder, those of other rounds
// included.
func handOut(c *cobra.Command, s *registry.Store, round uint32, folder string) error {
	halves, err := s.Halves(round)
	if err != nil {
		return err
	}
	struck, err := struckPlaces(s)
	if err != nil {
		return err
	}
	rounds, err := s.Rounds()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var list strings.Builder
	lines := csv.NewWriter(&list)
	for r := uint32(1); r <= rounds; r++ {
		members, err := s.Members(r)
		if err != nil {
			return err
		}
		progress := func(int) {}
		if r == round {
			progress = bar(c, "members", len(members))
		}
		for slot := range members {
			if members[slot].Key != nil || struck[registry.Place{Round: r, Slot: uint64(slot)}] {
				continue
			}
			name := fmt.Sprintf("%s-%d-%07d.half", s.Organisation, r, slot)
			path := filepath.Join(folder, name)
			if r == round {
				half, err := halves(uint64(slot))
				if err != nil {
					return err
				}
				text := fmt.Sprintf("# %s: half of a key for election %s on %s\n%s\n", s.Organisation, s.Election, s.Chain, ballot.FormatHalf(half))
				if err := keyfile.CreateOnce(path, []byte(text)); err != nil {
					return err
				}
			} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := lines.Write([]string{members[slot].Reference, name}); err != nil {
				return err
			}
			progress(slot + 1)
		}
	}
	lines.Flush()
	return keyfile.Replace(filepath.Join(folder, "members.csv"), []byte(list.String()))
}
