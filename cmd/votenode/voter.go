package main

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/book"
	"votenode/client/keyfile"
	"votenode/client/readable"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

func newVoterCommand() *cobra.Command {
	return group("voter", "Cast a ballot, and check the device that makes it",
		newVoterBallotCommand(), newVoterCastCommand(), newVoterChooseCommand(), newVoterChallengeCommand(), newCheckChallengeCommand(),
		newVoterStatusCommand(), newVoterReceiptCommand(), newVoterWatchCommand(), newVoterBookCommand(), newVoterJoinCommand(), newVoterApplyCommand())
}

// voterFlags are what a voter's commands need.
type voterFlags struct {
	ledger   ledgerFlags
	key      keyFlags
	election *string
	index    int64
	book     bookFlag
}

func (f *voterFlags) add(c *cobra.Command) {
	f.ledger.add(c)
	f.key.add(c, keyfile.Voter)
	f.election = electionFlag(c)
	c.Flags().Int64Var(&f.index, "roll-index", -1, "place in the roll; without it the whole roll is searched for the key")
	f.book.add(c)
}

// openVoter is a voter with what a certified state says of the election and the voter's entry in its roll.
type openVoter struct {
	*client.Voter
	view     *client.View
	manifest *pb.Manifest
	entry    *pb.RollEntry
	removed  map[uint32][]uint32 // options whose candidates were removed, by contest
}

// form returns the empty ballot of the voter.
func (v *openVoter) form() (*readable.Form, error) {
	return readable.NewForm(v.manifest, v.entry.Style, v.removed)
}

// selections reads what is selected. Where a candidate is selected who was removed, the voter has to say that this is meant.
func (v *openVoter) selections(filled *readable.Form, meant bool) ([][]int, error) {
	selections, err := filled.Selections(v.manifest, v.entry.Style)
	if err != nil {
		return nil, err
	}
	removed, err := filled.SelectedRemoved(v.manifest, v.entry.Style, v.removed)
	if err == nil && len(removed) > 0 && !meant {
		err = fmt.Errorf("a resolution removed %s: %s; choose somebody else, or say with --removed that you mean it", strings.Join(removed, " and "), readable.RemovedVotes)
	}
	return selections, err
}

// open finds the voter and opens the book. What is wrong with the election is told first: fits, if not nil, says whether it is of the kind that
// is asked for.
func (f *voterFlags) open(c *cobra.Command, fits func(*pb.Manifest) error) (*openVoter, error) {
	secret, err := f.key.voter()
	if err != nil {
		return nil, err
	}
	l, err := f.ledger.open(c)
	if err != nil {
		return nil, err
	}
	v, m, err := loadRules(c, l, *f.election)
	if err != nil {
		return nil, err
	}
	if fits != nil {
		if err := fits(m); err != nil {
			return nil, err
		}
	}
	voter := &client.Voter{Ledger: l, Election: *f.election, Index: uint64(f.index), Key: secret}
	if f.index < 0 {
		if voter.Index, err = client.FindVoter(c.Context(), v, voter.Election, secret.Public()); err != nil {
			return nil, err
		}
	}
	entry, err := v.RollEntry(c.Context(), voter.Election, voter.Index)
	if err != nil {
		return nil, err
	}
	removed, err := readable.RemovedOptions(c.Context(), v, voter.Election)
	if err != nil {
		return nil, err
	}
	return &openVoter{voter, v, m, entry, removed}, f.book.open(f.key.file, voter)
}

func newVoterBallotCommand() *cobra.Command {
	var flags voterFlags
	c := &cobra.Command{
		Use:   "ballot",
		Short: "Print the empty ballot, to be filled in",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			voter, err := flags.open(c, nil)
			if err != nil {
				return err
			}
			if err := voter.view.CheckNotRevoked(c.Context(), voter.Election, voter.Index); err != nil {
				return err
			}
			form, err := voter.form()
			if err != nil {
				return err
			}
			for _, contest := range form.Contests {
				if len(contest.Removed) > 0 {
					say(c, "removed from %q by resolution: %s; %s", contest.Title, strings.Join(contest.Removed, ", "), readable.RemovedVotes)
				}
			}
			return writeJSON(c, "-", form)
		},
	}
	flags.add(c)
	return c
}

// writeJSON writes indented JSON to a new file, or to stdout where the path is -.
func writeJSON(c *cobra.Command, path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return createFile(c, path, append(data, '\n'))
}

// readForm reads a filled-in ballot.
func readForm(path string) (*readable.Form, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	filled, err := readable.ParseForm(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return filled, nil
}

// prepare reads the filled-in ballot, encrypts it and shows its confirmation code.
func (f *voterFlags) prepare(c *cobra.Command, path string, removedMeant bool) (*client.Prepared, error) {
	filled, err := readForm(path)
	if err != nil {
		return nil, err
	}
	voter, err := f.open(c, client.CheckSecret)
	if err != nil {
		return nil, err
	}
	selections, err := voter.selections(filled, removedMeant)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	prepared, err := voter.Prepare(c.Context(), selections, rand.Reader)
	if err == nil {
		_, err = f.book.look(c, voter.view, false)
	}
	if err == nil {
		say(c, "The confirmation code of your ballot is %s. Write it down.", ballot.FormatCode(prepared.Code()))
	}
	return prepared, err
}

func newVoterCastCommand() *cobra.Command {
	var flags voterFlags
	var wait waitFlag
	var yes, removedMeant bool
	var opening, slips string
	c := &cobra.Command{
		Use:   "cast BALLOT",
		Short: "Encrypt a filled-in ballot, then cast it or challenge the device",
		Long: `Encrypt a filled-in ballot, show its confirmation code, and ask whether to cast it or to challenge it. A challenged ballot is
barred on the ledger and then opened, so that another device can check that it held your selections; nothing
is counted of it, and you cast again. The device cannot know beforehand which ballots will be challenged.
Until voting closes you can cast again as often as you like; the last ballot counts.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			until, err := wait.parse()
			if err != nil {
				return err
			}
			prepared, err := flags.prepare(c, args[0], removedMeant)
			if err != nil {
				return err
			}
			if !yes {
				cast, err := askCast(c)
				if err != nil {
					return err
				}
				if !cast {
					return challenge(c, prepared, opening)
				}
			}
			return castNow(c, prepared, until, wait.name, slips)
		},
	}
	flags.add(c)
	wait.add(c)
	c.Flags().BoolVar(&yes, "yes", false, "cast without asking")
	removedFlag(c, &removedMeant)
	c.Flags().StringVar(&opening, "opening", "opened-ballot.json", "new file for the opened ballot, where it is challenged")
	c.Flags().StringVar(&slips, "slips", ".", "folder for the acceptance slips that validators sign")
	return c
}

func removedFlag(c *cobra.Command, meant *bool) {
	c.Flags().BoolVar(meant, "removed", false, "you mean a vote for a candidate who was removed")
}

// askCast asks until the answer is cast or challenge.
func askCast(c *cobra.Command) (bool, error) {
	answer, err := askUntil(c, "Type cast to cast it, or challenge to test this device: ", "cast", "challenge")
	return answer == "cast", err
}

// askUntil asks until the answer is one of some.
func askUntil(c *cobra.Command, question string, answers ...string) (string, error) {
	lines := bufio.NewScanner(c.InOrStdin())
	for {
		fmt.Fprint(c.ErrOrStderr(), question)
		if !lines.Scan() {
			return "", fmt.Errorf("nothing was chosen and nothing was cast; run the command again (%w)", io.ErrUnexpectedEOF)
		}
		if answer := strings.TrimSpace(lines.Text()); slices.Contains(answers, answer) {
			return answer, nil
		}
	}
}

// challenge bars a ballot and writes its opening to a new file. Where that file is there already nothing is sent: the opening would be lost.
func challenge(c *cobra.Command, prepared *client.Prepared, path string) error {
	if err := unused(path); err != nil {
		return fmt.Errorf("nothing was sent: %w with --opening", err)
	}
	opened, err := prepared.Challenge(c.Context(), rand.Reader)
	if err != nil {
		return err
	}
	if err := writeJSON(c, path, opened); err != nil {
		return err
	}
	say(c, "challenged: it can never be cast. Take %s and the code to another device and run there: votenode voter check-challenge", path)
	return showCode(c, prepared)
}

func showCode(c *cobra.Command, prepared casting) error {
	data := struct {
		Code string `json:"confirmation_code"`
	}{ballot.FormatCode(prepared.Code())}
	return show(c, data, func(w io.Writer) { fmt.Fprintln(w, data.Code) })
}

func newVoterChallengeCommand() *cobra.Command {
	var flags voterFlags
	var opening string
	c := &cobra.Command{
		Use:   "challenge BALLOT",
		Short: "Encrypt a filled-in ballot and challenge it without asking",
		Long: `Encrypt a filled-in ballot and challenge it without asking. A device that is told beforehand can behave; what tests it
is 'voter cast', answered with challenge.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			prepared, err := flags.prepare(c, args[0], true)
			if err != nil {
				return err
			}
			return challenge(c, prepared, opening)
		},
	}
	flags.add(c)
	c.Flags().StringVar(&opening, "opening", "opened-ballot.json", "new file for the opened ballot")
	return c
}

func newCheckChallengeCommand() *cobra.Command {
	var ledger ledgerFlags
	var code string
	c := &cobra.Command{
		Use:   "check-challenge FILE",
		Short: "Check on another device that an opened ballot held its selections",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			noted, err := ballot.ParseCode(code)
			if err != nil {
				return usagef("--code: %w", err)
			}
			data, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			opened, err := client.ParseChallenge(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			if err := opened.Check(c.Context(), l, noted); err != nil {
				return err
			}
			v, err := l.Certified(c.Context())
			if err != nil {
				return err
			}
			form, err := readable.FilledForm(c.Context(), v, opened)
			if err != nil {
				return err
			}
			say(c, "the ballot held exactly these selections:")
			return writeJSON(c, "-", form)
		},
	}
	ledger.add(c)
	c.Flags().StringVar(&code, "code", "", "the confirmation code that you wrote down")
	require(c, "code")
	return c
}

// shownVoter is what the ledger says of a voter.
type shownVoter struct {
	RollIndex uint64 `json:"roll_index"`
	District  string `json:"district"`
	Status    string `json:"status"`
	Sequence  uint64 `json:"sequence"`
	Code      string `json:"confirmation_code,omitempty"`
	Height    int64  `json:"height"`
	// Foreign is what the voter's book does not explain.
	Foreign []book.Foreign `json:"foreign,omitempty"`
}

func newVoterStatusCommand() *cobra.Command {
	var flags voterFlags
	var thorough bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show which ballot of yours counts",
		Long: `Show which ballot of yours counts, and warn of every ballot and challenge under your place in the roll that your book
does not know.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			voter, err := flags.open(c, nil)
			if err != nil {
				return err
			}
			sight, err := flags.book.look(c, voter.view, thorough)
			if err != nil {
				return err
			}
			leaf := sight.Voter
			district := voter.manifest.Styles[voter.entry.Style].District
			data := shownVoter{RollIndex: voter.Index, District: district, Sequence: leaf.Sequence, Height: voter.view.Height(), Foreign: sight.Foreign}
			data.Status = readable.VoterStatus(leaf)
			if len(leaf.Code) == 32 {
				data.Code = ballot.FormatCode([32]byte(leaf.Code))
			}
			return show(c, data, func(w io.Writer) {
				fmt.Fprintf(w, "roll index  %d\ndistrict    %s\nstatus      %s\nsequence    %d\ncode        %s\n",
					data.RollIndex, data.District, data.Status, data.Sequence, data.Code)
			})
		},
	}
	flags.add(c)
	addThorough(c, &thorough)
	return c
}
