package bench

import (
	"context"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"votenode/client"
	"votenode/internal/network"
	"votenode/internal/spool"
	"votenode/node"
)

// MinOverloadBallots is how many ballots an Overload needs at least, so that each of its parts has some.
const MinOverloadBallots = 100

// Overload says how to show that a network stays well when more arrives than it can carry.
type Overload struct {
	// Network says what runs, how many clients there are, and how many ballots they offer in a request. The ballots are those of the first
	// round; Window bounds what waits where capacity is measured. Rate, Lasting and NoCeiling mean nothing.
	Network
	// Times is how many times its capacity is offered, for Span.
	Times int
	Span  time.Duration
	// Obedient clients come again when the node says; others at once.
	Obedient bool
	// Flood is how long each flood goes on; 0 leaves them out.
	Flood time.Duration
}

// OverloadReport is what came of it.
type OverloadReport struct {
	Validators int    `json:"validators"`
	Options    int    `json:"options"`
	Mode       string `json:"mode"`
	Clients    int    `json:"clients"`
	Batch      int    `json:"batch"`
	Cores      int    `json:"cores"`
	Obedient   bool   `json:"obedient"`

	Capacity CapacityReport `json:"capacity"`
	Overload LoadReport     `json:"overload"`
	// Calm is what honest voters have without a flood, Floods what they have in each.
	Calm   *HonestReport `json:"calm,omitempty"`
	Floods []FloodReport `json:"floods,omitempty"`

	// RSSBytes is the greatest resident memory of a node, or of this process with all nodes and clients in it; RSSBound what the limits of
	// the configuration allow, for as many nodes, without this program's own ballots.
	RSSBytes int64 `json:"rss_bytes"`
	RSSBound int64 `json:"rss_bound_bytes"`
}

// CapacityReport is what a network carries when nobody presses it.
type CapacityReport struct {
	Ballots          uint64   `json:"ballots"`
	BallotsPerSecond float64  `json:"ballots_per_second"`
	LongestPauseMS   float64  `json:"longest_pause_ms"`
	SlipMS           Delays   `json:"slip_ms"`
	Accounts         Accounts `json:"accounts"`
}

// LoadReport is what became of an open loop.
type LoadReport struct {
	Times int `json:"times"`
	// Rate was to be offered, transactions a second, and Offered was; Share is the part.
	Rate    int     `json:"rate"`
	Offered float64 `json:"offered_per_second"`
	Share   float64 `json:"share_offered"`
	Seconds float64 `json:"seconds"`
	// Ballots are distinct ones. Whenever all of them are accepted or on their way, those that stand in blocks are offered again, which a
	// node refuses as already done: Repeating is when that came first, 0 where it did not.
	Ballots   int     `json:"ballots"`
	Repeating float64 `json:"repeating_from_second"`
	// RecordedPerSecond until the last ballot was recorded.
	RecordedPerSecond float64 `json:"recorded_per_second"`
	// RefusalMS is how long requests took in which everything was refused for want of room, TakenMS those in which nothing was, SlipMS from
	// the first offer of a ballot, whatever was said to it before, to its slip.
	RefusalMS      Delays   `json:"refusal_ms"`
	TakenMS        Delays   `json:"taken_ms"`
	SlipMS         Delays   `json:"slip_ms"`
	Blocks         int      `json:"blocks"`
	LongestPauseMS float64  `json:"longest_pause_ms"`
	Accounts       Accounts `json:"accounts"`
}

// Run prepares what is not on disk yet and measures. It fails where the accounts do not add up, and where no honest ballot came through a
// flood.
func (o *Overload) Run(ctx context.Context) (*OverloadReport, error) {
	if err := o.Prepare(ctx); err != nil {
		return nil, err
	}
	r := &OverloadReport{
		Validators: o.Validators, Options: o.Options, Mode: o.mode(), Clients: o.Clients, Batch: o.Batch, Cores: runtime.GOMAXPROCS(0),
		Obedient: o.Obedient,
	}
	return r, once(ctx, func(ctx context.Context, folder string, fail context.CancelCauseFunc) error {
		return o.run(ctx, folder, fail, func(running nodes, copied *network.Network) (nodes, error) {
			p := &presser{Overload: o, running: running, copied: copied, report: r}
			return running, p.all(ctx)
		})
	})
}

// presser is the state of an Overload that runs.
type presser struct {
	*Overload
	running nodes
	copied  *network.Network
	report  *OverloadReport

	height  int64    // up to which blocks were looked at
	ballots *portion // all that are left
	targets []target // one for each client, with a connection of its own
}

func (p *presser) all(ctx context.Context) (err error) {
	file, err := spool.Open(p.Stage.ballots(1))
	if err != nil {
		return err
	}
	defer file.Close()
	p.ballots = newPortion(file)
	if p.targets, err = p.connections(p.Clients); err != nil {
		return err
	}
	if p.height, err = p.ready(ctx, p.running); err != nil {
		return err
	}
	if p.report.RSSBound, err = p.memoryBound(); err != nil {
		return err
	}
	stop, err := p.profile()
	if err != nil {
		return err
	}
	defer stop()
	if err := p.capacity(ctx); err != nil {
		return fmt.Errorf("capacity: %w", err)
	}
	if err := p.press(ctx); err != nil {
		return fmt.Errorf("overload: %w", err)
	}
	if p.Flood > 0 {
		if err := p.floods(ctx); err != nil {
			return err
		}
	}
	p.report.RSSBytes = p.peakMemory(p.copied)
	return nil
}

// connections returns targets for so many clients, in turn at all nodes. Through gateways each has a connection of its own.
func (p *presser) connections(n int) ([]target, error) {
	nodes := p.running.targets()
	targets := make([]target, n)
	for i := range targets {
		targets[i] = nodes[i%len(nodes)]
		if g, ok := targets[i].(gateway); ok {
			own, err := client.NewNode(g.Address())
			if err != nil {
				return nil, err
			}
			targets[i] = gateway{own}
		}
	}
	return targets, nil
}

// memoryBound is that of a node, or of all where they are in this process.
func (p *presser) memoryBound() (bound int64, err error) {
	for _, v := range p.copied.Validators {
		config, err := node.ReadConfig(node.Home(v.Home).ConfigFile())
		if err != nil {
			return 0, err
		}
		if one := config.MemoryBound(); p.InProcess {
			bound += one
		} else {
			bound = max(bound, one)
		}
	}
	return bound, nil
}

// Parts of the ballots, in hundredths: for the closed loop, for the overload, for honest voters without a flood and in each of the
// floods. What is left belongs to the dishonest.
const (
	capacityPart = 20
	overloadPart = 50
	honestPart   = 5
)

// part takes so many hundredths of all ballots.
func (p *presser) part(hundredths int) *portion { return p.ballots.part(p.Voters * hundredths / 100) }

// record follows the chain while do offers, and checks the accounts.
func (p *presser) record(ctx context.Context, l *ledger, do func(ctx context.Context) error) (Accounts, error) {
	err := l.record(ctx, p.running.chain(), p.height, do)
	p.height += int64(len(l.blocks))
	if err != nil {
		return Accounts{}, err
	}
	a := l.close()
	if err := a.Fault(); err != nil {
		return a, fmt.Errorf("the accounts do not add up: %w", err)
	}
	return a, nil
}

// unwatched is the usage where nobody asks for that of parts.
func unwatched() (time.Duration, int64) { return 0, 0 }

// closedClients is with how many clients capacity is measured: enough to keep all nodes busy.
const closedClients = 64

// capacity offers a part of the ballots as fast as they are taken.
func (p *presser) capacity(ctx context.Context) (err error) {
	from := p.part(capacityPart)
	l := newLedger(from.left, unwatched)
	r := &p.report.Capacity
	r.Accounts, err = p.record(ctx, l, func(ctx context.Context) error {
		c := &clients{name: "client", count: min(p.Clients, closedClients), batch: p.Batch, window: p.Window, pause: pause, ledger: l}
		return c.all(ctx, p.targets, from.next)
	})
	if err != nil {
		return err
	}
	r.Ballots, r.BallotsPerSecond = r.Accounts.Recorded, float64(r.Accounts.Recorded)/l.last.Seconds()
	r.LongestPauseMS, r.SlipMS = milliseconds(l.longestPause()), l.delays(slipDelay)
	p.Talk.Say("capacity: %.0f ballots a second", r.BallotsPerSecond)
	return nil
}

// rate is what is offered above capacity, transactions a second.
func (p *presser) rate() int { return max(1, int(float64(p.Times)*p.report.Capacity.BallotsPerSecond)) }

// impatience is how many requests a client makes before the first is answered. An accepted ballot is answered when its turn has come: were
// clients as patient as that, so many of them would wait in line that none were left to come on top.
const impatience = 8

// press offers Times the capacity.
func (p *presser) press(ctx context.Context) (err error) {
	from := p.part(overloadPart)
	l := newLedger(from.left, unwatched)
	l.keeping = true
	crowd := &crowd{fresh: from.next, known: l.repeat, begin: time.Now()}
	if p.Obedient {
		crowd.pause = retryAfter
	}
	c := &clients{name: "client", count: p.Clients, impatience: impatience, batch: p.Batch, ledger: l, turned: new(spans), taken: new(spans)}
	r := &p.report.Overload
	r.Times, r.Rate, r.Ballots = p.Times, p.rate(), from.left
	p.Talk.Say("overload: %d transactions a second for %v", r.Rate, p.Span)
	r.Accounts, err = p.record(ctx, l, func(ctx context.Context) error {
		defer func() { r.Seconds = time.Since(crowd.begin).Seconds() }()
		return c.at(ctx, p.targets, crowd, r.Rate, p.Span)
	})
	if err != nil {
		return err
	}
	r.Offered = float64(r.Accounts.Offered) / r.Seconds
	r.Share = float64(r.Accounts.Offered) / (float64(r.Rate) * p.Span.Seconds())
	r.Repeating = crowd.repeating.Seconds()
	r.RecordedPerSecond = float64(r.Accounts.Recorded) / l.last.Seconds()
	r.RefusalMS, r.TakenMS, r.SlipMS = c.turned.delays(), c.taken.delays(), l.delays(slipDelay)
	r.Blocks, r.LongestPauseMS = len(l.blocks), milliseconds(l.longestPause())
	p.Talk.Say("overload: %.0f a second offered, %.0f recorded", r.Offered, r.RecordedPerSecond)
	return nil
}

// portion is a part of the ballots in a file, the rest of which belongs to others. It is safe for concurrent use.
type portion struct {
	mu   *sync.Mutex // of all parts
	file *spool.File
	left int
}

// newPortion returns the one part that has all ballots of a file.
func newPortion(file *spool.File) *portion {
	return &portion{file: file, mu: new(sync.Mutex), left: file.Size()}
}

// part takes n ballots off. The parts must be used up one after the other: what one leaves, the next finds.
func (p *portion) part(n int) *portion {
	p.left -= n
	return &portion{mu: p.mu, file: p.file, left: n}
}

// next implements source.
func (p *portion) next(n int) ([][]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	raws, err := p.file.Take(min(n, p.left))
	p.left -= len(raws)
	return raws, err
}

// retryAfter is when a gateway says to come again.
const retryAfter = time.Second

// crowd supplies an open loop with a bounded number of ballots: first each once; then, after a pause, those for which there was no
// room; and where none of these is at hand, those that stand in blocks already, so that the rate is held to the end.
type crowd struct {
	fresh source
	known func(n int) [][]byte
	// pause is after what time a refused ballot comes again; patient crowds bring it before fresh ones.
	pause   time.Duration
	patient bool
	begin   time.Time

	mu        sync.Mutex
	back      []returning // by due
	repeating time.Duration
}

// returning is a ballot that comes again.
type returning struct {
	raw []byte
	due time.Time
}

func (c *crowd) take(n int) ([][]byte, error) {
	if c.patient {
		if raws := c.refused(n); len(raws) > 0 {
			return raws, nil
		}
	}
	if raws, err := c.fresh(n); err != nil || len(raws) > 0 {
		return raws, err
	}
	if raws := c.refused(n); len(raws) > 0 || c.known == nil {
		return raws, nil
	}
	raws := c.known(n)
	if len(raws) > 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.repeating == 0 {
			c.repeating = time.Since(c.begin)
		}
	}
	return raws, nil
}

// refused returns ballots that were refused and are due.
func (c *crowd) refused(n int) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	var raws [][]byte
	for now := time.Now(); len(raws) < n && len(c.back) > 0 && !c.back[0].due.After(now); c.back = c.back[1:] {
		raws = append(raws, c.back[0].raw)
	}
	return raws
}

func (c *crowd) put(later [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := time.Now().Add(c.pause)
	for _, raw := range later {
		c.back = append(c.back, returning{raw, due})
	}
}

// codes shows numbers by code.
func codes(n map[string]uint64) string {
	if len(n) == 0 {
		return "none"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(n)) {
		all = append(all, fmt.Sprintf("%s %d", name, n[name]))
	}
	return strings.Join(all, ", ")
}

// Write writes the report as a table.
func (r *OverloadReport) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	c, o := &r.Capacity, &r.Overload
	row("network", "%d validators, %s, %d cores", r.Validators, r.Mode, r.Cores)
	row("clients", "%d, %d ballots a request", r.Clients, r.Batch)
	row("capacity", "%.0f ballots a second, longest pause between blocks %.0f ms, to the slip %v", c.BallotsPerSecond, c.LongestPauseMS, c.SlipMS)
	row("offered", "%.0f a second for %.0f s, %.0f%% of %d times capacity", o.Offered, o.Seconds, 100*o.Share, o.Times)
	if o.Repeating > 0 {
		row("", "%d ballots; from second %.0f on those of them that were recorded came again, too", o.Ballots, o.Repeating)
	}
	row("recorded", "%.0f ballots a second", o.RecordedPerSecond)
	row("accounts", "%d offered = %d accepted (%d promised) + %d accepted before + %d told to come later + refused (%s); %d recorded",
		o.Accounts.Offered, o.Accounts.Accepted, o.Accounts.Slipped, o.Accounts.Again, o.Accounts.RetryLater, codes(o.Accounts.OtherCodes), o.Accounts.Recorded)
	row("a refusal", "%v", o.RefusalMS)
	row("an acceptance", "%v", o.TakenMS)
	row("to the slip", "%v, from the first of all offers", o.SlipMS)
	row("blocks", "%d, longest pause %.0f ms", o.Blocks, o.LongestPauseMS)
	if r.Calm != nil {
		row("no flood", "%s", r.Calm)
	}
	for _, f := range r.Floods {
		row(f.Name, "%s", &f.HonestReport)
		row("", "flood: %.0f a second, %.0f%% of the rate; %s; an answer %v", f.Offered, 100*f.Share, codes(f.Answers), f.AnswerMS)
	}
	row("memory", "%d MiB, bound %d MiB", r.RSSBytes>>20, r.RSSBound>>20)
	return t.Flush()
}
