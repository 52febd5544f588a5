package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/genesis"
	"votenode/internal/rehearsal"
	"votenode/internal/testnet"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
)

// everybody are the validators of a rehearsed ledger.
var everybody = []string{"league validator 1", "league validator 2", "party validator 1", "party validator 2"}

// branch returns what shows the state of a height with another header after it, signed by some.
func branch(t *testing.T, l *rehearsal.Ledger, height int64, change func(h *cmttypes.Header), signers ...string) *pb.LedgerState {
	t.Helper()
	shown := l.LedgerState(height)
	var keys []cmted25519.PrivKey
	for _, name := range signers {
		keys = append(keys, cmted25519.PrivKey(rehearsal.Key(name)))
	}
	child := testnet.SignHeader(t, shown.State.Children[0].Header, change, keys...)
	return &pb.LedgerState{Genesis: shown.Genesis, Epochs: shown.Epochs, State: &pb.CertifiedState{Children: []*pb.SignedHeader{child}}}
}

// keepFile writes a proof file.
func keepFile(t *testing.T, name string, f *pb.ProofFile) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	data, err := prooffile.JSON(f)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestVerifyFork: two files that contradict each other name whoever signed both, by key; files that do not verify or show no fork are
// refused, and it is said why.
func TestVerifyFork(t *testing.T) {
	l := rehearsal.New(t)
	for range 8 {
		l.Make(1)
	}
	hash := genesis.Hash(l.Genesis)
	known := "--genesis-hash=" + hex.EncodeToString(hash[:])
	state := func(name string, s *pb.LedgerState) string { return keepFile(t, name, prooffile.OfState(s)) }
	otherState := func(h *cmttypes.Header) { h.AppHash = slices.Clone(h.AppHash); h.AppHash[0] ^= 1 }
	otherBlock := func(h *cmttypes.Header) { otherState(h); h.LastBlockID.Hash = slices.Clone(h.AppHash) }

	good := state("good.json", l.LedgerState(5))
	receipt := keepFile(t, "receipt.json", prooffile.OfReceipt(&pb.Receipt{Ledger: l.LedgerState(5)}))
	lying := state("lying.json", branch(t, l, 5, otherBlock, everybody[:3]...))
	for name, test := range map[string]struct {
		a, b   string
		signed []string // of shownFork.Keys
		differ []string
		words  []string
	}{
		"both certified": {good, state("b.json", branch(t, l, 5, otherState, everybody...)), everybody, []string{"AppHash"}, []string{
			"They differ in: the state after the block (AppHash).", "nothing on this ledger can be believed", "20 of 20 power signed on both branches, which is more than 1/3",
		}},
		"one committed": {receipt, lying, everybody[:3], []string{"LastBlockID", "AppHash"}, []string{
			"the block itself (LastBlockID)", "committed, not certified: league signed with 20 of 20 power, party signed with 10 of 20 power",
			"not accused", "  party validator 1, with 10 power: the key ",
		}},
		"neither certified": {lying, state("b.json", branch(t, l, 5, otherState, everybody[0], everybody[1], everybody[3])), everybody[:2], []string{"LastBlockID"}, []string{
			"Of party, validators with 0 of 20 power signed on both branches, which is not more than 1/3",
		}},
		"one signed twice": {good, state("b.json", branch(t, l, 5, otherState, everybody[3])), everybody[3:], []string{"AppHash"}, []string{
			"neither certified nor committed: league signed with 0 of 20 power", "which is more than 1/3",
		}},
	} {
		code, stdout, stderr := votenode("verify", "fork", test.a, test.b, known)
		if code != exitOK || stderr != "" {
			t.Fatalf("%s: exit %d\n%s\n%s", name, code, stdout, stderr)
		}
		for _, want := range append(test.words, test.a+": block ", test.b+": block ", "two states after block 5 contradict each other") {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: %q is missing in\n%s", name, want, stdout)
			}
		}
		code, stdout, _ = votenode("verify", "fork", test.a, test.b, known, "--json")
		var data shownFork
		if err := json.Unmarshal([]byte(stdout), &data); err != nil || code != exitOK || data.Height != 5 || data.Bound != "1/3" || !slices.Equal(data.Differ, test.differ) {
			t.Errorf("%s: %v, exit %d\n%s", name, err, code, stdout)
		}
		var named []string
		for _, k := range data.Keys {
			named = append(named, k.Name)
			if k.Power != 10 || k.Key != hex.EncodeToString(rehearsal.Key(k.Name)[32:]) || !strings.HasPrefix(k.Name, k.Organisation) {
				t.Errorf("%s: %+v", name, k)
			}
		}
		if slices.Sort(named); !slices.Equal(named, test.signed) {
			t.Errorf("%s: named are %q", name, named)
		}
	}

	damaged := branch(t, l, 5, otherState, everybody...)
	damaged.State.Children[0].Precommits[0].Signature[0] ^= 1
	promise := keepFile(t, "promise.json", prooffile.OfPromise(&pb.Promise{}))
	elsewhere := rehearsal.New(t, func(g *pb.Genesis) { g.Time++ })
	for range 7 {
		elsewhere.Make(1)
	}
	for name, test := range map[string]struct{ a, b, why string }{
		"the same file":      {good, good, "both are of the same branch, at height 5"},
		"the same state":     {good, state("b.json", branch(t, l, 5, func(h *cmttypes.Header) { h.Time = h.Time.Add(1) }, everybody...)), "both are of the same branch"},
		"other heights":      {good, state("b.json", l.LedgerState(4)), "fetch the state of height 4 of the other branch, from a node that shows that of " + good + ", with: votenode state 4 "},
		"heights turned":     {state("b.json", l.LedgerState(4)), good, "from a node that shows that of " + good},
		"nobody signed both": {lying, state("b.json", branch(t, l, 5, otherState, everybody[3])), "b.json is neither certified nor committed, and anybody can have made it up"},
		"a bad signature":    {good, state("b.json", damaged), "b.json: a precommit does not hold"},
		"a promise":          {good, promise, "shows no state"},
		"another ledger":     {good, state("b.json", elsewhere.LedgerState(5)), "with the genesis hash"},
		"no proof file":      {good, "fork_test.go", "not a proof file"},
	} {
		if code, stdout, stderr := votenode("verify", "fork", test.a, test.b, known); code != exitVerification || stdout != "" || !strings.Contains(stderr, test.why) {
			t.Errorf("%s: exit %d\n%s\n%s", name, code, stdout, stderr)
		}
	}
	if code, _, _ := votenode("verify", "fork", good, "nowhere.json", known); code != exitError {
		t.Errorf("a file that is not there: exit %d", code)
	}
	for _, args := range [][]string{{"verify", "fork", good, known}, {"verify", "fork", good, good, "--genesis-hash=1"}, {"state", "0", known, "--node=127.0.0.1:1"}, {"state", "-", known, "--node=127.0.0.1:1"}} {
		if code, _, stderr := votenode(args...); code != exitUsage {
			t.Errorf("%q: exit %d, %s", args, code, stderr)
		}
	}
}
