package genesis_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

var update = flag.Bool("update", false, "rewrite the sample files and vectors")

// sampleKey derives a key from a public name: for samples and tests only, everybody knows it.
func sampleKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("votenode sample key: " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(name string) []byte { return sampleKey(name).Public().(ed25519.PublicKey) }

const (
	sampleChain = "sample-1"
	sampleTime  = 1_800_000_000
)

// party describes an organisation of a test: the powers of its validators.
type party struct {
	id     string
	powers []int64
}

var sampleParties = []party{{"league", []int64{1, 1, 1, 1}}, {"party", []int64{1, 1, 1, 1}}}

func titles(parties []party) []pb.Organisation {
	var list []pb.Organisation
	for _, p := range parties {
		list = append(list, pb.Organisation{Id: p.id, Title: "The " + p.id, OfficerQuorum: 2})
	}
	return list
}

func member(name string) *pb.Member { return &pb.Member{Name: name, Key: public(name)} }

func validator(org string, i int, power int64) *pb.Validator {
	name := fmt.Sprintf("%s-%d", org, i)
	node := sha256.Sum256([]byte(name))
	return &pb.Validator{
		Organisation: org, Name: name, Key: public(name + " consensus"), Power: power,
		SlipKey: public(name + " slip"), NodeId: node[:20], Address: name + ".example.org:26656",
	}
}

// entries returns signed entries: three officers, one registrar and the validators of each party.
func entries(t testing.TB, parties []party) []*pb.GenesisEntry {
	var list []*pb.GenesisEntry
	add := func(org, signer string, e *pb.GenesisEntry) {
		e.ChainId, e.Organisation = sampleChain, org
		if err := genesis.SignEntry(e, sampleKey(signer)); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	for _, p := range parties {
		for i := 1; i <= 3; i++ {
			name := fmt.Sprintf("%s officer %d", p.id, i)
			add(p.id, name, &pb.GenesisEntry{Entry: &pb.GenesisEntry_Officer{Officer: member(name)}})
		}
		name := p.id + " registrar"
		add(p.id, name, &pb.GenesisEntry{Entry: &pb.GenesisEntry_Registrar{Registrar: member(name)}})
		for i, power := range p.powers {
			v := validator(p.id, i+1, power)
			add(p.id, v.Name+" slip", &pb.GenesisEntry{Entry: &pb.GenesisEntry_Validator{Validator: v}})
		}
	}
	return list
}

func assemble(t testing.TB, parties []party) *pb.Genesis {
	doc, err := genesis.Assemble(sampleChain, sampleTime, genesis.DefaultParameters(len(parties)), titles(parties), entries(t, parties))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func clone[M proto.Message](m M) M { return proto.Clone(m).(M) }

func TestSameDocumentFromAnyOrder(t *testing.T) {
	want := genesis.Bytes(assemble(t, sampleParties))
	if doc, err := genesis.Parse(want); err != nil || !bytes.Equal(genesis.Bytes(doc), want) {
		t.Fatal("a document does not survive parsing:", err)
	}
	list, names := entries(t, sampleParties), titles(sampleParties)
	for seed := int64(0); seed < 20; seed++ {
		r := rand.New(rand.NewSource(seed))
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		doc, err := genesis.Assemble(sampleChain, sampleTime, genesis.DefaultParameters(2), names, list)
		if err != nil || !bytes.Equal(genesis.Bytes(doc), want) {
			t.Fatal("another order gave another document:", err)
		}
	}
}

func TestAssembleRefuses(t *testing.T) {
	good := entries(t, sampleParties)
	sign := func(e *pb.GenesisEntry, signer string) *pb.GenesisEntry {
		if err := genesis.SignEntry(e, sampleKey(signer)); err != nil {
			t.Fatal(err)
		}
		return e
	}
	officer := func(chain, org, name string) *pb.GenesisEntry {
		return sign(&pb.GenesisEntry{ChainId: chain, Organisation: org, Entry: &pb.GenesisEntry_Officer{Officer: member(name)}}, name)
	}
	flipped := clone(good[0])
	flipped.Signature[5] ^= 1
	renamed := clone(good[0])
	renamed.Entry.(*pb.GenesisEntry_Officer).Officer.Name = "Somebody else"
	moved := clone(good[0])
	moved.Organisation = "party"
	sameNode := validator("party", 9, 1)
	sameNode.NodeId = validator("league", 1, 1).NodeId
	for name, test := range map[string]struct {
		extra *pb.GenesisEntry
		want  string
	}{
		"the same entry twice":      {good[0], "leave out repetitions"},
		"a key in another role":     {sign(&pb.GenesisEntry{ChainId: sampleChain, Organisation: "league", Entry: &pb.GenesisEntry_Registrar{Registrar: member("league officer 1")}}, "league officer 1"), "its own key"},
		"a key in two places":       {officer(sampleChain, "party", "league officer 1"), "its own key"},
		"another chain":             {officer("sample-2", "party", "new"), "this chain"},
		"an unknown organisation":   {officer(sampleChain, "others", "new"), "not among those"},
		"a flipped signature":       {flipped, "not signed by it"},
		"a changed name":            {renamed, "not signed by it"},
		"a moved entry":             {moved, "not signed by it"},
		"an entry without a person": {&pb.GenesisEntry{ChainId: sampleChain, Organisation: "party"}, "introduces nobody"},
		"a node id twice":           {sign(&pb.GenesisEntry{ChainId: sampleChain, Organisation: "party", Entry: &pb.GenesisEntry_Validator{Validator: sameNode}}, "party-9 slip"), "stands twice"},
		"more than the cap":         {sign(&pb.GenesisEntry{ChainId: sampleChain, Organisation: "party", Entry: &pb.GenesisEntry_Validator{Validator: validator("party", 9, 1)}}, "party-9 slip"), "may hold at most 1/2"},
	} {
		_, err := genesis.Assemble(sampleChain, sampleTime, genesis.DefaultParameters(2), titles(sampleParties), append(entries(t, sampleParties), test.extra))
		if !errors.Is(err, genesis.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

func TestSignEntryNeedsTheIntroducedKey(t *testing.T) {
	e := &pb.GenesisEntry{ChainId: sampleChain, Organisation: "party", Entry: &pb.GenesisEntry_Validator{Validator: validator("party", 1, 1)}}
	if err := genesis.SignEntry(e, sampleKey("party-1 consensus")); !errors.Is(err, genesis.ErrInvalid) {
		t.Fatal("a consensus key signed an entry:", err)
	}
	e.Entry.(*pb.GenesisEntry_Validator).Validator.Organisation = "league"
	if err := genesis.SignEntry(e, sampleKey("party-1 slip")); !errors.Is(err, genesis.ErrInvalid) {
		t.Fatal("an entry of two organisations was signed:", err)
	}
}

// TestParseRefuses changes a good document in one place each time.
func TestParseRefuses(t *testing.T) {
	for name, change := range map[string]func(*pb.Genesis){
		"chain id":                  func(d *pb.Genesis) { d.ChainId = "Sample" },
		"long chain id":             func(d *pb.Genesis) { d.ChainId = strings.Repeat("a", 41) },
		"time":                      func(d *pb.Genesis) { d.Time = 0 },
		"late time":                 func(d *pb.Genesis) { d.Time = organisation.MaxTime },
		"one organisation":          func(d *pb.Genesis) { d.Organisations = d.Organisations[:1] },
		"unsorted organisations":    func(d *pb.Genesis) { d.Organisations[0], d.Organisations[1] = d.Organisations[1], d.Organisations[0] },
		"organisation twice":        func(d *pb.Genesis) { d.Organisations[1] = d.Organisations[0] },
		"no officers":               func(d *pb.Genesis) { d.Organisations[0].Organisation.Officers = nil },
		"quorum 0":                  func(d *pb.Genesis) { d.Organisations[0].Organisation.OfficerQuorum = 0 },
		"quorum above the officers": func(d *pb.Genesis) { d.Organisations[0].Organisation.OfficerQuorum = 4 },
		"a later term":              func(d *pb.Genesis) { d.Organisations[0].Organisation.Term = 1 },
		"no title":                  func(d *pb.Genesis) { d.Organisations[0].Organisation.Title = "" },
		"control character":         func(d *pb.Genesis) { d.Organisations[0].Organisation.Title = "a\x1b[2J" },
		"writing direction":         func(d *pb.Genesis) { d.Organisations[0].Organisation.Title = "a\u202eb" },
		"not UTF-8":                 func(d *pb.Genesis) { d.Organisations[0].Organisation.Title = "a\xff" },
		"no validators":             func(d *pb.Genesis) { d.Organisations[0].Validators = nil },
		"foreign validator":         func(d *pb.Genesis) { d.Organisations[0].Validators[0].Organisation = "party" },
		"unsorted validators": func(d *pb.Genesis) {
			v := d.Organisations[0].Validators
			v[0], v[1] = v[1], v[0]
		},
		"power 0":        func(d *pb.Genesis) { d.Organisations[0].Validators[0].Power = 0 },
		"negative power": func(d *pb.Genesis) { d.Organisations[0].Validators[0].Power = -1 },
		"too much power": func(d *pb.Genesis) { d.Organisations[0].Validators[0].Power = 1_000_001 },
		"above the cap":  func(d *pb.Genesis) { d.Organisations[0].Validators[0].Power = 2 },
		"slip key = key": func(d *pb.Genesis) { d.Organisations[0].Validators[0].SlipKey = d.Organisations[0].Validators[0].Key },
		"slip key twice": func(d *pb.Genesis) {
			d.Organisations[0].Validators[0].SlipKey = d.Organisations[0].Validators[1].SlipKey
		},
		"short node id": func(d *pb.Genesis) { d.Organisations[0].Validators[0].NodeId = make([]byte, 19) },
		"node id twice": func(d *pb.Genesis) { d.Organisations[0].Validators[0].NodeId = d.Organisations[1].Validators[1].NodeId },
		"address":       func(d *pb.Genesis) { d.Organisations[0].Validators[0].Address = "example.org" },
		"small-order key": func(d *pb.Genesis) {
			d.Organisations[0].Organisation.Officers[0].Key = append([]byte{1}, make([]byte, 31)...)
		},
		"officer = validator": func(d *pb.Genesis) {
			d.Organisations[0].Organisation.Officers = []pb.Member{{Name: "x", Key: d.Organisations[0].Validators[0].Key}}
			d.Organisations[0].Organisation.OfficerQuorum = 1
		},
		"parameters": func(d *pb.Genesis) { d.Parameters.Certify = pb.Fraction{Numerator: 1, Denominator: 2} },
		"no limits":  func(d *pb.Genesis) { d.Parameters.Limits = pb.Limits{} },
	} {
		doc := clone(assemble(t, sampleParties))
		change(doc)
		if _, err := genesis.Parse(genesis.Bytes(doc)); !errors.Is(err, genesis.ErrInvalid) {
			t.Errorf("%s: accepted (%v)", name, err)
		}
	}
}

func TestParseIsStrict(t *testing.T) {
	good := genesis.Bytes(assemble(t, sampleParties))
	for name, b := range map[string][]byte{
		"empty":         {},
		"truncated":     good[:len(good)-1],
		"trailing":      append(bytes.Clone(good), 0),
		"unknown field": append(bytes.Clone(good), 0x50, 1),
		"field twice":   append(bytes.Clone(good), 0x10, 1),
		"too long":      make([]byte, genesis.MaxDocumentBytes+1),
	} {
		_, err := genesis.Parse(b)
		if !errors.Is(err, genesis.ErrInvalid) || name == "too long" && !strings.Contains(err.Error(), "at most") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestApprovals(t *testing.T) {
	doc := assemble(t, sampleParties)
	list := new(pb.GenesisApprovals)
	approve := func(name string) *pb.GenesisApproval {
		a, err := genesis.Approve(doc, sampleKey(name))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, name := range []string{"party officer 2", "league officer 3", "party officer 1", "party officer 1"} {
		genesis.AddApproval(list, approve(name))
	}
	err := genesis.VerifyApprovals(doc, list)
	if !errors.Is(err, genesis.ErrNotApproved) || !strings.Contains(err.Error(), "league has 1 of 2") || strings.Contains(err.Error(), "party") {
		t.Fatal("one officer of two sufficed, or the text does not say whose:", err)
	}
	genesis.AddApproval(list, approve("league officer 1"))
	read, err := genesis.ParseApprovals(genesis.ApprovalsBytes(list))
	if err != nil || genesis.VerifyApprovals(doc, read) != nil {
		t.Fatal("good approvals refused:", err, genesis.VerifyApprovals(doc, read))
	}
	if _, err := genesis.Approve(doc, sampleKey("league registrar")); !errors.Is(err, genesis.ErrInvalid) {
		t.Fatal("a registrar approved:", err)
	}
	other := clone(doc)
	other.Time++
	if err := genesis.VerifyApprovals(other, list); !errors.Is(err, genesis.ErrInvalid) {
		t.Fatal("approvals of another document accepted:", err)
	}
	hash := genesis.Hash(doc)
	message := frame([]byte("votenode/v1/genesis-approval"), []byte(sampleChain), hash[:])
	for name, change := range map[string]func(*pb.GenesisApprovals){
		"a registrar": func(l *pb.GenesisApprovals) {
			genesis.AddApproval(l, &pb.GenesisApproval{
				Organisation: "party", Officer: public("party registrar"), Signature: ed25519.Sign(sampleKey("party registrar"), message),
			})
		},
		"twice":              func(l *pb.GenesisApprovals) { l.Approvals = append(l.Approvals, l.Approvals[3]) },
		"order":              func(l *pb.GenesisApprovals) { l.Approvals[0], l.Approvals[1] = l.Approvals[1], l.Approvals[0] },
		"signature":          func(l *pb.GenesisApprovals) { l.Approvals[0].Signature[0] ^= 1 },
		"short signature":    func(l *pb.GenesisApprovals) { l.Approvals[0].Signature = l.Approvals[0].Signature[:63] },
		"stranger":           func(l *pb.GenesisApprovals) { l.Approvals[0].Officer = public("stranger") },
		"other organisation": func(l *pb.GenesisApprovals) { l.Approvals[0].Organisation = "party" },
	} {
		bad := clone(list)
		change(bad)
		if err := genesis.VerifyApprovals(doc, bad); !errors.Is(err, genesis.ErrInvalid) {
			t.Errorf("%s: accepted (%v)", name, err)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	doc := assemble(t, sampleParties)
	j, err := genesis.ToJSON(doc)
	if err != nil {
		t.Fatal(err)
	}
	back, err := genesis.FromJSON(j)
	if err != nil || genesis.Hash(back) != genesis.Hash(doc) {
		t.Fatal("another document came back:", err)
	}
	for _, bad := range []string{
		strings.Replace(string(j), `"chain_id"`, `"chain"`, 1),
		string(j) + "{}",
		strings.Replace(string(j), fmt.Sprintf("%x", public("league-1 slip")), fmt.Sprintf("%X", public("league-1 slip")), 1),
	} {
		if _, err := genesis.FromJSON([]byte(bad)); !errors.Is(err, genesis.ErrInvalid) {
			t.Error("bad JSON accepted:", err)
		}
	}
	for _, e := range entries(t, sampleParties) {
		j, err := genesis.EntryToJSON(e)
		if err != nil {
			t.Fatal(err)
		}
		back, err := genesis.EntryFromJSON(j)
		if err != nil || !bytes.Equal(election.Encode(back), election.Encode(e)) {
			t.Fatal("another entry came back:", err)
		}
		if back, err = genesis.ParseEntry(election.Encode(e)); err != nil || !proto.Equal(back, e) {
			t.Fatal("another entry came back:", err)
		}
	}
}

func TestCometGenesis(t *testing.T) {
	doc := assemble(t, sampleParties)
	comet, err := genesis.CometGenesis(doc)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "genesis.json")
	if err := comet.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	golden(t, "examples/comet-genesis.json", read(t, path))
	back, err := cmttypes.GenesisDocFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := genesis.CheckAppState(back.AppState, doc); err != nil {
		t.Fatal(err)
	}
	other := clone(doc)
	other.Time++
	if err := genesis.CheckAppState(back.AppState, other); !errors.Is(err, genesis.ErrInvalid) {
		t.Fatal("genesis.json of another document accepted:", err)
	}
	if len(back.Validators) != 8 || back.InitialHeight != 1 || back.ConsensusParams.Block.MaxBytes != 4<<20 ||
		back.ConsensusParams.ABCI.VoteExtensionsEnabled(1) || back.ConsensusParams.Evidence.MaxAgeDuration.Hours() != 42*24 {
		t.Fatalf("%+v", back)
	}
}

// TestGreatestSizes holds the bounds of the rules against each other: whatever CheckGenesis accepts fits where it has to.
func TestGreatestSizes(t *testing.T) {
	const leastBlock, longestTransaction, shortestTransaction = 2 << 20, 512 << 10, 160 << 10
	if room := cmttypes.MaxDataBytes(leastBlock, organisation.EvidenceBytes, organisation.MaxValidators); room < longestTransaction {
		t.Errorf("the longest transaction does not fit the smallest block: %d bytes", room)
	}
	key := bytes.Repeat([]byte{1}, organisation.KeySize)
	member := pb.Member{Name: strings.Repeat("n", organisation.MaxName), Key: key}
	v := pb.Validator{
		Organisation: strings.Repeat("o", organisation.MaxOrganisationID), Name: member.Name, Key: key, SlipKey: key,
		Power: organisation.MaxPower, NodeId: key[:organisation.NodeIDSize], Address: strings.Repeat("a", organisation.MaxAddress),
	}
	members, validators := repeat(member, organisation.MaxMembers), repeat(v, organisation.MaxValidators)
	o := pb.Organisation{Id: v.Organisation, Title: strings.Repeat("t", organisation.MaxTitle), Term: math.MaxUint64, OfficerQuorum: 64, Officers: members, Registrars: members}
	doc := &pb.Genesis{Organisations: repeat(pb.GenesisOrganisation{Organisation: o}, organisation.MaxOrganisations), Parameters: *genesis.DefaultParameters(2)}
	doc.Organisations[0].Validators = validators
	epochs := &pb.ValidatorEpochs{Present: pb.ValidatorEpoch{Validators: validators}, Next: pb.ValidatorEpoch{Validators: validators}}
	const overhead = 2_048 // of an envelope and a resolution with its reason
	for name, size := range map[string][2]int{
		"document":         {len(genesis.Bytes(doc)), genesis.MaxDocumentBytes},
		"validators":       {len(election.Encode(epochs)), state.MaxRecordValue},
		"organisation":     {len(election.Encode(&o)), state.MaxRecordValue},
		"ChangeValidators": {len(election.Encode(&pb.ChangeValidators{Validators: validators})) + overhead, shortestTransaction},
		"ChangeOfficers":   {len(election.Encode(&pb.ChangeOfficers{Organisation: o})) + overhead, shortestTransaction},
	} {
		if size[0] > size[1]-1_000 {
			t.Errorf("%s: %d bytes, there is room for %d", name, size[0], size[1])
		}
	}
}

func repeat[T any](v T, n int) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = v
	}
	return list
}

// TestExamples holds the sample files against what is generated.
func TestExamples(t *testing.T) {
	doc := assemble(t, sampleParties)
	parameters, err := genesis.ParametersToJSON(&doc.Parameters)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "examples/parameters.json", parameters)
	if _, err := genesis.ParametersFromJSON(parameters, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := genesis.ParametersFromJSON(parameters, 1); !errors.Is(err, genesis.ErrInvalid) {
		t.Fatal("one organisation with a cap of a half:", err)
	}
	document, err := genesis.ToJSON(doc)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "examples/document.json", document)
	golden(t, "examples/report.txt", []byte(genesis.Check(doc).String()))
	report, err := genesis.Check(doc).JSON()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "examples/report.json", report)
	entry, err := genesis.EntryToJSON(entries(t, sampleParties)[4])
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "examples/entry.json", entry)
}

func TestDefaultParameters(t *testing.T) {
	for n := organisation.MinOrganisations; n <= organisation.MaxOrganisations; n++ {
		if err := organisation.CheckParameters(genesis.DefaultParameters(n), n); err != nil {
			t.Errorf("%d organisations: %v", n, err)
		}
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, read(t, path)) {
		t.Errorf("%s is not what is generated; look at the difference, then run with -update", path)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
