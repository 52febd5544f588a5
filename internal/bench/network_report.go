package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// NetworkReport is what came of it.
type NetworkReport struct {
	Validators  int    `json:"validators"`
	Options     int    `json:"options"`
	Contests    int    `json:"contests"`
	Ballots     int    `json:"ballots"`
	BallotBytes int    `json:"ballot_bytes"`
	Mode        string `json:"mode"`
	Clients     int    `json:"clients"`
	Batch       int    `json:"batch"`
	Cores       int    `json:"cores"`

	// CeilingTPS is what CometBFT alone carries of transactions of the same size, with the same settings and clients, all nodes in this
	// process and without a gateway, whatever the mode is.
	CeilingTPS       float64 `json:"ceiling_tps,omitempty"`
	BallotsPerSecond float64 `json:"ballots_per_second"`
	Ratio            float64 `json:"ratio,omitempty"`

	// CPUMicroseconds are those of all cores for one ballot, clients included where the nodes are in this process; CeilingCPUMicroseconds
	// those for one transaction of the ceiling. They depend less than the rates on what else the machine does.
	CPUMicroseconds        float64 `json:"cpu_us"`
	CeilingCPUMicroseconds float64 `json:"ceiling_cpu_us,omitempty"`

	SlipMS      Delays `json:"slip_ms"`
	LedgerMS    Delays `json:"ledger_ms"`
	CertifiedMS Delays `json:"certified_ms"`

	Seconds float64 `json:"seconds"`
	Blocks  int     `json:"blocks"`
	// LargestBlock in ballots, LongestPauseMS between two blocks.
	LargestBlock   int     `json:"largest_block"`
	LongestPauseMS float64 `json:"longest_pause_ms"`

	// RSSBytes is the greatest resident memory: of this process with all nodes in it, or of a validator's.
	RSSBytes           int64   `json:"rss_bytes"`
	DiskBytesPerBallot float64 `json:"disk_bytes_per_ballot"`

	// CacheHits are transactions of proposals and blocks, at all nodes, that were known to be right when they came, CacheMisses those that
	// had to be verified then.
	CacheHits   uint64 `json:"cache_hits"`
	CacheMisses uint64 `json:"cache_misses"`

	// RestartSeconds is how long the nodes took from their start, after all ballots, to the next block: all in this process, or one that
	// is a process while the others went on.
	RestartSeconds float64 `json:"restart_seconds"`

	Parts    []PartReport `json:"parts"`
	Accounts Accounts     `json:"accounts"`
}

// PartReport is about a tenth of the ballots of a round.
type PartReport struct {
	Round            int     `json:"round"`
	Ballots          uint64  `json:"ballots"`
	BallotsPerSecond float64 `json:"ballots_per_second"`
	CPUMicroseconds  float64 `json:"cpu_us"`
	// RSSBytes is the resident memory at its end, of this process or of the validators together.
	RSSBytes int64 `json:"rss_bytes"`
}

// parts is into how many parts a round is divided.
const parts = 10

// add takes in what came of a round.
func (r *NetworkReport) add(round int, l *ledger) error {
	a := l.close()
	if err := a.Fault(); err != nil {
		return fmt.Errorf("the accounts do not add up: %w", err)
	}
	if len(a.OtherCodes) > 0 {
		return fmt.Errorf("good ballots were refused: %v", a.OtherCodes)
	}
	r.Accounts.add(a)
	r.Ballots += int(a.Recorded)
	r.Seconds += l.last.Seconds()
	for i := 1; i < len(l.parts); i++ {
		from, to := l.parts[i-1], l.parts[i]
		ballots := to.recorded - from.recorded
		r.Parts = append(r.Parts, PartReport{
			Round: round, Ballots: ballots, BallotsPerSecond: float64(ballots) / (to.at - from.at).Seconds(),
			CPUMicroseconds: each(to.cpu-from.cpu, int(ballots)), RSSBytes: to.rss,
		})
	}
	r.SlipMS, r.LedgerMS, r.CertifiedMS = l.delays(slipDelay), l.delays(recordDelay), l.delays(certifiedDelay)
	for _, b := range l.blocks {
		r.LargestBlock = max(r.LargestBlock, b.size)
	}
	r.LongestPauseMS = max(r.LongestPauseMS, milliseconds(l.longestPause()))
	r.Blocks += len(l.blocks)
	return nil
}

func (a *Accounts) add(b Accounts) {
	a.Offered += b.Offered
	a.Accepted += b.Accepted
	a.Again += b.Again
	a.Slipped += b.Slipped
	a.RetryLater += b.RetryLater
	a.Recorded += b.Recorded
	if a.OtherCodes == nil {
		a.OtherCodes = map[string]uint64{}
	}
	for name, n := range b.OtherCodes {
		a.OtherCodes[name] += n
	}
}

// Write writes the report as a table.
func (r *NetworkReport) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("network", "%d validators, %s, %d cores", r.Validators, r.Mode, r.Cores)
	row("ballots", "%d of %d options, %d bytes, %d contests", r.Ballots, r.Options, r.BallotBytes, r.Contests)
	row("clients", "%d, %d ballots a request", r.Clients, r.Batch)
	if r.CeilingTPS > 0 {
		row("ceiling", "%.0f transactions a second", r.CeilingTPS)
	}
	row("recorded", "%.0f ballots a second", r.BallotsPerSecond)
	if r.Ratio > 0 {
		row("ratio", "%.3f", r.Ratio)
	}
	row("cores", "%.0f us a ballot; of the ceiling %.0f us a transaction", r.CPUMicroseconds, r.CeilingCPUMicroseconds)
	for _, d := range []struct {
		name string
		d    Delays
	}{{"to the slip", r.SlipMS}, {"to the ledger", r.LedgerMS}, {"to certified", r.CertifiedMS}} {
		row(d.name, "%v", d.d)
	}
	row("blocks", "%d in %.1f s, largest %d ballots, longest pause %.0f ms", r.Blocks, r.Seconds, r.LargestBlock, r.LongestPauseMS)
	row("known in blocks", "%d of %d transactions, by all nodes together", r.CacheHits, r.CacheHits+r.CacheMisses)
	row("memory", "%d MiB", r.RSSBytes>>20)
	row("disk", "%.0f bytes a ballot", r.DiskBytesPerBallot)
	row("restart", "%.1f s to the next block", r.RestartSeconds)
	row("accounts", "%d offered = %d accepted (%d promised) + %d told to come later + refused %v; %d recorded",
		r.Accounts.Offered, r.Accounts.Accepted, r.Accounts.Slipped, r.Accounts.RetryLater, r.Accounts.OtherCodes, r.Accounts.Recorded)
	if err := t.Flush(); err != nil || r.Ballots < partsShown {
		return err
	}
	fmt.Fprintln(t, "\nround\tballots\ta second\tus of the cores each\tmemory")
	for _, p := range r.Parts {
		fmt.Fprintf(t, "%d\t%d\t%.0f\t%.0f\t%d MiB\n", p.Round, p.Ballots, p.BallotsPerSecond, p.CPUMicroseconds, p.RSSBytes>>20)
	}
	return t.Flush()
}

// partsShown is from how many ballots on the parts are shown to people.
const partsShown = 100_000
