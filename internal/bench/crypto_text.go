package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// quiet is the share of the processor time above which nothing else of account ran.
const quiet = 0.9

// Write shows the report to a person.
func (r *CryptoReport) Write(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\t\n", args...) }
	title := func(format string, args ...any) {
		w.Flush() // a table of its own
		fmt.Fprintf(w, format+"\n", args...)
	}
	title("%d cores, %s. Times are microseconds on one core unless they say otherwise.\n", r.Cores, r.Go)
	title("A ballot: one contest, at most one of its options")
	line("options\tciphertext\tproof\tsignature\ttransaction\tunits\tprove\tdecode\tsignature only\tadd to sums")
	for _, b := range r.Ballots {
		line("%d\t%d B\t%d B\t%d B\t%d B\t%d\t%.0f\t%.0f\t%.0f\t%.1f", b.Options, b.CiphertextBytes, b.ProofBytes, b.SignatureBytes,
			b.TransactionBytes, b.Units, b.ProveUS, b.DecodeUS, b.SignatureUS, b.SumUS)
	}
	title("\nVerifying, by ballot: decoded ones at once, and the way of a node from bytes to verdicts")
	line("options\tbatch\tdecoded\tall\ta unit\tballots/s, one core\tballots/s, %d cores", r.Cores)
	for _, b := range r.Ballots {
		for _, n := range b.Batches {
			line("%d\t%d\t%.0f\t%.0f\t%.1f\t%.0f\t%.0f", b.Options, n.Batch, n.VerifyUS, n.OneCoreUS, n.UnitUS,
				n.OneCoreBallotsPerSecond, n.AllCoresBallotsPerSecond)
		}
	}
	title("The limits of a block reckon with %d microseconds a unit.", r.AssumedUnitUS)
	title("\nA full block under the default limits, of ballots that a validator has not seen")
	line("options\tballots\tverify\tallowed")
	for _, b := range r.Ballots {
		line("%d\t%d\t%.0f ms\t%.0f ms", b.Options, b.Block.Ballots, b.Block.VerifyMS, b.Block.AllowedMS)
	}
	title("\nOpening a contest: one trustee's part, and the combination of a quorum of two in two organisations")
	line("options\tprove\tverify\tunits\ta unit\tcombine")
	for _, b := range r.Ballots {
		o := b.Opening
		line("%d\t%.0f\t%.0f\t%d\t%.1f\t%.0f", b.Options, o.ProveUS, o.VerifyUS, o.Units, o.UnitUS, o.CombineUS)
	}
	title("\nTable for totals up to %d: %.0f ms once; the longest search %.0f us.", r.LogTable.Max, r.LogTable.BuildMS, r.LogTable.SolveUS)
	title("One Ed25519 signature: %.0f us, %d units, %.1f us a unit.", r.Signature.VerifyUS, r.Signature.Units, r.Signature.UnitUS)
	title("All of this took %.0f s. Every measurement had at least %.0f%% of the processor time it asked for.", r.Seconds, 100*r.LeastCPUShare)
	if r.LeastCPUShare < quiet {
		title("Something else ran meanwhile: the machine can do more than this. Measure again with a longer --seconds when it is quiet.")
	}
	return w.Flush()
}
