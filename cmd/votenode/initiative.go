package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/text"
	"votenode/app/tx"
	"votenode/client"
	"votenode/client/keyfile"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

func newInitiativeCommand() *cobra.Command {
	return group("initiative", "Publish an initiative, support and comment on others, and read them",
		newInitiativePublishCommand(), newInitiativeSupportCommand(), newInitiativeWithdrawCommand(), newInitiativeCommentCommand(),
		newInitiativeListCommand(), newInitiativeShowCommand(), newInitiativeStatusCommand())
}

// memberFlags are what a member's commands need.
type memberFlags struct {
	ledger ledgerFlags
	key    keyFlags
	index  int64
}

func (f *memberFlags) add(c *cobra.Command) {
	f.ledger.add(c)
	f.key.add(c, keyfile.Voter)
	c.Flags().Int64Var(&f.index, "roll-index", -1, "place in the roll; without it the whole roll is searched for the key")
}

// open returns the member of the roll that rollOf names, and a certified view.
func (f *memberFlags) open(c *cobra.Command, rollOf func(*client.View) (string, error)) (*client.Member, *client.View, error) {
	secret, err := f.key.voter()
	if err != nil {
		return nil, nil, err
	}
	v, err := f.ledger.view(c)
	if err != nil {
		return nil, nil, err
	}
	roll, err := rollOf(v)
	if err != nil {
		return nil, nil, err
	}
	m := &client.Member{Ledger: v.Ledger(), Election: roll, Index: uint64(f.index), Key: secret}
	if f.index < 0 {
		m.Index, err = client.FindVoter(c.Context(), v, roll, secret.Public())
	}
	return m, v, err
}

// initiativeNumber reads the number of an initiative.
func initiativeNumber(arg string) (uint64, error) {
	number, err := strconv.ParseUint(arg, 10, 64)
	if err != nil {
		return 0, usagef("%q is no number of an initiative; 'initiative list' shows them", arg)
	}
	return number, nil
}

// readText reads a text from a file, or from stdin where the path is -, and no more than a text may have.
func readText(c *cobra.Command, path string, most int) (string, error) {
	from := c.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, int64(most)+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("%s has more than %d bytes; shorten it", path, most)
	}
	return string(text), err
}

// act returns a command of a member: do is called with the member, whose roll is that of rollOf.
func act(use, short, long string, args int, rollOf func(c *cobra.Command, args []string) (func(*client.View) (string, error), error),
	do func(c *cobra.Command, m *client.Member, args []string) error) *cobra.Command {
	var flags memberFlags
	var wait waitFlag
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Long:  long,
		Args:  cobra.ExactArgs(args),
		RunE: func(c *cobra.Command, args []string) error {
			until, err := wait.parse()
			if err != nil {
				return err
			}
			roll, err := rollOf(c, args)
			if err != nil {
				return err
			}
			m, _, err := flags.open(c, roll)
			if err != nil {
				return err
			}
			m.Wait = until
			if err := do(c, m, args); err != nil {
				return err
			}
			say(c, "waited until it was %s", wait.name)
			return nil
		},
	}
	flags.add(c)
	wait.add(c)
	return c
}

// openRoll is the roll whose members publish.
func openRoll(c *cobra.Command, _ []string) (func(*client.View) (string, error), error) {
	return func(v *client.View) (string, error) { return client.OpenRoll(c.Context(), v) }, nil
}

// ownRoll is the roll of the initiative that the first argument names.
func ownRoll(c *cobra.Command, args []string) (func(*client.View) (string, error), error) {
	number, err := initiativeNumber(args[0])
	return func(v *client.View) (string, error) { return client.RollOf(c.Context(), v, number) }, err
}

func newInitiativePublishCommand() *cobra.Command {
	var title string
	var again bool
	c := act("publish FILE", "Publish an initiative",
		`Publish an initiative: its title, and its text in Markdown from a file, or from standard input where that is -. It stays on the ledger for ever,
under your place in the roll; removing it later hides it where it is shown, and takes nothing back.`, 1, openRoll,
		func(c *cobra.Command, m *client.Member, args []string) error {
			text, err := readText(c, args[0], tx.MaxInitiative)
			if err != nil {
				return err
			}
			if !again {
				v, err := m.Ledger.Certified(c.Context())
				if err != nil {
					return err
				}
				number, err := m.Published(c.Context(), v, title, text)
				if err == nil {
					return fmt.Errorf("you have published the same as initiative %d; with --again it is published once more", number)
				}
				if !errors.Is(err, client.ErrAbsent) {
					return err
				}
			}
			number, err := m.Publish(c.Context(), title, text, rand.Reader)
			if err != nil || m.Wait != client.WaitCertified {
				return err
			}
			data := struct {
				Number uint64 `json:"initiative"`
			}{number}
			return show(c, data, func(w io.Writer) { fmt.Fprintln(w, number) })
		})
	c.Flags().StringVar(&title, "title", "", "title, at most 200 bytes")
	c.Flags().BoolVar(&again, "again", false, "publish it also where you have published the same before")
	require(c, "title")
	return c
}

func newInitiativeSupportCommand() *cobra.Command {
	return act("support NUMBER", "Support an initiative, once", "", 1, ownRoll, func(c *cobra.Command, m *client.Member, args []string) error {
		return support(c, m, args[0], false)
	})
}

func newInitiativeWithdrawCommand() *cobra.Command {
	return act("withdraw NUMBER", "Take the support of an initiative back", "", 1, ownRoll, func(c *cobra.Command, m *client.Member, args []string) error {
		return support(c, m, args[0], true)
	})
}

func support(c *cobra.Command, m *client.Member, arg string, withdraw bool) error {
	number, err := initiativeNumber(arg)
	if err != nil {
		return err
	}
	return m.Support(c.Context(), number, withdraw, rand.Reader)
}

func newInitiativeCommentCommand() *cobra.Command {
	return act("comment NUMBER FILE", "Comment on an initiative", "Comment on an initiative, from a file, or from standard input where that is -.", 2, ownRoll,
		func(c *cobra.Command, m *client.Member, args []string) error {
			number, err := initiativeNumber(args[0])
			if err != nil {
				return err
			}
			text, err := readText(c, args[1], tx.MaxComment)
			if err != nil {
				return err
			}
			return m.Comment(c.Context(), number, text, rand.Reader)
		})
}

func newInitiativeListCommand() *cobra.Command {
	var ledger ledgerFlags
	var limit int
	var owed bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List initiatives, the newest first: each is proven, and that none is missing",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if limit < 1 {
				return usagef("--limit is at least 1")
			}
			v, err := ledger.view(c)
			if err != nil {
				return err
			}
			numbers := client.Initiatives
			if owed {
				numbers = client.OwedInitiatives
			}
			list := []*readable.Initiative{}
			for number, err := range numbers(c.Context(), v) {
				if err != nil {
					return err
				}
				i, _, err := readable.LoadInitiative(c.Context(), v, number)
				if err != nil {
					return err
				}
				if list = append(list, i); len(list) == limit {
					break
				}
			}
			return show(c, list, func(w io.Writer) {
				for _, i := range list {
					fmt.Fprintf(w, "%d  %-8s  %d supports, %d comments  %s\n", i.Number, i.State, i.Supports, i.Comments, titleOf(i))
				}
			})
		},
	}
	ledger.add(c)
	c.Flags().IntVar(&limit, "limit", 100, "how many at most")
	c.Flags().BoolVar(&owed, "owed", false, "only those of which an answer is owed, the earliest deadline first")
	return c
}

// titleOf returns what stands in the place of a title.
func titleOf(i *readable.Initiative) string {
	if i.Removed != nil {
		return "(" + i.Removed.String() + ")"
	}
	return i.Title
}

// shownInitiative is an initiative with its text and comments.
type shownInitiative struct {
	*readable.Initiative
	Text string           `json:"text,omitempty"`
	List []*readable.Post `json:"comment_list"`
}

func newInitiativeShowCommand() *cobra.Command {
	var ledger ledgerFlags
	var from, limit uint64
	c := &cobra.Command{
		Use:   "show NUMBER",
		Short: "Show an initiative with its text and comments, proven",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			number, err := initiativeNumber(args[0])
			if err != nil {
				return err
			}
			v, err := ledger.view(c)
			if err != nil {
				return err
			}
			i, post, err := readable.LoadInitiative(c.Context(), v, number)
			if err != nil {
				return err
			}
			data := shownInitiative{Initiative: i, Text: post.Text, List: []*readable.Post{}}
			for at := from; at < i.Comments && at-from < limit; at++ {
				comment, err := readable.LoadComment(c.Context(), v, number, at)
				if err != nil {
					return err
				}
				data.List = append(data.List, comment)
			}
			return show(c, data, func(w io.Writer) { writeInitiative(w, &data) })
		},
	}
	ledger.add(c)
	c.Flags().Uint64Var(&from, "from", 0, "first comment, counted from 0")
	c.Flags().Uint64Var(&limit, "limit", 100, "how many comments at most")
	return c
}

func writeInitiative(w io.Writer, i *shownInitiative) {
	fmt.Fprintf(w, "initiative  %d, of entry %d of the roll of %s, at height %d\nstate       %s\nsupports    %d\n",
		i.Number, i.RollIndex, i.Election, i.Published, i.State, i.Supports)
	if i.Owed != 0 {
		fmt.Fprintf(w, "owed        since height %d, due by height %d\n", i.Owed, i.Deadline)
	}
	if a := i.Answer; a != nil {
		fmt.Fprintf(w, "answer      at height %d, resolution %s\n", a.Height, a.Resolution)
		for _, line := range []string{a.Reason, a.Document} {
			if line != "" {
				fmt.Fprintf(w, "            %s\n", text.OneLine(line))
			}
		}
	}
	fmt.Fprintf(w, "\n%s\n", titleOf(i.Initiative))
	if i.Text != "" {
		fmt.Fprintf(w, "\n%s\n", indented(i.Text))
	}
	for _, comment := range i.List {
		text := comment.Text
		if comment.Removed != nil {
			text = "(" + comment.Removed.String() + ")"
		}
		fmt.Fprintf(w, "\n-- post %d, of entry %d\n%s\n", comment.Post, comment.RollIndex, indented(text))
	}
}

// shownMember is what a member has sent.
type shownMember struct {
	Election  string   `json:"election"`
	RollIndex uint64   `json:"roll_index"`
	Supported []uint64 `json:"supported"`
	// Window is the height since which what is sent is counted.
	Window      int64 `json:"window"`
	Initiatives quota `json:"initiatives"`
	Comments    quota `json:"comments"`
	Supports    quota `json:"supports"`
}

type quota struct {
	Sent  uint32 `json:"sent"`
	Limit uint32 `json:"limit"`
}

func newInitiativeStatusCommand() *cobra.Command {
	var flags memberFlags
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what you support, and how much you may still send",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			roll, err := openRoll(c, args)
			if err != nil {
				return err
			}
			m, v, err := flags.open(c, roll)
			if err != nil {
				return err
			}
			a, err := v.Member(c.Context(), m.Election, m.Index)
			if err != nil {
				return err
			}
			params, err := client.MustLoad[pb.Parameters](c.Context(), v, state.KeyParameters)
			if err != nil {
				return err
			}
			rules := &params.Initiatives
			data := shownMember{
				Election: m.Election, RollIndex: m.Index, Supported: append([]uint64{}, a.Supported...), Window: v.Height() - v.Height()%app.RateWindow,
				Initiatives: quota{a.Initiatives, rules.PublishRate}, Comments: quota{a.Comments, rules.CommentRate}, Supports: quota{a.Supports, rules.SupportRate},
			}
			if int64(a.Window) != v.Height()/app.RateWindow {
				data.Initiatives.Sent, data.Comments.Sent, data.Supports.Sent = 0, 0, 0
			}
			return show(c, data, func(w io.Writer) {
				fmt.Fprintf(w, "roll         %s, entry %d\nsupported    %v\n", data.Election, data.RollIndex, data.Supported)
				fmt.Fprintf(w, "since height %d: %d of %d initiatives, %d of %d comments, %d of %d supports\n", data.Window, data.Initiatives.Sent, data.Initiatives.Limit,
					data.Comments.Sent, data.Comments.Limit, data.Supports.Sent, data.Supports.Limit)
			})
		},
	}
	flags.add(c)
	return c
}
