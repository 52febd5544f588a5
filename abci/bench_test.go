package abci

import (
	"context"
	"math"
	"testing"
	"time"
)

// BenchmarkBallots measures a batch of ballots on its way through one node, ballots of three options, on all cores. It reports
// microseconds a ballot for each step; a step that changes the state is measured once a round.
func BenchmarkBallots(b *testing.B) {
	const voters = 256
	l, booth := newLedger(b), newBoothOf(b, voters)
	plant(l, booth)
	var txs [][]byte
	for voter := range voters {
		txs = append(txs, booth.cast(b, voter, 1))
	}
	spent := map[string]time.Duration{}
	measure := func(name string, step func()) {
		start := time.Now()
		step()
		spent[name] += time.Since(start)
	}
	for b.Loop() {
		l.app.pool, l.app.verdicts = newPool(DefaultPoolLimits(), 0), newVerdicts(verdictBytes)
		measure("submit", func() {
			if _, err := l.app.Submit(context.Background(), "", txs...); err != nil {
				b.Fatal(err)
			}
		})
		measure("prepare", func() { l.prepare(math.MaxInt64) })
		measure("process", func() { l.process(txs...) })
		measure("process-cold", func() { l.processCold(txs...) })
		measure("finalize", func() { l.finalize(txs...) })
		l.time -= 1e9
	}
	for name, d := range spent {
		b.ReportMetric(float64(d.Microseconds())/float64(b.N)/voters, name+"-us/ballot")
	}
}
