package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"time"

	"votenode/client"
	"votenode/internal/network"
	"votenode/internal/spool"
)

// Network says what to measure of a network.
type Network struct {
	Stage
	// InProcess runs all nodes in this process, with Direct without their gateways. Otherwise each is a process.
	InProcess, Direct bool
	// Clients offer up to Batch transactions in a request, each one request at a time. At most Window accepted ones wait for a block.
	Clients, Batch, Window int
	// Rate is how many transactions are offered a second for Lasting, whatever becomes of them; 0 offers as fast as they are taken.
	Rate    int
	Lasting time.Duration
	// NoCeiling leaves the ceiling out.
	NoCeiling bool
	// Profile, if not empty, is a file for a CPU profile of this process while ballots are offered.
	Profile string

	// adjust, if not nil, changes the copy of the stage's network before any node starts.
	adjust func(copied *network.Network) error
}

// Run prepares what is not on disk yet and measures. Where the accounts do not add up it fails.
func (n *Network) Run(ctx context.Context) (*NetworkReport, error) {
	if err := n.Prepare(ctx); err != nil {
		return nil, err
	}
	r := &NetworkReport{
		Validators: n.Validators, Options: n.Options, Contests: n.Contests, Mode: n.mode(), Clients: n.Clients, Batch: n.Batch,
		Cores: runtime.GOMAXPROCS(0),
	}
	return r, once(ctx, func(ctx context.Context, folder string, fail context.CancelCauseFunc) error {
		return n.all(ctx, folder, fail, r)
	})
}

func (n *Network) mode() string {
	switch {
	case n.Direct:
		return "in process, direct"
	case n.InProcess:
		return "in process, gateway"
	}
	return "processes, gateway"
}

func (n *Network) all(ctx context.Context, folder string, fail context.CancelCauseFunc, r *NetworkReport) error {
	if !n.NoCeiling {
		if err := n.ceiling(ctx, filepath.Join(folder, "ceiling"), r); err != nil {
			return fmt.Errorf("the ceiling: %w", err)
		}
	}
	return n.run(ctx, folder, fail, func(running nodes, copied *network.Network) (nodes, error) {
		if err := n.measure(ctx, running, copied, r); err != nil {
			return running, err
		}
		return n.restart(ctx, running, copied, r)
	})
}

// run runs a copy of the stage's network in a folder, calls do, which returns what runs then, and ends it.
func (n *Network) run(ctx context.Context, folder string, fail context.CancelCauseFunc, do func(running nodes, copied *network.Network) (nodes, error)) error {
	copied, err := network.Copy(n.networkFolder(), filepath.Join(folder, "network"), n.Binary, fail)
	if err != nil {
		return err
	}
	if n.adjust != nil {
		if err := n.adjust(copied); err != nil {
			return err
		}
	}
	network.ResetPeakMemory()
	var running nodes
	if n.InProcess {
		running, err = startInProcess(ctx, copied, n.Direct)
	} else {
		running, err = startProcesses(ctx, copied)
	}
	if err == nil {
		running, err = do(running, copied)
	}
	return errors.Join(err, running.stop())
}

// restart ends nodes and starts them again, and returns what runs then.
func (n *Network) restart(ctx context.Context, running nodes, copied *network.Network, r *NetworkReport) (_ nodes, err error) {
	if !n.InProcess {
		r.RestartSeconds, err = restart(ctx, copied, copied.Validators[0])
		return running, err
	}
	status, err := copied.Validators[0].Node.Status(ctx)
	if err != nil {
		return running, err
	}
	if err := running.stop(); err != nil {
		return running, err
	}
	start := time.Now()
	again, err := startInProcess(ctx, copied, n.Direct)
	if err == nil {
		_, err = copied.Validators[0].Node.AwaitHeight(ctx, status.Height+1)
	}
	r.RestartSeconds = time.Since(start).Seconds()
	return again, err
}

// ceiling measures what CometBFT alone carries.
func (n *Network) ceiling(ctx context.Context, folder string, r *NetworkReport) error {
	size, err := n.ballotBytes()
	if err != nil {
		return err
	}
	bare, err := startBare(ctx, folder, n.Validators, n.parameters())
	if err == nil {
		var l *ledger
		used := network.CPUTime(os.Getpid())
		if l, err = n.offerAll(ctx, bare, noise(n.Voters, size), n.Voters, "transactions of the ceiling", 0, own); err == nil {
			r.CeilingTPS = float64(n.Voters) / l.last.Seconds()
			r.CeilingCPUMicroseconds = each(network.CPUTime(os.Getpid())-used, n.Voters)
			n.Talk.Say("ceiling: CometBFT alone carries %.0f transactions of %d bytes a second", r.CeilingTPS, size)
		}
	}
	err = errors.Join(err, bare.stop())
	bare = nil
	runtime.GC()
	debug.FreeOSMemory()
	return err
}

// each returns the microseconds for one of n.
func each(d time.Duration, n int) float64 { return float64(d.Microseconds()) / float64(n) }

// noise is a source of so many different transactions of a size.
func noise(count, size int) source {
	var mu sync.Mutex
	return func(n int) ([][]byte, error) {
		mu.Lock()
		n = min(n, count)
		count -= n
		mu.Unlock()
		raws := make([][]byte, n)
		for i := range raws {
			raws[i] = make([]byte, size)
			if _, err := io.ReadFull(rand.Reader, raws[i]); err != nil {
				return nil, err
			}
		}
		return raws, nil
	}
}

// ballotBytes returns the length of the first ballot.
func (n *Network) ballotBytes() (int, error) {
	f, err := spool.Open(n.ballots(1))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	first, err := f.Take(1)
	if err != nil || len(first) == 0 {
		return 0, fmt.Errorf("%s has no ballot: %w", n.ballots(1), err)
	}
	return len(first[0]), nil
}

// offerAll offers all that a source has, waits until it is recorded, and returns the accounts.
func (n *Network) offerAll(ctx context.Context, running nodes, next source, count int, what string, after int64, usage func() (time.Duration, int64)) (*ledger, error) {
	l := newLedger(count, usage)
	return l, l.record(ctx, running.chain(), after, func(ctx context.Context) error {
		c := &clients{name: "client", count: n.Clients, batch: n.Batch, window: n.Window, pause: pause, ledger: l}
		bar := n.Talk.Bar(what, count)
		defer bar.Clear()
		counted := func(k int) ([][]byte, error) {
			raws, err := next(k)
			l.mu.Lock()
			bar.Set(int(l.accounts.Recorded))
			l.mu.Unlock()
			return raws, err
		}
		if n.Rate > 0 {
			return c.at(ctx, running.targets(), &queue{next: counted}, n.Rate, n.Lasting)
		}
		return c.all(ctx, running.targets(), counted)
	})
}

// pause is how long a client waits whom a node told to come later.
const pause = 250 * time.Millisecond

// measure offers all ballots of all rounds.
func (n *Network) measure(ctx context.Context, running nodes, copied *network.Network, r *NetworkReport) error {
	height, err := n.ready(ctx, running)
	if err != nil {
		return err
	}
	home := copied.Validators[0].Home
	before, err := network.Allocated(home)
	if err != nil {
		return err
	}
	stop, err := n.profile()
	if err != nil {
		return err
	}
	defer stop()
	used, _ := n.usage(copied)
	for round := 1; round <= n.Rounds; round++ {
		if round > 1 {
			if err := awaitInterval(ctx, copied.Validators[0].Node); err != nil {
				return err
			}
		}
		file, err := spool.Open(n.ballots(round))
		if err != nil {
			return err
		}
		var mu sync.Mutex
		next := func(k int) ([][]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			return file.Take(k)
		}
		l, err := n.offerAll(ctx, running, next, file.Size(), fmt.Sprintf("ballots of round %d recorded", round), height, func() (time.Duration, int64) { return n.usage(copied) })
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
		height += int64(len(l.blocks))
		if err := r.add(round, l); err != nil {
			return err
		}
	}
	now, _ := n.usage(copied)
	r.CPUMicroseconds = each(now-used, r.Ballots)
	after, err := network.Allocated(home)
	if err != nil {
		return err
	}
	if r.BallotBytes, err = n.ballotBytes(); err != nil {
		return err
	}
	r.DiskBytesPerBallot = float64(after-before) / float64(r.Ballots)
	r.BallotsPerSecond = float64(r.Ballots) / r.Seconds
	if r.CeilingTPS > 0 {
		r.Ratio = r.BallotsPerSecond / r.CeilingTPS
	}
	if err := r.countHits(ctx, copied); err != nil {
		return err
	}
	r.RSSBytes = n.peakMemory(copied)
	return nil
}

// peakMemory is the greatest resident memory: of this process with all nodes in it, or of a validator's.
func (n *Network) peakMemory(copied *network.Network) (peak int64) {
	if n.InProcess {
		return network.PeakMemory(os.Getpid())
	}
	for _, v := range copied.Validators {
		peak = max(peak, network.PeakMemory(v.Process.PID()))
	}
	return peak
}

// countHits asks all nodes what they knew of the transactions in blocks.
func (r *NetworkReport) countHits(ctx context.Context, copied *network.Network) error {
	for _, v := range copied.Validators {
		status, err := v.Node.Status(ctx)
		if err != nil {
			return err
		}
		for _, l := range []client.Lookups{status.Intake.Process, status.Intake.Finalize} {
			r.CacheHits += l.Pool + l.Remembered
			r.CacheMisses += l.Unseen
		}
	}
	return nil
}

// own is the time of the cores that this process has used, and its resident memory.
func own() (cpu time.Duration, rss int64) {
	return network.CPUTime(os.Getpid()), network.Memory(os.Getpid())
}

// awaitInterval waits until block time has moved by more than the least interval between two ballots of one voter.
func awaitInterval(ctx context.Context, n *client.Node) error {
	first, err := n.Status(ctx)
	for s := first; err == nil; s, err = n.WaitHeight(ctx, s.Height+1) {
		if s.Time.Sub(first.Time) > revoteInterval*time.Second {
			return nil
		}
	}
	return err
}

// usage is what all nodes have used, and clients that are in the same process.
func (n *Network) usage(copied *network.Network) (cpu time.Duration, rss int64) {
	if n.InProcess {
		return own()
	}
	for _, v := range copied.Validators {
		cpu += network.CPUTime(v.Process.PID())
		rss += network.Memory(v.Process.PID())
	}
	return cpu, rss
}

// profile begins a CPU profile where one is wanted, and returns what ends it.
func (n *Network) profile() (stop func(), err error) {
	if n.Profile == "" {
		return func() {}, nil
	}
	file, err := os.Create(n.Profile)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		if err := file.Close(); err != nil {
			n.Talk.Say("%s: %v", n.Profile, err)
		}
	}, nil
}

// ready waits until the network makes blocks, and returns a height.
func (n *Network) ready(ctx context.Context, running nodes) (int64, error) {
	height := int64(0)
	for range 3 {
		blocks, _, err := running.chain().blocksAfter(ctx, height)
		if err != nil {
			return 0, err
		}
		height += int64(len(blocks))
	}
	return height, nil
}
