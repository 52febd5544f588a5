package certified_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/verify/certified"
)

// checkFork compares a report with the validators who signed both sides and with the fields that differ, and counts the powers
// again.
func checkFork(t *testing.T, f *certified.Fork, both []string, fields ...string) {
	t.Helper()
	var found []string
	power := map[string]int64{}
	for _, v := range f.Both {
		found = append(found, v.Name)
		power[v.Organisation] += v.Power
		if string(v.Key) != string(publicKey(v.Name)) || !strings.HasPrefix(v.Name, v.Organisation) {
			t.Errorf("%s of %s has another key or organisation", v.Name, v.Organisation)
		}
	}
	if !slices.Equal(sortedNames(found), sortedNames(both)) {
		t.Errorf("named are %q, not %q", found, both)
	}
	if !slices.Equal(f.Fields, fields) {
		t.Errorf("the sides differ in %q, not in %q", f.Fields, fields)
	}
	if len(f.Organisations) != len(f.A.Signed) {
		t.Fatalf("%d organisations instead of %d", len(f.Organisations), len(f.A.Signed))
	}
	for i, o := range f.Organisations {
		if o.Organisation != f.A.Signed[i].Organisation || o.Total != f.A.Signed[i].Total || o.Power != power[o.Organisation] {
			t.Errorf("%+v; the named ones hold %d", o, power[o.Organisation])
		}
		if f.A.Certified && f.B.Certified && !o.Enough {
			t.Errorf("both sides are certified, and %+v is not enough", o)
		}
	}
}

func sortedNames(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// TestConflict: two certificates of one height name whoever signed both, and more than a third of each organisation.
func TestConflict(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(3)
	other := *w.headers[3]
	other.LastBlockID = blockID(w.headers[1])
	a := must(w.trust.Verify(certificate(signed(w.headers[3], 0, "league-1", "league-2", "league-3", "party-1", "party-2", "party-3"))))
	b := must(w.trust.Verify(certificate(signed(&other, 0, "league-4", "league-2", "league-3", "party-4", "party-1", "party-3"))))
	fork, err := certified.FindFork(a, b)
	if err != nil {
		t.Fatal(err)
	}
	checkFork(t, fork, []string{"league-2", "league-3", "party-1", "party-3"}, "LastBlockID")
	c := must(w.trust.Verify(w.certify(1)))
	d := must(w.trust.Verify(certificate(signed(w.headers[3], 1, names(w.epochs[0])...))))
	stronger := newWorld(t, []party{{"league", []int64{2, 2, 2, 2}}, {"party", []int64{2, 2, 2, 2}}})
	e := must(stronger.trust.Verify(stronger.certify(2)))
	doc := document(equal)
	doc.Parameters.EvidenceHeights++
	f := must(must(certified.FromGenesis(doc)).Verify(certificate(signed(&other, 0, names(w.epochs[0])...))))
	for want, state := range map[string]*certified.State{
		"attest the same": a, "heights 2 and 1": c, "they attest": d, "different ledgers": f,
	} {
		if _, err := certified.FindFork(a, state); !errors.Is(err, certified.ErrNoConflict) || !strings.Contains(err.Error(), want) {
			t.Errorf("a conflict where there is none: %v, want %q", err, want)
		}
	}
	if _, err := certified.FindFork(a, e); !errors.Is(err, certified.ErrNoConflict) {
		t.Error("a conflict of two ledgers:", err)
	}
}

// TestForkFields: each attested field by itself makes a fork, and what is not attested makes none. Two sides of which nobody is
// certain accuse whoever signed both, and nobody else.
func TestForkFields(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(3)
	inspect := func(change func(h *cmttypes.Header), signers ...string) *certified.State {
		h := *w.headers[3]
		change(&h)
		s, err := w.trust.Inspect(certificate(signed(&h, 2, signers...)))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a := inspect(func(*cmttypes.Header) {}, "league-1", "party-2", "party-3")
	for fields, change := range map[string]func(h *cmttypes.Header){
		"Version":             func(h *cmttypes.Header) { h.Version.App++ },
		"LastBlockID":         func(h *cmttypes.Header) { h.LastBlockID.PartSetHeader.Total++ },
		"NextValidatorsHash":  func(h *cmttypes.Header) { h.NextValidatorsHash = digest("other") },
		"ConsensusHash":       func(h *cmttypes.Header) { h.ConsensusHash = digest("other") },
		"AppHash":             func(h *cmttypes.Header) { h.AppHash = digest("other") },
		"LastResultsHash":     func(h *cmttypes.Header) { h.LastResultsHash = digest("other") },
		"LastBlockID AppHash": func(h *cmttypes.Header) { h.LastBlockID.Hash, h.AppHash = digest("other"), digest("other") },
	} {
		for _, signers := range [][]string{{"league-2", "party-2"}, {"league-2"}, nil, names(w.epochs[0])} {
			b := inspect(change, signers...)
			fork, err := certified.FindFork(a, b)
			if err != nil {
				t.Fatal(fields, err)
			}
			both := slices.DeleteFunc([]string{"league-1", "party-2", "party-3"}, func(name string) bool { return !slices.Contains(signers, name) })
			checkFork(t, fork, both, strings.Fields(fields)...)
			if fork.A != a || fork.B != b || fork.Organisations[0].Enough || fork.Organisations[1].Enough != (len(both) == 3) {
				t.Errorf("%s, %q: %+v", fields, signers, fork)
			}
		}
	}
	sibling := inspect(func(h *cmttypes.Header) {
		h.Time, h.DataHash, h.LastCommitHash = h.Time.Add(time.Second), digest("other"), digest("other")
		h.EvidenceHash, h.ProposerAddress = digest("other"), digest("other")[:20]
	}, names(w.epochs[0])...)
	if _, err := certified.FindFork(a, sibling); !errors.Is(err, certified.ErrNoConflict) {
		t.Error("two children that attest the same are a fork:", err)
	}
}
