package export_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/client"
	"votenode/client/export"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	"votenode/verify/audit"
)

// told collects what was said of nodes.
type told struct {
	mu  sync.Mutex
	all map[string]error
}

func (n *told) notice(node string, reason error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all == nil {
		n.all = map[string]error{}
	}
	n.all[node] = reason
}

// stream opens a stream from nodes whose temporary files are counted at the end of the test.
func stream(t *testing.T, l *rehearsal.Ledger, o export.Options, addresses ...string) *export.Stream {
	t.Helper()
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	ledger, err := client.Open(t.Context(), genesis.Hash(l.Genesis), addresses, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := export.Open(t.Context(), ledger, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		nothing(t, temporary)
	})
	return s
}

// voted is an election up to its last height under the first validators: ballots are replaced in it.
func voted() *chain {
	e, _ := rehearsal.Story(crashing{})
	first := e.Blocks[0].ValidatorsHash
	end := slices.IndexFunc(e.Blocks, func(b *cmttypes.Block) bool { return !bytes.Equal(b.NextValidatorsHash, first) })
	if end < 0 {
		end = len(e.Blocks)
	}
	e.Ledger.Blocks = e.Ledger.Blocks[:end]
	return &chain{Ledger: e.Ledger}
}

// The audit of blocks from nodes reports what that of the exported folder does, but for the files, which there are none of.
func TestAuditOfNodes(t *testing.T) {
	c := voted()
	hash := genesis.Hash(c.Genesis)
	height := c.Height() - 1
	never := func() bool { return false }
	one, two := c.honest(), c.honest()
	one.known, two.known = never, never
	for _, o := range []export.Options{{Height: height}, {}} {
		s := stream(t, c.Ledger, o, one.serve(t), two.serve(t))
		got, err := audit.RunSource(t.Context(), s, audit.Options{GenesisHash: &hash})
		if err != nil || s.Height() != height {
			t.Fatal(s.Height(), err)
		}
		want, err := audit.Run(t.Context(), c.Record(c.Blocks[:height]), audit.Options{GenesisHash: &hash})
		if err != nil || len(want.Elections) == 0 || want.Elections[0].Counted >= want.Elections[0].Recorded {
			t.Fatalf("no ballot was replaced: %+v, %v", want.Elections, err)
		}
		if got.Checks[0].Outcome != audit.Passed || !strings.Contains(got.Checks[0].Found, "no folder") {
			t.Errorf("%+v", got.Checks[0])
		}
		got.Checks[0] = want.Checks[0]
		if !got.Passed || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v\n%+v", got, want)
		}
	}
}

// A node that lies is passed over and named; where nobody tells the truth, the audit cannot be done, and says who.
func TestAuditOfLyingNodes(t *testing.T) {
	c := founded()
	liar := c.honest()
	liar.lie = func(height int64, raw []byte) []byte {
		if height == 7 {
			raw[len(raw)/2] ^= 1
		}
		return raw
	}
	forger := c.honest() // well formed, and followed by true blocks: only the chain of hashes tells
	forger.lie = func(height int64, raw []byte) []byte {
		if height == 9 {
			b := rehearsal.Clone(c.Blocks[8:9])[0]
			b.AppHash[0] ^= 1
			return rehearsal.Encode(b)
		}
		return raw
	}
	bad, worse, good := liar.serve(t), forger.serve(t), c.honest().serve(t)
	var names told
	s := stream(t, c.Ledger, export.Options{Height: c.Height() - 1, Notice: names.notice}, bad, worse, good)
	report, err := audit.RunSource(t.Context(), s, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if failed := report.Failure(); failed != nil {
		t.Errorf("%v", failed)
	}
	for _, node := range []string{bad, worse} {
		if !errors.Is(names.all[node], client.ErrVerification) {
			t.Errorf("of %s was said: %v", node, names.all[node])
		}
	}
	if len(names.all) != 2 {
		t.Errorf("%v", names.all)
	}

	s = stream(t, c.Ledger, export.Options{Height: c.Height() - 1}, bad)
	if report, err := audit.RunSource(t.Context(), s, audit.Options{}); report != nil || !errors.Is(err, client.ErrVerification) || !strings.Contains(err.Error(), bad) {
		t.Errorf("a liar alone: %v, %v", report, err)
	}
}

// Nodes whose blocks are another history than that of the checkpoint are found out, and so is an audit that is broken off.
func TestAuditOfNodesGoesOn(t *testing.T) {
	one := rehearsal.New(t)
	for range 4 {
		one.Make(1)
	}
	other := one.Fork(t)
	for range 12 {
		one.Make(1)
		other.Make(2)
	}
	never := func() bool { return false }
	serve := func(l *rehearsal.Ledger) string {
		g := (&chain{Ledger: l}).honest()
		g.known = never
		return g.serve(t)
	}
	var left *audit.Checkpoint
	keep := func(c *audit.Checkpoint) error { left = c; return nil }
	ctx, cancel := context.WithCancel(t.Context())
	s := stream(t, one, export.Options{Height: 12}, serve(one))
	if _, err := audit.RunSource(ctx, s, audit.Options{Checkpoint: keep, Stage: func(stage audit.Stage) {
		if stage == audit.StageReplay {
			cancel()
		}
	}}); !errors.Is(err, context.Canceled) || left == nil {
		t.Fatalf("broken off: %v, %v", left, err)
	}
	broken := *left
	s = stream(t, one, export.Options{Height: 12}, serve(one))
	report, err := audit.RunSource(t.Context(), s, audit.Options{Since: &broken, Checkpoint: keep})
	if err != nil || !report.Passed || left.Height != 11 {
		t.Fatalf("%v, %v, %v", report, left, err)
	}
	s = stream(t, other, export.Options{Height: 15}, serve(other))
	report, err = audit.RunSource(t.Context(), s, audit.Options{Since: left})
	if err != nil || report.Passed || report.Checks[len(report.Checks)-1].Outcome != audit.Failed {
		t.Errorf("another history: %v, %v", report, err)
	}
}

// A stream ends as its source does, whoever asks again.
func TestStreamEnds(t *testing.T) {
	c := founded()
	s := stream(t, c.Ledger, export.Options{Height: 3}, c.honest().serve(t))
	for height := range 3 {
		b, err := s.Next(t.Context())
		if err != nil || !bytes.Equal(b.Raw, rehearsal.Encode(c.Blocks[height])) {
			t.Fatal(height, err)
		}
		again := make([]byte, len(b.Raw))
		if err := s.ReadAt(b.File, b.Offset, again); err != nil || !bytes.Equal(again, b.Raw) {
			t.Error(height, err)
		}
	}
	for range 2 {
		if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
}

// A disk that fails is no node's fault: none is named, and no other is asked.
func TestStreamFailingDisk(t *testing.T) {
	c := founded()
	var names told
	s := stream(t, c.Ledger, export.Options{Height: 3, Notice: names.notice}, c.honest().serve(t), c.honest().serve(t))
	left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*"))
	if err != nil || len(left) != 1 {
		t.Fatal(left, err)
	}
	if err := os.RemoveAll(left[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(t.Context()); !errors.Is(err, fs.ErrNotExist) || len(names.all) > 0 {
		t.Errorf("%v, %v", err, names.all)
	}
}

// Two nodes of different organisations give the same record up to one height, whatever each of them has behind it, and though each has seen
// other precommits for the last block: blocks were decided in later rounds, and by other validators.
func TestTheSameFromEveryNode(t *testing.T) {
	c := founded()
	changed := *c.Ledger
	changed.Blocks = rehearsal.Clone(c.Blocks)
	at := len(changed.Blocks) - 3
	changed.Blocks[at].LastCommit.Round = 3
	changed.Blocks[at+1].LastCommit.Round = 1
	changed.Seal(changed.Blocks)
	ours := &chain{&changed, c.epoch}
	height := int64(at + 1)

	seen := func(round int32, absent int) func(h int64, raw []byte) []byte {
		return func(h int64, raw []byte) []byte {
			if h != height+1 {
				return raw
			}
			blocks := rehearsal.Clone(changed.Blocks[:height+1])
			b := blocks[height]
			b.LastCommit.Round = round
			b.LastCommit.Signatures[absent] = cmttypes.NewCommitSigAbsent()
			changed.Seal(blocks)
			return rehearsal.Encode(b)
		}
	}
	league, party := ours.honest(), ours.honest()
	league.have, party.have = height+1, height+2
	league.lie = seen(0, 0) // what a node holds behind the last block is nobody's word yet
	parent := t.TempDir()
	var folders []map[string][]byte
	for name, g := range map[string]*gateway{"league": league, "party": party} {
		folder := filepath.Join(parent, name)
		if _, err := run(t, t.Context(), folder, &changed, export.Options{Height: height}, g); err != nil {
			t.Fatal(name, err)
		}
		expect(t, folder, ours, height)
		folders = append(folders, content(t, folder))
	}
	if !maps.EqualFunc(folders[0], folders[1], bytes.Equal) {
		t.Error("two nodes give two records")
	}
	report, err := audit.Run(t.Context(), os.DirFS(filepath.Join(parent, "party")), audit.Options{})
	if err != nil || !report.Passed {
		t.Errorf("%v, %v", report.Failure(), err)
	}
}
