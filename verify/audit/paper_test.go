package audit

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// counted is a rehearsed election with polling places, a merged contest and an extension.
var counted = sync.OnceValue(func() *rehearsal.Election { return rehearsal.Paper(panicking{}) })

// TestPaper: the report tells what was counted on paper and what was merged.
func TestPaper(t *testing.T) {
	e := counted()
	report, err := Run(context.Background(), e.Ledger.Record(e.Blocks), Options{})
	if err != nil || !report.Passed {
		t.Fatalf("%v, %v", err, report.Failure())
	}
	var text bytes.Buffer
	report.Write(&text)
	for _, want := range []string{"opened; on paper 10, and 2 invalid", "and 10 on paper: 12", "merged into contest 0; on paper 5, and 1 invalid"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
}

// A state machine that writes one of these records wrongly, on all validators and in the replay.
func TestWrongPaper(t *testing.T) {
	e := counted()
	flip := func(value []byte) []byte { value[len(value)-1] ^= 1; return value }
	vote := func(value []byte) []byte {
		result := new(pb.Result)
		if err := election.Decode(value, result); err != nil {
			t.Fatal(err)
		}
		result.PaperVotes[0]++
		return election.Encode(result)
	}
	for _, c := range []struct {
		key    string
		change func([]byte) []byte
		want   string
	}{
		{state.ResultKey(e.ID, 0), vote, "recount: tally"},
		{state.PaperSumKey(e.ID, 1), flip, "recount: tally"},
		{state.PaperKey(e.ID, "camp"), func([]byte) []byte { return nil }, "recount: elections"},
		{state.MergedSumKey(e.ID, 0), flip, "recount: sums"},
		{state.ExtensionKey(e.ID, 1), flip, "recount: elections"},
		{state.SigningKey(1), flip, "recount: ledger"},
	} {
		t.Run(c.key, func(t *testing.T) {
			report := audited(t, e.Ledger.Record(e.Blocks), func(a *auditor) {
				view := a.recount.view
				a.recount.view = func() records { return bug{view(), c.key, c.change} }
			})
			if got := failed(report); len(got) != 1 || got[0] != c.want {
				t.Errorf("failed: %q, want %q", got, c.want)
			}
		})
	}
}

// An enemy with all keys changes the figures of a polling place, or says of a validator that it did not sign, and has everything after it signed
// again.
func TestChangedPaper(t *testing.T) {
	e := counted()
	for name, change := range map[string]func(blocks []*cmttypes.Block){
		"totals": func(blocks []*cmttypes.Block) {
			for _, b := range blocks {
				for i, raw := range b.Txs {
					p, err := tx.Parse(raw)
					if err != nil {
						t.Fatal(err)
					}
					m, ok := p.Body().(*pb.ProposeResolution)
					if !ok || m.Resolution.GetPaperTotals() == nil {
						continue
					}
					if d := m.Resolution.GetPaperTotals(); len(d.Contests) > 0 {
						d.Contests[0].Votes[1]++
						b.Txs[i] = rehearsal.Sign("party officer 1", m)
						return
					}
				}
			}
		},
		"signers": func(blocks []*cmttypes.Block) { blocks[40].LastCommit.Signatures[1] = cmttypes.NewCommitSigAbsent() },
	} {
		t.Run(name, func(t *testing.T) {
			blocks := rehearsal.Clone(e.Blocks)
			change(blocks)
			e.Ledger.Seal(blocks)
			report, err := Run(context.Background(), e.Ledger.Record(blocks), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if fault := report.Failure(); fault == nil || fault.Name != "state" && fault.Name != "results" {
				t.Errorf("%v", fault)
			}
		})
	}
}
