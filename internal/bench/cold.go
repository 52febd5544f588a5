package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"

	"votenode/internal/network"
	"votenode/internal/spool"
)

// Cold says what to measure of a network whose validators have never seen the ballots of a block before it is proposed.
type Cold struct{ Stage }

// ColdReport is what came of it.
type ColdReport struct {
	Validators int `json:"validators"`
	Options    int `json:"options"`
	Ballots    int `json:"ballots"`
	// Blocks that held ballots, and the ballots of the largest.
	Blocks       int `json:"blocks"`
	LargestBlock int `json:"largest_block"`
	// SlowestBlockMS is the longest time from one block to the next while ballots came, ProposeTimeoutMS how long validators wait for a
	// proposal, which they must have judged by then.
	SlowestBlockMS   float64 `json:"slowest_block_ms"`
	ProposeTimeoutMS uint32  `json:"propose_timeout_ms"`
	// LateRounds counts blocks that were not decided in the first round.
	LateRounds int `json:"late_rounds"`
	// Unseen are the transactions that validators had to verify when they judged proposals, Known those that they had verified before.
	Unseen uint64 `json:"unseen"`
	Known  uint64 `json:"known"`
}

// Run gives all ballots to one validator while the others are down, and starts them: they have seen no ballot when its proposals come,
// for a node sends its peers what came in when it came in, and again only much later. All nodes are in this process.
func (c *Cold) Run(ctx context.Context) (*ColdReport, error) {
	if err := c.Prepare(ctx); err != nil {
		return nil, err
	}
	r := &ColdReport{Validators: c.Validators, Options: c.Options, ProposeTimeoutMS: c.parameters().Timeouts.Propose}
	return r, once(ctx, func(ctx context.Context, folder string, fail context.CancelCauseFunc) error {
		copied, err := network.Copy(c.networkFolder(), filepath.Join(folder, "network"), c.Binary, fail)
		if err != nil {
			return err
		}
		running := newInProcess(ctx, copied, true)
		return errors.Join(c.measure(ctx, running, r), running.stop())
	})
}

func (c *Cold) measure(ctx context.Context, running *inProcess, r *ColdReport) error {
	if err := running.start(0); err != nil {
		return err
	}
	only := running.nodes[0]
	l := newLedger(c.Voters, own)
	if err := c.give(ctx, l, application{only}); err != nil {
		return err
	}
	from := only.App().Tip().Height
	for i := 1; i < c.Validators; i++ {
		if err := running.start(i); err != nil {
			return err
		}
	}
	following, stop := context.WithCancel(ctx)
	followed := make(chan error, 1)
	go func() { followed <- l.follow(following, application{only}, from) }()
	err := l.settled(ctx)
	stop()
	if err = errors.Join(err, <-followed); err != nil {
		return err
	}
	accounts := l.close()
	if err := accounts.Fault(); err != nil {
		return fmt.Errorf("the accounts do not add up: %w", err)
	}
	r.Ballots = int(accounts.Recorded)
	for i, b := range l.blocks {
		height := from + int64(i) + 1
		if b.size > 0 {
			r.Blocks++
			r.LargestBlock = max(r.LargestBlock, b.size)
			if i > 0 {
				r.SlowestBlockMS = max(r.SlowestBlockMS, float64((b.seen-l.blocks[i-1].seen).Microseconds())/1000)
			}
		}
		if next := only.Blocks().LoadBlock(height + 1); next != nil && next.LastCommit.Round > 0 && b.size > 0 {
			r.LateRounds++
		}
	}
	for _, n := range running.nodes[1:] {
		in := n.App().Intake().Process
		r.Unseen += in.Unseen
		r.Known += in.Pool + in.Remembered
	}
	return nil
}

// give hands all ballots to one node.
func (c *Cold) give(ctx context.Context, l *ledger, to target) error {
	file, err := spool.Open(c.ballots(1))
	if err != nil {
		return err
	}
	defer file.Close()
	clients := &clients{pause: pause, ledger: l}
	for {
		raws, err := file.Take(500)
		if err != nil || len(raws) == 0 {
			return err
		}
		if err := clients.untilTaken(ctx, to, "client", raws); err != nil {
			return err
		}
	}
}

// Write writes the report as a table.
func (r *ColdReport) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("network", "%d validators, all but one without any ballot before it is proposed", r.Validators)
	row("ballots", "%d of %d options in %d blocks, %d in the largest", r.Ballots, r.Options, r.Blocks, r.LargestBlock)
	row("slowest block", "%.0f ms after the one before; the propose timeout is %d ms", r.SlowestBlockMS, r.ProposeTimeoutMS)
	row("late rounds", "%d blocks", r.LateRounds)
	row("judging", "%d transactions verified then, %d known before, by all nodes together", r.Unseen, r.Known)
	return t.Flush()
}
