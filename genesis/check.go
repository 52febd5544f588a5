package genesis

import (
	"fmt"
	"slices"

	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

// Report says who can halt and who can falsify a ledger. All counts of validators take the strongest first, which gives the
// worst case for every distribution of power: "any n may be down" holds for every choice of n validators, and "n must
// cheat" says that no n-1 validators suffice. Spec 1.12 has the formulas.
type Report struct {
	ChainID     string `json:"chain_id"`
	GenesisHash string `json:"genesis_hash"`
	Validators  int    `json:"validators"`
	Power       int64  `json:"power"`
	// CommitPower is the least power that commits a block: more than 2/3.
	CommitPower int64 `json:"commit_power"`
	// MayBeDown validators of any organisations may be down, and blocks are still committed.
	MayBeDown int `json:"may_be_down"`
	// HaltValidators is the least number of validators that can stop the ledger together, HaltOrganisations that of
	// organisations.
	HaltValidators    int `json:"halt_validators"`
	HaltOrganisations int `json:"halt_organisations"`
	// FalsifyValidators is the least number of validators that must cheat before two different ledgers can be committed,
	// FalsifyOrganisations that of organisations.
	FalsifyValidators    int                  `json:"falsify_validators"`
	FalsifyOrganisations int                  `json:"falsify_organisations"`
	Certify              string               `json:"certify"`
	Organisations        []OrganisationReport `json:"organisations"`
	Warnings             []string             `json:"warnings"`
}

// OrganisationReport is the part of a Report about one organisation.
type OrganisationReport struct {
	ID            string `json:"id"`
	Title         string `json:"title"`
	Validators    int    `json:"validators"`
	Power         int64  `json:"power"`
	Officers      int    `json:"officers"`
	OfficerQuorum int    `json:"officer_quorum"`
	Registrars    int    `json:"registrars"`
	// CanHalt: the others together cannot commit a block.
	CanHalt bool `json:"can_halt"`
	// CanFalsifyCommitted: its validators alone, all cheating, can have two different blocks of one height committed.
	// What is certified no organisation falsifies alone.
	CanFalsifyCommitted bool `json:"can_falsify_committed"`
	// CertifyPower is the least power of this organisation that certifies: more than the share `certify` of its own.
	CertifyPower int64 `json:"certify_power"`
	// MayBeDown of its validators may be down, any so many, and blocks are still certified.
	MayBeDown int `json:"may_be_down"`
	// MustCheat of its validators have to sign on two branches, and as many as said of every other organisation, before
	// two conflicting blocks can be certified.
	MustCheat int `json:"must_cheat"`
}

// Check examines a checked document. Spec 1.12.
func Check(doc *pb.Genesis) *Report {
	all := organisation.FirstEpoch(doc).Validators
	powers := strongestFirst(all)
	total := sum(powers)
	r := &Report{
		ChainID: doc.ChainId, GenesisHash: fmt.Sprintf("%x", Hash(doc)),
		Validators: len(all), Power: total,
		CommitPower: quorum(total, pb.Fraction{Numerator: 2, Denominator: 3}),
		Certify:     fmt.Sprintf("%d/%d", doc.Parameters.Certify.Numerator, doc.Parameters.Certify.Denominator),
		Warnings:    []string{},
	}
	halt, falsify := total-r.CommitPower+1, 2*r.CommitPower-total
	r.HaltValidators, r.FalsifyValidators = fewest(powers, halt), fewest(powers, falsify)
	r.MayBeDown = r.HaltValidators - 1
	var shares []int64
	for _, g := range doc.Organisations {
		own := strongestFirst(g.Validators)
		power := sum(own)
		certify := quorum(power, doc.Parameters.Certify)
		shares = append(shares, power)
		r.Organisations = append(r.Organisations, OrganisationReport{
			ID: g.Organisation.Id, Title: g.Organisation.Title, Validators: len(own), Power: power,
			Officers: len(g.Organisation.Officers), OfficerQuorum: int(g.Organisation.OfficerQuorum),
			Registrars: len(g.Organisation.Registrars),
			CanHalt:    power >= halt, CanFalsifyCommitted: power >= falsify,
			CertifyPower: certify,
			MayBeDown:    fewest(own, power-certify+1) - 1,
			MustCheat:    fewest(own, 2*certify-power),
		})
	}
	slices.SortFunc(shares, descending)
	r.HaltOrganisations, r.FalsifyOrganisations = fewest(shares, halt), fewest(shares, falsify)
	r.warn(&doc.Parameters, powers[len(powers)-1])
	return r
}

// quorum returns the least power above the fraction f of whole: floor(whole * f) + 1.
func quorum(whole int64, f pb.Fraction) int64 {
	return whole*int64(f.Numerator)/int64(f.Denominator) + 1
}

// fewest returns how many of the powers, strongest first, reach the needed sum. It is never more than there are: every
// need in this file is at most the sum.
func fewest(powers []int64, need int64) int {
	n := 0
	for reached := int64(0); reached < need; n++ {
		reached += powers[n]
	}
	return n
}

func strongestFirst(validators []pb.Validator) []int64 {
	powers := make([]int64, len(validators))
	for i, v := range validators {
		powers[i] = v.Power
	}
	slices.SortFunc(powers, descending)
	return powers
}

func descending(a, b int64) int { return int(min(max(b-a, -1), 1)) }

func sum(powers []int64) int64 {
	total := int64(0)
	for _, p := range powers {
		total += p
	}
	return total
}

// warn collects what is allowed and unwise; weakest is the least power of a validator.
func (r *Report) warn(p *pb.Parameters, weakest int64) {
	add := func(format string, args ...any) { r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...)) }
	for _, o := range r.Organisations {
		if o.Validators < 4 {
			add("%s has %s; with fewer than four, nothing may be certified while one is down, and a lost key cannot be replaced: give it four or more.",
				o.ID, count(o.Validators, "validator"))
		} else if o.MayBeDown == 0 {
			add("%s: nothing is certified while its strongest validator is down, in spite of %d validators: make their powers more equal.",
				o.ID, o.Validators)
		}
		if o.OfficerQuorum == 1 {
			add("%s: one officer alone approves for it; a quorum of two or more survives a stolen key.", o.ID)
		}
		if o.Officers > 1 && o.OfficerQuorum == o.Officers {
			add("%s: all %d officers must approve; one lost key and it approves nothing any more: name a spare officer.", o.ID, o.Officers)
		}
		if o.Registrars == 0 {
			add("%s has no registrar: no roll can grow, for every part of it is signed by registrars of all organisations.", o.ID)
		}
	}
	if worst := p.Limits.BlockUnits * UnitMicroseconds * 3; worst > uint64(p.Timeouts.Propose)*1000 {
		add("A full block takes about %d ms to verify on one core, more than a third of the proposal timeout of %d ms: lower block_units or raise the timeout.",
			p.Limits.BlockUnits*UnitMicroseconds/1000, p.Timeouts.Propose)
	}
	const sixWeeks = 6 * 7 * 24 * 60 * 60
	if turns := int64(p.SlipSpan) * weakest / r.Power; turns == 0 {
		add("The weakest validator proposes less than once in %d heights, so it may promise nothing to voters: raise slip_span.", p.SlipSpan)
	}
	if p.EvidenceSeconds < sixWeeks {
		add("Evidence of double signing counts for %d seconds only; six weeks cover a whole election.", p.EvidenceSeconds)
	}
}
