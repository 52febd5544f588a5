package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"

	"votenode/app/election"
	"votenode/internal/scribe"
)

// TallyPlan says what MeasureTally measures: the opening of Contests contests with Options options each, up to scribe.MaxTallyContests
// and scribe.MaxTallyOptions, in each of which Ballots ballots count, up to scribe.MaxTallyBallots.
type TallyPlan struct {
	Contests, Options int
	Ballots           uint64
	// RoundTrip is how long a trustee's program waits for every record that it reads.
	RoundTrip time.Duration
	// Progress is told how many contests of how many are decided; it may be nil.
	Progress func(done, all int64)
}

// TallyReport is what came of it.
type TallyReport struct {
	Cores int    `json:"cores"`
	Go    string `json:"go"`

	Contests int    `json:"contests"`
	Options  int    `json:"options_each"`
	Ballots  uint64 `json:"ballots_each"`

	// OpeningMS is the block in which voting begins, VotingMS the dearest block without transactions while it goes on.
	OpeningMS float64 `json:"opening_block_ms"`
	VotingMS  float64 `json:"voting_empty_block_ms"`

	Trustees TallyTrustees `json:"trustees"`
	// Blocks are those from the closing to the last result.
	Blocks []TallyBlock `json:"blocks"`

	// SlowestMS is the longest of these blocks, DearestMS the most processor time that one takes of all cores, AllowedMS a third of the
	// timeout for a proposal.
	SlowestMS float64 `json:"slowest_block_ms"`
	DearestMS float64 `json:"dearest_block_processor_ms"`
	AllowedMS float64 `json:"allowed_ms"`
	// BlocksAfterShares is how many blocks it takes from the one with the last part that is needed to the last result, both included;
	// SecondsAfterShares what these take with the pause between blocks that the ledger recommends.
	BlocksAfterShares  int     `json:"blocks_after_last_share"`
	SecondsAfterShares float64 `json:"seconds_after_last_share"`
	// Seconds is how long all of it took, the preparation too.
	Seconds float64 `json:"seconds"`
}

// TallyTrustees is the work of the trustees' programs: by trustee, the slowest and the greatest.
type TallyTrustees struct {
	Number int `json:"number"`
	// Seconds are without the node, which takes AdmissionMS for a transaction with the most contests.
	Seconds      float64 `json:"seconds"`
	AdmissionMS  float64 `json:"admission_ms"`
	RoundTripMS  float64 `json:"round_trip_ms"`
	Reads        int64   `json:"reads"`
	Transactions int     `json:"transactions"`
	Bytes        int     `json:"bytes"`
}

// TallyBlock is a block and what it takes, milliseconds.
type TallyBlock struct {
	// Phase is that of the election after it.
	Phase        string `json:"phase"`
	Transactions int    `json:"transactions"`
	Bytes        int    `json:"bytes"`
	Units        uint64 `json:"units"`
	// Parts are the partial decryptions that it brings, Decided the contests with a result after it.
	Parts   int `json:"parts"`
	Decided int `json:"decided"`
	// ChooseMS is its proposer's choice of transactions. CheckMS and ExecuteMS are those of a validator that has seen none of them, KnownMS
	// is the execution by one that has taken them in, HashMS the making of the trees. TotalMS is CheckMS, ExecuteMS and HashMS,
	// ProcessorMS what these took of all cores, to which nothing adds that runs on the machine besides.
	ChooseMS    float64 `json:"choose_ms"`
	CheckMS     float64 `json:"check_ms"`
	ExecuteMS   float64 `json:"execute_ms"`
	KnownMS     float64 `json:"execute_known_ms"`
	HashMS      float64 `json:"hash_ms"`
	TotalMS     float64 `json:"total_ms"`
	ProcessorMS float64 `json:"processor_ms"`
}

// MeasureTally measures what it takes to open the sums of an election, from its closing to the last result.
func MeasureTally(ctx context.Context, plan TallyPlan) (*TallyReport, error) {
	start := time.Now()
	folder, err := os.MkdirTemp("", "votenode-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	held, err := scribe.HoldTally(ctx, scribe.TallyPlan{
		Contests: plan.Contests, Options: plan.Options, Ballots: plan.Ballots, Folder: folder, RoundTrip: plan.RoundTrip, Progress: plan.Progress,
	})
	if err != nil {
		return nil, err
	}
	r := &TallyReport{
		Cores: runtime.GOMAXPROCS(0), Go: runtime.Version(), Contests: plan.Contests, Options: plan.Options, Ballots: plan.Ballots,
		OpeningMS: milliseconds(total(held.Opening)), VotingMS: milliseconds(total(held.Voting)),
		Trustees: trusteesOf(held), AllowedMS: float64(held.Timeouts.Propose) / 3,
	}
	r.Trustees.RoundTripMS = milliseconds(plan.RoundTrip)
	pause := time.Duration(held.Timeouts.Commit) * time.Millisecond
	for i, b := range held.Blocks {
		r.Blocks = append(r.Blocks, TallyBlock{
			Phase: election.PhaseName(b.Phase), Transactions: b.Transactions, Bytes: b.Bytes, Units: b.Units, Parts: b.Parts, Decided: b.Decided,
			ChooseMS: milliseconds(b.Choose), CheckMS: milliseconds(b.Check), ExecuteMS: milliseconds(b.Execute),
			KnownMS: milliseconds(b.Known), HashMS: milliseconds(b.Hash), TotalMS: milliseconds(total(b.Cost)),
			ProcessorMS: milliseconds(b.Processor),
		})
		r.SlowestMS, r.DearestMS = max(r.SlowestMS, milliseconds(total(b.Cost))), max(r.DearestMS, milliseconds(b.Processor))
		if i >= held.Completed {
			r.BlocksAfterShares++
			r.SecondsAfterShares += (pause + total(b.Cost)).Seconds()
		}
	}
	r.Seconds = time.Since(start).Seconds()
	return r, nil
}

func total(c scribe.Cost) time.Duration { return c.Check + c.Execute + c.Hash }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// trusteesOf takes the slowest time and the greatest numbers, and the mean of what a transaction takes a node.
func trusteesOf(held *scribe.Tally) TallyTrustees {
	t := TallyTrustees{Number: len(held.Trustees)}
	var admission time.Duration
	sent := 0
	for _, w := range held.Trustees {
		t.Seconds, t.Reads = max(t.Seconds, w.Time.Seconds()), max(t.Reads, w.Reads)
		t.Transactions, t.Bytes = max(t.Transactions, w.Transactions), max(t.Bytes, w.Bytes)
		admission, sent = admission+w.Admission, sent+w.Transactions
	}
	t.AdmissionMS = milliseconds(admission) / float64(max(sent, 1))
	return t
}

// Write shows the report to a person.
func (r *TallyReport) Write(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	line("%d cores, %s\n", r.Cores, r.Go)
	line("contests\t%d of %d options, %d options together, %d ballots in each", r.Contests, r.Options, r.Contests*r.Options, r.Ballots)
	line("voting begins\t%.1f ms; a block without transactions while it goes on %.1f ms", r.OpeningMS, r.VotingMS)
	t := &r.Trustees
	line("a trustee\t%.2f s for %d transactions of %d bytes together, after %d records read in %.0f ms each", t.Seconds, t.Transactions, t.Bytes, t.Reads, t.RoundTripMS)
	line("a node takes in\tone such transaction in %.0f ms, from %d trustees", t.AdmissionMS, t.Number)
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(to, "\nFrom the closing to the last result, milliseconds")
	w = tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	line("phase\ttransactions\tbytes\tunits\tparts\tdecided\tchoose\tcheck\texecute\tif known\thash\tall\tprocessor\t")
	for _, b := range r.Blocks {
		line("%s\t%d\t%d\t%d\t%d\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t", b.Phase, b.Transactions, b.Bytes, b.Units, b.Parts, b.Decided,
			b.ChooseMS, b.CheckMS, b.ExecuteMS, b.KnownMS, b.HashMS, b.TotalMS, b.ProcessorMS)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	w = tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line("\nslowest block\t%.0f ms of %.0f ms that it may take; the dearest takes %.0f ms of processor time", r.SlowestMS, r.AllowedMS, r.DearestMS)
	line("last share to last result\t%d blocks, %.2f s", r.BlocksAfterShares, r.SecondsAfterShares)
	line("all of this took\t%.0f s", r.Seconds)
	return w.Flush()
}
