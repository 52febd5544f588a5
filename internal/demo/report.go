package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"votenode/internal/network"
	"votenode/verify/slip"
)

// Report is what came of a demo: the object that --json prints.
type Report struct {
	Source      string `json:"source"`
	GenesisHash string `json:"genesis_hash"`
	Election    string `json:"election"`
	Towns       int    `json:"towns"`
	Contests    int    `json:"contests"`
	Slots       int    `json:"slots"`

	// Ballots that count, which is the number of voters; Recorded are all in the log, those that were superseded too.
	Ballots  int `json:"ballots"`
	Recorded int `json:"ballots_recorded"`
	// Mismatches is the number of figures that the results do not show.
	Mismatches  int      `json:"mismatches"`
	Differences []Figure `json:"differences"`
	Results     []Figure `json:"results"`
	// Refused is the number of bad transactions that nodes refused.
	Refused  int       `json:"refused"`
	Refusals []Refusal `json:"refusals"`
	// Outage is null where the validators run elsewhere.
	Outage   *Outage  `json:"outage"`
	Promises Promises `json:"promises"`
	// Absent trustees were ended before decryption.
	Absent []string `json:"absent_trustees"`

	// Proven is how many ballots were proven ahead, in ProvingSeconds on all cores, and then sent.
	Proven         int     `json:"ballots_proven"`
	ProvingSeconds float64 `json:"proving_seconds"`
	// VotingSeconds are from the first submission to the last inclusion, the outage included.
	VotingSeconds    float64 `json:"voting_seconds"`
	BallotsPerSecond float64 `json:"ballots_per_second"`
	// LedgerBytesPerBallot are allocated bytes of a validator's home, after the voting minus before, by ballots sent meanwhile. 0 where
	// the validators run elsewhere, and so is PeakRSSBytes.
	LedgerBytesPerBallot float64 `json:"ledger_bytes_per_ballot"`
	// PeakRSSBytes is the greatest resident memory of any validator process that was up at the end.
	PeakRSSBytes int64   `json:"peak_rss_bytes"`
	Stages       []Stage `json:"stages"`
	Seconds      float64 `json:"seconds"`

	States *States `json:"states"`
	// Record is the exported folder, of RecordBytes allocated bytes. It is kept.
	Record      string `json:"record"`
	RecordBytes int64  `json:"record_bytes"`
	// Audit is "passed" or "failed", AuditTalk what a failed one said.
	Audit     string `json:"audit"`
	AuditTalk string `json:"audit_talk,omitempty"`
	// AuditOffline: the auditor's process was kept from the network.
	AuditOffline bool `json:"audit_offline"`
	// Damaged is what the audit said of a copy with one flipped bit.
	Damaged string `json:"damaged_copy"`
	// Network is there where the network was kept.
	Network *Left `json:"network,omitempty"`
}

// Refusal is a bad transaction with the code that nodes gave it.
type Refusal struct {
	What   string `json:"what"`
	Code   uint32 `json:"code"`
	Name   string `json:"name"`
	Advice string `json:"advice"`
}

// Outage is the absence of a killed validator: the height at its death, the heights whose commit lacks its signature, and the first
// that has it again.
type Outage struct {
	Validator string  `json:"validator"`
	Killed    int64   `json:"killed_at_height"`
	Without   []int64 `json:"heights_without_signature"`
	Back      int64   `json:"signs_again_at_height"`
}

// States tells that so many nodes have the same AppHash after a height.
type States struct {
	Height  int64  `json:"height"`
	Nodes   int    `json:"nodes"`
	AppHash string `json:"app_hash"`
}

// Stage is a part of the demo with its duration.
type Stage struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// Left is a network that was left up.
type Left struct {
	Folder   string   `json:"folder"`
	Gateways []string `json:"gateways"`
	PIDs     []int    `json:"pids"`
}

func newReport(o Options) *Report {
	return &Report{Source: o.Source, Towns: len(o.Towns), Differences: []Figure{}, Refusals: []Refusal{}, Absent: []string{}, Audit: "failed",
		Promises: Promises{Verdicts: map[string]int{}, Receipts: map[string]int{}}}
}

func (r *run) left(running []*network.Process) *Left {
	l := &Left{Folder: r.network.Folder, Gateways: r.network.Addresses()}
	for _, p := range running {
		l.PIDs = append(l.PIDs, p.PID())
	}
	return l
}

// Failure says why a demo that was held to its end is not a success, and is nil where it is one.
func (r *Report) Failure() error {
	switch {
	case r.Audit != "passed":
		return fmt.Errorf("audit: %s", r.Audit)
	case r.Mismatches > 0:
		return fmt.Errorf("%d of %d figures differ from the results", r.Mismatches, len(r.Results))
	case r.Promises.Verdicts[slip.Kept.String()] != r.Promises.Judged || r.Promises.Signed == 0:
		return fmt.Errorf("promises of validators: %d signed, of %d judged: %v", r.Promises.Signed, r.Promises.Judged, r.Promises.Verdicts)
	}
	return nil
}

// longTable is how many figures are shown one by one; of more, only those that differ.
const longTable = 120

// Write tells a person what came of the demo.
func (r *Report) Write(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	shown := r.Results
	line("\nResults on the ledger, read with proofs\tledger\t%s", r.Source)
	if len(shown) > longTable {
		shown = r.Differences
		line("  %d figures, of which differ\t%d\t", len(r.Results), len(shown))
	}
	for _, f := range shown {
		name, mark := "    "+f.Candidate, ""
		if f.Candidate == "" {
			name = "  " + f.Office + " (ballots)"
		} else if len(r.Results) > longTable {
			name = "  " + f.Office + ": " + f.Candidate
		}
		if f.Ledger != f.Expected {
			mark = "   DIFFERENT"
		}
		line("%s\t%d\t%d%s", name, f.Ledger, f.Expected, mark)
	}
	line("\nRefused\tcode\tadvice")
	for _, f := range r.Refusals {
		line("  %s\t%d %s\t%s", f.What, f.Code, f.Name, f.Advice)
	}
	if o := r.Outage; o != nil {
		line("\nOutage\t")
		line("  %s was killed at height\t%d", o.Validator, o.Killed)
		line("  heights whose commit lacks its signature\t%s", ranges(o.Without))
		line("  first height that has it again\t%d", o.Back)
	}
	line("\nPromises and receipts\t")
	line("  ballots promised by the validator that took them\t%d of %d", r.Promises.Signed, r.Promises.Answered)
	line("  promises judged\t%s", counts(r.Promises.Verdicts))
	line("  receipts verified, at most %d bytes\t%s", r.Promises.ReceiptBytes, counts(r.Promises.Receipts))
	line("\nTimes and sizes\t")
	for _, s := range r.Stages {
		line("  %s\t%.1f s", s.Name, s.Seconds)
	}
	line("  all\t%.1f s", r.Seconds)
	line("  %d ballots proven\t%.2f ms each on all cores", r.Proven, 1000*r.ProvingSeconds/max(float64(r.Proven), 1))
	line("  %d ballots recorded, %d of them count\t%.0f a second", r.Recorded, r.Ballots, r.BallotsPerSecond)
	if r.PeakRSSBytes > 0 {
		line("  ledger\t%.0f bytes a ballot", r.LedgerBytesPerBallot)
		line("  greatest memory of a validator\t%.0f MiB", float64(r.PeakRSSBytes)/(1<<20))
	}
	line("  record %s\t%.1f MiB", r.Record, float64(r.RecordBytes)/(1<<20))
	line("  absent at decryption\t%s", strings.Join(r.Absent, ", "))
	if s := r.States; s != nil {
		line("  app hash of all %d nodes after height %d\t%s", s.Nodes, s.Height, s.AppHash)
	}
	line("\nA copy of the record with one flipped bit\t%s", r.Damaged)
	if n := r.Network; n != nil {
		pids := strings.Trim(fmt.Sprint(n.PIDs), "[]")
		line("\nThe network is up. Folder with keys and logs\t%s", n.Folder)
		line("  look at it\tvotenode election show --genesis-hash %s --node %s %s", r.GenesisHash, n.Gateways[0], r.Election)
		line("  or\tcurl http://%s/v1/status", n.Gateways[0])
		line("  end it\tkill %s && rm -r %s", pids, n.Folder)
	}
	line("\naudit: %s", r.Audit)
	return w.Flush()
}

// ranges writes ascending heights as 3-7, 9.
func ranges(heights []int64) string {
	var parts []string
	for i := 0; i < len(heights); {
		j := i
		for j+1 < len(heights) && heights[j+1] == heights[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, fmt.Sprint(heights[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", heights[i], heights[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// counts writes numbers by name, in the order of the names.
func counts(byName map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		parts = append(parts, fmt.Sprintf("%d %s", byName[name], name))
	}
	return strings.Join(parts, ", ")
}
