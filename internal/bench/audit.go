package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"text/tabwriter"
	"time"

	"votenode/internal/network"
	"votenode/internal/scribe"
	"votenode/verify/audit"
)

// MaxAuditBallots and MaxAuditBlocks bound an AuditPlan: the state of an election in the making is held in memory.
const (
	MaxAuditBallots = 1_000_000
	MaxAuditBlocks  = 1_000_000
)

// AuditPlan says what MeasureAudit measures.
type AuditPlan struct {
	// Ballots, 1 to MaxAuditBallots, are cast by as many voters in one contest with Options options, 1 to MaxOptions.
	Ballots, Options int
	// Blocks, 0 to MaxAuditBlocks, is over how many blocks they are spread. As few as hold them are made where it is less.
	Blocks int
	// Record is a new folder for the record, which is kept; empty takes a temporary one.
	Record string
	// Making and Auditing are told how many ballots, and then how many bytes, of how many are dealt with; they may be nil.
	Making, Auditing func(done, all int64)
}

// AuditReport is what came of it.
type AuditReport struct {
	Cores int    `json:"cores"`
	Go    string `json:"go"`

	Ballots int `json:"ballots"`
	Options int `json:"options"`
	// Blocks are all of the record, VotingBlocks those over which the ballots are spread, Validators how many signed each.
	Blocks       int64 `json:"blocks"`
	VotingBlocks int   `json:"voting_blocks"`
	Validators   int   `json:"validators"`
	// Record is the folder, where it was kept. RecordBytes are the bytes of its files.
	Record         string  `json:"record,omitempty"`
	RecordBytes    int64   `json:"record_bytes"`
	BytesPerBallot float64 `json:"record_bytes_per_ballot"`
	MakingSeconds  float64 `json:"making_seconds"`

	// AuditSeconds is the time of the whole audit, Stages its parts, which come to the same sum.
	AuditSeconds     float64      `json:"audit_seconds"`
	BallotsPerSecond float64      `json:"ballots_per_second"`
	Stages           []AuditStage `json:"stages"`
	// ProcessorSeconds is what the audit had of all cores, ToVerification how many times what the stage verify had: the verification of
	// signatures and proofs in batches.
	ProcessorSeconds float64 `json:"processor_seconds"`
	ToVerification   float64 `json:"to_verification"`
	// PeakMemoryBytes is the greatest resident memory of the whole process during the audit, 0 where the system does not tell it.
	PeakMemoryBytes int64 `json:"peak_memory_bytes"`

	// Audit is "passed" or "failed", Fault what is wrong: a check of the auditor, or a result that is not that of the ballots.
	Audit string `json:"audit"`
	Fault string `json:"fault,omitempty"`
}

// AuditStage is a part of the audit, over all blocks. Verification of signatures and proofs is on all cores, all else on one.
type AuditStage struct {
	Name        string  `json:"name"`
	Seconds     float64 `json:"seconds"`
	Processor   float64 `json:"processor_seconds"`
	USPerBallot float64 `json:"us_per_ballot"`
	USPerBlock  float64 `json:"us_per_block"`
}

// MeasureAudit makes a record of a whole election and audits it. The error says that it could not be done; what the auditor found is in
// the report, see AuditReport.Failure.
func MeasureAudit(ctx context.Context, plan AuditPlan) (*AuditReport, error) {
	folder := plan.Record
	if folder == "" {
		temporary, err := os.MkdirTemp("", "votenode-bench-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(temporary)
		folder = filepath.Join(temporary, "record")
	}
	r := &AuditReport{
		Cores: runtime.GOMAXPROCS(0), Go: runtime.Version(), Ballots: plan.Ballots, Options: plan.Options, Record: plan.Record,
	}
	start := time.Now()
	written, err := scribe.Write(ctx, folder, scribe.Options{
		Voters: plan.Ballots, Options: plan.Options, Blocks: plan.Blocks, Progress: plan.Making,
	})
	if err != nil {
		return nil, err
	}
	r.MakingSeconds = time.Since(start).Seconds()
	r.Blocks, r.VotingBlocks, r.Validators = written.Height, written.VotingBlocks, written.Validators
	if r.RecordBytes, err = folderBytes(folder); err != nil {
		return nil, err
	}
	r.BytesPerBallot = float64(r.RecordBytes) / float64(plan.Ballots)
	return r, r.run(ctx, folder, written, plan.Auditing)
}

// run audits the record and fills in what it took.
func (r *AuditReport) run(ctx context.Context, folder string, written *scribe.Written, progress func(done, all int64)) error {
	debug.FreeOSMemory() // what the making held is not the auditor's
	told := network.ResetPeakMemory()
	clock := stageClock{spent: map[audit.Stage]time.Duration{}, processor: map[audit.Stage]time.Duration{}}
	start := time.Now()
	found, err := audit.Run(ctx, os.DirFS(folder), audit.Options{
		GenesisHash: &written.GenesisHash, Progress: progress, Stage: clock.begin,
	})
	clock.begin(clock.now)
	took := time.Since(start).Seconds()
	if err != nil {
		return err
	}
	if told {
		r.PeakMemoryBytes = network.PeakMemory(os.Getpid())
	}
	r.AuditSeconds, r.BallotsPerSecond = took, float64(r.Ballots)/took
	for _, stage := range clock.order {
		seconds, processor := clock.spent[stage].Seconds(), clock.processor[stage].Seconds()
		r.Stages = append(r.Stages, AuditStage{
			Name: stage.String(), Seconds: seconds, Processor: processor,
			USPerBallot: 1e6 * seconds / float64(r.Ballots), USPerBlock: 1e6 * seconds / float64(r.Blocks),
		})
		r.ProcessorSeconds += processor
	}
	if verification := clock.processor[audit.StageVerify].Seconds(); verification > 0 {
		r.ToVerification = r.ProcessorSeconds / verification
	}
	r.Audit = "passed"
	if fault := auditFault(found, written); fault != nil {
		r.Audit, r.Fault = "failed", fault.Error()
	}
	return nil
}

// stageClock adds up what each stage takes.
type stageClock struct {
	spent, processor map[audit.Stage]time.Duration
	order            []audit.Stage // as they first came
	now              audit.Stage
	since            time.Time
	had              time.Duration // processor time, since when the present stage began
}

// begin ends the present stage and begins another.
func (c *stageClock) begin(next audit.Stage) {
	now, had := time.Now(), processorTime()
	if len(c.order) > 0 {
		c.spent[c.now] += now.Sub(c.since)
		c.processor[c.now] += had - c.had
	}
	if !slices.Contains(c.order, next) {
		c.order = append(c.order, next)
	}
	c.now, c.since, c.had = next, now, had
}

// auditFault says what a report shows that the ballots do not, nil where all is right.
func auditFault(found *audit.Report, written *scribe.Written) error {
	if failed := found.Failure(); failed != nil {
		return errors.New(failed.String())
	}
	if len(found.Elections) != 1 || len(found.Elections[0].Contests) != 1 {
		return errors.New("the auditor did not find the one election with one contest")
	}
	var votes []uint64
	var ballots uint64
	e := &found.Elections[0]
	for _, o := range e.Contests[0].Options {
		votes = append(votes, o.Votes)
	}
	for _, n := range written.Votes {
		ballots += n
	}
	switch {
	case found.Height != written.Height:
		return fmt.Errorf("the auditor read %d blocks of %d", found.Height, written.Height)
	case !e.Certified || e.Contests[0].Status != "opened":
		return errors.New("the result is not opened and certified")
	case e.Recorded != ballots || e.Counted != ballots:
		return fmt.Errorf("of %d ballots %d are recorded and %d count", ballots, e.Recorded, e.Counted)
	case !slices.Equal(votes, written.Votes):
		return fmt.Errorf("the result is %v instead of %v", votes, written.Votes)
	}
	return nil
}

// folderBytes adds up the lengths of the files in a folder.
func folderBytes(folder string) (int64, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return 0, err
		}
		total += info.Size()
	}
	return total, nil
}

// Failure says why the audit is not a success, and is nil where it is one.
func (r *AuditReport) Failure() error {
	if r.Audit == "passed" {
		return nil
	}
	return errors.New(r.Fault)
}

// Write shows the report to a person.
func (r *AuditReport) Write(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	line("%d cores, %s\n", r.Cores, r.Go)
	line("ballots\t%d, one contest of %d options", r.Ballots, r.Options)
	line("blocks\t%d, %d of them for the ballots, each signed by %d validators", r.Blocks, r.VotingBlocks, r.Validators)
	line("record\t%.1f MiB, %.0f bytes a ballot, made in %.1f s", float64(r.RecordBytes)/(1<<20), r.BytesPerBallot, r.MakingSeconds)
	if r.Record != "" {
		line("kept in\t%s", r.Record)
	}
	line("audited in\t%.2f s, %.0f ballots a second", r.AuditSeconds, r.BallotsPerSecond)
	if r.ToVerification > 0 {
		line("processor time\t%.2f s, %.0f us a ballot, %.2f times that of the verification", r.ProcessorSeconds, 1e6*r.ProcessorSeconds/float64(r.Ballots), r.ToVerification)
	}
	if r.PeakMemoryBytes > 0 {
		line("greatest memory\t%.0f MiB", float64(r.PeakMemoryBytes)/(1<<20))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	w = tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	line("\nstage\tseconds\tus a ballot\tus a block\t")
	for _, s := range r.Stages {
		line("%s\t%.3f\t%.1f\t%.0f\t", s.Name, s.Seconds, s.USPerBallot, s.USPerBlock)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(to, "\naudit: %s\n", r.Audit)
	return err
}
