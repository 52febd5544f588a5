package certified_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"votenode/app/election"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// Two branches at different heights and around a change of validators (spec 6.7).

// part adds a block whose state is another than on the branch that grew as usual: the record of the chain is changed in it.
func (w *world) part() {
	w.block(func(d *state.Draft) { d.SetRecord(state.KeyChain, election.Encode(&pb.Chain{Id: "parted"})) })
}

// encoded is the header of a height.
func (w *world) encoded(height int64) []byte { return must(w.headers[height].ToProto().Marshal()) }

// by returns the state of a height as some validators sign it.
func (w *world) by(height int64, names ...string) *pb.CertifiedState {
	w.grow(height + 1)
	return certificate(signed(w.headers[height+1], 0, names...))
}

// members returns "<organisation>-<number>" for some numbers.
func members(organisation string, numbers ...int) []string {
	var list []string
	for _, n := range numbers {
		list = append(list, fmt.Sprintf("%s-%d", organisation, n))
	}
	return list
}

// TestForkBelow: the branches part at block 3, in the state after it. A certificate of one branch conflicts with every later one of
// the other, and the same number of validators must have signed both.
func TestForkBelow(t *testing.T) {
	a, b := newWorld(t, equal), newWorld(t, equal)
	a.grow(9)
	b.grow(2)
	b.part()
	b.grow(9)
	three := [][]int{{1, 2, 3}, {1, 2, 4}, {1, 3, 4}, {2, 3, 4}} // the least that certify
	earlier, later := map[string]*certified.State{}, map[string]*certified.State{}
	for _, l := range three {
		for _, p := range three {
			signers := append(members("league", l...), members("party", p...)...)
			earlier[strings.Join(signers, " ")] = must(a.trust.Verify(a.by(4, signers...)))
			later[strings.Join(signers, " ")] = must(b.trust.Verify(b.by(7, signers...)))
		}
	}
	for first, x := range earlier {
		for second, y := range later {
			both := slices.DeleteFunc(strings.Fields(first), func(name string) bool { return !slices.Contains(strings.Fields(second), name) })
			fork, err := certified.FindForkBelow(x, y, b.blockProof(7, 5), b.encoded(5))
			if err != nil {
				t.Fatal(err)
			}
			checkFork(t, fork, both, "LastBlockID", "AppHash")
		}
	}
	everybody := names(a.epochs[0])
	x3, x4, y7 := must(a.trust.Verify(a.by(3, everybody...))), must(a.trust.Verify(a.by(4, everybody...))), must(b.trust.Verify(b.by(7, everybody...)))
	// Block 3 is the same on both branches; the state after it is not.
	fork, err := certified.FindForkBelow(x3, y7, b.blockProof(7, 4), b.encoded(4))
	if err != nil {
		t.Fatal(err)
	}
	checkFork(t, fork, everybody, "AppHash")
	// The block right below the later state's own, too.
	y4 := must(b.trust.Verify(b.by(4, everybody...)))
	if fork, err = certified.FindForkBelow(x3, y4, b.blockProof(4, 4), b.encoded(4)); err != nil {
		t.Fatal(err)
	}
	checkFork(t, fork, everybody, "AppHash")

	a7 := must(a.trust.Verify(a.by(7, everybody...)))
	for name, test := range map[string]struct {
		earlier, later *certified.State
		proof          *pb.BlockProof
		header         []byte
		want           error
	}{
		"one branch":          {x4, a7, a.blockProof(7, 5), a.encoded(5), certified.ErrNoConflict},
		"before the fork":     {must(a.trust.Verify(a.by(2, everybody...))), y7, b.blockProof(7, 3), b.encoded(3), certified.ErrNoConflict},
		"another block":       {x4, y7, b.blockProof(7, 6), b.encoded(6), certified.ErrMismatch},
		"the block itself":    {x4, y7, b.blockProof(7, 4), b.encoded(4), certified.ErrMismatch},
		"the other's header":  {x4, y7, b.blockProof(7, 5), a.encoded(5), certified.ErrMismatch},
		"the other's proof":   {x4, y7, a.blockProof(7, 5), a.encoded(5), state.ErrProof},
		"no proof":            {x4, y7, nil, b.encoded(5), state.ErrProof},
		"no header":           {x4, y7, b.blockProof(7, 5), nil, certified.ErrMalformed},
		"the wrong way round": {y7, x4, a.blockProof(4, 4), a.encoded(4), certified.ErrMismatch},
	} {
		if _, err := certified.FindForkBelow(test.earlier, test.later, test.proof, test.header); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// TestTwoAnnouncements: what is announced cannot differ before the branches part. Where they have parted, either announcement is
// believed by itself, the two announcing states are a fork of the old set, and no state of one new set verifies as the other's.
func TestTwoAnnouncements(t *testing.T) {
	for _, apart := range []int64{0, 2} { // heights between the announcements
		a, b := newWorld(t, equal), newWorld(t, equal)
		a.grow(3)
		b.grow(3 + apart)
		at, bt := a.announce(without(a.epochs[0], nil, validator("league", "league-5", 1))), b.announce(without(b.epochs[0], nil, validator("party", "party-5", 1)))
		a.grow(14)
		b.grow(14)
		first, second := append(members("league", 1, 2, 3), members("party", 1, 2, 3)...), append(members("league", 2, 3, 4), members("party", 2, 3, 4)...)
		proofA := &pb.EpochProof{State: a.by(at, first...), Validators: a.records[at][state.KeyValidators]}
		proofB := &pb.EpochProof{State: b.by(bt, second...), Validators: b.records[bt][state.KeyValidators]}
		ta, tb := must(a.trust.Advance(proofA)), must(b.trust.Advance(proofB))
		x, y := must(ta.Verify(proofA.State)), must(tb.Verify(proofB.State))
		var fork *certified.Fork
		fields, err := []string{"AppHash"}, error(nil)
		if apart == 0 {
			fork, err = certified.FindFork(x, y)
		} else {
			fork, err = certified.FindForkBelow(x, y, b.blockProof(bt, at+1), b.encoded(at+1))
		}
		if err != nil {
			t.Fatal(err)
		}
		checkFork(t, fork, append(members("league", 2, 3), members("party", 2, 3)...), fields...)

		// The proof of one branch, a state of the other.
		if _, err := ta.Verify(b.certify(12)); !errors.Is(err, certified.ErrMismatch) {
			t.Error("a state of the other branch's new set:", err)
		}
		if _, err := ta.Advance(proofB); !errors.Is(err, certified.ErrEpoch) {
			t.Error("a second announcement:", err)
		}
		if _, err := a.trust.Advance(&pb.EpochProof{State: proofA.State, Validators: proofB.Validators}); !errors.Is(err, state.ErrProof) {
			t.Error("the record of the other branch:", err)
		}
		xs, ys := must(ta.Verify(a.certify(12))), must(tb.Verify(b.certify(12)))
		if _, err := certified.FindFork(xs, ys); !errors.Is(err, certified.ErrNoConflict) || !strings.Contains(err.Error(), "different validator sets") {
			t.Error("states of two sets were compared:", err)
		}
	}
}

// TestSameSetOnTwoBranches: both branches announce the same validators, at different heights. Once both have begun, the states are
// compared, though the epochs begin at different heights; and neither branch's proof verifies the other between them.
func TestSameSetOnTwoBranches(t *testing.T) {
	a, b := newWorld(t, equal), newWorld(t, equal)
	a.grow(3)
	b.grow(4)
	next := without(a.epochs[0], []string{"party-4"}, validator("party", "party-5", 1))
	at, bt := a.announce(next), b.announce(next)
	ta, tb := must(a.trust.Advance(a.epochProof(at))), must(b.trust.Advance(b.epochProof(bt)))
	first, second := append(members("league", 1, 2, 3), members("party", 1, 2, 5)...), append(members("league", 1, 3, 4), members("party", 2, 3, 5)...)
	x, y := must(ta.Verify(a.by(11, first...))), must(tb.Verify(b.by(11, second...)))
	fork, err := certified.FindFork(x, y)
	if err != nil {
		t.Fatal(err)
	}
	checkFork(t, fork, append(members("league", 1, 3), members("party", 2, 5)...), "LastBlockID", "AppHash")
	edge := at + handover - 1 // its child is of the new epoch on branch a, and of the old one on branch b
	if _, err := tb.Verify(a.certify(edge)); !errors.Is(err, certified.ErrMismatch) {
		t.Error(err)
	}
	if _, err := ta.Verify(b.certify(edge)); !errors.Is(err, certified.ErrMismatch) {
		t.Error(err)
	}
	// The same keys with other powers, or in other organisations, are another set.
	stronger := slices.Clone(next)
	stronger[0].Power++
	for name, list := range map[string][]pb.Validator{
		"another power":        stronger,
		"another organisation": without(a.epochs[0], []string{"party-4"}, validator("league", "party-5", 1)),
		"one more":             append(slices.Clone(next), validator("party", "party-6", 1)),
	} {
		c := newWorld(t, equal)
		c.grow(4)
		ct := c.announce(list)
		z := must(must(c.trust.Advance(c.epochProof(ct))).Verify(c.certify(11)))
		if _, err := certified.FindFork(x, z); !errors.Is(err, certified.ErrNoConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSetsOutOfTurn: a set signs the heights of its epoch, under its own ValidatorsHash, and no others; who stays counts with the
// power of the epoch.
func TestSetsOutOfTurn(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(3)
	next := without(w.epochs[0], []string{"party-4", "league-4"}, validator("party", "party-5", 1), validator("league", "league-5", 1))
	for i := range next {
		if next[i].Name == "party-1" {
			next[i].Power = 3
		}
	}
	at := w.announce(next)
	trust := must(w.trust.Advance(w.epochProof(at)))
	edge := at + handover
	w.grow(edge + 3)
	old, fresh := names(w.epochs[0]), names(w.epochs[1])
	header := func(height int64, epoch int, signers ...string) *pb.CertifiedState {
		h := *w.headers[height]
		h.ValidatorsHash = validatorsHash(w.epochs[epoch].Validators)
		return certificate(signed(&h, 0, signers...))
	}
	for name, test := range map[string]struct {
		state *pb.CertifiedState
		want  error
	}{
		"the new set under its own hash, too early": {header(edge-1, 1, fresh...), certified.ErrMismatch},
		"long before it was announced":              {header(2, 1, fresh...), certified.ErrMismatch},
		"the old set under its own hash, too late":  {header(edge, 0, old...), certified.ErrMismatch},
		"long after":                           {header(edge+3, 0, old...), certified.ErrMismatch},
		"a key that has left, among good ones": {header(edge, 1, append(slices.Clone(fresh), "party-4")...), certified.ErrSignature},
		"a key that comes, too early":          {header(edge-1, 0, append(slices.Clone(old), "party-5")...), certified.ErrSignature},
		"who stays alone":                      {header(edge, 1, "league-1", "league-2", "party-1"), certified.ErrNotCertified},
	} {
		if _, err := trust.Verify(test.state); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	// Of the party's 6 in the new epoch, party-1 holds 3: with one more it has exactly two thirds, with two more enough. In the old
	// one it takes three.
	for _, test := range []struct {
		height int64
		party  []int
		enough bool
	}{
		{edge, []int{1, 2}, false}, {edge, []int{1, 2, 5}, true}, {edge, []int{2, 3, 5}, false},
		{edge - 1, []int{1, 2}, false}, {edge - 1, []int{1, 2, 3}, true}, {edge - 1, []int{2, 3, 4}, true},
	} {
		s, err := trust.Inspect(w.by(test.height-1, append(members("league", 1, 2, 3), members("party", test.party...)...)...))
		if err != nil || s.Certified != test.enough {
			t.Errorf("height %d, %v: %+v, %v", test.height, test.party, s, err)
		}
	}
	// A branch that one organisation alone and half of the other have committed announces nothing.
	half := append(members("league", 1, 2, 3, 4), members("party", 1, 2)...)
	proof := &pb.EpochProof{State: w.by(at, half...), Validators: w.records[at][state.KeyValidators]}
	if s := must(w.trust.Inspect(proof.State)); !s.Committed {
		t.Fatal("it is not committed")
	}
	if _, err := w.trust.Advance(proof); !errors.Is(err, certified.ErrNotCertified) || !strings.Contains(err.Error(), "party signed with 2 of 4") {
		t.Error("a committed announcement was believed:", err)
	}
}

// TestGapBeforeAChange: the branches part after the announcement, and the old set never certifies the branch on which the new set
// begins. One organisation is wholly dishonest, the other has one cheater of four, within the bound; the commit rule is all that
// stands between. Where the old set has certified the last state that it can, the bound is back.
func TestGapBeforeAChange(t *testing.T) {
	a, b := newWorld(t, equal), newWorld(t, equal)
	a.grow(3)
	b.grow(3)
	next := without(a.epochs[0], members("party", 1, 2), validator("party", "party-5", 1), validator("party", "party-6", 1))
	at := a.announce(next)
	b.announce(next)
	edge := at + handover
	a.grow(edge + 2)
	b.part() // block at+1
	b.grow(edge + 2)
	trust := must(a.trust.Advance(a.epochProof(at)))
	league := members("league", 1, 2, 3, 4)

	x := must(trust.Verify(a.by(at+1, append(members("party", 1, 2, 4), league...)...)))
	for h := at + 1; h < edge-1; h++ { // party-1 and party-2 see the branch a, party-3 the branch b, party-4 signs both
		s := must(trust.Inspect(b.by(h, append(members("party", 3, 4), league...)...)))
		if s.Certified || !s.Committed {
			t.Fatalf("%+v", s)
		}
		if h == at+1 {
			fork, err := certified.FindFork(x, s)
			if err != nil {
				t.Fatal(err)
			}
			checkFork(t, fork, append(members("party", 4), league...), "AppHash")
			if fork.Organisations[1].Enough {
				t.Fatal("one of four is enough")
			}
		}
	}
	y := must(trust.Verify(b.certify(edge - 1)))
	if y.Epoch != 2 {
		t.Fatal(y.Epoch)
	}
	if _, err := certified.FindForkBelow(x, y, b.blockProof(edge-1, at+2), b.encoded(at+2)); !errors.Is(err, certified.ErrNoConflict) || !strings.Contains(err.Error(), "different validator sets") {
		t.Fatal("the sets of two epochs were compared:", err)
	}
	// The certificate of block edge-2 on the branch b takes a third of the party, too.
	last := must(trust.Verify(b.by(edge-2, append(members("party", 2, 3, 4), league...)...)))
	fork, err := certified.FindForkBelow(x, last, b.blockProof(edge-2, at+2), b.encoded(at+2))
	if err != nil {
		t.Fatal(err)
	}
	checkFork(t, fork, append(members("party", 2, 4), league...), "AppHash")
}
