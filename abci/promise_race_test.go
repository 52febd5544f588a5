package abci

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// history is what happened on a ledger, for the judgement of promises as spec 12.3 has it.
type history struct {
	sizes    []uint64               // of the ballot log, by height
	voters   []map[uint64]*pb.Voter // leaves of the voters' tree, by height
	proposed map[int64][][][]byte   // the blocks that the node made of a height
}

// note reads the newest state.
func (h *history) note(l *ledger) {
	view := l.app.ledger.Newest()
	head, err := view.Head(state.LogBallots(electionID))
	if err != nil {
		l.t.Fatal(err)
	}
	leaves := map[uint64]*pb.Voter{}
	for i := range uint64(voters) {
		if leaves[i], err = state.LoadVoter(view, electionID, i); err != nil {
			l.t.Fatal(err)
		}
	}
	for int64(len(h.sizes)) < view.Height() {
		h.sizes, h.voters = append(h.sizes, 0), append(h.voters, map[uint64]*pb.Voter{})
	}
	h.sizes, h.voters = append(h.sizes, head.Size), append(h.voters, leaves)
}

// kept says whether a promise is kept in the state after a height.
func (h *history) kept(s *pb.AcceptanceSlip, height int64) bool {
	v := h.voters[height][s.RollIndex]
	return bytes.Equal(v.Code, s.Code) || v.Sequence != 0 && v.LogIndex >= h.sizes[s.Issued-1]
}

// TestPromisesWhileBlocksGoOn has ballots submitted from many sides while blocks are made, some here, some elsewhere, and executed. Every
// block that the node makes of a greater height than that of a slip's issue brings the ballot, or one of the voter with a higher number,
// unless the promise is kept in the state before it.
func TestPromisesWhileBlocksGoOn(t *testing.T) {
	const clients, rounds = 4, 5
	l, b := on(t, func(o *Options) {
		now := o.Now
		o.Now = func() time.Time {
			runtime.Gosched()
			return now()
		}
		o.Pool.PerVoter = 2 * rounds
	})
	var ballots [voters][][]byte
	for voter := range voters {
		for round := range rounds {
			ballots[voter] = append(ballots[voter], b.cast(t, voter, uint64(round+1)))
		}
	}
	h := &history{proposed: map[int64][][][]byte{}}
	h.note(l)
	type issue struct {
		raw  []byte
		slip *pb.AcceptanceSlip
	}
	var mu sync.Mutex
	var slips []issue
	var group sync.WaitGroup
	for client := range clients {
		random := rand.New(rand.NewPCG(uint64(client), 7))
		group.Go(func() {
			for round := range rounds {
				for _, v := range random.Perm(voters / clients) {
					raw := ballots[client*voters/clients+v][round]
					answers, err := l.app.Submit(context.Background(), "", raw)
					if err != nil {
						t.Error(err)
						return
					}
					if len(answers[0].Slip) == 0 {
						continue
					}
					s := new(pb.AcceptanceSlip)
					if err := election.Decode(answers[0].Slip, s); err != nil {
						t.Error(err)
					}
					mu.Lock()
					slips = append(slips, issue{raw, s})
					mu.Unlock()
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	random := rand.New(rand.NewPCG(1, 2))
	step := func(proposals int, foreign []byte) {
		var block [][]byte
		for range proposals {
			block = l.prepareWhole(math.MaxInt64)
			height := l.height() + 1
			h.proposed[height] = append(h.proposed[height], block)
		}
		if foreign != nil {
			block = l.authored(other, l.now.Load(), foreign)
		}
		l.finalize(block...)
		l.commit()
		h.note(l)
	}
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
			if proposals := random.IntN(3); proposals == 0 || random.IntN(4) == 0 { // another's block, with a ballot that this node may know
				step(proposals, ballots[random.IntN(voters)][random.IntN(rounds)])
			} else { // this node's, of the last round of its own
				step(proposals, nil)
			}
		}
	}
	for n := 0; l.app.pool.open() > 0 && n < 100; n++ {
		step(1, nil)
	}
	if len(slips) < voters {
		t.Errorf("%d slips only", len(slips))
	}
	t.Logf("%d slips, %d heights, %d own", len(slips), l.height(), len(h.proposed))
	for _, s := range slips {
		for height, blocks := range h.proposed {
			for _, block := range blocks {
				if height > s.slip.Issued && !h.kept(s.slip, height-1) && !brings(block, s.slip) {
					t.Errorf("voter %d, number %d, issued at %d: left out at %d", s.slip.RollIndex, s.slip.Sequence, s.slip.Issued, height)
				}
			}
		}
		if !h.kept(s.slip, l.height()) {
			t.Errorf("voter %d, number %d, issued at %d: not kept in the end", s.slip.RollIndex, s.slip.Sequence, s.slip.Issued)
		}
	}
	l.prepareWhole(math.MaxInt64)
	l.promisedNow()
}

// brings says whether a block has the ballot of a slip, or one of the voter with a higher number.
func brings(block [][]byte, s *pb.AcceptanceSlip) bool {
	for _, raw := range block {
		p, err := tx.Parse(raw)
		if err != nil {
			panic(fmt.Sprint("a proposal holds no transaction: ", err))
		}
		if m, ok := p.Body().(*pb.CastBallot); ok && m.RollIndex == s.RollIndex && m.Sequence >= s.Sequence {
			return true
		}
	}
	return false
}
