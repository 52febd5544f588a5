package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/registry"
)

// storeFlags name a registrar's folder and, of some commands, a round in it.
type storeFlags struct {
	folder string
	round  uint32
}

func (f *storeFlags) addOptional(c *cobra.Command) {
	c.Flags().StringVar(&f.folder, "store", "", "the registrar's folder")
}

func (f *storeFlags) addRound(c *cobra.Command) {
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

// openAt opens the folder, and a certified state of its ledger.
func (f *storeFlags) openAt(c *cobra.Command, ledger *ledgerFlags) (*registry.Store, *client.View, error) {
	s, err := registry.Open(f.folder)
	if err != nil {
		return nil, nil, err
	}
	v, err := ledger.view(c)
	if err != nil {
		return nil, nil, err
	}
	return s, v, sameChain(s, v.Chain())
}

// sameChain refuses a folder of another ledger.
func sameChain(s *registry.Store, chain string) error {
	if s.Chain != chain {
		return fmt.Errorf("the folder is for the ledger %q, this one is %q", s.Chain, chain)
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

// counted says how many there are, with the word for one or for more.
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
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
			return show(c, data, func(w io.Writer) {
				fmt.Fprintf(w, "round %d: %s\n", data.Round, counted(data.Members, "member", "members"))
			})
		},
	}
	folder.add(c)
	return c
}

func newRegistrarDropCommand() *cobra.Command {
	var folder storeFlags
	var ledger ledgerFlags
	var round uint32
	c := &cobra.Command{
		Use:   "drop --round N",
		Short: "Take the newest round of members back, before the proofs of all others are accepted",
		Long: `Take the newest round of members back, with its halves, where the list or a commitment was wrong: as long as the proofs of all others are not
accepted, none of its keys can come into the roll. The registrars of all organisations do it, and import the members again; halves, commitments and
files of the dropped round are worth nothing. Members whom a reissue struck stay struck: reissue them again.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			s, v, err := folder.openAt(c, &ledger)
			if err != nil {
				return err
			}
			roll, err := rollIndices(c.Context(), v, s.Election)
			if err != nil {
				return err
			}
			unknown, err := unknownEntries(s, roll)
			if err != nil {
				return err
			}
			if unknown > 0 {
				return fmt.Errorf("nothing was dropped: the roll has %s whose keys no round of this folder has, perhaps of this round; if files of the other registrars are lost, take them again with prove and accept", counted(unknown, "entry", "entries"))
			}
			if err := s.Drop(round); err != nil {
				return err
			}
			say(c, "round %d is dropped; next: votenode registrar import", round)
			return nil
		},
	}
	folder.add(c)
	ledger.add(c)
	c.Flags().Uint32Var(&round, "round", 0, "the newest round")
	require(c, "round")
	return c
}
