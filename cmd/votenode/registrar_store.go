package main

import (
	"bufio"
	"crypto/rand"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/keyfile"
	"votenode/client/registry"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// storeFlags name a registrar's folder and a round in it.
type storeFlags struct {
	folder string
	round  uint32
}

func (f *storeFlags) addOptional(c *cobra.Command) {
	c.Flags().StringVar(&f.folder, "store", "", "the registrar's folder")
	c.Flags().Uint32Var(&f.round, "round", 0, "round of members in the folder; without it the newest")
}

func (f *storeFlags) add(c *cobra.Command) {
	f.addOptional(c)
	require(c, "store")
}

// open opens the folder and says which round is meant.
func (f *storeFlags) open() (*registry.Store, uint32, error) {
	s, err := registry.Open(f.folder)
	if err != nil || f.round > 0 {
		return s, f.round, err
	}
	round, err := s.Rounds()
	if err == nil && round == 0 {
		err = fmt.Errorf("%s has no members yet; import them with: votenode registrar import", f.folder)
	}
	return s, round, err
}

// sameChain refuses a folder of another ledger.
func sameChain(s *registry.Store, l *client.Ledger) error {
	if s.Chain != l.Chain() {
		return fmt.Errorf("the folder is for the ledger %q, this one is %q", s.Chain, l.Chain())
	}
	return nil
}

func newRegistrarBeginCommand() *cobra.Command {
	var flags registrarFlags
	var folder string
	var id *string
	c := &cobra.Command{
		Use:   "begin --store FOLDER",
		Short: "Make the folder in which a registrar keeps members and halves of keys, for one election",
		Long: `Make the folder in which a registrar keeps the members of one election and its halves of their keys. The districts are those of the
manifest, the organisation is that of the key. The folder holds secrets in the clear: keep it on an encrypted disk.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			registrar, err := flags.open(c)
			if err != nil {
				return err
			}
			v, m, err := loadRules(c, registrar.Ledger, *id)
			if err != nil {
				return err
			}
			organisations, err := client.Organisations(c.Context(), v)
			if err != nil {
				return err
			}
			s := registry.Settings{Chain: v.Chain(), Election: *id}
			own, err := client.OrganisationOf(organisations, registrar.Key)
			if err != nil {
				return err
			}
			s.Organisation = own
			for i := range organisations {
				s.Organisations = append(s.Organisations, organisations[i].Id)
			}
			for i := range m.Styles {
				s.Districts = append(s.Districts, m.Styles[i].District)
			}
			if _, err := registry.Create(folder, s); err != nil {
				return err
			}
			say(c, "%s is the folder of %s for election %s, with %d districts; next: votenode registrar import", folder, own, *id, len(s.Districts))
			return nil
		},
	}
	flags.add(c)
	c.Flags().StringVar(&folder, "store", "", "new folder")
	require(c, "store")
	id = electionFlag(c)
	return c
}

// shownRound is what is said of a round of members.
type shownRound struct {
	Round   uint32 `json:"round"`
	Members int    `json:"members"`
}

func newRegistrarImportCommand() *cobra.Command {
	var folder storeFlags
	c := &cobra.Command{
		Use:   "import CSV",
		Short: "Import a list of members as the next round",
		Long: `Import a list of members as the next round: CSV with the header member,district or member,district,key. member is your own reference and
never leaves the folder. key is empty, or the application of a member who brings a key of its own (votenode voter apply). The order of the
lines counts: all registrars import the same members in the same order. Where a line is wrong nothing is imported, and all wrong lines are told.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := registry.Open(folder.folder)
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				return err
			}
			m := newMeter(c, "bytes")
			round, n, err := s.Import(f, func(read int64) { m.set(read, info.Size()) })
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			data := shownRound{round, n}
			return show(c, data, func(w io.Writer) { fmt.Fprintf(w, "round %d: %d members\n", data.Round, data.Members) })
		},
	}
	folder.add(c)
	return c
}

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
	return c
}

func newRegistrarExpectCommand() *cobra.Command {
	var folder storeFlags
	c := &cobra.Command{
		Use:   "expect ORGANISATION COMMITMENT",
		Short: "Note another registrar's commitment to its halves",
		Args:  cobra.ExactArgs(2),
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
			return keyfile.Create(*out, file)
		},
	}
	folder.add(c)
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
print the code of one member, to be read out or typed. Whoever has the halves of all organisations has the member's key: each registrar gives
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
	c.Flags().StringVar(&out, "out", "", "folder for one file for each member")
	c.Flags().StringVar(&member, "member", "", "reference of the one member whose code is printed")
	c.MarkFlagsMutuallyExclusive("out", "member")
	c.MarkFlagsOneRequired("out", "member")
	return c
}

// handOut writes one file for each member of a round that gets a half, and the list of who gets which.
func handOut(c *cobra.Command, s *registry.Store, round uint32, folder string) error {
	members, err := s.Members(round)
	if err != nil {
		return err
	}
	halves, err := s.Halves(round)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var list strings.Builder
	lines := csv.NewWriter(&list)
	progress := bar(c, "members", len(members))
	for slot := range members {
		if members[slot].Key != nil {
			continue
		}
		half, err := halves(uint64(slot))
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s-%d-%07d.half", s.Organisation, round, slot)
		text := fmt.Sprintf("# %s: half of a key for election %s on %s\n%s\n", s.Organisation, s.Election, s.Chain, ballot.FormatHalf(half))
		if err := keyfile.CreateOnce(filepath.Join(folder, name), []byte(text)); err != nil {
			return err
		}
		if err := lines.Write([]string{members[slot].Reference, name}); err != nil {
			return err
		}
		progress(slot + 1)
	}
	lines.Flush()
	return keyfile.Replace(filepath.Join(folder, "members.csv"), []byte(list.String()))
}

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
	c := &cobra.Command{
		Use:   "revoke [REFERENCE... --cause CAUSE]",
		Short: "Note that members are not to vote with their entries, and print the list for the officers",
		Long: `Note in the folder that members are not to vote with their entries, and print these entries for the officers: CSV with the header
roll_index,cause. Before the roll is sealed the list goes into the resolution that seals it (votenode resolution propose seal-roll --struck FILE),
afterwards into one that revokes (votenode resolution propose revoke-voters --list FILE). CAUSE is paper, key-lost, left or other.
Without a reference all members who were ever struck or reissued are printed: do so when the roll is complete, and seal it with that list.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) == 0) != (cause == "") {
				return usagef("references and --cause go together")
			}
			s, err := registry.Open(folder.folder)
			if err != nil {
				return err
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				all, err := s.Struck()
				if err != nil {
					return err
				}
				return showStruck(c, s, l, all)
			}
			why, err := parseCause(cause)
			if err != nil {
				return err
			}
			struck, err := s.Strike(args, why)
			if err != nil {
				return err
			}
			return showStruck(c, s, l, struck)
		},
	}
	folder.add(c)
	ledger.add(c)
	c.Flags().StringVar(&cause, "cause", "", "paper, key-lost, left or other")
	return c
}

// shownStruck is an entry of the roll that is struck.
type shownStruck struct {
	RollIndex uint64 `json:"roll_index"`
	Cause     string `json:"cause"`
}

// showStruck prints the entries of struck members that stand in the roll.
func showStruck(c *cobra.Command, s *registry.Store, l *client.Ledger, struck []registry.Struck) error {
	if err := sameChain(s, l); err != nil {
		return err
	}
	v, err := l.Certified(c.Context())
	if err != nil {
		return err
	}
	roll, err := client.RollEntries(c.Context(), v, s.Election)
	if err != nil {
		return err
	}
	index := make(map[string]uint64, len(roll))
	for i := range roll {
		index[string(roll[i].Key)] = uint64(i)
	}
	rounds := map[uint32][][]byte{}
	list := []shownStruck{}
	for _, member := range struck {
		if rounds[member.Round] == nil {
			keys, err := s.Keys(member.Round)
			if errors.Is(err, registry.ErrOrder) {
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
	slices.SortFunc(list, func(a, b shownStruck) int { return int(a.RollIndex) - int(b.RollIndex) })
	return show(c, list, func(w io.Writer) {
		fmt.Fprintln(w, "roll_index,cause")
		for _, line := range list {
			fmt.Fprintf(w, "%d,%s\n", line.RollIndex, line.Cause)
		}
	})
}

// readStruck reads what showStruck printed, or a person: strictly ascending afterwards.
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
	slices.SortFunc(list, func(a, b pb.StruckVoter) int {
		if a.Voter < b.Voter {
			return -1
		}
		return 1
	})
	return list, nil
}

func newRegistrarReissueCommand() *cobra.Command {
	var folder storeFlags
	var ledger ledgerFlags
	c := &cobra.Command{
		Use:   "reissue REFERENCE...",
		Short: "Strike the entries of members whose keys are lost, and begin a round with new halves for them",
		Long: `Strike the entries of members whose keys are lost, begin a round with the same members, and print the struck entries as revoke does. Go on
with issue. All registrars reissue the same members in the same order. It is for the time before the roll is sealed: after that an entry can only
be revoked.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := registry.Open(folder.folder)
			if err != nil {
				return err
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			v, err := l.Certified(c.Context())
			if err != nil {
				return err
			}
			e, err := client.LoadElection(c.Context(), v, s.Election)
			if err != nil {
				return err
			}
			if e.RollSealed {
				return fmt.Errorf("the roll of %q is sealed and takes no new entry; revoke the old ones with: votenode registrar revoke", s.Election)
			}
			round, struck, err := s.Reissue(args)
			if err != nil {
				return err
			}
			say(c, "round %d has the %d members; next: votenode registrar issue", round, len(args))
			return showStruck(c, s, l, struck)
		},
	}
	folder.add(c)
	ledger.add(c)
	return c
}

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
