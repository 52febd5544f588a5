package main

import (
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
	// Of the folder, where one is given.
	Members *uint64 `json:"members,omitempty"`
	Struck  *uint64 `json:"struck,omitempty"`
}

// same says whether the folder says what the ledger says. Before the roll is sealed nothing is revoked there.
func (s *shownCounts) same(sealed bool) bool {
	return s.Members == nil || *s.Members == s.Entries && (!sealed || *s.Struck == s.Revoked)
}

func newRegistrarCountsCommand() *cobra.Command {
	var folder storeFlags
	var ledger ledgerFlags
	var id string
	c := &cobra.Command{
		Use:   "counts (--election ID | --store FOLDER)",
		Short: "Show how many entries each district has on the ledger, beside the own folder",
		Long: `Show how many entries the roll has for each district, and how many of these are revoked, beside the members and struck members of the own
folder; of a poll, the roll of the election that has it. Both organisations look at it before the roll is sealed. Exit code 3 where the ledger and the folder differ.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			var own *pb.RollCounts
			if folder.folder != "" {
				s, err := registry.Open(folder.folder)
				if err != nil {
					return err
				}
				if own, err = s.Counts(); err != nil {
					return err
				}
				id = s.Election
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			v, err := l.Certified(c.Context())
			if err != nil {
				return err
			}
			e, err := client.LoadElection(c.Context(), v, id)
			if err != nil {
				return err
			}
			if e.RollOf != "" {
				id = e.RollOf
				if e, err = client.LoadElection(c.Context(), v, id); err != nil {
					return err
				}
			}
			m, err := client.LoadManifest(c.Context(), v, e)
			if err != nil {
				return err
			}
			counts, err := client.LoadRollCounts(c.Context(), v, id, len(m.Styles))
			if err != nil {
				return err
			}
			list, different := compareCounts(m, counts, own, e.RollSealed)
			err = show(c, list, func(w io.Writer) { writeCounts(w, list, e.RollSealed) })
			if err == nil && different > 0 {
				err = fmt.Errorf("%w: %d districts have other numbers on the ledger than in the folder", client.ErrVerification, different)
			}
			return err
		},
	}
	ledger.add(c)
	folder.addOptional(c)
	c.Flags().StringVar(&id, "election", "", "id of the election")
	c.MarkFlagsMutuallyExclusive("election", "store")
	c.MarkFlagsOneRequired("election", "store")
	return c
}

// compareCounts puts the counts of the ledger and of a folder, if there is one, side by side and counts the districts where they differ.
func compareCounts(m *pb.Manifest, counts, own *pb.RollCounts, sealed bool) (list []shownCounts, different int) {
	for i := range m.Styles {
		line := shownCounts{District: m.Styles[i].District, Entries: counts.Entries[i], Revoked: counts.Revoked[i]}
		if own != nil && i < len(own.Entries) {
			line.Members, line.Struck = &own.Entries[i], &own.Revoked[i]
		}
		if !line.same(sealed) {
			different++
		}
		list = append(list, line)
	}
	return list, different
}

func writeCounts(w io.Writer, list []shownCounts, sealed bool) {
	for i := range list {
		line := &list[i]
		fmt.Fprintf(w, "%-30s %8d entries %8d revoked", line.District, line.Entries, line.Revoked)
		if line.Members != nil {
			fmt.Fprintf(w, " %8d members %8d struck", *line.Members, *line.Struck)
		}
		if !line.same(sealed) {
			fmt.Fprint(w, "  DIFFERENT")
		}
		fmt.Fprintln(w)
	}
}
