package node

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/state"
)

// storedBlocks are blocks cut into parts.
type storedBlocks struct {
	sets map[int64]*cmttypes.PartSet
	read int
}

func (s *storedBlocks) LoadBlockMeta(height int64) *cmttypes.BlockMeta {
	if s.sets[height] == nil {
		return nil
	}
	return &cmttypes.BlockMeta{BlockID: cmttypes.BlockID{PartSetHeader: s.sets[height].Header()}}
}

func (s *storedBlocks) LoadBlockPart(height int64, index int) *cmttypes.Part {
	s.read++
	if set := s.sets[height]; set == nil || index < 0 || index >= int(set.Total()) {
		return nil
	}
	return s.sets[height].GetPart(index)
}

// block stores a block of transactions.
func (s *storedBlocks) block(t *testing.T, height int64, txs ...[]byte) {
	t.Helper()
	b := cmttypes.MakeBlock(height, cmttypes.ToTxs(txs), &cmttypes.Commit{}, nil)
	b.Header.ValidatorsHash, b.Header.ProposerAddress = make([]byte, 32), make([]byte, 20)
	b.Header.ChainID = "leaves"
	message, err := b.ToProto()
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := message.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s.sets[height] = cmttypes.NewPartSetFromData(encoded, cmttypes.BlockPartSizeBytes)
}

// TestLeavesInBlocks: leaves that are transactions of their block are read from it, wherever the parts are cut; all others, and all in a
// height without a block, are kept as they are.
func TestLeavesInBlocks(t *testing.T) {
	blocks, memory := &storedBlocks{sets: map[int64]*cmttypes.PartSet{}}, new(state.Memory)
	ledger, err := state.Open(newLeavesInBlocks(memory, blocks))
	if err != nil {
		t.Fatal(err)
	}
	var leaves [][]byte
	const heights, each = 5, 200
	for height := range int64(heights) {
		var txs [][]byte
		draft := ledger.NewGenesis()
		if height > 0 {
			draft = ledger.NewDraft()
		}
		for i := range each {
			leaf := bytes.Repeat([]byte{byte(height), byte(i), 7}, 1+i*3)
			leaf = fmt.Appendf(leaf, "%d/%d", height, i)
			if i%3 > 0 {
				txs = append(txs, leaf)
			}
			if i == 50 {
				leaf = nil
			}
			draft.Append("ballots", leaf)
			leaves = append(leaves, leaf)
		}
		if height > 0 { // the genesis has no block
			blocks.block(t, height, txs...)
		}
		finished, err := draft.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if err := ledger.Commit(finished); err != nil {
			t.Fatal(err)
		}
	}
	if n := blocks.sets[1].Total(); n < 2 {
		t.Fatal("the block has only one part")
	}
	check := func(s *state.Snapshot) {
		t.Helper()
		for i, want := range leaves {
			if got, err := s.Leaf("ballots", uint64(i)); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("leaf %d has %d bytes, not %d: %v", i, len(got), len(want), err)
			}
		}
	}
	check(ledger.Newest())
	again, err := state.Open(newLeavesInBlocks(memory, blocks))
	if err != nil {
		t.Fatal(err)
	}
	blocks.read = 0
	check(again.Newest())
	if total := int(heights * blocks.sets[1].Total()); blocks.read == 0 || blocks.read > 2*total {
		t.Errorf("%d parts were read, of %d", blocks.read, total)
	}
	small := 0
	r, err := memory.At(heights - 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Iterate(nil, func(key, value []byte) error {
		if state.IsLeafKey(key) && value[0] == leafInBlock {
			if small++; len(value) > 12 {
				t.Errorf("a reference of %d bytes", len(value))
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if small < (heights-1)*each*3/5 {
		t.Errorf("only %d leaves are references", small)
	}
	delete(blocks.sets, 2)
	lost, err := state.Open(newLeavesInBlocks(memory, blocks))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lost.Newest().Leaf("ballots", 2*each+1); !errors.Is(err, state.ErrCorrupted) {
		t.Error("a block that is not there:", err)
	}
}

// TestLeafReferences: what is no reference is never taken for a leaf.
func TestLeafReferences(t *testing.T) {
	blocks := &storedBlocks{sets: map[int64]*cmttypes.PartSet{}}
	blocks.block(t, 3, []byte("a transaction"))
	size := len(blocks.sets[3].GetPart(0).Bytes)
	l := newLeavesInBlocks(new(state.Memory), blocks)
	places, err := l.transactions(3)
	if err != nil || len(places) != 1 {
		t.Fatal(places, err)
	}
	good := reference(3, places["a transaction"], len("a transaction"))
	if leaf, err := l.leaf(good); err != nil || string(leaf) != "a transaction" {
		t.Fatal(string(leaf), err)
	}
	for name, value := range map[string][]byte{
		"nothing": {}, "no kind": {2}, "cut": good[:len(good)-1], "another block": reference(4, 0, 1),
		"behind the block": reference(3, size, 1), "beyond the block": reference(3, size-1, 2), "far beyond": reference(3, 1<<40, 1), "huge": reference(3, 0, 1<<60),
	} {
		if leaf, err := l.leaf(value); err == nil {
			t.Errorf("%s: %q", name, leaf)
		}
	}
}
