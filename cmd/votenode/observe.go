package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"votenode/client/observe"
)

func newObserveCommand() *cobra.Command {
	var ledger ledgerFlags
	var s observe.Settings
	var once bool
	var until int64
	var every time.Duration
	c := &cobra.Command{
		Use:   "observe",
		Short: "Follow nodes of several organisations, believe none, and raise an alarm where something is wrong",
		Long: `Follow nodes of several organisations and believe none of them: verify what each shows as certified and signed, hold the nodes
against each other and against what was seen before, look that logs only grow, that block time moves, that validators sign, and that promises
to record ballots are kept. Every alarm is kept in the folder with its evidence, and is raised once, also across restarts.

On a terminal a table of the nodes is drawn again and again; elsewhere, and with --json, each event is a line of JSON. Files with promises
(slips) in the folder 'slips' inside the folder are watched, too; move them there when they are complete.
Exit 3: an alarm stands that is a failed verification. Other alarms change nothing in the exit code.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			hash, err := parseHash(ledger.genesisHash)
			if err != nil {
				return usagef("--genesis-hash: %w", err)
			}
			if every < 0 || until < 0 {
				return usagef("--every and --until-height cannot be negative")
			}
			s.GenesisHash, s.Nodes, s.Limits, s.Now = hash, ledger.nodes, observe.DefaultLimits(), time.Now
			if once {
				s.Limits.Failures = 1 // there is no second look
			}
			return runObserver(c, s, once, until, every)
		},
	}
	ledger.add(c)
	c.Flags().StringVar(&s.Folder, "folder", "observer", "folder in which heads, alarms and evidence are kept; each ledger needs its own")
	c.Flags().StringSliceVar(&s.Slips, "slip", nil, "file of a promise to be watched, besides those in the folder; can be repeated")
	c.Flags().DurationVar(&every, "every", 2*time.Second, "how long to wait before a node is looked at again")
	c.Flags().BoolVar(&once, "once", false, "look at every node once and end")
	c.Flags().Int64Var(&until, "until-height", 0, "end when this height is certified")
	c.MarkFlagsMutuallyExclusive("once", "until-height")
	return c
}

// errEnough ends the looks at a node.
var errEnough = errors.New("enough was seen")

func runObserver(c *cobra.Command, s observe.Settings, once bool, until int64, every time.Duration) error {
	asJSON, err := c.Flags().GetBool("json")
	if err != nil {
		return err
	}
	var o *observe.Observer
	draw := func() error { return nil }
	encoder := json.NewEncoder(c.OutOrStdout())
	encoder.SetEscapeHTML(false)
	s.Tell = func(e observe.Event) error { return encoder.Encode(e) }
	if out, terminal := c.OutOrStdout().(*os.File); terminal && isTerminal(out) && !asJSON {
		t := &table{out: out, width: func() int { return widthOf(out) }}
		s.Tell = t.note
		draw = func() error { return t.draw(o) }
	}
	if o, err = observe.Open(s); errors.Is(err, observe.ErrNodes) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	defer o.Close()
	err = o.Run(c.Context(), func(ctx context.Context) error {
		if err := draw(); err != nil {
			return err
		}
		if once || until > 0 && o.Height() >= until {
			return errEnough
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
			return nil
		}
	})
	err = errors.Join(err, draw()) // what the last looks have brought
	return errors.Join(err, o.Failed())
}

func widthOf(f *os.File) int {
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

// table is the state of the nodes on a terminal, drawn over what it was before.
type table struct {
	out   io.Writer
	width func() int

	mu    sync.Mutex
	lines int      // drawn last
	said  []string // events to be left above the table
}

// note keeps an alarm, or what became of one, for the next drawing.
func (t *table) note(e observe.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := e.Time.Format(time.TimeOnly)
	switch e.Event {
	case observe.EventAlarm:
		t.said = append(t.said, fmt.Sprintf("%s  ALARM %s: %s", at, e.Alarm.Kind, e.Alarm.Text))
		for _, name := range e.Alarm.Evidence {
			t.said = append(t.said, "          evidence: "+name)
		}
	case observe.EventEnded:
		t.said = append(t.said, fmt.Sprintf("%s  over: %s: %s", at, e.Alarm.Kind, e.Alarm.Text))
	case observe.EventKept:
		t.said = append(t.said, fmt.Sprintf("%s  %s: the promise is kept: %s", at, e.Slip.File, e.Slip.How))
	}
	return nil
}

// draw writes what was noted, once, and the table under it.
func (t *table) draw(o *observe.Observer) error {
	rows, others := o.Rows()
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	if t.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", t.lines)
	}
	for _, line := range t.said {
		fmt.Fprintln(&b, line)
	}
	lines := tableLines(rows, others, time.Now())
	for _, line := range lines {
		if runes := []rune(line); len(runes) >= t.width() { // a line that wraps would be two
			line = string(runes[:max(t.width()-1, 0)])
		}
		fmt.Fprintln(&b, line)
	}
	t.lines, t.said = len(lines), nil
	_, err := io.WriteString(t.out, b.String())
	return err
}

// tableLines lays the nodes out, one line each, and the alarms that are about no node under them.
func tableLines(rows []observe.Row, others []observe.Kind, now time.Time) []string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tORGANISATION\tHEIGHT\tCERTIFIED\tAGE\tSIGNING\tALARMS")
	for _, r := range rows {
		organisation, age, signing := "-", "-", "-"
		if r.Organisation != "" {
			organisation = r.Organisation
		}
		if !r.Time.IsZero() {
			age = now.Sub(r.Time).Round(time.Second).String()
		}
		if r.Validator {
			signing = "yes"
			if r.Missed > 0 {
				signing = fmt.Sprintf("not for %d", r.Missed)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", r.Node, organisation, r.Height, r.Certified, age, signing, kindsText(r.Alarms))
	}
	w.Flush()
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if len(others) > 0 {
		lines = append(lines, "the ledger: "+kindsText(others))
	}
	return lines
}

func kindsText(list []observe.Kind) string {
	if len(list) == 0 {
		return "none"
	}
	names := make([]string, len(list))
	for i, k := range list {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}
