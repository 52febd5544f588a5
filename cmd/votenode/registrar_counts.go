package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/registry"
	pb "votenode/proto/votenode/v1"
)

// shownCounts is how many members a district has.
type shownCounts struct {
	District string `json:"district"`
	Entries  uint64 `json:"entries"`
	Revoked  uint64 `json:"revoked"`
	// Of the list of struck entries, where one is given: all, and those for paper.
	Listed      *uint64 `json:"listed,omitempty"`
	ListedPaper *uint64 `json:"listed_paper,omitempty"`
	// Of the folder, where one is given: members, those struck, and those of them for paper.
	Members *uint64 `json:"members,omitempty"`
	Struck  *uint64 `json:"struck,omitempty"`
	Paper   *uint64 `json:"paper,omitempty"`
}

// same says whether the folder says what the ledger and the list say. Before the roll is sealed nothing is revoked on the ledger.
func (s *shownCounts) same(sealed bool) bool {
	return s.Members == nil || *s.Members == s.Entries && (!sealed || *s.Struck == s.Revoked) &&
		(s.Listed == nil || *s.Struck == *s.Listed && *s.Paper == *s.ListedPaper)
}

func newRegistrarCountsCommand() *cobra.Command {
	var folder storeFlags
	var ledger ledgerFlags
	var id, struckFile string
	c := &cobra.Command{
		Use:   "counts (--election ID | --store FOLDER) [--struck FILE]",
		Short: "Show how many entries each district has on the ledger, beside the own folder",
		Long: `Show how many entries the roll has for each district, and how many of these are revoked, beside the members and struck members of the own
folder; of a poll, the roll of the election that has it. Both organisations look at it before the roll is sealed, with the list of struck entries
that is to be sealed: --struck shows how many of these each district has, and how many because they got a ballot paper. Exit code 3 where ledger,
list and folder differ.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			var listed []pb.StruckVoter
			if struckFile != "" {
				var err error
				if listed, err = readStruck(struckFile); err != nil {
					return err
				}
			}
			var own *registry.Counts
			var v *client.View
			var err error
			if folder.folder == "" {
				v, err = ledger.view(c)
			} else {
				var s *registry.Store
				if s, v, err = folder.openAt(c, &ledger); err == nil {
					id = s.Election
					own, err = s.Counts()
				}
			}
			if err != nil {
				return err
			}
			e, m, err := client.LoadRules(c.Context(), v, id)
			if err == nil && e.RollOf != "" {
				id = e.RollOf
				e, m, err = client.LoadRules(c.Context(), v, id)
			}
			if err != nil {
				return err
			}
			counts, err := client.LoadRollCounts(c.Context(), v, id, len(m.Styles))
			if err != nil {
				return err
			}
			list := make([]shownCounts, len(m.Styles))
			for i := range list {
				list[i] = shownCounts{District: m.Styles[i].District, Entries: counts.Entries[i], Revoked: counts.Revoked[i]}
				if own != nil && i < len(own.Members) {
					list[i].Members, list[i].Struck, list[i].Paper = &own.Members[i], &own.Struck[i], &own.Paper[i]
				}
			}
			if struckFile != "" {
				if e.RollSealed {
					return fmt.Errorf("the roll of %q is sealed, and what was struck is revoked on the ledger: leave --struck out", id)
				}
				if err := countListed(c.Context(), v, id, list, listed); err != nil {
					return fmt.Errorf("%s: %w", struckFile, err)
				}
			}
			different := 0
			for i := range list {
				if !list[i].same(e.RollSealed) {
					different++
				}
			}
			err = show(c, list, func(w io.Writer) { writeCounts(w, list, e.RollSealed) })
			if err == nil && different > 0 {
				err = fmt.Errorf("%w: %s with other numbers on the ledger or the list than in the folder", client.ErrVerification, counted(different, "district", "districts"))
			}
			return err
		},
	}
	ledger.add(c)
	folder.addOptional(c)
	c.Flags().StringVar(&id, "election", "", "id of the election")
	c.Flags().StringVar(&struckFile, "struck", "", "before the roll is sealed, the entries to be struck: what votenode registrar revoke prints")
	c.MarkFlagsMutuallyExclusive("election", "store")
	c.MarkFlagsOneRequired("election", "store")
	return c
}

// countListed counts struck entries of a roll by their districts.
func countListed(ctx context.Context, v *client.View, id string, list []shownCounts, struck []pb.StruckVoter) error {
	roll, err := client.RollEntries(ctx, v, id)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Listed, list[i].ListedPaper = new(uint64), new(uint64)
	}
	for _, s := range struck {
		if s.Voter >= uint64(len(roll)) {
			return fmt.Errorf("there is no entry %d: the roll has %d, from 0", s.Voter, len(roll))
		}
		line := &list[roll[s.Voter].Style]
		*line.Listed++
		if s.Cause == pb.REVOCATION_PAPER {
			*line.ListedPaper++
		}
	}
	return nil
}

func writeCounts(w io.Writer, list []shownCounts, sealed bool) {
	for i := range list {
		line := &list[i]
		fmt.Fprintf(w, "%-30s %8d entries %8d revoked", line.District, line.Entries, line.Revoked)
		if line.Listed != nil {
			fmt.Fprintf(w, " %8d listed (%d for paper)", *line.Listed, *line.ListedPaper)
		}
		if line.Members != nil {
			fmt.Fprintf(w, " %8d members %8d struck", *line.Members, *line.Struck)
			if line.Listed != nil {
				fmt.Fprintf(w, " (%d for paper)", *line.Paper)
			}
		}
		if !line.same(sealed) {
			fmt.Fprint(w, "  DIFFERENT")
		}
		fmt.Fprintln(w)
	}
}
