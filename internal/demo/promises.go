package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"votenode/client"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
	"votenode/verify/receipt"
	"votenode/verify/slip"
)

// looked is how many promises are judged, and of their ballots the receipts fetched.
const looked = 24

// Promises tells what validators promised, what became of it, and what the voters can prove.
type Promises struct {
	// Signed is how many ballots were promised, of Answered that nodes took.
	Signed   int `json:"signed"`
	Answered int `json:"answered"`
	// Judged promises, by verdict.
	Judged   int            `json:"judged"`
	Verdicts map[string]int `json:"verdicts"`
	// Receipts that were fetched and verified, by standing; ReceiptBytes is the length of the longest, as JSON.
	Receipts     map[string]int `json:"receipts"`
	ReceiptBytes int            `json:"receipt_bytes"`
}

// promised collects slips.
type promised struct {
	mu     sync.Mutex
	report *Promises
	kept   []*pb.Promise
}

// take counts the answers to ballots and keeps every so many-th slip.
func (p *promised) take(ballots [][]byte, answers []client.Admission) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, a := range answers {
		p.report.Answered++
		if len(a.Slip) == 0 {
			continue
		}
		s, err := slip.Parse(a.Slip)
		if err != nil {
			return err
		}
		if p.report.Signed++; len(p.kept) < looked && p.report.Signed%7 == 1 {
			p.kept = append(p.kept, &pb.Promise{Slip: s, Ballot: ballots[i]})
		}
	}
	return nil
}

// lookAtPromises judges promises, and fetches and verifies the receipts of their ballots.
func (r *run) lookAtPromises(ctx context.Context) error {
	p := r.promised
	for _, promise := range p.kept {
		_, found, err := r.ledger.SlipCase(ctx, promise, time.Now())
		if err != nil {
			return err
		}
		p.report.Judged++
		p.report.Verdicts[found.Verdict.String()]++
		s := promise.Slip
		file, shown, err := r.ledger.Receipt(ctx, r.election, s.RollIndex, [32]byte(s.Code), true, time.Now())
		if err != nil {
			return err
		}
		p.report.Receipts[shown.Standing.String()]++
		text, err := prooffile.JSON(prooffile.OfReceipt(file))
		if err != nil {
			return err
		}
		p.report.ReceiptBytes = max(p.report.ReceiptBytes, len(text))
		if !shown.State.Certified || shown.Standing != receipt.Counted && shown.Standing != receipt.Superseded {
			return fmt.Errorf("the receipt of ballot %d of voter %d says %v, certified %v", s.Sequence, s.RollIndex, shown.Standing, shown.State.Certified)
		}
	}
	r.say("%d of %d ballots were promised; %d promises judged: %v; their receipts: %v", p.report.Signed, p.report.Answered, p.report.Judged, p.report.Verdicts, p.report.Receipts)
	return nil
}
