package abci

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"testing"

	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// sized is an election whose ballots have as many options, for the verifier.
type sized struct {
	election *ballot.Election
	voter    []byte
}

func (s sized) Chain() string                                   { return chainID }
func (s sized) BallotElection(string) (*ballot.Election, error) { return s.election, nil }
func (s sized) VoterKey(string, uint64) (ballot.PublicKey, error) {
	return ballot.ParsePublicKey(s.voter)
}

// ballotsOf returns n ballots of some options and what verifies them.
func ballotsOf(t *testing.T, options, n int) (sized, [][]byte) {
	t.Helper()
	e, err := ballot.NewElection(ballot.Parameters{
		Chain: chainID, Election: electionID, Keys: points(options),
		Styles: []ballot.Style{{Contests: []ballot.Contest{{Options: options, Min: 0, Max: 1}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	k, err := ballot.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var raws [][]byte
	for i := range n {
		d, err := e.Encrypt(ballot.Statement{RollIndex: uint64(i), Voter: k.Public(), Sequence: 1}, [][]int{{1}}, k, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		ciphertext, proof, signature, err := d.Cast()
		if err != nil {
			t.Fatal(err)
		}
		raws = append(raws, tx.Ballot(&pb.CastBallot{Election: electionID, RollIndex: uint64(i), Sequence: 1, Ciphertext: ciphertext, Proof: proof}, signature))
	}
	return sized{e, k.Public().Bytes()}, raws
}

// TestVerdictCost: what a remembered transaction is said to cost is the memory that it takes, within a quarter, and the cache keeps to its
// bound by that measure.
func TestVerdictCost(t *testing.T) {
	documents := func() (raws [][]byte) {
		for n := range 400 {
			raws = append(raws, tx.Sign(chainID, &pb.PublishDocument{Hash: make([]byte, 32), Size_: 4_000, Chunk: fmt.Appendf(nil, "%04000d", n)}, key("party officer")))
		}
		return raws
	}
	for name, build := range map[string]func() (sized, [][]byte){
		"ballots of 2 options":  func() (sized, [][]byte) { return ballotsOf(t, 2, 400) },
		"ballots of 3 options":  func() (sized, [][]byte) { return ballotsOf(t, 3, 400) },
		"ballots of 30 options": func() (sized, [][]byte) { return ballotsOf(t, 30, 100) },
		"documents":             func() (sized, [][]byte) { return sized{}, documents() },
	} {
		t.Run(name, func(t *testing.T) {
			lookup, raws := build()
			c := newVerdicts(verdictBytes)
			before := heap()
			for _, raw := range raws {
				parsed, err := tx.Parse(append([]byte(nil), raw...))
				if err != nil {
					t.Fatal(err)
				}
				found, err := tx.Verify(lookup, []*tx.Parsed{parsed}, rand.Reader)
				if err != nil || found[0].Verified == nil {
					t.Fatal(found, err)
				}
				c.add(found[0].Verified)
			}
			taken := heap() - before
			t.Logf("%d bytes each, said to be %d, raw %d", taken/len(raws), c.bytes/len(raws), len(raws[0]))
			if taken < c.bytes*3/4 || taken > c.bytes*5/4 {
				t.Errorf("%d bytes are taken, said to be %d", taken, c.bytes)
			}
			runtime.KeepAlive(raws)
			runtime.KeepAlive(lookup)
			oldest, newest := hashOf(raws[0]), hashOf(raws[len(raws)-1])
			small := newVerdicts(c.bytes / 2)
			for e := c.order.Front(); e != nil; e = e.Next() {
				if small.add(e.Value.(*tx.Verified)); small.bytes > small.limit {
					t.Fatal("the bound does not hold")
				}
			}
			if small.get(oldest) != nil || small.get(newest) == nil || small.order.Len() != len(small.byHash) {
				t.Error("not the oldest go first")
			}
		})
	}
}

// heap returns the memory that is reachable.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestCounts: what is verified at admission, and what of the transactions of proposals and blocks was known, from where.
func TestCounts(t *testing.T) {
	l, b := on(t, nil)
	waits, foreign, bad := b.cast(t, 0, 1), b.cast(t, 1, 1), b.unsigned(t, 2, 1)
	l.submit(waits, waits, bad, publish(1))
	expect := func(verified uint64, prepare, process, finalize Lookups) {
		t.Helper()
		if i := l.app.Intake(); i.Verified != verified || i.Prepare != prepare || i.Process != process || i.Finalize != finalize {
			t.Errorf("%d; %v, %v, %v", i.Verified, i.Prepare, i.Process, i.Finalize)
		}
	}
	expect(2, Lookups{}, Lookups{}, Lookups{})
	l.prepare(1 << 20)
	expect(2, Lookups{2, 0, 1}, Lookups{}, Lookups{})
	l.process(waits, foreign)
	expect(2, Lookups{2, 0, 1}, Lookups{1, 0, 2}, Lookups{}) // foreign and the author's
	l.process(waits, foreign)
	expect(2, Lookups{2, 0, 1}, Lookups{2, 2, 2}, Lookups{})
	unseen := b.cast(t, 3, 1)
	l.block(waits, foreign, unseen)
	expect(2, Lookups{2, 0, 1}, Lookups{2, 2, 2}, Lookups{1, 1, 1})
	if codes := l.submit(unseen); codes[0] != tx.CodeAlreadyDone {
		t.Error(codes)
	}
	known := b.cast(t, 4, 1)
	l.process(known)
	l.submit(known) // its verification is remembered
	expect(2, Lookups{2, 0, 1}, Lookups{2, 2, 4}, Lookups{1, 1, 1})
}
