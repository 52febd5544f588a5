package organisation

import (
	"fmt"

	pb "votenode/proto/votenode/v1"
)

// MaxFraction bounds numerator and denominator of a fraction.
const MaxFraction = 1_000_000

// EvidenceBytes is what evidence of double signing takes in a block at most, bytes. The least block_bytes holds it together
// with a header, the commit of MaxValidators as CometBFT reserves it (3,358 bytes each) and the longest transaction; the least
// block_units what the dearest transaction costs. Spec 1.5.
const EvidenceBytes = 1 << 17

// CheckParameters checks the consensus rules of a ledger with this number of organisations. Spec 1.5 has the table.
func CheckParameters(p *pb.Parameters, organisations int) error {
	if err := checkShares(p, organisations); err != nil {
		return err
	}
	if err := inRange(
		field{"handover", p.Handover, 4, 1_000_000},
		field{"resolution_heights", p.ResolutionHeights, 1, 10_000_000},
		field{"evidence_heights", p.EvidenceHeights, 1, 1_000_000_000},
		field{"evidence_seconds", p.EvidenceSeconds, 1, 315_360_000},
		field{"slip_span", p.SlipSpan, 1, 1_000},
		field{"slip_margin", p.SlipMargin, 1, 3_600},
	); err != nil {
		return err
	}
	if err := checkLimits(&p.Limits); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	if err := checkTimeouts(&p.Timeouts); err != nil {
		return fmt.Errorf("timeouts: %w", err)
	}
	if err := checkInitiatives(&p.Initiatives); err != nil {
		return fmt.Errorf("initiatives: %w", err)
	}
	return checkResolutionRules(p.ResolutionRules, organisations)
}

// CheckParameterChange checks new parameters against those in force. A verifier takes certify and handover from the genesis
// document and nowhere else, so they stay for the life of the ledger. Spec 1.5.
func CheckParameterChange(old, changed *pb.Parameters, organisations int) error {
	if err := CheckParameters(changed, organisations); err != nil {
		return err
	}
	if old.Certify != changed.Certify || old.Handover != changed.Handover {
		return fmt.Errorf("certify and handover never change; leave them at %d/%d and %d",
			old.Certify.Numerator, old.Certify.Denominator, old.Handover)
	}
	return nil
}

func checkShares(p *pb.Parameters, organisations int) error {
	powerCap, certify := p.PowerCap, p.Certify
	if err := checkFraction(powerCap); err != nil {
		return fmt.Errorf("power_cap: %w", err)
	}
	if err := checkFraction(certify); err != nil {
		return fmt.Errorf("certify: %w", err)
	}
	if 3*uint64(powerCap.Numerator) >= 2*uint64(powerCap.Denominator) {
		return fmt.Errorf("power_cap is %d/%d; choose less than 2/3, or one organisation alone decides",
			powerCap.Numerator, powerCap.Denominator)
	}
	room := uint64(powerCap.Numerator) * uint64(organisations)
	if room < uint64(powerCap.Denominator) || room == uint64(powerCap.Denominator) && p.PowerCapExclusive {
		return fmt.Errorf("power_cap is %d/%d, so %d organisations cannot hold all power together; raise it",
			powerCap.Numerator, powerCap.Denominator, organisations)
	}
	if 3*uint64(certify.Numerator) < 2*uint64(certify.Denominator) {
		return fmt.Errorf("certify is %d/%d; choose at least 2/3", certify.Numerator, certify.Denominator)
	}
	return nil
}

// checkFraction accepts a fraction above 0 and below 1.
func checkFraction(f pb.Fraction) error {
	if f.Numerator == 0 || f.Numerator >= f.Denominator || f.Denominator > MaxFraction {
		return fmt.Errorf("%d/%d; give a fraction above 0 and below 1 with a denominator up to %d",
			f.Numerator, f.Denominator, MaxFraction)
	}
	return nil
}

func checkLimits(l *pb.Limits) error {
	return inRange(
		field{"block_bytes", l.BlockBytes, 2 << 20, 8 << 20},
		field{"block_units", l.BlockUnits, 60_000, 10_000_000},
		field{"ballot_bytes", l.BallotBytes, 1 << 10, 64 << 10},
		field{"transaction_bytes", l.TransactionBytes, 160 << 10, 512 << 10},
		field{"spoils_per_voter", uint64(l.SpoilsPerVoter), 1, 1_000},
		field{"document_bytes", l.DocumentBytes, 64 << 10, 64 << 20},
	)
}

func checkTimeouts(t *pb.Timeouts) error {
	return inRange(
		field{"propose", uint64(t.Propose), 1, 60_000},
		field{"propose_delta", uint64(t.ProposeDelta), 1, 60_000},
		field{"vote", uint64(t.Vote), 1, 60_000},
		field{"vote_delta", uint64(t.VoteDelta), 1, 60_000},
		field{"commit", uint64(t.Commit), 1, 60_000},
	)
}

func checkInitiatives(r *pb.InitiativeRules) error {
	return inRange(
		field{"threshold", r.Threshold, 1, 1 << 27},
		field{"answer_heights", r.AnswerHeights, 1, 10_000_000},
		field{"publish_rate", uint64(r.PublishRate), 1, 1_000},
		field{"comment_rate", uint64(r.CommentRate), 1, 1_000},
		field{"support_rate", uint64(r.SupportRate), 1, 1_000},
	)
}

// waivable are the kinds of resolution for which fewer than all organisations may suffice. Not among them: what fixes the
// roll or takes from it, and the parameters, where this table stands. A kind is the number of the decision's field in the
// message Resolution. Spec 1.5.
var waivable = map[uint32]string{
	3:  "create_election",
	4:  "appoint_trustees",
	6:  "schedule_election",
	7:  "extend_election",
	8:  "cancel_election",
	9:  "change_validators",
	10: "change_officers",
	13: "replace_trustees",
	14: "excuse_trial",
}

func checkResolutionRules(rules []pb.ResolutionRule, organisations int) error {
	last := uint32(0)
	for _, r := range rules {
		if waivable[r.Kind] == "" {
			return fmt.Errorf("resolution_rules: kind %d always needs every organisation; leave it out", r.Kind)
		}
		if r.Kind <= last {
			return fmt.Errorf("resolution_rules: kind %d: the list is not strictly ascending by kind; sort it", r.Kind)
		}
		if r.Organisations == 0 || uint64(r.Organisations) >= uint64(organisations) {
			return fmt.Errorf("resolution_rules: kind %d needs %d organisations; choose 1 to %d, or leave it out if all must approve",
				r.Kind, r.Organisations, organisations-1)
		}
		last = r.Kind
	}
	return nil
}

// field is a number with its bounds, both allowed.
type field struct {
	name             string
	value, low, high uint64
}

func inRange(fields ...field) error {
	for _, f := range fields {
		if f.value < f.low || f.value > f.high {
			return fmt.Errorf("%s is %d; choose %d to %d", f.name, f.value, f.low, f.high)
		}
	}
	return nil
}
