package slip_test

import (
	"errors"
	"slices"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"

	"votenode/crypto/ballot"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
	"votenode/verify/slip"
)

// signed changes a slip and has a key sign it again.
func signed(p *pb.Promise, key string, change func(*pb.AcceptanceSlip)) *pb.Promise {
	again := proto.Clone(p).(*pb.Promise)
	change(again.Slip)
	slip.Sign(again, rehearsal.Key(key))
	return again
}

// TestPromise: what makes a promise one. Each differs in one thing from a good one, and is signed.
func TestPromise(t *testing.T) {
	s := open(t)
	key := node.Name + " slip"
	good := promise(s.Vote(0, 3, []int{0}, []int{0}), s.Height())
	long := signed(good, key, func(a *pb.AcceptanceSlip) { a.Promised = a.Issued + slip.MaxSpan })
	for _, p := range []*pb.Promise{good, long} {
		if err := slip.Check(p, node.SlipKey); err != nil {
			t.Fatal(err)
		}
	}
	bad := map[string]*pb.Promise{
		"no slip": {Ballot: good.Ballot}, "nothing": nil,
		"another ballot":        {Slip: good.Slip, Ballot: s.Vote(0, 3, []int{0}, []int{0})},
		"no ballot":             {Slip: good.Slip},
		"another transaction":   {Slip: good.Slip, Ballot: s.spoil(good.Ballot, 3)},
		"signed by another":     signed(good, other.Name+" slip", func(a *pb.AcceptanceSlip) {}),
		"by the consensus key":  signed(good, node.Name, func(a *pb.AcceptanceSlip) {}),
		"another election":      signed(good, key, func(a *pb.AcceptanceSlip) { a.Election = "second" }),
		"another voter":         signed(good, key, func(a *pb.AcceptanceSlip) { a.RollIndex++ }),
		"another number":        signed(good, key, func(a *pb.AcceptanceSlip) { a.Sequence++ }),
		"another code":          signed(good, key, func(a *pb.AcceptanceSlip) { a.Code[0] ^= 1 }),
		"another chain":         signed(good, key, func(a *pb.AcceptanceSlip) { a.ChainId = "another" }),
		"a short code":          signed(good, key, func(a *pb.AcceptanceSlip) { a.Code = a.Code[:31] }),
		"a long key":            signed(good, key, func(a *pb.AcceptanceSlip) { a.Validator = append(a.Validator, 0) }),
		"issued at height 0":    signed(good, key, func(a *pb.AcceptanceSlip) { a.Issued, a.Promised = 0, 5 }),
		"issued below 0":        signed(good, key, func(a *pb.AcceptanceSlip) { a.Issued, a.Promised = -1<<63, 5 }),
		"for no height":         signed(good, key, func(a *pb.AcceptanceSlip) { a.Promised = a.Issued }),
		"for an earlier height": signed(good, key, func(a *pb.AcceptanceSlip) { a.Promised = a.Issued - 1 }),
		"for too many heights":  signed(long, key, func(a *pb.AcceptanceSlip) { a.Promised++ }),
	}
	cut := proto.Clone(good).(*pb.Promise)
	cut.Slip.Signature = cut.Slip.Signature[:63]
	bad["a short signature"] = cut
	for name, p := range bad {
		if err := slip.Check(p, node.SlipKey); !errors.Is(err, slip.ErrSlip) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := slip.Check(good, node.SlipKey[:31]); !errors.Is(err, slip.ErrSlip) {
		t.Errorf("a short key: %v", err)
	}
	// A case holds them no better: nothing is shown for a promise that is none, nor for one of somebody else.
	bad["of no validator"] = signed(good, key, func(a *pb.AcceptanceSlip) { a.Validator = node.SlipKey })
	bad["of another chain, in itself right"] = signed(good, key, func(a *pb.AcceptanceSlip) {
		_, c, _ := slip.ParseBallot(good.Ballot)
		code := ballot.ConfirmationCode("another", a.Election, c.Style, a.RollIndex, a.Sequence, c.Ballot.Ciphertext)
		a.ChainId, a.Code = "another", code[:]
	})
	if err := slip.Check(bad["of another chain, in itself right"], node.SlipKey); err != nil {
		t.Error(err)
	}
	bad["of another validator"] = signed(good, key, func(a *pb.AcceptanceSlip) { a.Validator = other.Key })
	s.by(node)
	s.past(good.Slip.Promised + 2)
	c := must(s.newCase(good, good.Slip.Promised))
	for name, p := range bad {
		forged := proto.Clone(c).(*pb.SlipCase)
		forged.Promise = p
		if f, err := s.judge(forged); !errors.Is(err, slip.ErrSlip) && !errors.Is(err, slip.ErrCase) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
		if _, err := s.newCase(p, good.Slip.Promised); err == nil {
			t.Errorf("%s: a case is made", name)
		}
	}
}

// blocksOf shows blocks as cases do: what the node had to go by is shown where it signed.
func (s *scene) blocksOf(key string, heights ...int64) []*pb.ProposedBlock {
	var list []*pb.ProposedBlock
	for _, height := range heights {
		// A promise issued just before the block, for a voter who never votes: its case shows the block.
		p := promiseBy(node, key, s.Vote(0, 77, []int{0}, []int{0}), height-1, height)
		list = append(list, must(s.newCase(p, samples().last)).Blocks...)
	}
	return list
}

func upTo(first, last int64) (list []int64) {
	for ; first <= last; first++ {
		list = append(list, first)
	}
	return list
}

// TestForged puts into cases what would be right elsewhere, one thing each.
func TestForged(t *testing.T) {
	s := samples()
	key := node.Name + " slip"
	broken, idle, kept, pending := s.cases[slip.Broken], s.cases[slip.NoTurn], s.cases[slip.Kept], s.cases[slip.Pending]
	issued, promised := broken.Promise.Slip.Issued, broken.Promise.Slip.Promised
	first, last := idle.Promise.Slip.Issued+1, idle.Promise.Slip.Promised
	show := func(heights ...int64) []*pb.ProposedBlock { return s.blocksOf(key, heights...) }
	at := func(height int64) *pb.EarlierBlock { return show(height)[0].Block }
	if !slices.EqualFunc(show(upTo(first, last)...), idle.Blocks, func(a, b *pb.ProposedBlock) bool { return proto.Equal(a, b) }) {
		t.Fatal("other blocks")
	}
	early := must(s.newCase(promise(broken.Promise.Ballot, issued), issued+2))
	for name, c := range map[string]struct {
		of     *pb.SlipCase
		change func(c *pb.SlipCase)
	}{
		"another's promise":                 {broken, func(c *pb.SlipCase) { c.Promise = kept.Promise }},
		"no promise":                        {broken, func(c *pb.SlipCase) { c.Promise = nil }},
		"judged a height later":             {broken, func(c *pb.SlipCase) { c.Judged = at(promised + 2) }},
		"judged a height earlier":           {broken, func(c *pb.SlipCase) { c.Judged = at(promised) }},
		"judged by the last state":          {broken, func(c *pb.SlipCase) { c.Judged = nil }},
		"a header of another height":        {broken, func(c *pb.SlipCase) { c.Judged.Header = at(promised).Header }},
		"judged twice":                      {pending, func(c *pb.SlipCase) { c.Judged = at(s.last) }},
		"judged early":                      {broken, func(c *pb.SlipCase) { c.Ledger = early.Ledger }},
		"before a height later":             {broken, func(c *pb.SlipCase) { c.Before = at(issued).Proof }},
		"before a height earlier":           {broken, func(c *pb.SlipCase) { c.Before = at(issued - 2).Proof }},
		"no block before":                   {broken, func(c *pb.SlipCase) { c.Before = nil }},
		"another voter's leaf":              {broken, func(c *pb.SlipCase) { c.Voter, c.VoterPath = kept.Voter, kept.VoterPath }},
		"no leaf, of who has voted":         {kept, func(c *pb.SlipCase) { c.Voter = nil }},
		"no leaf, with another's path":      {kept, func(c *pb.SlipCase) { c.Voter, c.VoterPath = nil, broken.VoterPath }},
		"the voters' tree before":           {kept, func(c *pb.SlipCase) { c.Voter, c.VoterPath, c.Voters = nil, early.VoterPath, early.Voters }},
		"the election of another state":     {broken, func(c *pb.SlipCase) { c.ElectionRecord = early.ElectionRecord }},
		"what is spoiled in another state":  {broken, func(c *pb.SlipCase) { c.Spoiled = early.Spoiled }},
		"what another voter has spoiled":    {broken, func(c *pb.SlipCase) { c.Spoiled = idle.Spoiled }},
		"spoiled, and said to be absent":    {idle, func(c *pb.SlipCase) { c.Spoiled.Absent = true }},
		"spoiled, with another's absence":   {idle, func(c *pb.SlipCase) { c.Spoiled = broken.Spoiled }},
		"absence under the asked key":       {idle, func(c *pb.SlipCase) { c.Spoiled = broken.Spoiled; c.Spoiled.Key = idle.Spoiled.Key }},
		"nothing of what is spoiled":        {broken, func(c *pb.SlipCase) { c.Spoiled = nil }},
		"no block":                          {broken, func(c *pb.SlipCase) { c.Blocks = nil }},
		"the block twice":                   {broken, func(c *pb.SlipCase) { c.Blocks = append(c.Blocks, c.Blocks[0]) }},
		"another behind it":                 {broken, func(c *pb.SlipCase) { c.Blocks = append(c.Blocks, show(issued+2)...) }},
		"all blocks, the guilty one too":    {broken, func(c *pb.SlipCase) { c.Blocks = show(upTo(issued+1, promised)...) }},
		"one that nobody signed":            {broken, func(c *pb.SlipCase) { c.Blocks = show(first + 2) }},
		"without its author":                {broken, func(c *pb.SlipCase) { c.Blocks[0].Author = nil }},
		"without the others":                {broken, func(c *pb.SlipCase) { c.Blocks[0].Others = nil }},
		"without election and parameters":   {broken, func(c *pb.SlipCase) { c.Blocks[0].ElectionRecord, c.Blocks[0].Parameters = nil, nil }},
		"without parameters":                {broken, func(c *pb.SlipCase) { c.Blocks[0].Parameters = nil }},
		"the election of the judged state":  {broken, func(c *pb.SlipCase) { c.Blocks[0].ElectionRecord = c.ElectionRecord }},
		"an author where another made it":   {broken, func(c *pb.SlipCase) { c.Blocks[0].Block = at(issued + 2) }},
		"a kept promise with a block":       {kept, func(c *pb.SlipCase) { c.Blocks = broken.Blocks }},
		"a pending promise with a block":    {pending, func(c *pb.SlipCase) { c.Blocks = show(pending.Promise.Slip.Issued + 1) }},
		"a block less at the beginning":     {idle, func(c *pb.SlipCase) { c.Blocks = c.Blocks[1:] }},
		"a block less at the end":           {idle, func(c *pb.SlipCase) { c.Blocks = c.Blocks[:len(c.Blocks)-1] }},
		"a block less in the middle":        {idle, func(c *pb.SlipCase) { c.Blocks = slices.Delete(c.Blocks, 3, 4) }},
		"a block more at the beginning":     {idle, func(c *pb.SlipCase) { c.Blocks = show(upTo(first-1, last)...) }},
		"a block more at the end":           {idle, func(c *pb.SlipCase) { c.Blocks = show(upTo(first, last+1)...) }},
		"two exchanged":                     {idle, func(c *pb.SlipCase) { c.Blocks[0], c.Blocks[1] = c.Blocks[1], c.Blocks[0] }},
		"one in the place of another":       {idle, func(c *pb.SlipCase) { c.Blocks[1] = c.Blocks[0] }},
		"an empty one":                      {idle, func(c *pb.SlipCase) { c.Blocks[0] = &pb.ProposedBlock{} }},
		"what was not signed, with records": {idle, func(c *pb.SlipCase) { c.Blocks[3].ElectionRecord = c.Blocks[4].ElectionRecord }},
		"parameters of what was not signed": {idle, func(c *pb.SlipCase) { c.Blocks[3].Parameters = c.ElectionRecord }},
		"hashes of another's block":         {idle, func(c *pb.SlipCase) { c.Blocks[0].Others = [][]byte{make([]byte, 32)} }},
		"hashes of an empty block":          {idle, func(c *pb.SlipCase) { c.Blocks[2].Others = [][]byte{make([]byte, 32)} }},
		"a short hash":                      {broken, func(c *pb.SlipCase) { c.Blocks[0].Others[0] = c.Blocks[0].Others[0][:31] }},
	} {
		t.Run(name, func(t *testing.T) {
			forged := proto.Clone(c.of).(*pb.SlipCase)
			c.change(forged)
			if proto.Equal(forged, c.of) {
				t.Fatal("nothing is changed")
			}
			if f, err := s.judge(forged); err == nil {
				t.Errorf("%v: %v", f.Verdict, f.Words())
			}
		})
	}
}

// TestOutside: a block that leaves the ballot out and lies outside the window is nothing, though all else is right.
func TestOutside(t *testing.T) {
	s := samples()
	c := s.cases[slip.Broken]
	guilty := c.Promise.Slip.Issued + 1
	for name, p := range map[string]*pb.Promise{
		"at the height of issue":    promise(c.Promise.Ballot, guilty),
		"after the height promised": promiseBy(node, node.Name+" slip", c.Promise.Ballot, guilty-3, guilty-1),
	} {
		forged := must(s.newCase(p, s.last))
		if f := must(s.judge(forged)); f.Verdict != slip.NoTurn {
			t.Fatalf("%s: %v", name, f.Verdict)
		}
		forged.Blocks = c.Blocks
		if f, err := s.judge(forged); !errors.Is(err, slip.ErrCase) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}

// TestUnsigned: a state that is committed and not certified shows nothing, nor does one before the height of issue.
func TestUnsigned(t *testing.T) {
	s := samples()
	forged := proto.Clone(s.cases[slip.Broken]).(*pb.SlipCase)
	child := forged.Ledger.State.Children[0]
	child.Precommits = child.Precommits[:3]
	if _, err := s.judge(forged); !errors.Is(err, certified.ErrNotCertified) {
		t.Errorf("three of four: %v", err)
	}
	forged = proto.Clone(s.cases[slip.Broken]).(*pb.SlipCase)
	forged.Ledger = s.LedgerState(forged.Promise.Slip.Issued - 1)
	if _, err := s.judge(forged); !errors.Is(err, slip.ErrEarly) || !errors.Is(err, certified.ErrAhead) {
		t.Errorf("before the height of issue: %v", err)
	}
}

// TestStranger: parts of another ledger with the same people show nothing.
func TestStranger(t *testing.T) {
	s := samples()
	e := rehearsal.Voting(t, 6, func(g *pb.Genesis) { g.Time++ })
	strange := &scene{e, t}
	p := promise(strange.Vote(0, 3, []int{0}, []int{0}), strange.Height())
	strange.by(node)
	strange.past(p.Slip.Promised + 2)
	c := must(strange.newCase(p, p.Slip.Promised))
	if f := must(strange.judge(c)); f.Verdict != slip.Broken {
		t.Fatal(f.Verdict)
	}
	for name, change := range map[string]func(own *pb.SlipCase){
		"all of it":            func(own *pb.SlipCase) { *own = *c },
		"the ledger":           func(own *pb.SlipCase) { own.Ledger = c.Ledger },
		"its genesis document": func(own *pb.SlipCase) { own.Ledger.Genesis = c.Ledger.Genesis },
		"a validator record": func(own *pb.SlipCase) {
			own.Ledger.Epochs[0].Validators = must(strange.View().ProveRecord("validators"))
		},
		"the judged state":             func(own *pb.SlipCase) { own.Judged = c.Judged },
		"the block before":             func(own *pb.SlipCase) { own.Before = c.Before },
		"the voters' tree":             func(own *pb.SlipCase) { own.Voter, own.VoterPath, own.Voters = c.Voter, c.VoterPath, c.Voters },
		"the block that leaves it out": func(own *pb.SlipCase) { own.Blocks = c.Blocks },
	} {
		own := proto.Clone(s.cases[slip.Broken]).(*pb.SlipCase)
		change(own)
		if f, err := s.judge(own); err == nil {
			t.Errorf("%s: %v", name, f.Verdict)
		}
	}
}

// TestHollow: blocks with an AppHash of another length are refused and no more, even where everybody has signed them.
func TestHollow(t *testing.T) {
	for _, by := range []pb.Validator{node, other} {
		s := open(t)
		p := promise(s.Vote(0, 3, []int{0}, []int{0}), s.Height())
		if by.Name == other.Name {
			s.past(p.Slip.Promised)
		}
		s.Alter = func(b *cmttypes.Block) { b.AppHash = b.AppHash[:8] }
		s.by(by)
		s.past(p.Slip.Promised + 3)
		c, err := s.newCase(p, p.Slip.Promised+1)
		if err == nil {
			_, err = s.judge(c)
		}
		if !errors.Is(err, slip.ErrCase) {
			t.Errorf("%s: %v", by.Name, err)
		}
	}
}

// TestOtherState: all that is shown is right, but of the state a height after the judged one, or before it.
func TestOtherState(t *testing.T) {
	s := open(t)
	raw := s.Vote(0, 3, []int{0}, []int{0})
	p := promise(raw, s.Height())
	s.by(node)
	s.past(p.Slip.Promised)
	s.by(other, raw)
	for height, own := range map[int64]slip.Verdict{p.Slip.Promised + 1: slip.Kept, p.Slip.Promised - 1: slip.Broken} {
		c := must(s.newCase(promiseBy(node, node.Name+" slip", raw, p.Slip.Issued, height), p.Slip.Promised+2))
		if f := must(s.judge(c)); f.Verdict != own {
			t.Fatalf("height %d: %v", height, f.Verdict)
		}
		c.Promise = p
		if f, err := s.judge(c); !errors.Is(err, slip.ErrCase) {
			t.Errorf("height %d: %v, %v", height, f, err)
		}
	}
}
