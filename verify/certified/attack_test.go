package certified_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// What a lying node can put before a verifier, beyond what trust_test.go and epoch_test.go forge.

// fullCommit is the commit of a header by everybody of the first epoch, as CometBFT keeps it, with the set that verifies it.
func fullCommit(w *world, h *cmttypes.Header) (*cmttypes.Commit, *cmttypes.ValidatorSet, []string) {
	var list []*cmttypes.Validator
	byAddress := map[string]string{}
	for _, v := range w.epochs[0].Validators {
		key := privateKey(v.Name).PubKey()
		list = append(list, cmttypes.NewValidator(key, v.Power))
		byAddress[string(key.Address())] = v.Name
	}
	set := cmttypes.NewValidatorSet(list)
	commit := &cmttypes.Commit{Height: h.Height, Round: 1, BlockID: blockID(h)}
	var signers []string
	for _, v := range set.Validators {
		name := byAddress[string(v.Address)]
		p := vote(name, h, 1, nil)
		commit.Signatures = append(commit.Signatures, cmttypes.CommitSig{
			BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: p.Address, Timestamp: time.Unix(0, p.Time).UTC(), Signature: p.Signature,
		})
		signers = append(signers, name)
	}
	return commit, set, signers
}

// TestCommitFlagsThatLie changes the entries of one organisation's validators in a commit. What a flag says decides only what is
// taken along; what counts was signed. Two of the league's four lie, so where their votes do not count, the block is not certified.
func TestCommitFlagsThatLie(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(3)
	h := w.headers[3]
	liars := members("league", 1, 2)
	type entry = cmttypes.CommitSig
	spoil := func(change func(v *cmtproto.Vote, chain *string)) func(s *entry, name string) {
		return func(s *entry, name string) { s.Signature = vote(name, h, 1, change).Signature }
	}
	forNil := spoil(func(v *cmtproto.Vote, _ *string) { v.BlockID = cmtproto.BlockID{} })
	for name, test := range map[string]struct {
		change func(s *entry, name string)
		want   error // of Verify
		left   int   // entries that FromCommit leaves behind
	}{
		"the truth":                               {func(*entry, string) {}, nil, 0},
		"nil, flagged as such":                    {func(s *entry, name string) { forNil(s, name); s.BlockIDFlag = cmttypes.BlockIDFlagNil }, certified.ErrNotCertified, 2},
		"nil, flagged as for the block":           {forNil, certified.ErrSignature, 0},
		"for the block, flagged as nil":           {func(s *entry, _ string) { s.BlockIDFlag = cmttypes.BlockIDFlagNil }, certified.ErrNotCertified, 2},
		"for the block, flagged as absent":        {func(s *entry, _ string) { s.BlockIDFlag = cmttypes.BlockIDFlagAbsent }, certified.ErrNotCertified, 2},
		"for the block, with a flag that is none": {func(s *entry, _ string) { s.BlockIDFlag = 7 }, certified.ErrNotCertified, 2},
		"absent":                                   {func(s *entry, _ string) { *s = cmttypes.NewCommitSigAbsent() }, certified.ErrNotCertified, 2},
		"absent, flagged as for the block":         {func(s *entry, _ string) { *s = entry{BlockIDFlag: cmttypes.BlockIDFlagCommit, Timestamp: s.Timestamp} }, certified.ErrMalformed, 0},
		"no signature, flagged as for the block":   {func(s *entry, _ string) { s.Signature = nil }, certified.ErrMalformed, 0},
		"zeros for a signature":                    {func(s *entry, _ string) { s.Signature = make([]byte, 64) }, certified.ErrSignature, 0},
		"a signature with a tail":                  {func(s *entry, _ string) { s.Signature = append(s.Signature, 0) }, certified.ErrMalformed, 0},
		"a later time than signed":                 {func(s *entry, _ string) { s.Timestamp = s.Timestamp.Add(1) }, certified.ErrSignature, 0},
		"an earlier time than signed":              {func(s *entry, _ string) { s.Timestamp = s.Timestamp.Add(-time.Hour) }, certified.ErrSignature, 0},
		"no time":                                  {func(s *entry, _ string) { s.Timestamp = time.Time{} }, certified.ErrNotCertified, 2},
		"a time that wraps around to the true one": {func(s *entry, _ string) { s.Timestamp = wrapped(s.Timestamp) }, certified.ErrNotCertified, 2},
		"a prevote":                                {spoil(func(v *cmtproto.Vote, _ *string) { v.Type = cmtproto.PrevoteType }), certified.ErrSignature, 0},
		"a proposal":                               {spoil(func(v *cmtproto.Vote, _ *string) { v.Type = cmtproto.ProposalType }), certified.ErrSignature, 0},
		"a precommit of the height before":         {spoil(func(v *cmtproto.Vote, _ *string) { v.Height-- }), certified.ErrSignature, 0},
		"a precommit of another round":             {spoil(func(v *cmtproto.Vote, _ *string) { v.Round = 0 }), certified.ErrSignature, 0},
		"a precommit of another chain":             {spoil(func(_ *cmtproto.Vote, chain *string) { *chain = "sample-11" }), certified.ErrSignature, 0},
		"other parts of the block":                 {spoil(func(v *cmtproto.Vote, _ *string) { v.BlockID.PartSetHeader.Hash = digest("other") }), certified.ErrSignature, 0},
		"more parts of the block":                  {spoil(func(v *cmtproto.Vote, _ *string) { v.BlockID.PartSetHeader.Total++ }), certified.ErrSignature, 0},
		"no parts of the block":                    {spoil(func(v *cmtproto.Vote, _ *string) { v.BlockID.PartSetHeader = cmtproto.PartSetHeader{} }), certified.ErrSignature, 0},
		"the other liar's signature":               {func(s *entry, name string) { s.Signature = vote(other(liars, name), h, 1, nil).Signature }, certified.ErrSignature, 0},
		"both under one address":                   {func(s *entry, _ string) { s.ValidatorAddress = privateKey("league-1").PubKey().Address() }, certified.ErrMalformed, 0},
		"under an honest one's address":            {func(s *entry, _ string) { s.ValidatorAddress = privateKey("party-1").PubKey().Address() }, certified.ErrMalformed, 0},
	} {
		commit, set, signers := fullCommit(w, h)
		for i, who := range signers {
			if slices.Contains(liars, who) {
				test.change(&commit.Signatures[i], who)
			}
		}
		// No honest node puts an entry into a block that CometBFT refuses; flags that say what was signed pass.
		honest := test.want == nil || name == "nil, flagged as such" || name == "absent"
		refused := commit.ValidateBasic()
		if refused == nil {
			refused = set.VerifyCommit(chainID, commit.BlockID, h.Height, commit)
		}
		if (refused == nil) != honest {
			t.Errorf("%s: CometBFT says %v", name, refused)
		}
		child, err := certified.FromCommit(h, commit)
		if err != nil || len(child.Precommits) != 8-test.left {
			t.Errorf("%s: %d precommits, %v", name, len(child.GetPrecommits()), err)
			continue
		}
		s, err := w.trust.Verify(certificate(child))
		if !errors.Is(err, test.want) || err == nil && s.AppHash != w.roots[2] {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	// A lie about the block itself, or its round, spoils every signature.
	for name, change := range map[string]func(c *cmttypes.Commit){
		"the parts":           func(c *cmttypes.Commit) { c.BlockID.PartSetHeader.Hash = digest("other") },
		"the number of parts": func(c *cmttypes.Commit) { c.BlockID.PartSetHeader.Total++ },
		"the round":           func(c *cmttypes.Commit) { c.Round++ },
		"one signature twice": func(c *cmttypes.Commit) { c.Signatures[0].Signature = c.Signatures[1].Signature },
	} {
		commit, _, _ := fullCommit(w, h)
		change(commit)
		if _, err := w.trust.Verify(certificate(must(certified.FromCommit(h, commit)))); !errors.Is(err, certified.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	commit, _, _ := fullCommit(w, h)
	commit.BlockID = blockID(w.headers[2])
	if _, err := certified.FromCommit(h, commit); !errors.Is(err, certified.ErrMalformed) {
		t.Error("a commit for another block:", err)
	}
}

// wrapped is 2^64 nanoseconds later, which are the same 64 bits.
func wrapped(at time.Time) time.Time { return at.Add(1<<63 - 1).Add(1<<63 - 1).Add(2) }

func other(two []string, name string) string {
	if two[0] == name {
		return two[1]
	}
	return two[0]
}

// TestKeysCountOnce: a key in all 32 children, rounds and siblings and part sets, has the power of one, next to exactly two thirds
// of its organisation.
func TestKeysCountOnce(t *testing.T) {
	w := newWorld(t, []party{{"league", []int64{1, 1, 1}}, {"party", []int64{1, 1, 1}}})
	w.grow(3)
	var children []*pb.SignedHeader
	for round := range int32(certified.MaxChildren) {
		h := *w.headers[3]
		if round%2 == 1 {
			h.DataHash = digest("sibling")
		}
		child := signed(&h, round/4, append(members("league", 1, 2), members("party", 1, 2, 3)...)...)
		if round%4 >= 2 { // another part set for the same header, and all sign it
			child.PartsTotal = 9
			for i, name := range append(members("league", 1, 2), members("party", 1, 2, 3)...) {
				child.Precommits[i] = vote(name, &h, round/4, func(v *cmtproto.Vote, _ *string) { v.BlockID.PartSetHeader.Total = 9 })
			}
			sortPrecommits(child)
		}
		children = append(children, child)
	}
	s, err := w.trust.Inspect(certificate(children...))
	if err != nil || s.Certified || s.Signed[0].Power != 2 || s.Signed[1].Power != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	// The same child twice, whole, adds nothing either, nor does it make a commit of two rounds.
	half := members("party", 1, 2, 3)
	s, err = w.trust.Inspect(certificate(signed(w.headers[3], 0, half...), signed(w.headers[3], 0, half...), signed(w.headers[3], 1, members("league", 1, 2, 3)...)))
	if err != nil || s.Committed || !s.Certified || s.Signed[1].Power != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	// The spare precommits of a key must hold as well as its first.
	bad := signed(w.headers[3], 1, "party-1")
	bad.Precommits[0].Signature[3] ^= 1
	if _, err := w.trust.Inspect(certificate(signed(w.headers[3], 0, names(w.epochs[0])...), bad)); !errors.Is(err, certified.ErrSignature) {
		t.Fatal(err)
	}
}

// TestSetsThatCertifyThemselves: an attacker's keys sign whatever they like, and nobody who starts at genesis believes it.
func TestSetsThatCertifyThemselves(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(6)
	own := newWorld(t, equal) // the attacker's ledger, with the same organisations and its own keys
	own.epochs[0] = &pb.ValidatorEpoch{Number: 1, FirstHeight: 1, Validators: sorted([]pb.Validator{validator("league", "evil-1", 1), validator("party", "evil-2", 1)})}
	own.grow(3)
	at := own.announce(own.epochs[0].Validators)
	own.grow(at + handover + 2)
	evil := names(own.epochs[0])
	record := own.records[at][state.KeyValidators]
	good := w.certify(at)
	borrowed := *own.headers[at+1] // the attacker's state under the ledger's set
	borrowed.ValidatorsHash = w.headers[at+1].ValidatorsHash
	named := *own.headers[at+1]
	named.NextValidatorsHash = validatorsHash(own.epochs[0].Validators)
	named.ValidatorsHash = borrowed.ValidatorsHash
	for name, test := range map[string]struct {
		proof *pb.EpochProof
		want  error
	}{
		"a set of its own":                       {own.epochProof(at), certified.ErrMismatch},
		"under the ledger's hash":                {&pb.EpochProof{State: certificate(signed(&borrowed, 0, evil...)), Validators: record}, certified.ErrSignature},
		"its record under the ledger's state":    {&pb.EpochProof{State: good, Validators: record}, state.ErrProof},
		"together with the ledger's signatures":  {&pb.EpochProof{State: certificate(signed(w.headers[at+1], 0, append(evil, names(w.epochs[0])...)...)), Validators: record}, certified.ErrSignature},
		"children of both":                       {&pb.EpochProof{State: certificate(good.Children[0], own.certify(at).Children[0]), Validators: record}, certified.ErrMismatch},
		"with one honest organisation's keys":    {&pb.EpochProof{State: certificate(signed(&borrowed, 0, members("league", 1, 2, 3, 4)...)), Validators: record}, certified.ErrNotCertified},
		"named by the ledger's own set, present": {&pb.EpochProof{State: certificate(signed(&named, 0, names(w.epochs[0])...)), Validators: record}, certified.ErrEpoch},
	} {
		if _, err := w.trust.Advance(test.proof); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	// A header's NextValidatorsHash alone gives no set: what comes after it is measured by the known one.
	if _, err := w.trust.Verify(certificate(signed(&named, 0, names(w.epochs[0])...))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.trust.Verify(own.certify(at + 1)); !errors.Is(err, certified.ErrMismatch) {
		t.Error("a set was believed because a header named it:", err)
	}
}

// TestAnnouncedByTheWholeSet: even if everybody of the present set certifies it, a next set that breaks a rule is refused.
func TestAnnouncedByTheWholeSet(t *testing.T) {
	for name, test := range map[string]struct {
		change func(list []pb.Validator) []pb.Validator
		want   string
	}{
		"a key twice in one organisation": {func(l []pb.Validator) []pb.Validator { return append(l, validator("party", "party-1", 1)) }, "strictly ascending by key"},
		"a key under two organisations":   {func(l []pb.Validator) []pb.Validator { return append(l, validator("league", "party-1", 1)) }, "strictly ascending by key"},
		"a key as another's slip key": {func(l []pb.Validator) []pb.Validator {
			v := validator("party", "party-5", 1)
			v.SlipKey = publicKey("league-1")
			return append(l, v)
		}, "give each its own key"},
		"a key of small order": {func(l []pb.Validator) []pb.Validator {
			v := validator("party", "party-5", 1)
			v.Key = make([]byte, organisation.KeySize)
			return append(l, v)
		}, "small order"},
		"a second encoding of a key": {func(l []pb.Validator) []pb.Validator {
			v := validator("party", "party-5", 1)
			v.Key = append([]byte{0xee}, slices.Repeat([]byte{0xff}, 31)...)
			return append(l, v)
		}, "not a canonical"},
		"a node twice": {func(l []pb.Validator) []pb.Validator {
			v := validator("party", "party-5", 1)
			v.NodeId = validator("league", "league-1", 1).NodeId
			return append(l, v)
		}, "stands twice"},
		"inflated power":   {func(l []pb.Validator) []pb.Validator { l[0].Power = organisation.MaxPower; return l }, "two thirds or more"},
		"power beyond all": {func(l []pb.Validator) []pb.Validator { l[0].Power = 1<<63 - 1; return l }, "choose 1 to"},
		"negative power":   {func(l []pb.Validator) []pb.Validator { l[0].Power = -1; return l }, "choose 1 to"},
		"an organisation renamed": {func(l []pb.Validator) []pb.Validator {
			for i := range l {
				l[i].Organisation = strings.Replace(l[i].Organisation, "party", "the-party", 1)
			}
			return l
		}, "there is no organisation"},
		"an organisation in capitals": {func(l []pb.Validator) []pb.Validator { l[0].Organisation = "League"; return l }, "a-z"},
		"no organisation":             {func(l []pb.Validator) []pb.Validator { l[0].Organisation = ""; return l }, "organisation"},
		"all to one organisation": {func(l []pb.Validator) []pb.Validator {
			for i := range l {
				l[i].Organisation = "league"
			}
			return l
		}, "has no validator"},
		"nobody":  {func([]pb.Validator) []pb.Validator { return nil }, "has no validator"},
		"a crowd": {func(l []pb.Validator) []pb.Validator { return slices.Repeat(l, 26) }, "too many"},
	} {
		w := newWorld(t, equal)
		w.grow(5)
		at := w.announce(test.change(slices.Clone(w.epochs[0].Validators)), func(*pb.ValidatorEpochs) {})
		if _, err := w.trust.Advance(w.epochProof(at)); !errors.Is(err, certified.ErrEpoch) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestPresentIsTheKnownSet: a record whose present epoch says anything else than is known announces nothing, whoever certified it.
func TestPresentIsTheKnownSet(t *testing.T) {
	for name, change := range map[string]func(e *pb.ValidatorEpoch){
		"the attacker's list": func(e *pb.ValidatorEpoch) {
			e.Validators = sorted([]pb.Validator{validator("league", "evil-1", 1), validator("party", "evil-2", 1)})
		},
		"one left out": func(e *pb.ValidatorEpoch) { e.Validators = e.Validators[1:] },
		"one more": func(e *pb.ValidatorEpoch) {
			e.Validators = sorted(append(e.Validators, validator("party", "party-5", 1)))
		},
		"another order":        func(e *pb.ValidatorEpoch) { slices.Reverse(e.Validators) },
		"another organisation": func(e *pb.ValidatorEpoch) { swapOwner(e.Validators) },
		"another slip key":     func(e *pb.ValidatorEpoch) { e.Validators[0].SlipKey = publicKey("other") },
		"another name":         func(e *pb.ValidatorEpoch) { e.Validators[0].Name = "other" },
		"another address":      func(e *pb.ValidatorEpoch) { e.Validators[0].Address = "other.example.org:26656" },
		"another number":       func(e *pb.ValidatorEpoch) { e.Number = 0 },
		"nothing":              func(e *pb.ValidatorEpoch) { *e = pb.ValidatorEpoch{} },
	} {
		w := newWorld(t, equal)
		w.grow(5)
		at := w.announce(w.epochs[0].Validators, func(r *pb.ValidatorEpochs) {
			r.Present.Validators = slices.Clone(r.Present.Validators)
			change(&r.Present)
		})
		if _, err := w.trust.Advance(w.epochProof(at)); !errors.Is(err, certified.ErrEpoch) || !strings.Contains(err.Error(), "another present epoch") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A record with a tail, which decodes to the same, is refused too.
	w := newWorld(t, equal)
	w.grow(5)
	record := &pb.ValidatorEpochs{Present: *w.epochs[0], Next: pb.ValidatorEpoch{Number: 2, FirstHeight: 20, Validators: w.epochs[0].Validators}}
	w.block(func(d *state.Draft) { d.SetRecord(state.KeyValidators, append(election.Encode(record), 0x50, 1)) })
	if _, err := w.trust.Advance(w.epochProof(6)); !errors.Is(err, certified.ErrEpoch) {
		t.Error("a second encoding of the record:", err)
	}
}
