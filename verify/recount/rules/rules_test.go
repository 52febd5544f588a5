package rules_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// The state machine and this package read the same chapters. Here each gets the same values, a rule broken here and there, and must give
// the same verdict.

const rounds = 4_000

// key returns the public key that belongs to a name.
func key(name string) []byte {
	if known[name] == nil {
		known[name] = rehearsal.Key(name).Public().(ed25519.PublicKey)
	}
	return known[name]
}

var known = map[string][]byte{}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// edges are values at the edges of what is allowed.
var edges = &rehearsal.Pool{
	Numbers: []uint64{
		0, 1, 2, 3, 40, 64, 65, 200, 201, 999, 1_000, 1_001, 1_024, 1_023, 9_999, 60_000, 60_001, 65_535, 65_536, 65_537, 163_840, 163_839, 524_288,
		524_289, 2_097_152, 8_388_608, 8_388_609, 10_000_000, 10_000_001, 31_622_400, 31_622_401, 67_108_864, 315_360_001, 1_000_000, 1_000_001,
		1_000_000_001, 7_258_118_399, 7_258_118_400, 1 << 31, 1<<32 - 1, 1<<63 - 1, 1 << 63, 1<<64 - 1, 59_999, 2_097_151, 31_622_399,
	},
	Texts: []string{
		"", "a", "a-1", "A", "a b", "a/b", "a.b", "\xff", "a\x00", "a\n", "a\u200e", "a\u2028", "a\u202e", "a\u202f", "a\u2066", "a\ufeff", "a\u007f",
		"a\u00a0", "a\u200d", "\u04d8", "\xed\xa0\x80", "\xc0\x80",
		strings.Repeat("x", 32), strings.Repeat("x", 33), strings.Repeat("x", 40), strings.Repeat("x", 41), strings.Repeat("x", 80),
		strings.Repeat("x", 81), strings.Repeat("x", 200), strings.Repeat("x", 201), strings.Repeat("\u04d8", 40), strings.Repeat("\u04d8", 41),
		"league", "party", "localhost:1", "localhost:0", "localhost:65535", "localhost:65536", "localhost:01", "localhost:+1", "localhost:", ":1", "1",
		"[::1]:80", "[0]:80", "[]:80", "[g]:80", "a[1]:80", "::1:80", "[::1:80", "::1]:80", "A.b-c:1", "a_b:1", "[:1", "a:b:1", "]:1", "[:]:1",
		strings.Repeat("x", 253) + ":1", strings.Repeat("x", 254) + ":1",
	},
	Bytes: [][]byte{
		nil, make([]byte, 31), make([]byte, 32), make([]byte, 33), make([]byte, 20), make([]byte, 19), key("a"), key("b"), key("new"),
		unhex("0100000000000000000000000000000000000000000000000000000000000000"), // the identity
		unhex("0100000000000000000000000000000000000000000000000000000000000080"), // the same with a sign
		unhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // order 2
		unhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // p, order 4 and not canonical
		unhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // p + 1
		unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), // order 8
		unhex("0200000000000000000000000000000000000000000000000000000000000000"), // no point
		unhex("0300000000000000000000000000000000000000000000000000000000000000"),
		unhex("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // p + 3
		unhex("0600000000000000000000000000000000000000000000000000000000000080"),
	},
}

// differ breaks a value in many ways and compares two verdicts on it.
func differ[M any](t *testing.T, fresh func(r *rand.Rand) *M, theirs, ours func(m *M) error) {
	t.Helper()
	r := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(t.Name()))))
	good, bad := 0, 0
	for range rounds {
		m := fresh(r)
		for range r.IntN(3) {
			edges.Mutate(r, m)
		}
		a, b := theirs(m), ours(m)
		if (a == nil) != (b == nil) {
			t.Fatalf("%+v\nstate machine: %v\nrecount: %v", m, a, b)
		}
		if a == nil {
			good++
		} else {
			bad++
		}
	}
	if good < rounds/20 || bad < rounds/20 {
		t.Fatalf("%d good and %d bad values say little", good, bad)
	}
}

// world is what the rules of chapter 1 are about.
type world struct {
	Organisations []pb.Organisation
	Validators    []pb.Validator
	Parameters    pb.Parameters
}

func newWorld(*rand.Rand) *world {
	w := &world{Parameters: pb.Parameters{
		PowerCap: pb.Fraction{Numerator: 1, Denominator: 2}, Certify: pb.Fraction{Numerator: 2, Denominator: 3}, Handover: 10, ResolutionHeights: 10,
		Limits: pb.Limits{
			BlockBytes: 4_194_304, BlockUnits: 140_000, BallotBytes: 16_384, TransactionBytes: 262_144, SpoilsPerVoter: 16, DocumentBytes: 4_194_304,
		},
		Timeouts:        pb.Timeouts{Propose: 1, ProposeDelta: 2, Vote: 3, VoteDelta: 4, Commit: 5},
		ResolutionRules: []pb.ResolutionRule{{Kind: 4, Organisations: 1}, {Kind: 9, Organisations: 1}}, EvidenceHeights: 5, EvidenceSeconds: 5, SlipSpan: 5, SlipMargin: 5,
		Initiatives: pb.InitiativeRules{Threshold: 5, AnswerHeights: 5, PublishRate: 5, CommentRate: 5, SupportRate: 5},
	}}
	for _, id := range []string{"league", "party"} {
		o := pb.Organisation{Id: id, Title: id, OfficerQuorum: 2}
		for i := range 3 {
			o.Officers = append(o.Officers, pb.Member{Name: "officer", Key: key(fmt.Sprint(id, "officer", i))})
		}
		o.Registrars = append(o.Registrars, pb.Member{Name: "registrar", Key: key(id + "registrar")})
		sortMembers(o.Officers)
		w.Organisations = append(w.Organisations, o)
		for i := range 2 {
			name := fmt.Sprint(id, "validator", i)
			hash := sha256.Sum256([]byte(name))
			w.Validators = append(w.Validators, pb.Validator{
				Organisation: id, Name: name, Key: key(name), Power: 10, SlipKey: key(name + "slip"), NodeId: hash[:20], Address: "localhost:1",
			})
		}
	}
	slices.SortFunc(w.Validators, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
	return w
}

func sortMembers(list []pb.Member) {
	slices.SortFunc(list, func(a, b pb.Member) int { return bytes.Compare(a.Key, b.Key) })
}

func TestOrganisation(t *testing.T) {
	differ(t, func(r *rand.Rand) *pb.Organisation { return &newWorld(r).Organisations[0] }, organisation.CheckOrganisation, rules.Organisation)
}

func TestValidators(t *testing.T) {
	type list struct{ V []pb.Validator }
	w := newWorld(nil)
	differ(t, func(r *rand.Rand) *list { return &list{newWorld(r).Validators} },
		func(l *list) error { return organisation.CheckValidators(l.V, []string{"league", "party"}) },
		func(l *list) error { return rules.Validators(l.V, w.Organisations) })
}

func TestOneUse(t *testing.T) {
	type all struct {
		O []pb.Organisation
		V []pb.Validator
	}
	// Each list keeps its own rules: the question is what stands in both.
	fresh := func(r *rand.Rand) *all {
		w := newWorld(r)
		var taken [][]byte
		for _, o := range w.Organisations {
			taken = append(taken, o.Officers[0].Key, o.Registrars[0].Key)
		}
		for _, v := range w.Validators {
			taken = append(taken, v.Key, v.SlipKey)
		}
		if some := taken[r.IntN(len(taken))]; r.IntN(2) == 0 {
			o := &w.Organisations[r.IntN(2)]
			o.Officers[0].Key = some
			sortMembers(o.Officers)
		}
		return &all{w.Organisations, w.Validators}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2_000 {
		m := fresh(r)
		if a, b := organisation.CheckKeysOnce(m.O, m.V), rules.OneUse(m.O, m.V); (a == nil) != (b == nil) {
			t.Fatalf("%+v: %v, %v", m, a, b)
		}
	}
}

func TestCap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	w := newWorld(nil)
	for range rounds {
		d := uint32(r.IntN(12) + 2)
		w.Parameters.PowerCap = pb.Fraction{Numerator: uint32(r.IntN(int(d)-1) + 1), Denominator: d}
		w.Parameters.PowerCapExclusive = r.IntN(2) == 0
		for i := range w.Validators {
			w.Validators[i].Power = int64(r.IntN(4) + 1)
		}
		a, b := organisation.CapFault(&w.Parameters, w.Validators), rules.Cap(&w.Parameters, w.Validators, w.Organisations)
		if (a == nil) != (b == nil) {
			t.Fatalf("%+v: %v, %v", w, a, b)
		}
	}
}

func TestParameters(t *testing.T) {
	for n := 2; n <= 4; n++ {
		differ(t, func(r *rand.Rand) *pb.Parameters { return &newWorld(r).Parameters },
			func(p *pb.Parameters) error { return organisation.CheckParameters(p, n) },
			func(p *pb.Parameters) error { return rules.Parameters(p, n) })
	}
}

func newManifest(*rand.Rand) *pb.Manifest {
	return &pb.Manifest{
		Election: "primary", Title: "Primary", Opening: 1_000, Closing: 2_000, RevoteInterval: 60, ObjectionWindow: 60, CeremonyStep: 60, OpenMin: 30,
		Contests: []pb.Contest{
			{Title: "a", FirstSlot: 0, Options: []string{"x", "y", "z"}, MinSelections: 1, MaxSelections: 2},
			{Title: "b", FirstSlot: 3, Options: []string{"x", "y"}, MaxSelections: 1},
			{Title: "c", FirstSlot: 3, Options: []string{"x", "y"}, MaxSelections: 1,
				Candidates: []pb.Candidate{{Application: key("a"), Young: true}, {Application: key("b"), Woman: true}},
				List:       &pb.ListRule{Seats: 3, Outside: 1, YoungPercent: 20, WomanPercent: 30}},
		},
		Styles: []pb.BallotStyle{{District: "n", Contests: []uint32{0, 1}}, {District: "s", Contests: []uint32{0, 2}}},
	}
}

func TestManifest(t *testing.T) {
	fresh := func(r *rand.Rand) *pb.Manifest {
		if r.IntN(2) == 0 {
			return rehearsal.OnPaper(rehearsal.Manifest("a-1"))
		}
		return newManifest(r)
	}
	differ(t, fresh, func(m *pb.Manifest) error { return second(election.ParseManifest(election.Encode(m))) },
		func(m *pb.Manifest) error { return second(rules.ParseManifest(rules.Encode(m))) })
}

// TestMerging: the contests that merge joins have 50,000 options together and no more.
func TestMerging(t *testing.T) {
	m := newManifest(nil)
	m.Contests, m.Styles = nil, nil
	var options []string
	for i := range 200 {
		options = append(options, fmt.Sprint(i))
	}
	for i := range uint32(251) {
		m.Contests = append(m.Contests, pb.Contest{Title: "T", Options: options, MinSelections: 1, MaxSelections: 1, Merge: min(i, 1)})
		m.Styles = append(m.Styles, pb.BallotStyle{District: fmt.Sprint(i), Contests: []uint32{i}})
	}
	if _, err := rules.ParseManifest(rules.Encode(m)); err == nil {
		t.Error("50,200 options are merged")
	}
	m.Contests[250].Merge = 0
	if _, err := rules.ParseManifest(rules.Encode(m)); err != nil {
		t.Error(err)
	}
}

// TestTotals: the totals of a polling place fit a transaction, those of nominations with all lists full; and all places together name 5,000,000
// contests and no more. The state machine says the same.
func TestTotals(t *testing.T) {
	manifest := func(last int) *pb.Manifest { // 197 contests of 200 options, and one more
		m := newManifest(nil)
		m.Contests, m.Styles, m.PollingPlaces = nil, nil, []pb.PollingPlace{{Id: "p", Title: "P"}}
		for i := range uint32(198) {
			c := pb.Contest{Title: "T", MinSelections: 1, MaxSelections: 1}
			for j := range 200 {
				c.Options = append(c.Options, fmt.Sprint(j))
			}
			m.Contests = append(m.Contests, c)
			m.Styles = append(m.Styles, pb.BallotStyle{District: fmt.Sprint(i), Contests: []uint32{i}})
			m.PollingPlaces[0].Styles = append(m.PollingPlaces[0].Styles, i)
		}
		m.Contests[197].Options = m.Contests[197].Options[:last]
		return m
	}
	nominations := func(five int) *pb.Nominations { // 4,090 lists, so many of them with room for five, the others for four
		n := newNominations(nil)
		n.Lists, n.Manifest.Contests, n.Manifest.Styles, n.Manifest.PollingPlaces = nil, nil, nil, []pb.PollingPlace{{Id: "p", Title: "P"}}
		for i := range uint32(4_090) {
			most := uint32(4)
			if int(i) < five {
				most = 5
			}
			n.Lists = append(n.Lists, pb.NominationList{Id: fmt.Sprint(i), Most: most})
			n.Manifest.Contests = append(n.Manifest.Contests, pb.Contest{Title: "T", MaxSelections: 1})
			n.Manifest.Styles = append(n.Manifest.Styles, pb.BallotStyle{District: fmt.Sprint(i), Contests: []uint32{i}})
			n.Manifest.PollingPlaces[0].Styles = append(n.Manifest.PollingPlaces[0].Styles, i)
		}
		return n
	}
	crowded := func(styles uint32) *pb.Manifest { // 100 places of 500 styles with the same 100 contests, and one of fewer styles
		m := newManifest(nil)
		m.Contests, m.Styles, m.PollingPlaces = nil, make([]pb.BallotStyle, 500), nil
		for i := range uint32(100) {
			m.Contests = append(m.Contests, pb.Contest{Title: "T", FirstSlot: i, Options: []string{"x"}, MinSelections: 1, MaxSelections: 1})
		}
		all := make([]uint32, 500)
		for i := range all {
			all[i] = uint32(i)
			m.Styles[i] = pb.BallotStyle{District: fmt.Sprint(i), Contests: all[:100]}
		}
		for i := range 100 {
			m.PollingPlaces = append(m.PollingPlaces, pb.PollingPlace{Id: fmt.Sprintf("p%03d", i), Title: "P", Styles: all})
		}
		if styles > 0 {
			m.PollingPlaces = append(m.PollingPlaces, pb.PollingPlace{Id: "q", Title: "Q", Styles: all[:styles]})
		}
		return m
	}
	for name, c := range map[string]struct {
		m    *pb.Manifest
		good bool
	}{
		"as many options as may be": {manifest(58), true}, "one more": {manifest(59), false},
		"as many contests as may be": {crowded(0), true}, "a style more": {crowded(1), false},
	} {
		theirs, ours := second(election.ParseManifest(election.Encode(c.m))), second(rules.ParseManifest(rules.Encode(c.m)))
		if (theirs == nil) != c.good || (ours == nil) != c.good {
			t.Errorf("%s: the state machine says %v, the recount %v", name, theirs, ours)
		}
	}
	for five, good := range map[int]bool{3_638: true, 3_639: false} {
		b := election.Encode(nominations(five))
		_, theirs := election.ParseNominations(b)
		_, ours := rules.ParseNominations(b)
		if (theirs == nil) != good || (ours == nil) != good {
			t.Errorf("%d lists with room for five: the state machine says %v, the recount %v", five, theirs, ours)
		}
	}
}

func second(_ *pb.Manifest, err error) error { return err }

func newNominations(*rand.Rand) *pb.Nominations {
	n := rehearsal.Nominations("primary", 1_000)
	n.Manifest.Opening, n.Manifest.Closing = 0, 0
	return n
}

func TestNominations(t *testing.T) {
	differ(t, newNominations, func(n *pb.Nominations) error { _, err := election.ParseNominations(election.Encode(n)); return err },
		func(n *pb.Nominations) error { _, err := rules.ParseNominations(rules.Encode(n)); return err })
}

// Of random nominations with random candidates both programs form the same manifest.
func TestFormManifest(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	formed := 0
	for range 2_000 {
		n := newNominations(nil)
		n.Lists, n.Manifest.Contests, n.Manifest.Styles = nil, nil, make([]pb.BallotStyle, r.IntN(6)+1)
		for i := range r.IntN(12) + 1 {
			most := uint32([]int{1, 2, 30, 60, 130, 200}[r.IntN(6)])
			n.Lists = append(n.Lists, pb.NominationList{Id: fmt.Sprint(i), Most: most})
			n.Manifest.Contests = append(n.Manifest.Contests, pb.Contest{Title: fmt.Sprint(i), MaxSelections: uint32(r.IntN(3) + 1), MinSelections: uint32(r.IntN(2))})
			for s := range n.Manifest.Styles {
				n.Manifest.Styles[s].District = fmt.Sprint(s)
				if r.IntN(3) == 0 || s == i%len(n.Manifest.Styles) {
					n.Manifest.Styles[s].Contests = append(n.Manifest.Styles[s].Contests, uint32(i))
				}
			}
		}
		n.Manifest.PollingPlaces = nil
		for i := range r.IntN(3) {
			place := pb.PollingPlace{Id: fmt.Sprint(i), Title: "Aul"}
			for s := range n.Manifest.Styles {
				if r.IntN(2) == 0 {
					place.Styles = append(place.Styles, uint32(s))
				}
			}
			if len(place.Styles) == 0 || r.IntN(20) == 0 {
				place.Styles = append(place.Styles, uint32(r.IntN(2)*(len(n.Manifest.Styles)-1)+r.IntN(2))) // now and then unknown, or out of order
			}
			n.Manifest.PollingPlaces = append(n.Manifest.PollingPlaces, place)
		}
		_, a := election.ParseNominations(election.Encode(n))
		if _, b := rules.ParseNominations(rules.Encode(n)); (a == nil) != (b == nil) {
			t.Fatalf("%v\nstate machine: %v\nrecount: %v", n, a, b)
		}
		if a != nil {
			continue
		}
		formed++
		var theirs []election.Standing
		var ours []rules.Candidate
		for i, l := range n.Lists {
			for j := range r.IntN(int(l.Most) + 1) {
				c := rules.Candidate{List: l.Id, Name: fmt.Sprint(j), Application: sha256.Sum256([]byte(fmt.Sprint(i, j))), Young: r.IntN(2) == 0, Woman: r.IntN(2) == 0}
				ours = append(ours, c)
				theirs = append(theirs, election.Standing{List: i, Name: c.Name, Application: c.Application, Young: c.Young, Woman: c.Woman})
			}
		}
		r.Shuffle(len(ours), func(i, j int) { ours[i], ours[j] = ours[j], ours[i] })
		r.Shuffle(len(theirs), func(i, j int) { theirs[i], theirs[j] = theirs[j], theirs[i] })
		m, left := election.FormManifest(n, [32]byte{1}, theirs)
		again, leftToo := rules.FormManifest(n, [32]byte{1}, ours)
		if !slices.Equal(left, leftToo) || (m == nil) != (again == nil) {
			t.Fatalf("%v: left out %v, by the recount %v", n, left, leftToo)
		}
		if m == nil {
			continue
		}
		if !bytes.Equal(election.Encode(m), rules.Encode(again)) {
			t.Fatalf("%v\nstate machine: %v\nrecount: %v", n, m, again)
		}
		if err := election.CheckManifest(m); err != nil {
			t.Fatalf("%v: %v", m, err)
		}
	}
	if formed < 200 {
		t.Fatalf("only %d manifests were formed", formed)
	}
}

// The limits that single changes do not reach: 200 options, 200 positions, 1,000 slots.
func TestLargeManifest(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		m := newManifest(r)
		m.Contests = nil
		m.Styles = []pb.BallotStyle{{District: "n"}}
		slot := uint32(r.IntN(2) * (800 + r.IntN(5) - 2))
		for i := range r.IntN(3) + 1 {
			c := pb.Contest{Title: fmt.Sprint(i), FirstSlot: slot, MaxSelections: uint32(r.IntN(3) + 1), MinSelections: uint32(r.IntN(2))}
			for j := range []int{60, 64, 65, 66, 67, 98, 99, 100, 196, 197, 198, 199, 200, 201}[r.IntN(14)] {
				c.Options = append(c.Options, fmt.Sprint(j))
			}
			slot += uint32(len(c.Options))
			m.Contests, m.Styles[0].Contests = append(m.Contests, c), append(m.Styles[0].Contests, uint32(i))
		}
		_, a := election.ParseManifest(election.Encode(m))
		if _, b := rules.ParseManifest(rules.Encode(m)); (a == nil) != (b == nil) {
			t.Fatalf("%v\nstate machine: %v\nrecount: %v", m, a, b)
		}
		if a == nil && (rules.Slots(m) != election.Slots(m) || !reflect.DeepEqual(rules.Styles(m), election.BallotStyles(m))) {
			t.Fatalf("%v: other slots or styles", m)
		}
	}
}

// Bytes that are no canonical encoding are refused whatever they say.
func TestDecode(t *testing.T) {
	b := rules.Encode(newManifest(nil))
	for i := range b {
		for _, changed := range [][]byte{b[:i], slices.Concat(b[:i], []byte{b[i] ^ 0x80}, b[i+1:]), slices.Insert(slices.Clone(b), i, 0x80, 0)} {
			var ours, theirs pb.Manifest
			if (rules.Decode(changed, &ours) == nil) != (election.Decode(changed, &theirs) == nil) {
				t.Fatalf("byte %d", i)
			}
		}
	}
	if rules.Decode(append(b, 0x78, 0), new(pb.Manifest)) == nil {
		t.Error("an unknown field")
	}
}
