package abci

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	dbm "github.com/cometbft/cometbft-db"
)

// promising returns a node that promises without end, and ballots of three options that it has never seen, each of another voter.
func promising(b *testing.B, ballots int) (*ledger, [][]byte) {
	l, booth := newLedgerOf(b, func(o *Options) {
		o.Pool = DefaultPoolLimits()
		o.Turns = func(int64, int64) (int, error) { return 1_000, nil }
	}), newBoothOf(b, ballots)
	plant(l, booth)
	raws := make([][]byte, ballots)
	var group sync.WaitGroup
	for core := range runtime.NumCPU() {
		group.Go(func() {
			for i := core; i < ballots; i += runtime.NumCPU() {
				raws[i] = booth.cast(b, i, 1)
			}
		})
	}
	group.Wait()
	b.ResetTimer()
	return l, raws
}

// BenchmarkSlips measures how many slips a node gives in a second, where several clients bring ballots in batches and the node makes ten
// blocks a second of them. An operation is a ballot: run it with -benchtime 8000x.
func BenchmarkSlips(b *testing.B) {
	const clients, batch = 8, 64
	l, raws := promising(b, b.N)
	batches := make(chan [][]byte, len(raws)/batch+1)
	for part := range slices.Chunk(raws, batch) {
		batches <- part
	}
	close(batches)
	stop := makeBlocks(l)
	var group sync.WaitGroup
	start := time.Now()
	for range clients {
		group.Go(func() {
			for part := range batches {
				for len(part) > 0 {
					part = withoutSlip(b, l, part)
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(len(raws))/time.Since(start).Seconds(), "slips/s")
	stop()
}

// makeBlocks has a node make ten blocks a second of what waits, until stop is called.
func makeBlocks(l *ledger) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-tick.C:
				l.block(l.prepareWhole(4 << 20)...)
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}

// withoutSlip submits ballots and returns those for which there was no room.
func withoutSlip(b *testing.B, l *ledger, ballots [][]byte) (again [][]byte) {
	answers, err := l.app.Submit(context.Background(), "", ballots...)
	if err != nil {
		b.Error(err)
	}
	for i, a := range answers {
		if len(a.Slip) == 0 && a.Code == 0 {
			again = append(again, ballots[i])
		}
	}
	return again
}

// BenchmarkSlipLatency measures the time from a submission to the slip, where 500 ballots a second are brought one by one, whether or not
// those before have their answer, and the node makes ten blocks a second of them. An operation is a ballot: run it with -benchtime 2500x.
func BenchmarkSlipLatency(b *testing.B) {
	const rate = 500
	l, raws := promising(b, b.N)
	stop := makeBlocks(l)
	waits := make([]time.Duration, len(raws))
	var group sync.WaitGroup
	start := time.Now()
	for i, raw := range raws {
		due := start.Add(time.Duration(i) * time.Second / rate)
		time.Sleep(time.Until(due))
		group.Go(func() {
			answers, err := l.app.Submit(context.Background(), "", raw)
			if err != nil || len(answers[0].Slip) == 0 {
				b.Errorf("no slip: %v, %v", answers, err)
			}
			waits[i] = time.Since(due)
		})
	}
	group.Wait()
	stop()
	slices.Sort(waits)
	for name, share := range map[string]int{"p50-ms": 50, "p95-ms": 95} {
		b.ReportMetric(float64(waits[len(waits)*share/100].Microseconds())/1000, name)
	}
}

// BenchmarkPromises measures what a promise costs besides the disk, in batches of 256 ballots.
func BenchmarkPromises(b *testing.B) {
	const batch = 256
	l, raws := promising(b, batch)
	disk := l.app.slips
	defer func() { l.app.slips = disk }()
	var ballots []candidate
	for _, raw := range raws {
		ballots = append(ballots, candidate{l.verified(raw), l.height()})
	}
	for b.Loop() {
		b.StopTimer()
		l.app.pool, l.app.slips = newPool(DefaultPoolLimits(), 0), &slips{db: dbm.NewMemDB()}
		for _, each := range ballots {
			l.app.pool.add(each.Verified, true, 1)
		}
		b.StartTimer()
		for _, p := range l.app.promiseAll(ballots) {
			if p.reason != nil {
				b.Fatal(p.reason)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/batch, "us/slip")
}
