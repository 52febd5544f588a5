package node

import (
	"encoding/binary"
	"fmt"
	"sync"

	cmttypes "github.com/cometbft/cometbft/types"
	"google.golang.org/protobuf/encoding/protowire"

	"votenode/app/state"
)

// parts is what this file needs of CometBFT's store of blocks.
type parts interface {
	LoadBlockMeta(height int64) *cmttypes.BlockMeta
	LoadBlockPart(height int64, index int) *cmttypes.Part
}

// leavesInBlocks keeps the state in a store, but for the leaves that are transactions of their block, as ballots are: CometBFT keeps
// every block for ever, and a ballot need not lie on the disk twice. In place of such a leaf stands a reference. CometBFT has
// stored a block before the application executes it, so at no crash point is there a reference without its block. Leaves are
// written once, so a reference is good at every later height.
//
// The value of a leaf begins with a byte: leafWhole before the leaf itself, leafInBlock before a reference, which is three uvarints: the
// block's height, where the leaf begins in the block's encoding, and its length.
type leavesInBlocks struct {
	state.Backend
	blocks parts

	mu     sync.Mutex
	recent [recentParts]*blockPart // of those read last, by number
}

const (
	leafWhole   = 0
	leafInBlock = 1

	partSize = int(cmttypes.BlockPartSizeBytes)
	// recentParts is how many parts of blocks are remembered, for leaves are mostly read in order.
	recentParts = 64
)

// blockPart is a part of a block's encoding.
type blockPart struct {
	height int64
	index  int
	bytes  []byte
}

func newLeavesInBlocks(b state.Backend, blocks parts) *leavesInBlocks {
	return &leavesInBlocks{Backend: b, blocks: blocks}
}

// Commit implements state.Backend.
func (l *leavesInBlocks) Commit(height int64, changes []state.Change) error {
	places, err := l.transactions(height)
	if err != nil {
		return err
	}
	kept := make([]state.Change, len(changes))
	for i, c := range changes {
		if kept[i] = c; !state.IsLeafKey(c.Key) {
			continue
		}
		if at, ok := places[string(c.Value)]; ok {
			kept[i].Value = reference(height, at, len(c.Value))
		} else {
			kept[i].Value = append([]byte{leafWhole}, c.Value...)
		}
	}
	return l.Backend.Commit(height, kept)
}

func reference(height int64, at, length int) []byte {
	b := binary.AppendUvarint([]byte{leafInBlock}, uint64(height))
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(at)), uint64(length))
}

// transactions returns where the transactions of a block begin in its encoding; none where there is no such block.
func (l *leavesInBlocks) transactions(height int64) (map[string]int, error) {
	meta := l.blocks.LoadBlockMeta(height)
	if meta == nil {
		return nil, nil
	}
	var block []byte
	for i := range int(meta.BlockID.PartSetHeader.Total) {
		part := l.blocks.LoadBlockPart(height, i)
		if part == nil {
			return nil, fmt.Errorf("%w: block %d lacks part %d", state.ErrCorrupted, height, i)
		}
		block = append(block, part.Bytes...)
	}
	places := map[string]int{}
	err := fields(block, func(number protowire.Number, data []byte, start int) error {
		const dataOfBlock, txsOfData = 2, 1
		if number != dataOfBlock {
			return nil
		}
		return fields(data, func(number protowire.Number, raw []byte, at int) error {
			if number == txsOfData {
				places[string(raw)] = start + at
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("%w: block %d: %w", state.ErrCorrupted, height, err)
	}
	return places, nil
}

// fields calls fn for the fields of a message that are byte strings or messages, with where they begin.
func fields(message []byte, fn func(number protowire.Number, value []byte, at int) error) error {
	for at := 0; at < len(message); {
		number, kind, n := protowire.ConsumeTag(message[at:])
		if n < 0 {
			return protowire.ParseError(n)
		}
		at += n
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, message[at:]); n < 0 {
				return protowire.ParseError(n)
			}
			at += n
			continue
		}
		value, n := protowire.ConsumeBytes(message[at:])
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := fn(number, value, at+n-len(value)); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// At implements state.Backend.
func (l *leavesInBlocks) At(height int64) (state.Reader, error) {
	r, err := l.Backend.At(height)
	if err != nil {
		return nil, err
	}
	return &leavesReader{r, l}, nil
}

// leavesReader reads one height. Nobody iterates over leaves, which it would show as they are stored.
type leavesReader struct {
	state.Reader
	leaves *leavesInBlocks
}

// Get implements state.Reader.
func (r *leavesReader) Get(key []byte) ([]byte, error) {
	value, err := r.Reader.Get(key)
	if err != nil || value == nil || !state.IsLeafKey(key) {
		return value, err
	}
	leaf, err := r.leaves.leaf(value)
	if err != nil {
		return nil, fmt.Errorf("%w: leaf %q: %w", state.ErrCorrupted, key, err)
	}
	return leaf, nil
}

// leaf returns the leaf that a stored value stands for.
func (l *leavesInBlocks) leaf(value []byte) ([]byte, error) {
	if len(value) > 0 && value[0] == leafWhole {
		return value[1:], nil
	}
	if len(value) == 0 || value[0] != leafInBlock {
		return nil, fmt.Errorf("neither a leaf nor a reference: %x", value)
	}
	var numbers [3]uint64
	rest := value[1:]
	for i := range numbers {
		number, n := binary.Uvarint(rest)
		if n <= 0 || number > 1<<62 {
			return nil, fmt.Errorf("the reference %x is cut", value)
		}
		numbers[i], rest = number, rest[n:]
	}
	height, at, end := int64(numbers[0]), int(numbers[1]), int(numbers[1]+numbers[2])
	leaf := make([]byte, 0, min(numbers[2], maxTxBytes))
	for at < end {
		part, err := l.part(height, at/partSize)
		if err != nil {
			return nil, err
		}
		from := at % partSize
		to := min(len(part), from+end-at)
		if to <= from {
			return nil, fmt.Errorf("block %d ends before %d", height, end)
		}
		leaf = append(leaf, part[from:to]...)
		at += to - from
	}
	return leaf, nil
}

// part returns a part of a block.
func (l *leavesInBlocks) part(height int64, index int) ([]byte, error) {
	slot := &l.recent[(uint64(height)*7+uint64(index))%recentParts]
	l.mu.Lock()
	known := *slot
	l.mu.Unlock()
	if known != nil && known.height == height && known.index == index {
		return known.bytes, nil
	}
	part := l.blocks.LoadBlockPart(height, index)
	if part == nil {
		return nil, fmt.Errorf("part %d of block %d is not there", index, height)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	*slot = &blockPart{height, index, part.Bytes}
	return part.Bytes, nil
}
