package organisation_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

func key(name string) []byte {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
}

// refused says that err is a sentence with the wanted words, or nil where none are wanted.
func refused(t *testing.T, name string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: got %v, want %q", name, err, want)
	}
}

func TestCheckKey(t *testing.T) {
	for i := range 20 {
		refused(t, "a good key", organisation.CheckKey(key(fmt.Sprint(i))), "")
	}
	// The fourteen encodings of points of small order, six of them not canonical ("Taming the many EdDSAs", table 6).
	for encoding, want := range map[string]string{
		"0100000000000000000000000000000000000000000000000000000000000000": "small order",
		"0100000000000000000000000000000000000000000000000000000000000080": "not a canonical",
		"0000000000000000000000000000000000000000000000000000000000000000": "small order",
		"0000000000000000000000000000000000000000000000000000000000000080": "small order",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": "small order",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff": "not a canonical",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": "not a canonical",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff": "not a canonical",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": "not a canonical",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff": "not a canonical",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05": "small order",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85": "small order",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a": "small order",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa": "small order",
		"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": "not a canonical",
		"0200000000000000000000000000000000000000000000000000000000000000": "not a point",
		"": "32 bytes",
		"01000000000000000000000000000000000000000000000000000000000000":     "32 bytes",
		"010000000000000000000000000000000000000000000000000000000000000000": "32 bytes",
	} {
		b, err := hex.DecodeString(encoding)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, encoding, organisation.CheckKey(b), want)
	}
}

func TestCheckAddress(t *testing.T) {
	for address, ok := range map[string]bool{
		"node1.example.org:26656": true, "192.0.2.1:1": true, "[2001:db8::1]:65535": true, "n:1": true,
		"": false, ":1": false, "n": false, "n:": false, "n:0": false, "n:65536": false, "n:01": false, "n:+1": false, "n:-1": false,
		"n:1:2": false, "2001:db8::1:26656": false, "[]:1": false, "[0]:1": false, "[x]:1": false, "a b:1": false, "a/b:1": false, "n:1\n": false,
		"\u00e4:1": false, "tcp://n:1": false, strings.Repeat("a", 250) + ":26656": false,
	} {
		if err := organisation.CheckAddress(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func FuzzCheckAddress(f *testing.F) {
	f.Add("node1.example.org:26656")
	f.Add("[2001:db8::1]:65535")
	f.Fuzz(func(t *testing.T, address string) {
		if organisation.CheckAddress(address) != nil {
			return
		}
		if host, port, err := net.SplitHostPort(address); err != nil || net.JoinHostPort(host, port) != address {
			t.Fatalf("%q: %v", address, err)
		}
	})
}

func members(names ...string) []pb.Member {
	var list []pb.Member
	for _, name := range names {
		list = append(list, pb.Member{Name: name, Key: key(name)})
	}
	slices.SortFunc(list, func(a, b pb.Member) int { return bytes.Compare(a.Key, b.Key) })
	return list
}

func party(id string) pb.Organisation {
	return pb.Organisation{
		Id: id, Title: "The " + id, OfficerQuorum: 2, Officers: members(id+" o1", id+" o2", id+" o3"), Registrars: members(id + " r1"),
	}
}

func TestCheckOrganisation(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *pb.Organisation)
		want   string
	}{
		"good":                 {func(*pb.Organisation) {}, ""},
		"no registrar":         {func(o *pb.Organisation) { o.Registrars = nil }, ""},
		"the quorum is all":    {func(o *pb.Organisation) { o.OfficerQuorum = 3 }, ""},
		"id":                   {func(o *pb.Organisation) { o.Id = "The Party" }, "a-z"},
		"long id":              {func(o *pb.Organisation) { o.Id = strings.Repeat("a", 33) }, "33 characters"},
		"title":                {func(o *pb.Organisation) { o.Title = strings.Repeat("a", 201) }, "201 bytes"},
		"quorum 0":             {func(o *pb.Organisation) { o.OfficerQuorum = 0 }, "choose 1 to 3"},
		"quorum 4":             {func(o *pb.Organisation) { o.OfficerQuorum = 4 }, "choose 1 to 3"},
		"no officers":          {func(o *pb.Organisation) { o.Officers = nil }, "no officer"},
		"an officer's name":    {func(o *pb.Organisation) { o.Officers[0].Name = "" }, "0 bytes"},
		"an officer's key":     {func(o *pb.Organisation) { o.Officers[0].Key = make([]byte, 32) }, "small order"},
		"an officer twice":     {func(o *pb.Organisation) { o.Officers[1] = o.Officers[0] }, "ascending by key"},
		"officers unsorted":    {func(o *pb.Organisation) { slices.Reverse(o.Officers) }, "ascending by key"},
		"too many registrars":  {func(o *pb.Organisation) { o.Registrars = make([]pb.Member, 65) }, "too many"},
		"officer = registrar":  {func(o *pb.Organisation) { o.Registrars = []pb.Member{o.Officers[0]} }, "its own key"},
		"a registrar's key":    {func(o *pb.Organisation) { o.Registrars[0].Key = nil }, "32 bytes"},
		"a registrar's symbol": {func(o *pb.Organisation) { o.Registrars[0].Name = "\u202e" }, "U+202E"},
	} {
		o := party("league")
		test.change(&o)
		refused(t, name, organisation.CheckOrganisation(&o), test.want)
	}
	many := make([]pb.Organisation, 33)
	shared := []pb.Organisation{party("a"), party("b")}
	shared[1].Registrars = shared[0].Registrars
	refused(t, "two", organisation.CheckOrganisations([]pb.Organisation{party("a"), party("b")}), "")
	refused(t, "one", organisation.CheckOrganisations([]pb.Organisation{party("a")}), "1 organisations")
	refused(t, "too many", organisation.CheckOrganisations(many), "33 organisations")
	refused(t, "unsorted", organisation.CheckOrganisations([]pb.Organisation{party("b"), party("a")}), "ascending by id")
	refused(t, "twice", organisation.CheckOrganisations([]pb.Organisation{party("a"), party("a")}), "ascending by id")
	refused(t, "shared registrar", organisation.CheckOrganisations(shared), "its own key")
	refused(t, "one is bad", organisation.CheckOrganisations([]pb.Organisation{party("a"), {Id: "b"}}), "organisation b: title")
}

func validators(powers map[string][]int64) []pb.Validator {
	var list []pb.Validator
	for id, own := range powers {
		for i, power := range own {
			name := fmt.Sprintf("%s-%d", id, i)
			list = append(list, pb.Validator{
				Organisation: id, Name: name, Key: key(name), SlipKey: key(name + " slip"), Power: power,
				NodeId: key(name + " node")[:20], Address: name + ".example.org:26656",
			})
		}
	}
	slices.SortFunc(list, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
	return list
}

func TestCheckValidators(t *testing.T) {
	for name, test := range map[string]struct {
		change func(v []pb.Validator) []pb.Validator
		want   string
	}{
		"good":          {func(v []pb.Validator) []pb.Validator { return v }, ""},
		"greatest":      {func(v []pb.Validator) []pb.Validator { v[0].Power = 1_000_000; return v }, ""},
		"none":          {func(v []pb.Validator) []pb.Validator { return nil }, "has no validator"},
		"too many":      {func(v []pb.Validator) []pb.Validator { return make([]pb.Validator, 201) }, "too many"},
		"unsorted":      {func(v []pb.Validator) []pb.Validator { slices.Reverse(v); return v }, "ascending by key"},
		"twice":         {func(v []pb.Validator) []pb.Validator { return append(v[:1:1], v...) }, "ascending by key"},
		"name":          {func(v []pb.Validator) []pb.Validator { v[0].Name = ""; return v }, "name"},
		"organisation":  {func(v []pb.Validator) []pb.Validator { v[0].Organisation = "c"; return v }, `no organisation "c"`},
		"bad id":        {func(v []pb.Validator) []pb.Validator { v[0].Organisation = "C"; return v }, "a-z"},
		"key":           {func(v []pb.Validator) []pb.Validator { v[0].Key = make([]byte, 32); return v }, "consensus key"},
		"slip key":      {func(v []pb.Validator) []pb.Validator { v[0].SlipKey = nil; return v }, "slip key"},
		"one key":       {func(v []pb.Validator) []pb.Validator { v[0].SlipKey = v[0].Key; return v }, "make a key for slips"},
		"a slip key":    {func(v []pb.Validator) []pb.Validator { v[0].SlipKey = v[1].SlipKey; return v }, "its own key"},
		"another's key": {func(v []pb.Validator) []pb.Validator { v[0].SlipKey = v[1].Key; return v }, "its own key"},
		"no power":      {func(v []pb.Validator) []pb.Validator { v[0].Power = 0; return v }, "power 0"},
		"minus":         {func(v []pb.Validator) []pb.Validator { v[0].Power = -1 << 63; return v }, "power -9223372036854775808"},
		"too strong":    {func(v []pb.Validator) []pb.Validator { v[0].Power = 1_000_001; return v }, "power 1000001"},
		"node id":       {func(v []pb.Validator) []pb.Validator { v[0].NodeId = make([]byte, 21); return v }, "21 bytes"},
		"node id twice": {func(v []pb.Validator) []pb.Validator { v[0].NodeId = v[1].NodeId; return v }, "stands twice"},
		"address":       {func(v []pb.Validator) []pb.Validator { v[0].Address = "x"; return v }, "host:port"},
	} {
		list := test.change(validators(map[string][]int64{"a": {1, 2}, "b": {3, 4}}))
		refused(t, name, organisation.CheckValidators(list, []string{"a", "b"}), test.want)
	}
}

// TestCapFault compares with rationals, at the greatest powers as well.
func TestCapFault(t *testing.T) {
	power := rapid.OneOf(rapid.Int64Range(1, 4), rapid.Just(int64(organisation.MaxPower)))
	rapid.Check(t, func(t *rapid.T) {
		powers := map[string][]int64{}
		for _, id := range []string{"a", "b", "c"} {
			powers[id] = rapid.SliceOfN(power, 1, 4).Draw(t, id)
		}
		fraction := rapid.SampledFrom([]pb.Fraction{
			{Numerator: 1, Denominator: 2}, {Numerator: 1, Denominator: 3}, {Numerator: 2, Denominator: 5}, {Numerator: 666_666, Denominator: 1_000_000},
		}).Draw(t, "cap")
		p := &pb.Parameters{PowerCap: fraction, PowerCapExclusive: rapid.Bool().Draw(t, "exclusive")}
		list := validators(powers)
		want := false
		for id := range powers {
			own, all := organisation.Power(list, id)
			sign := big.NewRat(own, all).Cmp(big.NewRat(int64(fraction.Numerator), int64(fraction.Denominator)))
			want = want || sign > 0 || sign == 0 && p.PowerCapExclusive
			if organisation.Exceeds(own, all, fraction) != (sign > 0) {
				t.Fatalf("Exceeds(%d, %d, %v)", own, all, fraction)
			}
		}
		if got := organisation.CapFault(p, list) != nil; got != want {
			t.Fatalf("%v with %+v: %v", powers, p, got)
		}
	})
}

// TestCapAtTheEdge: a share of exactly the cap is allowed unless the cap is exclusive.
func TestCapAtTheEdge(t *testing.T) {
	thirds := validators(map[string][]int64{"a": {7}, "b": {3, 4}, "c": {2, 5}})
	third := pb.Fraction{Numerator: 1, Denominator: 3}
	refused(t, "inclusive", organisation.CapFault(&pb.Parameters{PowerCap: third}, thirds), "")
	refused(t, "exclusive", organisation.CapFault(&pb.Parameters{PowerCap: third, PowerCapExclusive: true}, thirds), "less than 1/3")
}

func parameters() *pb.Parameters {
	return &pb.Parameters{
		PowerCap: pb.Fraction{Numerator: 1, Denominator: 2}, Certify: pb.Fraction{Numerator: 2, Denominator: 3},
		Handover: 100, ResolutionHeights: 1000, EvidenceHeights: 1000, EvidenceSeconds: 1000, SlipSpan: 30, SlipMargin: 60,
		Initiatives: pb.InitiativeRules{Threshold: 1, AnswerHeights: 1, PublishRate: 1, CommentRate: 1, SupportRate: 1},
		Limits: pb.Limits{
			BlockBytes: 4 << 20, BlockUnits: 140_000, BallotBytes: 16 << 10, TransactionBytes: 256 << 10,
			SpoilsPerVoter: 16, DocumentBytes: 4 << 20,
		},
		Timeouts: pb.Timeouts{Propose: 3000, ProposeDelta: 500, Vote: 1000, VoteDelta: 500, Commit: 1000},
	}
}

func TestCheckParameters(t *testing.T) {
	half := func(n, d uint32) pb.Fraction { return pb.Fraction{Numerator: n, Denominator: d} }
	for name, test := range map[string]struct {
		change func(p *pb.Parameters)
		want   string
	}{
		"good":               {func(p *pb.Parameters) {}, ""},
		"just below 2/3":     {func(p *pb.Parameters) { p.PowerCap = half(666_666, 1_000_000) }, ""},
		"2/3":                {func(p *pb.Parameters) { p.PowerCap = half(2, 3) }, "less than 2/3"},
		"4/6":                {func(p *pb.Parameters) { p.PowerCap = half(4, 6) }, "less than 2/3"},
		"too little":         {func(p *pb.Parameters) { p.PowerCap = half(1, 4) }, "cannot hold all power"},
		"exclusive 1/3 of 3": {func(p *pb.Parameters) { p.PowerCap, p.PowerCapExclusive = half(1, 3), true }, "cannot hold all power"},
		"1/3 of 3":           {func(p *pb.Parameters) { p.PowerCap = half(1, 3) }, ""},
		"cap 0":              {func(p *pb.Parameters) { p.PowerCap = half(0, 3) }, "power_cap"},
		"cap 1/0":            {func(p *pb.Parameters) { p.PowerCap = half(1, 0) }, "power_cap"},
		"cap 1":              {func(p *pb.Parameters) { p.PowerCap = half(3, 3) }, "power_cap"},
		"large fraction":     {func(p *pb.Parameters) { p.PowerCap = half(500_000, 1_000_001) }, "power_cap"},
		"huge fraction":      {func(p *pb.Parameters) { p.Certify = half(1<<32-2, 1<<32-1) }, "certify"},
		"certify below 2/3":  {func(p *pb.Parameters) { p.Certify = half(666_666, 1_000_000) }, "at least 2/3"},
		"certify 1":          {func(p *pb.Parameters) { p.Certify = half(1, 1) }, "certify"},
		"certify 3/4":        {func(p *pb.Parameters) { p.Certify = half(3, 4) }, ""},
		"handover 3":         {func(p *pb.Parameters) { p.Handover = 3 }, "handover is 3"},
		"handover 4":         {func(p *pb.Parameters) { p.Handover = 4 }, ""},
		"endless handover":   {func(p *pb.Parameters) { p.Handover = 1 << 63 }, "handover"},
		"resolutions":        {func(p *pb.Parameters) { p.ResolutionHeights = 0 }, "resolution_heights"},
		"evidence heights":   {func(p *pb.Parameters) { p.EvidenceHeights = 0 }, "evidence_heights"},
		"no slip span":       {func(p *pb.Parameters) { p.SlipSpan = 0 }, "slip_span"},
		"slip span":          {func(p *pb.Parameters) { p.SlipSpan = 1_001 }, "slip_span"},
		"no slip margin":     {func(p *pb.Parameters) { p.SlipMargin = 0 }, "slip_margin"},
		"slip margin":        {func(p *pb.Parameters) { p.SlipMargin = 3_601 }, "slip_margin"},
		"no threshold":       {func(p *pb.Parameters) { p.Initiatives.Threshold = 0 }, "initiatives: threshold"},
		"greatest threshold": {func(p *pb.Parameters) { p.Initiatives.Threshold = 1 << 27 }, ""},
		"threshold":          {func(p *pb.Parameters) { p.Initiatives.Threshold = 1<<27 + 1 }, "initiatives: threshold"},
		"no time to answer":  {func(p *pb.Parameters) { p.Initiatives.AnswerHeights = 0 }, "initiatives: answer_heights"},
		"endless time":       {func(p *pb.Parameters) { p.Initiatives.AnswerHeights = 10_000_001 }, "initiatives: answer_heights"},
		"no initiatives":     {func(p *pb.Parameters) { p.Initiatives.PublishRate = 0 }, "initiatives: publish_rate"},
		"comments":           {func(p *pb.Parameters) { p.Initiatives.CommentRate = 1_001 }, "initiatives: comment_rate"},
		"supports":           {func(p *pb.Parameters) { p.Initiatives.SupportRate = 1_001 }, "initiatives: support_rate"},
		"evidence seconds":   {func(p *pb.Parameters) { p.EvidenceSeconds = 315_360_001 }, "evidence_seconds"},
		"small blocks":       {func(p *pb.Parameters) { p.Limits.BlockBytes = 2<<20 - 1 }, "limits: block_bytes"},
		"large blocks":       {func(p *pb.Parameters) { p.Limits.BlockBytes = 8<<20 + 1 }, "limits: block_bytes"},
		"few units":          {func(p *pb.Parameters) { p.Limits.BlockUnits = 59_999 }, "block_units"},
		"ballots":            {func(p *pb.Parameters) { p.Limits.BallotBytes = 65_537 }, "ballot_bytes"},
		"long transactions":  {func(p *pb.Parameters) { p.Limits.TransactionBytes = 512<<10 + 1 }, "transaction_bytes"},
		"no chunk fits":      {func(p *pb.Parameters) { p.Limits.TransactionBytes = 131_072 }, "transaction_bytes"},
		"no spoils":          {func(p *pb.Parameters) { p.Limits.SpoilsPerVoter = 0 }, "spoils_per_voter"},
		"documents":          {func(p *pb.Parameters) { p.Limits.DocumentBytes = 1 }, "document_bytes"},
		"timeouts":           {func(p *pb.Parameters) { p.Timeouts.Commit = 0 }, "timeouts: commit"},
		"a rule":             {func(p *pb.Parameters) { p.ResolutionRules = []pb.ResolutionRule{{Kind: 3, Organisations: 2}} }, ""},
		"a rule for all":     {func(p *pb.Parameters) { p.ResolutionRules = []pb.ResolutionRule{{Kind: 3, Organisations: 3}} }, "choose 1 to 2"},
		"a rule for none":    {func(p *pb.Parameters) { p.ResolutionRules = []pb.ResolutionRule{{Kind: 3}} }, "choose 1 to 2"},
		"rules unsorted": {func(p *pb.Parameters) {
			p.ResolutionRules = []pb.ResolutionRule{{Kind: 4, Organisations: 1}, {Kind: 3, Organisations: 1}}
		}, "ascending by kind"},
		"a rule twice": {func(p *pb.Parameters) {
			p.ResolutionRules = []pb.ResolutionRule{{Kind: 3, Organisations: 1}, {Kind: 3, Organisations: 1}}
		}, "ascending by kind"},
		"sealing the roll": {func(p *pb.Parameters) { p.ResolutionRules = []pb.ResolutionRule{{Kind: 5, Organisations: 1}} }, "always needs every"},
		"parameters":       {func(p *pb.Parameters) { p.ResolutionRules = []pb.ResolutionRule{{Kind: 11, Organisations: 1}} }, "always needs every"},
		"revocations":      {func(p *pb.Parameters) { p.ResolutionRules = []pb.ResolutionRule{{Kind: 12, Organisations: 1}} }, "always needs every"},
		"no such kind":     {func(p *pb.Parameters) { p.ResolutionRules = []pb.ResolutionRule{{Kind: 99, Organisations: 1}} }, "always needs every"},
	} {
		p := parameters()
		test.change(p)
		refused(t, name, organisation.CheckParameters(p, 3), test.want)
	}
}

func TestCheckParameterChange(t *testing.T) {
	for name, test := range map[string]struct {
		change func(p *pb.Parameters)
		want   string
	}{
		"limits":   {func(p *pb.Parameters) { p.Limits.BlockBytes = 8 << 20 }, ""},
		"the cap":  {func(p *pb.Parameters) { p.PowerCap.Denominator = 3 }, ""},
		"certify":  {func(p *pb.Parameters) { p.Certify = pb.Fraction{Numerator: 3, Denominator: 4} }, "never change"},
		"handover": {func(p *pb.Parameters) { p.Handover++ }, "never change"},
		"invalid":  {func(p *pb.Parameters) { p.Handover = 0 }, "handover is 0"},
	} {
		p := parameters()
		test.change(p)
		refused(t, name, organisation.CheckParameterChange(parameters(), p, 3), test.want)
	}
}

func TestConsensusAddress(t *testing.T) {
	digest := sha256.Sum256(key("a"))
	if got := organisation.ConsensusAddress(key("a")); !bytes.Equal(got[:], digest[:20]) {
		t.Fatalf("%x", got)
	}
}
