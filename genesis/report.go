package genesis

import (
	"fmt"
	"strings"
)

// JSON returns the report for machines.
func (r *Report) JSON() ([]byte, error) { return marshal(r) }

// String returns the report in plain words.
func (r *Report) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	line("Chain %s, genesis hash %s", r.ChainID, r.GenesisHash)
	line("")
	line("%s of %s with power %d. A block is committed by power %d, more than two thirds.",
		count(r.Validators, "validator"), count(len(r.Organisations), "organisation"), r.Power, r.CommitPower)
	line("Down: %s.", mayBeDown(r.MayBeDown, "committed"))
	line("Halt: it takes %s, of at least %s.",
		count(r.HaltValidators, "validator"), count(r.HaltOrganisations, "organisation"))
	line("Falsify what is committed: at least %s must cheat, of at least %s.",
		count(r.FalsifyValidators, "validator"), count(r.FalsifyOrganisations, "organisation"))
	line("Falsify what is certified: in every organisation so many validators must cheat as stand below; no organisation can alone.")
	for _, o := range r.Organisations {
		line("")
		line("%s (%s): %s with power %d of %d, %.1f %%; %d of its %s approve for it; %s",
			o.ID, o.Title, count(o.Validators, "validator"), o.Power, r.Power, 100*float64(o.Power)/float64(r.Power),
			o.OfficerQuorum, count(o.Officers, "officer"), count(o.Registrars, "registrar"))
		line("  can halt the ledger alone:              %s", yes(o.CanHalt))
		line("  can withhold certification alone:       yes, as every organisation")
		line("  can falsify alone what is committed:    %s", yes(o.CanFalsifyCommitted))
		line("  can falsify alone what is certified:    no")
		line("  down: %s; it takes power %d", mayBeDown(o.MayBeDown, "certified"), o.CertifyPower)
		line("  must cheat before a certified block can be falsified: %s, and their share of every other organisation",
			count(o.MustCheat, "validator"))
	}
	for _, w := range r.Warnings {
		line("")
		line("Warning: %s", w)
	}
	return b.String()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func mayBeDown(n int, what string) string {
	if n == 0 {
		return "none may be down; without the strongest validator nothing is " + what
	}
	return fmt.Sprintf("any %d may be down and blocks are still %s", n, what)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
