package slip_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cosmos/gogoproto/proto"

	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
	"votenode/verify/prooffile"
	"votenode/verify/slip"
)

// sample is a ledger after a change of the validators, and cases under its last state, by verdict.
type sample struct {
	*scene
	last  int64 // the height of that state
	cases map[slip.Verdict]*pb.SlipCase
}

var samples = sync.OnceValue(func() *sample {
	s := open(panics{})
	s.Change(node, rehearsal.Validator("party", 2), other, rehearsal.Validator("league", 3))
	s.by(other, s.Vote(2, 1, []int{0}), s.spoil(s.Vote(3, 1, []int{0}, []int{0}), 8))
	issued := s.Height()
	broken, kept := promise(s.Vote(0, 3, []int{0}, []int{0}), issued), promise(s.Vote(1, 1, []int{0}, []int{0}), issued)
	s.by(node, s.Vote(4, 1, []int{0}, []int{0}), kept.Ballot)
	s.past(issued + 2)
	idle := promise(s.Vote(3, 9, []int{0}, []int{0}), s.Height())
	s.past(s.Height() + 2)
	s.named()
	s.named(s.author(node.Name+" slip", s.Height(), 0), s.Vote(5, 1, []int{0}))
	s.named(s.author(node.Name+" slip", s.Height()+1, s.Record().Closing-s.Now()))
	s.past(idle.Slip.Promised + 3)
	last := s.Height() - 1
	pending := promise(s.Vote(5, 9, []int{0}), last-2)
	out := &sample{s, last, map[slip.Verdict]*pb.SlipCase{}}
	for verdict, p := range map[slip.Verdict]*pb.Promise{slip.Broken: broken, slip.Kept: kept, slip.NoTurn: idle, slip.Pending: pending} {
		out.cases[verdict] = must(s.newCase(p, last))
	}
	return out
})

// TestSamples: the cases that are damaged below are good, in both forms, and small.
func TestSamples(t *testing.T) {
	s := samples()
	for verdict, c := range s.cases {
		text, binary := must(prooffile.JSON(prooffile.OfSlipCase(c))), prooffile.Bytes(prooffile.OfSlipCase(c))
		t.Logf("%v: %d bytes, as JSON %d", verdict, len(binary), len(text))
		for _, b := range [][]byte{binary, text} {
			if f := must(slip.Judge(genesis.Hash(s.Genesis), later, must(prooffile.Parse(b)).GetSlipCase())); f.Verdict != verdict {
				t.Errorf("%v, want %v", f.Verdict, verdict)
			}
		}
		if len(binary) >= 24<<10 && verdict != slip.NoTurn {
			t.Errorf("%v: %d bytes", verdict, len(binary))
		}
	}
}

// refused says whether bytes show nothing of a promise.
func refused(b []byte) bool {
	f, err := prooffile.Parse(b)
	if err != nil {
		return errors.Is(err, prooffile.ErrFile)
	}
	if p := f.GetPromise(); p != nil {
		err := slip.Check(p, node.SlipKey)
		return errors.Is(err, slip.ErrSlip)
	}
	if f.GetSlipCase() == nil {
		return true
	}
	found, err := slip.Judge(genesis.Hash(samples().Genesis), later, f.GetSlipCase())
	return err != nil && err.Error() != "" && found == nil
}

// damage cuts a file short at any byte, pads it, and flips a bit of any byte.
func damage(t *testing.T, whole []byte, step int) {
	t.Helper()
	if refused(whole) {
		t.Fatal("the whole file is refused")
	}
	for at := 0; at < len(whole); at += step {
		if !refused(whole[:at]) {
			t.Fatalf("cut at byte %d", at)
		}
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		if !refused(b) {
			t.Fatalf("bit %d of byte %d flipped", at%8, at)
		}
	}
	for _, pad := range []string{"\x00", "\n", " ", "{}", "\x22\x00"} {
		if !refused(append(bytes.Clone(whole), pad...)) || !refused(append([]byte(pad), whole...)) {
			t.Errorf("padded with %q", pad)
		}
	}
}

// TestDamage: a case that is cut short, padded, or has any bit flipped shows nothing, in either form.
func TestDamage(t *testing.T) {
	// All bytes of the case that is evidence; of the others, which have the same parts, some.
	steps := map[slip.Verdict]int{slip.Broken: 1, slip.Kept: 13, slip.NoTurn: 29, slip.Pending: 13}
	for verdict, c := range samples().cases {
		step := steps[verdict]
		if testing.Short() {
			step *= 7
		}
		t.Run(verdict.String(), func(t *testing.T) {
			damage(t, prooffile.Bytes(prooffile.OfSlipCase(c)), step)
			damage(t, must(prooffile.JSON(prooffile.OfSlipCase(c))), 3*step)
		})
	}
}

// TestDamagedPromise: so is a promise, the ballot's proof included, of which the confirmation code says nothing.
func TestDamagedPromise(t *testing.T) {
	p := prooffile.OfPromise(samples().cases[slip.Broken].Promise)
	damage(t, prooffile.Bytes(p), 1)
	damage(t, must(prooffile.JSON(p)), 1)
}

// TestMutated changes one thing anywhere in a case: a number, a list, a part that is there or not.
func TestMutated(t *testing.T) {
	s, r := samples(), rand.New(rand.NewPCG(1, 2))
	pool := &rehearsal.Pool{
		Numbers: []uint64{0, 1, 2, 8, 1 << 31, 1<<63 - 1, 1 << 63, 1<<64 - 1},
		Texts:   []string{"", "primary", "second", rehearsal.Chain, "log/blocks", "parameters", "election/primary"},
		Bytes:   [][]byte{nil, {}, {0}, make([]byte, 32), node.Key, other.Key, node.SlipKey, s.cases[slip.Kept].Promise.Ballot},
	}
	rounds := 1_500
	if testing.Short() {
		rounds = 300
	}
	for verdict, c := range s.cases {
		whole := prooffile.Bytes(prooffile.OfSlipCase(c))
		changed := 0
		for range rounds {
			m := proto.Clone(c).(*pb.SlipCase)
			m.Ledger = nil // several sets of children show one state (6.3)
			pool.Mutate(r, m)
			m.Ledger = c.Ledger
			if b := prooffile.Bytes(prooffile.OfSlipCase(m)); !bytes.Equal(b, whole) {
				if changed++; !refused(b) {
					t.Fatalf("%v: another case is accepted: %v", verdict, difference(c, m))
				}
			}
		}
		if changed < rounds/2 {
			t.Errorf("%v: %d of %d changed", verdict, changed, rounds)
		}
	}
}

// difference tells where two cases differ.
func difference(a, b *pb.SlipCase) string {
	x, y := proto.MarshalTextString(a), proto.MarshalTextString(b)
	at := 0
	for at < min(len(x), len(y)) && x[at] == y[at] {
		at++
	}
	return "\n" + x[max(0, at-200):min(len(x), at+200)] + "\n---\n" + y[max(0, at-200):min(len(y), at+200)]
}

// TestTime: a state of the future is refused, one within a minute is not.
func TestTime(t *testing.T) {
	s := samples()
	c := s.cases[slip.Broken]
	at := s.BlockAt(s.last + 1).Time
	for ahead, want := range map[time.Duration]error{certified.MaxAhead: nil, certified.MaxAhead + time.Millisecond: certified.ErrAhead} {
		if _, err := slip.Judge(genesis.Hash(s.Genesis), at.Add(-ahead), c); !errors.Is(err, want) {
			t.Errorf("%v ahead: %v", ahead, err)
		}
	}
	hash := genesis.Hash(s.Genesis)
	hash[0] ^= 1
	if _, err := slip.Judge(hash, later, c); !errors.Is(err, certified.ErrMismatch) {
		t.Errorf("another genesis hash: %v", err)
	}
	if _, err := slip.Judge(genesis.Hash(s.Genesis), later, nil); err == nil {
		t.Error("no case")
	}
}

func BenchmarkJudge(b *testing.B) {
	s := samples()
	for verdict, c := range s.cases {
		b.Run(verdict.String(), func(b *testing.B) {
			for b.Loop() {
				must(slip.Judge(genesis.Hash(s.Genesis), later, c))
			}
		})
	}
}

// FuzzCase puts some bytes into a file in the place of some others, and reads them as a file by themselves. What it works on is made
// anew in every process, so the input says what to change and not what comes out.
func FuzzCase(f *testing.F) {
	var files [][]byte
	for _, verdict := range []slip.Verdict{slip.Broken, slip.Kept, slip.NoTurn, slip.Pending} {
		c := samples().cases[verdict]
		for _, file := range []*pb.ProofFile{prooffile.OfSlipCase(c), prooffile.OfPromise(c.Promise)} {
			files = append(files, prooffile.Bytes(file), must(prooffile.JSON(file)))
		}
	}
	f.Add(uint8(0), uint16(3), uint16(1), []byte{0})
	f.Add(uint8(1), uint16(1), uint16(0), []byte(" "))
	f.Add(uint8(8), uint16(900), uint16(32), bytes.Repeat([]byte{1}, 32))
	f.Fuzz(func(t *testing.T, which uint8, at, cut uint16, put []byte) {
		whole := files[int(which)%len(files)]
		from := int(at) % (len(whole) + 1)
		b := slices.Concat(whole[:from], put, whole[min(len(whole), from+int(cut)):])
		if !refused(b) && !bytes.Equal(b, whole) {
			t.Errorf("other bytes are a case or a promise: file %d with %q for %d bytes at %d", int(which)%len(files), put, cut, from)
		}
		refused(put)
	})
}
