package recount

import (
	"testing"

	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// TestBounds: how many members a list of a transaction may have is the same here and in the state machine, which knows it by itself.
func TestBounds(t *testing.T) {
	entries := func(n int) *pb.AddRollEntries {
		m := &pb.AddRollEntries{Entries: make([]pb.RollEntry, n)}
		for i := range m.Entries {
			m.Entries[i].Key = make([]byte, 32)
		}
		return m
	}
	partials := func(n int) *pb.PostPartials {
		m := &pb.PostPartials{Partials: make([]pb.PartialDecryption, n)}
		for i := range m.Partials {
			m.Partials[i] = pb.PartialDecryption{Contest: uint32(i), Shares: make([]byte, 32), Proof: make([]byte, 64)}
		}
		return m
	}
	revocations := func(n int) *pb.ProposeResolution {
		voters := make([]uint64, n)
		for i := range voters {
			voters[i] = uint64(i)
		}
		return &pb.ProposeResolution{Resolution: pb.Resolution{Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Voters: voters}}}}
	}
	reports := func(n int) *pb.ReportIntake {
		m := &pb.ReportIntake{Start: 1, Height: tx.IntakeInterval, Refused: make([]pb.RefusalCount, n)}
		for i := range m.Refused {
			m.Refused[i] = pb.RefusalCount{Code: uint32(i + 1), Count: 1}
		}
		return m
	}
	for name, c := range map[string]struct{ most, more bool }{
		"roll entries": {wellFormed(entries(tx.MaxRollEntries)), wellFormed(entries(tx.MaxRollEntries + 1))},
		"partials":     {wellFormed(partials(tx.MaxPartials)), wellFormed(partials(tx.MaxPartials + 1))},
		"refusals":     {wellFormed(reports(tx.MaxRefusalCounts)), wellFormed(reports(tx.MaxRefusalCounts + 1))},
		"revocations":  {wellFormed(revocations(tx.MaxRevocations)), wellFormed(revocations(tx.MaxRevocations + 1))},
	} {
		if !c.most || c.more {
			t.Errorf("%s: the most is well-formed: %v; one more: %v", name, c.most, c.more)
		}
	}
}
