package certified

import (
	"fmt"
	"strings"

	pb "votenode/proto/votenode/v1"
)

// Standing says how far a state is signed for: "certified", "committed, not certified" or "neither certified nor committed".
func (s *State) Standing() string {
	switch {
	case s.Certified:
		return "certified"
	case s.Committed:
		return "committed, not certified"
	}
	return "neither certified nor committed"
}

// Signers tells who signed a state, by organisation.
func (s *State) Signers() string {
	parts := make([]string, len(s.Signed))
	for i, o := range s.Signed {
		parts[i] = fmt.Sprintf("%s signed with %d of %d power", o.Organisation, o.Power, o.Total)
	}
	return strings.Join(parts, ", ")
}

// Votes calls fn for every validator of the set of Height+1, sorted by key, and says whether its precommit is shown.
func (s *State) Votes(fn func(v *pb.Validator, signed bool)) {
	for i := range s.signers {
		fn(&s.set.epoch.Validators[i], s.signers[i])
	}
}

// plainly says of each field of spec 6.1 that two sides of a fork may differ in what it is.
var plainly = map[string]string{
	"Version":            "the rules of the next block",
	"LastBlockID":        "the block itself",
	"NextValidatorsHash": "the validators of the height after the next",
	"ConsensusHash":      "the parameters of consensus",
	"AppHash":            "the state after the block",
	"LastResultsHash":    "the results of the block's transactions",
}

// Words says in plain words what a fork shows, one sentence a line; a and b name its sides.
func (f *Fork) Words(a, b string) []string {
	var differ []string
	for _, field := range f.Fields {
		differ = append(differ, fmt.Sprintf("%s (%s)", plainly[field], field))
	}
	lines := []string{
		fmt.Sprintf("The ledger %q is forked: two states after block %d contradict each other. They differ in: %s.",
			f.A.trust.chainID, f.A.Height, strings.Join(differ, ", ")),
		f.A.side(a), f.B.side(b),
	}
	for _, o := range f.Organisations {
		than := "not more"
		if o.Enough {
			than = "more"
		}
		lines = append(lines, fmt.Sprintf("Of %s, validators with %d of %d power signed on both branches, which is %s than %d/%d.",
			o.Organisation, o.Power, o.Total, than, f.Bound.Numerator, f.Bound.Denominator))
		for _, v := range f.Both {
			if v.Organisation == o.Organisation {
				lines = append(lines, fmt.Sprintf("  %s, with %d power: the key %x", v.Name, v.Power, v.Key))
			}
		}
	}
	return append(lines, f.meaning())
}

// side tells of one side of a fork.
func (s *State) side(name string) string {
	return fmt.Sprintf("%s: block %s, and the state %x after it, %s: %s.", name, s.BlockID.Hash, s.AppHash, s.Standing(), s.Signers())
}

func (f *Fork) meaning() string {
	if f.A.Certified && f.B.Certified {
		return "Both sides are certified. An honest validator signs on one branch only, so in every organisation too many are not honest: " +
			"nothing on this ledger can be believed until its organisations have spoken."
	}
	return "An honest validator signs on one branch only: these are not honest. Whoever signed on one side only is not accused."
}
