package bench

import (
	"context"
	"runtime"
	"slices"
	"syscall"
	"time"

	"votenode/crypto/ballot"
	"votenode/genesis"
)

// The bounds of a CryptoPlan: a ballot has a dummy position besides its options, and all ballots are held in memory.
const (
	MaxOptions = ballot.MaxPositions - 1
	MaxBatch   = 16_384
)

// CryptoPlan says what MeasureCrypto measures.
type CryptoPlan struct {
	// Options are numbers of options of a ballot, 1 to MaxOptions; Batches how many ballots are verified at once, 1 to MaxBatch. Neither
	// is empty.
	Options, Batches []int
	// Span is how long each measurement goes on. It ends with the first round that is over after it.
	Span time.Duration
	// Progress is told how many measurements of how many are done; it may be nil.
	Progress func(done, all int64)
}

// CryptoReport is what came of it. Microseconds are those of one core, and means over all rounds of a measurement.
type CryptoReport struct {
	// Cores is how many the program uses at once, Go the version that it was built with.
	Cores int    `json:"cores"`
	Go    string `json:"go"`
	// AssumedUnitUS is genesis.UnitMicroseconds, with which the limits of a block are reckoned.
	AssumedUnitUS int            `json:"assumed_unit_us"`
	Ballots       []CryptoBallot `json:"ballots"`
	// Signature is one Ed25519 signature, as all but voters sign.
	Signature CryptoSignature `json:"ed25519"`
	LogTable  CryptoLogTable  `json:"log_table"`
	// LeastCPUShare is the smallest part of the processor time it asked for that a measurement had, 0 to 1. Well below 1 something else
	// ran, and the numbers are worse than the machine.
	LeastCPUShare float64 `json:"least_cpu_share"`
	// Seconds is how long all of it took, the making of ballots too.
	Seconds float64 `json:"seconds"`
}

// CryptoBallot is the cost of ballots with one contest, of whose options at most one is selected.
type CryptoBallot struct {
	Options int `json:"options"`
	// BallotBytes are ciphertext, proof and signature, TransactionBytes the whole that stands in a block.
	CiphertextBytes  int `json:"ciphertext_bytes"`
	ProofBytes       int `json:"proof_bytes"`
	SignatureBytes   int `json:"signature_bytes"`
	BallotBytes      int `json:"ballot_bytes"`
	TransactionBytes int `json:"transaction_bytes"`
	// Units are those of the ledger's rules (spec 2.7).
	Units uint64 `json:"units"`
	// ProveUS is what a voter's program does: encrypt, prove, sign. DecodeUS is reading a transaction, the voter's key and the ballot,
	// with its challenges; SignatureUS the signature of a decoded ballot alone; SumUS the adding of a decoded ballot to the sums.
	ProveUS     float64 `json:"prove_us"`
	DecodeUS    float64 `json:"decode_us"`
	SignatureUS float64 `json:"signature_verify_us"`
	SumUS       float64 `json:"sum_us"`
	// Batches are ascending by size.
	Batches []CryptoBatch `json:"batches"`
	Block   CryptoBlock   `json:"block"`
	Opening CryptoOpening `json:"opening"`
}

// CryptoBatch is the verification of so many ballots at once, by ballot.
type CryptoBatch struct {
	Batch int `json:"batch"`
	// VerifyUS is the check of decoded ballots in one multiplication.
	VerifyUS float64 `json:"verify_us"`
	// OneCoreUS is the way of a node from bytes to verdicts, on one core. It splits batches of more than 128.
	OneCoreUS float64 `json:"one_core_us"`
	// UnitUS is OneCoreUS by the units of a ballot.
	UnitUS                   float64 `json:"unit_us"`
	OneCoreBallotsPerSecond  float64 `json:"one_core_ballots_per_second"`
	AllCoresBallotsPerSecond float64 `json:"all_cores_ballots_per_second"`
}

// CryptoBlock is a block full of such ballots under the default limits.
type CryptoBlock struct {
	Ballots int `json:"ballots"`
	// VerifyMS is what it takes on one core at the speed of the largest batch, AllowedMS a third of the timeout in which a validator that
	// has seen none of the ballots must have done it.
	VerifyMS  float64 `json:"verify_ms"`
	AllowedMS float64 `json:"allowed_ms"`
}

// CryptoOpening is the opening of a contest with so many options by two organisations with a quorum of two.
type CryptoOpening struct {
	// ProveUS and VerifyUS are one trustee's part in it, as its software makes it and a validator reads and checks it.
	ProveUS  float64 `json:"partial_prove_us"`
	VerifyUS float64 `json:"partial_verify_us"`
	// Units are those of a transaction with this part alone, UnitUS is VerifyUS by them.
	Units  uint64  `json:"partial_units"`
	UnitUS float64 `json:"partial_unit_us"`
	// CombineUS is the combination of a quorum of each organisation.
	CombineUS float64 `json:"combine_us"`
}

// CryptoSignature is the check of one Ed25519 signature over a small transaction.
type CryptoSignature struct {
	VerifyUS float64 `json:"verify_us"`
	Units    uint64  `json:"units"`
	UnitUS   float64 `json:"unit_us"`
}

// CryptoLogTable is the search of totals: one table serves all sums of an election.
type CryptoLogTable struct {
	// Max is the greatest total that is looked for.
	Max uint64 `json:"max"`
	// BuildMS is the making of the table, SolveUS the search of Max itself, than which none takes longer.
	BuildMS float64 `json:"build_ms"`
	SolveUS float64 `json:"solve_us"`
}

// maxTotal is the greatest total of CryptoLogTable: more voters than any of the elections that the ledger was made for has.
const maxTotal = 1_000_000

// MeasureCrypto measures what ballots, signatures and openings cost on this machine. Ballots are made afresh, no two alike, and nothing
// between bytes and verdict remembers any of them. While it runs it changes GOMAXPROCS of the whole program to and fro.
func MeasureCrypto(ctx context.Context, plan CryptoPlan) (*CryptoReport, error) {
	start := time.Now()
	batches := slices.Compact(slices.Sorted(slices.Values(plan.Batches)))
	options := slices.Compact(slices.Sorted(slices.Values(plan.Options)))
	r := &CryptoReport{Cores: runtime.GOMAXPROCS(0), Go: runtime.Version(), AssumedUnitUS: genesis.UnitMicroseconds}
	const each, once = 7, 3 // measurements of a number of options besides batches, and of the whole
	c := &cryptoRun{plan: plan, share: 1, all: int64(len(options)*(each+3*len(batches)) + once)}
	for _, n := range options {
		b, err := c.ballots(ctx, n, batches)
		if err != nil {
			return nil, err
		}
		r.Ballots = append(r.Ballots, *b)
	}
	var err error
	if r.Signature, err = c.signatures(ctx); err != nil {
		return nil, err
	}
	if r.LogTable, err = c.logTable(ctx); err != nil {
		return nil, err
	}
	r.LeastCPUShare, r.Seconds = c.share, time.Since(start).Seconds()
	return r, nil
}

// cryptoRun is a MeasureCrypto on its way.
type cryptoRun struct {
	plan      CryptoPlan
	done, all int64
	share     float64 // of the processor time that was asked for, the least so far
}

// step notes that one measurement is done, and how much processor time it had of what it asked for.
func (c *cryptoRun) step(had, asked time.Duration) {
	c.share = min(c.share, float64(had)/float64(max(asked, 1)))
	c.done++
	if c.plan.Progress != nil {
		c.plan.Progress(c.done, c.all)
	}
}

// oneCore repeats work on one core, garbage collection included, and returns the mean microseconds of one of the things of which each
// round does so many. The first round warms up and is not measured.
func (c *cryptoRun) oneCore(ctx context.Context, things int, work func(round int) error) (float64, error) {
	cores := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(cores)
	if err := work(0); err != nil {
		return 0, err
	}
	runtime.GC()
	start, cpu := time.Now(), processorTime()
	for round := 1; ; round++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := work(round); err != nil {
			return 0, err
		}
		if spent := time.Since(start); spent >= c.plan.Span {
			c.step(processorTime()-cpu, spent)
			return microseconds(spent) / float64(round*things), nil
		}
	}
}

// allCores has every core repeat work of its own and returns how many things are done in a second. Each core's time ends with its own
// last round, so that none is measured while it waits for the others.
func (c *cryptoRun) allCores(ctx context.Context, things int, work func(core, round int) error) (float64, error) {
	type part struct {
		rate  float64
		spent time.Duration
		err   error
	}
	cores := runtime.GOMAXPROCS(0)
	parts := make(chan part, cores)
	runtime.GC()
	cpu := processorTime()
	for core := range cores {
		go func() {
			start := time.Now()
			for round := 0; ; round++ {
				err := ctx.Err()
				if err == nil {
					err = work(core, round)
				}
				if spent := time.Since(start); err != nil || spent >= c.plan.Span {
					parts <- part{float64((round+1)*things) / spent.Seconds(), spent, err}
					return
				}
			}
		}()
	}
	var rate float64
	var asked time.Duration
	var err error
	for range cores { // all are waited for, so that none goes on into the next measurement
		p := <-parts
		rate, asked = rate+p.rate, asked+p.spent
		if err == nil {
			err = p.err
		}
	}
	if err != nil {
		return 0, err
	}
	c.step(processorTime()-cpu, asked)
	return rate, nil
}

// processorTime is what this process has had so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
