package abci

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"

	dbm "github.com/cometbft/cometbft-db"
	abcitypes "github.com/cometbft/cometbft/abci/types"

	"votenode/app/tx"
)

// Result is what came of a transaction.
type Result struct {
	// Height of the block, 0 where the transaction stands in none: it waited in this node's pool and was given up.
	Height int64
	// Index in the block.
	Index uint32
	Code  tx.Code
	// Detail is for people, at most maxDetail bytes.
	Detail string
}

const (
	maxDetail = 256
	// maxGivenUp bounds how many transactions are remembered that were given up.
	maxGivenUp = 10_000
)

// BlockOutcome is what a block did: the codes of its transactions, in order, and its events. All nodes have the same for a height, and
// the codes hash to LastResultsHash of the next header.
type BlockOutcome struct {
	Codes  []tx.Code
	Events []abcitypes.Event
}

// Results is the index from the hash of a transaction to what came of it, and from a height to the outcome of its block. Nothing hashes it
// and no transition reads it. A transaction's key is its hash, a height's is outcomeKey.
//
// A block's results are readable as soon as the block is committed, and are written behind the commit, in one synced batch. At
// most one block is being written: FinalizeBlock of the next height ends only after. So a killed node lacks at most the results
// of the block that it committed last, which CometBFT still holds as its last response: Application.Recover adds them again at
// the next start.
type Results struct {
	db dbm.DB

	mu     sync.Mutex
	newest map[[32]byte]Result // of the block being written, or last written
	height int64               // of that block, 0 before
	last   *BlockOutcome       // of that block
	given  map[[32]byte]Result // given up, bounded by maxGivenUp
	queue  [][32]byte          // of given, oldest first
	failed error               // of the last write

	writing sync.WaitGroup // one block at most
}

// NewResults opens the index over a database, which it closes.
func NewResults(db dbm.DB) *Results { return &Results{db: db, given: map[[32]byte]Result{}} }

// Find returns what came of a transaction. One that stands in several blocks, as anybody may bring it again, is shown where it
// took effect, if it did.
func (r *Results) Find(hash [32]byte) (Result, bool) {
	r.mu.Lock()
	newest, inNewest := r.newest[hash]
	given, inGiven := r.given[hash]
	r.mu.Unlock()
	if inNewest && newest.Code == tx.CodeOK {
		return newest, true
	}
	if stored, ok := r.stored(hash); ok && (stored.Code == tx.CodeOK || !inNewest) {
		return stored, true
	}
	if inNewest {
		return newest, true
	}
	return given, inGiven
}

func (r *Results) stored(hash [32]byte) (Result, bool) {
	b, err := r.db.Get(hash[:])
	if err != nil || len(b) < 16 {
		return Result{}, false
	}
	return Result{
		Height: int64(binary.BigEndian.Uint64(b)),
		Index:  binary.BigEndian.Uint32(b[8:]),
		Code:   tx.Code(binary.BigEndian.Uint32(b[12:])),
		Detail: string(b[16:]),
	}, true
}

// Outcome returns what the block of a height did, nil where that is not stored: no such block, or one that came into the home without
// being executed here.
func (r *Results) Outcome(height int64) (*BlockOutcome, error) {
	r.mu.Lock()
	newest, last := r.height, r.last
	r.mu.Unlock()
	if height == newest && last != nil {
		return last, nil
	}
	b, err := r.db.Get(outcomeKey(height))
	if err != nil || b == nil {
		return nil, err
	}
	var stored abcitypes.ResponseFinalizeBlock
	if err := stored.Unmarshal(b); err != nil {
		return nil, fmt.Errorf("the stored outcome of block %d: %w", height, err)
	}
	o := &BlockOutcome{Codes: make([]tx.Code, len(stored.TxResults)), Events: stored.Events}
	for i, result := range stored.TxResults {
		o.Codes[i] = tx.Code(result.Code)
	}
	return o, nil
}

// bytes encodes an outcome as the part of CometBFT's response that it is.
func (o *BlockOutcome) bytes() ([]byte, error) {
	stored := abcitypes.ResponseFinalizeBlock{Events: o.Events, TxResults: make([]*abcitypes.ExecTxResult, len(o.Codes))}
	for i, code := range o.Codes {
		stored.TxResults[i] = &abcitypes.ExecTxResult{Code: uint32(code)}
	}
	return stored.Marshal()
}

// outcomeKey is shorter than a hash, so no transaction has it.
func outcomeKey(height int64) []byte {
	return binary.BigEndian.AppendUint64([]byte("height"), uint64(height))
}

// Add makes the results of a committed block readable, by the hashes of its transactions in order, and begins to write them.
func (r *Results) Add(height int64, hashes [][32]byte, results []Result, events []abcitypes.Event) {
	r.writing.Wait()
	newest := make(map[[32]byte]Result, len(hashes))
	outcome := &BlockOutcome{Codes: make([]tx.Code, len(results)), Events: events}
	for i, h := range hashes {
		outcome.Codes[i] = results[i].Code
		if old, twice := newest[h]; !twice || old.Code != tx.CodeOK {
			newest[h] = results[i]
		}
	}
	r.mu.Lock()
	r.newest, r.height, r.last = newest, height, outcome
	for h := range newest {
		delete(r.given, h)
	}
	r.mu.Unlock()
	r.writing.Add(1)
	go func() {
		defer r.writing.Done()
		err := r.write(height, newest, outcome)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.failed = err
	}()
}

func (r *Results) write(height int64, results map[[32]byte]Result, outcome *BlockOutcome) error {
	batch := r.db.NewBatch()
	defer batch.Close()
	encoded, err := outcome.bytes()
	if err != nil {
		return err
	}
	if err := batch.Set(outcomeKey(height), encoded); err != nil {
		return err
	}
	for hash, result := range results {
		if result.Code != tx.CodeOK { // what takes effect does so once
			if old, ok := r.stored(hash); ok && old.Code == tx.CodeOK {
				continue
			}
		}
		b := make([]byte, 16, 16+len(result.Detail))
		binary.BigEndian.PutUint64(b, uint64(result.Height))
		binary.BigEndian.PutUint32(b[8:], result.Index)
		binary.BigEndian.PutUint32(b[12:], uint32(result.Code))
		if err := batch.Set(hash[:], append(b, result.Detail...)); err != nil {
			return err
		}
	}
	return batch.WriteSync()
}

// Wait returns when what was added is written, with the error of that.
func (r *Results) Wait() error {
	r.writing.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// GiveUp remembers that a transaction, which this node had taken, will not come into a block from here.
func (r *Results) GiveUp(hash [32]byte, refusal *tx.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.given[hash]; !known {
		if r.queue = append(r.queue, hash); len(r.queue) > maxGivenUp {
			delete(r.given, r.queue[0])
			r.queue = r.queue[1:]
		}
	}
	r.given[hash] = Result{Code: refusal.Code, Detail: shorten(refusal.Detail)}
}

// Close waits for the last write and closes the database.
func (r *Results) Close() error {
	if err := r.Wait(); err != nil {
		return fmt.Errorf("the index of results: %w", err)
	}
	return r.db.Close()
}

// shorten cuts a detail to maxDetail bytes.
func shorten(s string) string {
	if len(s) > maxDetail {
		return s[:maxDetail]
	}
	return s
}

// ParseHash reads the 64 hexadecimal digits of a transaction's hash.
func ParseHash(s string) (hash [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(hash) {
		return hash, fmt.Errorf("%q is no hash: 64 hexadecimal digits", s)
	}
	return [32]byte(b), nil
}
