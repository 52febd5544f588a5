package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"votenode/abci"
	"votenode/app/organisation"
	"votenode/client"
	"votenode/internal/testnet"
	"votenode/internal/town"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
	"votenode/verify/slip"
)

// refusers are two validators, half of the power, whose clocks are an hour slow wherever they look at the first proposal of a height in
// which it is the victim's turn: it is ahead of them, and they refuse it. As soon as they have, their clocks are right again, so that the next
// proposer of the height gets through. It reads in their logs what they have refused.
type refusers struct {
	apps [2]atomic.Pointer[abci.Application]
	// turn is the remainder of the victim's turns by the number of validators; it is refused from the height from to the height to.
	turn, from, to atomic.Int64

	mu   sync.Mutex
	seen map[string]bool // "name height"
}

const validators = 4

// plans says whether a validator is to refuse the first proposal of a height.
func (r *refusers) plans(height int64) bool {
	return height >= r.from.Load() && height <= r.to.Load() && height%validators == r.turn.Load()
}

func (r *refusers) refused(name string, height int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[fmt.Sprint(name, " ", height)]
}

// now is the clock of the nodes.
func (r *refusers) now(i int, name string) time.Time {
	if i < len(r.apps) {
		if app := r.apps[i].Load(); app != nil {
			if height := app.Tip().Height + 1; r.plans(height) && !r.refused(name, height) {
				return time.Now().Add(-time.Hour)
			}
		}
	}
	return time.Now()
}

// Write takes a line of the nodes' logs.
func (r *refusers) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(`msg="refusing a proposal"`)) {
		fields := map[string]string{}
		for _, field := range strings.Fields(string(line)) {
			key, value, _ := strings.Cut(field, "=")
			fields[key] = value
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seen[fields["name"]+" "+fields["height"]] = true
	}
	return len(line), nil
}

// broken is a town where promises are not kept.
type broken struct {
	*town.Booth
	refusers *refusers
	victim   *testnet.Node
	folder   string
}

// TestUnkeptPromises: whoever drops what it has promised is found guilty, by a file that anybody checks without a node; a validator whose
// blocks the others refuse is not.
func TestUnkeptPromises(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	t.Parallel()
	r := &refusers{seen: map[string]bool{}}
	var names [validators]string
	n := testnet.New(t, testnet.Options{
		Now:        func(i int) time.Time { return r.now(i, names[i]) },
		Log:        r,
		Parameters: func(p *pb.Parameters) { p.SlipSpan = 2 * validators },
	})
	for i, each := range n.Nodes {
		names[i] = each.Name
	}
	b := &broken{Booth: town.Open(t, n, 3), refusers: r, victim: n.Nodes[3], folder: t.TempDir()}
	for i := range r.apps {
		r.apps[i].Store(n.Nodes[i].Running().App())
	}
	t.Run("dropped", func(t *testing.T) {
		b.T = t
		b.dropped()
	})
	t.Run("refused", func(t *testing.T) {
		b.T = t
		b.refused()
	})
}

// judged runs 'slip check' on a network and 'verify slip' without one, which must say the same: the exit code of a failed
// verification, and in words and as data the verdict that is returned by the library.
func (b *broken) judged(name string, p *pb.Promise, want slip.Verdict) (*pb.SlipCase, *slip.Finding, string) {
	b.Helper()
	promise, shown := filepath.Join(b.folder, name+".json"), filepath.Join(b.folder, name+"-case.json")
	data, err := prooffile.JSON(prooffile.OfPromise(p))
	if err == nil {
		err = os.WriteFile(promise, data, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	hash := fmt.Sprintf("--genesis-hash=%x", b.Net.Hash)
	code, checked, stderr := votenode("slip", "check", promise, "--out="+shown, "--node="+b.Net.Nodes[2].Gateway(), hash)
	if code != exitVerification || !strings.Contains(stderr, "the promise is not kept: "+want.String()) {
		b.Fatalf("slip check: exit %d\n%s\n%s", code, checked, stderr)
	}
	code, verified, stderr := votenode("verify", "slip", shown, hash)
	if code != exitVerification || verified != checked || !strings.Contains(stderr, "the promise is not kept: "+want.String()) {
		b.Fatalf("verify slip: exit %d\n%s\n%s", code, verified, stderr)
	}
	code, asData, _ := votenode("verify", "slip", shown, hash, "--json")
	if code != exitVerification || !strings.Contains(asData, `"verdict": "`+want.String()+`"`) {
		b.Fatalf("verify slip --json: exit %d\n%s", code, asData)
	}
	if code, _, _ := votenode("verify", "slip", shown, "--genesis-hash="+strings.Repeat("ab", 32)); code != exitVerification {
		b.Errorf("on another ledger: exit %d", code)
	}
	data, err = os.ReadFile(shown)
	if err != nil {
		b.Fatal(err)
	}
	file, err := prooffile.Parse(data)
	if err != nil {
		b.Fatal(err)
	}
	c := file.Content.(*pb.ProofFile_SlipCase).SlipCase
	f, err := slip.Judge(b.Net.Hash, time.Now(), c)
	if err != nil || f.Verdict != want || f.Validator.Name != b.victim.Name {
		b.Fatal(f, err)
	}
	if !strings.Contains(asData, `"block": `+strconv.FormatInt(f.Height, 10)) != (f.Height == 0) {
		b.Errorf("block %d, and the command says %s", f.Height, asData)
	}
	return c, f, checked
}

// reach waits until a height is certified.
func (b *broken) reach(height int64) {
	b.Helper()
	if _, err := b.Ledger.After(b.Context(), height); err != nil {
		b.Fatal(err)
	}
}

// proposer returns who made a block, and whether it was decided in the first round.
func (b *broken) proposer(height int64) (address []byte, first bool) {
	b.Helper()
	blocks := b.Net.Nodes[2].Running().Blocks()
	meta, commit := blocks.LoadBlockMeta(height), blocks.LoadBlockCommit(height)
	if meta == nil || commit == nil {
		b.Fatalf("block %d is not there", height)
	}
	return meta.Header.ProposerAddress, commit.Round == 0
}

// dropped: a validator signs a slip and forgets the ballot. The first block that it makes behind the height of issue proves it.
func (b *broken) dropped() {
	issued := b.Tip()
	p := b.Promise(b.victim, b.Ballot(0, 1), issued, issued+2*validators)
	b.reach(p.Slip.Promised)
	c, f, words := b.judged("dropped", p, slip.Broken)
	if !strings.Contains(words, fmt.Sprintf("The promise is broken: %s made block %d, while voting was open by its own clock, and the ballot was not recorded in it.", b.victim.Name, f.Height)) {
		b.Error(words)
	}
	if len(c.Blocks) != 1 || f.Height <= issued || f.Height > p.Slip.Promised {
		b.Fatalf("%d blocks, guilty of block %d", len(c.Blocks), f.Height)
	}
	for height := issued + 1; height <= f.Height; height++ {
		if address, _ := b.proposer(height); bytes.Equal(address, b.address()) != (height == f.Height) {
			b.Errorf("block %d is by %x", height, address)
		}
	}
	b.noPromise(p)
}

// checks runs 'slip check' on a promise and returns exit code and output.
func (b *broken) checks(name string, p *pb.Promise) (code int, stdout, stderr string) {
	b.Helper()
	file := filepath.Join(b.folder, name+".pb")
	if err := os.WriteFile(file, prooffile.Bytes(prooffile.OfPromise(p)), 0o600); err != nil {
		b.Fatal(err)
	}
	return votenode("slip", "check", file, "--node="+b.Net.Nodes[2].Gateway(), fmt.Sprintf("--genesis-hash=%x", b.Net.Hash))
}

// noPromise: what is no promise, or runs still, is not mistaken for one that was dropped.
func (b *broken) noPromise(dropped *pb.Promise) {
	b.Helper()
	issued, unsigned, observed := dropped.Slip.Issued, *dropped.Slip, *dropped.Slip
	unsigned.Promised++
	observed.Validator = b.Net.Document.Organisations[0].Organisation.Officers[0].Key
	for name, promise := range map[string]*pb.Promise{
		"unsigned":     {Slip: &unsigned, Ballot: dropped.Ballot},
		"another's":    {Slip: b.Promise(b.Net.Nodes[2], dropped.Ballot, issued, issued+1).Slip, Ballot: b.Ballot(0, 2)},
		"no validator": {Slip: &observed, Ballot: dropped.Ballot},
		"no ballot":    {Slip: dropped.Slip},
		"no slip":      {Ballot: dropped.Ballot},
		"nothing":      {},
		"too early":    b.Promise(b.victim, dropped.Ballot, issued+10_000, issued+10_001),
		"too long":     b.Promise(b.victim, dropped.Ballot, issued, issued+slip.MaxSpan+1),
	} {
		if code, stdout, stderr := b.checks(name, promise); code != exitVerification || stdout != "" || strings.Contains(stderr, "not kept") {
			b.Errorf("%s: exit %d\n%s\n%s", name, code, stdout, stderr)
		}
	}
	running := b.Promise(b.victim, dropped.Ballot, issued, issued+slip.MaxSpan)
	if code, stdout, _ := b.checks("running", running); code != exitOK || !strings.Contains(stdout, "The promise is pending: ") {
		b.Errorf("a promise that runs: exit %d\n%s", code, stdout)
	}
}

// address is the victim's as proposer.
func (b *broken) address() []byte {
	address := organisation.ConsensusAddress(b.victim.Validator.Key)
	return address[:]
}

// whileRefused has the victim's first proposals refused for as long as a promise for a ballot runs that nobody has. Meanwhile the victim is handed
// another ballot, with a number. Both promises are returned when that time is over.
func (b *broken) whileRefused(unseen []byte, number uint64) (unkept, given *pb.Promise) {
	b.Helper()
	cast := b.Ballot(2, number)
	turn := int64(-1)
	for height := b.Net.Nodes[2].Running().App().Tip().Height - 1; turn < 0; height-- {
		if address, first := b.proposer(height); first && bytes.Equal(address, b.address()) {
			turn = height % validators
		}
	}
	issued := b.Tip() + validators
	unkept = b.Promise(b.victim, unseen, issued, issued+2*validators)
	b.refusers.turn.Store(turn)
	b.refusers.from.Store(issued + 1)
	b.refusers.to.Store(unkept.Slip.Promised)
	b.victim.WaitHeight(issued)
	gateway, err := client.NewNode(b.victim.Gateway())
	if err != nil {
		b.Fatal(err)
	}
	answers, err := gateway.Submit(b.Context(), cast)
	if err != nil {
		b.Fatal(err)
	}
	s, err := slip.Parse(answers[0].Slip)
	if err != nil {
		b.Fatal(answers, err)
	}
	b.reach(unkept.Slip.Promised)
	return unkept, &pb.Promise{Slip: s, Ballot: cast}
}

// decided returns the first block of the victim while a promise runs, 0 where there is none.
func (b *broken) decided(p *pb.Promise) int64 {
	for height := p.Slip.Issued + 1; height <= p.Slip.Promised; height++ {
		if address, _ := b.proposer(height); bytes.Equal(address, b.address()) {
			return height
		}
	}
	return 0
}

// refused: in all turns that a validator has while its promise runs, half of the power refuses its blocks. The promise is not kept, and no file
// makes the validator guilty: none of its blocks was decided. What it brought to the others meanwhile is recorded by them.
func (b *broken) refused() {
	unseen := b.Ballot(1, 1)
	p, given := b.whileRefused(unseen, 1)
	// On a slow machine the round of another proposer can fail, too, and the round after it can be the victim's.
	for number := uint64(2); b.decided(p) != 0; number++ {
		if number > 5 {
			b.Fatalf("block %d is the victim's", b.decided(p))
		}
		p, given = b.whileRefused(unseen, number)
	}
	turns := 0
	for height := p.Slip.Issued + 1; height <= p.Slip.Promised; height++ {
		if !b.refusers.plans(height) {
			continue
		}
		turns++
		for _, each := range b.Net.Nodes[:len(b.refusers.apps)] {
			if !b.refusers.refused(each.Name, height) {
				b.Errorf("%s has refused nothing at height %d", each.Name, height)
			}
		}
	}
	if turns != 2 {
		b.Errorf("%d turns were refused", turns)
	}
	c, _, words := b.judged("refused", p, slip.NoTurn)
	if !strings.Contains(words, "This blames nobody alone: whoever holds a third of the power can refuse a proposer.") {
		b.Error(words)
	}
	b.nobodyGuilty(c)
	if _, f := b.Verdict(b.Ledger, given); f.Verdict != slip.Kept {
		b.Errorf("what it brought to the others: %q", f.Words())
	}

	// Afterwards the victim proposes again; were it dishonest, this would be seen, and only by a slip that runs then.
	later := b.Promise(b.victim, unseen, p.Slip.Promised, p.Slip.Promised+2*validators)
	b.reach(later.Slip.Promised)
	guilty, f, _ := b.judged("later", later, slip.Broken)
	if f.Height <= p.Slip.Promised {
		b.Errorf("guilty of block %d", f.Height)
	}
	borrowed := *guilty
	borrowed.Promise = p
	c.Blocks = guilty.Blocks
	for _, mixed := range []*pb.SlipCase{&borrowed, c} {
		if f, err := slip.Judge(b.Net.Hash, time.Now(), mixed); err == nil {
			b.Errorf("with a later block: %v", f.Verdict)
		}
	}
}

// nobodyGuilty: no choice of the blocks that a case shows makes another verdict of it.
func (b *broken) nobodyGuilty(c *pb.SlipCase) {
	b.Helper()
	if len(c.Blocks) != 2*validators {
		b.Fatalf("%d blocks are shown", len(c.Blocks))
	}
	for i, block := range c.Blocks {
		for what, blocks := range map[string][]*pb.ProposedBlock{
			"alone":    {block},
			"left out": slices.Delete(slices.Clone(c.Blocks), i, i+1),
			"twice":    slices.Insert(slices.Clone(c.Blocks), i, block),
			"and none": c.Blocks[:i],
		} {
			changed := *c
			changed.Blocks = blocks
			if f, err := slip.Judge(b.Net.Hash, time.Now(), &changed); !errors.Is(err, slip.ErrCase) {
				b.Errorf("block %d of the case %s: %v, %v", i, what, f, err)
			}
		}
	}
}
