package certified_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"pgregory.net/rapid"

	"votenode/app/election"
	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

func TestCertified(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(5)
	for h := int64(1); h <= 4; h++ {
		s, err := w.trust.Verify(w.certify(h))
		if err != nil {
			t.Fatal(err)
		}
		if s.Height != h || !s.Certified || !s.Committed || s.Epoch != 1 || !s.BlockID.Equals(blockID(w.headers[h])) ||
			s.AppHash != w.roots[h] || s.Child.Height != h+1 {
			t.Fatalf("height %d: %+v", h, s)
		}
		if len(s.Signed) != 2 || s.Signed[0] != (certified.Signed{Organisation: "league", Power: 4, Total: 4, Enough: true}) {
			t.Fatalf("%+v", s.Signed)
		}
	}
}

// TestWhoMustSign goes through sets of signers: exactly the share is not enough, and one organisation cannot stand in for
// another.
func TestWhoMustSign(t *testing.T) {
	w := newWorld(t, []party{{"league", []int64{2, 2, 1, 1}}, {"party", []int64{2, 2, 2}}})
	w.grow(3)
	for _, test := range []struct {
		signers   string
		certified bool
		committed bool
		lacking   []string
	}{
		{"league-1 league-2 league-3 league-4 party-1 party-2 party-3", true, true, nil},
		{"league-1 league-2 league-3 party-1 party-2 party-3", true, true, nil},
		{"league-1 league-2 party-1 party-2 party-3", false, true, []string{"league signed with 4 of 6"}},          // 4/6 is exactly 2/3
		{"league-1 league-2 league-3 league-4 party-1", false, false, []string{"party signed with 2 of 6"}},        // 8/12 of all is exactly 2/3
		{"league-1 league-2 league-3 league-4 party-1 party-2", false, true, []string{"party signed with 4 of 6"}}, // exactly 2/3
		{"league-1 league-2 league-3 league-4", false, false, []string{"party signed with 0 of 6"}},                // 6/9 of all
		{"league-1 party-1", false, false, []string{"league signed with 2 of 6", "party signed with 2 of 6"}},
		{"", false, false, []string{"league signed with 0 of 6", "party signed with 0 of 6"}},
	} {
		evidence := certificate(signed(w.headers[3], 1, strings.Fields(test.signers)...))
		s, err := w.trust.Inspect(evidence)
		if err != nil {
			t.Fatal(err)
		}
		if s.Certified != test.certified || s.Committed != test.committed {
			t.Errorf("%q: certified %v, committed %v", test.signers, s.Certified, s.Committed)
		}
		_, err = w.trust.Verify(evidence)
		if test.certified != (err == nil) || err != nil && !errors.Is(err, certified.ErrNotCertified) {
			t.Errorf("%q: %v", test.signers, err)
		}
		for _, text := range test.lacking {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%q: %v does not say %q", test.signers, err, text)
			}
		}
	}
}

// TestRoundsAndSiblings: precommits of several rounds and for several children of one block add up, and a key counts once.
func TestRoundsAndSiblings(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(3)
	h := w.headers[3]
	sibling := *h
	sibling.Time, sibling.DataHash, sibling.LastCommitHash = h.Time.Add(time.Second), digest("other"), digest("other")
	sibling.EvidenceHash, sibling.ProposerAddress = digest("other"), digest("other")[:20]
	add := func(children ...*pb.SignedHeader) (*certified.State, error) {
		return w.trust.Inspect(certificate(children...))
	}

	s, err := add(signed(h, 0, "league-1", "league-2", "party-1"), signed(h, 3, "league-3", "party-2"), signed(&sibling, 1, "party-3"))
	if err != nil || !s.Certified || s.Committed {
		t.Fatalf("one block, other rounds, a sibling: %+v, %v", s, err)
	}
	s, err = add(signed(h, 0, "league-1", "league-2", "party-1"), signed(h, 3, "league-2", "party-1"), signed(&sibling, 1, "league-1", "party-2"))
	if err != nil || s.Certified || s.Signed[0].Power != 2 || s.Signed[1].Power != 2 {
		t.Fatalf("a key counted twice: %+v, %v", s, err)
	}
	twice := signed(h, 0, "league-1", "league-2")
	twice.Precommits = append(twice.Precommits[:1], twice.Precommits[0], twice.Precommits[1])
	if _, err = add(twice); !errors.Is(err, certified.ErrMalformed) {
		t.Fatal("a precommit stood twice in one child:", err)
	}
}

// TestChildrenMustAgree changes each attested field of one child.
func TestChildrenMustAgree(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(3)
	everybody := names(w.epochs[0])
	for field, change := range map[string]func(h *cmttypes.Header){
		"Version":            func(h *cmttypes.Header) { h.Version.App++ },
		"ChainID":            func(h *cmttypes.Header) { h.ChainID = "sample-2" },
		"Height":             func(h *cmttypes.Header) { h.Height++ },
		"LastBlockID":        func(h *cmttypes.Header) { h.LastBlockID.Hash = digest("other") },
		"LastBlockID parts":  func(h *cmttypes.Header) { h.LastBlockID.PartSetHeader.Hash = digest("other") },
		"LastBlockID total":  func(h *cmttypes.Header) { h.LastBlockID.PartSetHeader.Total++ },
		"ValidatorsHash":     func(h *cmttypes.Header) { h.ValidatorsHash = digest("other") },
		"NextValidatorsHash": func(h *cmttypes.Header) { h.NextValidatorsHash = digest("other") },
		"ConsensusHash":      func(h *cmttypes.Header) { h.ConsensusHash = digest("other") },
		"AppHash":            func(h *cmttypes.Header) { h.AppHash = digest("other") },
		"LastResultsHash":    func(h *cmttypes.Header) { h.LastResultsHash = digest("other") },
	} {
		other := *w.headers[3]
		change(&other)
		_, err := w.trust.Inspect(certificate(signed(w.headers[3], 0, everybody[:4]...), signed(&other, 0, everybody[4:]...)))
		if !errors.Is(err, certified.ErrMismatch) || !strings.Contains(err.Error(), strings.Fields(field)[0]) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestForged offers evidence that is wrong in one place.
func TestForged(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(4)
	everybody := names(w.epochs[0])
	good := func() *pb.CertifiedState { return certificate(signed(w.headers[3], 0, everybody...)) }
	header := func(change func(h *cmttypes.Header)) *pb.CertifiedState { // signed by everybody after the change
		h := *w.headers[3]
		change(&h)
		return certificate(signed(&h, 0, everybody...))
	}
	evidence := func(change func(c *pb.SignedHeader)) *pb.CertifiedState {
		s := good()
		change(s.Children[0])
		return s
	}
	votes := func(change func(v *cmtproto.Vote, chain *string)) *pb.CertifiedState {
		return evidence(func(c *pb.SignedHeader) {
			c.Precommits = nil
			for _, name := range everybody {
				c.Precommits = append(c.Precommits, vote(name, w.headers[3], 0, change))
			}
			sortPrecommits(c)
		})
	}
	stranger := signed(w.headers[3], 0, append([]string{"stranger"}, everybody...)...)
	own := newWorld(t, []party{{"league", []int64{5, 5, 5, 5}}, {"party", []int64{5, 5, 5, 5}}})
	crowd := signed(w.headers[3], 0)
	for i := range organisation.MaxValidators + 1 {
		crowd.Precommits = append(crowd.Precommits, &pb.Precommit{Address: []byte(fmt.Sprintf("%020d", i)), Signature: make([]byte, 64)})
	}
	for name, test := range map[string]struct {
		state *pb.CertifiedState
		want  error
	}{
		"nothing":             {nil, certified.ErrMalformed},
		"no children":         {certificate(), certified.ErrMalformed},
		"a missing child":     {certificate(nil), certified.ErrMalformed},
		"too many children":   {&pb.CertifiedState{Children: make([]*pb.SignedHeader, certified.MaxChildren+1)}, certified.ErrMalformed},
		"33 good children":    {&pb.CertifiedState{Children: slices.Repeat(good().Children, 33)}, certified.ErrMalformed},
		"no header":           {evidence(func(c *pb.SignedHeader) { c.Header = nil }), certified.ErrMalformed},
		"long header":         {evidence(func(c *pb.SignedHeader) { c.Header = make([]byte, 1025) }), certified.ErrMalformed},
		"truncated header":    {evidence(func(c *pb.SignedHeader) { c.Header = c.Header[:len(c.Header)-1] }), certified.ErrMalformed},
		"header with a tail":  {evidence(func(c *pb.SignedHeader) { c.Header = append(c.Header, 0xf8, 1, 0) }), certified.ErrMalformed},
		"no parts":            {evidence(func(c *pb.SignedHeader) { c.PartsTotal = 0 }), certified.ErrMalformed},
		"short parts hash":    {evidence(func(c *pb.SignedHeader) { c.PartsHash = c.PartsHash[:31] }), certified.ErrMalformed},
		"negative round":      {evidence(func(c *pb.SignedHeader) { c.Round = -1 }), certified.ErrMalformed},
		"a missing precommit": {evidence(func(c *pb.SignedHeader) { c.Precommits[0] = nil }), certified.ErrMalformed},
		"a crowd":             {certificate(crowd), certified.ErrMalformed},
		"a wide header":       {header(func(h *cmttypes.Header) { h.AppHash = make([]byte, 1000) }), certified.ErrMalformed},
		"too many precommits": {evidence(func(c *pb.SignedHeader) { c.Precommits = make([]*pb.Precommit, organisation.MaxValidators+1) }), certified.ErrMalformed},
		"short address":       {evidence(func(c *pb.SignedHeader) { c.Precommits[0].Address = c.Precommits[0].Address[:19] }), certified.ErrMalformed},
		"short signature":     {evidence(func(c *pb.SignedHeader) { c.Precommits[0].Signature = c.Precommits[0].Signature[:63] }), certified.ErrMalformed},
		"unsorted precommits": {evidence(func(c *pb.SignedHeader) { c.Precommits[0], c.Precommits[1] = c.Precommits[1], c.Precommits[0] }), certified.ErrMalformed},

		"another chain":    {header(func(h *cmttypes.Header) { h.ChainID = "sample-2" }), certified.ErrMismatch},
		"the first block":  {certificate(signed(w.headers[1], 0, everybody...)), certified.ErrMismatch},
		"short app hash":   {header(func(h *cmttypes.Header) { h.AppHash = h.AppHash[:31] }), certified.ErrMismatch},
		"another set":      {header(func(h *cmttypes.Header) { h.ValidatorsHash = digest("own") }), certified.ErrMismatch},
		"no validators":    {header(func(h *cmttypes.Header) { h.ValidatorsHash = nil }), certified.ErrMalformed},
		"no last block":    {header(func(h *cmttypes.Header) { h.LastBlockID = cmttypes.BlockID{} }), certified.ErrMismatch},
		"height 1":         {header(func(h *cmttypes.Header) { h.Height = 1 }), certified.ErrMismatch},
		"height 0":         {header(func(h *cmttypes.Header) { h.Height = 0 }), certified.ErrMalformed},
		"negative height":  {header(func(h *cmttypes.Header) { h.Height = -3 }), certified.ErrMalformed},
		"another protocol": {header(func(h *cmttypes.Header) { h.Version.Block++ }), certified.ErrMalformed},
		"a set of its own": {own.certify(2), certified.ErrMismatch},
		"a vote under another's address": {evidence(func(c *pb.SignedHeader) {
			first := w.epochs[0].Validators[0]
			copied := vote(first.Name, w.headers[3], 0, nil)
			copied.Address = make([]byte, organisation.AddressSize)
			c.Precommits = slices.Insert(c.Precommits, 0, copied)
		}), certified.ErrSignature},
		"stranger's vote":   {certificate(stranger), certified.ErrSignature},
		"changed header":    {evidence(func(c *pb.SignedHeader) { c.Header = signed(w.headers[4], 0).Header }), certified.ErrSignature},
		"changed round":     {evidence(func(c *pb.SignedHeader) { c.Round++ }), certified.ErrSignature},
		"changed parts":     {evidence(func(c *pb.SignedHeader) { c.PartsTotal++ }), certified.ErrSignature},
		"changed hash":      {evidence(func(c *pb.SignedHeader) { c.PartsHash = digest("other") }), certified.ErrSignature},
		"changed time":      {evidence(func(c *pb.SignedHeader) { c.Precommits[2].Time++ }), certified.ErrSignature},
		"flipped signature": {evidence(func(c *pb.SignedHeader) { c.Precommits[2].Signature[40] ^= 1 }), certified.ErrSignature},
		"swapped signers": {evidence(func(c *pb.SignedHeader) {
			c.Precommits[0].Signature, c.Precommits[1].Signature = c.Precommits[1].Signature, c.Precommits[0].Signature
		}), certified.ErrSignature},

		"prevotes":              {votes(func(v *cmtproto.Vote, _ *string) { v.Type = cmtproto.PrevoteType }), certified.ErrSignature},
		"votes for nil":         {votes(func(v *cmtproto.Vote, _ *string) { v.BlockID = cmtproto.BlockID{} }), certified.ErrSignature},
		"votes of height h":     {votes(func(v *cmtproto.Vote, _ *string) { v.Height-- }), certified.ErrSignature},
		"votes of other rounds": {votes(func(v *cmtproto.Vote, _ *string) { v.Round = 1 }), certified.ErrSignature},
		"votes of other chains": {votes(func(_ *cmtproto.Vote, chain *string) { *chain = "sample-2" }), certified.ErrSignature},
		"votes for another":     {votes(func(v *cmtproto.Vote, _ *string) { id := blockID(w.headers[2]); v.BlockID = id.ToProto() }), certified.ErrSignature},
	} {
		if _, err := w.trust.Verify(test.state); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if _, err := w.trust.Verify(good()); err != nil {
		t.Fatal(err)
	}
}

func TestParseBounds(t *testing.T) {
	if _, err := certified.ParseState(make([]byte, certified.MaxStateBytes+1)); !errors.Is(err, certified.ErrMalformed) || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
	if _, err := certified.ParseEpochProof(make([]byte, certified.MaxEpochProofBytes+1)); !errors.Is(err, certified.ErrMalformed) || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
	w := newWorld(t, equal)
	good := election.Encode(w.certify(2))
	if s, err := certified.ParseState(good); err != nil || !bytes.Equal(election.Encode(s), good) {
		t.Error(err)
	}
	for name, b := range map[string][]byte{
		"trailing byte": append(bytes.Clone(good), 0), "unknown field": append(bytes.Clone(good), 0x50, 1), "truncated": good[:len(good)-1],
	} {
		if _, err := certified.ParseState(b); !errors.Is(err, certified.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPrecommitsOfTheBlockItselfDoNotCertify: a commit of height h, even by everybody, certifies h-1 and nothing of h.
func TestPrecommitsOfTheBlockItselfDoNotCertify(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(3)
	s, err := w.trust.Verify(certificate(signed(w.headers[3], 0, names(w.epochs[0])...)))
	if err != nil || s.Height != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
}

// TestAgainstDefinition compares Certified with the definition, in rationals, for random powers and random signatures over
// rounds.
func TestAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		power := rapid.Int64Range(1, 6)
		parties := []party{
			{"league", rapid.SliceOfN(power, 1, 5).Draw(rt, "league")}, {"party", rapid.SliceOfN(power, 1, 5).Draw(rt, "party")},
		}
		certify := rapid.SampledFrom([]pb.Fraction{{Numerator: 2, Denominator: 3}, {Numerator: 3, Denominator: 4}, {Numerator: 5, Denominator: 7}}).Draw(rt, "certify")
		doc := document(parties)
		doc.Parameters.Certify, doc.Parameters.PowerCap = certify, pb.Fraction{Numerator: 665, Denominator: 1000}
		trust, err := certified.FromGenesis(doc)
		if err != nil {
			rt.Skip("more than the cap")
		}
		w := newWorld(t, equal)
		w.epochs[0] = organisation.FirstEpoch(doc)
		w.grow(3)
		rounds := make([][]string, rapid.IntRange(1, 3).Draw(rt, "rounds"))
		signers := map[string]bool{}
		for i, name := range names(w.epochs[0]) {
			for r := range rounds {
				if rapid.IntRange(0, 2).Draw(rt, fmt.Sprintf("signs %d %d", i, r)) == 0 {
					rounds[r] = append(rounds[r], name)
					signers[name] = true
				}
			}
		}
		var children []*pb.SignedHeader
		for r, list := range rounds {
			children = append(children, signed(w.headers[3], int32(r), list...))
		}
		want := true
		for _, p := range parties {
			total, part := new(big.Rat), new(big.Rat)
			for i, power := range p.powers {
				total.Add(total, big.NewRat(power, 1))
				if signers[fmt.Sprintf("%s-%d", p.id, i+1)] {
					part.Add(part, big.NewRat(power, 1))
				}
			}
			want = want && part.Quo(part, total).Cmp(big.NewRat(int64(certify.Numerator), int64(certify.Denominator))) > 0
		}
		s, err := trust.Inspect(certificate(children...))
		if err != nil || s.Certified != want {
			rt.Fatalf("certified %v, want %v (%v)", s, want, err)
		}
	})
}

// TestFromCommit takes a commit that CometBFT itself verifies; what is not a precommit for the block stays behind, whatever
// the flags say.
func TestFromCommit(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(3)
	h := w.headers[3]
	list := make([]*cmttypes.Validator, 0)
	byAddress := map[string]string{}
	for _, v := range w.epochs[0].Validators {
		key := privateKey(v.Name).PubKey()
		list = append(list, cmttypes.NewValidator(key, v.Power))
		byAddress[string(key.Address())] = v.Name
	}
	set := cmttypes.NewValidatorSet(list)
	commit := &cmttypes.Commit{Height: h.Height, Round: 2, BlockID: blockID(h)}
	for i, v := range set.Validators {
		switch p := vote(byAddress[string(v.Address)], h, 2, nil); i {
		case 3:
			commit.Signatures = append(commit.Signatures, cmttypes.NewCommitSigAbsent())
		default:
			commit.Signatures = append(commit.Signatures, cmttypes.CommitSig{
				BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: p.Address, Timestamp: time.Unix(0, p.Time).UTC(), Signature: p.Signature,
			})
		}
	}
	if err := set.VerifyCommit(chainID, commit.BlockID, h.Height, commit); err != nil {
		t.Fatal(err)
	}
	child, err := certified.FromCommit(h, commit)
	if err != nil || len(child.Precommits) != 7 {
		t.Fatal(child, err)
	}
	s, err := w.trust.Verify(certificate(child))
	if err != nil || s.AppHash != w.roots[2] {
		t.Fatal(s, err)
	}
	nilVote := commit.Signatures[0]
	nilVote.BlockIDFlag = cmttypes.BlockIDFlagNil
	commit.Signatures[0] = nilVote
	commit.Signatures[1].Timestamp = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)
	if child, err = certified.FromCommit(h, commit); err != nil || len(child.Precommits) != 5 {
		t.Fatal(child, err)
	}
	commit.Height++
	if _, err := certified.FromCommit(h, commit); !errors.Is(err, certified.ErrMalformed) {
		t.Fatal("a commit of another height was taken:", err)
	}
	commit.Height--
	if _, err := certified.FromCommit(w.headers[2], commit); !errors.Is(err, certified.ErrMalformed) {
		t.Fatal("a commit was taken for another header:", err)
	}
}

func TestFromGenesisRefuses(t *testing.T) {
	doc := document(equal)
	doc.Organisations[0].Validators[0].Power = 100
	if _, err := certified.FromGenesis(doc); err == nil {
		t.Fatal("a document beyond the cap was trusted")
	}
}
