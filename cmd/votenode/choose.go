package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/readable"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// casting is a ballot or an open choice that is ready to be cast.
type casting interface {
	Code() [32]byte
	Cast(ctx context.Context, wait client.Wait) error
	Promises() []*pb.Promise
}

// castNow casts, writes what was promised, and shows the confirmation code.
func castNow(c *cobra.Command, prepared casting, until client.Wait, waited, slips string) error {
	err := prepared.Cast(c.Context(), until)
	if len(prepared.Promises()) > 0 || err == nil {
		err = errors.Join(err, writePromises(c, prepared, slips))
	}
	if err != nil {
		return err
	}
	say(c, "cast; waited until it was %s", waited)
	return showCode(c, prepared)
}

func newVoterChooseCommand() *cobra.Command {
	var flags voterFlags
	var wait waitFlag
	var yes, removedMeant bool
	var options []string
	var slips string
	c := &cobra.Command{
		Use:   "choose [BALLOT]",
		Short: "Choose in an open poll: the choice is signed, and everybody can read it",
		Long: `Choose in an election with open choices: name the options of its one question with --option, or give a ballot that is filled in, as
'voter ballot' prints it. The choice is signed with your key, not encrypted: everybody can read it under your place in the roll, for ever. Until
the poll closes you can choose again; the last choice counts.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			until, err := wait.parse()
			if err != nil {
				return err
			}
			if (len(args) == 0) == (len(options) == 0) {
				return usagef("give a filled-in ballot, or --option for each option that you choose")
			}
			choice, err := flags.choose(c, args, options, removedMeant)
			if err != nil {
				return err
			}
			if !yes {
				fmt.Fprintln(c.ErrOrStderr(), "Everybody can read this choice under your place in the roll, for ever.")
				if _, err := askUntil(c, "Type cast to cast it: ", "cast"); err != nil {
					return err
				}
			}
			return castNow(c, choice, until, wait.name, slips)
		},
	}
	flags.add(c)
	wait.add(c)
	c.Flags().BoolVar(&yes, "yes", false, "cast without asking")
	removedFlag(c, &removedMeant)
	c.Flags().StringArrayVar(&options, "option", nil, "title of an option that you choose, where there is one question; repeat it for more")
	c.Flags().StringVar(&slips, "slips", ".", "folder for the acceptance slips that validators sign")
	return c
}

// choose signs a choice, and shows its confirmation code.
func (f *voterFlags) choose(c *cobra.Command, paths, options []string, removedMeant bool) (*client.Choice, error) {
	var filled *readable.Form
	if len(paths) > 0 {
		var err error
		if filled, err = readForm(paths[0]); err != nil {
			return nil, err
		}
	}
	voter, err := f.open(c, client.CheckOpen)
	if err != nil {
		return nil, err
	}
	if filled == nil {
		if filled, err = voter.form(); err != nil {
			return nil, err
		}
		if len(filled.Contests) != 1 {
			return nil, usagef("this ballot has %d questions: fill in what 'voter ballot' prints, and give the file", len(filled.Contests))
		}
		filled.Contests[0].Selected = options
	}
	selections, err := voter.selections(filled, removedMeant)
	if err != nil {
		return nil, err
	}
	choice, err := voter.Choose(c.Context(), selections, rand.Reader)
	if err != nil {
		return nil, err
	}
	if _, err := f.book.look(c, voter.view, false); err != nil {
		return nil, err
	}
	say(c, "The confirmation code of your choice is %s. Write it down.", ballot.FormatCode(choice.Code()))
	return choice, nil
}
