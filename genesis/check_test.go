package genesis_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// TestReportCounts compares the counts with a search over all subsets of validators.
func TestReportCounts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		parties := make([]party, rapid.IntRange(2, 3).Draw(rt, "organisations"))
		for i := range parties {
			parties[i] = party{fmt.Sprintf("o%d", i), rapid.SliceOfN(rapid.Int64Range(1, 5), 1, 4).Draw(rt, "powers")}
		}
		doc := &pb.Genesis{ChainId: sampleChain, Time: sampleTime, Parameters: *genesis.DefaultParameters(len(parties))}
		var all []int64
		for _, p := range parties {
			g := pb.GenesisOrganisation{Organisation: pb.Organisation{Id: p.id}}
			for i, power := range p.powers {
				g.Validators = append(g.Validators, *validator(p.id, i, power))
			}
			doc.Organisations = append(doc.Organisations, g)
			all = append(all, p.powers...)
		}
		r := genesis.Check(doc)
		total := total(all)
		committed := func(power int64) bool { return 3*power > 2*total }
		// down: every choice of n leaves a commit, and some choice of n+1 does not
		if got := survivors(all, committed); got != r.MayBeDown || r.HaltValidators != got+1 {
			rt.Fatalf("%v: %d may be down, the report says %d and %d halt", all, got, r.MayBeDown, r.HaltValidators)
		}
		if got := cheats(all, committed); got < r.FalsifyValidators {
			rt.Fatalf("%v: %d suffice to falsify, the report says %d", all, got, r.FalsifyValidators)
		}
		for i, p := range parties {
			own := r.Organisations[i]
			certified := func(power int64) bool { return 3*power > 2*own.Power }
			if got := survivors(p.powers, certified); got != own.MayBeDown {
				rt.Fatalf("%v: %d may be down, the report says %d", p.powers, got, own.MayBeDown)
			}
			if got := cheats(p.powers, certified); got < own.MustCheat {
				rt.Fatalf("%v: %d suffice to falsify, the report says %d", p.powers, got, own.MustCheat)
			}
			if own.CanHalt != !committed(total-own.Power) {
				rt.Fatalf("%v of %v can halt: %v", p.powers, all, own.CanHalt)
			}
		}
	})
}

func total(powers []int64) (sum int64) {
	for _, p := range powers {
		sum += p
	}
	return sum
}

// survivors returns the greatest n such that every choice of n validators can be missing.
func survivors(powers []int64, enough func(int64) bool) int {
	least := len(powers)
	for set := 0; set < 1<<len(powers); set++ {
		n, present := 0, int64(0)
		for i, p := range powers {
			if set>>i&1 == 1 {
				n++
			} else {
				present += p
			}
		}
		if !enough(present) {
			least = min(least, n-1)
		}
	}
	return least
}

// cheats returns the least number of validators in the intersection of two sets that both suffice.
func cheats(powers []int64, enough func(int64) bool) int {
	least := len(powers)
	power := func(set int) (sum int64) {
		for i, p := range powers {
			if set>>i&1 == 1 {
				sum += p
			}
		}
		return sum
	}
	var quorums []int
	for set := 0; set < 1<<len(powers); set++ {
		if enough(power(set)) {
			quorums = append(quorums, set)
		}
	}
	for _, a := range quorums {
		for _, b := range quorums {
			n := 0
			for both := a & b; both != 0; both &= both - 1 {
				n++
			}
			least = min(least, n)
		}
	}
	return least
}

// TestReportTable pins what the report says for usual shapes.
func TestReportTable(t *testing.T) {
	for _, test := range []struct {
		parties                                []party
		down, halt, falsify, orgHalt, orgFalse int
		ownDown, ownCheat                      []int
		warnings                               int
	}{
		{sampleParties, 2, 3, 4, 1, 1, []int{1, 1}, []int{2, 2}, 0},
		{[]party{{"a", []int64{1, 1, 1}}, {"b", []int64{1, 1, 1}}}, 1, 2, 4, 1, 2, []int{0, 0}, []int{3, 3}, 2},
		{[]party{{"a", []int64{1}}, {"b", []int64{1}}}, 0, 1, 2, 1, 2, []int{0, 0}, []int{1, 1}, 2},
		{[]party{{"a", []int64{1, 1, 1, 1}}, {"b", []int64{1, 1, 1, 1}}, {"c", []int64{1, 1, 1, 1}}, {"d", []int64{1, 1, 1, 1}}}, 5, 6, 6, 2, 2, []int{1, 1, 1, 1}, []int{2, 2, 2, 2}, 0},
		{[]party{{"a", []int64{7, 1, 1, 1}}, {"b", []int64{4, 2, 2, 2}}}, 0, 1, 2, 1, 1, []int{0, 0}, []int{1, 1}, 2},
	} {
		r := genesis.Check(assemble(t, test.parties))
		if r.MayBeDown != test.down || r.HaltValidators != test.halt || r.FalsifyValidators != test.falsify ||
			r.HaltOrganisations != test.orgHalt || r.FalsifyOrganisations != test.orgFalse || len(r.Warnings) != test.warnings {
			t.Errorf("%v: %+v", test.parties, r)
		}
		for i, o := range r.Organisations {
			if o.MayBeDown != test.ownDown[i] || o.MustCheat != test.ownCheat[i] {
				t.Errorf("%v: %+v", test.parties, o)
			}
		}
	}
}

// TestWarnings brings about each warning.
func TestWarnings(t *testing.T) {
	for want, change := range map[string]func(d *pb.Genesis){
		"fewer than four":                 func(d *pb.Genesis) { d.Organisations[0].Validators = d.Organisations[0].Validators[:3] },
		"strongest validator":             func(d *pb.Genesis) { d.Organisations[0].Validators[0].Power = 3 },
		"one officer alone":               func(d *pb.Genesis) { d.Organisations[0].Organisation.OfficerQuorum = 1 },
		"name a spare officer":            func(d *pb.Genesis) { d.Organisations[0].Organisation.OfficerQuorum = 3 },
		"no registrar":                    func(d *pb.Genesis) { d.Organisations[0].Organisation.Registrars = nil },
		"more than a third of the propos": func(d *pb.Genesis) { d.Parameters.Timeouts.Propose = 2_900 },
		"slip_span":                       func(d *pb.Genesis) { d.Parameters.SlipSpan = 1 },
		"six weeks":                       func(d *pb.Genesis) { d.Parameters.EvidenceSeconds-- },
	} {
		doc := clone(assemble(t, sampleParties))
		if r := genesis.Check(doc); len(r.Warnings) != 0 {
			t.Fatal(r.Warnings)
		}
		change(doc)
		if r := genesis.Check(doc); len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], want) || !strings.Contains(r.String(), r.Warnings[0]) {
			t.Errorf("%s: %q", want, r.Warnings)
		}
	}
}
