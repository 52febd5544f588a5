package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"votenode/client"
	"votenode/crypto/ballot"
	"votenode/internal/testnet"
	"votenode/internal/town"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
	"votenode/verify/prooffile"
	"votenode/verify/receipt"
)

// victim is a voter whose node a lying league has cut off, on a network whose other half is shown another ledger.
type victim struct {
	*testing.T
	net    *testnet.Network
	p1, p2 *testnet.Node
	known  string // the flag of the genesis hash
	folder string
	code   [32]byte // of the ballot
	height int64    // of the state of the receipt
}

// TestVictim: voting is open; then all validators of the league run twice and cut the party's nodes apart. A voter casts a ballot through
// P1 and gets a receipt. It says that the ballot is committed and not certified, and no certified one ever comes. The state of the same
// height from P2, where nobody has the ballot, contradicts it, and the two files name the validators of the league and nobody else.
func TestVictim(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	t.Parallel()
	n := testnet.New(t, testnet.Options{Commit: 100 * time.Millisecond})
	n.Start()
	n.WaitHeight(3)
	w := town.New(t, n)
	w.Create()
	key, err := ballot.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.Seal(key)
	w.Ceremony()

	l1, l2, p1, p2 := n.Nodes[0], n.Nodes[1], n.Nodes[2], n.Nodes[3]
	v := &victim{T: t, net: n, p1: p1, p2: p2, known: "--genesis-hash=" + hex.EncodeToString(n.Hash[:]), folder: t.TempDir()}
	prepared := v.prepares(key)
	n.Stop()
	n.Partition([]*testnet.Node{p1, l1, l2}, []*testnet.Node{p2, n.Twin(0), n.Twin(1)})
	n.Start()
	v.casts(prepared)
	receipt := v.receipt()
	v.neverCertified()
	other := v.otherSide()
	v.names(receipt, other, testnet.SortedValidators([]pb.Validator{l1.Validator, l2.Validator}))
	v.whatShowsNoFork(receipt)
}

func (v *victim) file(name string) string { return filepath.Join(v.folder, name) }

// runs executes a command line, and ends the test unless it ends with this exit code. It returns both outputs.
func (v *victim) runs(want int, args ...string) string {
	v.Helper()
	code, stdout, stderr := votenode(args...)
	if code != want {
		v.Fatalf("%q: exit %d\n%s\n%s", args, code, stdout, stderr)
	}
	return stdout + stderr
}

// prepares encrypts a ballot, before the cut: a node that was started again behind it has no certified state from which a client could
// prove roll and keys. Only P1 is asked.
func (v *victim) prepares(key *ballot.SecretKey) *client.Prepared {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.Context(), testnet.Patience)
	defer cancel()
	l, err := client.Open(ctx, v.net.Hash, []string{v.p1.Gateway()}, nil)
	if err != nil {
		v.Fatal(err)
	}
	voter := client.Voter{Ledger: l, Election: town.Election, Index: 0, Key: key}
	p, err := voter.Prepare(ctx, [][]int{{1}}, rand.Reader)
	if err != nil {
		v.Fatal(err)
	}
	v.code = p.Code()
	return p
}

// casts brings the ballot into a block of P1's side.
func (v *victim) casts(p *client.Prepared) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.Context(), testnet.Patience)
	defer cancel()
	if err := p.Cast(ctx, client.WaitCommitted); err != nil {
		v.Fatal(err)
	}
}

// receipt fetches the receipt from P1, and returns its file. It proves that the ballot is recorded, and says what that is worth.
func (v *victim) receipt() string {
	v.Helper()
	path := v.file("receipt.json")
	v.runs(exitOK, "voter", "receipt", v.known, "--node", v.p1.Gateway(), "--election", town.Election, "--roll-index", "0",
		"--code", ballot.FormatCode(v.code), "--wait", "committed", "--out", path)
	told := v.runs(exitOK, "verify", "receipt", path, v.known, "--voter", "0")
	for _, want := range []string{"committed, not certified", "league signed with 2 of 2 power, party signed with 1 of 2 power", "could still show others another ledger"} {
		if !strings.Contains(told, want) {
			v.Errorf("%q is missing in\n%s", want, told)
		}
	}
	file, err := readProofFile(path)
	if err != nil {
		v.Fatal(err)
	}
	found, err := receipt.Verify(v.net.Hash, 0, time.Now(), file.Content.(*pb.ProofFile_Receipt).Receipt)
	if err != nil || found.Code != v.code || !found.State.Committed || found.State.Certified || found.Standing != receipt.Counts || found.Signed() != "committed, not certified" {
		v.Fatalf("%+v, %v", found, err)
	}
	v.height = found.State.Height
	return path
}

// neverCertified asks P1 for a certified receipt for as long as its side commits some more heights. By then its status has an alarm.
func (v *victim) neverCertified() {
	v.Helper()
	n, err := client.NewNode(v.p1.Gateway())
	if err != nil {
		v.Fatal(err)
	}
	ctx, enough := context.WithCancel(v.Context())
	defer enough()
	asked := make(chan error, 1)
	go func() {
		_, err := n.Receipt(ctx, town.Election, v.code, true)
		asked <- err
	}()
	v.p1.WaitHeight(v.height + 22)
	enough()
	if err := <-asked; !errors.Is(err, context.Canceled) {
		v.Errorf("a certified receipt on a branch: %v", err)
	}
	told := v.runs(exitOK, "status", "--node", v.p1.Gateway())
	if !strings.Contains(told, "alarm      blocks are committed, but nothing is certified since height ") || !strings.Contains(told, ": party signs with 1 of 2 power") {
		v.Errorf("the status of P1:\n%s", told)
	}
}

// otherSide returns the file of the state of the receipt's height as P2 shows it. P2 knows nothing of the ballot.
func (v *victim) otherSide() string {
	v.Helper()
	v.p2.WaitHeight(v.height + 2)
	path := v.file("other.json")
	told := v.runs(exitOK, "state", fmt.Sprint(v.height), v.known, "--node", v.p2.Gateway(), "--out", path)
	if !strings.Contains(told, "is committed, not certified: league signed with 2 of 2 power, party signed with 1 of 2 power") {
		v.Errorf("the state of the other side: %s", told)
	}
	n, err := client.NewNode(v.p2.Gateway())
	if err != nil {
		v.Fatal(err)
	}
	if leaf, err := n.Voter(v.Context(), town.Election, 0, 0); err != nil || len(leaf.Leaf) != 0 {
		v.Errorf("the voter on the other side: %+v, %v", leaf, err)
	}
	return path
}

// names: both files contradict each other, and those who signed both are exactly the liars, by FindFork and by the command.
func (v *victim) names(a, b string, liars []pb.Validator) {
	v.Helper()
	var sides [2]*certified.State
	for i, path := range []string{a, b} {
		file, err := readProofFile(path)
		if err == nil {
			_, sides[i], err = certified.FromLedgerState(v.net.Hash, prooffile.State(file))
		}
		if err != nil {
			v.Fatal(err)
		}
	}
	fork, err := certified.FindFork(sides[0], sides[1])
	if err != nil || !slices.EqualFunc(fork.Both, liars, func(a, b pb.Validator) bool { return bytes.Equal(a.Key, b.Key) }) {
		v.Fatalf("%+v, %v", fork, err)
	}
	told := v.runs(exitOK, "verify", "fork", a, b, v.known)
	wants := []string{"They differ in: ", "Of league, validators with 2 of 2 power signed on both branches, which is more than 1/3", "Of party, validators with 0 of 2 power", "not accused"}
	for _, l := range liars {
		wants = append(wants, fmt.Sprintf("  %s, with 1 power: the key %x\n", l.Name, l.Key))
	}
	for _, want := range wants {
		if !strings.Contains(told, want) {
			v.Errorf("%q is missing in\n%s", want, told)
		}
	}
	if strings.Contains(told, "party-") {
		v.Errorf("one of the party is named:\n%s", told)
	}
	var data shownFork
	if err := json.Unmarshal([]byte(v.runs(exitOK, "verify", "fork", a, b, v.known, "--json")), &data); err != nil {
		v.Fatal(err)
	}
	if len(data.Keys) != 2 || data.Height != v.height || data.Sides[0].Block == data.Sides[1].Block || data.Sides[1].Certified || !data.Sides[1].Committed {
		v.Errorf("%+v", data)
	}
}

// whatShowsNoFork: another receipt-side state of P1 is on the same branch, and what both sides had before the cut is the same.
func (v *victim) whatShowsNoFork(receipt string) {
	v.Helper()
	for _, test := range []struct {
		height int64
		from   *testnet.Node
		name   string
		format string
	}{
		{v.height, v.p1, "same", "json"}, {v.height + 1, v.p1, "later", "protobuf"}, {2, v.p1, "common-1", "json"}, {2, v.p2, "common-2", "protobuf"},
	} {
		v.runs(exitOK, "state", fmt.Sprint(test.height), v.known, "--node", test.from.Gateway(), "--out", v.file(test.name), "--format", test.format)
	}
	for _, test := range []struct{ a, b, why string }{
		{receipt, v.file("same"), "both are of the same branch"},
		{v.file("common-1"), v.file("common-2"), "both are of the same branch"},
		{receipt, v.file("later"), fmt.Sprintf("votenode state %d ", v.height)},
	} {
		if told := v.runs(exitVerification, "verify", "fork", test.a, test.b, v.known); !strings.Contains(told, test.why) {
			v.Errorf("%s", told)
		}
	}
	v.runs(exitError, "state", fmt.Sprint(v.height+1_000_000), v.known, "--node", v.p1.Gateway(), "--out", v.file("future"))
}
