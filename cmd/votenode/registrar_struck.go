package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/registry"
	pb "votenode/proto/votenode/v1"
)

// causes are the causes of a revocation, as people write them.
var causes = map[string]pb.RevocationCause{
	"other": pb.REVOCATION_OTHER, "paper": pb.REVOCATION_PAPER, "key-lost": pb.REVOCATION_KEY_LOST, "left": pb.REVOCATION_LEFT,
}

func parseCause(text string) (pb.RevocationCause, error) {
	cause, ok := causes[text]
	if !ok {
		return 0, usagef("there is no cause %q: choose paper, key-lost, left or other", text)
	}
	return cause, nil
}

func causeName(cause pb.RevocationCause) string {
	for name, c := range causes {
		if c == cause {
			return name
		}
	}
	return strconv.Itoa(int(cause))
}

func newRegistrarRevokeCommand() *cobra.Command {
	var folder storeFlags
	var ledger ledgerFlags
	var cause string
	var undo bool
	c := &cobra.Command{
		Use:   "revoke [REFERENCE... (--cause CAUSE | --undo)]",
		Short: "Note that members are not to vote with their entries, and print the list for the officers",
		Long: `Note in the folder that members are not to vote with their entries, and print these entries for the officers: CSV with the header
roll_index,cause. Before the roll is sealed the list goes into the resolution that seals it (votenode resolution propose seal-roll --struck FILE),
afterwards into one that revokes (votenode resolution propose revoke-voters --list FILE). CAUSE is paper, key-lost, left or other.
Without a reference all members who were ever struck or reissued are printed: do so when the roll is complete, and seal it with that list.
Nothing is printed where an entry could be left out, because files of its round are lost. --undo takes back, before the roll is sealed, that
members are struck; who has a ballot paper by then votes twice.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) == 0) != (cause == "" && !undo) {
				return usagef("references and --cause or --undo go together")
			}
			why := pb.REVOCATION_OTHER
			if cause != "" {
				var err error
				if why, err = parseCause(cause); err != nil {
					return err
				}
			}
			s, v, err := folder.openAt(c, &ledger)
			if err != nil {
				return err
			}
			if undo {
				if err := notSealed(c.Context(), s, v, "those who are struck stay struck"); err != nil {
					return err
				}
				if err := s.Reinstate(args); err != nil {
					return err
				}
				say(c, "taken back; now print all struck entries again: votenode registrar revoke --store FOLDER")
				return nil
			}
			struck := s.Struck
			if len(args) > 0 {
				struck = func() ([]registry.Struck, error) { return s.Strike(args, why) }
			}
			list, err := struck()
			if err != nil {
				return err
			}
			return showStruck(c, s, v, list)
		},
	}
	folder.add(c)
	ledger.add(c)
	c.Flags().StringVar(&cause, "cause", "", "paper, key-lost, left or other")
	c.Flags().BoolVar(&undo, "undo", false, "before the roll is sealed, let the members vote with their entries after all")
	c.MarkFlagsMutuallyExclusive("cause", "undo")
	return c
}

// notSealed fails once the roll of a folder's election is sealed, and says what that means.
func notSealed(ctx context.Context, s *registry.Store, v *client.View, meaning string) error {
	e, err := client.LoadElection(ctx, v, s.Election)
	if err == nil && e.RollSealed {
		err = fmt.Errorf("the roll of %q is sealed: %s", s.Election, meaning)
	}
	return err
}

// rollIndices gives the place of each key in the roll of an election.
func rollIndices(ctx context.Context, v *client.View, id string) (map[string]uint64, error) {
	roll, err := client.RollEntries(ctx, v, id)
	index := make(map[string]uint64, len(roll))
	for i := range roll {
		index[string(roll[i].Key)] = uint64(i)
	}
	return index, err
}

// unknownEntries counts the entries of a roll whose keys no round of the folder has.
func unknownEntries(s *registry.Store, roll map[string]uint64) (int, error) {
	rounds, err := s.Rounds()
	if err != nil {
		return 0, err
	}
	unknown := len(roll)
	for round := uint32(1); round <= rounds; round++ {
		keys, err := s.Keys(round)
		if err != nil && !errors.Is(err, registry.ErrOrder) {
			return 0, err
		}
		for _, key := range keys {
			if _, there := roll[string(key)]; there {
				unknown--
			}
		}
	}
	return unknown, nil
}

// shownStruck is an entry of the roll that is struck.
type shownStruck struct {
	RollIndex uint64 `json:"roll_index"`
	Cause     string `json:"cause"`
}

// showStruck prints the entries of struck members that stand in the roll. It fails where one may be left out.
func showStruck(c *cobra.Command, s *registry.Store, v *client.View, struck []registry.Struck) error {
	index, err := rollIndices(c.Context(), v, s.Election)
	if err != nil {
		return err
	}
	rounds := map[uint32][][]byte{}
	list := []shownStruck{}
	for _, member := range struck {
		if rounds[member.Round] == nil {
			keys, err := s.Keys(member.Round)
			if errors.Is(err, registry.ErrOrder) {
				unknown, lost := unknownEntries(s, index)
				if lost != nil {
					return lost
				}
				if unknown > 0 {
					return fmt.Errorf("no list is printed, it could leave out %v: that has no key here (%w), and the roll has %s whose keys no round of this folder has. What was struck is noted; where files of the other registrars are lost, take them again with prove and accept",
						member.Place, err, counted(unknown, "entry", "entries"))
				}
				say(c, "%v has no key yet, and stands in no roll. Once its round is there, print all struck entries again: votenode registrar revoke --store FOLDER", member.Place)
				continue
			}
			if err != nil {
				return err
			}
			rounds[member.Round] = keys
		}
		at, there := index[string(rounds[member.Round][member.Slot])]
		if !there {
			say(c, "%v does not stand in the roll yet. Once its round is there, print all struck entries again: votenode registrar revoke --store FOLDER", member.Place)
			continue
		}
		list = append(list, shownStruck{at, causeName(member.Cause)})
	}
	slices.SortFunc(list, func(a, b shownStruck) int { return cmp.Compare(a.RollIndex, b.RollIndex) })
	return show(c, list, func(w io.Writer) {
		fmt.Fprintln(w, "roll_index,cause")
		for _, line := range list {
			fmt.Fprintf(w, "%d,%s\n", line.RollIndex, line.Cause)
		}
	})
}

// readStruck reads a list that showStruck printed or a person wrote, and returns it strictly ascending.
func readStruck(path string) ([]pb.StruckVoter, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	reader := csv.NewReader(bufio.NewReader(f))
	reader.FieldsPerRecord = 2
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(rows) == 0 || rows[0][0] != "roll_index" || rows[0][1] != "cause" {
		return nil, fmt.Errorf("%s: the first line must be roll_index,cause", path)
	}
	list := make([]pb.StruckVoter, 0, len(rows)-1)
	for i, row := range rows[1:] {
		index, err := strconv.ParseUint(row[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %q is no roll index", path, i+2, row[0])
		}
		cause, err := parseCause(row[1])
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, i+2, err)
		}
		list = append(list, pb.StruckVoter{Voter: index, Cause: cause})
	}
	slices.SortFunc(list, func(a, b pb.StruckVoter) int { return cmp.Compare(a.Voter, b.Voter) })
	for i := 1; i < len(list); i++ {
		if list[i].Voter == list[i-1].Voter {
			return nil, fmt.Errorf("%s: entry %d of the roll stands twice", path, list[i].Voter)
		}
	}
	return list, nil
}

func newRegistrarReissueCommand() *cobra.Command {
	var folder storeFlags
	var ledger ledgerFlags
	c := &cobra.Command{
		Use:   "reissue REFERENCE...",
		Short: "Strike the entries of members whose keys are lost, and begin a round with new halves for them",
		Long: `Strike the entries of members whose keys are lost, begin a round with the same members, and print the struck entries as revoke does. Go on
with issue. All registrars reissue the same members in the same order. Run again before that round has its keys, the command begins no other.
It is for the time before the roll is sealed: after that an entry can only be revoked.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, v, err := folder.openAt(c, &ledger)
			if err != nil {
				return err
			}
			if err := notSealed(c.Context(), s, v, "it takes no new entry; revoke the old ones with: votenode registrar revoke"); err != nil {
				return err
			}
			round, struck, err := s.Reissue(args)
			if err != nil {
				return err
			}
			say(c, "round %d: %s; next: votenode registrar issue", round, counted(len(args), "member", "members"))
			return showStruck(c, s, v, struck)
		},
	}
	folder.add(c)
	ledger.add(c)
	return c
}
