package rules

import (
	"fmt"
	"slices"

	pb "votenode/proto/votenode/v1"
)

// fewer are the kinds of resolution for which fewer than all organisations may suffice. Spec 1.5.
var fewer = []uint32{3, 4, 6, 7, 8, 9, 10, 13, 14}

// Parameters checks the parameters of a ledger with so many organisations. Spec 1.5.
func Parameters(p *pb.Parameters, organisations int) error {
	for _, f := range []struct {
		name               string
		value, least, most uint64
	}{
		{"handover", p.Handover, 4, 1_000_000},
		{"resolution_heights", p.ResolutionHeights, 1, 10_000_000},
		{"block_bytes", p.Limits.BlockBytes, 2_097_152, 8_388_608},
		{"block_units", p.Limits.BlockUnits, 60_000, 10_000_000},
		{"ballot_bytes", p.Limits.BallotBytes, 1_024, 65_536},
		{"transaction_bytes", p.Limits.TransactionBytes, 163_840, 524_288},
		{"spoils_per_voter", uint64(p.Limits.SpoilsPerVoter), 1, 1_000},
		{"document_bytes", p.Limits.DocumentBytes, 65_536, 67_108_864},
		{"propose", uint64(p.Timeouts.Propose), 1, 60_000},
		{"propose_delta", uint64(p.Timeouts.ProposeDelta), 1, 60_000},
		{"vote", uint64(p.Timeouts.Vote), 1, 60_000},
		{"vote_delta", uint64(p.Timeouts.VoteDelta), 1, 60_000},
		{"commit", uint64(p.Timeouts.Commit), 1, 60_000},
		{"evidence_heights", p.EvidenceHeights, 1, 1_000_000_000},
		{"evidence_seconds", p.EvidenceSeconds, 1, 315_360_000},
		{"slip_span", p.SlipSpan, 1, 1_000},
		{"slip_margin", p.SlipMargin, 1, 3_600},
		{"threshold", p.Initiatives.Threshold, 1, 134_217_728},
		{"answer_heights", p.Initiatives.AnswerHeights, 1, 10_000_000},
		{"publish_rate", uint64(p.Initiatives.PublishRate), 1, 1_000},
		{"comment_rate", uint64(p.Initiatives.CommentRate), 1, 1_000},
		{"support_rate", uint64(p.Initiatives.SupportRate), 1, 1_000},
	} {
		if f.value < f.least || f.value > f.most {
			return fmt.Errorf("%s is %d", f.name, f.value)
		}
	}
	if err := shares(p, organisations); err != nil {
		return err
	}
	for i, rule := range p.ResolutionRules {
		if !slices.Contains(fewer, rule.Kind) || rule.Organisations < 1 || uint64(rule.Organisations) >= uint64(organisations) ||
			i > 0 && rule.Kind <= p.ResolutionRules[i-1].Kind {
			return fmt.Errorf("resolution rule %d", i)
		}
	}
	return nil
}

// shares checks the two fractions: 0 < power_cap < 2/3 and power_cap times the organisations >= 1, 2/3 <= certify < 1.
func shares(p *pb.Parameters, organisations int) error {
	for _, f := range []pb.Fraction{p.PowerCap, p.Certify} {
		if f.Numerator < 1 || f.Numerator >= f.Denominator || f.Denominator > 1_000_000 {
			return fmt.Errorf("%d/%d is no share", f.Numerator, f.Denominator)
		}
	}
	n, d := uint64(p.PowerCap.Numerator), uint64(p.PowerCap.Denominator)
	switch all := n * uint64(organisations); {
	case 3*n >= 2*d || all < d || all == d && p.PowerCapExclusive:
		return fmt.Errorf("power_cap is %d/%d", n, d)
	case 3*uint64(p.Certify.Numerator) < 2*uint64(p.Certify.Denominator):
		return fmt.Errorf("certify is below 2/3")
	}
	return nil
}
