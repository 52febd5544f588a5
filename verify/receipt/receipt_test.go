package receipt_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cosmos/gogoproto/proto"

	"votenode/app/state"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
	"votenode/verify/prooffile"
	"votenode/verify/receipt"
)

// later is behind the times of all rehearsed blocks.
var later = time.Unix(rehearsal.Start+1_000_000, 0)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// of returns the receipt of the ballot at a place of the log, in the state after a height.
func of(e *rehearsal.Election, index uint64, height int64) *pb.Receipt {
	return must(receipt.New(e.LedgerState(height), must(e.StateAt(height)), e.ID, index))
}

func verify(e *rehearsal.Election, voter uint64, r *pb.Receipt) (*receipt.Finding, error) {
	return receipt.Verify(genesis.Hash(e.Genesis), voter, later, r)
}

// told is what a finding says, shortened.
type told struct {
	standing  receipt.Standing
	last      uint64
	certified bool
}

// TestStory: the receipts of a whole election, at every height from that of the ballot on. The log holds, in order: 0 of voter 0, 1 of
// voter 1 (revoked later), 2 of 2, 3 of 3, 4 of 4, 5 of 0 again, 6 of 5.
func TestStory(t *testing.T) {
	e, _ := rehearsal.Story(t)
	for index, voter := range []uint64{0, 1, 2, 3, 4, 0, 5} {
		var seen []told
		for height := int64(1); height < e.Height()-1; height++ {
			s := must(e.StateAt(height))
			if must(s.Head(state.LogBallots(e.ID))).Size <= uint64(index) {
				continue
			}
			f, err := verify(e, voter, of(e, uint64(index), height))
			if err != nil {
				t.Fatalf("ballot %d at height %d: %v", index, height, err)
			}
			if now := (told{f.Standing, f.Last, f.State.Certified}); !slices.Contains(seen, now) {
				seen = append(seen, now)
			}
			if f.RollIndex != voter || f.LogIndex != uint64(index) || f.State.Height != height || f.Chain != rehearsal.Chain || f.Election != e.ID {
				t.Errorf("ballot %d: %+v", index, f)
			}
		}
		// While a validator of the party was away, no state was certified.
		want := []told{{receipt.Counts, 0, true}, {receipt.Counts, 0, false}, {receipt.Counted, 0, true}}
		switch index {
		case 0:
			want = []told{{receipt.Counts, 0, true}, {receipt.Counts, 0, false}, {receipt.Superseded, 2, true}}
		case 1:
			want = []told{{receipt.Counts, 0, true}, {receipt.Counts, 0, false}, {receipt.Revoked, 0, true}}
		case 4, 5, 6:
			want = []told{{receipt.Counts, 0, true}, {receipt.Counted, 0, true}}
		}
		if !slices.Equal(seen, want) {
			t.Errorf("ballot %d: %v, want %v", index, seen, want)
		}
	}
}

func TestCancelled(t *testing.T) {
	e := rehearsal.Voting(t, 3)
	e.Accept(e.Vote(0, 1, []int{0}, []int{0}))
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: e.ID}}})
	f := must(verify(e, 0, of(e, 0, e.Height())))
	if f.Standing != receipt.Cancelled || !strings.Contains(strings.Join(f.Words(), " "), "cancelled") {
		t.Errorf("%+v", f)
	}
}

// panics stands for a test where several share what is made.
type panics struct{ testing.TB }

func (panics) Helper()                           {}
func (panics) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (panics) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// sample is an election after two changes of the validators, with ballots of two voters, and the receipt of one.
var sample = sync.OnceValues(func() (*rehearsal.Election, *pb.Receipt) {
	e := rehearsal.Voting(panics{}, 3)
	e.Accept(e.Vote(0, 3, []int{0}, []int{0}), e.Vote(1, 1, []int{1}, []int{1}))
	for n := 3; n <= 4; n++ {
		e.Change(rehearsal.Validator("league", 1), rehearsal.Validator("league", n), rehearsal.Validator("party", 1), rehearsal.Validator("party", n))
	}
	return e, of(e, 0, e.Height())
})

// TestSize: under 16 KiB with four validators and two changes of the set, in both forms.
func TestSize(t *testing.T) {
	e, r := sample()
	if n := len(r.Ledger.Epochs); n != 2 {
		t.Fatalf("%d changes of the validators", n)
	}
	text := must(prooffile.JSON(prooffile.OfReceipt(r)))
	binary := prooffile.Bytes(prooffile.OfReceipt(r))
	t.Logf("%d bytes, as JSON %d", len(binary), len(text))
	if len(binary) >= 16<<10 || len(text) >= 16<<10 {
		t.Error("a receipt has 16 KiB or more")
	}
	for _, b := range [][]byte{binary, text} {
		f := must(prooffile.Parse(b))
		if _, err := verify(e, 0, f.GetReceipt()); err != nil {
			t.Error(err)
		}
	}
}

// refused says whether bytes prove nothing to voter 0.
func refused(e *rehearsal.Election, b []byte) bool {
	f, err := prooffile.Parse(b)
	if err != nil {
		return errors.Is(err, prooffile.ErrFile)
	}
	if f.GetReceipt() == nil {
		return true
	}
	_, err = verify(e, 0, f.GetReceipt())
	return err != nil && err.Error() != ""
}

// TestDamage: a receipt cut short at any byte, padded, or with any bit flipped proves nothing, in either form.
func TestDamage(t *testing.T) {
	e, r := sample()
	text, binary := must(prooffile.JSON(prooffile.OfReceipt(r))), prooffile.Bytes(prooffile.OfReceipt(r))
	for _, whole := range [][]byte{binary, text} {
		if refused(e, whole) {
			t.Fatal("the whole receipt is refused")
		}
		step := 1
		if testing.Short() {
			step = 7
		}
		for at := 0; at < len(whole); at += step {
			if !refused(e, whole[:at]) {
				t.Fatalf("cut at byte %d", at)
			}
			b := bytes.Clone(whole)
			b[at] ^= 1 << (at % 8)
			if !refused(e, b) {
				t.Fatalf("bit %d of byte %d flipped", at%8, at)
			}
		}
		for _, pad := range []string{"\x00", "\n", " ", "{}", "\x12\x00"} {
			if !refused(e, append(bytes.Clone(whole), pad...)) || !refused(e, append([]byte(pad), whole...)) {
				t.Errorf("padded with %q", pad)
			}
		}
	}
}

// stranger returns a receipt of another ledger with the same people.
func stranger(t *testing.T) *pb.Receipt {
	e := rehearsal.Voting(t, 3, func(g *pb.Genesis) { g.Time++ })
	e.Accept(e.Vote(0, 3, []int{0}, []int{0}))
	for n := 3; n <= 4; n++ {
		e.Change(rehearsal.Validator("league", 1), rehearsal.Validator("league", n), rehearsal.Validator("party", 1), rehearsal.Validator("party", n))
	}
	return of(e, 0, e.Height())
}

// TestForged changes what stands in a receipt, one thing each, to what would be right elsewhere.
func TestForged(t *testing.T) {
	e, r := sample()
	other, before := of(e, 1, e.Height()-2), of(e, 0, e.Height()-5)
	strange := stranger(t)
	for name, change := range map[string]func(r *pb.Receipt){
		"another ballot":                func(r *pb.Receipt) { r.Ballot = other.Ballot },
		"another place":                 func(r *pb.Receipt) { r.LogIndex = 1 },
		"another ballot with its place": func(r *pb.Receipt) { r.Ballot, r.LogIndex, r.BallotPath = other.Ballot, 1, other.BallotPath },
		"another voter's leaf":          func(r *pb.Receipt) { r.Voter, r.VoterPath = other.Voter, other.VoterPath },
		"the leaf before voting":        func(r *pb.Receipt) { r.Voter = nil },
		"another election":              func(r *pb.Receipt) { r.Election = "second" },
		"no election":                   func(r *pb.Receipt) { r.Election = "" },
		"an election with a slash":      func(r *pb.Receipt) { r.Election = e.ID + "/x" },
		"a path in another order":       func(r *pb.Receipt) { slices.Reverse(r.VoterPath) },
		"a longer path":                 func(r *pb.Receipt) { r.VoterPath = append(r.VoterPath, r.VoterPath[0]) },
		"records exchanged":             func(r *pb.Receipt) { r.Ballots, r.Voters = r.Voters, r.Ballots },
		"a record of an earlier state":  func(r *pb.Receipt) { r.ElectionRecord = before.ElectionRecord },
		"heads of an earlier state":     func(r *pb.Receipt) { r.Ballots, r.Voters = before.Ballots, before.Voters },
		"an earlier header":             func(r *pb.Receipt) { r.Ledger.State = before.Ledger.State },
		"precommits of another height": func(r *pb.Receipt) {
			r.Ledger.State.Children[0].Precommits = before.Ledger.State.Children[0].Precommits
		},
		"one precommit less than 2/3":      func(r *pb.Receipt) { r.Ledger.State.Children[0].Precommits = r.Ledger.State.Children[0].Precommits[:2] },
		"no state":                         func(r *pb.Receipt) { r.Ledger.State = nil },
		"no ledger":                        func(r *pb.Receipt) { r.Ledger = nil },
		"no record":                        func(r *pb.Receipt) { r.Voters = nil },
		"an epoch less":                    func(r *pb.Receipt) { r.Ledger.Epochs = r.Ledger.Epochs[:1] },
		"epochs exchanged":                 func(r *pb.Receipt) { slices.Reverse(r.Ledger.Epochs) },
		"an epoch twice":                   func(r *pb.Receipt) { r.Ledger.Epochs = append(r.Ledger.Epochs, r.Ledger.Epochs[1]) },
		"a foreign validator record":       func(r *pb.Receipt) { r.Ledger.Epochs[1].Validators = strange.Ledger.Epochs[1].Validators },
		"a foreign genesis document":       func(r *pb.Receipt) { r.Ledger.Genesis = strange.Ledger.Genesis },
		"another ledger's receipt":         func(r *pb.Receipt) { *r = *strange },
		"absence where presence is needed": func(r *pb.Receipt) { r.ElectionRecord.Absent = true },
	} {
		forged := proto.Clone(r).(*pb.Receipt)
		change(forged)
		if f, err := verify(e, 0, forged); err == nil {
			t.Errorf("%s: %v", name, f.Words())
		}
	}
	if _, err := verify(e, 1, r); !errors.Is(err, receipt.ErrMismatch) {
		t.Errorf("another voter: %v", err)
	}
	hash := genesis.Hash(e.Genesis)
	hash[0] ^= 1
	if _, err := receipt.Verify(hash, 0, later, r); !errors.Is(err, certified.ErrMismatch) {
		t.Errorf("another genesis hash: %v", err)
	}
	early := time.Unix(rehearsal.Start-3600, 0)
	if _, err := receipt.Verify(genesis.Hash(e.Genesis), 0, early, r); !errors.Is(err, certified.ErrAhead) || !strings.Contains(err.Error(), "clock") {
		t.Errorf("a time ahead: %v", err)
	}
}

// TestUnsigned: a state for which one organisation alone has signed proves nothing, one with three of four validators is committed.
func TestUnsigned(t *testing.T) {
	e, r := sample()
	for power, want := range map[int]error{2: receipt.ErrUnsigned, 3: nil} {
		cut := proto.Clone(r).(*pb.Receipt)
		child := cut.Ledger.State.Children[0]
		child.Precommits = child.Precommits[:power]
		f, err := verify(e, 0, cut)
		if !errors.Is(err, want) || want == nil && (f.State.Certified || f.Signed() != "committed, not certified") {
			t.Errorf("%d of 4: %v, %v", power, f, err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	e, r := sample()
	file := prooffile.Bytes(prooffile.OfReceipt(r))
	for b.Loop() {
		if _, err := verify(e, 0, must(prooffile.Parse(file)).GetReceipt()); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzReceipt: whatever is put in the place of a part of a receipt, nothing but the receipt itself verifies.
func FuzzReceipt(f *testing.F) {
	e, r := sample()
	files := [][]byte{prooffile.Bytes(prooffile.OfReceipt(r)), must(prooffile.JSON(prooffile.OfReceipt(r)))}
	f.Add(false, uint16(3), uint16(1), []byte{0})
	f.Add(true, uint16(1), uint16(0), []byte(" "))
	f.Add(false, uint16(900), uint16(32), bytes.Repeat([]byte{1}, 32))
	f.Fuzz(func(t *testing.T, text bool, at, cut uint16, put []byte) {
		whole := files[0]
		if text {
			whole = files[1]
		}
		from := int(at) % (len(whole) + 1)
		b := slices.Concat(whole[:from], put, whole[min(len(whole), from+int(cut)):])
		if !refused(e, b) && !bytes.Equal(b, whole) {
			t.Errorf("other bytes verify: %q for %d bytes at %d", put, cut, from)
		}
		refused(e, put)
	})
}
