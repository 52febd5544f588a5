package abci

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/tx"
	"votenode/genesis"
)

// TestApplicationRequirements names, for each numbered requirement of CometBFT's abci++_app_requirements, the test that shows it.
func TestApplicationRequirements(t *testing.T) {
	for _, r := range []struct {
		number int
		name   string
		test   func(t *testing.T)
	}{
		{1, "PrepareProposal, timeliness", requirePromptProposals},
		{2, "PrepareProposal, tx-size", requireProposalSize},
		{3, "PrepareProposal and ProcessProposal, coherence", requireCoherence},
		{4, "ProcessProposal, determinism-1", requireSameVerdictAgain},
		{5, "ProcessProposal, determinism-2", requireSameVerdictElsewhere},
		{6, "ExtendVote and VerifyVoteExtension, coherence", requireNoVoteExtensions},
		{7, "VerifyVoteExtension, determinism-1", requireNoVoteExtensions},
		{8, "VerifyVoteExtension, determinism-2", requireNoVoteExtensions},
		{9, "no side effects", requireNoSideEffects},
		{10, "ExtendVote and FinalizeBlock, non-dependency", requireNoVoteExtensions},
		{11, "FinalizeBlock, determinism-1", requireSameStateElsewhere},
		{12, "FinalizeBlock, determinism-2", requireSameResultsElsewhere},
		{13, "CheckTx, eventual non-oscillation", requireCheckTxSettles},
	} {
		t.Run(fmt.Sprintf("%02d %s", r.number, r.name), r.test)
	}
}

// twins are two nodes with the same state; the second remembers nothing and has an empty pool.
func twins(t *testing.T) (first, second *ledger, b *booth) {
	t.Helper()
	first, second, b = newLedger(t), newLedger(t), newBooth(t)
	plant(first, b)
	plant(second, b)
	if a, b := first.app.ledger.Newest().AppHash(), second.app.ledger.Newest().AppHash(); a != b {
		t.Fatal("the twins differ from the start")
	}
	return first, second, b
}

// Requirement 1: a proposal is chosen without executing it, and only from what is verified already.
func requirePromptProposals(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	l.submit(b.cast(t, 0, 1), publish(1))
	before := l.app.next
	if n := len(l.prepare(math.MaxInt64)); n != 2 {
		t.Errorf("%d transactions", n)
	}
	if l.app.next != before {
		t.Error("the proposal was executed")
	}
}

// Requirement 2: the transactions never take more than MaxTxBytes, framed as CometBFT frames them.
func requireProposalSize(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	for voter := range voters {
		l.submit(b.cast(t, voter, 1))
	}
	one := int64(len(b.cast(t, 0, 2)))
	for size := int64(0); size < 4*one; size += 97 {
		if err := cmttypes.ToTxs(l.prepareWhole(size)).Validate(size); err != nil {
			t.Fatal(err)
		}
	}
}

// Requirement 3: what one node proposes, another accepts. The exception, a block time ahead of the other's clock, is the subject of
// TestAheadOfClock and of docs/adr/0003.
func requireCoherence(t *testing.T) {
	first, second, b := twins(t)
	for voter := range voters {
		first.submit(b.cast(t, voter, 1), publish(voter))
		if voter%5 != 4 {
			continue
		}
		txs := first.prepare(math.MaxInt64)
		if len(txs) == 0 || !second.process(txs...) || !first.process(txs...) {
			t.Fatalf("a proposal of %d transactions is refused", len(txs))
		}
		first.block(txs...)
		second.block(txs...)
	}
}

// blocks are random lists of good and bad transactions.
func blocks(t *testing.T, b *booth, n int) [][][]byte {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var good, all [][]byte
	for i := range 6 {
		good = append(good, b.cast(t, i, 1), publish(i))
	}
	names := faults(t, b)
	var bad [][]byte
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range names {
			if !yield(name) {
				return
			}
		}
	}) {
		bad = append(bad, names[name])
	}
	all = append(slices.Clone(good), bad...)
	var list [][][]byte
	for i := range n {
		from := all
		if i%2 == 0 {
			from = good
		}
		var block [][]byte
		for range random.IntN(6) {
			block = append(block, from[random.IntN(len(from))])
		}
		list = append(list, block)
	}
	return list
}

// Requirement 4: the verdict on a block is the same again, whatever was judged, remembered or taken in between. The two clock rules
// are the exception, see TestLockedAcrossTheEdge.
func requireSameVerdictAgain(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	list := blocks(t, b, 60)
	accepted := 0
	verdicts := make([]bool, len(list))
	for i, block := range list {
		if verdicts[i] = l.process(block...); verdicts[i] {
			accepted++
		}
	}
	if accepted == 0 || accepted == len(list) {
		t.Fatalf("%d of %d blocks are accepted", accepted, len(list))
	}
	l.submit(b.cast(t, 20, 1), publish(99))
	for i := range list {
		if i%3 == 0 {
			l.forget()
		}
		at := len(list) - 1 - i
		if got := l.process(list[at]...); got != verdicts[at] {
			t.Fatalf("block %d: %v, and then %v", at, verdicts[at], got)
		}
	}
}

// Requirement 5: two nodes with the same state agree on every block.
func requireSameVerdictElsewhere(t *testing.T) {
	first, second, b := twins(t)
	for i, block := range blocks(t, b, 60) {
		first.submit(block...)
		if i%2 == 0 {
			second.forget()
		}
		if f, s := first.process(block...), second.process(block...); f != s {
			t.Fatalf("block %d: %v here, %v there", i, f, s)
		}
	}
}

// Requirements 6, 7, 8 and 10: vote extensions are off, in genesis and for ever, so there is nothing that could disagree.
func requireNoVoteExtensions(t *testing.T) {
	l := newLedger(t)
	params := genesis.ConsensusParams(&l.doc.Parameters)
	if params.ABCI.VoteExtensionsEnableHeight != 0 {
		t.Error("vote extensions are on")
	}
	res, err := l.app.ExtendVote(context.Background(), &abcitypes.RequestExtendVote{Height: 1})
	if err != nil || len(res.VoteExtension) != 0 {
		t.Error("a vote is extended")
	}
	verdict, err := l.app.VerifyVoteExtension(context.Background(), &abcitypes.RequestVerifyVoteExtension{Height: 1})
	if err != nil || !verdict.IsAccepted() {
		t.Error("an empty extension is refused")
	}
}

// Requirement 9: proposals, checks and queries, and a block that is executed and not committed, leave the state as it was.
func requireNoSideEffects(t *testing.T) {
	first, second, b := twins(t)
	txs := [][]byte{b.cast(t, 0, 1), publish(1)}
	before := first.app.ledger.Newest()
	first.submit(txs...)
	first.prepare(math.MaxInt64)
	first.process(txs...)
	for _, block := range blocks(t, b, 10) {
		first.process(block...)
	}
	first.finalize(publish(7))
	first.time -= 1e9
	if first.app.ledger.Newest() != before || first.height() != 1 {
		t.Error("the state has changed without a commit")
	}
	if f, s := first.finalize(txs...), second.finalize(txs...); !bytes.Equal(f.AppHash, s.AppHash) {
		t.Error("the next state depends on what was proposed, checked or executed in vain")
	}
}

// requireSame executes the same blocks, bad transactions among them, on a node that has seen them as proposals and on one that has
// not, with other numbers of cores, and compares what compare returns.
func requireSame(t *testing.T, compare func(*abcitypes.ResponseFinalizeBlock) string) {
	first, second, b := twins(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for i, block := range blocks(t, b, 20) {
		runtime.GOMAXPROCS(1 + i%4)
		first.process(block...)
		f := first.finalize(block...)
		first.commit()
		runtime.GOMAXPROCS(4 - i%4)
		second.forget()
		s := second.finalize(block...)
		second.commit()
		if f, s := compare(f), compare(s); f != s {
			t.Fatalf("block %d: %s here, %s there", i, f, s)
		}
	}
}

// Requirement 11: the state depends on the state before and the block alone.
func requireSameStateElsewhere(t *testing.T) {
	requireSame(t, func(r *abcitypes.ResponseFinalizeBlock) string { return fmt.Sprintf("%x", r.AppHash) })
}

// Requirement 12: so do the results, in what CometBFT hashes of them, and beyond.
func requireSameResultsElsewhere(t *testing.T) {
	requireSame(t, func(r *abcitypes.ResponseFinalizeBlock) string {
		return fmt.Sprintf("%x %v %v %v", cmttypes.NewResults(r.TxResults).Hash(), r.TxResults, r.ValidatorUpdates, r.ConsensusParamUpdates)
	})
}

// Requirement 13: from some height on CheckTx gives the same answer at every height, on every node.
func requireCheckTxSettles(t *testing.T) {
	first, second, b := twins(t)
	ballot, document := b.cast(t, 0, 1), publish(1)
	check := func(l *ledger, raw []byte) tx.Code {
		res, err := l.app.CheckTx(context.Background(), &abcitypes.RequestCheckTx{Tx: raw})
		if err != nil {
			t.Fatal(err)
		}
		return tx.Code(res.Code)
	}
	for _, raw := range [][]byte{ballot, document} {
		for range 2 {
			if check(first, raw) != tx.CodeOK {
				t.Fatal("a good transaction is refused")
			}
		}
	}
	for height := range 4 {
		first.block(ballot, document)
		second.block(ballot, document)
		for _, raw := range [][]byte{ballot, document} {
			if f, s := check(first, raw), check(second, raw); f != tx.CodeAlreadyDone || s != tx.CodeAlreadyDone {
				t.Errorf("%d heights later: %v here, %v there", height, f, s)
			}
		}
	}
}
