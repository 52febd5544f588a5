package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"votenode/crypto/ballot"
)

// TestMeasureCrypto asks for what the numbers are of, not how large they are.
func TestMeasureCrypto(t *testing.T) {
	var done, all int64
	r, err := MeasureCrypto(context.Background(), CryptoPlan{
		Options: []int{2, 1, 2}, Batches: []int{3, 1}, Span: time.Nanosecond, Progress: func(d, a int64) { done, all = d, a },
	})
	if err != nil {
		t.Fatal(err)
	}
	if done != all || done == 0 {
		t.Errorf("%d of %d measurements are done at the end", done, all)
	}
	if len(r.Ballots) != 2 || r.Ballots[0].Options != 1 || r.Ballots[1].Options != 2 {
		t.Fatalf("%+v", r.Ballots)
	}
	for _, b := range r.Ballots {
		style := ballot.Style{Contests: []ballot.Contest{{Options: b.Options, Max: 1}}}
		if b.CiphertextBytes != style.CiphertextSize() || b.ProofBytes != style.ProofSize() || b.SignatureBytes != ballot.SignatureSize ||
			b.BallotBytes != b.CiphertextBytes+b.ProofBytes+b.SignatureBytes || b.TransactionBytes <= b.BallotBytes {
			t.Errorf("bytes: %+v", b)
		}
		if b.Units != uint64(10+(b.CiphertextBytes+b.ProofBytes)/32) || b.Block.Ballots == 0 {
			t.Errorf("units: %+v", b)
		}
		if len(b.Batches) != 2 || b.Batches[0].Batch != 1 || b.Batches[1].Batch != 3 {
			t.Fatalf("batches: %+v", b.Batches)
		}
		measured := []float64{b.ProveUS, b.DecodeUS, b.SignatureUS, b.SumUS, b.Block.VerifyMS, b.Opening.ProveUS, b.Opening.VerifyUS,
			b.Opening.UnitUS, b.Opening.CombineUS}
		for _, n := range b.Batches {
			measured = append(measured, n.VerifyUS, n.OneCoreUS, n.UnitUS, n.OneCoreBallotsPerSecond, n.AllCoresBallotsPerSecond)
		}
		if slices.Min(measured) <= 0 {
			t.Errorf("something took no time: %+v", b)
		}
	}
	if r.Signature.VerifyUS <= 0 || r.Signature.Units != 10 || r.LogTable.BuildMS <= 0 || r.LogTable.SolveUS <= 0 {
		t.Errorf("%+v %+v", r.Signature, r.LogTable)
	}
	if r.LeastCPUShare < 0 || r.LeastCPUShare > 1 {
		t.Errorf("share %f", r.LeastCPUShare)
	}
	var text bytes.Buffer
	if err := r.Write(&text); err != nil || text.Len() == 0 {
		t.Error(err)
	}
}

// TestWrongIsNotMeasured: a ballot that does not hold, and totals that are not those of the ballots, end a measurement.
func TestWrongIsNotMeasured(t *testing.T) {
	b, err := newBox(context.Background(), 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.verify(b.raw); err != nil {
		t.Error(err)
	}
	sum := ballot.NewEncryptedTally(2)
	for _, d := range b.decoded[:2] {
		if err := sum.Add(d.Ciphertext(), 0); err != nil {
			t.Fatal(err)
		}
	}
	c := cryptoRun{plan: CryptoPlan{Span: time.Nanosecond}}
	if _, err := c.opening(context.Background(), b); err != nil {
		t.Error(err)
	}
	short := *b
	short.decoded = b.decoded[:2]
	if _, err := c.opening(context.Background(), &short); err == nil {
		t.Error("the totals of two ballots pass for those of three")
	}
	other, err := ballot.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b.voters[1] = other.Public().Bytes()
	if err := b.verify(b.raw); err == nil {
		t.Error("a ballot of another voter passes")
	}
}

// TestWindows: batches follow each other through all ballots, none twice in one.
func TestWindows(t *testing.T) {
	all := []int{0, 1, 2, 3, 4}
	for round, want := range [][]int{{0, 1}, {2, 3}, {0, 1}} {
		if got := window(all, 2, round); !slices.Equal(got, want) {
			t.Errorf("round %d: %v, want %v", round, got, want)
		}
	}
	if got := window(all, 5, 7); !slices.Equal(got, all) {
		t.Errorf("%v", got)
	}
}

// TestCryptoEnds: a cancelled measurement ends with the context's error.
func TestCryptoEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := MeasureCrypto(ctx, CryptoPlan{Options: []int{1}, Batches: []int{1}, Span: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	c := cryptoRun{plan: CryptoPlan{Span: time.Hour}}
	fault := errors.New("fault")
	if _, err := c.allCores(context.Background(), 1, func(int, int) error { return fault }); !errors.Is(err, fault) {
		t.Error(err)
	}
}
