package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"votenode/app/tx"
	"votenode/client"
	"votenode/crypto/ballot"
	"votenode/internal/network"
	"votenode/internal/spool"
	pb "votenode/proto/votenode/v1"
)

// Receipts says how to measure how many receipts one validator hands out while it validates.
type Receipts struct {
	// Network says what runs. Half of the ballots are offered at Rate without readers, the other half beside them, for Lasting each.
	Network
	// Readers ask the first validator for receipts under a certified state, each for one at a time.
	Readers int
}

// ReceiptsReport is what came of it.
type ReceiptsReport struct {
	Validators int    `json:"validators"`
	Options    int    `json:"options"`
	Mode       string `json:"mode"`
	Readers    int    `json:"readers"`
	Cores      int    `json:"cores"`

	// ReceiptsPerSecond by one validator, ReceiptBytes the length of one, ReceiptMS how long a reader waited for it.
	ReceiptsPerSecond float64 `json:"receipts_per_second"`
	ReceiptBytes      int     `json:"receipt_bytes"`
	ReceiptMS         Delays  `json:"receipt_ms"`
	// Alone is what voters had without readers, Beside what they had beside them.
	Alone  VotersReport `json:"alone"`
	Beside VotersReport `json:"beside"`
}

// VotersReport is what voters had who came at a rate.
type VotersReport struct {
	Rate             int      `json:"rate"`
	BallotsPerSecond float64  `json:"ballots_per_second"`
	SlipMS           Delays   `json:"slip_ms"`
	LedgerMS         Delays   `json:"ledger_ms"`
	LongestPauseMS   float64  `json:"longest_pause_ms"`
	Accounts         Accounts `json:"accounts"`
}

// Run prepares what is not on disk yet and measures. It fails where the accounts do not add up, or where a ballot that is certified has no
// receipt.
func (r *Receipts) Run(ctx context.Context) (*ReceiptsReport, error) {
	if err := r.Prepare(ctx); err != nil {
		return nil, err
	}
	report := &ReceiptsReport{Validators: r.Validators, Options: r.Options, Mode: r.mode(), Readers: r.Readers, Cores: runtime.GOMAXPROCS(0)}
	return report, once(ctx, func(ctx context.Context, folder string, fail context.CancelCauseFunc) error {
		return r.run(ctx, folder, fail, func(running nodes, copied *network.Network) (nodes, error) {
			return running, r.measure(ctx, running, copied.Validators[0].Node, report)
		})
	})
}

func (r *Receipts) measure(ctx context.Context, running nodes, from *client.Node, report *ReceiptsReport) error {
	height, err := r.ready(ctx, running)
	if err != nil {
		return err
	}
	file, err := spool.Open(r.ballots(1))
	if err != nil {
		return err
	}
	defer file.Close()
	all := newPortion(file)
	half := file.Size() / 2
	recorded, err := r.vote(ctx, running, all.part(half), &height, &report.Alone, nil)
	if err != nil {
		return err
	}
	r.Talk.Say("without readers: longest pause between blocks %.0f ms", report.Alone.LongestPauseMS)
	took := new(spans)
	_, err = r.vote(ctx, running, all.part(half), &height, &report.Beside, func(ctx context.Context) error {
		return r.read(ctx, from, recorded, took, report)
	})
	report.ReceiptMS = took.delays()
	return err
}

// vote has voters bring ballots at the rate while beside runs, if it is not nil.
func (r *Receipts) vote(ctx context.Context, running nodes, from *portion, height *int64, report *VotersReport, beside func(context.Context) error) (*ledger, error) {
	l := newLedger(from.left, unwatched)
	l.keeping = true
	err := l.record(ctx, running.chain(), *height, func(ctx context.Context) error {
		g, ctx := errgroup.WithContext(ctx)
		if beside != nil {
			g.Go(func() error { return beside(ctx) })
		}
		g.Go(func() error {
			c := &clients{name: "voter", count: r.Clients, batch: 1, ledger: l}
			return c.at(ctx, running.targets(), &queue{next: from.next}, r.Rate, r.Lasting)
		})
		return g.Wait()
	})
	*height += int64(len(l.blocks))
	if err != nil {
		return nil, err
	}
	report.Accounts = l.close()
	if err := report.Accounts.Fault(); err != nil {
		return nil, fmt.Errorf("the accounts do not add up: %w", err)
	}
	if report.Accounts.Recorded == 0 {
		return nil, errors.New("no ballot was recorded: offer fewer a second, or for longer")
	}
	report.Rate, report.BallotsPerSecond = r.Rate, float64(report.Accounts.Recorded)/l.last.Seconds()
	report.SlipMS, report.LedgerMS, report.LongestPauseMS = l.delays(slipDelay), l.delays(recordDelay), milliseconds(l.longestPause())
	return l, nil
}

// read asks for receipts of recorded ballots, in turn, until the time is over.
func (r *Receipts) read(ctx context.Context, from *client.Node, recorded *ledger, took *spans, report *ReceiptsReport) error {
	begin := time.Now()
	g, reading := errgroup.WithContext(ctx)
	for range r.Readers {
		own, err := client.NewNode(from.Address())
		if err != nil {
			return err
		}
		g.Go(func() error {
			for time.Since(begin) < r.Lasting {
				code, err := codeOf(recorded.repeat(1)[0])
				if err != nil {
					return err
				}
				asked := time.Now()
				if _, err := own.Receipt(reading, electionID, code, true); err != nil {
					return fmt.Errorf("the receipt of %x: %w", code, err)
				}
				took.add(time.Since(asked))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	report.ReceiptsPerSecond = float64(len(took.all)) / time.Since(begin).Seconds()
	code, err := codeOf(recorded.repeat(1)[0])
	if err != nil {
		return err
	}
	one, err := from.Receipt(ctx, electionID, code, true)
	if err == nil {
		report.ReceiptBytes = one.Size()
	}
	return err
}

// codeOf returns the confirmation code of a ballot.
func codeOf(raw []byte) ([32]byte, error) {
	parsed, err := tx.Parse(raw)
	if err != nil {
		return [32]byte{}, err
	}
	b := parsed.Body().(*pb.CastBallot)
	return ballot.ConfirmationCode(chainID, b.Election, b.Style, b.RollIndex, b.Sequence, b.Ciphertext), nil
}

// Write writes the report as a table.
func (r *ReceiptsReport) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("network", "%d validators, %s, %d cores", r.Validators, r.Mode, r.Cores)
	row("receipts", "%.0f a second from one validator, %d readers, %d bytes each", r.ReceiptsPerSecond, r.Readers, r.ReceiptBytes)
	row("a receipt", "%v", r.ReceiptMS)
	for _, v := range []struct {
		name string
		*VotersReport
	}{{"voters alone", &r.Alone}, {"voters beside", &r.Beside}} {
		row(v.name, "%.0f ballots a second of %d; longest pause between blocks %.0f ms", v.BallotsPerSecond, v.Rate, v.LongestPauseMS)
		row("", "to the slip %v", v.SlipMS)
		row("", "to the ledger %v", v.LedgerMS)
	}
	return t.Flush()
}
