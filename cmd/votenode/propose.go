package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

func newProposeCommand() *cobra.Command {
	return group("propose", "Propose a resolution, and so approve it",
		newProposeFileCommand(), newCreateElectionCommand(), newAppointTrusteesCommand(), newSealRollCommand(),
		newScheduleCommand(), newExtendCommand(), newCancelCommand(), newRevokeVotersCommand(),
		newReplaceTrusteesCommand(), newExcuseTrialCommand(), newChangeValidatorsCommand(), newChangeOfficersCommand(),
		newUpgradeSoftwareCommand(), newCancelUpgradeCommand(), newPaperTotalsCommand(), newExcusePaperCommand(), newCancelNominationsCommand(), newRemoveCandidateCommand(), newRenewLotCommand(),
		newOpenInitiativesCommand(), newAnswerInitiativeCommand(), newRemovePostCommand())
}

// decide returns a command that proposes what make returns. make may read the ledger and send what the decision rests on.
func decide(use, short string, args cobra.PositionalArgs, make func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error)) *cobra.Command {
	var flags proposeFlags
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  args,
		RunE: func(c *cobra.Command, args []string) error {
			officer, err := flags.open(c)
			if err != nil {
				return err
			}
			r, err := make(c, officer, args)
			if err != nil {
				return err
			}
			return flags.propose(c, officer, r)
		},
	}
	flags.add(c)
	return c
}

func newProposeFileCommand() *cobra.Command {
	return decide("file FILE", "Propose what a JSON file says, in the form that 'resolution show' prints", cobra.ExactArgs(1),
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			r := new(pb.Resolution)
			return r, readMessage(args[0], r)
		})
}

func newCreateElectionCommand() *cobra.Command {
	return decide("create-election MANIFEST", "Publish a manifest and propose its election", cobra.ExactArgs(1),
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			m, err := readManifest(args[0])
			if err != nil {
				return nil, err
			}
			document := election.Encode(m)
			hash, err := o.Publish(c.Context(), document, bar(c, "publishing", len(document)))
			if err != nil {
				return nil, err
			}
			return &pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: hash[:]}}}, nil
		})
}

// electionFlag names the election.
func electionFlag(c *cobra.Command) *string {
	id := c.Flags().String("election", "", "id of the election")
	require(c, "election")
	return id
}

func newAppointTrusteesCommand() *cobra.Command {
	var id *string
	var quorum uint32
	var trustees []string
	c := decide("appoint-trustees", "Propose the trustees of all organisations, which starts the key ceremony", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			boards, err := parseBoards(trustees, quorum)
			if err != nil {
				return nil, err
			}
			return &pb.Resolution{Decision: &pb.Resolution_AppointTrustees{
				AppointTrustees: &pb.AppointTrustees{Election: *id, Boards: boards},
			}}, nil
		})
	id = electionFlag(c)
	c.Flags().Uint32Var(&quorum, "quorum", 0, "how many trustees of each organisation suffice to decrypt")
	c.Flags().StringArrayVar(&trustees, "trustee", nil, "a trustee as ORGANISATION:NAME:KEY, repeated; the order gives the indices")
	require(c, "quorum", "trustee")
	return c
}

func parseBoards(trustees []string, quorum uint32) ([]pb.TrusteeBoard, error) {
	var boards []pb.TrusteeBoard
	for _, text := range trustees {
		organisation, rest, _ := strings.Cut(text, ":")
		member, err := parseMember(rest)
		if err != nil {
			return nil, usagef("--trustee %q is not ORGANISATION:NAME:KEY", text)
		}
		i := slices.IndexFunc(boards, func(b pb.TrusteeBoard) bool { return b.Organisation == organisation })
		if i < 0 {
			i, boards = len(boards), append(boards, pb.TrusteeBoard{Organisation: organisation, Quorum: quorum})
		}
		boards[i].Trustees = append(boards[i].Trustees, member)
	}
	slices.SortFunc(boards, func(a, b pb.TrusteeBoard) int { return strings.Compare(a.Organisation, b.Organisation) })
	return boards, nil
}

// parseMember reads NAME:KEY.
func parseMember(text string) (pb.Member, error) {
	at := strings.LastIndexByte(text, ':')
	if at < 1 {
		return pb.Member{}, usagef("--trustee %q is not NAME:KEY", text)
	}
	key, err := hex.DecodeString(text[at+1:])
	if err != nil {
		return pb.Member{}, usagef("--trustee %q: the key is not in hexadecimal digits", text)
	}
	return pb.Member{Name: text[:at], Key: key}, nil
}

func newSealRollCommand() *cobra.Command {
	var id *string
	var struckFile string
	c := decide("seal-roll", "Propose to seal the roll as it stands in the certified state", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			v, err := o.Ledger.Certified(c.Context())
			if err != nil {
				return nil, err
			}
			e, err := client.LoadElection(c.Context(), v, *id)
			if err != nil {
				return nil, err
			}
			if e.RollSealed {
				return nil, fmt.Errorf("the roll of %q is sealed already", *id)
			}
			head, err := v.Head(c.Context(), state.LogRoll(*id))
			if err != nil {
				return nil, err
			}
			d := &pb.SealRoll{Election: *id, Size_: head.Size, Root: head.Root[:]}
			if struckFile != "" {
				if d.Struck, err = readStruck(struckFile); err != nil {
					return nil, err
				}
			}
			if n := len(d.Struck); n > 0 && d.Struck[n-1].Voter >= head.Size {
				return nil, fmt.Errorf("%s: there is no entry %d: the roll has %d, from 0", struckFile, d.Struck[n-1].Voter, head.Size)
			}
			say(c, "the roll has %d entries, %d of them are struck; compare it with your own members: votenode registrar counts --struck", head.Size, len(d.Struck))
			return &pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: d}}, nil
		})
	c.Flags().StringVar(&struckFile, "struck", "", "entries that give no right to vote: what votenode registrar revoke prints")
	id = electionFlag(c)
	return c
}

// timeFlag is a flag for a moment, such as 2026-03-01T09:00:00Z, or +10m from now.
func timeFlag(c *cobra.Command, name, usage string) func() (int64, error) {
	text := c.Flags().String(name, "", usage+", such as 2026-03-01T09:00:00Z, or +90m from now")
	require(c, name)
	return func() (int64, error) {
		if after, ok := strings.CutPrefix(*text, "+"); ok {
			d, err := time.ParseDuration(after)
			if err != nil {
				return 0, usagef("--%s: %w", name, err)
			}
			return time.Now().Add(d).Unix(), nil
		}
		t, err := time.Parse(time.RFC3339, *text)
		if err != nil {
			return 0, usagef("--%s: %w", name, err)
		}
		return t.Unix(), nil
	}
}

func newScheduleCommand() *cobra.Command {
	var id *string
	var opening, closing func() (int64, error)
	c := decide("schedule", "Propose the times of an election that is not open", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			from, err := opening()
			if err != nil {
				return nil, err
			}
			to, err := closing()
			return &pb.Resolution{Decision: &pb.Resolution_ScheduleElection{
				ScheduleElection: &pb.ScheduleElection{Election: *id, Opening: from, Closing: to},
			}}, err
		})
	id = electionFlag(c)
	opening, closing = timeFlag(c, "opening", "when voting opens"), timeFlag(c, "closing", "when voting closes")
	return c
}

func newExtendCommand() *cobra.Command {
	var id *string
	var cause string
	var closing func() (int64, error)
	var from, to int64
	c := decide("extend", "Propose a later closing while voting is open", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			until, err := closing()
			if err != nil {
				return nil, err
			}
			named, err := readable.ParseCause(cause)
			if err != nil {
				return nil, usagef("--cause: %w", err)
			}
			if named != pb.EXTENSION_OTHER && from == 0 {
				return nil, usagef("--cause %s: name the time with --from-height and --to-height", cause)
			}
			return &pb.Resolution{Decision: &pb.Resolution_ExtendElection{
				ExtendElection: &pb.ExtendElection{Election: *id, Closing: until, Cause: named, From: from, To: to},
			}}, nil
		})
	c.Long = `Propose a later closing while voting is open, for a cause that --reason puts into words. When it takes effect the ledger attaches who did not
sign in the heights that are named, the longest time without a block, and what each validator reported of its intake: 'votenode election extensions' shows it.`
	id = electionFlag(c)
	closing = timeFlag(c, "closing", "when voting closes now")
	c.Flags().StringVar(&cause, "cause", "", "outage (voters could not reach nodes), halt (no blocks), attack, or other")
	c.Flags().Int64Var(&from, "from-height", 0, "first height of the time for which this makes up; none only with --cause other")
	c.Flags().Int64Var(&to, "to-height", 0, "last height of that time")
	require(c, "cause")
	c.MarkFlagsRequiredTogether("from-height", "to-height")
	return c
}

func newCancelCommand() *cobra.Command {
	var id *string
	c := decide("cancel", "Propose to end an election without a result", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			return &pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: *id}}}, nil
		})
	id = electionFlag(c)
	return c
}

func newRevokeVotersCommand() *cobra.Command {
	var id *string
	var cause, listFile string
	c := decide("revoke-voters [INDEX...]", "Propose to take the right to vote from entries of a sealed roll", cobra.ArbitraryArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			d := &pb.RevokeVoters{Election: *id}
			var err error
			if listFile != "" {
				err = addListed(d, listFile)
			} else {
				d.Cause, err = parseCause(cause)
			}
			if err != nil {
				return nil, err
			}
			for _, text := range args {
				index, err := strconv.ParseUint(text, 10, 64)
				if err != nil {
					return nil, usagef("%q is no roll index", text)
				}
				d.Voters = append(d.Voters, index)
			}
			slices.Sort(d.Voters)
			if d.Voters = slices.Compact(d.Voters); len(d.Voters) == 0 {
				return nil, usagef("name the roll index of an entry, or a --list of them")
			}
			return &pb.Resolution{Decision: &pb.Resolution_RevokeVoters{RevokeVoters: d}}, nil
		})
	id = electionFlag(c)
	c.Flags().StringVar(&cause, "cause", "other", "paper, key-lost, left, or other, which --reason must then explain")
	c.Flags().StringVar(&listFile, "list", "", "entries of one cause: what votenode registrar revoke prints")
	c.MarkFlagsMutuallyExclusive("cause", "list")
	return c
}

// addListed takes the entries of a list, which have one cause, into a revocation.
func addListed(d *pb.RevokeVoters, path string) error {
	listed, err := readStruck(path)
	if err != nil {
		return err
	}
	for i := range listed {
		if d.Cause = listed[i].Cause; d.Cause != listed[0].Cause {
			return fmt.Errorf("%s has entries of several causes; a resolution revokes for one: make a list for each", path)
		}
		d.Voters = append(d.Voters, listed[i].Voter)
	}
	return nil
}

func newReplaceTrusteesCommand() *cobra.Command {
	var id *string
	var organisation string
	var trustees []string
	c := decide("replace-trustees", "Propose trustees in the place of those that are out", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			d := &pb.ReplaceTrustees{Election: *id, Organisation: organisation}
			for _, text := range trustees {
				member, err := parseMember(text)
				if err != nil {
					return nil, err
				}
				d.Trustees = append(d.Trustees, member)
			}
			return &pb.Resolution{Decision: &pb.Resolution_ReplaceTrustees{ReplaceTrustees: d}}, nil
		})
	id = electionFlag(c)
	c.Flags().StringVar(&organisation, "organisation", "", "whose trustees")
	c.Flags().StringArrayVar(&trustees, "trustee", nil, "a trustee as NAME:KEY, repeated")
	require(c, "organisation", "trustee")
	return c
}

func newExcuseTrialCommand() *cobra.Command {
	var id *string
	var organisation string
	c := decide("excuse-trial INDEX...", "Propose that the trial counts as done without some trustees", cobra.MinimumNArgs(1),
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			d := &pb.ExcuseTrial{Election: *id, Organisation: organisation}
			for _, text := range args {
				index, err := strconv.ParseUint(text, 10, 32)
				if err != nil {
					return nil, usagef("%q is no trustee's index", text)
				}
				d.Trustees = append(d.Trustees, uint32(index))
			}
			slices.Sort(d.Trustees)
			return &pb.Resolution{Decision: &pb.Resolution_ExcuseTrial{ExcuseTrial: d}}, nil
		})
	id = electionFlag(c)
	c.Flags().StringVar(&organisation, "organisation", "", "whose trustees")
	require(c, "organisation")
	return c
}

func newChangeValidatorsCommand() *cobra.Command {
	var add, remove []string
	c := decide("change-validators", "Propose the present validators with some added and removed", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			v, err := o.Ledger.Certified(c.Context())
			if err != nil {
				return nil, err
			}
			epochs, err := client.MustLoad[pb.ValidatorEpochs](c.Context(), v, state.KeyValidators)
			if err != nil {
				return nil, err
			}
			list, err := changeValidators(epochs.Present.Validators, add, remove)
			return &pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{Validators: list}}}, err
		})
	c.Flags().StringSliceVar(&add, "add", nil, "entry of a validator, as 'genesis entry validator' makes it")
	c.Flags().StringSliceVar(&remove, "remove", nil, "consensus key of a validator")
	c.MarkFlagsOneRequired("add", "remove")
	return c
}

// changeValidators returns a list with the validators of entry files added and those of keys removed, sorted by key.
func changeValidators(present []pb.Validator, add, remove []string) ([]pb.Validator, error) {
	list := slices.Clone(present)
	for _, text := range remove {
		key, err := hex.DecodeString(text)
		i := slices.IndexFunc(list, func(v pb.Validator) bool { return bytes.Equal(v.Key, key) })
		if err != nil || i < 0 {
			return nil, usagef("--remove: no validator has the consensus key %q", text)
		}
		list = slices.Delete(list, i, i+1)
	}
	for _, path := range add {
		entry, err := readEntry(path)
		if err != nil {
			return nil, err
		}
		v := entry.GetValidator()
		if v == nil {
			return nil, usagef("--add: %s is no entry of a validator", path)
		}
		list = append(list, *v)
	}
	slices.SortFunc(list, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
	return list, nil
}

func newUpgradeSoftwareCommand() *cobra.Command {
	d := new(pb.UpgradeSoftware)
	var binary string
	c := decide("upgrade-software", "Propose the height behind which the next protocol version is in force", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			hash, err := parseHash(binary)
			if err != nil {
				return nil, usagef("--binary: %w", err)
			}
			d.Binary = hash[:]
			return &pb.Resolution{Decision: &pb.Resolution_UpgradeSoftware{UpgradeSoftware: d}}, nil
		})
	c.Long = `Propose the height behind which the next protocol version is in force. All nodes whose binary does not know it stop after that height,
with exit code 4. A binary that knows it can be installed at any time before.`
	c.Flags().Int64Var(&d.Height, "height", 0, "last height under the present version")
	c.Flags().Uint64Var(&d.Version, "protocol", 0, "the next version")
	c.Flags().StringVar(&binary, "binary", "", "SHA-256 of the new binary, as sha256sum prints it")
	require(c, "height", "protocol", "binary")
	return c
}

func newCancelUpgradeCommand() *cobra.Command {
	d := new(pb.CancelUpgrade)
	c := decide("cancel-upgrade", "Propose to take back an upgrade whose height is ahead", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			return &pb.Resolution{Decision: &pb.Resolution_CancelUpgrade{CancelUpgrade: d}}, nil
		})
	c.Flags().Int64Var(&d.Height, "height", 0, "height of the upgrade")
	require(c, "height")
	return c
}

func newPaperTotalsCommand() *cobra.Command {
	c := decide("paper-totals FILE", "Propose what was counted on paper in a polling place", cobra.ExactArgs(1),
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			d := new(pb.PaperTotals)
			if err := readMessage(args[0], d); err != nil {
				return nil, err
			}
			return &pb.Resolution{Decision: &pb.Resolution_PaperTotals{PaperTotals: d}}, nil
		})
	c.Long = `Propose what was counted on paper in a polling place, from a form that 'votenode election paper ID --form PLACE' printed. That is possible
after closing and before decryption begins. Sums that cannot be are refused.`
	return c
}

func newExcusePaperCommand() *cobra.Command {
	var id *string
	var corrects string
	c := decide("excuse-paper PLACE", "Propose that a polling place brings no totals; --reason says why", cobra.ExactArgs(1),
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			d := &pb.ExcusePaper{Election: *id, Place: args[0]}
			if corrects != "" {
				hash, err := parseHash(corrects)
				if err != nil {
					return nil, usagef("--corrects: %w", err)
				}
				d.Corrects = hash[:]
			}
			return &pb.Resolution{Decision: &pb.Resolution_ExcusePaper{ExcusePaper: d}}, nil
		})
	id = electionFlag(c)
	c.Flags().StringVar(&corrects, "corrects", "", "hash of the resolution about this polling place that stands, where there is one")
	require(c, "reason")
	return c
}

func newRenewLotCommand() *cobra.Command {
	var id *string
	c := decide("renew-lot", "Propose another round of the lot, without the secrets that are missing; --reason says why", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			d, err := o.RenewLot(c.Context(), *id)
			return &pb.Resolution{Decision: &pb.Resolution_RenewLot{RenewLot: d}}, err
		})
	c.Long = `Propose to end a round of the lot in which an organisation has lost its secret, or keeps it, while a list waits for it. All organisations then commit
anew. The command waits until a list waits and the time for the secrets is over. The resolution names all who have not revealed: if one of
them reveals before it takes effect, it does not. Who may have kept its secret may know how this round would have fallen, and you do not:
approve no second round without asking why. Do not reveal a secret of the round while a resolution that you have approved waits for others; withdraw first.`
	id = electionFlag(c)
	require(c, "reason")
	return c
}
