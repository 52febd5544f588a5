package recount

import (
	"strings"
	"testing"

	"votenode/app/organisation"
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
		m.Signatures = []pb.RollSignature{{Key: make([]byte, 32), Signature: make([]byte, 64)}}
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
		return &pb.ProposeResolution{Resolution: pb.Resolution{Reason: "left", Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Voters: voters}}}}
	}
	signatures := func(n int) *pb.AddRollEntries {
		m := entries(1)
		for len(m.Signatures) < n {
			m.Signatures = append(m.Signatures, m.Signatures[0])
		}
		return m
	}
	struck := func(n int) *pb.ProposeResolution {
		d := &pb.SealRoll{Root: make([]byte, 32), Struck: make([]pb.StruckVoter, n)}
		for i := range d.Struck {
			d.Struck[i] = pb.StruckVoter{Voter: uint64(i), Cause: pb.REVOCATION_PAPER}
		}
		return &pb.ProposeResolution{Resolution: pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: d}}}
	}
	removal := func(reason string) *pb.ProposeResolution {
		return &pb.ProposeResolution{Resolution: pb.Resolution{Reason: reason, Decision: &pb.Resolution_RemoveCandidate{RemoveCandidate: &pb.RemoveCandidate{}}}}
	}
	cancellation := func(reason string) *pb.ProposeResolution {
		return &pb.ProposeResolution{Resolution: pb.Resolution{Reason: reason, Decision: &pb.Resolution_CancelNominations{CancelNominations: &pb.CancelNominations{}}}}
	}
	refusing := func(why string) *pb.DecideApplications {
		return &pb.DecideApplications{Decisions: []pb.ApplicationDecision{{Application: make([]byte, 32), Refused: why}}}
	}
	hiding := func(reason string) *pb.ProposeResolution {
		return &pb.ProposeResolution{Resolution: pb.Resolution{Reason: reason, Decision: &pb.Resolution_RemovePost{RemovePost: &pb.RemovePost{}}}}
	}
	renewal := func(reason string) *pb.ProposeResolution {
		return &pb.ProposeResolution{Resolution: pb.Resolution{Reason: reason, Decision: &pb.Resolution_RenewLot{RenewLot: &pb.RenewLot{}}}}
	}
	reports := func(n int) *pb.ReportIntake {
		m := &pb.ReportIntake{Start: 1, Height: tx.IntakeInterval, Refused: make([]pb.RefusalCount, n)}
		for i := range m.Refused {
			m.Refused[i] = pb.RefusalCount{Code: uint32(i + 1), Count: 1}
		}
		return m
	}
	applications := func(n int) *pb.SubmitApplications {
		m := &pb.SubmitApplications{Applications: make([]pb.SignedApplication, n)}
		for i := range m.Applications {
			m.Applications[i] = pb.SignedApplication{Application: pb.Application{Key: make([]byte, 32)}, Signature: make([]byte, 64)}
		}
		return m
	}
	decisions := func(n, reason int) *pb.DecideApplications {
		m := &pb.DecideApplications{Decisions: make([]pb.ApplicationDecision, n)}
		for i := range m.Decisions {
			m.Decisions[i] = pb.ApplicationDecision{Application: append(make([]byte, 31), byte(i)), Refused: strings.Repeat("x", reason)}
		}
		return m
	}
	for name, c := range map[string]struct{ most, more bool }{
		"roll entries": {wellFormed(entries(tx.MaxRollEntries)), wellFormed(entries(tx.MaxRollEntries + 1))},
		"partials":     {wellFormed(partials(tx.MaxPartials)), wellFormed(partials(tx.MaxPartials + 1))},
		"refusals":     {wellFormed(reports(tx.MaxRefusalCounts)), wellFormed(reports(tx.MaxRefusalCounts + 1))},
		"applications": {wellFormed(applications(tx.MaxApplications)), wellFormed(applications(tx.MaxApplications + 1))},
		"decisions":    {wellFormed(decisions(tx.MaxApplications, 0)), wellFormed(decisions(tx.MaxApplications+1, 0))},
		"reasons":      {wellFormed(decisions(1, tx.MaxRefusal)), wellFormed(decisions(1, tx.MaxRefusal+1))},
		"signatures":   {wellFormed(signatures(organisation.MaxOrganisations)), wellFormed(signatures(organisation.MaxOrganisations + 1))},
		"struck":       {wellFormed(struck(tx.MaxStruck)), wellFormed(struck(tx.MaxStruck + 1))},
		"a reason":     {wellFormed(removal("a court says so")), wellFormed(removal(""))},
		"prose":        {wellFormed(removal("a court\n\tsays so")), wellFormed(removal("a court \x1b[2J"))},
		"refusal":      {wellFormed(refusing("no\n\tmember")), wellFormed(refusing("no \u202emember"))},
		"cancelling":   {wellFormed(cancellation("a court says so")), wellFormed(cancellation(""))},
		"hiding":       {wellFormed(hiding("a court says so")), wellFormed(hiding(""))},
		"another lot":  {wellFormed(renewal("the file is lost")), wellFormed(renewal(""))},
		"revocations":  {wellFormed(revocations(tx.MaxRevocations)), wellFormed(revocations(tx.MaxRevocations + 1))},
	} {
		if !c.most || c.more {
			t.Errorf("%s: the most is well-formed: %v; one more: %v", name, c.most, c.more)
		}
	}
}
